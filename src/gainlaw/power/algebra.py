r"""Many simulated studies of one design at once: likelihoods and the slope's conditional posterior, by shared algebra.

Given the hyperparameters the model is Gaussian, and its covariance does not depend on the observations: one
factorisation serves every simulated study.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.linalg.lapack import dpotrf, dtrtrs

from gainlaw.model.engines.hyper import pack_scales
from gainlaw.model.spec.problem import ModelProblem

__all__ = ["Moments", "System"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Moments:
    """The slope given each of J points of the hyperparameters, in S studies.

    Parameters
    ----------
    log_likelihood : ndarray, shape (J, S)
        Of the points.
    mean : ndarray, shape (J, S)
        Of the slope.
    sd : ndarray, shape (J,)
        Of the slope; it does not depend on what is observed.
    """

    log_likelihood: Float
    mean: Float
    sd: Float


def _solve(factor: Float, right: Float, *, transposed: bool = False) -> Float:
    """Solve with a lower triangular factor; the wrapper of the library costs more than these small systems."""
    return np.asarray(dtrtrs(factor, right, lower=1, trans=int(transposed))[0])


class System:
    """The Gaussian model of one design, for many studies.

    Parameters
    ----------
    problem : ModelProblem
        The model; its observations are not read.
    weights : ndarray, shape (q,)
        What the slope is a combination of, over the columns of the model matrix.
    """

    def __init__(self, problem: ModelProblem, weights: Float) -> None:
        matrix = problem.rows.design.dense(problem.base[3 * problem.n_blocks + 1 :])
        self.problem = problem
        self.weights = np.zeros(matrix.shape[1])
        self.weights[: len(weights)] = weights
        # Rows of equal error variance enter every likelihood through the same sums.
        variance, kind = np.unique(np.round(problem.rows.variance, 10), return_inverse=True)
        self.variance, self.counts = variance, np.bincount(kind).astype(float)
        self.kinds = [np.flatnonzero(kind == k) for k in range(len(variance))]
        self.matrix = matrix
        self.flat_squares = np.stack([(matrix[rows].T @ matrix[rows]).ravel() for rows in self.kinds])
        # Which sd each column has, and which columns are intercept and slope of one group.
        blocks = problem.n_blocks
        self.kind_of = np.full(matrix.shape[1], 2 * blocks, dtype=np.int64)
        pairs: list[tuple[int, int, int]] = []
        for k, each in enumerate(problem.design.blocks):
            self.kind_of[each.start : each.start + each.size] = k
            if each.slope_start >= 0:
                self.kind_of[each.slope_start : each.slope_start + each.size] = blocks + k
                pairs += [(each.start + g, each.slope_start + g, k) for g in range(each.size)]
        first, second, self.pair_of = np.array(pairs, dtype=np.int64).reshape(-1, 3).T
        self.paired = first, second
        self.slope_column = problem.design.blocks[0].slope_start

    def moments(self, points: Float, observed: Float) -> Moments:
        """Return log likelihoods, and the slope's conditional posterior, at hyperparameters.

        Parameters
        ----------
        points : ndarray, shape (J, k)
            Hyperparameters.
        observed : ndarray, shape (n, S)
            Gains of S studies, turned as the rows of the model are.
        """
        sums = np.stack([(self.matrix[rows].T @ observed[rows]).ravel() for rows in self.kinds])
        own = np.stack([np.sum(observed[rows] ** 2, axis=0) for rows in self.kinds])
        scales = pack_scales(self.problem, points)
        studies = observed.shape[1]
        log_lik, mean = np.empty((len(points), studies)), np.empty((len(points), studies))
        sd = np.empty(len(points))
        for j, packed in enumerate(scales):
            noise = self.variance + packed[-1] ** 2
            factor, contrast = self._factor(packed, noise)
            right = self._to_standard(packed, ((1.0 / noise) @ sums).reshape(-1, studies))
            solved = _solve(factor, np.column_stack([right, contrast]))
            half, last = solved[:, :-1], solved[:, -1]
            quadratic = (own / noise[:, None]).sum(axis=0) - np.einsum("ij,ij->j", half, half)
            log_det = self.counts @ np.log(noise) + 2.0 * np.log(np.diag(factor)).sum()
            log_lik[j] = -0.5 * (quadratic + log_det)
            mean[j] = last @ half
            sd[j] = np.sqrt(last @ last)
        return Moments(log_lik, mean, sd)

    def around(self, points: Float, centre: Float, free: NDArray[np.bool_], observed: Float) -> Moments:
        """Return `moments` at points that differ from `centre` in some hyperparameters alone, up to a constant.

        Parameters
        ----------
        points : ndarray, shape (J, k)
            Hyperparameters.
        centre, free, observed
            As for `reduced`.
        """
        quick = self.reduced(centre, free, observed)
        return self.moments(points, observed) if quick is None else quick.moments(points)

    def reduced(self, centre: Float, free: NDArray[np.bool_], observed: Float) -> Reduced | None:
        """Return what gives the moments where some hyperparameters alone vary; None where the residual sd does.

        Parameters
        ----------
        centre : ndarray, shape (k,)
            Where the others stay.
        free : ndarray of bool, shape (k,)
            Which vary.
        observed : ndarray, shape (n, S)
            Gains of S studies, turned as the rows of the model are.
        """
        names, blocks = self.problem.hyper, self.problem.design.blocks
        if any(name == "tau_residual" for name, own in zip(names, free, strict=True) if own):
            return None
        terms = {_term_of(name) for name, own in zip(names, free, strict=True) if own}
        varying = np.isin(self.kind_of, [k + half for k, each in enumerate(blocks) if each.name in terms
                                         for half in (0, len(blocks))])  # fmt: skip
        packed = pack_scales(self.problem, centre[None])[0]
        noise = np.empty(len(self.matrix))
        for rows, known in zip(self.kinds, self.variance, strict=True):
            noise[rows] = known + packed[-1] ** 2
        # Fixed coefficients are integrated out once: standardised, those that vary get no part in it.
        loading = self._to_standard(packed, self.matrix.T).T[:, ~varying]
        weighted = loading / noise[:, None]
        inner = loading.T @ weighted
        inner[np.diag_indices_from(inner)] += 1.0
        factor = np.linalg.cholesky(inner)

        def whitened(values: Float) -> Float:
            return values / noise[:, None] - weighted @ _solve(
                factor, _solve(factor, weighted.T @ values), transposed=True
            )

        own = self._to_standard(packed, self.weights[:, None])[~varying, 0]
        apart = self.matrix[:, varying]
        pattern = whitened((loading @ own)[:, None])[:, 0]
        inverse, with_data = whitened(apart), whitened(observed)
        index = np.cumsum(varying) - 1
        both = varying[self.paired[0]]
        return Reduced(
            problem=self.problem,
            kind_of=self.kind_of[varying],
            paired=(index[self.paired[0][both]], index[self.paired[1][both]]),
            pair_of=self.pair_of[both],
            squares=apart.T @ inverse,
            sums=apart.T @ with_data,
            own=np.einsum("ij,ij->j", observed, with_data),
            contrast=self.weights[varying] - apart.T @ pattern,
            mean=pattern @ observed,
            variance=float(own @ own - (loading @ own) @ pattern),
        )

    def sampling(self, points: Float, loadings: Float, slopes: Float, residual: float) -> tuple[Float, Float]:
        """Return how far the conditional mean of the slope lies from the truth, given what varies in truth.

        Parameters
        ----------
        points : ndarray, shape (J, k)
            Hyperparameters that the analysis takes for true.
        loadings : ndarray, shape (n, G)
            What standard normal numbers add to the rows in truth, turned as the rows of the model are.
        slopes : ndarray, shape (G,)
            What they add to the true slope.
        residual : float
            The true residual sd.

        Returns
        -------
        sd : ndarray, shape (J,)
            Of the conditional mean less the true slope.
        kept : ndarray, shape (J,)
            What the conditional mean keeps of the slope: 1 less the pull of its prior.
        """
        sd, kept = np.empty(len(points)), np.empty(len(points))
        for j, packed in enumerate(pack_scales(self.problem, points)):
            noise = self.variance + packed[-1] ** 2
            factor, contrast = self._factor(packed, noise)
            first = _solve(factor, contrast[:, None])
            solved = _solve(factor, first, transposed=True)[:, 0]
            pattern = self.matrix @ self._from_standard(packed, solved)
            error = 0.0
            for rows, each, known in zip(self.kinds, noise, self.variance, strict=True):
                pattern[rows] /= each
                error += (known + residual**2) * np.sum(pattern[rows] ** 2)
            sd[j] = np.sqrt(error + np.sum((pattern @ loadings - slopes) ** 2))
            kept[j] = pattern @ self.matrix[:, self.slope_column]
        return sd, kept

    def _factor(self, packed: Float, noise: Float) -> tuple[Float, Float]:
        """Return the Cholesky factor of the standardised coefficients' precision, and the slope's contrast."""
        size = len(self.weights)
        inner = ((1.0 / noise) @ self.flat_squares).reshape(size, size)
        own, cross = _scales(self.problem, packed, self.kind_of, self.pair_of)
        if cross.any():
            inner = self._to_standard(packed, self._to_standard(packed, inner).T)
        else:
            inner *= own[:, None]
            inner *= own
        inner.flat[:: size + 1] += 1.0
        factor, fault = dpotrf(inner, lower=1, clean=0, overwrite_a=1)
        if fault:
            raise np.linalg.LinAlgError("the precision of the coefficients is not positive definite")
        return factor, self._to_standard(packed, self.weights[:, None])[:, 0]

    def _to_standard(self, packed: Float, values: Float) -> Float:
        return _standardised(self.problem, packed, self.kind_of, self.paired, self.pair_of, values)

    def _from_standard(self, packed: Float, values: Float) -> Float:
        """Return ``L values``, of a vector."""
        own, cross = _scales(self.problem, packed, self.kind_of, self.pair_of)
        out = own * values
        out[self.paired[1]] += cross * values[self.paired[0]]
        return out


@dataclass(frozen=True, slots=True, eq=False)
class Reduced:
    """A `System` with the observations at hand and what does not vary integrated out.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    kind_of, paired, pair_of
        As in `System`, of the coefficients that vary.
    squares, sums, own : ndarray
        Their normal equations with the observations of every study.
    contrast : ndarray
        What the slope is a combination of, beside what follows from the observations.
    mean, variance : ndarray, float
        Of the slope, were these coefficients zero.
    """

    problem: ModelProblem
    kind_of: Int
    paired: tuple[Int, Int]
    pair_of: Int
    squares: Float
    sums: Float
    own: Float
    contrast: Float
    mean: Float
    variance: float

    def moments(self, points: Float) -> Moments:
        """Return log likelihoods up to a constant, and the slope's conditional posterior, at hyperparameters."""
        studies = self.sums.shape[1]
        log_lik, mean = np.empty((len(points), studies)), np.empty((len(points), studies))
        sd = np.empty(len(points))
        right = np.column_stack([self.sums, self.contrast])
        for j, packed in enumerate(pack_scales(self.problem, points)):
            inner = self._standard(packed, self._standard(packed, self.squares).T)
            inner.flat[:: len(inner) + 1] += 1.0
            factor = np.linalg.cholesky(inner)
            solved = _solve(factor, self._standard(packed, right))
            half, last = solved[:, :-1], solved[:, -1]
            quadratic = self.own - np.einsum("ij,ij->j", half, half)
            log_lik[j] = -0.5 * quadratic - np.log(np.diag(factor)).sum()
            mean[j] = self.mean + last @ half
            sd[j] = np.sqrt(self.variance + last @ last)
        return Moments(log_lik, mean, sd)

    def _standard(self, packed: Float, values: Float) -> Float:
        return _standardised(self.problem, packed, self.kind_of, self.paired, self.pair_of, values)


def _standardised(
    problem: ModelProblem, packed: Float, kind_of: Int, paired: tuple[Int, Int], pair_of: Int, values: Float
) -> Float:
    """Return ``L' values``, where coefficients are ``L`` times standard normal numbers."""
    own, cross = _scales(problem, packed, kind_of, pair_of)
    out = own[:, None] * values
    if cross.any():
        out[paired[0]] += cross[:, None] * values[paired[1]]
    return out


def _scales(problem: ModelProblem, packed: Float, kind_of: Int, pair_of: Int) -> tuple[Float, Float]:
    """Return the sd of every column given the others of its group, and what slopes take from their intercepts."""
    blocks = problem.n_blocks
    tau, steep, rho = (packed[k * blocks : (k + 1) * blocks] for k in range(3))
    each = np.concatenate([tau, steep * np.sqrt(1.0 - rho**2), [1.0]])
    return each[kind_of], (steep * rho)[pair_of]


def _term_of(name: str) -> str:
    """Return the term that a hyperparameter is of."""
    return name.removeprefix("tau_").removeprefix("rho_").removesuffix("_slope")
