"""Gains: accuracy with intermediate training minus accuracy without, with its sampling covariance."""

from gainlaw.gains.bootstrap import SlopeBootstrap, language_bootstrap_slope
from gainlaw.gains.compute import compute_gains
from gainlaw.gains.covariance import BlockCovariance
from gainlaw.gains.reading import gains_from_frame, read_gains, read_table
from gainlaw.gains.requirements import require_sizes
from gainlaw.gains.scales import UNITS
from gainlaw.gains.table import Gains

__all__ = [
    "UNITS",
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
