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
    from gainlaw.report.content import Content, Exhibit, Verdicts

__all__ = ["Report", "write_report"]

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

    Returns
    -------
    Report

    Raises
    ------
    InputError
        If there is no fit.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> print(write_report(fit, "report").answer.text)  # doctest: +SKIP
    """
    from gainlaw.report.content import arrange_fits, collect
    from gainlaw.report.page import render_page
    from gainlaw.report.paper import render_paper

    content = collect(arrange_fits(fits), verdicts, comparison, beside)
    words = title or TITLE
    folder = Path(out)
    folder.mkdir(parents=True, exist_ok=True)
    drawn = {name: _draw(exhibit) for name, exhibit in content.figures.items()}
    with tempfile.TemporaryDirectory(prefix=".report-", dir=folder) as place:
        scratch = Path(place)
        _fill(scratch, content, drawn)
        (scratch / "paper.tex").write_text(render_paper(content, verdicts, words), encoding="utf-8")
        svgs = {name: files["svg"] for name, files in drawn.items()}
        (scratch / "report.html").write_text(render_page(content, verdicts, words, svgs), encoding="utf-8")
        made = sorted(path for path in scratch.rglob("*") if path.is_file())
        files = tuple(_move(path, folder / path.relative_to(scratch)) for path in made)
    return Report(folder / "report.html", content.answer, files)


def _draw(exhibit: Exhibit) -> dict[str, bytes]:
    from gainlaw.figures import KINDS, figure_bytes

    return {kind: figure_bytes(exhibit.figure, kind) for kind in KINDS}


def _fill(scratch: Path, content: Content, drawn: Mapping[str, Mapping[str, bytes]]) -> None:
    from gainlaw.figures import write_figure

    for table in content.tables.values():
        table.write(scratch / "tables")
    for name, files in drawn.items():
        write_figure(files, scratch / "figures" / name)


def _move(source: Path, target: Path) -> Path:
    target.parent.mkdir(parents=True, exist_ok=True)
    os.replace(source, target)  # noqa: PTH105
    return target
