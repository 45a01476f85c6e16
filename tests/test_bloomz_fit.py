"""The real data, at default settings: BLOOM to BLOOMZ on points and on log-odds."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.model.engines.exact import WORTH
from gainlaw.posterior.curves import new_checkpoint, new_group
from gainlaw.posterior.estimates import MIN_ESS, RHAT_LIMIT
from gainlaw.posterior.levels import gain_curve
from gainlaw.posterior.ranking import rank_groups

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def points() -> gl.Fit:
    return gl.fit(gl.load_dataset("bloomz").select(intermediate=["none", "xP3"]), law="linear")


@pytest.fixture(scope="module")
def log_odds() -> gl.Fit:
    return gl.fit(
        gl.load_dataset("bloomz").select(intermediate=["none", "xP3"]), law="linear", scale="log_odds"
    )


@pytest.fixture(scope="module", params=["points", "log_odds"])
def fit(request: pytest.FixtureRequest) -> gl.Fit:
    return request.getfixturevalue(request.param)


def test_every_reported_estimate_may_be_trusted(fit: gl.Fit) -> None:
    assert fit.status == "ok", [check.text for check in fit.diagnostics.failures]
    assert fit.record["engine"] == {"used": "exact", "fallback": None}
    # Draws that went to the counts in steps are counted after the worst of these: a lower bound, see `exact.WORTH`.
    least = WORTH if fit.scale == "log_odds" else 2 * MIN_ESS
    assert fit.estimates[["ess_bulk", "ess_tail"]].min().min() > least
    assert (fit.estimates["status"] == "ok").all()
    assert (fit.n_rows, fit.n_checkpoints, fit.n_sizes) == (252, 6, 6)


@pytest.mark.calibration
@pytest.mark.parametrize("scale", ["points", "log_odds"])
def test_the_sampler_agrees(scale: str, request: pytest.FixtureRequest) -> None:
    """At default settings; `make test` has both likelihoods by both engines in test_joint.py, on fewer rows."""
    exact = request.getfixturevalue(scale)
    nuts = gl.fit(exact.gains, engine="nuts")
    assert nuts.status == "ok", [check.text for check in nuts.diagnostics.failures]
    assert int(nuts.draws["sample_stats"]["diverging"].sum()) == 0
    assert nuts.estimates["rhat"].max() < RHAT_LIMIT
    assert nuts.estimates[["ess_bulk", "ess_tail"]].min().min() > MIN_ESS
    a, b = (each.estimates[each.estimates["sd"].notna()] for each in (exact, nuts))
    # Two Monte Carlo errors, that of a mean or quantile of the least known estimate near 1 / sqrt(600) each, at four
    # of their joint sds: there are about 300 estimates.
    apart = (a["mean"] - b["mean"]).abs() / b["sd"]
    assert apart.max() < 0.2
    assert apart.mean() < 0.04
    assert (a["sd"] / b["sd"]).between(0.85, 1.18).all()
    for end in ("ci_low", "ci_high"):
        assert ((a[end] - b[end]).abs() / b["sd"]).max() < 0.5


def test_overall_slope_is_near_the_raw_one_and_its_interval_wider(points: gl.Fit) -> None:
    from gainlaw.scores.gains.bootstrap import language_bootstrap_slope

    raw = language_bootstrap_slope(points.gains)
    overall = points.summary("overall").set_index("estimand").loc["slope"]
    assert overall["mean"] == pytest.approx(raw.estimate, abs=1.0)
    population = points.summary("population").set_index("estimand").loc["slope"]
    width, narrow = population["ci_high"] - population["ci_low"], raw.ci_high - raw.ci_low
    assert width > 3 * narrow
    assert population["sd"] > 1.3 * overall["sd"]


def test_fitted_gains_follow_the_raw_means(points: gl.Fit) -> None:
    # The law plus the checkpoint effects must reproduce the mean gain of every checkpoint.
    replicated = points.draws["posterior_predictive"]["gain"].to_numpy()
    frame = points.gains.frame.assign(fitted=replicated.mean(axis=(0, 1)))
    means = frame.groupby("checkpoint")[["gain", "fitted"]].mean()
    np.testing.assert_allclose(means["fitted"], means["gain"], atol=1.0)


def test_estimates_agree_with_their_curves(fit: gl.Fit) -> None:
    each = gain_curve(fit, task="xnli")
    row = fit.estimates.query("group == 'task=xnli' and estimand == 'gain' and params == 1e10").iloc[0]
    assert row["mean"] == pytest.approx(each.gain(1e10).mean())
    slope = fit.estimates.query("group == 'task=xnli' and estimand == 'slope'").iloc[0]
    assert slope["median"] == pytest.approx(np.median(each.slope()))
    np.testing.assert_allclose(each.gain(1e10) - each.gain(1e9), each.slope())
    crossing = each.crossing(0.5)
    # A nearly flat draw crosses beyond what a float holds; the others must have the gain asked for there.
    held = (crossing > 0) & np.isfinite(crossing)
    assert held.mean() > 0.99
    at = np.log10(crossing[held] / 1e9)
    np.testing.assert_allclose(each.gain(1e9)[held] + each.slope()[held] * at, 0.5, atol=1e-6)


def test_overall_is_the_mean_of_its_tasks(fit: gl.Fit) -> None:
    tasks = [gain_curve(fit, task=task).gain(1e10) for task in ("xcopa", "xnli", "xstory_cloze", "xwinograd")]
    np.testing.assert_allclose(np.mean(tasks, axis=0), gain_curve(fit).gain(1e10), atol=1e-9)


def test_a_new_checkpoint_and_a_new_task_are_less_certain(fit: gl.Fit) -> None:
    rng = np.random.default_rng(0)
    base = gain_curve(fit)
    replicate = new_checkpoint(base, fit, rng)
    other = new_group(base, fit, ["task"], rng)
    assert replicate.gain(1e10).std() > base.gain(1e10).std()
    assert other.gain(1e10).std() > replicate.gain(1e10).std()
    table = fit.predict([13e9, 1e12], task="xnli")
    assert table["kind"].tolist() == ["mean", "new_checkpoint"] * 2
    assert table.loc[table["params"] == 1e12, "extrapolation"].iloc[0] == pytest.approx(
        np.log10(1e12 / 1.76e11)
    )


def test_rankings_are_uncertain_and_complete(points: gl.Fit) -> None:
    table = rank_groups(points, "task")
    assert table["group"].iloc[0] == "xstory_cloze"
    assert table["p_first"].sum() == pytest.approx(1.0)
    assert (table["rank_low"] <= table["rank"]).all()
    assert (table["rank"] <= table["rank_high"]).all()


def test_the_largest_checkpoint_pulls_hardest(fit: gl.Fit) -> None:
    table = fit.diagnostics.influence
    assert len(table) == 6
    assert table.set_index("checkpoint")["shift"].abs().idxmax() == "bloom"
    assert (
        table.loc[table["checkpoint"] == "bloom", "slope_sd"].iloc[0]
        > 1.5 * fit.summary("overall")["sd"].iloc[0]
    )


def test_influence_is_what_a_fit_without_the_checkpoint_gives(points: gl.Fit) -> None:
    keep = (points.gains.frame["checkpoint"] != "bloom").to_numpy()
    again = gl.fit(points.gains.subset(keep), draws=500)
    row = points.diagnostics.influence.set_index("checkpoint").loc["bloom"]
    slope = again.summary("overall").set_index("estimand").loc["slope"]
    assert row["slope_mean"] == pytest.approx(slope["mean"], abs=0.25 * slope["sd"])
    assert row["slope_sd"] == pytest.approx(slope["sd"], rel=0.2)


def test_scales_disagree_about_units_not_about_sign(points: gl.Fit, log_odds: gl.Fit) -> None:
    assert gain_curve(points).slope().mean() > 2
    assert 0.3 < gain_curve(log_odds).slope().mean() < 2.5
    assert log_odds.spec.likelihood == "binomial"
    assert points.spec.likelihood == "gaussian"


def test_unknown_groups_are_named_with_those_there_are(points: gl.Fit) -> None:
    with pytest.raises(gl.InputError, match=r"task 'mnli' is not in the fit.*xcopa, xnli"):
        gain_curve(points, task="mnli")
    with pytest.raises(gl.InputError, match="no level 'planet'"):
        gain_curve(points, planet="earth")
    with pytest.raises(gl.InputError, match="in family 'Turkic'"):
        gain_curve(points, language="tr", language_family="Uralic")


def test_compare_ranks_laws_by_checkpoints_left_out(points: gl.Fit) -> None:
    constant = gl.fit(points.gains, law="constant", draws=400, tune=300)
    table = gl.compare({"linear": points, "constant": constant})
    assert table["model"].tolist() == ["linear", "constant"]
    assert table["elpd_diff"].iloc[0] == 0
    assert table["elpd_diff"].iloc[1] < 0
    with pytest.raises(gl.InputError, match="other rows"):
        gl.compare(
            [points, gl.fit(points.gains.subset(np.arange(252) < 240), law="constant", draws=200, tune=200)]
        )


def test_all_intermediates_sample_without_divergences() -> None:
    fit = gl.fit(gl.load_dataset("bloomz"), law="linear")
    assert fit.status == "ok", [check.text for check in fit.diagnostics.failures]
    slopes = fit.summary("intermediate").query("estimand == 'slope'")
    assert set(slopes["group"]) == {"intermediate=P3", "intermediate=xP3", "intermediate=xP3mt"}
    assert isinstance(fit.estimates, pd.DataFrame)
