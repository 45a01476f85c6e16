"""The spread of gains, and the unit of the default priors, which goes with it."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from gainlaw.scales import SCALES, Scale

__all__ = ["gain_spread", "nice", "prior_unit"]

_SPREAD = 3.5
"""The spread of gains, in points, for which the defaults are written."""

# Beyond these, defaults would be priors that are refused (`priors.Prior`).
_LEAST, _MOST = 1e-5, 1e4

# So many rows are enough to look at the better measured half alone; fewer say less than their errors.
_MANY, _FEW = 16, 8


def gain_spread(gain: NDArray[np.float64], se: NDArray[np.float64]) -> float:
    """Return a robust sd of gains beyond their sampling error, in their unit; 0 where nothing spreads.

    The interquartile range of the better measured half, as an sd, less the sampling variance; at least half of the
    variance is left. Fewer than eight rows spread by their median standard error at least.

    Parameters
    ----------
    gain, se : ndarray, shape (n,)
        Gains and their standard errors.

    Examples
    --------
    >>> round(gain_spread(np.arange(21.0), np.full(21, 3.0)), 2)
    6.78
    """
    if len(gain) >= _MANY:
        better = se <= np.median(se)
        gain, se = gain[better], se[better]
    low, high = np.quantile(gain, [0.25, 0.75])
    raw = float(high - low) / 1.349 or float(np.std(gain))
    if raw <= 1e-9 * float(np.abs(gain).max()):
        raw = 0.0
    variance = max(raw**2 - float(np.mean(se**2)), 0.5 * raw**2)
    if len(gain) < _FEW:
        variance = max(variance, float(np.median(se)) ** 2)
    return variance**0.5


def prior_unit(spread: float, scale: Scale) -> float:
    """Return what the default priors are multiplied by for gains of some spread: 1, 2 or 5 times a power of ten.

    Examples
    --------
    >>> prior_unit(3.0, "points"), prior_unit(40.0, "points"), prior_unit(0.3, "log_odds")
    (1.0, 10.0, 1.0)
    """
    return min(max(nice(spread / (_SPREAD * SCALES[scale].point)) or 1.0, _LEAST), _MOST)


def nice(value: float) -> float:
    """Return the nearest of 1, 2 and 5 times a power of ten, on the logarithmic scale; 0 for 0.

    Examples
    --------
    >>> nice(0.3), nice(3.5), nice(80.0)
    (0.2, 5.0, 100.0)
    """
    if not value > 0.0:
        return 0.0
    power = np.floor(np.log10(value))
    return float(min((m * 10.0**power for m in (1.0, 2.0, 5.0, 10.0)), key=lambda v: abs(np.log(value / v))))
