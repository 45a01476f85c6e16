"""One curve against certified and published answers: NIST's nonlinear data sets and the Chinchilla fit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.curves.kernels import problem as kernel
from gainlaw.laws import LAWS

NIST = Path(__file__).parent / "data" / "nist_strd"
CERTIFIED = json.loads((NIST / "certified.json").read_text(encoding="utf-8"))
_GAUSS = "b1*exp(-b2*x) + b3*exp(-(x-b4)**2/b5**2) + b6*exp(-(x-b7)**2/b8**2)"
_LANCZOS = "b1*exp(-b2*x) + b3*exp(-b4*x) + b5*exp(-b6*x)"
_CUBIC = "(b1+b2*x+b3*x**2+b4*x**3)/(1+b5*x+b6*x**2+b7*x**3)"
FORMULAS = {
    "Bennett5": "b1*(b2+x)**(-1/b3)",
    "BoxBOD": "b1*(1-exp(-b2*x))",
    "Chwirut1": "exp(-b1*x)/(b2+b3*x)",
    "Chwirut2": "exp(-b1*x)/(b2+b3*x)",
    "DanWood": "b1*x**b2",
    "ENSO": "b1 + b2*cos(2*pi*x/12) + b3*sin(2*pi*x/12) + b5*cos(2*pi*x/b4) + b6*sin(2*pi*x/b4)"
    " + b8*cos(2*pi*x/b7) + b9*sin(2*pi*x/b7)",
    "Eckerle4": "(b1/b2)*exp(-0.5*((x-b3)/b2)**2)",
    "Gauss1": _GAUSS,
    "Gauss2": _GAUSS,
    "Gauss3": _GAUSS,
    "Hahn1": _CUBIC,
    "Kirby2": "(b1+b2*x+b3*x**2)/(1+b4*x+b5*x**2)",
    "Lanczos1": _LANCZOS,
    "Lanczos2": _LANCZOS,
    "Lanczos3": _LANCZOS,
    "MGH09": "b1*(x**2+x*b2)/(x**2+x*b3+b4)",
    "MGH10": "b1*exp(b2/(x+b3))",
    "MGH17": "b1+b2*exp(-x*b4)+b3*exp(-x*b5)",
    "Misra1a": "b1*(1-exp(-b2*x))",
    "Misra1b": "b1*(1-(1+b2*x/2)**(-2))",
    "Misra1c": "b1*(1-(1+2*b2*x)**(-.5))",
    "Misra1d": "b1*b2*x*((1+b2*x)**(-1))",
    "Nelson": "b1-b2*x1*exp(-b3*x2)",
    "Rat42": "b1/(1+exp(b2-b3*x))",
    "Rat43": "b1/((1+exp(b2-b3*x))**(1/b4))",
    "Roszman1": "b1-b2*x-arctan(b3/(x-b4))/pi",
    "Thurber": _CUBIC,
}


def digits(found: float, certified: float) -> float:
    """Agreeing digits (log relative error)."""
    return -np.log10(max(abs(found / certified - 1.0), 1e-15))


@pytest.mark.parametrize("start", ["start1", "start2"])
@pytest.mark.parametrize("name", sorted(FORMULAS))
def test_certified_parameters_are_found_from_both_official_starts(name: str, start: str) -> None:
    """Nine digits of every parameter; of Lanczos's sums of three exponentials the terms may come in any order."""
    frame = pd.read_csv(NIST / f"{name}.csv")
    certified = {each["name"]: each for each in CERTIFIED[name]["params"]}
    y = frame["y"].to_numpy(dtype=float)
    variables = {column: frame[column].to_numpy(dtype=float) for column in frame if column != "y"}
    law = gl.formula_law(FORMULAS[name], variables=list(variables))
    fit = gl.fit_curve(
        variables,
        np.log(y) if name == "Nelson" else y,
        law=law,
        start={key: each[start] for key, each in certified.items()},
    )
    values = fit.values
    if name.startswith("Lanczos"):
        pairs = sorted((values[f"b{k + 1}"], values[f"b{k}"]) for k in (1, 3, 5))
        values = {f"b{2 * k + j + 1}": pair[1 - j] for k, pair in enumerate(pairs) for j in (0, 1)}
    assert min(digits(values[key], each["certified"]) for key, each in certified.items()) > 9.0
    # The residuals of Lanczos1 are rounding errors of the data's last digit.
    if name != "Lanczos1":
        assert digits(2.0 * fit.optimum.objective, CERTIFIED[name]["rss"]) > 9.0
    if not name.startswith("Lanczos"):
        se = dict(zip(fit.estimates["parameter"], fit.estimates["se"], strict=True))
        assert min(digits(se[key], each["sd"]) for key, each in certified.items()) > 6.0


def _chinchilla() -> tuple[dict[str, np.ndarray], np.ndarray]:
    folder = os.environ.get("GAINLAW_REFERENCE_DATA")
    if not folder:
        pytest.skip("GAINLAW_REFERENCE_DATA is not set")
    frame = pd.read_csv(Path(folder) / "reference" / "chinchilla" / "svg_extracted_data.csv")
    n, loss = frame["Model Size"].to_numpy(dtype=float), frame["loss"].to_numpy(dtype=float)
    d = frame["Training FLOP"].to_numpy(dtype=float) / (6.0 * n)
    kept = loss < np.sort(loss)[-5]
    return {"log_n": np.log(n[kept]), "log_d": np.log(d[kept])}, np.log(loss[kept])


def test_chinchilla_by_huber_loss_reaches_the_published_optimum_and_errors() -> None:
    """Besiroglu et al. (2024), arXiv 2404.10102: 240 points, delta 1e-3, 4,000 resamples."""
    variables, y = _chinchilla()
    fit = gl.fit_curve(variables, y, law="chinchilla", loss="huber", delta=1e-3)
    assert len(fit.points) == 240
    assert fit.optimum.objective <= 0.0010182741
    found = np.array([*np.exp(fit.optimum.theta[:3]), *fit.optimum.theta[3:]])
    np.testing.assert_allclose(found, [477.83, 2143.4, 1.81722, 0.34731, 0.36717], rtol=3e-5)
    draws = fit.bootstrap(4000, kind="pairs").theta
    assert len(draws) == 4000
    errors = np.concatenate([np.exp(draws[:, :3]), draws[:, 3:]], axis=1).std(axis=0, ddof=1)
    # The error of a bootstrap's own standard error with 4,000 draws is about 2% for these skewed estimates, 5% for B.
    np.testing.assert_allclose(errors, [124.5, 1293.0, 0.0257, 0.0154, 0.0206], rtol=0.12)
    # The delta method knows nothing of their skewness.
    assert fit.estimates.set_index("parameter").loc["alpha", "se"] == pytest.approx(0.0154, rel=0.15)


def test_chinchilla_by_least_absolute_deviation() -> None:
    """The published point estimate is this limit of Huber's loss; ours has no larger a sum."""
    variables, y = _chinchilla()
    fit = gl.fit_curve(variables, y, law="chinchilla", loss="lad")
    published = np.array([np.log(482.01), np.log(2085.4), np.log(1.8169), 0.34781, 0.36585])
    assert fit.optimum.objective <= np.abs(kernel.residuals(fit.problem, published)).sum()
    found = np.array([*np.exp(fit.optimum.theta[:3]), *fit.optimum.theta[3:]])
    np.testing.assert_allclose(found, [482.01, 2085.4, 1.8169, 0.34781, 0.36585], rtol=3e-5)


def test_a_twin_of_chinchilla_gives_back_its_parameters() -> None:
    """240 simulated losses with the published parameters and heavy-tailed noise; within three bootstrap errors."""
    rng = np.random.default_rng(5)
    log_n = rng.uniform(np.log(4e7), np.log(1.6e10), 240)
    log_d = rng.uniform(np.log(2e8), np.log(5e11), 240)
    truth = np.array([np.log(477.83), np.log(2143.4), np.log(1.81722), 0.34731, 0.36717])
    mean = np.logaddexp(np.logaddexp(truth[0] - truth[3] * log_n, truth[1] - truth[4] * log_d), truth[2])
    y = mean + 0.004 * rng.standard_t(3, 240)
    fit = gl.fit_curve({"log_n": log_n, "log_d": log_d}, y, law="chinchilla", loss="huber", delta=1e-3)
    spread = fit.bootstrap(1000, kind="pairs").theta.std(axis=0)
    assert (np.abs(fit.optimum.theta - truth) < 3.0 * spread).all()
    problem = fit.problem
    at_truth = kernel.refit(problem, truth[None], steps=0)[1][0, 0]
    assert fit.optimum.objective <= at_truth
    assert LAWS["chinchilla"].variables == ("log_n", "log_d")
