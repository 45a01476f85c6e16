"""The four scales of a gain: what each is called, its units, and how large one point is on it. Imports nothing."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

__all__ = ["SCALES", "Scale", "ScaleFacts"]

Scale = Literal["points", "log_odds", "normalized", "error_reduction"]


@dataclass(frozen=True, slots=True)
class ScaleFacts:
    """What is known of a scale.

    Parameters
    ----------
    name : str
        Its name in running text.
    unit : str
        The unit of a gain.
    title : str
        The unit in full.
    axis : str
        The unit as it stands at an axis of gains.
    per_decade : str
        The unit of a slope.
    point : float
        About one point of accuracy in the middle of the range: what default priors are multiplied by, and half the
        width of practical equivalence.
    """

    name: str
    unit: str
    title: str
    axis: str
    per_decade: str
    point: float


SCALES: Mapping[str, ScaleFacts] = MappingProxyType(
    {
        "points": ScaleFacts(
            "points", "points", "percentage points", "percentage points", "points per decade", 1.0
        ),
        "log_odds": ScaleFacts(
            "log-odds", "log-odds", "chance-corrected log-odds", "log-odds", "log-odds per decade", 0.1
        ),
        "normalized": ScaleFacts(
            "normalized points",
            "chance-corrected points",
            "chance-corrected points",
            "chance-corrected points",
            "chance-corrected points per decade",
            2.0,
        ),
        "error_reduction": ScaleFacts(
            "error reduction",
            "% of errors",
            "percent of the baseline's errors",
            "% of errors",
            "percent of errors per decade",
            2.0,
        ),
    }
)
"""The scales by name, in the order in which they are offered."""
