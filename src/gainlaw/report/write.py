"""Writing a report: everything is made in a temporary folder first, then moved into place file by file."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.report.answer import Answer

if TYPE_CHECKING:
    from gainlaw.fitting import Fit
    from gainlaw.report.content import Content, Verdicts

__all__ = ["Report", "draw_figures", "write_report"]

TITLE = "How the gain of intermediate-task training changes with model size"


@dataclass(frozen=True, slots=True)
class Report:
    """What `write_report` wrote.

    Parameters
    ----------
    path : Path
        The page, ``report.html``.
    answer : Answer
        Its first paragraph.
    files : tuple of Path
        Every file written.
    """

    path: Path
    answer: Answer
    files: tuple[Path, ...]


def write_report(
    fits: Fit | Sequence[Fit] | Mapping[str, Fit],
    out: str | Path,
    *,
    verdicts: Verdicts = (),
    title: str | None = None,
    comparison: pd.DataFrame | None = None,
    beside: Mapping[str, Fit] | None = None,
    figures: str | Path | None = None,
) -> Report:
    """Write the report of one or several fits.

    The folder gets ``report.html`` (self-contained, no address outside it), ``paper.tex``, ``tables/`` (each
    as LaTeX, CSV and Markdown) and ``figures/`` (each as PDF, PNG and SVG). The same fits
    give the same bytes.

    Parameters
    ----------
    fits : Fit, sequence of Fit or mapping of str to Fit
        The first one answers the question. One with the same law on the other scale is shown beside it; the
        others have a section of their own, under their names.
    out : str or Path
        The folder; made when it is missing. Files of an earlier report are replaced, others stay.
    verdicts : sequence of Verdict or pandas.DataFrame
        Judged claims (`gainlaw.assess_file`), or their frame as ``gainlaw claims`` wrote it.
    title : str, optional
        The title.
    comparison : pandas.DataFrame, optional
        What `gainlaw.compare` returned for these fits.
    beside : mapping of str to Fit, optional
        Fits of other studies, by a name that says which; each gets its answer, a curve and its slopes in a
        chapter at the end.
    figures : str or Path, optional
        A folder that `draw_figures` filled for the same fits; without it they are drawn here.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If there is no fit, or `figures` does not hold what it should.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(write_report(fit, "report").answer.text)  # doctest: +SKIP
    """
    from gainlaw.report.arrange import arrange_fits
    from gainlaw.report.content import collect
    from gainlaw.report.exhibits import read_exhibits
    from gainlaw.report.page import render_page
    from gainlaw.report.paper import render_paper

    drawn = None if figures is None else read_exhibits(figures)
    content = collect(arrange_fits(fits), verdicts, comparison, beside, drawn)
    words = title or TITLE
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".report-", dir=folder) as place:
        scratch = Path(place)
        _fill(scratch, content)
        (scratch / "paper.tex").write_text(render_paper(content, verdicts, words), encoding="utf-8")
        (scratch / "report.html").write_text(render_page(content, verdicts, words), encoding="utf-8")
        made = sorted(path for path in scratch.rglob("*") if path.is_file())
        files = tuple(_move(path, folder / path.relative_to(scratch)) for path in made)
    return Report(folder / "report.html", content.answer, files)


def draw_figures(
    fits: Fit | Sequence[Fit] | Mapping[str, Fit],
    out: str | Path,
    *,
    beside: Mapping[str, Fit] | None = None,
) -> Path:
    """Draw the figures of a report into a folder, so that the report itself is quick: it takes them from there.

    Drawing takes most of a report's time and needs neither claims nor comparisons.

    Parameters
    ----------
    fits : Fit, sequence of Fit or mapping of str to Fit
        As for `write_report`.
    out : str or Path
        The folder; made when it is missing. Files of the same names are replaced, others stay.
    beside : mapping of str to Fit, optional
        Fits of other studies.

    Returns
    -------
    Path
        The folder.

    Raises
    ------
    InputError
        If there is no fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> write_report(fit, "report", figures=draw_figures(fit, "drawn"))  # doctest: +SKIP
    """
    from gainlaw.report.arrange import arrange_fits
    from gainlaw.report.exhibits import draw_exhibits, write_exhibits

    exhibits = draw_exhibits(arrange_fits(fits), beside=beside)
    write_exhibits(exhibits, out)
    return Path(out)


def _fill(scratch: Path, content: Content) -> None:
    from gainlaw.figures import write_figure

    for table in content.tables.values():
        table.write(scratch / "tables")
    for name, exhibit in content.figures.items():
        write_figure(exhibit.files, scratch / "figures" / name)


def _move(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)  # noqa: PTH105
    return target
