"""The reference posterior of a study: a Metropolis chain on the standard deviations, with nothing of gainlaw in it.

With the effects integrated out the marginal likelihood is a matter of plain linear algebra (Woodbury's identity). Its
posterior over the square roots of the standard deviations, which has short tails on both sides, is explored by a
random walk that learns its covariance, and then sampled by independence Metropolis from a Student t of that
covariance, whose negative proposals are rejected. The fixed effects are drawn from their exact conditional.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from engines_studies import FIXED, SD, Float, Study
from scipy import linalg, sparse, stats

CHAINS = 4
PILOT = 6000
DEGREES = 6.0


@dataclass(frozen=True, slots=True, eq=False)
class Marginal:
    """A study's model matrices: core effects (fixed, kinds) and run effects, none of which overlap.

    Parameters
    ----------
    core : sparse array, shape (n, p)
        Both fixed effects, then intercepts and slopes of the kinds.
    scale : ndarray of int, shape (p,)
        The standard deviation of each column, -1 for a fixed effect.
    run : ndarray of int, shape (n,)
        The run of every row.
    n_runs : int
        The number of runs, 0 for a model without.
    y, variance : ndarray, shape (n,)
        Gains and their known variances.
    """

    core: sparse.csr_array
    scale: np.ndarray
    run: np.ndarray
    n_runs: int
    y: Float
    variance: Float

    @classmethod
    def of(cls, study: Study) -> Marginal:
        """Return the matrices of a study."""
        n, x = len(study.gain), study.x
        columns, scale = [sparse.csr_array(np.stack([np.ones(n), x], axis=1))], [-1, -1]
        run, n_runs = np.zeros(n, dtype=np.int64), 0
        for position, (term, is_slope) in enumerate(study.sds.values()):
            codes, groups = study.codes(term), study.groups(term)
            if term.name == "run":
                run, n_runs = codes, groups
                continue
            values = x if is_slope else np.ones(n)
            columns.append(sparse.csr_array((values, (np.arange(n), codes)), shape=(n, groups)))
            scale += [position] * groups
        core = sparse.csr_array(sparse.hstack(columns))
        return cls(core, np.array(scale), run, n_runs, study.gain, study.se**2)

    def solve(self, root: Float) -> tuple[float, Float, Float]:
        """Return the log posterior of roots of sds, and the core effects' conditional mean and Cholesky factor.

        The last sd is the residual's, the one before it the runs' where there are runs.
        """
        if (root <= 0).any():
            return -np.inf, np.zeros(0), np.zeros(0)
        sd = root**2
        weight = 1.0 / (self.variance + sd[-1] ** 2)
        prior = np.where(self.scale < 0, FIXED, sd[self.scale]) ** 2
        weighted = sparse.csr_array(self.core.multiply(weight[:, None]))
        precision = (weighted.T @ self.core).toarray() + np.diag(1.0 / prior)
        right = weighted.T @ self.y
        log_det = np.log(weight).sum() - np.log(prior).sum()
        square = (weight * self.y) @ self.y
        if self.n_runs:
            pivot = np.bincount(self.run, weight, self.n_runs) + sd[-2] ** -2
            member = sparse.csr_array((np.ones(len(self.y)), (self.run, np.arange(len(self.y)))))
            cross = (member @ weighted).toarray()
            sums = np.bincount(self.run, weight * self.y, self.n_runs)
            precision -= cross.T @ (cross / pivot[:, None])
            right = right - cross.T @ (sums / pivot)
            square -= sums @ (sums / pivot)
            log_det -= np.log(pivot).sum() + 2.0 * self.n_runs * np.log(sd[-2])
        factor = linalg.cholesky(precision, lower=True)
        half = linalg.solve_triangular(factor, right, lower=True)
        log_likelihood = 0.5 * (log_det - square + half @ half) - np.log(np.diag(factor)).sum()
        log_prior = -0.5 * ((sd / SD) ** 2).sum() + np.log(root).sum()
        mean = linalg.solve_triangular(factor, half, lower=True, trans="T")
        return float(log_likelihood + log_prior), mean, factor


def sample_reference(study: Study, draws: int, seed: int) -> tuple[dict[str, Float], float]:
    """Return draws of the study's quantities, shape (4, draws), and the share of proposals accepted."""
    rng = np.random.default_rng(seed)
    marginal = Marginal.of(study)
    names = (*study.sds, "tau_residual")
    centre, spread, place = _pilot(marginal, len(names), rng)
    proposal = stats.multivariate_t(centre, 1.2 * spread, df=DEGREES)
    kept = np.empty((CHAINS, draws, 2 + len(names)))
    accepted = 0
    for chain in range(CHAINS):
        points = np.atleast_2d(proposal.rvs(draws, random_state=rng))
        ratios = proposal.logpdf(points)
        log_density, mean, factor = marginal.solve(place)
        worth = log_density - proposal.logpdf(place)
        for draw, (point, ratio) in enumerate(zip(points, ratios, strict=True)):
            found = marginal.solve(point)
            if np.log(rng.uniform()) < found[0] - ratio - worth:
                place, worth, mean, factor = point, found[0] - ratio, found[1], found[2]
                accepted += 1
            noise = linalg.solve_triangular(factor, rng.standard_normal(len(mean)), lower=True, trans="T")
            kept[chain, draw] = [*(mean + noise)[:2], *place**2]
    quantities = ("intercept", "slope", *names)
    return {name: kept[..., k] for k, name in enumerate(quantities)}, accepted / (CHAINS * draws)


def _pilot(marginal: Marginal, size: int, rng: np.random.Generator) -> tuple[Float, Float, Float]:
    """Return mean and covariance of a random walk over the roots, and where it ended."""
    place = np.full(size, 0.3)
    density = marginal.solve(place)[0]
    path = np.empty((PILOT, size))
    root, step = 0.03 * np.eye(size), 1.0
    for draw in range(PILOT):
        point = place + step * root @ rng.standard_normal(size)
        found = marginal.solve(point)[0]
        chance = min(1.0, float(np.exp(min(0.0, found - density))))
        if rng.uniform() < chance:
            place, density = point, found
        step *= np.exp((chance - 0.25) / (1.0 + draw) ** 0.6)
        path[draw] = place
        if draw >= 500 and draw % 100 == 0:
            # The older half is forgotten.
            root = np.linalg.cholesky(np.cov(path[draw // 2 : draw].T) + 1e-12 * np.eye(size))
    kept = path[PILOT // 2 :]
    return kept.mean(axis=0), np.cov(kept.T), place
