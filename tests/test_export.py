"""The model of a fit for other programs: what is exported has the posterior of the fit itself."""

from __future__ import annotations

import json
import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.model.export.stan import stan_data


def _gains(seed: int = 5, sizes: tuple[float, ...] = (1e8, 1e9, 1e10, 1e11)) -> gl.Gains:
    rng = np.random.default_rng(seed)
    rows = []
    for number, size in enumerate(sizes):
        shift = rng.normal(0, 0.5)
        for task, level in (("xnli", 1.0), ("xcopa", 0.0), ("pawsx", -1.0)):
            for language in ("en", "sw", "tr"):
                gain = 4.0 + level + 1.5 * number + shift + rng.normal(0, 1.0)
                rows.append((size, f"m{number}", task, language, gain, 0.8, rng.normal()))
    names = ["params", "base_model", "task", "language", "gain", "se", "share"]
    return gl.gains_from_frame(pd.DataFrame(rows, columns=names))


@pytest.fixture(scope="module")
def plain() -> gl.Fit:
    """Return a fit of independent rows, which every form can say."""
    return gl.fit(_gains(), terms=["task", "checkpoint"], draws=2000)


@pytest.fixture(scope="module")
def shared() -> gl.Fit:
    """Return a fit of rows that share baselines, with correlations, a smooth departure and a covariate."""
    gains = gl.load_dataset("bloomz").select(task=["xcopa", "xwinograd"]).gains()
    return gl.fit(gains, covariates=["seen_in_pretraining:slope"], draws=100)


def _log_density(data: dict, names: dict, draws: dict[str, np.ndarray]) -> np.ndarray:
    """Return the log posterior of each draw of sds and correlations by what Stan is given, effects integrated out."""
    q, n = data["q"], data["n"]
    X = np.zeros((n, q))
    for row in range(n):
        for k in range(data["u"][row] - 1, data["u"][row + 1] - 1):
            X[row, data["v"][k] - 1] = data["w"][k]
    y, variance = np.array(data["y"]), np.array(data["variance"])
    families = {1: stats.halfnorm, 2: stats.halfcauchy}
    found = []
    for s in range(len(next(iter(draws.values())))):
        tau, rho = ([draws[name][s] for name in names[kind]] for kind in ("tau", "rho"))
        L = np.zeros((q, q))  # effects are means plus L z
        for j in range(q):
            t, r = data["tau_of"][j], data["rho_of"][j]
            if t == 0:
                L[j, j] = data["fixed_sd"][j]
            elif r == 0:
                L[j, j] = tau[t - 1]
            else:
                L[j, data["partner"][j] - 1] = tau[t - 1] * rho[r - 1]
                L[j, j] = tau[t - 1] * np.sqrt(1 - rho[r - 1] ** 2)
        residual = tau[data["residual"] - 1] ** 2 if data["residual"] else 0.0
        total = X @ L @ L.T @ X.T + np.diag(variance + residual)
        value = stats.multivariate_normal(X @ np.array(data["fixed_mean"]), total).logpdf(y)
        for t, each in enumerate(tau):
            value += families[data["family"][t]](scale=data["scale"][t]).logpdf(each)
        for r, each in enumerate(rho):
            value += stats.beta(data["eta"][r], data["eta"][r]).logpdf((each + 1) / 2) - np.log(2)
        found.append(value)
    return np.array(found)


@pytest.mark.parametrize("which", ["plain", "shared"])
def test_stan_is_given_the_posterior_of_the_fit(which: str, request: pytest.FixtureRequest) -> None:
    """The density of sds and correlations is the engine's, draw for draw."""
    fit = request.getfixturevalue(which)
    data, names = stan_data(fit.problem, fit.gains.covariance)
    posterior = fit.draws["posterior"]
    draws = {name: posterior[name].to_numpy().ravel()[:8] for name in (*names["tau"], *names["rho"])}
    assert set(draws) == set(fit.spec.hyper_names)
    theirs = _log_density(data, names, draws)
    ours = fit.draws["sample_stats"]["lp"].to_numpy().ravel()[:8]
    # The engine sums over tables and approximations of the same density: far below what one draw differs from another.
    np.testing.assert_allclose(theirs, ours, atol=1e-3)
    assert np.ptp(ours) > 0.5
    assert len(names["effect"]) == data["q"]
    assert all(names["effect"])
    if which == "shared":
        assert names["rho"]
        assert fit.gains.covariance.blocks


def test_files_are_written_whole(plain: gl.Fit, tmp_path: Path) -> None:
    for form, files in (
        ("stan", {"gain.stan", "data.json", "names.json"}),
        ("bambi", {"model.py", "data.csv"}),
        ("brms", {"model.R", "data.csv"}),
    ):
        assert {path.name for path in plain.export(form, tmp_path / form).iterdir()} == files
    data = json.loads((tmp_path / "stan" / "data.json").read_text())
    declared = (tmp_path / "stan" / "gain.stan").read_text().partition("parameters")[0]
    assert all(f" {name};" in declared for name in data)
    compile((tmp_path / "bambi" / "model.py").read_text(), "model.py", "exec")
    frame = pd.read_csv(tmp_path / "bambi" / "data.csv")
    assert frame["gain"].tolist() == pytest.approx(plain.gains.frame["gain"].tolist())
    assert frame["task"].tolist() == plain.gains.frame["task"].tolist()


def test_formulas_have_every_term_and_every_prior(plain: gl.Fit, tmp_path: Path) -> None:
    bambi = (plain.export("bambi", tmp_path) / "model.py").read_text()
    assert "gain ~ 1 + x + (1|task) + (0 + x|task) + (1|checkpoint)" in bambi
    scale = plain.priors["tau_task_slope"].scale
    assert (
        f'\'x|task\': bambi.Prior("Normal", mu=0, sigma=bambi.Prior("HalfNormal", sigma={scale!r}))' in bambi
    )
    brms = (plain.export("brms", tmp_path) / "model.R").read_text()
    assert "gain | se(se, sigma = TRUE) ~ 0 + Intercept + x + (1 + x || task) + (1 | checkpoint)" in brms
    assert brms.count("set_prior(") == len(plain.priors)


def test_what_a_form_cannot_say_is_refused(plain: gl.Fit, shared: gl.Fit, tmp_path: Path) -> None:
    with pytest.raises(gl.InputError) as found:
        shared.export("bambi", tmp_path)
    assert {"smooth", "correlations"} <= set(str(found.value).replace(",", " ").split())
    with pytest.raises(gl.InputError, match="form is 'pyro'; allowed: stan, bambi, brms"):
        plain.export("pyro", tmp_path)
    rows = gl.fit(shared.gains, terms=["task", "checkpoint"], exclude=["smooth"], draws=100)
    with pytest.raises(gl.InputError, match="errors in common"):
        rows.export("brms", tmp_path)
    small = gl.load_dataset("bloomz", intermediates="xP3").select(task="xwinograd").gains()
    counts = gl.fit(small, scale="log_odds", draws=150)
    with pytest.raises(gl.InputError, match="likelihood is one of counts"):
        counts.export("stan", tmp_path)
    curved = gl.fit(plain.gains, "offset_power", draws=150)
    with pytest.raises(gl.InputError, match="shape of the offset_power law is estimated"):
        curved.export("stan", tmp_path)
    assert not list(tmp_path.iterdir())


@pytest.mark.calibration
def test_the_exported_formula_has_the_same_posterior_in_pymc(plain: gl.Fit) -> None:
    """Sample what the formula says in PyMC's own words; bambi builds no other model of it."""
    import pymc as pm

    frame, priors = plain.gains.frame, plain.priors
    x = plain.law.shape(plain.problem.x)
    tasks, task = np.unique(frame["task"], return_inverse=True)
    models, model = np.unique(frame["checkpoint"], return_inverse=True)
    with pm.Model():
        line = pm.Normal("intercept", *priors["intercept"].arguments)
        line = line + pm.Normal("slope", *priors["slope"].arguments) * x
        for name, codes, count, column in (
            ("tau_task", task, len(tasks), 1.0), ("tau_task_slope", task, len(tasks), x),
            ("tau_checkpoint", model, len(models), 1.0),
        ):  # fmt: skip
            sd = pm.HalfNormal(name, priors[name].scale)
            line = line + sd * pm.Normal(f"{name}_z", shape=count)[codes] * column
        residual = pm.HalfNormal("tau_residual", priors["tau_residual"].scale)
        pm.Normal("y", line, pm.math.sqrt(frame["se"].to_numpy() ** 2 + residual**2), observed=frame["gain"])
        theirs = pm.sample(2000, tune=1000, random_seed=1, target_accept=0.95, progressbar=False)["posterior"]
    ours = plain.draws["posterior"]
    for name, own in (
        ("intercept", ours["mu"][..., 0]),
        ("slope", ours["mu"][..., 1]),
        ("tau_task", ours["tau_task"]),
    ):
        a, b = theirs[name].to_numpy().ravel(), own.to_numpy().ravel()
        assert a.mean() == pytest.approx(b.mean(), abs=0.1 * b.std())
        assert a.std() == pytest.approx(b.std(), rel=0.1)


@pytest.mark.calibration
@pytest.mark.filterwarnings("default")  # of bambi and of the sampler
def test_the_exported_model_has_the_same_posterior_in_bambi(plain: gl.Fit, tmp_path: Path) -> None:
    """Run the file as it was written; bambi comes with the group `bench`."""
    pytest.importorskip("bambi")
    from arviz_stats.base import array_stats

    model = runpy.run_path(str(plain.export("bambi", tmp_path) / "model.py"))["model"]
    theirs = model.fit(draws=2000, random_seed=1, target_accept=0.95, progressbar=False)["posterior"]
    ours = plain.draws["posterior"]
    for name, own in (
        ("Intercept", ours["mu"][..., 0]), ("x", ours["mu"][..., 1]), ("sigma", ours["tau_residual"]),
        ("1|task_sigma", ours["tau_task"]), ("x|task_sigma", ours["tau_task_slope"]),
        ("1|checkpoint_sigma", ours["tau_checkpoint"]),
    ):  # fmt: skip
        a, b = theirs[name].to_numpy(), own.to_numpy()
        error = np.hypot(*(each.std() / np.sqrt(array_stats.ess(each, method="mean")) for each in (a, b)))
        assert a.mean() == pytest.approx(b.mean(), abs=4.0 * error), name
