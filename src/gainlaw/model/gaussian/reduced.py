"""The model with its replicates eliminated, tabulated over two sds: what makes large studies quick."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.gaussian import reduced_kernels as kernels
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.spec.design import Matrix
from gainlaw.model.spec.problem import ModelProblem

__all__ = [
    "Axis",
    "Reduced",
    "lone_replicate",
    "reduced_model",
    "replicate_axis",
    "replicate_blocks",
    "residual_axis",
]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Digits that the polynomials are to give, by their rate of convergence: the fewest that serve are used.
DIGITS = (6, 8, 10)
_MOST_NODES = 24
# A range of the logarithm no longer than twice this is one point.
_SHORTEST = 1e-9
# Floats of a table: beyond this it would not stay near the processor.
_LARGEST = 4_000_000
# Multiply-adds that a product of matrices does while a pass over the rows writes one product.
_DENSE = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Axis:
    r"""Chebyshev nodes in :math:`\log(s + \tau^2)`.

    Parameters
    ----------
    position : int
        Where the sd stands in the packed vector.
    low, high : float
        The sds covered.
    shift : float
        The variance ``s``. What is tabulated has no poles nearer to the real axis than :math:`i \pi` if ``s`` is at
        most the least variance that stands beside :math:`\tau^2`.
    count : int
        The number of nodes.
    """

    position: int
    low: float
    high: float
    shift: float
    count: int

    @classmethod
    def over(cls, position: int, ends: tuple[float, float], shift: float, digits: int) -> Axis:
        """Return the axis whose polynomials give so many digits between two sds."""
        low, high = ends
        axis = cls(position, low, high, shift, 1)
        _, half = axis.logarithms
        if half <= _SHORTEST:
            return axis
        rate = np.pi / half + np.sqrt((np.pi / half) ** 2 + 1.0)
        return cls(position, low, high, shift, max(int(np.ceil(digits / np.log10(rate))), 2))

    @property
    def logarithms(self) -> tuple[float, float]:
        """Middle and half length of the range of the logarithm."""
        ends = np.log(self.shift + np.array([self.low, self.high]) ** 2)
        return float(ends.mean()), max(float(0.5 * (ends[1] - ends[0])), _SHORTEST)

    @property
    def nodes(self) -> Float:
        """The sds at the nodes."""
        return self.sds(np.cos(np.pi * (np.arange(self.count) + 0.5) / self.count))

    def sds(self, places: Float) -> Float:
        """Return sds by where their logarithms lie in the range, from -1 to 1."""
        middle, half = self.logarithms
        return np.sqrt(np.maximum(np.exp(middle + half * places) - self.shift, 0.0))

    def places(self, sds: Float) -> Float:
        """Return where the logarithms of sds lie in the range, from -1 to 1."""
        middle, half = self.logarithms
        return (np.log(self.shift + sds**2) - middle) / half

    def weights(self, sds: Float) -> Float:
        """Return the barycentric weights of the nodes, shape (n, count), at sds in the range."""
        if self.count == 1:
            return np.ones((len(sds), 1))
        angles = np.pi * (np.arange(self.count) + 0.5) / self.count
        away = self.places(sds)[:, None] - np.cos(angles)
        met = np.abs(away) < 1e-13
        weights = (-1.0) ** np.arange(self.count) * np.sin(angles) / np.where(met, 1.0, away)
        weights = np.where(met.any(axis=1, keepdims=True), met.astype(float), weights)
        return weights / weights.sum(axis=1, keepdims=True)

    def covers(self, sds: Float) -> NDArray[np.bool_]:
        """Return which sds lie in the range."""
        return (sds >= self.low) & (sds <= self.high)


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """Tables of the reduced normal equations.

    Parameters
    ----------
    residual, replicate : Axis
        The two sds.
    table : ndarray, shape (nodes, entries)
        From `reduced_kernels.tabulate_reduced`.
    lone : int
        The replicates' block, -1 if there are none.
    """

    residual: Axis
    replicate: Axis
    table: Float
    lone: int

    def covers(self, scales: Float) -> NDArray[np.bool_]:
        """Return which points, given by their scales, shape (n, 3 * blocks + 1), the tables reach."""
        return self.residual.covers(scales[:, self.residual.position]) & self.replicate.covers(
            scales[:, self.replicate.position]
        )

    def weights(self, scales: Float) -> Float:
        """Return the weights of the tables, shape (n, nodes)."""
        first = self.residual.weights(scales[:, self.residual.position])
        second = self.replicate.weights(scales[:, self.replicate.position])
        return np.ascontiguousarray((first[:, :, None] * second[:, None, :]).reshape(len(scales), -1))

    def moments(self, matrix: Matrix, scales: Float, contrasts: Float) -> Float:
        """Return log likelihood, and mean and variance of contrasts, shape (n, 3)."""
        return kernels.reduced_moments(scales, self.weights(scales), contrasts, self.table, matrix)

    def draws(self, data: GaussianData, h: Float, scales: Float, which: Int, normals: Float) -> Float:
        """Return draws of all coefficients, shape (n, q), less the prior means of the fixed ones."""
        return kernels.reduced_draws(
            scales, self.weights(scales), which, normals, self.table, self.lone, data, h
        )


def lone_replicate(problem: ModelProblem, data: GaussianData) -> int | None:
    """Return the replicates' only block, -1 if there are no replicates, None where the model cannot be reduced.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    data : GaussianData
        The observations.
    """
    blocks = replicate_blocks(problem, data)
    if blocks is None or len(data.matrix.place) != problem.design.n_columns:
        return None
    if not blocks:
        return -1
    return blocks[0] if len(blocks) == 1 and np.diff(data.matrix.bounds).max() <= 1 else None


def replicate_blocks(problem: ModelProblem, data: GaussianData) -> list[int] | None:
    """Return the blocks of the replicates, None where they cannot be eliminated without the other scales.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    data : GaussianData
        The observations.
    """
    design = problem.design
    if problem.spec.law.parameters or not problem.hyper or data.matrix.n_core != design.n_core:
        return None
    blocks = [k for k, block in enumerate(design.blocks) if block.start >= design.n_core]
    return None if any(design.blocks[k].slope_start >= 0 for k in blocks) else blocks


def reduced_model(
    problem: ModelProblem, data: GaussianData, ranges: Mapping[int, tuple[float, float]], digits: int
) -> Reduced | None:
    """Tabulate the reduced model, where that is possible and saves work.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    data : GaussianData
        The observations.
    ranges : mapping
        Smallest and largest sd to cover, by the sd's position in the packed vector.
    digits : int
        Digits that the polynomials are to give.
    """
    lone = lone_replicate(problem, data)
    if lone is None:
        return None
    blocks = problem.n_blocks
    residual = residual_axis(problem, data, ranges, digits)
    if lone < 0:
        replicate = Axis(3 * blocks, -np.inf, np.inf, 1.0, 1)
    else:
        replicate = replicate_axis(data, lone, residual, ranges, digits)
    if max(residual.count, replicate.count) > _MOST_NODES or not _pays(data.matrix, residual, replicate):
        return None
    h = problem.base[3 * blocks + 1 :]
    scales = replicate.nodes if lone >= 0 else np.zeros(1)
    table = kernels.tabulate_reduced(residual.nodes, scales, data, h)
    return Reduced(residual, replicate, table, lone)


def residual_axis(
    problem: ModelProblem, data: GaussianData, ranges: Mapping[int, tuple[float, float]], digits: int
) -> Axis:
    """Return the nodes of the residual sd; for the parameters see `reduced_model`."""
    position = 3 * problem.n_blocks
    shift = float(max(data.variance.min(), 0.0)) + 1e-300
    return Axis.over(position, ranges.get(position, (0.0, 0.0)), shift, digits)


def replicate_axis(
    data: GaussianData, block: int, residual: Axis, ranges: Mapping[int, tuple[float, float]], digits: int
) -> Axis:
    """Return the nodes of the sd of a block of replicates; for the other parameters see `reduced_model`."""
    precision = _largest_precision(data, block, residual.low)
    return Axis.over(block, ranges[block], 1.0 / max(precision, 1e-300), digits)


def _largest_precision(data: GaussianData, block: int, tau: float) -> float:
    """Return the largest precision with which the data alone would give a replicate's effect, at a residual sd."""
    matrix = data.matrix
    inside = matrix.block == block
    each = (data.keep / (data.variance + tau**2))[:, None] * matrix.value**2
    sums = np.bincount(matrix.group[inside], weights=each[inside], minlength=matrix.sizes[block])
    return float(sums.max())


def _pays(matrix: Matrix, residual: Axis, replicate: Axis) -> bool:
    """Return whether blending tables is less work than passing over the rows and eliminating the replicates."""
    p, rows = matrix.n_core, matrix.block
    table = residual.count * replicate.count * p * p / 2.0
    direct = len(rows) * (2.0 * rows.shape[1]) ** 2 * _DENSE + (len(matrix.place) - p) * p * p
    return table <= _LARGEST and table < direct
