"""The figures of one fit by their names, for ``fit.plot`` and ``gainlaw figure``."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError, Problem
from gainlaw.figures.forest import plot_forest
from gainlaw.figures.funnel import plot_funnel
from gainlaw.figures.gain_curve import plot_gain
from gainlaw.figures.influence import plot_influence
from gainlaw.figures.predictive import plot_predictive
from gainlaw.figures.priors import plot_priors
from gainlaw.figures.slope import plot_slope
from gainlaw.figures.two_curves import plot_two_curves
from gainlaw.options import FigureName, require_choice

if TYPE_CHECKING:
    from matplotlib.axes import Axes

    from gainlaw.figures.common.style import PaperFigure
    from gainlaw.fitting.record import FitRecord

__all__ = ["FIGURES", "plot"]

FIGURES: Mapping[FigureName, Callable[..., Any]] = MappingProxyType(
    {
        "gain": plot_gain,
        "forest": plot_forest,
        "slope": plot_slope,
        "funnel": plot_funnel,
        "influence": plot_influence,
        "predictive": plot_predictive,
        "priors": plot_priors,
        "two_curves": plot_two_curves,
    }
)
"""What draws the figure of a name: a function of a fit and of options."""


def plot(fit: FitRecord, name: FigureName | None = None, **options: Any) -> PaperFigure | Axes:
    """Draw one figure of a fit.

    Parameters
    ----------
    fit : Fit
        A fit.
    name : FigureName, optional
        Which; by default ``gain``, of a law without a slope ``forest``.
    **options
        Those of its function in `FIGURES`, e.g. ``level`` of a forest; that of a law without a slope is one of gains.

    Raises
    ------
    InputError
        For a name or an option that there is not.

    Examples
    --------
    >>> plot(fit, "forest", level="language_family")  # doctest: +SKIP
    """
    chosen = name or ("gain" if fit.law.has_slope else "forest")
    draw = FIGURES[require_choice(chosen, FigureName, "figure")]  # type: ignore[index]
    known = [each for each in signature(draw).parameters if each != "fit"]
    unknown = [each for each in options if each not in known]
    if unknown:
        hint = f"it has: {', '.join(known)}" if known else "it has none"
        raise InputError(Problem(f"the figure {chosen} has no option {', '.join(unknown)}", hint=hint))
    if chosen == "forest" and not fit.law.has_slope:
        options = {"estimand": "gain", **options}
    return draw(fit, **options)
