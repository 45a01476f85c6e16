"""Hierarchical laws: terms, priors, the model matrix, and the engine that samples the posterior.

The engine's modules (`nuts`, `model`, `ops` and the kernels) load PyMC and numba; nothing here imports them until a
model is sampled.
"""

from __future__ import annotations

from gainlaw._compiled import place_caches
from gainlaw.model.spec.priors import Prior, prior
from gainlaw.model.spec.problem import ModelSpec, build_problem, specify
from gainlaw.model.spec.terms import CANDIDATES, Dropped, Term, choose_terms

__all__ = [
    "CANDIDATES",
    "Dropped",
    "ModelSpec",
    "Prior",
    "Term",
    "build_problem",
    "choose_terms",
    "prior",
    "specify",
]

place_caches()
