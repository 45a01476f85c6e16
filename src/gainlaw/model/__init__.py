"""Hierarchical laws: terms, priors, the model matrix, and the engine that samples the posterior.

The engine's modules (`nuts`, `model`, `ops` and the kernels) load PyMC and numba; nothing here imports them until a
model is sampled.
"""

from gainlaw._compiled import place_caches

place_caches()
