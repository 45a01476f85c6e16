"""The look of every figure: sizes, colours, the axis of model sizes, files with the same bytes each time."""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.font_manager import fontManager
from matplotlib.ticker import FixedLocator, FuncFormatter, MaxNLocator, NullFormatter

from gainlaw.figures.common import fonts
from gainlaw.figures.common.sheet import current_sheet
from gainlaw.figures.common.spots import Mark, Spot, placed
from gainlaw.sizes import format_params

__all__ = [
    "ACCENT",
    "COLORS",
    "DOUBLE",
    "GREY",
    "INK",
    "KINDS",
    "SINGLE",
    "WARM",
    "PaperFigure",
    "figure_bytes",
    "finish",
    "hide_spare",
    "inline_svg",
    "log_axis",
    "new_figure",
    "note_size",
    "panel_title",
    "params_axis",
    "save_figure",
    "style",
    "write_figure",
]

#: Width in inches of a figure in one column, and across both columns, of a two-column page.
SINGLE, DOUBLE = 3.3, 6.75

#: Eight colours that readers with any common colour vision tell apart (Okabe and Ito 2008), dark ones first.
COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000", "#F0E442")

#: The colours of a main posterior, of what stands out, of context, and of text.
ACCENT, WARM, GREY, INK = COLORS[0], COLORS[1], "#8A8A8A", "#1A1A1A"

_RC: dict[str, Any] = {
    "font.family": list(fonts.BASE),
    "font.size": 7.5,
    "axes.titlesize": 8,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 7.5,
    "figure.labelsize": 7.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#4D4D4D",
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.unicode_minus": True,
    "axes.grid": False,
    "grid.color": "#E3E3E3",
    "grid.linewidth": 0.5,
    "xtick.labelsize": 7,
    "ytick.labelsize": 7,
    "xtick.color": "#4D4D4D",
    "ytick.color": "#4D4D4D",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "xtick.minor.size": 1.5,
    "xtick.minor.width": 0.4,
    "legend.fontsize": 7,
    "legend.frameon": False,
    "lines.linewidth": 1.3,
    "patch.linewidth": 0.0,
    "figure.dpi": 100,
    "savefig.dpi": 200,
    "savefig.facecolor": "white",
    "svg.hashsalt": "gainlaw",
    "svg.fonttype": "path",
    "pdf.fonttype": 42,
    "text.usetex": False,
    # Names of tasks come from outside: $$ is a name, not mathematics.
    "text.parse_math": False,
    "path.simplify": True,
    "figure.constrained_layout.h_pad": 0.03,
    "figure.constrained_layout.w_pad": 0.03,
}

# DejaVu Sans with the characters of European languages alone: every PDF gets a cut of its font, which takes a tenth of
# a second from the whole font. What is missing comes from the whole one.
for _font in (Path(__file__).parent / "fonts").glob("*.ttf"):
    fontManager.addfont(_font)

_METADATA: dict[str, dict[str, str | None]] = {
    "pdf": {"CreationDate": None, "ModDate": None, "Producer": None, "Creator": "gainlaw"},
    "svg": {"Date": None, "Creator": None, "Format": None, "Type": None},
    "png": {"Software": "gainlaw"},
}


# Characters of titles across a figure of two columns.
_TITLE = 76

# Labels of sizes along an axis at most, and where more than two panels stand side by side.
_MOST_TICKS, _MOST_TICKS_SHARED = 7, 4

#: The formats in which a figure is written.
KINDS = ("pdf", "png", "svg")


class PaperFigure(Figure):
    """A matplotlib figure that keeps the numbers behind it and the words that describe it.

    Attributes
    ----------
    plot_data : pandas.DataFrame
        Everything that was drawn; the column `layer` says as what (band, cell, interval, ...).
    alt : str
        One or two sentences for readers who do not see the figure.
    sheet : mapping of str to object
        The user's settings that it was drawn by.
    lacking : str
        What to say where no font of the machine has a character.
    spots : tuple of Spot
        Its points that say what they are when they are pointed at, see `gainlaw.figures.common.spots`.
    """

    plot_data: pd.DataFrame
    alt: str
    lacking: str
    sheet: Mapping[str, Any]
    spots: tuple[Spot, ...]

    def _repr_png_(self) -> bytes:
        return figure_bytes(self, "png")


@contextmanager
def style(sheet: Mapping[str, Any] | None = None) -> Iterator[None]:
    """Use the look of the paper inside a ``with`` block; matplotlib's settings are put back after it.

    Parameters
    ----------
    sheet : mapping of str to object, optional
        Settings over it; by default those of `gainlaw.figure_style`.
    """
    with mpl.rc_context():
        mpl.rcdefaults()
        for key, value in {**_RC, **(current_sheet() if sheet is None else sheet)}.items():
            mpl.rcParams[key] = value  # type: ignore[index]
        yield


def new_figure(
    width: float, height: float, rows: int = 1, columns: int = 1, **grid: Any
) -> tuple[PaperFigure, np.ndarray]:
    """Return a figure of an exact size and its axes, without pyplot.

    Parameters
    ----------
    width, height : float
        Size in inches, which is the size in print.
    rows, columns : int
        Panels.
    **grid
        Passed to `matplotlib.figure.Figure.subplots`.

    Returns
    -------
    figure : PaperFigure
    axes : numpy.ndarray of Axes, shape (rows, columns)
    """
    figure = PaperFigure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.plot_data = pd.DataFrame()
    figure.alt = ""
    figure.lacking = ""
    figure.sheet = current_sheet()
    figure.spots = ()
    return figure, figure.subplots(rows, columns, squeeze=False, **grid)


def panel_title(text: str, columns: int) -> str:
    """Return the title of a panel in lines that fit where so many stand side by side; long names break at their marks.

    Examples
    --------
    >>> panel_title("mmlu_high_school_european_history", 4).splitlines()
    ['mmlu_high_school_', 'european_history']
    """
    room = _TITLE // max(columns, 2)
    lines = [""]
    for part in re.split(r"(?<=[_\-/: ])", text):
        if lines[-1] and len(lines[-1]) + len(part.rstrip()) > room:
            lines.append("")
        lines[-1] += part
    return "\n".join(line.rstrip() for line in lines)


def hide_spare(panels: np.ndarray, used: int) -> None:
    """Hide the panels that are not used; those above them get the labels of the axis that they share.

    Parameters
    ----------
    panels : numpy.ndarray of Axes, shape (rows, columns)
        The panels, which share their horizontal axis.
    used : int
        How many of them, row by row, hold something.
    """
    columns = panels.shape[1]
    for place, axes in enumerate(panels.ravel()):
        axes.set_visible(place < used)
        if place < used <= place + columns:
            axes.tick_params(labelbottom=True)


def note_size() -> float:
    """Return the size of numbers and notes inside a panel, in points: that of legends."""
    return float(mpl.rcParams["legend.fontsize"])


def params_axis(axes: Axes, params: Sequence[float] | np.ndarray, *, label: bool = True) -> None:
    """Make the horizontal axis one of model sizes: logarithmic, with ticks such as 1B, 10B, 100B.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    params : array_like of float
        The sizes that must be in view.
    label : bool
        Whether to write the axis label.
    """
    log_axis(axes, "x", params, "parameters" if label else "", write=format_params)


def log_axis(
    axes: Axes,
    which: Literal["x", "y"],
    values: Sequence[float] | np.ndarray,
    label: str,
    *,
    write: Callable[[float], str] | None = None,
) -> None:
    """Make an axis logarithmic, with ticks at powers of ten, or between them where there are too few.

    Parameters
    ----------
    axes : matplotlib.axes.Axes
        The panel.
    which : {"x", "y"}
        The axis.
    values : array_like of float
        The numbers that must be in view.
    label : str
        What to write along it; nothing where it is empty.
    write : callable, optional
        How its ticks are written; in short by default, as 1e21.
    """
    values = np.asarray(values, dtype=float)
    values = values[np.isfinite(values) & (values > 0)]
    low, high = (values.min(), values.max()) if values.size else (1e8, 1e11)
    pad = (high / low) ** 0.06 if high > 1.001 * low else 2.0
    axis = axes.xaxis if which == "x" else axes.yaxis
    # The limits come first: making the axis logarithmic sets those of the points, of one size none at all.
    (axes.set_xlim if which == "x" else axes.set_ylim)(low / pad, high * pad)
    (axes.set_xscale if which == "x" else axes.set_yscale)("log")
    shown = write or (
        lambda value: f"{value:.0e}".replace("e+", "e").replace("e0", "e") if value >= 1e4 else f"{value:g}"
    )
    axis.set_major_locator(FixedLocator(_size_ticks(low / pad, high * pad, _room(axes, which))))
    axis.set_major_formatter(FuncFormatter(lambda value, _: shown(value)))
    decades = np.arange(np.floor(np.log10(low / pad)), np.ceil(np.log10(high * pad)) + 1)
    minor = [m * 10.0**d for d in decades for m in range(1, 10)]
    axis.set_minor_locator(FixedLocator([tick for tick in minor if low / pad <= tick <= high * pad]))
    axis.set_minor_formatter(NullFormatter())
    if label:
        axis.set_label_text(label)


def _room(axes: Axes, which: Literal["x", "y"]) -> int:
    """Return how many labels fit along an axis: fewer where several panels share the width of the page."""
    spec = axes.get_subplotspec()
    shared = which == "x" and spec is not None and spec.get_gridspec().ncols > 2
    return _MOST_TICKS_SHARED if shared else _MOST_TICKS


def _size_ticks(low: float, high: float, most: int) -> list[float]:
    decades = range(int(np.floor(np.log10(low))), int(np.ceil(np.log10(high))) + 1)
    for steps in ((1,), (1, 2, 5), range(1, 10)):
        ticks = [m * 10.0**d for d in decades for m in steps if low <= m * 10.0**d <= high]
        if len(ticks) >= 2:
            return ticks[:: -(-len(ticks) // most)]
    return [
        tick for tick in np.asarray(MaxNLocator(4).tick_values(low, high)).tolist() if low <= tick <= high
    ]


def finish(
    figure: PaperFigure, layers: Mapping[str, pd.DataFrame], alt: str, marks: Sequence[Mark] = ()
) -> PaperFigure:
    """Attach numbers, description and the points that can be asked; settle the layout once for all formats."""
    parts = [frame.assign(layer=name) for name, frame in layers.items() if len(frame)]
    figure.plot_data = pd.concat(parts, ignore_index=True) if parts else pd.DataFrame({"layer": []})
    with style():
        figure.lacking = fonts.settle(figure)
        figure.set_layout_engine(None)  # "none" would keep a stand-in, for which every format is drawn twice
    figure.alt = " ".join(f"{alt} {figure.lacking}".split())
    figure.spots = placed(figure, marks)
    return figure


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as the bytes of a PDF, PNG (200 dots per inch) or SVG file; the same each time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    kind : {"pdf", "png", "svg"}
        The format.

    Returns
    -------
    bytes
    """
    buffer = io.BytesIO()
    with style(getattr(figure, "sheet", None)), fonts.silent():
        figure.savefig(buffer, format=kind, metadata=_METADATA[kind])
    return buffer.getvalue()


def inline_svg(svg: bytes, prefix: str) -> str:
    """Turn an SVG file into an element that can stand inside an HTML page.

    The XML head goes, no address stays, and every id gets a prefix, so that several figures can share a page.

    Parameters
    ----------
    svg : bytes
        The file, as `figure_bytes` makes it.
    prefix : str
        What makes the ids of this figure its own: a word of letters, digits and hyphens.

    Returns
    -------
    str
        An ``<svg>`` element.
    """
    text = svg.decode()
    text = text[text.index("<svg") :]
    text = re.sub(r'\s+xmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)
    text = text.replace("xlink:href=", "href=")
    text = re.sub(r'\bid="([^"]+)"', rf'id="{prefix}-\1"', text)
    text = re.sub(r'href="#([^"]+)"', rf'href="#{prefix}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{prefix}-\1)", text)
    # A hundredth of a point is not seen, and figures of thousands of points are most of a page.
    text = re.sub(r'\b(d|x|y)="[^"]*"', lambda found: re.sub(r"(\.\d\d)\d+", r"\1", found[0]), text)
    return re.sub(r"\s*\n\s*", "\n", text).strip()


def save_figure(figure: Figure, stem: str | Path) -> tuple[Path, ...]:
    """Write ``STEM.pdf``, ``STEM.png`` and ``STEM.svg``, each in one step and with the same bytes every time.

    Parameters
    ----------
    figure : matplotlib.figure.Figure
        The figure.
    stem : str or Path
        Path without suffix; its folder is made when it is missing.

    Returns
    -------
    tuple of Path
        The files written.

    Examples
    --------
    >>> figure, axes = new_figure(SINGLE, 2.0)
    >>> save_figure(figure, "figures/empty")  # doctest: +SKIP
    """
    return write_figure({kind: figure_bytes(figure, kind) for kind in KINDS}, stem)


def write_figure(files: Mapping[str, bytes], stem: str | Path) -> tuple[Path, ...]:
    """Write the files of a figure, given by format, as ``STEM.FORMAT``, each in one step."""
    from gainlaw._io import write_bytes_atomic

    base = Path(stem)
    base.parent.mkdir(parents=True, exist_ok=True)
    return tuple(
        write_bytes_atomic(base.with_name(f"{base.name}.{kind}"), data) for kind, data in files.items()
    )
