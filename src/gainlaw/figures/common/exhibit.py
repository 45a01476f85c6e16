"""What a figure says of itself to stand in a report: its name, its chapter, its caption, and when there is one.

A module of this folder that has a figure for the report has a function ``exhibits(basis)``, which yields a `Drawing`
for each figure that there is to draw; `gainlaw.report.exhibits.FIGURES` lists those functions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

import pandas as pd

from gainlaw.figures.common.arrange import Fits

if TYPE_CHECKING:
    from gainlaw.curves.study import CurveStudy
    from gainlaw.figures.common.style import PaperFigure
    from gainlaw.fitting.record import FitRecord

__all__ = ["Basis", "ChapterId", "Drawing", "Exhibits"]

#: The chapters of a report that have figures, see `gainlaw.report.outline`.
type ChapterId = Literal[
    "across", "answer", "data", "results", "width", "others", "curves", "beside", "diagnostics", "priors"
]


@dataclass(frozen=True, slots=True)
class Basis:
    """What the figures of a report are drawn from.

    Parameters
    ----------
    fits : Fits
        The fits by their part in the report.
    width : pandas.DataFrame
        The slope's interval by what is the replicate (`gainlaw.figures.width.width_data`); empty without a slope.
    study : CurveStudy or None
        Laws of one curve for the mean gains of each task's checkpoints, where there are sizes enough.
    beside : mapping of str to Fit
        Fits of other studies.
        sheet : mapping of str to object
        The user's settings of figures (`gainlaw.figure_style`), which other processes draw by too.
        across : Fit, optional
        A fit of a law of scores of several studies together.
    panels : str, optional
        The column that says of which study its families are.
    """

    fits: Fits
    width: pd.DataFrame
    study: CurveStudy | None
    beside: Mapping[str, FitRecord]
    sheet: Mapping[str, Any]
    across: FitRecord | None = None
    panels: str | None = None


@dataclass(frozen=True, slots=True)
class Drawing:
    """A figure with what a report has to know of it.

    Parameters
    ----------
    name : str
        File stem.
    chapter : str
        Where it stands.
    caption : str
        Plain text.
    figure : PaperFigure
        The figure.
    before : str
        The table of that chapter that it stands above; without it, it stands at the end of the chapter.
    instead_of : str
        The figure of which it is the same on the other scale; on the page a reader has one or the other.
    """

    name: str
    chapter: ChapterId
    caption: str
    figure: PaperFigure
    before: str = ""
    instead_of: str = ""


type Exhibits = Callable[[Basis], Iterator[Drawing]]
