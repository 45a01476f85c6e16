"""Tables and geometry of the binomial model: what `binomial_kernels.binomial_joint` needs besides the design."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gainlaw.gains import Gains
from gainlaw.hierarchy import binomial_kernels, kernels
from gainlaw.hierarchy.binomial_quadrature import log_binomial, moments, pair_table, quadrature, support
from gainlaw.hierarchy.design import rotate_design
from gainlaw.hierarchy.problem import ModelProblem

__all__ = ["BinomialTables", "Geometry", "build_geometry", "build_tables", "refined_data", "site_data"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

KNOTS = 512
# Knots per posterior sd of a table; the cubic's error is then below 1e-4 wherever the likelihood matters.
KNOTS_PER_SD = 10.0
# The chance-corrected log-odds of any accuracy that counts can tell from the floor or the ceiling lie well inside.
ETA_LIMIT = 16.0
# Trapezoid nodes per sd of the narrowest factor: the rule's error falls like exp(-2 pi^2 (sd / step)^2).
NODES_PER_SD = 1.25
SITE_ROUNDS = 5


@dataclass(frozen=True, slots=True, eq=False)
class BinomialTables:
    """Tabulated likelihoods of every row, and the quadrature of rows that share a baseline.

    Parameters
    ----------
    single : ndarray of int, shape (n,)
        1 where the row has its baseline to itself.
    lo, step : ndarray, shape (n,)
        First knot and spacing of each row's table.
    knots, slopes : ndarray, shape (n, KNOTS)
        Log likelihood and its derivative: in the gain for a single row, in the intermediate model's log-odds for a
        row in a block.
    reach : ndarray, shape (n, 2)
        For a row in a block: the log-odds between which the intermediate counts have a likelihood worth counting.
    first, members : ndarray of int
        Rows of block b: ``members[first[b]:first[b + 1]]``.
    node_first : ndarray of int
        Nodes of block b: ``node_first[b]:node_first[b + 1]``.
    nodes, node_weight : ndarray
        Baseline log-odds and log weights (log posterior of the baseline plus log spacing).
    site, site_variance : ndarray, shape (n,)
        Mean and variance of the gain under its likelihood alone and a wide prior.
    """

    single: Int
    lo: Float
    step: Float
    knots: Float
    slopes: Float
    reach: Float
    first: Int
    members: Int
    node_first: Int
    nodes: Float
    node_weight: Float
    site: Float
    site_variance: Float

    def arrays(self) -> tuple[NDArray, ...]:
        """Return the arrays in the order in which the kernels take them."""
        return (
            self.single,
            self.lo,
            self.step,
            self.knots,
            self.slopes,
            self.reach,
            self.first,
            self.members,
            self.node_first,
            self.nodes,
            self.node_weight,
        )


@dataclass(frozen=True, slots=True, eq=False)
class Geometry:
    """The coordinates that the sampler moves in, see `binomial_kernels.binomial_joint`."""

    anchor: Float
    anchor_variance: Float
    spread: Float
    site: Float
    site_variance: Float
    turns: Float
    turn_first: Int
    mode: Float


def build_tables(gains: Gains) -> BinomialTables:
    """Tabulate the likelihood of every gain.

    Parameters
    ----------
    gains : Gains
        Gains on the log-odds scale with counts and chance levels.
    """
    frame = gains.frame
    k0, n0, k1, n1, c = (
        frame[name].to_numpy(dtype=float)
        for name in ("k_baseline", "n_baseline", "k_intermediate", "n_intermediate", "chance")
    )
    n = len(frame)
    single = np.ones(n, dtype=np.int64)
    for rows, _ in gains.covariance.blocks:
        single[rows] = 0
    lo, step = np.empty(n), np.empty(n)
    knots, slopes = np.empty((n, KNOTS)), np.empty((n, KNOTS))
    site, site_variance, reach = np.empty(n), np.empty(n), np.zeros((n, 2))
    for i in range(n):
        mean0, sd0 = moments(k0[i], n0[i], c[i], ETA_LIMIT)
        mean1, sd1 = moments(k1[i], n1[i], c[i], ETA_LIMIT)
        site[i], site_variance[i] = mean1 - mean0, sd0**2 + sd1**2
        if single[i]:
            width = np.sqrt(site_variance[i])
            step[i] = width / KNOTS_PER_SD
            lo[i] = site[i] - step[i] * KNOTS / 2
            nodes, weights = quadrature(
                k0[i], n0[i], c[i], ETA_LIMIT, min(sd0, sd1) / NODES_PER_SD / np.sqrt(2.0)
            )
            pair_table(k1[i], n1[i], c[i], nodes, weights, lo[i], step[i], knots[i], slopes[i])
        else:
            reach[i] = support(k1[i], n1[i], c[i], ETA_LIMIT)
            step[i] = sd1 / KNOTS_PER_SD
            lo[i] = mean1 - step[i] * KNOTS / 2
            for j in range(KNOTS):
                knots[i, j], slopes[i, j] = log_binomial(k1[i], n1[i], c[i], lo[i] + step[i] * j)
    first: list[int] = [0]
    members: list[int] = []
    node_first: list[int] = [0]
    nodes_all: list[Float] = []
    weights_all: list[Float] = []
    for rows, _ in gains.covariance.blocks:
        sds = [moments(k1[i], n1[i], c[i], ETA_LIMIT)[1] for i in rows]
        a = rows[0]
        sds.append(moments(k0[a], n0[a], c[a], ETA_LIMIT)[1])
        spacing = min(sds) / NODES_PER_SD / np.sqrt(len(sds))
        nodes, weights = quadrature(k0[a], n0[a], c[a], ETA_LIMIT, spacing)
        members.extend(int(i) for i in rows)
        first.append(len(members))
        nodes_all.append(nodes)
        weights_all.append(weights)
        node_first.append(node_first[-1] + len(nodes))
    return BinomialTables(
        single=single,
        lo=lo,
        step=step,
        knots=knots,
        slopes=slopes,
        reach=reach,
        first=np.array(first, dtype=np.int64),
        members=np.array(members, dtype=np.int64),
        node_first=np.array(node_first, dtype=np.int64),
        nodes=np.concatenate(nodes_all) if nodes_all else np.zeros(0),
        node_weight=np.concatenate(weights_all) if weights_all else np.zeros(0),
        site=site,
        site_variance=site_variance,
    )


def build_geometry(problem: ModelProblem, tables: BinomialTables) -> Geometry:
    """Choose the sampler's coordinates at the mode of a Gaussian approximation.

    Each row's likelihood is summarised by a Gaussian site, refined at the posterior that the sites give; the
    hyperparameters go to their mode under the sites; there the conditional posterior of the coefficients gives a
    pseudo-observation of every effect and their correlations.
    """
    site, covariances = tables.site.copy(), _first_covariances(tables)
    variance = tables.site_variance.copy()
    hyper: dict[str, float] | None = None
    for _ in range(SITE_ROUNDS):
        turned, axes = _turn(tables, variance, covariances)
        data = site_data(problem, tables, site, turned, axes)
        hyper = _mode(problem, data, hyper)
        packed = problem.pack({name: np.array([value]) for name, value in hyper.items()})[0]
        a, b = kernels.normal_equations(packed, *data)
        inverse = np.linalg.inv(a)
        site, variance, covariances = _refine_sites(
            problem, tables, packed, inverse, b, site, variance, covariances
        )
    turned, axes = _turn(tables, variance, covariances)
    scale = _own_scale(problem, packed)
    mean = scale * (inverse @ b)
    sd = scale * np.sqrt(np.diag(inverse))
    # Invert the pull of the prior: the pseudo-observation that would give this posterior mean and sd.
    precision = np.maximum(1.0 / sd**2 - 1.0 / scale**2, 1e-6 / scale**2)
    correlation = inverse / np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    # spread @ spread.T is the correlation matrix; the flip makes the factor upper triangular.
    spread = np.ascontiguousarray(np.linalg.cholesky(correlation[::-1, ::-1])[::-1, ::-1])
    mode = np.array([hyper[name] for name in problem.hyper]) if hyper else np.zeros(0)
    turns = np.concatenate([axis.T.ravel() for axis in axes]) if axes else np.zeros(0)
    turn_first = np.concatenate([[0], np.cumsum([axis.size for axis in axes])]).astype(np.int64)
    anchor = mean / sd**2 / precision
    rotated = _rotate_rows(tables, axes, site)
    return Geometry(anchor, 1.0 / precision, spread, rotated, turned, turns, turn_first, mode)


def _own_scale(problem: ModelProblem, packed: Float) -> Float:
    """Return the prior sd of every effect, a correlated slope's given its intercept."""
    blocks = problem.n_blocks
    scale = np.empty(problem.design.n_columns)
    for k, block in enumerate(problem.design.blocks):
        scale[block.start : block.start + block.size] = packed[k]
        if block.slope_start >= 0:
            root = np.sqrt(1.0 - packed[2 * blocks + k] ** 2)
            scale[block.slope_start : block.slope_start + block.size] = packed[blocks + k] * root
    return scale


def site_data(
    problem: ModelProblem, tables: BinomialTables, site: Float, turned: Float, axes: list[Float]
) -> tuple:
    """Return the inputs of the Gaussian kernels with the sites as data.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    tables : BinomialTables
        Tabulated likelihoods.
    site : ndarray, shape (n,)
        Means of the sites.
    turned : ndarray, shape (n,)
        Variances of the sites along `axes`.
    axes : list of ndarray
        Axes of every block that shares a baseline.
    """
    rotations = list(zip(_members(tables), axes, strict=True))
    design = rotate_design(problem.design, rotations)
    y = _rotate_rows(tables, axes, site - row_offsets(problem))
    ones = _rotate_rows(tables, axes, np.ones(len(site)))
    return (y, turned, ones, problem.slope_mean, *design.arrays())


def refined_data(problem: ModelProblem, tables: BinomialTables) -> tuple:
    """Return `site_data` with the sites refined at the posterior that they give."""
    geometry = build_geometry(problem, tables)
    axes = []
    for rows, start in zip(_members(tables), geometry.turn_first, strict=False):
        size = len(rows)
        axes.append(geometry.turns[start : start + size * size].reshape(size, size).T)
    site = geometry.site.copy()
    for rows, axis in zip(_members(tables), axes, strict=True):
        site[rows] = axis @ geometry.site[rows]
    return site_data(problem, tables, site, geometry.site_variance, axes)


def _members(tables: BinomialTables) -> list[Int]:
    return [tables.members[a:b] for a, b in itertools.pairwise(tables.first)]


def _rotate_rows(tables: BinomialTables, axes: list[Float], vector: Float) -> Float:
    rotated = vector.copy()
    for rows, axis in zip(_members(tables), axes, strict=True):
        rotated[rows] = axis.T @ vector[rows]
    return rotated


def _first_covariances(tables: BinomialTables) -> list[Float]:
    """Return each block's covariance of gains under its counts alone: the baseline's variance is shared."""
    result = []
    for b, rows in enumerate(_members(tables)):
        nodes = slice(tables.node_first[b], tables.node_first[b + 1])
        weight = np.exp(tables.node_weight[nodes])
        mean = weight @ tables.nodes[nodes]
        shared = float(weight @ (tables.nodes[nodes] - mean) ** 2)
        own = np.maximum(tables.site_variance[rows] - shared, 1e-4)
        result.append(np.full((len(rows), len(rows)), shared) + np.diag(own))
    return result


def _turn(tables: BinomialTables, variance: Float, covariances: list[Float]) -> tuple[Float, list[Float]]:
    """Return the variances along the axes of every block, and the axes."""
    turned, axes = variance.copy(), []
    for rows, covariance in zip(_members(tables), covariances, strict=True):
        values, vectors = np.linalg.eigh(covariance)
        turned[rows] = np.maximum(values, 1e-6)
        axes.append(vectors)
    return turned, axes


def _refine_sites(
    problem: ModelProblem,
    tables: BinomialTables,
    packed: Float,
    inverse: Float,
    b: Float,
    site: Float,
    variance: Float,
    covariances: list[Float],
) -> tuple[Float, Float, list[Float]]:
    """Match each site's slope and curvature to the likelihood over one posterior sd around the posterior mean."""
    blocks = problem.n_blocks
    rows = _dense_rows(problem, packed)
    tau2 = max(packed[3 * blocks] ** 2, 1e-8)
    line = rows @ (inverse @ b) + row_offsets(problem) + problem.slope_mean * packed[3 * blocks + 1 :]
    line_variance = np.einsum("ij,jk,ik->i", rows, inverse, rows)
    share = tau2 / (variance + tau2)
    mean = line + share * (site - line)
    sd = np.sqrt(variance * share + (1.0 - share) ** 2 * line_variance)
    colour = np.zeros(len(site), dtype=np.int64)
    for members, covariance in zip(_members(tables), covariances, strict=True):
        colour[members] = np.arange(len(members))
        pull = tau2 * np.linalg.inv(covariance + tau2 * np.eye(len(members)))
        mean[members] = line[members] + pull @ (site[members] - line[members])
        sd[members] = np.sqrt(np.diag(pull @ covariance) + line_variance[members])

    def gradient_at(gain: Float) -> Float:
        gradient, scratch = np.zeros(len(site)), np.zeros(len(site))
        binomial_kernels.likelihood(*(gain, *tables.arrays(), gradient, scratch))
        return gradient

    centre = gradient_at(mean)
    sides = {
        (c, sign): gradient_at(np.where(colour == c, mean + sign * sd, mean))
        for c in range(int(colour.max()) + 1)
        for sign in (-1.0, 1.0)
    }
    slope = 0.5 * (sides[0, -1.0] + sides[0, 1.0])
    curvature = (sides[0, 1.0] - sides[0, -1.0]) / (2.0 * sd)
    widest = 25.0 * np.maximum(sd**2, 1e-6)
    new = np.where(curvature < -1.0 / widest, -1.0 / np.minimum(curvature, -1.0 / widest), widest)
    moved = mean + new * slope
    result = []
    for members in _members(tables):
        columns = [
            (sides[c, -1.0][members] - sides[c, 1.0][members]) / (2.0 * sd[members[c]])
            for c in range(len(members))
        ]
        precision = np.stack(columns, axis=1)
        values, vectors = np.linalg.eigh(0.5 * (precision + precision.T))
        values = np.maximum(values, 1.0 / widest[members].max())
        covariance = vectors @ np.diag(1.0 / values) @ vectors.T
        moved[members] = mean[members] + covariance @ centre[members]
        new[members] = np.diag(covariance)
        result.append(covariance)
    return moved, new, result


def _dense_rows(problem: ModelProblem, packed: Float) -> Float:
    """Return the model matrix of the standardised coefficients, shape (n, q)."""
    design, blocks = problem.design, problem.n_blocks
    h = packed[3 * blocks + 1 :]
    rows = np.zeros((len(h), design.n_columns))
    at = np.arange(len(h))
    for k, block in enumerate(design.blocks):
        tau0, tau1, rho = packed[k], packed[blocks + k], packed[2 * blocks + k]
        group, value = design.group[:, k], design.value[:, k]
        rows[at, block.start + group] += value * (tau0 + tau1 * rho * h)
        if block.slope_start >= 0:
            rows[at, block.slope_start + group] += value * tau1 * np.sqrt(1.0 - rho**2) * h
    return rows


def row_offsets(problem: ModelProblem) -> Float:
    """Return the prior mean of the intercept and the covariates at every row."""
    priors, spec = problem.spec.priors, problem.spec
    offset = np.full(len(problem.y), priors["intercept"].arguments[0])
    for column, name in enumerate(spec.covariates, start=1):
        offset = offset + priors[f"covariate:{name}"].arguments[0] * problem.design.value[:, column]
    return offset


def _mode(problem: ModelProblem, data: tuple, previous: dict[str, float] | None) -> dict[str, float]:
    """Return the posterior mode of the hyperparameters under the sites, in log sd and atanh correlation."""
    from scipy.optimize import minimize

    names, priors = problem.hyper, problem.spec.priors
    if not names:
        return {}
    is_rho = np.array([name.startswith("rho_") for name in names])
    if previous is None:
        start = np.array(
            [0.0 if r else np.log(priors[n].scale / 3.0) for n, r in zip(names, is_rho, strict=True)]
        )
    else:
        start = np.array(
            [
                np.arctanh(previous[n]) if r else np.log(previous[n])
                for n, r in zip(names, is_rho, strict=True)
            ]
        )

    def values(u: Float) -> Float:
        return np.where(is_rho, np.tanh(u), np.exp(np.clip(u, -30, 30)))

    def objective(u: Float) -> tuple[float, Float]:
        value = values(u)
        packed = problem.pack({name: np.array([v]) for name, v in zip(names, value, strict=True)})[0]
        total, gradient = kernels.gaussian_marginal(packed, *data)
        slope = np.where(is_rho, 1.0 - value**2, value)
        g = np.array([gradient[position] for position in problem.position]) * slope
        if problem.spec.law.has_exponent:
            k = names.index("exponent")
            eps = 1e-5
            shape = problem.spec.law.shape
            dh = (shape(problem.x, value[k] + eps) - shape(problem.x, value[k])) / eps
            g[k] = (gradient[3 * problem.n_blocks + 1 :] @ dh) * value[k]
        for k, name in enumerate(names):
            eps = 1e-5
            density = [
                float(priors[name].log_density(values(u + d * np.eye(len(u))[k])[k]))
                for d in (-eps, 0.0, eps)
            ]
            total += density[1] + (np.log(1.0 - value[k] ** 2) if is_rho[k] else u[k])
            g[k] += (density[2] - density[0]) / (2 * eps) + (-2.0 * value[k] if is_rho[k] else 1.0)
        return -total, -g

    found = minimize(objective, start, jac=True, method="L-BFGS-B", bounds=[(-12.0, 12.0)] * len(names))
    return dict(zip(names, values(found.x).tolist(), strict=True))
