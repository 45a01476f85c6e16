"""The PyMC model of a hierarchical law: priors on the scales, the rest in one compiled likelihood."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt

from gainlaw.laws.expression import BINARY, UNARY, Graph, evaluate
from gainlaw.model.binomial.records import BinomialModel
from gainlaw.model.engines.ops import BinomialJoint, GaussianMarginal
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.priors import Prior
from gainlaw.model.spec.problem import ModelProblem

__all__ = [
    "build_model",
    "compile_model",
    "hyper_families",
    "hyper_order",
    "leaf_kinds",
    "leaves_of",
    "model_data",
    "shape_at",
]

Structure = tuple[tuple[str, int], ...]
Kinds = tuple[tuple[str, str, int], ...]
Record = GaussianData | BinomialModel


def hyper_families(problem: ModelProblem) -> Structure:
    """Return the families of priors in use and the number of hyperparameters of each, which fix the graph."""
    counts: dict[str, int] = {}
    for name in problem.hyper:
        family = problem.spec.priors[name].family
        counts[family] = counts.get(family, 0) + 1
    return tuple(sorted(counts.items()))


def hyper_order(problem: ModelProblem) -> list[str]:
    """Return the hyperparameters in the order of `hyper_families`."""
    families = [family for family, _ in hyper_families(problem)]
    return sorted(problem.hyper, key=lambda name: families.index(problem.spec.priors[name].family))


def _prior_data(problem: ModelProblem) -> dict[str, Any]:
    data: dict[str, Any] = {}
    order = hyper_order(problem)
    for family, _ in hyper_families(problem):
        priors: Sequence[Prior] = [
            problem.spec.priors[name] for name in order if problem.spec.priors[name].family == family
        ]
        data[f"{family}_arguments"] = np.array([each.arguments for each in priors], dtype=float)
    place = dict(zip(problem.hyper, problem.position, strict=True))
    data["order"] = np.array([i for i, name in enumerate(order) if place[name] >= 0], dtype=np.int64)
    data["position"] = np.array([place[name] for name in order if place[name] >= 0], dtype=np.int64)
    data["base"] = problem.base
    law = problem.spec.law
    if law.parameters:
        places = {"x": problem.x, "low": law.low, "high": law.high, "centre": law.centre}
        data |= {name: np.asarray(places[name]) for name in law.form.graph.variables}
    return data


def model_data(problem: ModelProblem, record: Record) -> dict[str, Any]:
    """Return every array that the compiled model reads, by the name of its data container.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    record : GaussianData or BinomialModel
        What its likelihood reads.
    """
    return _prior_data(problem) | leaves_of(record)


def leaf_kinds(record: Record) -> Kinds:
    """Return name, type and rank of every array of a record, which fix the graph."""
    return tuple((name, value.dtype.str, value.ndim) for name, value in leaves_of(record).items())


def leaves_of(record: Any, prefix: str = "") -> dict[str, Any]:
    """Return the arrays of a record, and of the records in it, in order."""
    found: dict[str, Any] = {}
    for name, value in record._asdict().items():
        if isinstance(value, tuple):
            found |= leaves_of(value, f"{prefix}{name}_")
        else:
            found[prefix + name] = np.asarray(value)
    return found


def _container(name: str, dtype: str, rank: int) -> Any:
    """Declare a data container; its value is a placeholder."""
    return pm.Data(name, np.zeros((2,) * rank, dtype=dtype))


def _hyperparameters(structure: Structure) -> Any:
    """Declare the hyperparameters, one vector a family, and return them as one vector."""
    vectors = []
    for family, size in structure:
        a = pm.Data(f"{family}_arguments", np.ones((size, 2 if family in ("normal", "halfstudent_t") else 1)))
        if family == "halfnormal":
            vectors.append(pm.HalfNormal(family, sigma=a[:, 0], shape=size))
        elif family == "halfcauchy":
            vectors.append(pm.HalfCauchy(family, beta=a[:, 0], shape=size))
        elif family == "halfstudent_t":
            vectors.append(pm.HalfStudentT(family, nu=a[:, 0], sigma=a[:, 1], shape=size))
        elif family == "normal":
            vectors.append(pm.Normal(family, mu=a[:, 0], sigma=a[:, 1], shape=size))
        elif family == "exponential":
            vectors.append(pm.Exponential(family, lam=1.0 / a[:, 0], shape=size))
        else:
            vectors.append(2.0 * pm.Beta(family, alpha=a[:, 0], beta=a[:, 0], shape=size) - 1.0)
    return pt.concatenate(vectors)


#: What each operation of a formula is in the sampler; the other names are those of `pytensor.tensor` itself.
_OPERATIONS = {
    "subtract": pt.sub, "multiply": pt.mul, "divide": pt.true_div, "raise": pt.pow, "power": pt.pow,
    "logistic": pt.sigmoid, "probit": lambda u: 0.5 * pt.erfc(-u / np.sqrt(2.0)),
}  # fmt: skip
_FUNCTIONS = {
    kind: _OPERATIONS[kind] if kind in _OPERATIONS else getattr(pt, kind) for kind in (*UNARY, *BINARY)
}


def shape_at(shape: Graph, psi: Mapping[str, Any], places: Mapping[str, Any]) -> Any:
    """Return a law's shape as a symbol of the sampler.

    Parameters
    ----------
    shape : Graph
        The shape as operations, see `gainlaw.laws.shape.Shape`.
    psi, places : mapping of str to tensor
        Its parameters by symbol; ``x`` and the places that it is in.
    """
    return evaluate(shape, {**psi, **places}, _FUNCTIONS)


def _packed(structure: Structure, shape: Graph | None, at: tuple[int, ...]) -> Any:
    """Return the packed vector of the kernels as a function of the hyperparameters."""
    psi = _hyperparameters(structure)
    base = pm.Data("base", np.zeros(8))
    order = pm.Data("order", np.zeros(1, dtype=np.int64))
    position = pm.Data("position", np.zeros(1, dtype=np.int64))
    theta = pt.set_subtensor(base[position], psi[order])
    if shape is not None:
        places = {name: pm.Data(name, np.zeros(2 if name == "x" else ())) for name in shape.variables}
        values = {name: psi[k] for name, k in zip(shape.parameters, at, strict=True)}
        h = shape_at(shape, values, places)
        theta = pt.concatenate([theta[: -places["x"].shape[0]], h])
    return theta


@lru_cache(maxsize=16)
def compile_model(
    structure: Structure, shape: Graph | None, at: tuple[int, ...], n_zeta: int, kinds: Kinds
) -> Any:
    """Compile the model of one structure; data of any shape are filled in afterwards.

    Parameters
    ----------
    structure : tuple of (family, count)
        From `hyper_families`.
    shape : Graph or None
        The law's shape; None for a law without shape parameters.
    at : tuple of int
        The places of its parameters among the hyperparameters.
    n_zeta : int
        Coordinates of coefficients and residuals in the binomial model; 0 for the Gaussian model.
    kinds : tuple of (name, dtype, rank)
        From `leaf_kinds`.

    Returns
    -------
    nutpie.CompiledModel
    """
    import nutpie

    return nutpie.compile_pymc_model(build_model(structure, shape, at, n_zeta, kinds))


def build_model(
    structure: Structure, shape: Graph | None, at: tuple[int, ...], n_zeta: int, kinds: Kinds
) -> pm.Model:
    """Return the PyMC model of one structure, with placeholders for the data; see `compile_model`."""
    with pm.Model() as model:
        vector, density = (
            _packed(structure, shape, at),
            GaussianMarginal if n_zeta == 0 else BinomialJoint,
        )
        if n_zeta:
            zeta = pm.Flat("zeta", shape=n_zeta, initval=np.zeros(n_zeta))
            vector = pt.concatenate([vector, zeta])
        leaves = [_container(*kind) for kind in kinds]
        pm.Potential("likelihood", density().make_node(vector, *leaves).outputs[0])
    return model
