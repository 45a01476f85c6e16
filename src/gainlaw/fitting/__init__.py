"""Fits: a model sampled, summarised, checked, recorded and kept."""

from __future__ import annotations

from gainlaw.fitting.checks.diagnostics import Check, Diagnostics
from gainlaw.fitting.checks.predictive import predictive_data, predictive_frame
from gainlaw.fitting.companion import CompanionError, companion_path, other_scale, other_scale_fit
from gainlaw.fitting.comparison import compare
from gainlaw.fitting.conditional import Conditional, more_draws
from gainlaw.fitting.core import Fit, fit
from gainlaw.fitting.point_null import PointNull, PointNulls, point_null
from gainlaw.fitting.prediction import predict
from gainlaw.fitting.storage import load_fit, save_fit, write_fit

__all__ = [
    "Check",
    "CompanionError",
    "Conditional",
    "Diagnostics",
    "Fit",
    "PointNull",
    "PointNulls",
    "companion_path",
    "compare",
    "fit",
    "load_fit",
    "more_draws",
    "other_scale",
    "other_scale_fit",
    "point_null",
    "predict",
    "predictive_data",
    "predictive_frame",
    "save_fit",
    "write_fit",
]
