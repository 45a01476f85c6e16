"""The Gaussian model with every coefficient integrated out: its likelihood, and exact draws of the coefficients."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gainlaw._threads import in_threads
from gainlaw.model.effects import add_prior_means
from gainlaw.model.engines.hyper import pack_points, pack_scales
from gainlaw.model.gaussian import kernels
from gainlaw.model.gaussian.linear_system import tabulate_system
from gainlaw.model.gaussian.ordering import deepened
from gainlaw.model.gaussian.records import GaussianData, ResidualTable, no_table
from gainlaw.model.gaussian.reduced import DIGITS, Axis, Reduced, reduced_model
from gainlaw.model.gaussian.reduced_many import ReducedMany, reduced_at, reduced_many
from gainlaw.model.spec.problem import ModelProblem

__all__ = ["Marginal"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Chebyshev nodes in the residual sd: the fewest that serve. Where all are off by more than this, none are used.
NODES = (6, 8, 12)
TOLERANCE = 1e-5
# Polynomials in many sds may be off by this, half a per cent of a weight: far below Monte Carlo error.
ROUGH = 5e-3
# Sds of a proposal that tables cover: nearly all points of it, or most, where a wider range would take many more terms.
NEARLY_ALL, MOST = 5.0, 3.0
# Tables of so few floats stay in the cache, and blending them costs next to nothing.
_CACHED = 60_000
# Floats of packed hyperparameters held at a time.
_CHUNK = 4_000_000
# Floats of factors that may be kept.
_MOST_FACTORS = 30_000_000
# Even few points are worth two threads.
_LEAST_POINTS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """The Gaussian model of one table of gains, or of its Gaussian summary.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    data : GaussianData
        Its rows, see `problem.gaussian_data`.
    table : ResidualTable
        Normal equations over the residual sd; made by `tabulated`.
    deep : GaussianData
        The same rows, whose columns are eliminated in an order that takes less work, see `ordering.deepened`; what
        needs no coefficient by its place in the core is computed from these.
    reduced : Reduced or None
        Those without the replicates, over two sds; made by `tabulated` where the replicates share one.
    """

    problem: ModelProblem
    data: GaussianData
    table: ResidualTable
    deep: GaussianData
    reduced: Reduced | ReducedMany | None = None

    @classmethod
    def build(cls, problem: ModelProblem, data: GaussianData, keep: Float | None = None) -> Marginal:
        """Return the model without a table, of all rows or of those with 1 in `keep`, shape (n,)."""
        if keep is not None:
            data = data._replace(keep=np.asarray(keep, dtype=float))
        if data.keep.shape != (len(problem.y),) or len(data.y) != len(problem.y):
            raise ValueError(f"the kernels take {len(problem.y)} rows and as many marks of rows to keep")
        deep = data._replace(matrix=deepened(problem.design.blocks, data.matrix))
        return cls(problem, data, no_table(data.matrix), deep)

    @property
    def n_coefficients(self) -> int:
        """The number of coefficients that are integrated out: those of the model, and of shared errors."""
        return len(self.data.matrix.place)

    def tabulated(self, within: Callable[[float], Mapping[int, tuple[float, float]]]) -> Marginal:
        """Return the model with tables over sds within a range.

        A law with a parameter of its own changes the rows themselves and gets no table; nor does a model with fewer
        rows than a table is large, or one for which it is off by more than `TOLERANCE` in log likelihood.

        Parameters
        ----------
        within : callable
            Takes how many sds of a proposal are to be covered; returns smallest and largest value of the sds of
            residual and replicates, by their positions in the packed vector (`hyper.table_ranges`).
        """
        if self.problem.spec.law.parameters or not self.problem.hyper:
            return self
        kinds = ((reduced_model, NEARLY_ALL, TOLERANCE), (reduced_many, MOST, ROUGH))
        for make, reach, tolerance in kinds:
            ranges = within(reach)
            for digits in DIGITS:
                reduced = make(self.problem, self.data, ranges, digits)
                if reduced is None:
                    break
                made = replace(self, reduced=reduced)
                if self._agrees(made, ranges, tolerance):
                    return made
        return self._over_residual(within(NEARLY_ALL)) if self._pays() else self

    def _over_residual(self, ranges: Mapping[int, tuple[float, float]]) -> Marginal:
        """Return the model with a table over the residual sd alone."""
        blocks = self.problem.n_blocks
        low, high = ranges.get(3 * blocks, (0.0, 0.0))
        shift = float(max(self.data.variance.min(), 0.0)) + 1e-300
        for size in NODES:
            axis = Axis(3 * blocks, low, high, shift, size)
            tables = tabulate_system(axis.nodes, self.data, self._shape)
            made = replace(self, table=ResidualTable(shift, *axis.logarithms, low, high, *tables))
            if self._agrees(made, ranges):
                return made
        return self

    def _pays(self) -> bool:
        """Return whether blending tables is less work than passing over the rows."""
        matrix, table = self.data.matrix, self.table
        floats = sum(math.prod(each.shape[1:]) for each in (table.cores, table.sides, table.squares))
        entries = 2 * matrix.block.shape[1]
        return bool(NODES[0] * floats < _CACHED or NODES[-1] * floats < entries**2 * len(self.problem.y))

    def _agrees(
        self, other: Marginal, ranges: Mapping[int, tuple[float, float]], tolerance: float = TOLERANCE
    ) -> bool:
        """Return whether tables give the same likelihood between their nodes."""
        problem = self.problem
        middle = np.array(
            [0.0 if name.startswith("rho_") else problem.spec.priors[name].scale for name in problem.hyper]
        )
        points = np.tile(middle, (3, 1))
        for turn, (position, (low, high)) in enumerate(sorted(ranges.items())):
            at = int(np.flatnonzero(problem.position == position)[0])
            points[:, at] = [low + f * (high - low) for f in np.roll([0.0, 0.13, 0.71], turn)]
        with np.errstate(invalid="ignore"):
            apart = np.abs(self.log_likelihood(points) - other.log_likelihood(points))
        return bool((apart <= tolerance * np.maximum(1.0, len(problem.y) / 1000.0)).all())

    def log_likelihood(self, points: Float) -> Float:
        """Return the log marginal likelihood of hyperparameters, shape (n, k) to (n,)."""
        return self.moments(points, np.zeros((0, self.data.matrix.n_core)))[:, 0]

    def moments(self, points: Float, contrasts: Float) -> Float:
        """Return log likelihood, and mean and variance of a contrast of standardised coefficients, shape (n, 3)."""
        out = np.empty((len(points), 3))
        scales = pack_scales(self.problem, points)
        reached = self._reached(scales)

        def chosen(rows: Int) -> Float:
            return contrasts[rows] if len(contrasts) else contrasts

        def direct(packed: Float, contrasts: Float) -> Float:
            data, table = (self.data, self.table) if len(contrasts) else self._deepest
            return kernels.conditional_moments(packed, contrasts, data, table)

        if self.reduced is not None and reached.any():
            rows = np.flatnonzero(reached)
            moments = partial(self.reduced.moments, self.data.matrix)
            out[rows] = self._in_threads(moments, scales[rows], chosen(rows))
        for rows in self._chunks(np.flatnonzero(~reached)):
            given = reduced_at(self.problem, self.data, scales[rows])
            if given is not None:
                moments = partial(given.moments, self.data.matrix)
                out[rows] = self._in_threads(moments, scales[rows], chosen(rows))
                continue
            out[rows] = self._in_threads(direct, pack_points(self.problem, points[rows]), chosen(rows))
        return out

    def _in_threads(
        self, function: Callable[[Float, Float], Float], points: Float, contrasts: Float
    ) -> Float:
        """Return moments of many points; of hyperparameters beyond what numbers can hold the likelihood is zero."""

        def part(inside: slice) -> Float:
            picked = contrasts[inside] if len(contrasts) else contrasts
            try:
                return function(points[inside], picked)
            except np.linalg.LinAlgError:
                return _one_by_one(function, points[inside], picked)

        return in_threads(part, len(points), least=_LEAST_POINTS)

    def factors(self, points: Float) -> Float | None:
        """Return what `kernels.contrast_moments` needs at every point; None where it would not fit into memory."""
        p = self.data.matrix.n_core
        if len(points) * (p * (p + 3) // 2) > _MOST_FACTORS:
            return None
        packed = pack_points(self.problem, points)

        def part(inside: slice) -> Float:
            return kernels.conditional_factors(packed[inside], self.data, self.table)

        return in_threads(part, len(points), least=_LEAST_POINTS)

    def draw(self, points: Float, which: Int, rng: np.random.Generator) -> Float:
        """Draw the coefficients at ``points[which]`` from their exact conditional, prior means included.

        Parameters
        ----------
        points : ndarray, shape (m, k)
            Hyperparameters.
        which : ndarray of int, shape (n,)
            The point of every draw.
        rng : numpy.random.Generator
            Random numbers.

        Returns
        -------
        ndarray, shape (n, q)
        """
        normals = np.empty((len(which), self.n_coefficients))
        # Dealt out point by point, so that they do not depend on how the draws are shuffled.
        normals[np.argsort(which, kind="stable")] = rng.standard_normal(normals.shape)
        return self._conditional(points, which, normals)

    def around(self, points: Float, which: Int, size: int, rng: np.random.Generator) -> tuple[Float, Float]:
        """Return the mean of the conditional that `draw` draws from, and draws less that mean.

        Every point is factorised once for all of them.

        Returns
        -------
        mean : ndarray, shape (n, q)
        draws : ndarray, shape (size, n, q)
        """
        q, n = self.n_coefficients, len(which)
        normals = np.concatenate([np.zeros((n, q)), rng.standard_normal((size * n, q))])
        found = self._conditional(points, np.tile(which, size + 1), normals).reshape(size + 1, n, -1)
        return found[0], found[1:] - found[0]

    def _conditional(self, points: Float, which: Int, normals: Float) -> Float:
        order = np.argsort(which, kind="stable")
        columns = self.problem.design.n_columns
        effects = np.empty((len(which), columns))
        reached = self._reached(pack_scales(self.problem, points))[which[order]]
        for inside, draws in ((True, self._reduced_draws), (False, self._full_draws)):
            for rows in self._chunks(order[reached == inside]):
                used, local = np.unique(which[rows], return_inverse=True)
                effects[rows] = draws(points[used], local, normals[rows])[:, :columns]
        return add_prior_means(self.problem, effects)

    def _full_draws(self, points: Float, which: Int, normals: Float) -> Float:
        packed = pack_points(self.problem, points)
        data, table = self._deepest

        def part(inside: slice) -> Float:
            return kernels.conditional_draws(packed, which[inside], normals[inside], data, table)

        return in_threads(part, len(which))

    def _reduced_draws(self, points: Float, which: Int, normals: Float) -> Float:
        reduced = self.reduced
        assert reduced is not None
        scales = pack_scales(self.problem, points)

        def part(inside: slice) -> Float:
            return reduced.draws(self.data, self._shape, scales, which[inside], normals[inside])

        return in_threads(part, len(which))

    def _reached(self, scales: Float) -> NDArray[np.bool_]:
        """Return which points, given by their scales, the reduced tables reach."""
        if self.reduced is None:
            return np.zeros(len(scales), dtype=bool)
        return self.reduced.covers(scales)

    @property
    def _deepest(self) -> tuple[GaussianData, ResidualTable]:
        """The rows, and the table that goes with them: in the order that takes less work, unless a table spares it."""
        if self.table.low <= self.table.high:
            return self.data, self.table
        return self.deep, no_table(self.deep.matrix)

    @property
    def _shape(self) -> Float:
        """The law's shape at every row, for a law without parameters of its own."""
        return self.problem.base[3 * self.problem.n_blocks + 1 :]

    def _chunks(self, rows: Int) -> list[Int]:
        """Cut row numbers into pieces whose packed vectors fit."""
        step = max(_CHUNK // max(len(self.problem.base), self.n_coefficients), 16)
        return [rows[a : a + step] for a in range(0, len(rows), step)]


def _one_by_one(function: Callable[[Float, Float], Float], points: Float, contrasts: Float) -> Float:
    """Return moments of which some cannot be had."""
    out = np.tile([-np.inf, 0.0, 1.0], (len(points), 1))
    for row in range(len(points)):
        chosen = contrasts[row : row + 1] if len(contrasts) else contrasts
        with contextlib.suppress(np.linalg.LinAlgError):
            out[row] = function(points[row : row + 1], chosen)[0]
    return out
