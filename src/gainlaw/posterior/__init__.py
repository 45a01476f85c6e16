"""Estimands: from posterior draws to gains at any size, slopes, ratios, crossings and rankings."""

from __future__ import annotations

from gainlaw.posterior.contrasts import Combination, Part, combine
from gainlaw.posterior.curves import Curve, covariate_effect, curve, curve_at, new_checkpoint, new_group
from gainlaw.posterior.estimates import (
    MIN_ESS,
    RHAT_LIMIT,
    default_sizes,
    estimate_table,
    importance_ess,
    summarise,
)
from gainlaw.posterior.grid import SELECTABLE, FitLike, grid_cells, levels_of, reference_weights
from gainlaw.posterior.ranking import rank_groups
from gainlaw.posterior.shares import (
    MOSTLY_PRIOR,
    baseline_share,
    narrower_baselines,
    prior_share,
    prior_widening,
)

__all__ = [
    "MIN_ESS",
    "MOSTLY_PRIOR",
    "RHAT_LIMIT",
    "SELECTABLE",
    "Combination",
    "Curve",
    "FitLike",
    "Part",
    "baseline_share",
    "combine",
    "covariate_effect",
    "curve",
    "curve_at",
    "default_sizes",
    "estimate_table",
    "grid_cells",
    "importance_ess",
    "levels_of",
    "narrower_baselines",
    "new_checkpoint",
    "new_group",
    "prior_share",
    "prior_widening",
    "rank_groups",
    "reference_weights",
    "summarise",
]
