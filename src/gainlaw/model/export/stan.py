"""The data of Stan's program ``gain.stan``: the model matrix, the known errors and the priors of a model."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.model.export.formula import require_plain
from gainlaw.model.spec.problem import ModelProblem
from gainlaw.scores.gains.covariance import BlockCovariance

__all__ = ["stan_data", "stan_files"]

Float = NDArray[np.float64]

_FAMILIES = {"halfnormal": 1, "halfcauchy": 2, "halfstudent_t": 3, "exponential": 4}
# Entries of the model matrix that are laid out at a time.
_MOST = 50_000_000


def stan_files(problem: ModelProblem, covariance: BlockCovariance) -> dict[str, str]:
    """Return Stan's program, its data and the names of its parameters, by the names of their files.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    covariance : BlockCovariance
        The sampling covariance of its gains.

    Raises
    ------
    InputError
        For a binomial likelihood, hierarchical baselines, or a law whose shape is estimated.
    """
    data, names = stan_data(problem, covariance)
    program = resources.files(__package__).joinpath("gain.stan").read_text(encoding="utf-8")
    return {
        "gain.stan": program,
        "data.json": json.dumps(data, allow_nan=False) + "\n",
        "names.json": json.dumps(names, indent=1, ensure_ascii=False) + "\n",
    }


def stan_data(
    problem: ModelProblem, covariance: BlockCovariance
) -> tuple[dict[str, Any], dict[str, list[str]]]:
    """Return the data of the program, and the names of what it calls ``tau``, ``rho`` and ``effect``, in their order.

    Parameters and errors are those of `stan_files`. Indices count from 1, as Stan's do.
    """
    require_plain(problem, "stan")
    spec, design = problem.spec, problem.design
    if len(problem.y) * design.n_columns > _MOST:
        raise InputError(
            Problem(f"{len(problem.y)} rows with {design.n_columns} effects are too many to export")
        )
    taus = [name for name in spec.hyper_names if name.startswith("tau_")]
    rhos = [name for name in spec.hyper_names if name.startswith("rho_")]
    q = design.n_columns
    mean, sd = np.zeros(q), np.zeros(q)
    tau_of, rho_of, partner = (np.zeros(q, dtype=int) for _ in range(3))
    names = [""] * q
    terms = {term.name: term for term in spec.all_terms}
    for block in design.blocks:
        intercepts = np.arange(block.start, block.start + block.size)
        slopes = intercepts[:0]
        if block.slope_start >= 0:
            slopes = np.arange(block.slope_start, block.slope_start + block.size)
        own = (
            [block.name]
            if block.name not in terms
            else [f"{block.name}[{g}]" for g in terms[block.name].groups]
        )
        for columns, ending, word in ((intercepts, "", "intercept"), (slopes, "_slope", "slope")):
            for column, name in zip(columns, own, strict=False):
                names[column] = f"{name}, {word}"
            if block.name in terms:
                if len(columns):
                    tau_of[columns] = taus.index(f"tau_{block.name}{ending}") + 1
            elif len(columns):
                prior = spec.priors[_fixed_name(block.name, word)]
                mean[columns], sd[columns] = prior.arguments
        if f"rho_{block.name}" in rhos:
            rho_of[slopes], partner[slopes] = rhos.index(f"rho_{block.name}") + 1, intercepts + 1
    values, turn = covariance.rotation()
    matrix = turn(design.dense(spec.law.shape(problem.x)))
    rows, columns = np.nonzero(matrix)
    priors = [spec.priors[name] for name in taus]
    data = {
        "n": len(problem.y),
        "q": q,
        "y": turn(problem.y).tolist(),
        "variance": values.tolist(),
        "nonzero": len(rows),
        "w": matrix[rows, columns].tolist(),
        "v": (columns + 1).tolist(),
        "u": (1 + np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=len(matrix)))])).tolist(),
        "fixed_mean": mean.tolist(),
        "fixed_sd": sd.tolist(),
        "n_tau": len(taus),
        "family": [_FAMILIES[prior.family] for prior in priors],
        "nu": [prior.arguments[0] if prior.family == "halfstudent_t" else 0.0 for prior in priors],
        "scale": [prior.scale for prior in priors],
        "n_rho": len(rhos),
        "eta": [spec.priors[name].arguments[0] for name in rhos],
        "tau_of": tau_of.tolist(),
        "rho_of": rho_of.tolist(),
        "partner": partner.tolist(),
        "residual": taus.index("tau_residual") + 1 if "tau_residual" in taus else 0,
    }
    return data, {"tau": taus, "rho": rhos, "effect": names}


def _fixed_name(block: str, word: str) -> str:
    """Return the name of the prior of a fixed effect."""
    if block == "mu":
        return word
    return block if word == "intercept" else f"{block}:slope"
