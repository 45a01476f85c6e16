"""Laws in several variables, or in one that is no model size: lines by the values of the others, or contours."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.figures.common.style import (
    ACCENT,
    COLORS,
    DOUBLE,
    INK,
    SINGLE,
    WARM,
    PaperFigure,
    finish,
    log_axis,
    new_figure,
    style,
)
from gainlaw.formats import format_general
from gainlaw.laws.variables import PARAMS, TOKENS, source_of
from gainlaw.sizes import format_params
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.curves.fit import CurveFit

__all__ = ["plot_laws"]

Float = NDArray[np.float64]

# Values of the other variables for each of which a line is drawn; where they are more, the law is drawn by contours.
_LINES = 7
_ALONG = 120
_LEVELS = 9
_PER_ROW = 3


@dataclass(frozen=True, slots=True)
class _Axis:
    """A variable as it is drawn: its quantity, on a log scale where the law has its logarithm."""

    variable: str
    transform: str
    label: str

    @classmethod
    def of(cls, fit: CurveFit, variable: str) -> _Axis:
        name, transform = source_of(variable)
        known = {each.name: each.meaning for each in fit.law.measured}
        column = fit.points.columns.get(variable, "")
        inside = column.removeprefix("log10(").removeprefix("log(").removesuffix(" / 1e9)").removesuffix(")")
        derived = "/" in inside or not inside
        return cls(variable, transform, known.get(name, name) if derived else inside)

    def outer(self, values: Float) -> Float:
        """Return the quantity from the variable."""
        if self.transform == "decades":
            return 1e9 * 10.0**values
        return np.exp(values) if self.transform else values

    def along(self, values: Float, count: int) -> Float:
        """Return values of the variable over its range; of a logarithm, a little more."""
        low, high = float(values.min()), float(values.max())
        # A share or an indicator has no meaning beyond.
        pad = 0.04 * (high - low) if self.transform else 0.0
        return np.linspace(low - pad, high + pad, count)

    def write(self, value: float) -> str:
        """Return the quantity in words."""
        name = source_of(self.variable)[0]
        if any(each.called(name) for each in (PARAMS, TOKENS)):
            return format_params(value)
        return format_general(value, digits=3)

    def dress(self, axes: Axes, which: str, values: Float) -> None:
        """Make an axis of it."""
        name = source_of(self.variable)[0]
        if self.transform:
            write = self.write if any(each.called(name) for each in (PARAMS, TOKENS)) else None
            log_axis(axes, "x" if which == "x" else "y", self.outer(values), self.label, write=write)
        else:
            (axes.set_xlabel if which == "x" else axes.set_ylabel)(self.label)


def plot_laws(fits: Sequence[CurveFit]) -> PaperFigure:
    """Plot fitted laws over what they depend on, one panel each.

    The variable with most values is drawn along; where the others together take few values there is a line with its
    points for each, else, of two variables, the law stands as contours with the runs above it and below it marked.

    Parameters
    ----------
    fits : sequence of CurveFit
        The fits.

    Returns
    -------
    PaperFigure
        Its `plot_data` has the layers `line` or `surface`, and `point`.

    Raises
    ------
    InputError
        If there is no fit, or more than two variables with too many values to draw.

    Examples
    --------
    >>> import numpy as np
    >>> import gainlaw as gl
    >>> n, d = (each.ravel() for each in np.meshgrid(np.geomspace(1e8, 1e10, 9), np.geomspace(1e9, 1e11, 9)))
    >>> loss = np.log(1.8 + 480 / n**0.35 + 2100 / d**0.37)
    >>> fit = gl.fit_curve({"log_n": np.log(n), "log_d": np.log(d)}, loss, law="chinchilla")
    >>> plot_laws([fit]).plot_data["layer"].unique().tolist()
    ['surface', 'point']
    """
    if not fits:
        raise InputError(Problem("a figure of laws needs a fit"))
    columns = 2 if len(fits) == 4 else min(len(fits), _PER_ROW)
    rows = math.ceil(len(fits) / columns)
    layers: dict[str, list[pd.DataFrame]] = {"line": [], "surface": [], "point": []}
    words = []
    with style():
        figure, grid = new_figure(SINGLE if columns == 1 else DOUBLE, 2.8 * rows, rows, columns)
        for k, fit in enumerate(fits):
            axes = grid[k // columns, k % columns]
            kind, drawn, points, said = _draw(axes, fit)
            layers[kind].append(drawn.assign(panel=fit.points.name))
            layers["point"].append(points.assign(panel=fit.points.name))
            words.append(said)
            axes.set_title(
                f"{task_title(fit.points.name)}: {fit.law.title}" if fit.points.name else fit.law.title
            )
        for spare in range(len(fits), rows * columns):
            grid[spare // columns, spare % columns].set_axis_off()
    alt = f"{fits[0].points.label} as a law of {' and '.join(fits[0].law.variables)}. {' '.join(words)}"
    return finish(
        figure, {name: pd.concat(parts, ignore_index=True) for name, parts in layers.items() if parts}, alt
    )


def _draw(axes: Axes, fit: CurveFit) -> tuple[str, pd.DataFrame, pd.DataFrame, str]:
    """Draw one law; return what was drawn as a layer, the points, and a sentence."""
    values = {name: fit.points.variables[name] for name in fit.law.variables}
    axis = {name: _Axis.of(fit, name) for name in values}
    along = max(values, key=lambda name: len(np.unique(np.round(values[name], 9))))
    others = [name for name in values if name != along]
    points = pd.DataFrame({axis[name].label: axis[name].outer(each) for name, each in values.items()})
    points = points.assign(value=fit.as_measured(fit.points.y), residual=fit.residuals)
    groups = (
        np.unique(np.round(np.stack([values[name] for name in others], axis=1), 9), axis=0)
        if others
        else None
    )
    if groups is None or len(groups) <= _LINES:
        lines = _lines(axes, fit, axis, along, others, groups)
        return "line", lines, points, f"{len(lines) // _ALONG} lines."
    if len(others) > 1:
        what = f"{', '.join(values)}: more than two variables, and too many values of them for a line each"
        raise InputError(Problem(what, hint=f"a figure needs {_LINES} or fewer combinations of all but one"))
    surface = _contours(axes, fit, [axis[name] for name in values])
    above = int((fit.residuals > 0).sum())
    return "surface", surface, points, f"{above} of {len(points)} points lie above the law."


def _lines(
    axes: Axes, fit: CurveFit, axis: dict[str, _Axis], along: str, others: list[str], groups: Float | None
) -> pd.DataFrame:
    values = fit.points.variables
    at = axis[along].along(values[along], _ALONG)
    drawn = []
    for k, group in enumerate([[]] if groups is None else groups):
        color = COLORS[k % len(COLORS)]
        inside = np.ones(len(fit.points), dtype=bool)
        fixed = dict(zip(others, group, strict=True))
        for name, value in fixed.items():
            inside &= np.isclose(values[name], value, atol=1e-9)
        frame = fit.predict({along: at, **{name: np.full(_ALONG, value) for name, value in fixed.items()}})
        label = ", ".join(
            f"{axis[name].label} {axis[name].write(float(axis[name].outer(np.array(value))))}"
            for name, value in fixed.items()
        )
        place = axis[along].outer(at)
        low, middle, high = (fit.as_measured(frame[each].to_numpy()) for each in ("low", "gain", "high"))
        axes.fill_between(place, low, high, color=color, alpha=0.2, linewidth=0)
        axes.plot(place, middle, color=color, label=label or None)
        axes.scatter(
            axis[along].outer(values[along][inside]),
            fit.as_measured(fit.points.y[inside]),
            s=9,
            color=color,
            linewidths=0,
        )
        drawn.append(
            pd.DataFrame({axis[along].label: place, "value": middle, "low": low, "high": high, "line": label})
        )
    axis[along].dress(axes, "x", values[along])
    axes.set_ylabel(fit.points.measured)
    if groups is not None:
        axes.legend(loc="best")
    return pd.concat(drawn, ignore_index=True)


def _contours(axes: Axes, fit: CurveFit, sides: list[_Axis]) -> pd.DataFrame:
    values = fit.points.variables
    one, two = (each.along(values[each.variable], _ALONG) for each in sides)
    grid = [each.ravel() for each in np.meshgrid(one, two)]
    at = {side.variable: each for side, each in zip(sides, grid, strict=True)}
    surface = fit.as_measured(fit.predict(at)["gain"].to_numpy())
    across, up = (side.outer(each) for side, each in zip(sides, grid, strict=True))
    table = surface.reshape(len(two), len(one))
    seen = fit.as_measured(fit.points.y)
    levels = _levels(seen)
    # Labels are laid along the lines as they are on the final axes.
    for side, which in zip(sides, "xy", strict=True):
        side.dress(axes, which, values[side.variable])
    drawn = axes.contour(
        across.reshape(table.shape), up.reshape(table.shape), table, levels=levels, colors=INK, linewidths=0.6
    )
    axes.clabel(drawn, fontsize=6, fmt=lambda value: format_general(value, digits=3))
    place = [side.outer(values[side.variable]) for side in sides]
    for above, color, label in ((True, WARM, "above the law"), (False, ACCENT, "below")):
        chosen = (fit.residuals > 0) == above
        size = np.clip(
            np.abs(fit.residuals[chosen]) / max(float(np.median(np.abs(fit.residuals))), 1e-300), 0.2, 4.0
        )
        axes.scatter(
            place[0][chosen],
            place[1][chosen],
            s=5.0 * size,
            color=color,
            alpha=0.7,
            label=label,
            linewidths=0,
            zorder=3,
        )
    axes.legend(
        loc="lower left",
        bbox_to_anchor=(0.0, 1.09),
        ncols=2,
        borderaxespad=0.0,
        title=None,
        columnspacing=1.0,
    )
    return pd.DataFrame({sides[0].label: across, sides[1].label: up, "value": surface})


def _levels(seen: Float) -> Float:
    """Return round numbers over what was measured."""
    from matplotlib.ticker import MaxNLocator

    return np.asarray(MaxNLocator(_LEVELS).tick_values(float(seen.min()), float(np.quantile(seen, 0.98))))
