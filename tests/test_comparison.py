"""Comparison by evidence: known marginal likelihoods, nested models, and when there is nothing to compare."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import integrate, stats

import gainlaw as gl
from gainlaw.claims.evaluate import FitDraws, holds
from gainlaw.claims.factors import bayes_factors
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.scores.simulate import simulate_study
from gainlaw.tables.checks import compare_table


def one_way(se: float = 1.0, order: slice = slice(None)) -> gl.Gains:
    """Five checkpoints of four rows each, whose effects differ by about two standard errors."""
    rng = np.random.default_rng(8)
    effects = np.repeat(rng.normal(0, 2.0, 5), 4)
    frame = pd.DataFrame(
        {
            "base_model": np.repeat(list("abcde"), 4),
            "params": np.repeat([1e8, 3e8, 1e9, 3e9, 1e10], 4),
            "gain": 3.0 + effects + rng.normal(size=20),
            "se": se,
        }
    )
    return gl.gains_from_frame(frame[order])


def fit(gains: gl.Gains, **options) -> gl.Fit:
    options = {"law": "constant", "terms": ["checkpoint"], "exclude": ["residual"], "seed": 1} | options
    # Written out, so that the quadrature below has the same: the defaults go with the spread of the gains.
    written = {"intercept": "normal(0, 20)"}
    if "checkpoint" in options["terms"]:
        written["tau_checkpoint"] = "halfnormal(5)"
    options["priors"] = written | options.get("priors", {})
    return gl.fit(gains, **options)


def log_evidence(gains: gl.Gains, tau: float, x_sd: float = 0.0) -> float:
    frame = gains.frame
    same = (frame["checkpoint"].to_numpy()[:, None] == frame["checkpoint"].to_numpy()[None, :]).astype(float)
    x = np.log10(frame["params"].to_numpy(dtype=float) / 1e9)
    total = np.diag(frame["se"] ** 2) + 400.0 + tau**2 * same + x_sd**2 * np.outer(x, x)
    return float(stats.multivariate_normal(np.zeros(20), total).logpdf(frame["gain"]))


def test_evidence_agrees_with_quadrature_over_the_only_hyperparameter() -> None:
    gains = one_way()
    table = gl.compare({"checkpoints": fit(gains), "none": fit(gains, terms=[])}).set_index("model")

    def integrand(tau: float) -> float:
        return float(np.exp(log_evidence(gains, tau) + 60.0)) * stats.halfnorm.pdf(tau, scale=5.0)

    exact = np.log(integrate.quad(integrand, 0, 40, points=[1.0, 2.0, 4.0])[0]) - 60.0
    none = log_evidence(gains, 0.0)
    assert table.loc["checkpoints", "log_evidence"] == pytest.approx(exact, abs=0.02)
    assert table.loc["none", "log_evidence"] == pytest.approx(none, abs=1e-8)
    assert table.loc["checkpoints", "bayes_factor"] == 1.0
    assert np.log(table.loc["none", "bayes_factor"]) == pytest.approx(none - exact, abs=0.02)


@pytest.mark.parametrize("scale", ["points", "log_odds"])
@pytest.mark.parametrize("slope", [0.0, -4.0])
def test_terms_dropped_agree_with_the_factor_of_their_claim(scale: str, slope: float) -> None:
    unit = 1.0 if scale == "points" else 0.1
    study = simulate_study(
        9, scale=scale, n_tasks=1, n_languages=5, slope=slope * unit, intercept=5.0 * unit, sd_task_slope=0.0,
        sd_checkpoint=0.5 * unit, sd_checkpoint_task=0.0, sd_language=unit, sd_residual=0.5 * unit,
    )  # fmt: skip
    gains = study.evaluations.gains(scale=scale)
    fits = {law: gl.fit(gains, law=law, terms=["checkpoint"], seed=1) for law in ("linear", "constant")}
    table = gl.compare(fits).set_index("model")
    claim = parse_claim("slope[population] < 0")
    value, _, _ = bayes_factors(fits["linear"], claim, *holds(claim, FitDraws(fits["linear"])))
    difference = table.loc["linear", "log_evidence"] - table.loc["constant", "log_evidence"]
    assert difference == pytest.approx(np.log(value), abs=0.1)
    assert (difference > 0) == (slope != 0)
    better = table.loc["linear" if slope else "constant"]
    assert better["bayes_factor"] == 1.0
    assert table["bayes_factor"].min() == pytest.approx(np.exp(-abs(difference)))


def without_evidence(each: gl.Fit) -> gl.Fit:
    """A fit as a sampler leaves it."""
    tree = each.draws.copy(deep=True)
    del tree["sample_stats"].attrs["log_evidence"]
    return replace(each, draws=tree)


def test_evidence_is_compared_only_where_every_fit_has_it_for_the_same_data() -> None:
    base, small = fit(one_way()), fit(one_way(), terms=[])
    assert gl.compare([base, small])["bayes_factor"].max() == 1.0
    backwards = one_way(order=slice(None, None, -1))
    assert gl.compare([base, fit(backwards, terms=[])])["bayes_factor"].notna().all()
    for other in (without_evidence(small), fit(one_way(se=2.0), terms=[])):
        table = gl.compare([base, other])
        assert table[["log_evidence", "bayes_factor"]].isna().all(axis=None)
        assert "Bayes factor" not in [column.title for column in compare_table(table).columns]


def test_the_table_says_that_priors_matter() -> None:
    table = compare_table(gl.compare([fit(one_way()), fit(one_way(), terms=[])]))
    assert [column.title for column in table.columns][-2:] == ["Log evidence", "Bayes factor"]
    assert any("depends on the priors" in note for note in table.notes)
