"""Claims on real posteriors: one small study with known truth, fitted on both scales."""

from __future__ import annotations

import numpy as np
import pytest

import gainlaw as gl
from gainlaw.claims import chance
from gainlaw.claims.chance import Chances
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.claims.verdict import verdicts_frame
from gainlaw.fitting import conditional
from gainlaw.posterior.levels import gain_curve
from gainlaw.scores.simulate import simulate_study

pytestmark = pytest.mark.slow

CLAIMS = """
[[claim]]
name = "shrinks"
claim = "slope < 0"
needs = { min_sizes = 3 }

[[claim]]
name = "by task"
claim = "gain(10B) < 20"
for_each = "task"

[[claim]]
name = "known tasks"
claim = "gain(1B)[task=task9] > 0"
"""


@pytest.fixture(scope="module")
def study():
    return simulate_study(
        3, n_tasks=2, n_languages=4, n_examples=500, sd_checkpoint=0.5, sd_checkpoint_task=0.3
    )


@pytest.fixture(scope="module")
def fit(study):
    # With a smooth departure, five sizes leave the slope on log-odds mostly to its prior.
    options = {"draws": 500, "tune": 300, "chains": 2, "seed": 1, "exclude": ["smooth"]}
    return gl.fit(study.evaluations.gains(scale="points"), **options)


@pytest.fixture(scope="module")
def saved(fit, tmp_path_factory):
    """The fit kept in a directory, so that its companion on log-odds is made once and found again."""
    return gl.load_fit(fit.save(tmp_path_factory.mktemp("claims") / "fit"))


@pytest.fixture(scope="module")
def verdict(saved):
    return gl.assess(saved, "slope < 0")


def test_the_verdict_repeats_the_estimate(fit, verdict):
    row = fit.estimates.query("estimand == 'slope' and level == 'overall'").iloc[0]
    assert verdict.estimate == pytest.approx(row["mean"], rel=1e-6)
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((row["ci_low"], row["ci_high"]), rel=0.02)
    assert verdict.probability == pytest.approx(row["p_negative"], abs=0.03)
    assert 0 < verdict.mcse < 0.01
    assert (verdict.n_checkpoints, verdict.n_sizes) == (5, 5)


def test_both_scales_are_judged_and_the_companion_is_kept(saved, verdict):
    assert [judgement.scale for judgement in verdict.judgements] == ["points", "log_odds"]
    assert np.isfinite(verdict.probability_log_odds)
    assert (saved.path / "scale_log_odds" / "fit.json").exists()
    other = gl.load_fit(saved.path / "scale_log_odds")
    below = float((gain_curve(other).slope() < 0).mean())
    assert verdict.probability_log_odds == pytest.approx(below, abs=0.03)
    again = verdicts_frame([gl.assess(saved, "slope < 0", other=other)])
    assert again.equals(verdicts_frame([verdict]))


def test_the_frequentist_line_agrees_with_the_posterior(study, verdict):
    line = verdict.companion
    assert line.method == "REML, Kenward-Roger"
    assert line.estimate == pytest.approx(verdict.estimate, abs=0.5)
    assert line.estimate == pytest.approx(study.overall_slope, abs=4 * line.se)
    assert 0.3 < line.se / ((verdict.ci_high - verdict.ci_low) / 3.92) < 2
    assert 1 - verdict.probability == pytest.approx(line.p, abs=0.05)


def test_bayes_factors_use_the_prior_of_the_fit(fit, verdict):
    prior = gain_curve(fit, prior=True).slope()
    assert "slope ~ normal(0, 10)" in verdict.prior_note
    assert f"sd {prior.std():.3g}" in verdict.prior_note
    assert np.isfinite(verdict.bayes_factor)
    assert verdict.bayes_factor > 1
    assert verdict.bayes_factor_direction > 1


def test_claims_are_linear_combinations_of_curves(saved):
    verdict = gl.assess(saved, "gain(10B)[task=task1] - 2 * slope < gain(1B)", both=False)
    exact = (
        gain_curve(saved, task="task1").gain(10e9)
        - 2 * gain_curve(saved).slope()
        - gain_curve(saved).gain(1e9)
    )
    assert verdict.estimate == pytest.approx(float(exact.mean()), rel=1e-6)
    share = float((exact < 0).mean())
    assert verdict.probability == pytest.approx(
        share, abs=4 * (max(share * (1 - share), 1 / len(exact)) / len(exact)) ** 0.5 + 1e-3
    )


def test_a_population_of_two_tasks_is_mostly_its_prior(saved):
    verdict = gl.assess(saved, "slope[population] < 0", both=False)
    assert verdict.verdict == "untested"
    assert "mostly its prior" in verdict.reason


def test_a_file_judges_and_says_what_is_missing(saved, study, tmp_path):
    path = tmp_path / "claims.toml"
    path.write_text(CLAIMS, encoding="utf-8")
    verdicts = gl.assess_file([saved], path)
    tasks = sorted(study.evaluations.frame["task"].unique())
    names = ["shrinks", *[f"by task [{task}]" for task in tasks], "known tasks"]
    frame = verdicts_frame(verdicts)
    assert frame["name"].tolist() == names
    assert verdicts[1].verdict == "supported"
    known = verdicts[-1]
    assert known.verdict == ("untested" if "task9" not in tasks else known.verdict)
    assert frame["companion_p_holm"].ge(frame["companion_p"]).where(frame["companion_p"].notna(), True).all()


@pytest.fixture(scope="module")
def seeds():
    """The packaged study, whose population slope is positive with a probability of about 0.974, by four seeds."""
    gains = gl.load_dataset("bloomz", intermediates="xP3").gains(scale="points")
    fewer = ["smooth", "language", "task_language", "checkpoint_language_family"]
    return [gl.fit(gains, law="linear", seed=seed, exclude=fewer) for seed in (1, 2, 3, 5)]


def test_all_seeds_give_one_verdict(seeds):
    claim = parse_claim("slope[population] > 0")
    first = [Chances(fit).once(claim).value for fit in seeds]
    # What the draws of a fit say is above it with some seeds and below it with others.
    threshold = (min(first) + max(first)) / 2
    found = [gl.assess(fit, "slope[population] > 0", both=False, threshold=threshold) for fit in seeds]
    assert len({verdict.verdict for verdict in found}) == 1
    p, errors = (np.array([getattr(verdict, name) for verdict in found]) for name in ("probability", "mcse"))
    assert errors.max() < 0.0005  # of 64,000 draws; 0.0014 of those of a fit
    assert np.ptp(p) < 5 * errors.max()


def test_the_error_of_a_probability_is_that_of_other_seeds(seeds):
    """Of a claim within the observed groups, by draws (abs of a difference of two) and given the hyperparameters."""
    for text in ("slope > 4", "abs(slope[population] - 6) < 3", "ratio(100B, 1B) < 2.5"):
        claim = parse_claim(text)
        found = [Chances(fit).once(claim) for fit in seeds]
        spread = np.std([each.value for each in found], ddof=1)
        error = np.mean([each.mcse for each in found])
        assert 0.05 * error < spread < 2.5 * error  # sd of four, and strata


def test_more_draws_take_a_bounded_work(fit, monkeypatch):
    """As many as the square of what each factorises allows; fewer than twice those of the fit are not worth it."""
    core = fit.problem.design.n_core
    for times, expected in ((1.9, None), (2.5, 2.5 * fit.n_draws)):
        monkeypatch.setattr(conditional, "_MOST_WORK", times * fit.n_draws * core**2)
        made = conditional.more_draws(fit, chance.MOST_DRAWS)
        assert (made and made.n_draws) == (expected and pytest.approx(expected, abs=4))
    claim = parse_claim("slope < 0")
    monkeypatch.setattr(conditional, "_MOST_WORK", 0.0)
    assert Chances(fit).of(claim, Chances(fit).once(claim).value) == Chances(fit).once(claim)


def test_more_draws_do_not_depend_on_the_seed(study, fit, monkeypatch):
    """A threshold that no draws tell from the probability: all draws are taken, and nothing is decided."""
    monkeypatch.setattr(chance, "_STAGES", (16_000,))
    options = {"draws": 500, "tune": 300, "chains": 2, "seed": 2, "exclude": ["smooth"]}
    other = gl.fit(study.evaluations.gains(scale="points"), **options)
    claim = parse_claim("slope < 0")
    once = Chances(fit).once(claim)
    found = [Chances(each).of(claim, once.value) for each in (fit, other)]
    assert found[0] == found[1]
    assert found[0].mcse < 0.8 * once.mcse
    assert abs(found[0].value - once.value) < 4 * once.mcse
    verdict = gl.assess(fit, "slope < 0", both=False, threshold=found[0].value)
    assert verdict.verdict == "inconclusive"
    assert "within two Monte Carlo errors" in verdict.note
