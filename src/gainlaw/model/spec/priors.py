"""Priors: small immutable records, written in the unit of the scale, printed and overridable."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.covariates import SLOPE, column_of
from gainlaw.scales import SCALES, Scale
from gainlaw.scores.gains.spread import nice

if TYPE_CHECKING:
    from gainlaw.laws.shape import ShapeParameter
    from gainlaw.model.spec.terms import Term

__all__ = [
    "FAMILIES",
    "Prior",
    "baseline_prior",
    "check_priors",
    "default_priors",
    "override_priors",
    "prior",
]

FAMILIES: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "normal": ("mean", "sd"),
        "halfnormal": ("scale",),
        "halfcauchy": ("scale",),
        "halfstudent_t": ("nu", "scale"),
        "exponential": ("mean",),
        "lkj": ("eta",),
        "choice": ("number",),
    }
)
"""The families of priors and the names of their arguments."""

_LARGEST = 1e6

_POINTS: Mapping[str, float] = MappingProxyType(
    {
        "intercept": 20.0,
        "slope": 10.0,
        "covariate": 10.0,
        "covariate_slope": 5.0,
        "tau_task": 10.0,
        "tau_task_slope": 5.0,
        "tau_language_family": 5.0,
        "tau_language_family_slope": 2.5,
        "tau_language": 5.0,
        "tau_language_tree": 5.0,
        "tau_language_tree_slope": 2.5,
        "tau_language_slope": 2.5,
        "tau_task_language": 5.0,
        "tau_task_model_family": 5.0,
        "tau_intermediate": 10.0,
        "tau_intermediate_slope": 5.0,
        "tau_model_family": 5.0,
        "tau_model_family_slope": 5.0,
        "tau_smooth": 2.5,
        "tau_checkpoint": 5.0,
        "tau_run": 5.0,
        "tau_checkpoint_task": 5.0,
        "tau_checkpoint_language_family": 2.5,
        "tau_cell": 2.5,
        "tau_residual": 5.0,
    }
)

# Hierarchical baselines: mean and sd of their score at the centre of the sizes and of its slope per decade.
_BASELINE: Mapping[str, Mapping[str, tuple[float, float]]] = MappingProxyType(
    {
        "baseline": {"points": (50.0, 30.0), "log_odds": (0.0, 3.0)},
        "baseline_slope": {"points": (0.0, 20.0), "log_odds": (0.0, 2.0)},
    }
)


@dataclass(frozen=True, slots=True, repr=False)
class Prior:
    """One prior distribution.

    Parameters
    ----------
    family : str
        One of `FAMILIES`: ``normal(mean, sd)`` for coefficients; ``halfnormal(scale)``, ``halfcauchy(scale)``,
        ``halfstudent_t(nu, scale)`` or ``exponential(mean)`` for standard deviations and positive shape parameters;
        ``lkj(eta)`` for the correlation of an intercept with its slope; ``choice(number)`` for which of so many laws
        holds, each as probable as the others.
    arguments : tuple of float
        The family's arguments, in the unit of the scale.

    Examples
    --------
    >>> str(Prior("halfnormal", (5.0,)))
    'halfnormal(5)'
    """

    family: str
    arguments: tuple[float, ...]

    def __post_init__(self) -> None:
        """Check the family and its arguments."""
        if self.family not in FAMILIES:
            raise InputError(
                Problem(f"prior family {self.family!r} is not known", hint=f"allowed: {', '.join(FAMILIES)}")
            )
        names = FAMILIES[self.family]
        if len(self.arguments) != len(names):
            raise InputError(
                Problem(f"prior {self.family} takes {len(names)} argument(s): {', '.join(names)}")
            )
        for name, value in zip(names, self.arguments, strict=True):
            signed = name == "mean" and self.family == "normal"
            # Beyond these the squares of prior and data no longer meet in double precision.
            if not (-_LARGEST if signed else 1 / _LARGEST) <= value <= _LARGEST:
                low = f"{-_LARGEST:g}" if signed else f"{1 / _LARGEST:g}"
                hint = f"a number between {low} and {_LARGEST:g}"
                raise InputError(Problem(f"prior {self.family}: {name} is {value:g}", hint=hint))

    def __repr__(self) -> str:
        """Return the prior as it is written in options and reports."""
        return f"{self.family}({', '.join(f'{value:g}' for value in self.arguments)})"

    @property
    def scale(self) -> float:
        """The prior's scale (its sd for a normal), in the unit of the scale."""
        return self.arguments[-1]

    def sample(self, size: int, rng: np.random.Generator) -> NDArray[np.float64]:
        """Draw `size` values; the correlation of an ``lkj`` prior lies in (-1, 1)."""
        a = self.arguments
        if self.family == "normal":
            return rng.normal(a[0], a[1], size)
        if self.family == "halfnormal":
            return np.abs(rng.normal(0.0, a[0], size))
        if self.family == "halfcauchy":
            return np.abs(a[0] * rng.standard_cauchy(size))
        if self.family == "halfstudent_t":
            return np.abs(a[1] * rng.standard_t(a[0], size))
        if self.family == "exponential":
            return rng.exponential(a[0], size)
        if self.family == "choice":
            return rng.integers(0, int(a[0]), size).astype(float)
        return 2.0 * rng.beta(a[0], a[0], size) - 1.0

    def log_density(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        """Return the log density at `value` (for an sd, at ``value >= 0``); minus infinity where there can be none."""
        from scipy.special import betaln, xlog1py

        a, value = self.arguments, np.asarray(value, dtype=float)
        if self.family == "choice":
            return np.full(value.shape, -np.log(a[0]))
        if self.family == "lkj":
            inside = np.abs(value) <= 1.0
            within = np.where(inside, value, 0.0)
            power = xlog1py(a[0] - 1.0, within) + xlog1py(a[0] - 1.0, -within)
            constant = betaln(a[0], a[0]) + (2.0 * a[0] - 1.0) * np.log(2.0)
            return np.where(inside, power - constant, -np.inf)
        z = (value - (a[0] if self.family == "normal" else 0.0)) / a[-1]
        if self.family == "normal":
            return -0.5 * z**2 - 0.5 * np.log(2.0 * np.pi) - np.log(a[-1])
        if self.family == "halfnormal":
            positive = -0.5 * z**2 + 0.5 * np.log(2.0 / np.pi)
        elif self.family == "exponential":
            positive = -z
        else:
            nu = a[0] if self.family == "halfstudent_t" else 1.0
            positive = np.log(2.0) - 0.5 * (nu + 1.0) * np.log1p(z**2 / nu)
            positive -= 0.5 * np.log(nu) + betaln(0.5 * nu, 0.5)
        return np.where(value >= 0.0, positive - np.log(a[-1]), -np.inf)

    def widening(self, value: NDArray[np.float64]) -> NDArray[np.float64]:
        r"""Return how the log density at `value` changes as the prior is widened about its centre.

        The derivative in :math:`\log c` of the log density with its scale multiplied by ``c``, at ``c = 1``; 0 for a
        correlation and for a choice, whose priors have no scale.
        """
        a = self.arguments
        if self.family in ("lkj", "choice"):
            return np.zeros(np.shape(value))
        if self.family == "exponential":
            return np.asarray(value) / a[0] - 1.0
        square = ((np.asarray(value) - (a[0] if self.family == "normal" else 0.0)) / a[-1]) ** 2
        if self.family in ("normal", "halfnormal"):
            return square - 1.0
        nu = a[0] if self.family == "halfstudent_t" else 1.0
        return (nu + 1.0) * square / (nu + square) - 1.0


def prior(text: str) -> Prior:
    """Read a prior written as ``family(arguments)``.

    Parameters
    ----------
    text : str
        For example ``"halfnormal(5)"`` or ``"normal(0, 10)"``.

    Raises
    ------
    InputError
        If the text is not a prior.

    Examples
    --------
    >>> prior("normal(0, 10)").scale
    10.0
    """
    match = re.fullmatch(r"\s*([a-z_]+)\s*\(([^()]*)\)\s*", text)
    if match is None:
        raise InputError(
            Problem(f"prior {text!r} cannot be read", hint="write family(arguments), e.g. halfnormal(5)")
        )
    try:
        arguments = tuple(float(part) for part in match[2].split(",") if part.strip())
    except ValueError:
        raise InputError(Problem(f"prior {text!r} has an argument that is not a number")) from None
    return Prior(match[1], arguments)


def default_priors(
    scale: Scale,
    terms: Sequence[Term],
    covariates: Sequence[str],
    *,
    has_slope: bool,
    shape: Sequence[ShapeParameter],
    unit: float = 1.0,
    level: float = 0.0,
    joint: bool = False,
) -> dict[str, Prior]:
    """Return the default prior of every parameter of a model, by name.

    The defaults are weakly informative for gains that spread by a few points, and carried to the other scales by one
    factor: 0.1 log-odds, 2 normalised points and 2 per cent of errors for 1 point. They are multiplied by a unit that
    goes with the spread of the gains, see `prior_unit`: larger gains get wider priors.

    Parameters
    ----------
    scale : str
        The scale of the gain.
    terms : sequence of Term
        The grouping terms in the model.
    covariates : sequence of str
        Names of effects of covariates, each for a change by one standard deviation of the covariate.
    has_slope : bool
        Whether the law depends on size.
    shape : sequence of ShapeParameter
        The law's shape parameters, with their own defaults.
    unit : float
        What the defaults are multiplied by; the baselines' apart, which are scores.
    level : float
        How large gains are, in the unit of the scale: the intercept's prior reaches twice as far at least.
    joint : bool
        Whether the rows are scores: the effects ``baseline`` and ``baseline_slope`` are then the line of the baselines,
        and not columns that happen to be called so.
    """
    point = SCALES[scale].point
    unit = point * unit
    reach = max(_POINTS["intercept"] * unit, min(nice(2.0 * abs(level)), 1e6))
    priors = {"intercept": Prior("normal", (0.0, reach))}
    if has_slope:
        priors["slope"] = Prior("normal", (0.0, _POINTS["slope"] * unit))
    for name in covariates:
        kind = "covariate_slope" if name != column_of(name) else "covariate"
        line = _BASELINE.get(name, {}) if joint else {}
        mean, sd = line.get(scale, (0.0, _POINTS[kind] * unit))
        priors[f"covariate:{name}"] = Prior("normal", (mean, sd))
    for term in terms:
        # Scores differ about twice as much as gains do.
        own = term.name.removeprefix("baseline_")
        factor = unit if own == term.name else 2.0 * point
        for part in ("", "_slope") if term.slope else ("",):
            default = _POINTS.get(f"tau_{own}{part}", _POINTS[f"tau_task{part}"])
            priors[f"tau_{term.name}{part}"] = Prior("halfnormal", (factor * default,))
        if term.correlated:
            priors[f"rho_{term.name}"] = Prior("lkj", (2.0,))
    priors["tau_residual"] = Prior("halfnormal", (_POINTS["tau_residual"] * unit,))
    for parameter in shape:
        priors[parameter.name] = prior(parameter.prior)
    return priors


def baseline_prior() -> Prior:
    """Return the default prior of the log-odds of every baseline that stands for itself."""
    return Prior("normal", (0.0, _BASELINE["baseline"]["log_odds"][1]))


def _baseline_fault(given: Prior) -> str:
    """Return what is wrong with a prior of baselines on log-odds; empty for none.

    The counts are integrated over log-odds from -16 to 16, in steps that no much narrower prior fits.
    """
    mean, sd = given.arguments
    if sd >= 0.2 and abs(mean) + 3.0 * sd <= 16.0:
        return ""
    return "log-odds of accuracies: sd 0.2 or above, and mean and three sds between -16 and 16"


def override_priors(
    defaults: Mapping[str, Prior], given: Mapping[str, str | Prior] | None
) -> dict[str, Prior]:
    """Return the defaults with those of `given` in their place.

    Raises
    ------
    InputError
        For every unknown name and every prior whose family does not suit its parameter, all at once.
    """
    result = dict(defaults)
    problems: list[Problem] = []
    for name, value in (given or {}).items():
        if name not in defaults:
            problems.append(
                Problem(
                    f"prior for {name!r}: the model has no such parameter",
                    hint=f"it has: {', '.join(defaults)}",
                )
            )
            continue
        try:
            chosen = prior(value) if isinstance(value, str) else value
        except InputError as error:
            problems.extend(error.problems)
            continue
        wanted = _kind(defaults[name].family)
        if _kind(chosen.family) != wanted:
            problems.append(
                Problem(
                    f"prior for {name!r}: {chosen.family} does not suit a {wanted}",
                    hint="allowed: " + ", ".join(family for family in FAMILIES if _kind(family) == wanted),
                )
            )
            continue
        result[name] = chosen
    if problems:
        raise InputError(problems, source="priors")
    return result


def _kind(family: str) -> str:
    if family == "normal":
        return "coefficient"
    return {"lkj": "correlation", "choice": "choice of a law"}.get(family, "standard deviation")


def check_priors(
    priors: dict[str, Prior], defaults: Mapping[str, Prior], joint: bool, lift: str = ""
) -> dict[str, Prior]:
    """Return the priors of a model, if it can have them.

    Parameters
    ----------
    priors, defaults : mapping of str to Prior
        The priors, and what they are by default.
    joint : bool
        Whether the rows are scores, with hierarchical baselines.
    lift : str
        The symbol by which ability moves the gain, for a law with one.

    Raises
    ------
    InputError
        With every prior that the model cannot have.
    """
    wrong = {name: "the change of a slope needs the mean 0" for name in priors if name.endswith(SLOPE)}
    if joint:
        wrong |= dict.fromkeys(("intercept", "slope"), "hierarchical baselines need the mean 0 there")
    if joint and lift:
        names = ("covariate:baseline", "covariate:baseline_slope")
        wrong |= dict.fromkeys(names, "a law with ability needs the mean 0 there")
    wrong = {
        name: hint for name, hint in wrong.items() if name in priors and priors[name].arguments[0] != 0.0
    }
    if "baseline" in priors and (limits := _baseline_fault(priors["baseline"])):
        wrong["baseline"] = limits
    for name, each in priors.items():
        if each.family == "choice" and each != defaults[name]:
            wrong[name] = f"{defaults[name]}: every law of an average has the same probability a priori"
    if wrong:
        raise InputError(
            [Problem(f"the prior of {name} is {priors[name]}", hint=hint) for name, hint in wrong.items()]
        )
    return priors
