"""The frequentist line of a claim: its design, its contrasts, and what it refuses."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from gainlaw.claims.frequentist import _clusters, companion
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.frequentist.mixed import fit_mixed
from gainlaw.frequentist.small_sample import contrast_test
from gainlaw.laws import law
from gainlaw.model.spec.problem import specify
from gainlaw.model.spec.terms import choose_terms
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.simulate import simulate_study

SIZES = np.array([560e6, 1.1e9, 1.7e9, 3e9, 7.1e9, 176e9])
FAMILIES = {
    "sw": "Atlantic-Congo",
    "zu": "Atlantic-Congo",
    "tr": "Turkic",
    "kk": "Turkic",
    "en": "Indo-European",
}


def study(rng=None, *, sizes=SIZES, tasks=("a", "b", "c"), slopes=(1.0, 2.0, 6.0), noise=1.0, checkpoint=1.0):
    """Every task in every language on every checkpoint; the slope differs by task."""
    rng = rng or np.random.default_rng(1)
    rows = []
    for number, size in enumerate(sizes):
        shift = checkpoint * rng.normal()
        for task, slope in zip(tasks, slopes, strict=False):
            for language, family in FAMILIES.items():
                gain = 4 + slope * np.log10(size / 1e9) + shift + noise * rng.normal()
                rows.append((number, size, task, language, family, gain))
    columns = ["checkpoint", "params", "task", "language", "language_family", "gain"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.assign(checkpoint=frame["checkpoint"].map("m{}".format), se=noise)


def as_fit(frame, *, blocks=(), variance=None, law="linear", covariates=(), terms=None):
    x = np.log10(frame["params"].to_numpy() / 1e9)
    has_slope = law != "constant"
    chosen, _, residual = choose_terms(frame, x, has_slope=has_slope, include=terms)
    variance = frame["se"].to_numpy() ** 2 if variance is None else variance
    return SimpleNamespace(
        gains=SimpleNamespace(frame=frame, covariance=BlockCovariance(variance, blocks)),
        spec=SimpleNamespace(
            law=SimpleNamespace(
                name=law,
                has_slope=has_slope,
                parameters=("exponent",) if law == "offset_power" else (),
                centre=0.0,
            ),
            terms=chosen,
            dropped=(),
            residual=residual,
            covariates=covariates,
            joint=False,
        ),
    )


def line(fit, text):
    return companion(fit, parse_claim(text))


def test_overall_slope_is_the_regression_of_checkpoint_means():
    """Balanced data: the slope's error is the spread of checkpoints, on sizes - 2 degrees of freedom."""
    frame = study().assign(se=0.3)
    found = line(as_fit(frame, terms=["task", "checkpoint"]), "slope < 0")
    means = frame.groupby("checkpoint", sort=False)["gain"].mean().to_numpy()
    exact = stats.linregress(np.log10(SIZES / 1e9), means)
    assert found.status == "ok"
    assert found.estimate == pytest.approx(exact.slope, rel=1e-6)
    assert found.se == pytest.approx(exact.stderr, rel=1e-4)
    assert found.df == pytest.approx(4.0, rel=1e-3)
    assert found.p == pytest.approx(stats.t.cdf(exact.slope / exact.stderr, 4), rel=1e-2)
    assert found.cr2_df < 4
    assert found.cr2_status == "df below 4"
    assert np.isfinite(found.cr2_p)


def test_direction_of_p():
    fit = as_fit(study(), terms=["task", "checkpoint"])
    up, down = line(fit, "slope > 0"), line(fit, "slope < 0")
    assert up.p < 0.05 < 0.95 < down.p
    assert up.p + down.p == pytest.approx(1.0)
    assert up.cr2_p + down.cr2_p == pytest.approx(1.0)
    assert line(fit, "0 > slope").p == pytest.approx(down.p)
    assert line(fit, "0 > slope").estimate == pytest.approx(-up.estimate)


def test_contrast_within_checkpoints_is_sharper_than_between():
    fit = as_fit(study(checkpoint=5.0), terms=["task", "checkpoint"])
    within, between = line(fit, "slope[task=a] < slope[task=c]"), line(fit, "slope[task=a] < 0")
    assert within.se < between.se / 2
    assert within.df > 20 > 5 > between.df
    assert within.estimate == pytest.approx(-5.0, abs=1.0)
    assert within.p < 1e-4


def test_the_same_numbers_as_the_model_written_by_hand():
    frame = study(np.random.default_rng(2))
    frame = frame[~((frame["task"] == "c") & (frame["language"] == "en"))].reset_index(drop=True)
    fit = as_fit(frame, terms=["task", "checkpoint", "language_family"])
    x = np.log10(frame["params"].to_numpy() / 1e9)
    task = pd.get_dummies(frame["task"]).to_numpy(float)
    family = pd.get_dummies(frame["language_family"]).to_numpy(float)
    point = pd.get_dummies(frame["checkpoint"]).to_numpy(float)
    X = np.column_stack([task, family[:, 1:], task * x[:, None], family[:, 1:] * x[:, None]])
    mixed = fit_mixed(frame["gain"], X, [point], S=frame["se"] ** 2)
    # every language counts the same: two are Atlantic-Congo, one is Indo-European, two are Turkic
    average = [1 / 3, 1 / 3, 1 / 3, 1 / 5, 2 / 5]
    hand = contrast_test(mixed, [*average, *average], null=1.0)
    found = line(fit, "gain(10e9) < 1")
    assert found.estimate == pytest.approx(hand.estimate - 1, rel=1e-5)
    assert (found.se, found.df) == pytest.approx((hand.se, hand.df), rel=1e-3)
    assert found.p == pytest.approx(hand.p_less, rel=1e-2)


def test_population_is_wider_than_the_groups_observed():
    fit = as_fit(study(noise=0.5, checkpoint=0.2), terms=["task", "checkpoint"])
    overall, population = line(fit, "slope > 0"), line(fit, "slope[population] > 0")
    assert population.estimate == pytest.approx(overall.estimate, abs=0.1)
    assert population.se > 3 * overall.se
    assert population.df < 4


def test_language_takes_the_slope_of_its_family():
    frame = study()
    turkic = frame["language_family"] == "Turkic"
    frame["gain"] += np.where(turkic, 3 * np.log10(frame["params"] / 1e9), 0.0)
    fit = as_fit(frame, terms=["task", "language_family", "checkpoint"])
    gap = line(fit, "slope[language_family=Turkic] < slope[language_family=Atlantic-Congo]")
    assert gap.estimate == pytest.approx(3.0, abs=0.8)
    assert gap.p > 0.99
    fit = as_fit(frame, terms=["task", "language_family", "language", "checkpoint"])
    for_language = line(fit, "slope[language=kk] < slope[language=zu]")
    assert for_language.estimate == pytest.approx(3.0, abs=1.5)


def test_rows_that_share_a_baseline_are_not_independent():
    """Two intermediates against one baseline: noise in it moves both gains, and their mean the more."""
    frame = pd.concat([study().assign(intermediate=name) for name in ("P3", "xP3")], ignore_index=True)
    frame["gain"] = study(np.random.default_rng(5))["gain"].tolist() * 2
    frame["gain"] += 0.2 * np.random.default_rng(6).normal(size=len(frame))
    half = len(frame) // 2
    shared = 0.9 * np.ones((2, 2)) + 0.1 * np.eye(2)
    blocks = tuple((np.array([k, k + half]), shared) for k in range(half))
    terms = ["task", "intermediate", "checkpoint"]
    text = "gain(1e9)[intermediate=P3] < gain(1e9)[intermediate=xP3]"
    known, ignored = (line(as_fit(frame, blocks=b, terms=terms), text) for b in (blocks, ()))
    assert known.se < 0.6 * ignored.se


def test_checkpoints_with_errors_in_common_are_one_cluster():
    """One baseline for two checkpoints: their rows are not independent, and CR2 counts them as one."""
    frame = study(sizes=SIZES[:6])
    first, second = (np.flatnonzero(frame["checkpoint"] == name)[:1] for name in ("m0", "m1"))
    blocks = ((np.concatenate([first, second]), np.array([[1.0, 0.5], [0.5, 1.0]])),)
    alone, joined = (as_fit(frame, blocks=b, terms=["task", "checkpoint"]) for b in ((), blocks))
    assert np.unique(_clusters(alone.gains)).size == 6
    assert np.unique(_clusters(joined.gains)).size == 5
    assert line(joined, "slope < 0").cr2_df < line(alone, "slope < 0").cr2_df
    # All checkpoints in one: there is no replicate left.
    every = (
        np.array([np.flatnonzero(frame["checkpoint"] == f"m{k}")[0] for k in range(6)]),
        0.5 * np.eye(6) + 0.5,
    )
    assert line(as_fit(frame, blocks=(every,), terms=["task", "checkpoint"]), "slope < 0").cr2_status == (
        "too few clusters"
    )


def test_equivalence_by_two_one_sided_tests():
    fit = as_fit(study(slopes=(0.0, 0.0, 0.0), noise=0.3, checkpoint=0.1), terms=["task", "checkpoint"])
    near, far = line(fit, "abs(slope) < 1"), line(fit, "abs(gain(1e9) - 2) < 1")
    assert near.method == "REML, Kenward-Roger, two one-sided tests"
    assert near.p < 0.01
    assert near.cr2_p < 0.05
    assert far.estimate == pytest.approx(2.0, abs=0.3)
    assert far.p > 0.99


def test_covariates():
    frame = study().assign(seen=lambda f: (f["language"] != "sw").astype(float))
    frame["gain"] += 2 * frame["seen"]
    found = line(
        as_fit(frame, terms=["task", "checkpoint"], covariates=("seen",)), "effect[covariate=seen] > 0"
    )
    assert found.estimate == pytest.approx(2.0, abs=0.8)
    assert found.p < 0.01
    languages = line(
        as_fit(frame, terms=["task", "language_family", "language", "checkpoint"], covariates=("seen",)),
        "effect[covariate=seen] > 0",
    )
    assert languages.estimate == pytest.approx(found.estimate, abs=0.5)
    assert languages.se > 1.2 * found.se
    assert languages.df < 4
    assert line(as_fit(frame), "effect[covariate=seen] > 0").status == "the fit has no covariate seen"


@pytest.mark.parametrize(
    ("text", "law", "reason"),
    [
        ("ratio(1e9, 10e9) > 1", "linear", "not linear"),
        ("max(slope[task=a], slope[task=b]) < 0", "linear", "not linear"),
        ("abs(slope) > 1", "linear", "not linear"),
        ("slope < 0", "offset_power", "no linear mixed model for the law offset_power"),
        ("slope < 0", "constant", "the law has no slope"),
        ("slope[task=z] < 0", "linear", "task 'z' is not in the fit"),
    ],
)
def test_claims_without_a_line_say_why(text, law, reason):
    found = line(as_fit(study(), law=law, terms=["task", "checkpoint"]), text)
    assert found.method == "none"
    assert reason in found.status
    assert np.isnan([found.p, found.df, found.cr2_p]).all()
    assert "no test" in str(found)


def test_a_group_at_one_size_has_no_slope_of_its_own():
    frame = study().assign(intermediate="xP3")
    more = frame[frame["params"] == SIZES[-1]].assign(intermediate="P3")
    frame = pd.concat([frame, more], ignore_index=True)
    fit = as_fit(frame, terms=["task", "intermediate", "checkpoint"])
    assert not next(term for term in fit.spec.terms if term.name == "intermediate").slope
    gap = line(fit, "gain(176e9)[intermediate=P3] < gain(176e9)[intermediate=xP3]")
    assert gap.estimate == pytest.approx(0.0, abs=0.1)
    assert gap.se < line(fit, "gain(176e9)[intermediate=xP3] < 1").se


def test_two_checkpoints_give_no_test_of_the_slope():
    found = line(as_fit(study(sizes=SIZES[:2]), terms=["task", "checkpoint"]), "slope > 0")
    assert found.status == "no df"
    assert np.isfinite(found.estimate)
    assert np.isnan([found.df, found.p, found.cr2_p]).all()


def test_gains_without_sizes():
    """Eight schools: one intercept, known standard errors, schools random."""
    y, se = [28.0, 8, -3, 7, -1, 1, 18, 12], [15.0, 10, 16, 11, 9, 11, 10, 18]
    frame = pd.DataFrame({"task": list("ABCDEFGH"), "gain": y, "se": se, "params": np.nan, "checkpoint": ""})
    found = line(as_fit(frame, law="constant"), "gain(1e9)[population] > 0")
    assert found.estimate == pytest.approx(7.686, abs=1e-3)
    assert found.se >= 4.07
    assert found.status == "boundary"
    assert found.cr2_status == "too few clusters"


def test_intervals_cover_the_true_slope():
    """60 studies with checkpoint effects: the t intervals of both methods cover the overall slope."""
    inside = np.zeros(2)
    for seed in range(60):
        truth = simulate_study(seed, n_tasks=2, n_languages=4, n_examples=500)
        gains = truth.evaluations.gains(scale="points")
        found = line(SimpleNamespace(spec=specify(gains, law("linear")), gains=gains), "slope < 0")
        error = found.estimate - truth.overall_slope
        for k, (se, df) in enumerate([(found.se, found.df), (found.cr2_se, found.cr2_df)]):
            inside[k] += abs(error / se) < stats.t.ppf(0.975, df)
    assert (inside / 60 >= 0.88).all()
