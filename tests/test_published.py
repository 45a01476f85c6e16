"""Published posteriors and estimates: the hierarchical model must give them back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.posterior.curves import covariate_effect

# Rubin (1981), doi 10.3102/10769986006004377: coaching effects on SAT scores and their standard errors.
SCHOOLS = pd.DataFrame(
    {
        "task": list("ABCDEFGH"),
        "gain": [28.0, 8, -3, 7, -1, 1, 18, 12],
        "se": [15.0, 10, 16, 11, 9, 11, 10, 18],
    }
)
# Posterior under mu ~ N(0, 5), tau ~ half-Cauchy(0, 5), by exact quadrature over tau; the 10,000 reference draws of
# posteriordb (eight_schools-eight_schools_noncentered, Magnusson et al. 2024, arXiv 2407.04967) agree within their
# Monte-Carlo errors (mu 4.41 +- 0.03, tau 3.60 +- 0.03).
SCHOOLS_POSTERIOR = {
    "mu": (4.3968, 3.3177),
    "tau": (3.5977, 3.2200),
    "A": (6.2118, 5.5931),
    "B": (4.9402, 4.6742),
    "C": (3.9270, 5.2626),
    "D": (4.7571, 4.7802),
    "E": (3.6155, 4.6574),
    "F": (4.0426, 4.8268),
    "G": (6.2967, 5.0778),
    "H": (4.8542, 5.2907),
}


@pytest.fixture(scope="module")
def schools() -> gl.Fit:
    gains = gl.gains_from_frame(SCHOOLS)
    priors = {"intercept": "normal(0, 5)", "tau_task": "halfcauchy(5)"}
    return gl.fit(gains, law="constant", priors=priors, draws=2500, tune=1000, seed=4)


def test_eight_schools(schools: gl.Fit) -> None:
    posterior = schools.draws["posterior"]
    mu = posterior["mu"].to_numpy()[..., 0].reshape(-1)
    found = {"mu": mu, "tau": posterior["tau_task"].to_numpy().reshape(-1)}
    for k, name in enumerate(SCHOOLS["task"]):
        found[name] = mu + posterior["task"].to_numpy()[..., k, 0].reshape(-1)
    for name, (mean, sd) in SCHOOLS_POSTERIOR.items():
        # 10,000 draws with an ess above 2,000: four Monte-Carlo errors are 0.09 sd for a mean and 6% for an sd
        # (tau has heavy tails: 10%).
        assert found[name].mean() == pytest.approx(mean, abs=0.09 * sd), name
        assert found[name].std() == pytest.approx(sd, rel=0.10 if name == "tau" else 0.06), name


def test_eight_schools_diagnostics_and_words(schools: gl.Fit) -> None:
    assert schools.status == "ok"
    assert schools.n_checkpoints == 0
    table = schools.summary("population")
    assert table["estimand"].tolist() == ["gain"]
    assert schools.diagnostics.influence.empty
    with pytest.raises(gl.InputError, match="no slope"):
        gl.gain_curve(schools).slope()


# BCG vaccine trials, log risk ratios and variances (Colditz et al. 1994, doi 10.1001/jama.1994.03510330076038) as in
# metafor's dat.bcg (Viechtbauer 2010, doi 10.18637/jss.v036.i03).
BCG = pd.DataFrame(
    {
        "latitude": [44.0, 55, 42, 52, 13, 44, 19, 13, 27, 42, 18, 33, 33],
        "gain": [
            -0.889311333920205, -1.58538865720143, -1.34807314829969, -1.44155119002131, -0.217547322211296,
            -0.786115585818864, -1.62089822359839, 0.0119523335238405, -0.469417648738149, -1.37134480347278,
            -0.339358828338391, 0.445913400571379, -0.0173139482168798,
        ],
        "se": np.sqrt([
            0.325584765003961, 0.194581121398144, 0.415367965367965, 0.0200100319022476, 0.0512101721696309,
            0.00690561845590876, 0.223017247572315, 0.00396157929579773, 0.056434210463249, 0.0730247936130289,
            0.0124122139715597, 0.532505845200153, 0.0714046596839863,
        ]),
    }
).assign(task=[f"trial{k}" for k in range(13)], scale="log_odds")  # fmt: skip


def test_meta_regression_agrees_with_reml() -> None:
    priors = {
        "intercept": "normal(0, 10)",
        # A normal(0, 1) for one degree, written for one standard deviation of the trials' latitudes.
        "covariate:latitude": f"normal(0, {BCG['latitude'].std(ddof=0)})",
        "tau_task": "halfnormal(0.5)",
    }
    fit = gl.fit(
        gl.gains_from_frame(BCG),
        law="constant",
        covariates=["latitude"],
        priors=priors,
        draws=2500,
        tune=1000,
    )
    assert fit.status == "ok"
    effect = covariate_effect(fit, "latitude")
    # Quadrature over tau under the same priors: slope -0.0289, sd 0.0084, tau 0.314.
    assert effect.mean() == pytest.approx(-0.0289, abs=0.0004)
    assert effect.std() == pytest.approx(0.0084, rel=0.06)
    assert fit.draws["posterior"]["tau_task"].to_numpy().mean() == pytest.approx(0.314, abs=0.015)
    # metafor 3.8, REML: slope -0.0291 (se 0.0072; Knapp-Hartung 0.0082), tau 0.276. The posterior must lie within a
    # tenth of a standard error, with the wider of the two errors, since tau is not known.
    assert effect.mean() == pytest.approx(-0.029101661, abs=0.1 * 0.0072)
    assert effect.std() == pytest.approx(0.0082015418, rel=0.10)


def test_reference_draws_of_the_contrast_model(reference_data: Path) -> None:
    """A long NUTS run of the same Gaussian model on a simulated study of 130 pairs, by another program."""
    folder = reference_data / "reference" / "gain"
    gold = json.loads((folder / "gold_small_G.json").read_text())
    table = pd.read_csv(folder / "gain_small.csv")
    p, n = [(table[k] + 0.5) / (table["n"] + 1.0) for k in ("k0", "k1")], table["n"]
    frame = pd.DataFrame(
        {
            "params": table["params"],
            "base_model": "m" + table["model"].astype(str),
            "task": "t" + table["task"].astype(str),
            "language": "l" + table["lang"].astype(str).str.zfill(2),
            "language_family": "f" + table["fam"].astype(str),
            "gain": np.log(p[1] / (1 - p[1])) - np.log(p[0] / (1 - p[0])),
            "se": np.sqrt(sum(1.0 / ((n + 1.0) * q * (1 - q)) for q in p)),
            "scale": "log_odds",
        }
    )
    parameters = {
        "tau_task": "sd_g_task", "tau_task_slope": "sd_g_task_x", "tau_language_family": "sd_g_fam",
        "tau_language_family_slope": "sd_g_fam_x", "tau_language": "sd_g_lang", "tau_language_slope": "sd_g_lang_x",
        "tau_residual": "sd_g_pair",
    }  # fmt: skip
    # The reference has no correlations of intercepts and slopes: lkj(1e6) pins them at zero.
    priors = {"intercept": "normal(0, 0.5)", "slope": "normal(0, 0.5)"} | dict.fromkeys(
        parameters, "halfnormal(0.25)"
    )
    priors |= dict.fromkeys(("rho_language_family", "rho_language"), "lkj(1000000)")
    fit = gl.fit(
        gl.gains_from_frame(frame),
        terms=["task", "language_family", "language"],
        priors=priors,
        draws=2500,
        tune=1000,
    )
    posterior = fit.draws["posterior"]
    found = {name: posterior[name].to_numpy().reshape(-1) for name in parameters}
    mu = posterior["mu"].to_numpy().reshape(-1, 2)
    # Spreads of intercepts are those at 1B in the reference, and its priors are independent there: another model.
    alike = {k: name for k, name in parameters.items() if k.endswith(("_slope", "_residual"))}
    for name, ours in [
        ("cond", mu[:, 0] - fit.spec.law.centre * mu[:, 1]),  # at 1B, as in the reference
        ("cond:x", mu[:, 1]),
        *((gold_name, found[k]) for k, gold_name in alike.items()),
    ]:
        # Both runs have an ess above 2,000: four Monte-Carlo errors of a mean are 0.09 sd. A prior that is independent
        # at another size is as much again for the spreads of slopes.
        within = 0.1 if name.startswith("cond") else 0.2
        assert ours.mean() == pytest.approx(gold[name]["mean"], abs=within * gold[name]["sd"]), name
        assert ours.std() == pytest.approx(gold[name]["sd"], rel=0.08), name
