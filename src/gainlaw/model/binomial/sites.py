"""Gaussian sites of the binomial likelihoods, and the coordinates that they suggest to a sampler."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from gainlaw.model.binomial.marginal import Kept, row_log_marginals, total_log_marginals
from gainlaw.model.binomial.records import BinomialModel, BinomialTables, Geometry
from gainlaw.model.binomial.tables import build_tables
from gainlaw.model.effects import lines_of, standard_weights
from gainlaw.model.engines.hyper import find_mode, named, pack_points
from gainlaw.model.gaussian import kernels
from gainlaw.model.gaussian.known_errors import independent_rows
from gainlaw.model.gaussian.records import GaussianData
from gainlaw.model.gaussian.row_kernels import normal_log_density
from gainlaw.model.spec.problem import ModelProblem, rows_data
from gainlaw.scores.gains.table import Gains

__all__ = [
    "Summary",
    "binomial_model",
    "build_geometry",
    "geometry_data",
    "site_data",
    "summarise",
    "summary_log_density",
]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Rounds of refinement, and the change of nearly all sites, in their sds, at which they end.
SITE_ROUNDS = 20
SITE_TOLERANCE = 0.02
# Nodes of a site's moments, points of a block's, and how much wider than the posterior a site may be.
SITE_NODES = 33
BLOCK_POINTS = 512
LEAST_POINTS = 12.0
SITE_WIDEST = 100.0
BLOCK_WIDEST = 10.0


def build_geometry(problem: ModelProblem, tables: BinomialTables, mode: Float | None = None) -> Geometry:
    """Choose the sampler's coordinates at the mode of a Gaussian approximation.

    Each row's likelihood is summarised by a Gaussian site, refined at the posterior that the sites give; the
    hyperparameters go to their mode under the sites; there the conditional posterior of the coefficients gives a
    pseudo-observation of every effect and their correlations.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    tables : BinomialTables
        Tabulated likelihoods.
    mode : ndarray, shape (k,), optional
        Hyperparameters at which to stay, in place of their mode.
    """
    site, covariances = tables.site.copy(), _first_covariances(tables)
    variance = tables.site_variance.copy()
    previous = None
    for _ in range(SITE_ROUNDS):
        turned, axes = _turn(tables, variance, covariances)
        data = site_data(problem, tables, site, turned, axes)
        hyper = find_mode(problem, data, previous) if mode is None else mode
        packed = pack_points(problem, hyper[None])[0]
        inverse, centre = _moments(problem, packed, data)
        before, previous = site, hyper
        site, variance, covariances = _refine_sites(
            problem, tables, packed, inverse, centre, site, variance, covariances
        )
        if np.quantile(np.abs(site - before) / np.sqrt(variance), 0.95) < SITE_TOLERANCE:
            break
    turned, axes = _turn(tables, variance, covariances)
    scale = _own_scale(problem, packed)
    mean = scale * centre
    sd = scale * np.sqrt(np.diag(inverse))
    # Invert the pull of the prior: the pseudo-observation that would give this posterior mean and sd.
    precision = np.maximum(1.0 / sd**2 - 1.0 / scale**2, 1e-6 / scale**2)
    correlation = inverse / np.sqrt(np.outer(np.diag(inverse), np.diag(inverse)))
    # spread @ spread.T is the correlation matrix; the flip makes the factor upper triangular.
    spread = np.ascontiguousarray(np.linalg.cholesky(correlation[::-1, ::-1])[::-1, ::-1])
    turns = np.concatenate([axis.T.ravel() for axis in axes]) if axes else np.zeros(0)
    turn_first = np.concatenate([[0], np.cumsum([axis.size for axis in axes])]).astype(np.int64)
    anchor = mean / sd**2 / precision
    rotated = _rotate_rows(tables, axes, site)
    return Geometry(anchor, 1.0 / precision, spread, rotated, turned, turns, turn_first, hyper)


def _moments(problem: ModelProblem, packed: Float, data: GaussianData) -> tuple[Float, Float]:
    """Return covariance and mean of the standardised coefficients given the hyperparameters."""
    a, b = kernels.normal_equations(packed, data)
    q = problem.design.n_columns
    whole = np.linalg.inv(a)
    return whole[:q, :q], whole[:q] @ b


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
) -> GaussianData:
    """Return the sites as the Gaussian kernels read observations.

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
    members = _members(tables)
    blocks = [(rows, turned[rows], axis) for rows, axis in zip(members, axes, strict=True)]
    return rows_data(problem, independent_rows(problem.design, turned, blocks, problem.alike), site)


@dataclass(frozen=True, slots=True, eq=False)
class Summary:
    """The counts summarised by Gaussian sites, and what it takes to go back to the counts.

    Parameters
    ----------
    tables : BinomialTables
        Their likelihoods.
    geometry : Geometry
        The sites.
    data : GaussianData
        The sites as observations.
    problem : ModelProblem
        The model at whose posterior they are.
    """

    tables: BinomialTables
    geometry: Geometry
    data: GaussianData
    problem: ModelProblem

    def correction(self, problem: ModelProblem) -> Callable[[Float, Float], Float]:
        """Return a function of hyperparameters and coefficients: log weights that carry draws to the counts.

        The draws are those under the sites; the weights have the shape (draws,). What one call tabulates serves the
        next.
        """
        return partial(self._correct, problem, {})

    def _correct(self, problem: ModelProblem, kept: Kept, points: Float, effects: Float) -> Float:
        values = named(problem, points)
        tau = values.get("tau_residual", np.zeros(len(points)))
        psi = problem.spec.law.psi(values)

        def sites(line: Float, tau: Float) -> Float:
            return summary_log_density(self.tables, self.geometry, line, tau)

        return total_log_marginals(self.tables, lines_of(problem, effects, psi), tau, sites, kept)


def summarise(problem: ModelProblem, gains: Gains) -> Summary:
    """Return the Gaussian summary of the counts at the posterior that it gives."""
    prior = problem.spec.priors.get("baseline")
    tables = (
        build_tables(gains)
        if prior is None
        else build_tables(gains, (prior.arguments[0], prior.arguments[1]))
    )
    geometry = build_geometry(problem, tables)
    return Summary(tables, geometry, geometry_data(problem, tables, geometry), problem)


def binomial_model(problem: ModelProblem, tables: BinomialTables, geometry: Geometry) -> BinomialModel:
    """Return what `kernels.binomial_joint` reads."""
    return BinomialModel(
        problem.offset, problem.slope_mean, problem.design.matrix, geometry, tables.rows, tables.shared
    )


def geometry_data(problem: ModelProblem, tables: BinomialTables, geometry: Geometry) -> GaussianData:
    """Return `site_data` with the sites of a geometry."""
    axes = _axes(tables, geometry)
    site = geometry.site.copy()
    for rows, axis in zip(_members(tables), axes, strict=True):
        site[rows] = axis @ geometry.site[rows]
    return site_data(problem, tables, site, geometry.site_variance, axes)


def summary_log_density(tables: BinomialTables, geometry: Geometry, line: Float, tau: Float) -> Float:
    """Return the log density of the sites at linear predictors, residuals integrated out, shape (draws,).

    Parameters
    ----------
    tables : BinomialTables
        Tabulated likelihoods.
    geometry : Geometry
        The sites.
    line : ndarray, shape (draws, n)
        Linear predictors.
    tau : ndarray, shape (draws,)
        Residual sds.
    """
    site, variance = geometry.site, geometry.site_variance
    own = np.flatnonzero(tables.rows.single)
    total = normal_log_density(line, tau, own, site, variance)
    if len(tables.shared.members):
        rotated = line[:, tables.shared.members]
        for (a, b), axis in zip(
            itertools.pairwise(tables.shared.first), _axes(tables, geometry), strict=True
        ):
            rotated[:, a:b] = rotated[:, a:b] @ axis
        every = np.arange(len(tables.shared.members))
        total = total + normal_log_density(
            rotated, tau, every, site[tables.shared.members], variance[tables.shared.members]
        )
    return total


def _axes(tables: BinomialTables, geometry: Geometry) -> list[Float]:
    axes = []
    for rows, start in zip(_members(tables), geometry.turn_first, strict=False):
        size = len(rows)
        axes.append(geometry.turns[start : start + size * size].reshape(size, size).T)
    return axes


def _members(tables: BinomialTables) -> list[Int]:
    return [tables.shared.members[a:b] for a, b in itertools.pairwise(tables.shared.first)]


def _rotate_rows(tables: BinomialTables, axes: list[Float], vector: Float) -> Float:
    rotated = vector.copy()
    for rows, axis in zip(_members(tables), axes, strict=True):
        rotated[rows] = axis.T @ vector[rows]
    return rotated


def _first_covariances(tables: BinomialTables) -> list[Float]:
    """Return each block's covariance of gains under its counts alone: the baseline's variance is shared."""
    result = []
    for b, rows in enumerate(_members(tables)):
        nodes = slice(tables.shared.node_first[b], tables.shared.node_first[b + 1])
        weight = np.exp(tables.shared.node_weight[nodes])
        mean = weight @ tables.shared.nodes[nodes]
        shared = float(weight @ (tables.shared.nodes[nodes] - mean) ** 2)
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
    centre: Float,
    site: Float,
    variance: Float,
    covariances: list[Float],
) -> tuple[Float, Float, list[Float]]:
    """Give every site the moments of its likelihood times what the other rows say (expectation propagation)."""
    blocks = problem.n_blocks
    shape = packed[3 * blocks + 1 :]
    rows = standard_weights(problem, packed[None], problem.design.dense(shape), problem.design.n_columns)
    tau2 = max(packed[3 * blocks] ** 2, 1e-8)
    line = rows @ centre + problem.offset + problem.slope_mean * shape[: len(rows)]
    reach = rows @ inverse
    line_variance = np.einsum("ij,ij->i", reach, rows)
    share = tau2 / (variance + tau2)
    mean = line + share * (site - line)
    sd = np.sqrt(variance * share + (1.0 - share) ** 2 * line_variance)
    members = _members(tables)
    posterior = []
    for group, covariance in zip(members, covariances, strict=True):
        total = np.linalg.inv(covariance + tau2 * np.eye(len(group)))
        rest = covariance @ total
        mean[group] = line[group] + tau2 * total @ (site[group] - line[group])
        posterior.append(tau2 * rest + rest @ (reach[group] @ rows[group].T) @ rest.T)
    moved, new = _match_single(tables, mean, sd, site, variance)
    result = _match_blocks(tables, members, mean, posterior, site, covariances, moved)
    for group, covariance in zip(members, result, strict=True):
        new[group] = np.diag(covariance)
    return moved, new, result


def _match_single(
    tables: BinomialTables, mean: Float, sd: Float, site: Float, variance: Float
) -> tuple[Float, Float]:
    """Return means and variances of the sites of rows with their own baseline."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(SITE_NODES)
    gain = mean + sd * nodes[:, None]
    log_weight = (
        row_log_marginals(tables, gain, np.zeros(len(nodes)))
        + 0.5 * (gain - site) ** 2 / variance
        + np.log(weights)[:, None]
    )
    weight = np.exp(log_weight - log_weight.max(axis=0))
    weight /= weight.sum(axis=0)
    tilted = (weight * gain).sum(axis=0)
    spread = np.maximum((weight * (gain - tilted) ** 2).sum(axis=0), 1e-8 * sd**2)
    rest = np.maximum(1.0 / sd**2 - 1.0 / variance, 0.0)
    # A likelihood that widens the posterior (flat towards the floor) has no Gaussian of its own: a wide one stands in.
    precision = np.maximum(1.0 / spread - rest, 1.0 / (SITE_WIDEST * sd**2))
    cavity = (mean / sd**2 - site / variance) / np.maximum(rest, 1e-12)
    centre = np.where(rest > 1e-12, (tilted * (precision + rest) - rest * cavity) / precision, tilted)
    return centre, 1.0 / precision


def _match_blocks(
    tables: BinomialTables,
    members: list[Int],
    mean: Float,
    posterior: list[Float],
    site: Float,
    covariances: list[Float],
    moved: Float,
) -> list[Float]:
    """Return the covariances of the sites of rows that share a baseline; write their means into `moved`."""
    if not members:
        return []
    from scipy.stats import norm, qmc

    widest = max(len(group) for group in members)
    normals = norm.ppf(qmc.Sobol(widest, rng=np.random.default_rng(0)).random(BLOCK_POINTS))
    gain = np.tile(mean, (BLOCK_POINTS, 1))
    for group, covariance in zip(members, posterior, strict=True):
        gain[:, group] = mean[group] + normals[:, : len(group)] @ np.linalg.cholesky(covariance).T
    exact = row_log_marginals(tables, gain, np.zeros(len(gain)))
    result = []
    for group, own, covariance in zip(members, covariances, posterior, strict=True):
        away = gain[:, group] - site[group]
        precision = np.linalg.inv(own)
        log_weight = exact[:, group[0]] + 0.5 * np.einsum("si,ij,sj->s", away, precision, away)
        weight = _tempered(log_weight, LEAST_POINTS * len(group))
        tilted = weight @ gain[:, group]
        apart = gain[:, group] - tilted
        rest = np.linalg.inv(covariance) - precision
        spread = np.linalg.inv(apart.T @ (apart * weight[:, None])) - rest
        values, vectors = np.linalg.eigh(0.5 * (spread + spread.T))
        values = np.maximum(values, 1.0 / (BLOCK_WIDEST * np.linalg.eigvalsh(covariance)[-1]))
        whole = (vectors * values) @ vectors.T
        pull = np.linalg.solve(covariance, mean[group]) - precision @ site[group]
        moved[group] = np.linalg.solve(whole, (whole + rest) @ tilted - pull)
        result.append((vectors / values) @ vectors.T)
    return result


def _tempered(log_weight: Float, least: float) -> Float:
    """Return normalised weights, their logarithms halved until `least` points count: part of the way is a way."""
    log_weight = log_weight - log_weight.max()
    while True:
        weight = np.exp(log_weight)
        weight /= weight.sum()
        if 1.0 / (weight @ weight) >= least:
            return weight
        log_weight = 0.5 * log_weight
