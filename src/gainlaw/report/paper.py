"""The paper: the same answer, tables and figures as a LaTeX article for pdflatex."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import gainlaw
from gainlaw.report.content import Content, Verdicts, has_slope, levels
from gainlaw.report.words import (
    REFERENCES,
    data_words,
    diagnostics_words,
    dropped_words,
    equation_latex,
    likelihood_words,
    names_of,
    term_words,
    width_words,
)
from gainlaw.tables.formats import scale_title
from gainlaw.tables.latex import escape_latex

if TYPE_CHECKING:
    from gainlaw.hierarchy import Fit

__all__ = ["render_paper"]


@dataclass(frozen=True, slots=True)
class Part:
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
    fits = {scale_title(content.fits.main.scale): content.fits.main, **content.fits.others}
    return environment.get_template("paper.tex.j2").render(
        version=gainlaw.__version__,
        title=escape_latex(title),
        abstract=escape_latex(content.answer.text),
        failures=[escape_latex(line) for line in diagnostics_words(fits)],
        sections=[part for part in _parts(content, verdicts) if part.blocks],
        references=[(key, escape_latex(text)) for key, text in REFERENCES],
        appendix=_some([_table(content, "estimates")]),
    )


def _parts(content: Content, verdicts: Verdicts) -> list[Part]:
    main = content.fits.main
    by = levels(main) if has_slope(main) else levels(main, "gain")
    results = [_figure(content, "gain_curve"), _figure(content, "slope")]
    for level in by:
        results += [_figure(content, f"forest_{level}"), _table(content, f"slopes_{level}")]
    results += [_table(content, f"gain_at_{level}") for level in levels(main, "gain")]
    results.append(_figure(content, "scales"))
    others = [name for name in (*content.figures, *content.tables) if name.startswith("other_")]
    data = ("data", "checkpoints", "gains")
    digits = 2 if main.scale == "log_odds" else 1
    width = [_prose(width_words(content.width, digits)), _figure(content, "width"), _table(content, "sds")]
    return [
        Part(
            "data",
            "Data",
            _some(
                [
                    _prose(data_words(main)),
                    *(_table(content, name) for name in data),
                    _figure(content, "scores"),
                ]
            ),
        ),
        Part("method", "Method", _some(_method(main))),
        Part("results", "Results", _some(results)),
        Part(
            "width",
            "Why the interval is wide",
            _some([*width, _figure(content, "influence"), _table(content, "influence")]),
        ),
        Part("claims", "Claims", _some([_table(content, "claims"), _table(content, "companions")])),
        Part(
            "others",
            "Other laws and other intermediate training",
            _some([*(_any(content, name) for name in others), _table(content, "compare")]),
        ),
        Part(
            "diagnostics",
            "Diagnostics",
            _some([_table(content, "diagnostics"), _figure(content, "predictive")]),
        ),
        Part(
            "priors",
            "Priors and sensitivity",
            _some([_table(content, "priors"), _figure(content, "priors"), _table(content, "sensitivity")]),
        ),
    ]


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


def _method(fit: Fit) -> list[str]:
    law = fit.spec.law
    slope = r" and $\beta$ the slope per decade there" if law.has_slope else ""
    terms = "".join(f"\\item[{escape_latex(name)}] {escape_latex(text)}\n" for name, text in term_words(fit))
    dropped = dropped_words(fit)
    left_out = f"Left out because the data cannot identify it: {names_of(dropped)}." if dropped else ""
    return [
        escape_latex(
            f"The gain follows the {law.name.replace('_', ' ')} law ({law.description}) in the number of "
            "parameters:"
        )
        + f"\n\\begin{{equation}}\n{equation_latex(fit)}\n\\end{{equation}}\n"
        + f"with $a$ the gain at one billion parameters{slope}. The $u$ and $v$ are deviations of the groups of "
        "each term, normal around zero with standard deviations learned from the data; $e$ is the "
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
