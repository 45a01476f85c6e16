"""The outline of a report: which words, tables and figures stand in which chapter of page and paper."""

from __future__ import annotations

from dataclasses import dataclass

from gainlaw.report.arrange import has_slope, levels
from gainlaw.report.content import Content, Verdicts
from gainlaw.report.words import (
    beside_words,
    check_words,
    claims_words,
    curves_words,
    data_words,
    influence_words,
    others_words,
    predictive_words,
    priors_words,
    results_words,
    width_words,
)
from gainlaw.tables.verdicts import claims_frame

__all__ = ["Chapter", "outline"]


@dataclass(frozen=True, slots=True)
class Chapter:
    """A chapter of the report.

    Parameters
    ----------
    id : str
        A word for links.
    title : str
        The heading.
    words : str
        The paragraph that opens it, plain text; may be empty.
    names : tuple of str
        The tables and figures, in order; those that the content lacks are left out.
    """

    id: str
    title: str
    words: str
    names: tuple[str, ...]


def outline(content: Content, verdicts: Verdicts) -> tuple[Chapter, ...]:
    """Return the chapters between the answer and the references; empty ones are left out.

    Parameters
    ----------
    content : Content
        Tables, figures and fits.
    verdicts : sequence of Verdict or pandas.DataFrame
        The judged claims.
    """
    main = content.fits.main
    by = levels(main) if has_slope(main) else levels(main, "gain")
    results = ["slope"]
    for level in by:
        results += [f"forest_{level}", *([f"slopes_{level}"] if level != "language" else [])]
    results += [f"gain_at_{level}" for level in levels(main, "gain") if level != "language"]
    results.append("effects")
    checked = check_words(main)
    if "predictive" in content.figures:
        from gainlaw.fitting.checks.predictive import predictive_data

        checked += f" {predictive_words(predictive_data(main))}"
    chapters = [
        Chapter("data", "Data", data_words(main), ("data", "checkpoints", "gains", "scores")),
        Chapter("method", "Method", "", ()),
        Chapter("results", "Results", results_words(main), (*results, "scales")),
        Chapter(
            "width",
            "Why the interval is wide",
            f"{width_words(content.width, main.spec.decimals())} {influence_words(main)}".strip(),
            ("width", "sds", "influence", "influence_table"),
        ),
        Chapter(
            "claims",
            "Claims",
            claims_words(claims_frame(verdicts)) if len(verdicts) else "",
            ("claims", "companions"),
        ),
        Chapter(
            "others",
            "Other laws and other intermediate training",
            others_words(list(content.fits.others)),
            ("other_laws", "compare", "other_intermediate", "other_gain_at_intermediate", "other_gains"),
        ),
        Chapter("curves", "One curve a task", curves_words(content.curve_words), ("curves", "curve_laws")),
        Chapter("beside", "Beside: other studies", beside_words(content.beside), _beside_names(content)),
        Chapter("diagnostics", "Diagnostics", checked, ("diagnostics", "predictive")),
        Chapter(
            "priors", "Priors and sensitivity", priors_words(main), ("priors", "priors_figure", "sensitivity")
        ),
    ]
    known = [
        Chapter(
            chapter.id,
            chapter.title,
            chapter.words,
            tuple(name for name in chapter.names if content.has(name)),
        )
        for chapter in chapters
    ]
    return tuple(chapter for chapter in known if chapter.words or chapter.names or chapter.id == "method")


def _beside_names(content: Content) -> tuple[str, ...]:
    numbers = range(1, len(content.beside) + 1)
    return tuple(name for n in numbers for name in (f"beside_{n}", f"beside_slopes_{n}"))
