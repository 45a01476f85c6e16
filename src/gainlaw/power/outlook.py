r"""What a planned study will say of its slope: power, verdicts and interval width, from the design alone.

Studies are simulated from the variance components, and the posterior of each is computed as the exact engine does, with
all coefficients integrated out and the standard deviations averaged over by importance sampling; since one
factorisation serves all studies, hundreds take a second. What is taken from them is how far the bounds of the posterior
lie from its mean, :math:`c_s`: they follow from how the rows vary around the law, not from the slope. The mean itself
is normal around the truth with an sd :math:`s` known in closed form, so that

.. math:: P(\text{supported}) = \mathrm{E}_s\, \Phi\bigl((|b| - c_s) / s\bigr)

is a normal integral: the slope is detected if its bound lies on one side of zero. Averaged over a normal law of the
true slope it is the assurance [1]_.

References
----------
.. [1] O'Hagan, A., Stevens, J. W. and Campbell, M. J. (2005). Assurance in clinical trial design. Pharmaceutical
   Statistics 4(3), 187-201. doi:10.1002/pst.175
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit, ndtr

from gainlaw._threads import one_blas_thread
from gainlaw.laws import hierarchical_law
from gainlaw.model.engines.hyper import log_prior
from gainlaw.model.spec.priors import default_priors
from gainlaw.model.spec.problem import ModelProblem, build_problem, specify
from gainlaw.options import DEFAULT_LAW
from gainlaw.posterior.contrasts import level_weights
from gainlaw.posterior.grid import reference_weights
from gainlaw.power.algebra import Moments, System
from gainlaw.power.components import Components
from gainlaw.power.layout import Truth, planned_gains, truth_of
from gainlaw.power.proposal import Proposal, propose
from gainlaw.power.study import Study
from gainlaw.scores.gains.spread import gain_spread, prior_unit
from gainlaw.scores.gains.table import Gains

__all__ = ["Effort", "Outlook", "look_ahead", "simulate_gains"]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Effort:
    """How much is computed.

    Parameters
    ----------
    studies : int
        Simulated studies.
    points : int
        Points of the hyperparameters over which each is averaged; a power of two.
    enough : float
        Effective points behind each study, for which the points are doubled a few times at most.
    """

    studies: int
    points: int
    enough: float = 50.0


FULL, QUICK = Effort(256, 512), Effort(128, 128, 20.0)
# Studies whose mean likelihood says where the hyperparameters will lie.
_PILOT = 16
# How much tasks, and languages, differ in the log-odds of their baselines.
_UNLIKE = 0.3
# A unit of the priors that so small a share of the studies gets is taken for the next one.
_RARE = 0.1
# Points at which the sd of the posterior mean is worked out: it hardly differs between them.
_HEAVIEST = 16
_HALVINGS = 18
_DOUBLINGS = 5


@dataclass(frozen=True, slots=True, eq=False)
class Outlook:
    """What a planned study will say of its slope.

    Parameters
    ----------
    slope : float
        The true slope assumed, in points per decade.
    sd, kept : ndarray, shape (studies,)
        The sd of the posterior mean around the truth, and what the mean keeps of the slope: 1 less the pull of its
        prior. They differ between studies with the components assumed and with the default priors.
    above, below : ndarray, shape (studies,)
        How far the bounds at the threshold lie from the posterior mean.
    widths : ndarray, shape (studies,)
        Widths of the interval.
    ess : float
        Effective number of points of the hyperparameters behind each study, the median over studies.
    hyper : tuple of str
        The hyperparameters averaged over.
    checkpoints, sizes, rows : int
        Of the design.
    dropped : tuple of str
        Terms that the planned data cannot identify, and why.
    """

    slope: float
    sd: Float
    kept: Float
    above: Float
    below: Float
    widths: Float
    ess: float
    hyper: tuple[str, ...]
    checkpoints: int
    sizes: int
    rows: int
    dropped: tuple[str, ...] = ()

    @property
    def width(self) -> float:
        """The expected width of the interval, in points per decade."""
        return float(self.widths.mean())

    def chances(self, slope: float | Float, spread: float = 0.0) -> tuple[Float, Float]:
        """Return the probabilities that the posterior decides for a negative and for a positive slope.

        Parameters
        ----------
        slope : float or ndarray
            True slopes, in points per decade.
        spread : float
            The sd of the true slope around them; 0 where it is known.
        """
        mean = self.kept * np.asarray(slope, dtype=float)[..., None]
        sd = np.hypot(self.sd, self.kept * spread)
        return ndtr((-self.above - mean) / sd).mean(axis=-1), ndtr((mean - self.below) / sd).mean(axis=-1)

    def verdicts(self, spread: float = 0.0) -> dict[str, float]:
        """Return the chance of each verdict on the claim that the slope has the sign assumed.

        Parameters
        ----------
        spread : float
            As for `chances`; with one, ``supported`` is the assurance.
        """
        down, up = (float(each) for each in self.chances(self.slope, spread))
        right, wrong = (down, up) if self.slope < 0 else (up, down)
        return {"supported": right, "refuted": wrong, "inconclusive": max(1.0 - right - wrong, 0.0)}

    @property
    def power(self) -> float:
        """The probability that the slope is detected: that the claim of its sign is supported."""
        return self.verdicts()["supported"]


def simulate_gains(
    truth: Truth, gains: Gains, components: Mapping[str, float], size: int, rng: np.random.Generator
) -> tuple[Float, Float]:
    """Return simulated gains without sampling error, shape (n, size), and slopes of their rows less the planned one.

    Parameters
    ----------
    truth : Truth
        What varies.
    gains : Gains
        The planned gains.
    components : mapping of str to float
        How much.
    size : int
        The number of studies.
    rng : numpy.random.Generator
        Random numbers.
    """
    loadings, slopes = truth.loadings(components)
    normals = rng.standard_normal((loadings.shape[1], size))
    residual = components.get("tau_residual", 0.0) * rng.standard_normal((len(loadings), size))
    return gains.frame["gain"].to_numpy()[:, None] + loadings @ normals + residual, slopes @ normals


def _one_ahead(
    study: Study, components: Mapping[str, float], effort: Effort, rng: np.random.Generator
) -> Outlook:
    """Return what a study will say if these components are true."""
    with one_blas_thread():
        gains = planned_gains(study)
        truth = truth_of(gains)
        observed, tilts = simulate_gains(truth, gains, components, effort.studies, rng)
        # Which slope the study has: of the population, or of the groups that it happens to have.
        rows = len(gains.frame)
        average = np.full(rows, 1.0 / rows if study.level == "overall" else 0.0)
        observed = observed - truth.h[:, None] * (average @ tilts)
        observed += _errors(gains, effort.studies, rng)
        parts = []
        problem: ModelProblem | None = None
        proposal: Proposal | None = None
        for unit, which in _by_unit(gains, observed, rng):
            problem = _problem(gains, observed[:, which[0]], unit, problem)
            groups = {} if study.level == "population" else reference_weights(problem.spec, gains, {})
            system = System(problem, level_weights(problem.design, groups)[1])
            turned = problem.rows.rotate(observed[:, which].T).T
            proposal = propose(system, turned[:, :_PILOT], proposal)
            # Points go where the studies are, and are never too few to average over.
            share = len(which) / effort.studies
            size = effort.points if share > 0.5 else max(effort.points // 2, 32)
            parts.append(
                _part(study, system, truth, components, average, turned, proposal, size, effort, rng)
            )
        assert problem is not None
    return Outlook(
        slope=study.slope,
        **_joined(parts),
        hyper=parts[0].hyper,
        checkpoints=gains.frame["checkpoint"].nunique(),
        sizes=gains.frame["params"].nunique(),
        rows=rows,
        dropped=tuple(f"{each.name}: {each.reason}" for each in problem.spec.dropped),
    )


def look_ahead(study: Study, components: Components, effort: Effort = FULL, *, seed: int = 0) -> Outlook:
    """Return what a planned study will say of its slope.

    Parameters
    ----------
    study : Study
        The plan.
    components : Components
        What varies, by how much; of several sets each gets its share of the simulated studies.
    effort : Effort
        How much is computed.
    seed : int
        Seed of the simulated studies.

    Examples
    --------
    >>> from gainlaw.power.components import default_components
    >>> plan = Study(sizes={"M": (1e8, 1e9, 1e10)}, tasks=("t1", "t2"), languages={"a": "A", "b": "B"})
    >>> outlook = look_ahead(plan, default_components(), Effort(32, 32))
    >>> 0.0 <= outlook.power < 0.5 and outlook.width > 5.0
    True
    """
    share = replace(effort, studies=-(-effort.studies // len(components.values)))
    found = [
        _one_ahead(study, each, share, np.random.default_rng(np.random.SeedSequence(seed, spawn_key=(31, k))))
        for k, each in enumerate(components.values)
    ]
    return replace(found[0], **_joined(found))


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """What the studies with the same default priors say; the fields are those of `Outlook`."""

    sd: float
    kept: float
    above: Float
    below: Float
    widths: Float
    ess: float
    hyper: tuple[str, ...]


def _joined(parts: Sequence[_Part | Outlook]) -> dict[str, Any]:
    """Return what parts of the studies say, as fields of the `Outlook` of all."""
    studies = {
        name: np.concatenate([np.broadcast_to(getattr(part, name), part.widths.shape) for part in parts])
        for name in ("sd", "kept", "above", "below", "widths")
    }
    return {**studies, "ess": min(part.ess for part in parts)}


def _part(
    study: Study,
    system: System,
    truth: Truth,
    components: Mapping[str, float],
    average: Float,
    turned: Float,
    proposal: Proposal,
    size: int,
    effort: Effort,
    rng: np.random.Generator,
) -> _Part:
    problem = system.problem
    for _ in range(_DOUBLINGS):
        points, log_q = proposal.sample(size, rng)
        found = system.around(points, proposal.centre, proposal.free, turned)
        log_weights = found.log_likelihood + (log_prior(problem, points) - log_q)[:, None]
        mixed = np.exp(log_weights - log_weights.max(axis=0))
        mixed /= mixed.sum(axis=0)
        ess = float(np.median(1.0 / np.sum(mixed**2, axis=0)))
        if ess >= effort.enough or len(points) < size:
            break
        size *= 2
    tail, wide = 1.0 - study.threshold, (1.0 - study.ci_prob) / 2.0
    levels, place = np.unique([tail, 1.0 - tail, wide, 1.0 - wide], return_inverse=True)
    bounds = _quantiles(found, mixed, levels)[place]
    middle = np.sum(mixed * found.mean, axis=0)
    sd, kept = _sampling(system, truth, components, average, points, mixed)
    return _Part(
        sd,
        kept,
        bounds[1] - middle,
        middle - bounds[0],
        bounds[3] - bounds[2],
        ess,
        tuple(name for name, free in zip(problem.hyper, proposal.free, strict=True) if free),
    )


def _errors(gains: Gains, size: int, rng: np.random.Generator) -> Float:
    """Return sampling errors of every row, shape (n, size)."""
    covariance = gains.covariance
    errors = np.sqrt(covariance.variance)[:, None] * rng.standard_normal((covariance.size, size))
    for rows, block in covariance.blocks:
        errors[rows] = np.linalg.cholesky(block) @ rng.standard_normal((len(rows), size))
    return errors


def _by_unit(
    gains: Gains, observed: Float, rng: np.random.Generator
) -> list[tuple[float, NDArray[np.int64]]]:
    """Return the studies by the unit of the default priors that their gains will get (`spread.prior_unit`).

    The most frequent unit comes first, and of its studies one that has it.
    """
    errors = _unlike_errors(gains, observed.shape[1], rng)
    units = np.array(
        [prior_unit(gain_spread(*each), "points") for each in zip(observed.T, errors.T, strict=True)]
    )
    found, counts = np.unique(units, return_counts=True)
    often = found[counts >= _RARE * len(units)]
    nearest = often[np.argmin(np.abs(np.log(units[:, None] / often)), axis=1)]
    order = sorted(often, key=lambda unit: -int(np.sum(nearest == unit)))
    # Those of a unit that is taken for another one stand last.
    return [
        (float(unit), np.concatenate([np.flatnonzero(own), np.flatnonzero((nearest == unit) & ~own)]))
        for unit in order
        for own in (units == unit,)
    ]


def _unlike_errors(gains: Gains, size: int, rng: np.random.Generator) -> Float:
    """Return standard errors, shape (n, size), as of studies whose tasks and languages are not equally hard.

    The spread of the gains is taken over the half that is measured better: over the sizes of the most extreme baselines
    if nothing but size told the errors apart.
    """
    frame = gains.frame
    hard = np.zeros((len(frame), size))
    for column in ("task", "language"):
        codes = frame[column].factorize()[0]
        hard += _UNLIKE * rng.standard_normal((int(codes.max()) + 1, size))[codes]
    variance = np.zeros(hard.shape)
    for column in ("baseline_score", "intermediate_score"):
        share = frame[column].to_numpy()[:, None]
        share = expit(np.log(share / (1.0 - share)) + hard)
        variance += 1e4 * share * (1.0 - share) / frame["n_baseline"].to_numpy()[:, None]
    return np.sqrt(variance)


def _problem(gains: Gains, observed: Float, unit: float, like: ModelProblem | None) -> ModelProblem:
    """Return the model of a planned study, with the priors that gains get whose spread gives this unit."""
    if like is None:
        spread = replace(gains, frame=gains.frame.assign(gain=observed))
        like = build_problem(spread, specify(spread, hierarchical_law(DEFAULT_LAW)))
    old = like.spec
    priors = default_priors(
        "points",
        old.terms,
        (),
        has_slope=True,
        shape=old.law.parameters,
        unit=unit,
        level=float(np.median(observed)),
    )
    priors = {name: each for name, each in priors.items() if name in old.priors}
    base = like.base.copy()
    base[0], base[like.n_blocks] = priors["intercept"].scale, priors["slope"].scale
    return replace(like, spec=replace(old, priors=priors, prior_unit=unit), base=base)


def _quantiles(found: Moments, mixed: Float, levels: Float) -> Float:
    """Return quantiles of mixtures of normal laws, shape (levels, studies), by bisection."""
    reach = 8.0 * found.sd[:, None]
    low = np.tile((found.mean - reach).min(axis=0), (len(levels), 1))
    high = np.tile((found.mean + reach).max(axis=0), (len(levels), 1))
    for _ in range(_HALVINGS):
        at = 0.5 * (low + high)
        below = ndtr((at[:, None] - found.mean) / found.sd[:, None])
        reached = np.einsum("ljs,js->ls", below, mixed) > levels[:, None]
        low, high = np.where(reached, low, at), np.where(reached, at, high)
    return 0.5 * (low + high)


def _sampling(
    system: System, truth: Truth, components: Mapping[str, float], average: Float, points: Float, mixed: Float
) -> tuple[float, float]:
    """Return sd and share of the posterior mean, at the points that carry most weight over all studies."""
    loadings, slopes = truth.loadings(components)
    own = average @ slopes
    # The true slope is that of the groups observed, or of the population, as it is asked for.
    turned = system.problem.rows.rotate((loadings - truth.h[:, None] * own).T).T
    weight = mixed.mean(axis=1)
    chosen = np.argsort(weight)[::-1][:_HEAVIEST]
    sd, kept = system.sampling(
        points[chosen], turned, np.zeros(len(own)), components.get("tau_residual", 0.0)
    )
    share = weight[chosen] / weight[chosen].sum()
    return float(np.sqrt(share @ sd**2)), float(share @ kept)
