"""The outline of a report: which words and tables stand in which chapter of page and paper, and the figures between."""

from __future__ import annotations

from dataclasses import dataclass

from gainlaw.figures.common.arrange import LEVELS
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

__all__ = ["Chapter", "answering", "outline", "stands_aside"]

#: Tables that are too long for a chapter; the page shows them folded, the paper leaves them to files or its appendix.
_ELSEWHERE = {"slopes_language", "gain_at_language", "untested"}

# Longer tables stand aside, and so do those that say in numbers what the figure above them shows.
_LONG = 12
_ASIDE = {"companions", "untested", "effects"}


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
        The tables and figures, in order.
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
    results = [
        f"{table}_{level}" for table in ("slopes", "gain_at", "multipliers", "abilities") for level in LEVELS
    ]
    slopes = {
        level: table.frame for level in LEVELS if (table := content.tables.get(f"slopes_{level}")) is not None
    }
    checked = check_words(main)
    if "predictive" in content.figures:
        from gainlaw.fitting.checks.predictive import predictive_data

        checked += f" {predictive_words(predictive_data(main))}"
    beside = tuple(f"beside_slopes_{number}" for number in range(1, len(content.beside) + 1))
    together = ("across_slopes", "across_multipliers", *_starting(content, "across_compare_"))
    chapters = [
        Chapter("across", "Every study at once", "", together),
        Chapter("ground", "What the answer stands on", "", content.ground),
        Chapter("data", "Data", data_words(main), ("data", "checkpoints", "gains")),
        Chapter("method", "Method", "", ()),
        Chapter("results", "Results", results_words(main, slopes), ("laws", *results, "effects")),
        Chapter(
            "width",
            "Why the interval is wide",
            f"{width_words(content.width, main.spec.decimals())} {influence_words(main)}".strip(),
            ("sds", "influence_table"),
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
            ("compare", "other_gain_at_intermediate", "other_gains"),
        ),
        Chapter("curves", "One curve a task", curves_words(content.curve_words), ("curve_laws",)),
        Chapter(
            "beside",
            "Beside: other studies",
            beside_words(content.beside),
            beside,
        ),
        Chapter("diagnostics", "Diagnostics", checked, ("diagnostics",)),
        Chapter("priors", "Priors and sensitivity", priors_words(main), ("priors", "sensitivity")),
    ]
    known = [
        Chapter(
            chapter.id,
            chapter.title,
            chapter.words,
            _shown(chapter, content),
        )
        for chapter in chapters
    ]
    return tuple(chapter for chapter in known if chapter.words or chapter.names or chapter.id == "method")


def answering(content: Content) -> tuple[str, ...]:
    """Return the figures that stand with the answer itself."""
    return tuple(name for name, figure in content.figures.items() if figure.chapter == "answer")


def stands_aside(content: Content, name: str) -> bool:
    """Return whether a table is folded on the page and left to a file of its own by the paper.

    Parameters
    ----------
    content : Content
        Tables and figures.
    name : str
        Of a table.
    """
    shown = any(figure.before == name for figure in content.figures.values())
    return name in _ASIDE or shown or len(content.tables[name].frame) > _LONG


def _starting(content: Content, start: str) -> tuple[str, ...]:
    return tuple(name for name in content.tables if name.startswith(start))


def _shown(chapter: Chapter, content: Content) -> tuple[str, ...]:
    """Return the tables of a chapter that there are, with its figures put where they say that they stand."""
    names = list(chapter.names)
    for figure in content.figures.values():
        if figure.chapter == chapter.id:
            names.insert(names.index(figure.before) if figure.before else len(names), figure.name)
    return tuple(name for name in names if content.has(name) and name not in _ELSEWHERE)
