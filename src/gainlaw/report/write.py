"""Writing a report: everything is made in a folder of its own first, then put in place in one step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw._directory import new_directory
from gainlaw._io import without_formulas, write_text_atomic
from gainlaw._listing import FILES, listed_files
from gainlaw.report.answer import Answer

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord
    from gainlaw.report.across import Across, Together
    from gainlaw.report.artists import Artists
    from gainlaw.report.content import Content, Verdicts
    from gainlaw.tables.table import Table

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
    across : Together or None
        What several studies together say, where the report begins with it.
    """

    path: Path
    answer: Answer
    files: tuple[Path, ...]
    across: Together | None = None


def write_report(
    fits: FitRecord | Sequence[FitRecord] | Mapping[str, FitRecord],
    out: str | Path,
    *,
    verdicts: Verdicts = (),
    title: str | None = None,
    comparison: pd.DataFrame | None = None,
    beside: Mapping[str, FitRecord] | None = None,
    figures: str | Path | Artists | None = None,
    across: Across | None = None,
    preface: str = "",
    ground: Sequence[Table] = (),
    safe_csv: bool = False,
) -> Report:
    """Write the report of one or several fits.

    The folder gets ``report.html`` (self-contained, no address outside it), ``paper.tex``, ``tables/`` (each
    as LaTeX, CSV and Markdown) and ``figures/`` (each as PDF, PNG and SVG, what was drawn as CSV). The same fits
    give the same bytes.

    Parameters
    ----------
    fits : Fit, sequence of Fit or mapping of str to Fit
        The first one answers the question. One with the same law on the other scale is shown beside it; the
        others have a section of their own, under their names.
    out : str or Path
        The folder; made when it is missing. Files of an earlier report, which ``files.json`` lists, are replaced,
        others stay.
    verdicts : sequence of Verdict or pandas.DataFrame
        Judged claims (`gainlaw.assess_file`), or their frame as ``gainlaw claims`` wrote it.
    title : str, optional
        The title.
    comparison : pandas.DataFrame, optional
        What `gainlaw.compare` returned for these fits.
    beside : mapping of str to Fit, optional
        Fits of other studies, by a name that says which; each gets its answer, a curve and its slopes in a
        chapter at the end.
    figures : str, Path or Artists, optional
        A folder that `draw_figures` filled for the same fits, or processes that draw them beside this one
        (`gainlaw.report.artists.hire`); without it they are drawn here.
    across : Across, optional
        Fits of several studies together (`gainlaw.report.across.Across`), with which the report begins.
    preface : str
        What stands before the answer, such as what kind of data it is about, or what keeps these from being evidence.
    ground : sequence of Table
        What has to hold for the answer to mean something, such as how controls did: a chapter after the answer.
    safe_csv : bool
        Prefix the cells of CSV files that a spreadsheet would run.

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If there is no fit, `figures` does not hold what it should, or the folder cannot be written or has files of
        the same names that no report wrote.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(write_report(fit, "report").answer.text)  # doctest: +SKIP
    """
    from gainlaw.figures.common.arrange import arrange_fits
    from gainlaw.report.content import collect
    from gainlaw.report.exhibits import read_exhibits
    from gainlaw.report.page import render_page
    from gainlaw.report.paper import render_paper

    drawn = read_exhibits(figures) if isinstance(figures, str | Path) else figures
    words = title or TITLE
    folder = Path(out)
    with new_directory(folder, FILES, names=("report.html", "paper.tex")) as scratch:
        content = collect(arrange_fits(fits), verdicts, comparison, beside, drawn, across, preface, ground)
        _fill(scratch, content, safe_csv)
        write_text_atomic(scratch / "paper.tex", render_paper(content, verdicts, words))
        write_text_atomic(scratch / "report.html", render_page(content, verdicts, words))
    files = sorted([FILES.record, *listed_files(folder, FILES.record)], key=PurePosixPath)
    return Report(
        folder / "report.html", content.answer, tuple(folder / name for name in files), content.across
    )


def draw_figures(
    fits: FitRecord | Sequence[FitRecord] | Mapping[str, FitRecord],
    out: str | Path,
    *,
    beside: Mapping[str, FitRecord] | None = None,
    across: Across | None = None,
    artists: Artists | None = None,
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
    across : Across, optional
        Fits of several studies together.
    artists : Artists, optional
        Processes that draw along (`gainlaw.report.artists.hire`).

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
    from gainlaw.figures.common.arrange import arrange_fits
    from gainlaw.report.exhibits import basis_of, draw_exhibits, write_exhibits

    basis = basis_of(arrange_fits(fits), beside, across)
    if artists is None:
        exhibits = draw_exhibits(basis)
    else:
        artists.begin(basis)
        exhibits = artists.finish(basis)
    write_exhibits(exhibits, out)
    return Path(out)


def _fill(scratch: Path, content: Content, guarded: bool) -> None:
    from gainlaw.figures.common.style import write_figure

    for table in content.tables.values():
        table.write(scratch / "tables", safe=guarded)
    for name, exhibit in content.figures.items():
        write_figure(exhibit.files, scratch / "figures" / name)
        data = without_formulas(exhibit.data) if guarded else exhibit.data
        write_text_atomic(scratch / "figures" / f"{name}.csv", data)
