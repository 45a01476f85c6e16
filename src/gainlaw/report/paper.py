"""The paper: the same answer, tables and figures as a LaTeX article for pdflatex."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gainlaw
from gainlaw.report.content import Content, Verdicts
from gainlaw.report.outline import Chapter, answering, outline, stands_aside
from gainlaw.report.references import REFERENCES
from gainlaw.report.words import (
    diagnostics_words,
    dropped_words,
    equation_latex,
    group_words,
    likelihood_words,
    names_of,
    shape_words,
    term_words,
)
from gainlaw.scales import SCALES
from gainlaw.tables import claims_by_group
from gainlaw.tables.latex import escape_latex

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["render_paper"]


#: Chapters, and a figure of many rows, that the page has and the paper leaves out.
_LEFT = ("curves", "priors", "forest_language")
#: Tables that it has however long.
_ALWAYS = ("claims", "claims_alone")


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the paper: an id, a title and its blocks, each a piece of finished LaTeX."""

    id: str
    title: str
    blocks: tuple[str, ...]


def render_paper(content: Content, verdicts: Verdicts, title: str) -> str:
    r"""Return the report as a LaTeX article that reads ``tables/NAME.tex`` and ``figures/NAME.pdf``.

    Parameters
    ----------
    content : Content
        Tables, figures and the answer.
    verdicts : sequence of Verdict or pandas.DataFrame
        The judged claims.
    title : str
        The title, plain text.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined

    environment = Environment(
        loader=PackageLoader("gainlaw.report", "templates"),
        autoescape=False,
        undefined=StrictUndefined,
        block_start_string="<%",
        block_end_string="%>",
        variable_start_string="<<",
        variable_end_string=">>",
        comment_start_string="<#",
        comment_end_string="#>",
        trim_blocks=True,
    )
    chapters = [chapter for chapter in outline(content, verdicts) if chapter.id not in _LEFT]
    inside = {"untested", *(name for chapter in chapters for name in _names(content, chapter))}
    fits = {SCALES[content.fits.main.scale].title: content.fits.main, **content.fits.others}
    return environment.get_template("paper.tex.j2").render(
        version=gainlaw.__version__,
        title=escape_latex(title),
        abstract=escape_latex(_abstract(content)),
        failures=[escape_latex(line) for line in diagnostics_words(fits)],
        sections=[section for section in _sections(content, chapters) if section.blocks],
        references=[(key, escape_latex(text)) for key, text in REFERENCES],
        beside=[escape_latex(name) for name in content.tables if name not in inside],
        appendix=_some([_table(content, "untested")]),
    )


def _abstract(content: Content) -> str:
    """Return the answer; beside that of several studies, in three sentences, what the one says follows in short."""
    if content.across is None:
        return content.answer.text
    return " ".join(
        [content.across.short, "One study in detail:", content.answer.headline, *content.answer.sentences[:1]]
    )


def _opening(content: Content, chapter: Chapter) -> str:
    """Return the words of a chapter, behind those of the answer that the abstract left to it."""
    before: tuple[str, ...] = ()
    if content.across is not None and chapter.id == "across":
        before = (*content.across.more, *content.across.limits)
    elif content.across is not None and chapter.id == "results":
        before = (content.answer.text,)
    return " ".join((*before, chapter.words)).strip()


def _sections(content: Content, chapters: Sequence[Chapter]) -> list[Section]:
    parts = []
    for chapter in chapters:
        names = _names(content, chapter)
        method = _method(content.fits.main) if chapter.id == "method" else []
        notes = _notes(content.fits.main) if chapter.id == "data" else ""
        grouped = claims_by_group(content.tables["claims"])[1] if "claims_alone" in names else {}
        counted = "; ".join(group_words(stem, rows) for stem, rows in grouped.items())
        many = f"Of claims made for each of many groups, {counted}." if grouped else ""
        words = [_prose(_opening(content, chapter)), notes, *method, _prose(many), _pointers(content, names)]
        parts.append(
            Section(chapter.id, chapter.title, _some([*words, *(_any(content, name) for name in names)]))
        )
    return parts


def _names(content: Content, chapter: Chapter) -> tuple[str, ...]:
    """Return the figures of a chapter but those of the other scale, and the tables that do not stand aside."""
    names = (*answering(content), *chapter.names) if chapter.id == "results" else chapter.names
    if "claims_alone" in content.tables:
        names = tuple("claims_alone" if name == "claims" else name for name in names)
    figures = {
        name for name, figure in content.figures.items() if not figure.instead_of and name not in _LEFT
    }
    return tuple(
        name
        for name in names
        if name in figures
        or (name in content.tables and (name in _ALWAYS or not stands_aside(content, name)))
    )


def _notes(fit: FitRecord) -> str:
    """Return what travels with the data as a list."""
    items = "".join(f"\\item {escape_latex(str(note))}\n" for note in fit.gains.notes)
    return f"\\begin{{itemize}}\n{items}\\end{{itemize}}\n" if items else ""


def _pointers(content: Content, names: Sequence[str]) -> str:
    """Point to the tables and figures of a chapter, which float."""
    figures = [rf"\ref{{fig:{name}}}" for name in names if name in content.figures]
    tables = [rf"\ref{{{content.tables[name].label}}}" for name in names if name in content.tables]
    parts = [
        f"{kind}{'s' if len(references) > 1 else ''}~{names_of(references)}"
        for kind, references in (("Figure", figures), ("Table", tables))
        if references
    ]
    return f"See {' and '.join(parts)}.\n" if parts else ""


def _some(blocks: Iterable[str]) -> tuple[str, ...]:
    return tuple(block for block in blocks if block)


def _prose(text: str) -> str:
    return f"{escape_latex(text)}\n" if text else ""


def _any(content: Content, name: str) -> str:
    return _figure(content, name) if name in content.figures else _table(content, name)


def _table(content: Content, name: str) -> str:
    return rf"\input{{tables/{name}.tex}}" if name in content.tables else ""


def _figure(content: Content, name: str) -> str:
    exhibit = content.figures.get(name)
    if exhibit is None:
        return ""
    return "\n".join(
        [
            r"\begin{figure}[htbp]",
            r"\centering",
            rf"\includegraphics{{figures/{name}.pdf}}",
            rf"\caption{{{escape_latex(exhibit.caption)}}}",
            rf"\label{{fig:{name}}}",
            r"\end{figure}",
        ]
    )


def _method(fit: FitRecord) -> list[str]:
    law = fit.spec.law
    shape = escape_latex(shape_words(fit)).replace("β", r"$\beta$").replace(escape_latex("N_c"), "$N_c$")
    terms = "".join(f"\\item[{escape_latex(name)}] {escape_latex(text)}\n" for name, text in term_words(fit))
    dropped = dropped_words(fit)
    left_out = f"Left out because the data cannot identify it: {names_of(dropped)}." if dropped else ""
    return [
        escape_latex(f"The gain follows the {law.title} law ({law.description}) in the number of parameters:")
        + f"\n\\begin{{equation}}\n{equation_latex(fit)}\n\\end{{equation}}\n"
        + f"with $a$ the gain at {law.centre_words}{shape}. The $u$ and $v$ are deviations of the groups "
        "of each term, normal around zero with standard deviations learned from the data; $e$ is the "
        "sampling error, whose covariance is known.",
        f"\\begin{{description}}\\setlength{{\\itemsep}}{{0pt}}\n{terms}\\end{{description}}"
        if terms
        else "",
        _prose(likelihood_words(fit)),
        _prose(
            "Overall is the average over the groups observed, each with the same weight. Population is "
            "the mean of the hierarchy: what new tasks and language families would show on average."
        ),
        _prose(left_out),
    ]
