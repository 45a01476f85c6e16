"""One curve at a time: estimates, resampling, profiles, comparison, and what the points cannot tell."""

from gainlaw._compiled import place_caches
from gainlaw.curves.comparison import compare_curves, in_words
from gainlaw.curves.fit import CurveFit, fit_curve
from gainlaw.curves.identifiability import Finding
from gainlaw.curves.points import CurvePoints, checkpoint_points, points_from_arrays, score_points
from gainlaw.curves.profile import Profile
from gainlaw.curves.resampling import CurveBootstrap
from gainlaw.curves.study import DEFAULT_LAWS, CurveStudy, fit_curves

__all__ = [
    "DEFAULT_LAWS",
    "CurveBootstrap",
    "CurveFit",
    "CurvePoints",
    "CurveStudy",
    "Finding",
    "Profile",
    "checkpoint_points",
    "compare_curves",
    "fit_curve",
    "fit_curves",
    "in_words",
    "points_from_arrays",
    "score_points",
]

place_caches()
