"""A model as a formula of mixed models, with its priors and its data: for bambi (Python) and brms (R)."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.model.spec.covariates import SLOPE, columns_of
from gainlaw.model.spec.priors import Prior
from gainlaw.model.spec.problem import ModelProblem
from gainlaw.model.spec.terms import Term
from gainlaw.scores.gains.record import GainsRecord

__all__ = ["bambi_files", "brms_files", "require_plain"]

# The names of prior distributions, and of the arguments of our families, in bambi.
_BAMBI = {
    "normal": ("Normal", ("mu", "sigma")),
    "halfnormal": ("HalfNormal", ("sigma",)),
    "halfcauchy": ("HalfCauchy", ("beta",)),
    "halfstudent_t": ("HalfStudentT", ("nu", "sigma")),
}


def require_plain(problem: ModelProblem, form: str) -> None:
    """Raise an InputError with all that a form cannot say of a model.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    form : {"stan", "bambi", "brms"}
        What it is to be written for.
    """
    spec = problem.spec
    faults = []
    if spec.likelihood != "gaussian":
        faults.append(Problem("the likelihood is one of counts", hint="export a fit on points"))
    if spec.joint:
        faults.append(Problem("the baselines have a hierarchy", hint="fit with baselines='free'"))
    if spec.law.parameters:
        faults.append(
            Problem(f"the shape of the {spec.law.name} law is estimated", hint="fit the linear law")
        )
    if form != "stan":
        weighted = [each.name for each in spec.terms if each.loading is not None or each.weight is not None]
        if weighted:
            what = f"a formula has no term {', '.join(weighted)}, whose groups have weights"
            faults.append(Problem(what, hint="leave it out (exclude=), or export for Stan"))
    if form == "bambi" and any(name.startswith("rho_") for name in spec.priors):
        hint = "export for brms or Stan"
        faults.append(Problem("bambi has no correlations of intercepts with slopes", hint=hint))
    if faults:
        raise InputError(faults, source=f"export for {form}")


def bambi_files(problem: ModelProblem, gains: GainsRecord) -> dict[str, str]:
    """Return a script that builds the model in bambi, and its data, by the names of their files.

    Parameters
    ----------
    problem : ModelProblem
        The model.
    gains : GainsRecord
        Its gains.

    Raises
    ------
    InputError
        For what a formula cannot say, see `require_plain`; and for gains with errors in common.
    """
    frame = _frame(problem, gains, "bambi")
    spec = problem.spec
    parts = ["gain ~ 1", *_fixed(problem)]
    priors = [("Intercept", _bambi(spec.priors["intercept"]))]
    priors += [
        (name, _bambi(spec.priors[own]))
        for name, own in zip(_fixed(problem), _fixed_priors(problem), strict=True)
    ]
    for term in spec.terms:
        for word, column, ending in _effects(term):
            parts.append(f"({word}|{term.name})")
            sd = _bambi(spec.priors[f"tau_{term.name}{ending}"])
            priors.append((f"{column}|{term.name}", f'bambi.Prior("Normal", mu=0, sigma={sd})'))
    if spec.residual:
        priors.append(("sigma", _bambi(spec.priors["tau_residual"])))
    listed = "\n".join(f"    {name!r}: {text}," for name, text in priors)
    residual = (
        ("mu, sigma", "pm.math.sqrt(se**2 + sigma**2)", '["mu", "sigma"]')
        if spec.residual
        else ("mu", "se", '["mu"]')
    )
    script = f'''"""A hierarchical law of gains for bambi.

Gains are in {spec.unit}; `x` is the shape of the law at the size of each model.
"""

from pathlib import Path

import bambi
import pandas as pd
import pymc as pm

text = {{name: str for name in {[term.name for term in spec.terms]!r}}}
data = pd.read_csv(Path(__file__).with_name("data.csv"), dtype=text, keep_default_na=False)
se = data["se"].to_numpy(float)


def measured(name, {residual[0]}, **others):
    """A gain with its known sampling error beside the residual."""
    return pm.Normal(name, mu, {residual[1]}, **others)


likelihood = bambi.Likelihood("Measured", params={residual[2]}, parent="mu", dist=measured)
priors = {{
{listed}
}}
model = bambi.Model(
    {" + ".join(parts)!r},
    data,
    family=bambi.Family("measured", likelihood, "identity"),
    priors=priors,
    auto_scale=False,
    center_predictors=False,
)

if __name__ == "__main__":
    model.fit(random_seed=0, target_accept=0.95).to_netcdf("bambi.nc")
'''
    return {"model.py": script, "data.csv": frame.to_csv(index=False, lineterminator="\n")}


def brms_files(problem: ModelProblem, gains: GainsRecord) -> dict[str, str]:
    """Return a script that fits the model by brms, and its data, by the names of their files.

    Parameters and errors are those of `bambi_files`; intercepts and slopes may be correlated.
    """
    frame = _frame(problem, gains, "brms")
    spec = problem.spec
    parts, priors = (
        ["0 + Intercept", *_fixed(problem)],
        [(spec.priors["intercept"], 'class = "b", coef = "Intercept"')],
    )
    for name, own in zip(_fixed(problem), _fixed_priors(problem), strict=True):
        priors.append((spec.priors[own], f'class = "b", coef = "{name}"'))
    for term in spec.terms:
        paired = f"rho_{term.name}" in spec.priors
        effects = "1 + x" if term.slope else "1"
        parts.append(f"({effects} {'|' if paired or not term.slope else '||'} {term.name})")
        for _, column, ending in _effects(term):
            coef = "Intercept" if column == "1" else "x"
            where = f'class = "sd", group = "{term.name}", coef = "{coef}"'
            priors.append((spec.priors[f"tau_{term.name}{ending}"], where))
        if paired:
            priors.append((spec.priors[f"rho_{term.name}"], f'class = "cor", group = "{term.name}"'))
    if spec.residual:
        priors.append((spec.priors["tau_residual"], 'class = "sigma"'))
    listed = ",\n".join(f'  set_prior("{_brms(prior)}", {where})' for prior, where in priors)
    error = "se(se, sigma = TRUE)" if spec.residual else "se(se)"
    text = ", ".join(f'{term.name} = "character"' for term in spec.terms)
    script = f"""# A hierarchical law of gains for brms.
# Gains are in {spec.unit}; x is the shape of the law at the size of each model.
library(brms)

data <- read.csv("data.csv", colClasses = c({text}), na.strings = character())
priors <- c(
{listed}
)
fit <- brm(
  gain | {error} ~ {" + ".join(parts)},
  data = data, prior = priors, chains = 4, seed = 1, control = list(adapt_delta = 0.95)
)
print(summary(fit))
"""
    return {"model.R": script, "data.csv": frame.to_csv(index=False, lineterminator="\n")}


def _frame(problem: ModelProblem, gains: GainsRecord, form: str) -> pd.DataFrame:
    """Return the gains with what the formula names."""
    require_plain(problem, form)
    if gains.covariance.blocks:
        what = "rows have sampling errors in common, as those of one baseline have"
        raise InputError(Problem(what, hint="export for Stan"), source=f"export for {form}")
    spec = problem.spec
    columns: dict[str, object] = {"gain": problem.y, "se": np.sqrt(gains.covariance.variance)}
    if spec.law.has_slope:
        columns["x"] = spec.law.shape(problem.x)
    for k in range(len(columns_of(spec.covariates))):
        columns[f"z{k + 1}"] = problem.design.value[:, 1 + k]
    columns |= {term.name: np.array(term.groups, dtype=object)[term.index] for term in spec.terms}
    return pd.DataFrame(columns)


def _fixed(problem: ModelProblem) -> list[str]:
    """Return the fixed effects beside the intercept; covariates are numbered, for their names may be anything."""
    spec = problem.spec
    found = ["x"] if spec.law.has_slope else []
    for k, name in enumerate(columns_of(spec.covariates)):
        found += [f"z{k + 1}"] + ([f"z{k + 1}:x"] if name + SLOPE in spec.covariates else [])
    return found


def _fixed_priors(problem: ModelProblem) -> list[str]:
    """Return the names of the priors of `_fixed`."""
    spec = problem.spec
    found = ["slope"] if spec.law.has_slope else []
    for name in columns_of(spec.covariates):
        found += [f"covariate:{name}"]
        found += [f"covariate:{name}{SLOPE}"] if name + SLOPE in spec.covariates else []
    return found


def _effects(term: Term) -> Iterator[tuple[str, str, str]]:
    """Yield what stands before the bar, what bambi calls it, and the ending of its sd."""
    yield "1", "1", ""
    if term.slope:
        yield "0 + x", "x", "_slope"


def _bambi(prior: Prior) -> str:
    if prior.family == "exponential":
        return f'bambi.Prior("Exponential", lam={1.0 / prior.arguments[0]!r})'
    name, arguments = _BAMBI[prior.family]
    given = ", ".join(f"{key}={value!r}" for key, value in zip(arguments, prior.arguments, strict=True))
    return f'bambi.Prior("{name}", {given})'


def _brms(prior: Prior) -> str:
    """Write a prior in Stan's words; those of sds are cut off at 0 by brms."""
    a = prior.arguments
    return {
        "normal": lambda: f"normal({a[0]!r}, {a[-1]!r})",
        "halfnormal": lambda: f"normal(0, {a[-1]!r})",
        "halfcauchy": lambda: f"cauchy(0, {a[-1]!r})",
        "halfstudent_t": lambda: f"student_t({a[0]!r}, 0, {a[-1]!r})",
        "exponential": lambda: f"exponential({1.0 / a[0]!r})",
        "lkj": lambda: f"lkj({a[0]!r})",
    }[prior.family]()
