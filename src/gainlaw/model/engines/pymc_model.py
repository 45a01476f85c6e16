"""The PyMC model of the hyperparameters: their priors, and the coordinates that the sampler moves in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import pymc as pm
import pytensor.tensor as pt
from numpy.typing import NDArray
from pymc.distributions.distribution import support_point
from pymc.pytensorf import compile as compiled
from pytensor.graph.replace import clone_replace

from gainlaw.model.spec.priors import FAMILIES, Prior

__all__ = ["Coordinates"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class Coordinates:
    """Unbounded coordinates of hyperparameters, one each, under PyMC's priors.

    Parameters
    ----------
    order : ndarray of int, shape (k,)
        Which hyperparameter each coordinate is that of: those of one family of priors stand together.
    arguments : tuple of ndarray, shape (count, arguments)
        The arguments of the priors of each family.
    families : tuple of str
        The families in use.

    Examples
    --------
    >>> import numpy as np
    >>> found = Coordinates.of({"tau": Prior("halfnormal", (2.0,)), "rho": Prior("lkj", (1.0,))})
    >>> values, _, density, _ = found.at(np.zeros(2))
    >>> found.order.tolist(), values.tolist(), round(float(density), 4)
    ([0, 1], [1.0, 0.0], -2.4302)
    """

    order: NDArray[np.int64]
    arguments: tuple[Float, ...]
    families: tuple[str, ...]

    @classmethod
    def of(cls, priors: Mapping[str, Prior]) -> Coordinates:
        """Return the coordinates of hyperparameters from their priors."""
        used = [each.family for each in priors.values()]
        families = tuple(family for family in FAMILIES if family in used)
        order = sorted(range(len(used)), key=lambda k: families.index(used[k]))
        arguments = tuple(
            np.array([each.arguments for each in priors.values() if each.family == family])
            for family in families
        )
        return cls(np.array(order, dtype=np.int64), arguments, families)

    def at(self, point: Float) -> tuple[Float, Float, Float, Float]:
        """Return the hyperparameters at a point, their derivatives, the log prior density and its gradient.

        Parameters
        ----------
        point : ndarray, shape (k,)
            Coordinates.

        Returns
        -------
        values, slopes : ndarray, shape (k,)
            Each hyperparameter, in the order of the coordinates, and its derivative in its own coordinate.
        density, gradient : ndarray, shape (), (k,)
            Of the coordinates.
        """
        # PyTensor's own call is not safe in threads; the compiled function behind it is.
        found: tuple[Float, Float, Float, Float] = _functions(self.families)[0].vm.jit_fn(
            point, *self.arguments
        )
        return found

    def start(self) -> Float:
        """Return a point of high prior density."""
        found: Float = _functions(self.families)[1](*self.arguments)
        return found


@lru_cache
def _functions(families: tuple[str, ...]) -> tuple[Any, Any]:
    """Compile what `Coordinates` computes; how many hyperparameters there are is data, so that little is compiled.

    PyTensor keeps what it compiles on disk.
    """
    point = pt.dvector("point")
    arguments = [pt.dmatrix(f"{family}_arguments") for family in families]
    with pm.Model(check_bounds=False) as model:
        values = pt.concatenate(
            [_declare(family, each) for family, each in zip(families, arguments, strict=True)]
        )
    parts, end = {}, 0
    for variable, each in zip(model.free_RVs, arguments, strict=True):
        start, end = end, end + each.shape[0]
        parts[model.rvs_to_values[variable]] = point[start:end]
    values, density = clone_replace([*model.replace_rvs_by_values([values]), model.logp()], parts)
    at = compiled(
        [point, *arguments],
        [values, pt.grad(pt.sum(values), point), density, pt.grad(density, point)],
        mode="NUMBA",
    )
    start = compiled(
        arguments, pt.concatenate([_start(model, each) for each in model.free_RVs]), mode="NUMBA"
    )
    return at, start


def _start(model: pm.Model, variable: Any) -> Any:
    transform, point = model.rvs_to_transforms[variable], support_point(variable)
    return point if transform is None else transform.forward(point, *variable.owner.inputs)


def _declare(family: str, arguments: Any) -> Any:
    """Declare the hyperparameters of one family of priors, with one row of arguments each."""
    count, first, last = arguments.shape[0], arguments[:, 0], arguments[:, -1]
    if family == "halfnormal":
        return pm.HalfNormal(family, sigma=first, shape=count)
    if family == "halfcauchy":
        return pm.HalfCauchy(family, beta=first, shape=count)
    if family == "halfstudent_t":
        return pm.HalfStudentT(family, nu=first, sigma=last, shape=count)
    if family == "normal":
        return pm.Normal(family, mu=first, sigma=last, shape=count)
    if family == "exponential":
        return pm.Exponential(family, lam=1.0 / first, shape=count)
    return 2.0 * pm.Beta(family, alpha=first, beta=first, shape=count) - 1.0
