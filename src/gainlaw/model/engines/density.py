"""The log density that the sampler explores: PyMC's priors, the law's shape and a compiled likelihood."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.curves.kernels.tape import with_gradient
from gainlaw.laws.tape import Work, build_tape
from gainlaw.model.binomial.kernels import binomial_joint
from gainlaw.model.binomial.records import BinomialModel
from gainlaw.model.engines.pymc_model import Coordinates
from gainlaw.model.gaussian.kernels import gaussian_marginal
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.problem import ModelProblem

__all__ = ["LogDensity"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class LogDensity:
    """The log posterior density of a problem at a point: coordinates of the hyperparameters, then ``zeta``.

    Parameters
    ----------
    coordinates : Coordinates
        Of the hyperparameters.
    kernel : callable
        Of the likelihood: a function of the packed vector and `record`.
    record : GaussianData or BinomialModel
        What it reads.
    base : ndarray
        The packed vector with every constant in place.
    source, target : ndarray of int
        Which coordinates stand in the packed vector, and where.
    shape : Work or None
        The shape of a law with parameters.
    own : ndarray of int
        The coordinates of its parameters.
    variables : ndarray, shape (v, n)
        Its variables.
    lift : ndarray of int
        The coordinate by which ability moves the gain; none for most laws.
    role : ndarray, shape (n,)
        What that is multiplied by in every row.
    first : int
        Where the shape stands in the packed vector; the rows' lift stands behind it.
    """

    coordinates: Coordinates
    kernel: Callable[..., tuple[float, Float]]
    record: GaussianData | BinomialModel
    base: Float
    source: Int
    target: Int
    shape: Work | None
    own: Int
    variables: Float
    lift: Int
    role: Float
    first: int

    @classmethod
    def of(cls, problem: ModelProblem, record: GaussianData | BinomialModel) -> LogDensity:
        """Return the log density of a problem with the record of its likelihood."""
        coordinates = Coordinates.of({name: problem.spec.priors[name] for name in problem.hyper})
        position = problem.position[coordinates.order]
        law, shape = problem.spec.law, None
        own, lift, variables = (*np.zeros((2, 0), dtype=np.int64), np.zeros((0, 0)))
        if law.parameters:
            tape = build_tape(law.form.graph)
            names = {each.symbol: each.name for each in law.parameters}
            at = [problem.hyper.index(names[symbol]) for symbol in tape.parameters]
            level = np.ones_like(problem.x)
            places = {"low": law.low * level, "high": law.high * level, "centre": law.centre * level}
            shape, own = tape.work, np.argsort(coordinates.order)[at]
            variables = np.array([problem.x if name == "x" else places[name] for name in tape.variables])
            if law.form.lift:
                lift = np.argsort(coordinates.order)[[problem.hyper.index(names[law.form.lift])]]
        return cls(
            coordinates,
            gaussian_marginal if isinstance(record, GaussianData) else binomial_joint,
            record,
            problem.base,
            np.flatnonzero(position >= 0),
            position[position >= 0],
            shape,
            own,
            variables,
            lift,
            problem.role,
            3 * problem.n_blocks + 1,
        )

    @property
    def n_hyper(self) -> int:
        """The number of hyperparameters."""
        return len(self.coordinates.order)

    def __call__(self, point: Float) -> tuple[float, Float]:
        """Return the log density and its gradient; NaN where it cannot be computed.

        Parameters
        ----------
        point : ndarray, shape (n_hyper + n_zeta,)
            Where.
        """
        k, size = self.n_hyper, len(self.base)
        hyper, slopes, prior, pull = self.coordinates.at(point[:k])
        packed = np.concatenate([self.base, point[k:]])
        packed[self.target] = hyper[self.source]
        rows = slice(self.first, self.first + len(self.role))
        if self.shape is not None:
            packed[rows], bend = with_gradient(self.shape, hyper[self.own], self.variables)
        if len(self.lift):
            packed[rows.stop : size] = 1.0 + hyper[self.lift] * self.role
        try:
            value, down = self.kernel(packed, self.record)
        except (ArithmeticError, np.linalg.LinAlgError):
            return np.nan, np.zeros_like(point)
        gradient = np.empty_like(point)
        gradient[k:] = down[size:]
        with np.errstate(all="ignore"):
            of_hyper = np.zeros(k)
            of_hyper[self.source] = down[self.target]
            if self.shape is not None:
                of_hyper[self.own] += bend @ down[rows]
            if len(self.lift):
                of_hyper[self.lift] += self.role @ down[rows.stop : size]
            gradient[:k] = pull + slopes * of_hyper
        total = value + float(prior)
        return (total if np.isfinite(gradient).all() else np.nan), gradient

    def hyperparameters(self, point: Float) -> Float:
        """Return the hyperparameters at a point, in the problem's order."""
        values = np.empty(self.n_hyper)
        values[self.coordinates.order] = self.coordinates.at(point[: self.n_hyper])[0]
        return values
