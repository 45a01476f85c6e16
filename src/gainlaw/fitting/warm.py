"""Compile the engine's kernels now rather than in the first fit: ``python -m gainlaw.fitting.warm``.

Numba compiles a kernel when it is first called and keeps the result beside the installed package, so that this takes
its half minute once for an installation. Nothing depends on it: a first fit does the same.
"""

from __future__ import annotations

from gainlaw.curves.study import fit_curves
from gainlaw.fitting.core import fit
from gainlaw.fitting.point_null import point_null
from gainlaw.posterior.contrasts import WeightedEstimand
from gainlaw.scores.datasets import load_dataset

__all__ = ["warm"]


def warm() -> None:
    """Fit a few gains on both kinds of likelihood, shared baselines among them, and a curve."""
    evaluations = load_dataset("bloomz", tasks="xcopa")
    for scale in ("points", "log_odds"):
        point_null(fit(evaluations, scale=scale, draws=100, chains=2), [WeightedEstimand("slope")])
    # A model whose replicates share one sd takes other kernels.
    one_mixture = load_dataset("bloomz", intermediates="xP3")
    fit(one_mixture, terms=["task", "checkpoint_task"], draws=100, chains=2)
    fit_curves(load_dataset("bloomz", tasks="xcopa", intermediates="xP3").gains())


if __name__ == "__main__":
    warm()
