r"""How well fits predict the gains of whole groups that they have not seen: families of models, studies, largest sizes.

The target is one for all laws: the gain in points of every row of the group, given all rows but these. A law of the
gain gives it directly; a law of scores gives the tuned score, given the untuned ones, those of the group among them.
Given the hyperparameters both are Gaussian: with the covariance :math:`C` of all rows and :math:`P = C^{-1}` a group's
rows have the mean :math:`y_G - P_{GG}^{-1} (P (y - \mu))_G` and the covariance :math:`P_{GG}^{-1}` given the others
(Rasmussen and Williams 2006, section 5.4.2). Posterior points of the hyperparameters are reweighted by one over the
density of what is left out (Vehtari, Gelman and Gabry 2017, arXiv 1507.04544), Pareto-smoothed; where their tail is too
heavy the hyperparameters are explored anew without the group.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import expit, logsumexp, ndtr

from gainlaw._threads import one_blas_thread
from gainlaw.fitting.checks.diagnostics import PARETO_K_LIMIT
from gainlaw.fitting.exploration import explore_kept, kernel_data, shape_values
from gainlaw.model.effects import standard_weights
from gainlaw.model.engines.hyper import pack_scales
from gainlaw.model.engines.importance import smooth_weights, systematic
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.tree import hyper_points
from gainlaw.scores.evaluations.columns import KEYS

if TYPE_CHECKING:
    from gainlaw.model.binomial.sites import Summary
    from gainlaw.scores.gains.table import Gains

__all__ = ["Predictions", "groups_of", "predict_left_out", "previous_size"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

# Posterior points of the hyperparameters.
_POINTS = 200
# Nodes of the integral over a tuned score's log-odds.
_NODES = 15


@dataclass(frozen=True, slots=True, eq=False)
class Predictions:
    """What the rest of the data says of every gain that was left out with its group, in points.

    Parameters
    ----------
    mean : ndarray, shape (n,)
        Predicted gains; NaN for rows that no group holds.
    elpd : ndarray, shape (n,)
        Log predictive densities of the observed ones.
    below : ndarray, shape (n,)
        Probabilities of a smaller gain than that observed.
    pareto_k : ndarray, shape (groups,)
        The tail of the weights by which each group is left out.
    """

    mean: Float
    elpd: Float
    below: Float
    pareto_k: Float


def predict_left_out(posterior: Posterior, groups: Int) -> Predictions:
    """Predict the gains of each group from all others.

    Parameters
    ----------
    posterior : Posterior
        Of a law of the gain in points, or of a law of scores; a fit is one.
    groups : ndarray of int, shape (n,)
        The group of every gain, counted from 0; -1 for gains that are never left out. Rows that share errors belong to
        one group.
    """
    with one_blas_thread():
        study = _Study.build(posterior)
        shared = hyper_points(posterior)
        shared = shared[:: max(len(shared) // _POINTS, 1)][:_POINTS]
        count = int(groups.max()) + 1
        n = len(groups)
        mean, elpd, below, tails = (np.full(size, np.nan) for size in (n, n, n, count))
        given = [study.rows_of(groups == group) for group in range(count)]
        for group, found in enumerate(study.without(shared, given)):
            rows = np.flatnonzero(groups == group)
            weights = smooth_weights(-found.density)
            tails[group] = weights.pareto_k
            share = weights.weights
            if not weights.pareto_k <= PARETO_K_LIMIT:
                points, tails[group] = study.explored(given[group])
                (found,) = study.without(points, [given[group]])
                share = np.full(len(points), 1.0 / len(points))
            mean[rows], elpd[rows], below[rows] = study.of_gains(rows, found, share)
    return Predictions(mean, elpd, below, tails)


@dataclass(frozen=True, slots=True, eq=False)
class _Without:
    """A group's rows given the others: log density, shape (m,); means and variances, noise included, (m, rows)."""

    density: Float
    mean: Float
    variance: Float


@dataclass(frozen=True, slots=True, eq=False)
class _Study:
    """A posterior with its observations as Gaussian rows: gains, or Gaussian sites of scores."""

    posterior: Posterior
    y: Float
    noise: Float
    summary: Summary | None

    @classmethod
    def build(cls, posterior: Posterior) -> _Study:
        if posterior.spec.likelihood == "gaussian":
            return cls(posterior, posterior.problem.y, posterior.gains.covariance.matrix(), None)
        from gainlaw.model.binomial.sites import summarise

        summary = summarise(posterior.problem, posterior.rows)
        return cls(posterior, summary.geometry.site, np.diag(summary.geometry.site_variance), summary)

    def rows_of(self, gains: NDArray[np.bool_]) -> Int:
        """Return the rows of the model that are left out with some gains: of scores the tuned ones."""
        return np.flatnonzero(gains) + len(self.y) - len(gains)

    def without(self, points: Float, left: list[Int]) -> list[_Without]:
        """Return what the others say of each set of rows, at every point."""
        problem = self.posterior.problem
        psi = shape_values(problem, points)
        packed, blocks = pack_scales(problem, points), problem.n_blocks
        residual = self.y - problem.offset
        out = [_Without(np.empty(len(points)), *np.empty((2, len(points), len(rows)))) for rows in left]
        shapes = problem.shapes(psi)
        h = shapes[0]
        whole = problem.design.dense(h)
        for draw, theta in enumerate(packed):
            if draw and len(shapes) > 1:
                h = shapes[draw]
                whole = problem.design.dense(h)
            dense = standard_weights(problem, theta[None], whole, whole.shape[1])
            covariance = dense @ dense.T + self.noise
            covariance[np.diag_indices(len(covariance))] += theta[3 * blocks] ** 2
            precision = np.linalg.inv(covariance)
            e = residual - problem.slope_mean * self._mean_slope(h)
            tilt = precision @ e
            for rows, found in zip(left, out, strict=True):
                own = np.linalg.inv(precision[np.ix_(rows, rows)])
                away = own @ tilt[rows]
                found.mean[draw] = self.y[rows] - away
                found.variance[draw] = np.diag(own)
                _, size = np.linalg.slogdet(own)
                found.density[draw] = -0.5 * (len(rows) * np.log(2.0 * np.pi) + size + away @ tilt[rows])
        return out

    def explored(self, rows: Int) -> tuple[Float, float]:
        """Return points of the hyperparameters given the other rows, and the tail of their weights."""
        rng = np.random.default_rng(np.random.SeedSequence(0, spawn_key=(6,)))
        keep = np.ones(len(self.y))
        keep[rows] = 0.0
        found, _ = explore_kept(self.posterior, kernel_data(self.posterior, self.summary), keep, rng)
        picked = systematic(found.smoothed.weights, _POINTS, rng)
        return found.points[picked], found.smoothed.pareto_k

    def of_gains(self, rows: Int, found: _Without, share: Float) -> tuple[Float, Float, Float]:
        """Return mean, log density at the observed gain, and probability below it, of some gains in points."""
        frame = self.posterior.gains.frame.iloc[rows]
        if self.summary is None:
            gain = frame["gain"].to_numpy(float)
            centre, sd, weight = found.mean, np.sqrt(found.variance), np.log(share)[:, None]
        else:
            t, b = (frame[f"{side}_score"].to_numpy(float) for side in ("intermediate", "baseline"))
            chance, n = frame["chance"].to_numpy(float), frame["n_intermediate"].to_numpy(float)
            nodes, quadrature = np.polynomial.hermite_e.hermegauss(_NODES)
            noise = np.diag(self.noise)[
                self.rows_of(np.isin(np.arange(len(self.posterior.gains.frame)), rows))
            ]
            spread = np.sqrt(np.maximum(found.variance - noise, 0.0))
            eta = (found.mean[:, None, :] + nodes[None, :, None] * spread[:, None, :]).reshape(-1, len(rows))
            p = chance + (1.0 - chance) * expit(eta)
            gain, centre = 100.0 * (t - b), 100.0 * (p - b)
            sd = 100.0 * np.sqrt(np.maximum(p * (1.0 - p), 0.25 / n) / n)
            weight = (np.log(share)[:, None] + np.log(quadrature / quadrature.sum())).reshape(-1, 1)
        z = (gain - centre) / sd
        return (
            np.exp(weight[:, 0]) @ centre,
            logsumexp(weight - 0.5 * z**2 - np.log(sd) - 0.5 * np.log(2.0 * np.pi), axis=0),
            np.exp(weight[:, 0]) @ ndtr(z),
        )

    def _mean_slope(self, h: Float) -> Float:
        """Return the weight of the population slope in every row."""
        design = self.posterior.problem.design
        return (
            h[: len(self.y)] * design.value[:, 0]
            if design.blocks[0].slope_start >= 0
            else np.zeros(len(self.y))
        )


def groups_of(frame: pd.DataFrame, leave: str) -> tuple[Int, list[str]]:
    """Return the group of every gain that is left out together, -1 for none, and the names of the groups.

    Parameters
    ----------
    frame : DataFrame
        The gains.
    leave : str
        ``largest``: of every family of models with three sizes the largest; else a column, whose values are the
        groups.
    """
    if leave != "largest":
        codes, labels = pd.factorize(frame[leave].astype(str), sort=True)
        return codes.astype(np.int64), [str(label) for label in labels]
    family = frame["model_family"].astype(str) if "model_family" in frame else pd.Series("all", frame.index)
    sizes = frame.groupby(family)["params"]
    out = (frame["params"] == sizes.transform("max")) & (sizes.transform("nunique") >= 3)
    names = sorted(set(family[out]))
    codes = np.where(out, family.map({name: k for k, name in enumerate(names)}), -1)
    return codes.astype(np.int64), names


def previous_size(gains: Gains, groups: Int) -> Predictions | None:
    """Predict every gain that is left out by that of the family's next smaller size, in points.

    The spread of such steps is estimated from all steps but those to the group itself.

    Parameters
    ----------
    gains : Gains
        In points.
    groups : ndarray of int, shape (n,)
        As for `predict_left_out`.

    Returns
    -------
    Predictions or None
        None where a gain that is left out has no smaller size before it.
    """
    frame = gains.frame.assign(position=np.arange(len(groups)))
    keys = [name for name in ("model_family", "intermediate", "task", "language", *KEYS) if name in frame]
    frame = frame.sort_values("params", kind="stable")
    before = frame.groupby(keys, dropna=False, sort=False)["position"].shift(1).sort_index().to_numpy(float)
    out, step = groups >= 0, np.isfinite(before)
    if not step[out].all():
        return None
    gain, variance = gains.frame["gain"].to_numpy(float), np.asarray(gains.covariance.variance)
    at = np.where(step, before, 0).astype(int)
    moved, known = gain - gain[at], variance + variance[at]
    mean, elpd, below = (np.full(len(groups), np.nan) for _ in range(3))
    for group in range(int(groups.max()) + 1):
        rows, others = groups == group, step & (groups != group)
        spread = max(float(np.mean(moved[others] ** 2 - known[others])), 0.0)
        sd = np.sqrt(spread + known[rows])
        z = moved[rows] / sd
        mean[rows], below[rows] = gain[at[rows]], ndtr(z)
        elpd[rows] = -0.5 * z**2 - np.log(sd) - 0.5 * np.log(2.0 * np.pi)
    return Predictions(mean, elpd, below, np.zeros(0))
