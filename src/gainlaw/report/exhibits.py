"""The figures of a report, drawn: bytes with their captions, which can be kept in a folder and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError
from gainlaw.figures import (
    curves,
    forest,
    gain_curve,
    influence,
    laws,
    predictive,
    priors,
    scales,
    scores,
    slope,
    two_curves,
    width,
)
from gainlaw.figures.common.arrange import Fits
from gainlaw.figures.common.exhibit import Basis, ChapterId, Drawing, Exhibits
from gainlaw.figures.common.sheet import current_sheet, figure_style
from gainlaw.figures.common.spots import Spot
from gainlaw.figures.common.style import KINDS, figure_bytes, write_figure

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord
    from gainlaw.report.across import Across

__all__ = [
    "FIGURES",
    "LONGEST_FIRST",
    "Exhibit",
    "basis_of",
    "draw_exhibits",
    "draw_kind",
    "in_order",
    "read_exhibits",
    "write_exhibits",
]

#: The figures of a report; those that stand above the same table stand in this order.
FIGURES: tuple[Exhibits, ...] = (
    scores.exhibits,
    two_curves.exhibits,
    gain_curve.exhibits,
    slope.exhibits,
    forest.exhibits,
    scales.exhibits,
    width.exhibits,
    influence.exhibits,
    predictive.exhibits,
    priors.exhibits,
    laws.exhibits,
    curves.exhibits,
)

#: Their places in the order in which several processes take them: what takes long comes first.
LONGEST_FIRST = tuple(
    sorted(range(len(FIGURES)), key=lambda place: FIGURES[place] not in (forest.exhibits, curves.exhibits))
)

_LIST = "exhibits.json"
_LISTED = ("name", "chapter", "before", "caption", "alt", "inches", "instead_of", "spots")


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A figure of the report.

    Parameters
    ----------
    name : str
        File stem.
    chapter : str
        Where it stands.
    before : str
        The table that it stands above; empty at the end of the chapter.
    caption : str
        Plain text.
    alt : str
        What readers are told who do not see it.
    inches : float
        Its width.
    instead_of : str
        The figure of which it is the same on the other scale.
    data : str
        What was drawn, as CSV.
    spots : tuple of Spot
        Its points that say what they are, see `gainlaw.figures.common.spots`.
    files : mapping of str to bytes
        The figure by format, see `gainlaw.figures.common.style.KINDS`.
    """

    name: str
    chapter: ChapterId
    before: str
    caption: str
    alt: str
    inches: float
    instead_of: str
    data: str
    spots: tuple[Spot, ...]
    files: Mapping[str, bytes]

    @property
    def narrow(self) -> bool:
        """Whether the figure fits one column."""
        return self.inches < 4


def basis_of(
    fits: Fits, beside: Mapping[str, FitRecord] | None = None, across: Across | None = None
) -> Basis:
    """Return what the figures of fits are drawn from.

    Parameters
    ----------
    fits : Fits
        The fits.
    beside : mapping of str to Fit, optional
        Fits of other studies.
    across : Across, optional
        Fits of several studies together.
    """
    sheet = dict(current_sheet())
    together = (None, None) if across is None else (across.fit, across.panels)
    return Basis(
        fits, width.width_data(fits.main), curves.study_of(fits.main), beside or {}, sheet, *together
    )


def draw_exhibits(basis: Basis) -> list[Exhibit]:
    """Draw every figure of a report."""
    return in_order({place: draw_kind(basis, place) for place in range(len(FIGURES))})


def draw_kind(basis: Basis, place: int) -> list[Exhibit]:
    """Draw the figures that one entry of `FIGURES` yields."""
    with figure_style(basis.sheet):
        return [_exhibit(drawing) for drawing in FIGURES[place](basis)]


def in_order(drawn: Mapping[int, Sequence[Exhibit]]) -> list[Exhibit]:
    """Return figures in the order of a report, given by their place in `FIGURES`."""
    return [exhibit for place in sorted(drawn) for exhibit in drawn[place]]


def write_exhibits(exhibits: Sequence[Exhibit], folder: str | Path) -> None:
    """Keep figures in a folder; the list of them is written last."""
    from gainlaw._io import write_text_atomic

    place = Path(folder)
    for exhibit in exhibits:
        write_figure(exhibit.files, place / exhibit.name)
        write_text_atomic(place / f"{exhibit.name}.csv", exhibit.data)
    listed = [{name: getattr(each, name) for name in _LISTED} for each in exhibits]
    write_text_atomic(place / _LIST, json.dumps(listed, indent=1, ensure_ascii=False) + "\n")


def read_exhibits(folder: str | Path) -> list[Exhibit]:
    """Read figures that `write_exhibits` kept.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Raises
    ------
    InputError
        If it does not hold what `write_exhibits` leaves.
    """
    place = Path(folder)
    try:
        listed = json.loads((place / _LIST).read_text(encoding="utf-8"))
        return [_read(place, **each) for each in listed]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{place} holds no figures of a report: {error}") from error


def _read(place: Path, *, name: str, spots: list[Any], **listed: Any) -> Exhibit:
    return Exhibit(
        name,
        **listed,
        spots=tuple((float(x), float(y), str(words)) for x, y, words in spots),
        data=(place / f"{name}.csv").read_text(encoding="utf-8"),
        files={kind: (place / f"{name}.{kind}").read_bytes() for kind in KINDS},
    )


def _exhibit(drawing: Drawing) -> Exhibit:
    figure = drawing.figure
    return Exhibit(
        drawing.name,
        drawing.chapter,
        drawing.before,
        f"{drawing.caption} {figure.lacking}".strip(),
        figure.alt,
        float(figure.get_figwidth()),
        drawing.instead_of,
        figure.plot_data.to_csv(index=False, lineterminator="\n", float_format="%.10g"),
        figure.spots,
        {kind: figure_bytes(figure, kind) for kind in KINDS},
    )
