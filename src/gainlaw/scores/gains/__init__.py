"""Gains: accuracy with intermediate training minus accuracy without, with its sampling covariance."""

from gainlaw.scores.gains.bootstrap import SlopeBootstrap, language_bootstrap_slope
from gainlaw.scores.gains.cells.reading import gains_from_frame, read_gains, read_table
from gainlaw.scores.gains.compute import compute_gains
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.requirements import require_sizes
from gainlaw.scores.gains.table import Gains

__all__ = [
    "BlockCovariance",
    "Gains",
    "SlopeBootstrap",
    "compute_gains",
    "gains_from_frame",
    "language_bootstrap_slope",
    "read_gains",
    "read_table",
    "require_sizes",
]
