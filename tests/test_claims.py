"""Judging claims: draws to probabilities, two scales to verdicts, fits to choose from, files to lists."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from scipy.special import ndtr

from gainlaw.claims.assessment import assess, assess_file
from gainlaw.claims.decision import VERDICTS, decide
from gainlaw.claims.density import bayes_factor, density_at, directional_factor
from gainlaw.claims.evaluate import evaluate, holds, probability
from gainlaw.claims.grammar.certain import refuse_certain
from gainlaw.claims.grammar.file import read_claims
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.claims.rows import Needs, missing_rows
from gainlaw.claims.verdict import Companion, verdicts_frame, write_verdicts
from gainlaw.errors import InputError
from gainlaw.model.spec.terms import choose_terms
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.tables.verdicts import claims_table

DRAWS = 4000
SIZES = (560e6, 1.1e9, 1.7e9, 3e9, 7.1e9, 176e9)


class Line:
    """A linear curve with known draws of gain at 1e9 and slope."""

    def __init__(self, level, tilt):
        self.level, self.tilt = level, tilt

    def slope(self):
        return self.tilt

    def gain(self, params):
        return self.level + self.tilt * np.log10(params / 1e9)

    def ratio(self, first, second):
        return self.gain(first) / self.gain(second)

    def crossing(self, threshold):
        with np.errstate(over="ignore"):
            size = 1e9 * 10 ** ((threshold - self.level) / self.tilt)
        return np.where(self.tilt < 0, size, np.nan)


class Rows(SimpleNamespace):
    """A stand-in for gains without scores."""

    def __init__(self, frame, covariance):
        super().__init__(frame=frame, covariance=covariance)

    def to_scale(self, scale):
        raise InputError("the scores behind the gains are not known")


def make_fit(scale="points", lines=None, frame=None, status="ok", law="linear", covariates=(), prior_sd=10.0):
    """A stand-in for a fit: draws by group, a frame of gains, no terms."""
    rng = np.random.default_rng(0)
    if frame is None:
        frame = pd.DataFrame(
            [
                {"task": task, "language": language, "intermediate": "xP3", "params": size}
                for task in ("xnli", "xcopa")
                for language in ("sw", "tr")
                for size in SIZES
            ]
        )
        frame["checkpoint"] = frame["params"].map(str)
        frame["language_family"] = frame["language"].map({"sw": "Atlantic-Congo", "tr": "Turkic"})
        frame["model_family"] = "BLOOM"
    x = np.log10(frame["params"].to_numpy() / 1e9)
    frame = frame.assign(gain=5.0 - 3.0 * x + rng.normal(size=len(frame)), se=1.0)
    for name in covariates:
        frame[name] = (frame["language"] == "sw").astype(float)
    terms, dropped, residual = choose_terms(frame, x, has_slope=law != "constant")
    lines = lines or {(): (5.0, -3.0, 1.0)}
    return SimpleNamespace(
        scale=scale,
        unit={"points": "points", "log_odds": "log-odds"}[scale],
        lines={key: draw_line(value, seed) for seed, (key, value) in enumerate(lines.items(), start=7)},
        prior_lines={key: draw_line((0.0, 0.0, prior_sd), seed) for seed, key in enumerate(lines, start=3)},
        n_chains=4,
        importance_ess=None,
        gains=Rows(frame, BlockCovariance(np.ones(len(frame)), ())),
        spec=SimpleNamespace(
            law=SimpleNamespace(name=law, has_slope=law != "constant", parameters=(), members=(), centre=0.0),
            terms=terms,
            dropped=dropped,
            covariates=covariates,
            residual=residual,
            joint=False,
            priors={"intercept": "normal(0, 20)", "slope": "normal(0, 10)"},
        ),
        status=status,
        n_checkpoints=frame["checkpoint"].nunique(),
        n_sizes=frame["params"].nunique(),
    )


def draw_line(value, seed):
    level, tilt, sd = value
    rng = np.random.default_rng(seed)
    return Line(level + sd * rng.normal(size=DRAWS), tilt + sd * rng.normal(size=DRAWS))


@pytest.fixture(autouse=True)
def fake_curves(monkeypatch):
    """Let the claims read the stand-ins' lines."""

    def curve(fit, level=None, *, prior=False, **group):
        assert level is None or not group
        lines = fit.prior_lines if prior else fit.lines
        key = (level,) if level == "population" else tuple(sorted(group.items()))
        return lines.get(key, lines[()])

    def no_other(fit, scale=None):
        return None

    def covariate_effect(fit, name, *, prior=False):
        return np.random.default_rng(1).normal(size=DRAWS) if prior else np.full(DRAWS, 2.0)

    monkeypatch.setattr("gainlaw.fitting.companion.other_scale_fit", no_other)
    # Stand-ins have draws but no model: their Bayes factors are estimated from the draws.
    monkeypatch.setattr("gainlaw.fitting.point_null.PointNulls.factor", lambda *given: None)
    # Their probabilities too, of which they have no more.
    monkeypatch.setattr("gainlaw.fitting.conditional.Conditional.inside", lambda *given: None)
    monkeypatch.setattr("gainlaw.fitting.conditional.more_draws", lambda *given: None)
    # Nor do they know of their priors.
    monkeypatch.setattr("gainlaw.posterior.shares.prior_widening", lambda fit: np.zeros(DRAWS))
    monkeypatch.setattr("gainlaw.posterior.shares.narrower_baselines", lambda fit: None)
    # Last: modules that are loaded on the way take the names as they are.
    monkeypatch.setattr("gainlaw.posterior.levels.gain_curve", curve)
    monkeypatch.setattr("gainlaw.posterior.curves.covariate_effect", covariate_effect)


# --- draws -----------------------------------------------------------------------------------------------


def test_expressions_are_evaluated_draw_by_draw():
    draws = {"slope": np.array([-1.0, 2.0, -4.0]), "gain": np.array([1.0, -2.0, 0.0])}

    def value(text):
        return evaluate(parse_claim(f"{text} < slope").left, lambda term: draws[term.name]).tolist()

    assert value("2 * slope - 1") == [-3.0, 3.0, -9.0]
    assert value("abs(slope) / 2") == [0.5, 1.0, 2.0]
    assert value("-(slope + gain(1e9))") == [0.0, 0.0, 4.0]
    assert value("min(slope, gain(1e9), 0.5)") == [-1.0, -2.0, -4.0]
    assert value("max(slope, -2)") == [-1.0, 2.0, -2.0]
    assert np.isnan(value("slope / gain(1e9)")).tolist() == [False, False, True]


def test_all_draws_are_aligned():
    """slope < slope is never true, whatever the spread."""
    draws = np.random.default_rng(1).normal(size=100)
    assert not holds(parse_claim("slope < slope"), lambda term: draws)[0].any()


def test_probability_and_its_error():
    rng = np.random.default_rng(2)
    independent = rng.normal(size=4000)
    p = probability(independent < 1, independent - 1, chains=4)
    assert p.value == pytest.approx(0.841, abs=0.02)
    assert p.mcse == pytest.approx((0.841 * 0.159 / 4000) ** 0.5, rel=0.3)
    sticky = np.repeat(rng.normal(size=200), 20)
    assert probability(sticky < 1, sticky - 1, chains=4).mcse > 3 * p.mcse
    certain = probability(np.ones(1000, dtype=bool), np.zeros(1000), chains=4)
    assert certain.value == 1.0
    assert 0 < certain.mcse < 0.001


# --- the rule --------------------------------------------------------------------------------------------

RULE = [
    ((0.99,), "supported"),
    ((0.975,), "supported"),
    ((0.97,), "inconclusive"),
    ((0.025,), "refuted"),
    ((0.03,), "inconclusive"),
    ((0.99, 0.98), "supported"),
    ((0.01, 0.02), "refuted"),
    ((0.5, 0.9), "inconclusive"),
    ((0.99, 0.6), "supported on one scale"),
    ((0.6, 0.99), "supported on one scale"),
    ((0.4, 0.01), "refuted on one scale"),
    ((0.01, 0.4), "refuted on one scale"),
    ((0.99, 0.4), "inconclusive"),
    ((0.6, 0.01), "inconclusive"),
    ((0.99, 0.01), "scale-dependent"),
    ((0.01, 0.99), "scale-dependent"),
]


@pytest.mark.parametrize(("probabilities", "expected"), RULE)
def test_decision_rule(probabilities, expected):
    scales = ["points", "log_odds"][: len(probabilities)]
    found = decide([(scale, p, 0.0) for scale, p in zip(scales, probabilities, strict=True)], 0.975)
    assert found.word == expected
    assert found.word in VERDICTS
    assert len(found.words) == len(probabilities)
    assert bool(found.note) == (len(set(found.words)) == 2)
    assert bool(found.decided_on) == ("one scale" in expected)
    if found.decided_on:
        sure = found.words[scales.index(found.decided_on)]
        assert sure == expected.split()[0]
    turned = decide([(scale, 1 - p, 0.0) for scale, p in zip(scales, probabilities, strict=True)], 0.975)
    swap = {"supported": "refuted", "refuted": "supported"}
    assert turned.word == " ".join(
        [swap.get(expected.split()[0], expected.split()[0]), *expected.split()[1:]]
    )


def test_scales_that_do_not_say_the_same_are_quoted():
    assert decide([("points", 0.9995, 0.0), ("log_odds", 0.01, 0.0)], 0.975).note == (
        "supported on points (P > 0.999), refuted on log-odds (P = 0.01)"
    )
    leaning = decide([("points", 0.99, 0.0), ("log_odds", 0.3, 0.0)], 0.975)
    assert "lean in opposite directions" in leaning.note


@pytest.mark.parametrize(("p", "error"), [(0.976, 0.001), (0.974, 0.001), (0.024, 0.001), (0.98, 0.003)])
def test_within_two_errors_of_the_threshold_nothing_is_decided(p, error):
    found = decide([("points", p, error)], 0.975)
    assert found.word == "inconclusive"
    assert "within two Monte Carlo errors" in found.note
    sharper = decide([("points", p, error / 10)], 0.975)
    assert sharper.note == ""
    assert (sharper.word == "inconclusive") == (0.025 < p < 0.975)


@pytest.mark.parametrize("noise", [1.0, 0.2])
def test_a_constant_log_odds_gain_is_rarely_called_decisive(noise):
    """Where the slope on log-odds is 0 and the posterior calibrated, few runs find one direction on both."""
    rng = np.random.default_rng(5)
    decisive = 0
    for _ in range(4000):
        centre = noise * rng.normal()
        below = float(ndtr(-centre / noise))
        verdict = decide([("points", 0.9999, 0.0), ("log_odds", below, 0.0)], 0.975).word
        decisive += verdict in ("supported", "refuted")
    assert decisive / 4000 < 0.035


# --- one claim -------------------------------------------------------------------------------------------


def test_one_scale_when_the_other_is_out_of_reach():
    verdict = assess(make_fit(), "slope < 0")
    assert verdict.verdict == "supported"
    assert verdict.probability == verdict.probability_points > 0.99
    assert np.isnan(verdict.probability_log_odds)
    assert "on points alone: the scores behind the gains are not known" in verdict.note
    assert verdict.estimate == pytest.approx(-3.0, abs=0.1)
    assert (verdict.ci_low, verdict.ci_high) == pytest.approx((-4.96, -1.04), abs=0.2)
    assert (verdict.unit, verdict.n_checkpoints, verdict.n_sizes) == ("points per decade", 6, 6)


@pytest.mark.parametrize(
    ("tilt", "expected", "note"),
    [
        (-1.0, "supported", ""),
        (-0.02, "supported on one scale", "supported on points"),
        (0.05, "inconclusive", "lean in opposite directions"),
        (1.0, "scale-dependent", "refuted on log-odds"),
    ],
)
def test_two_scales(tilt, expected, note):
    other = make_fit("log_odds", {(): (0.5, tilt, 0.1)})
    verdict = assess(make_fit(), "slope < 0", other=other)
    assert verdict.verdict == expected
    assert note in verdict.note
    assert [j.scale for j in verdict.judgements] == ["points", "log_odds"]
    assert verdict.scale == "points"


def test_a_fit_on_log_odds_comes_second():
    verdict = assess(make_fit("log_odds", {(): (0.5, -1.0, 0.1)}), "slope < 0", other=make_fit())
    assert verdict.scale == "points"
    assert verdict.unit == "points per decade"
    assert verdict.probability_log_odds > 0.99


def test_the_other_fit_is_made_when_it_is_missing(monkeypatch):
    made = []

    def other(fit, scale=None):
        made.append(scale)
        return make_fit(scale, {(): (0.5, 1.0, 0.1)})

    monkeypatch.setattr("gainlaw.fitting.companion.other_scale_fit", other)
    assert assess(make_fit(), "slope < 0").verdict == "scale-dependent"
    assert made == ["log_odds"]
    assert assess(make_fit(), "slope < 0", both=False).verdict == "supported"
    assert assess(make_fit(), "gain(1e9) < 1").verdict == "refuted"
    assert made == ["log_odds"]


def test_a_number_binds_a_claim_to_points():
    fit, other = make_fit(), make_fit("log_odds", {(): (0.5, -1.0, 0.1)})
    verdict = assess(fit, "gain(1e9) < 1", other=other)
    assert verdict.verdict == "refuted"
    assert np.isnan(verdict.probability_log_odds)
    assert "in points" in verdict.note
    twin = assess(fit, "gain(1e9) < 1", other=other, log_odds="gain(1e9) < 1")
    assert twin.verdict == "scale-dependent"
    assert twin.probability_log_odds > 0.99


def test_a_number_in_points_without_a_fit_on_points():
    verdict = assess(make_fit("log_odds", {(): (0.5, -1.0, 0.1)}), "gain(1e9) < 1")
    assert verdict.verdict == "untested"
    assert verdict.reason == "gains on points (the scores behind the gains are not known)"


def test_one_scale_on_request():
    verdict = assess(make_fit(), "slope < 0", scale="points", other=make_fit("log_odds", {(): (0, 1.0, 0.1)}))
    assert verdict.verdict == "supported"
    assert "on points alone, as asked" in verdict.note


def test_groups_and_levels_are_told_apart():
    fit = make_fit(
        lines={
            (): (5.0, -3.0, 0.1),
            ("population",): (5.0, 3.0, 0.1),
            (("task", "xnli"),): (5.0, -1.0, 0.1),
            (("task", "xcopa"),): (5.0, -2.0, 0.1),
        }
    )
    assert assess(fit, "slope[population] < 0").verdict == "refuted"
    assert assess(fit, "slope[task=xcopa] < slope[task=xnli]").verdict == "supported"
    assert assess(fit, "slope[task=xcopa] < slope[task=xnli]").estimate == pytest.approx(-1.0, abs=0.02)


def test_practical_equivalence():
    fit = make_fit(lines={(): (5.0, 0.1, 0.2)})
    verdict = assess(fit, "slope < 0")
    assert (verdict.verdict, verdict.rope, verdict.negligible) == ("inconclusive", 1.0, True)
    assert verdict.p_rope > 0.99
    assert assess(fit, "slope < 0", rope=0.1).p_rope < 0.6
    assert assess(fit, "slope < 0", rope={"log_odds": 0.1}).rope != 0.1
    assert np.isnan(assess(fit, "abs(slope) < 1").rope)
    assert assess(fit, "abs(slope) < 1").verdict == "supported"


def test_crossings_that_do_not_exist_count_against_the_claim():
    fit = make_fit(lines={(): (5.0, -3.0, 2.0)})
    verdict = assess(fit, "crossing(1) < 1e12")
    rising = float((fit.lines[()].tilt >= 0).mean())
    assert "no value in" in verdict.note
    assert verdict.probability <= 1 - rising
    assert verdict.unit == "parameters"
    assert np.isfinite(verdict.estimate)


def test_ratio():
    verdict = assess(make_fit(lines={(): (5.0, -3.0, 0.1)}), "ratio(1e9, 10e9) > 1")
    assert verdict.verdict == "supported"
    assert verdict.estimate == pytest.approx(1.5, abs=0.05)
    assert np.isnan(verdict.bayes_factor)
    assert verdict.bayes_factor_direction > 1
    assert verdict.unit == ""


def test_extrapolation_and_failed_diagnostics_are_said():
    verdict = assess(make_fit(status="failed"), "gain(1e12) < 1")
    assert "1T lies outside the sizes seen (560M to 176B)" in verdict.note
    assert "diagnostics of the fit on points failed" in verdict.note
    assert "outside" not in assess(make_fit(), "gain(10e9) < 1").note


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("gain(1e13) < 1", "10T lies more than a decade beyond the sizes observed (560M to 176B)"),
        ("gain(1K) > gain(1e13)", "1000, 10T lie more than a decade"),
        ("ratio(1e18, 1e9) < 1", "1e+18 lies more than"),
        ("crossing(0) < 1e18", "1e+18 lies more than"),
        ("2 * crossing(0) < 1e13", "5T lies more than"),
        ("crossing(-100) > 1e9", "crossing(-100) lies at 1e+44 parameters, more than a decade beyond"),
    ],
)
def test_sizes_decades_beyond_those_observed_are_untested(text, reason):
    verdict = assess(make_fit(lines={(): (5.0, -3.0, 0.01)}), text)
    assert verdict.verdict == "untested"
    assert reason in verdict.reason
    assert np.isnan(verdict.probability)


def test_a_quotient_needs_a_denominator_of_known_sign():
    """The same statement as a quotient and as a difference: never two answers."""
    unsure = make_fit(lines={(): (0.5, -3.0, 0.5)})
    for text in ("ratio(10e9, 1e9) < 0.5", "gain(10e9) / gain(1e9) < 0.5", "gain(10B) / abs(-gain(1B)) < 1"):
        verdict = assess(unsure, text)
        if "abs" in text:
            assert verdict.verdict != "untested"
            continue
        assert verdict.verdict == "untested"
        assert "the denominator gain(1B) is positive with P = 0.8" in verdict.reason
    sure = make_fit(lines={(): (5.0, -3.0, 0.1)})
    quotient, difference = (assess(sure, t) for t in ("ratio(10B, 1B) < 0.5", "gain(10B) < 0.5 * gain(1B)"))
    assert quotient.verdict == difference.verdict == "supported"


def test_a_difference_that_the_model_fixes_is_untested():
    same = (5.0, -3.0, 0.1)
    fit = make_fit(lines={(): same})
    verdict = assess(fit, "slope[task=xnli] < slope[task=xcopa]")  # one line for all
    assert verdict.verdict == "untested"
    assert "no such difference" in verdict.reason


def test_a_difference_that_is_mostly_its_prior_is_untested(monkeypatch):
    share = {"points": 0.3, "log_odds": 0.8}
    monkeypatch.setattr("gainlaw.posterior.shares.prior_widening", lambda fit: fit.scale)
    monkeypatch.setattr("gainlaw.posterior.shares.prior_share", lambda draws, scale: share[scale])
    verdict = assess(make_fit(), "slope < 0", other=make_fit("log_odds", {(): (0.5, 1.0, 0.1)}))
    assert verdict.verdict == "supported"
    assert "on points alone: the difference is mostly its prior (80%)" in verdict.note
    share["points"] = 0.6
    verdict = assess(make_fit(), "slope < 0")
    assert verdict.verdict == "untested"
    assert "mostly its prior (60%)" in verdict.reason


CERTAIN = [
    ("slope < slope", "false"),
    ("slope <= slope", "true"),
    ("slope - slope < 1", "true"),
    ("gain(1B) < gain(1B) + 1", "true"),
    ("abs(slope) >= 0", "true"),
    ("abs(slope) < 0", "false"),
    ("-abs(slope) > 1", "false"),
    ("max(slope, 0) >= 0", "true"),
    ("min(slope, 2) > 3", "false"),
    ("gain(1B) / gain(1B) < 2", "true"),
    ("crossing(0) > 0", "true"),
    ("0 * slope < 1", "true"),
    ("slope * slope >= 0", "true"),
    ("ratio(10B, 1B) < ratio(10B, 1B)", "false"),
]


@pytest.mark.parametrize(("text", "word"), CERTAIN)
def test_claims_that_no_data_could_contradict_are_refused(text, word, tmp_path):
    with pytest.raises(InputError, match=f"is {word} whatever the data say"):
        assess(make_fit(), text)
    with pytest.raises(InputError, match=f"claim 'a': claim: .* is {word} whatever"):
        read_claims(write(tmp_path, f'[[claim]]\nname = "a"\nclaim = "{text}"\n'))


@pytest.mark.parametrize(
    "text",
    ["slope < gain(1B)", "abs(slope) < 1", "max(slope, 0) > 1", "ratio(10B, 1B) < 0.5", "crossing(0) > 1B",
     "min(slope, gain(1B)) > 0", "2 * slope < slope", "slope / gain(1B) < 1", "slope * gain(1B) > 0"],
)  # fmt: skip
def test_claims_that_data_decide_are_not(text):
    refuse_certain(parse_claim(text))


def test_the_frequentist_line_that_disagrees_stands_in_the_row(monkeypatch):
    import gainlaw.claims.assessment

    def says(p):
        line = Companion("REML, Kenward-Roger", "ok", 1.0, 1.0, 1.0, p)
        monkeypatch.setattr(gainlaw.claims.assessment, "companion", lambda *given: line)
        return assess(make_fit(lines={(): (5.0, 3.0, 1.0)}), "slope < 0")

    verdict = says(0.94)
    assert verdict.verdict == "refuted"
    assert "REML, Kenward-Roger does not decide (p = 0.94)" in verdict.note
    assert verdicts_frame([verdict])["companion_verdict"].tolist() == ["inconclusive"]
    assert "REML, Kenward-Roger does not decide" in claims_table([verdict]).to_markdown()
    assert "supports it (p = 0.001)" in says(0.001).note
    assert "REML" not in says(0.99).note
    assert "REML" not in says(float("nan")).note


def test_covariate_effects():
    verdict = assess(make_fit(covariates=("unseen",)), "effect[covariate=unseen] > 0")
    assert (verdict.verdict, verdict.estimate) == ("supported", 2.0)
    assert assess(make_fit(), "effect[covariate=unseen] > 0").reason == "a fit with the covariate unseen"


def test_threshold():
    fit = make_fit(lines={(): (5.0, -1.3, 1.0)})
    assert assess(fit, "slope < 0").verdict == "inconclusive"
    assert assess(fit, "slope < 0", threshold=0.8).verdict == "supported"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": 0.5}, "threshold is 0.5"),
        ({"threshold": 1.0}, "threshold is 1.0"),
        ({"ci_prob": 0.0}, "ci_prob is 0.0"),
        ({"rope": -1.0}, "rope is -1.0"),
        ({"rope": {"percent": 1.0}}, "rope is 'percent'"),
        ({"scale": "percent"}, "scale is 'percent'"),
    ],
)
def test_options_out_of_range(options, message):
    with pytest.raises(InputError, match=message):
        assess(make_fit(), "slope < 0", **options)


# --- what is missing -------------------------------------------------------------------------------------


def test_missing_groups_are_named():
    fit = make_fit()
    assert missing_rows(fit, parse_claim("slope < 0")) == ()
    assert missing_rows(fit, parse_claim("slope[task=pawsx] < slope[task=xnli]")) == (
        "rows with task = pawsx (there: xcopa, xnli)",
    )
    del fit.gains.frame["language_family"]
    assert missing_rows(fit, parse_claim("slope[language_family=Turkic] < 0")) == (
        "column language_family (needed: Turkic)",
    )
    assert assess(fit, "slope[task=pawsx] < 0").verdict == "untested"


def test_cells_that_were_never_observed_are_missing():
    frame = make_fit().gains.frame
    fit = make_fit(
        frame=frame[~((frame["task"] == "xcopa") & (frame["language"] == "sw"))].reset_index(drop=True)
    )
    assert missing_rows(fit, parse_claim("gain(1B)[task=xcopa, language=sw] > 0")) == (
        "rows with task = xcopa and language = sw together (each was observed, the two never)",
    )
    assert missing_rows(fit, parse_claim("gain(1B)[task=xnli, language=sw] > 0")) == ()
    assert assess(fit, "gain(1B)[task=xcopa, language=sw] > 0").verdict == "untested"


def test_a_group_seen_at_one_size_has_no_slope():
    frame = make_fit().gains.frame
    fit = make_fit(frame=frame[(frame["task"] == "xnli") | (frame["params"] > 1e11)].reset_index(drop=True))
    lacks = missing_rows(fit, parse_claim("slope[task=xcopa] < 0"))
    assert "2 model sizes among the rows with task = xcopa (there: 1)" in lacks
    assert missing_rows(fit, parse_claim("gain(1B)[task=xcopa] < 0")) == ()


def test_needs():
    needs = Needs(
        tasks=("xnli", "bucc", "tatoeba"), model_families=("XLM-R",), min_sizes=7, min_checkpoints=9
    )
    lacks = missing_rows(make_fit(), parse_claim("slope < 0"), needs)
    assert lacks == (
        "rows with task = bucc, tatoeba (there: xcopa, xnli)",
        "rows with model_family = XLM-R (there: BLOOM)",
        "7 model sizes (there: 6)",
        "9 checkpoints (there: 6)",
    )


def test_one_size_has_no_slope():
    fit = make_fit()
    fit.gains.frame = fit.gains.frame.assign(params=1e9)
    assert missing_rows(fit, parse_claim("slope < 0")) == ("2 model sizes (there: 1)",)
    assert missing_rows(fit, parse_claim("gain(1e9) > 0")) == ()
    constant = make_fit(law="constant")
    assert missing_rows(constant, parse_claim("slope < 0")) == (
        "a fit with a slope (the law of this one is constant)",
    )


def mixed_frame():
    frame = make_fit().gains.frame
    more = frame[frame["params"] > 5e9]
    both = [frame, more.assign(intermediate="P3"), more.assign(intermediate="xP3mt")]
    return pd.concat(both, ignore_index=True)


def test_where_refuses_a_mixture_unless_the_claim_picks():
    mixture = make_fit(frame=mixed_frame())
    only = (("intermediate", ("xP3",)),)
    assert missing_rows(mixture, parse_claim("slope < 0"), where=only) == (
        "a fit on rows with intermediate = xP3 alone (this one mixes in P3, xP3mt)",
    )
    assert missing_rows(mixture, parse_claim("slope[intermediate=xP3] < 0"), where=only) == ()
    assert missing_rows(make_fit(), parse_claim("slope < 0"), where=only) == ()
    absent = missing_rows(make_fit(), parse_claim("slope < 0"), where=(("intermediate", ("P3",)),))
    assert absent == ("rows with intermediate = P3 (there: xP3)",)
    column = missing_rows(make_fit(), parse_claim("slope < 0"), where=(("prompt", ("a",)),))
    assert column == ("rows with prompt = a (there is no column prompt)",)


def test_where_narrows_what_needs_looks_at():
    needs = Needs(min_sizes=3)
    claim = parse_claim("slope[intermediate=P3] < 0")
    lacks = missing_rows(make_fit(frame=mixed_frame()), claim, needs, (("intermediate", ("P3",)),))
    assert lacks == ("3 model sizes (there: 2)",)


# --- files -----------------------------------------------------------------------------------------------

FILE = """
threshold = 0.9
rope = { points = 0.5 }

[[claim]]
name = "shrinks"
claim = "slope < 0"
where = { intermediate = ["xP3"] }

[[claim]]
name = "by task"
claim = "slope < 0"
for_each = "task"
text = "It shrinks on {group}."
where = { intermediate = ["xP3"] }

[[claim]]
name = "English-only"
claim = "gain(10B)[intermediate=P3] < gain(10B)[intermediate=xP3]"
threshold = 0.99

[[claim]]
name = "squad"
claim = "gain(560M)[intermediate=squad] > 0"
needs = { tasks = ["bucc"] }
source = "Phang et al. 2020"
"""


def write(tmp_path, text):
    path = tmp_path / "claims.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_file_on_two_fits(tmp_path):
    mixture = make_fit(
        frame=mixed_frame(),
        lines={
            (): (1.0, 1.0, 0.1),
            (("intermediate", "P3"),): (2.0, 0.0, 0.1),
            (("intermediate", "xP3"),): (5.0, 0.0, 0.1),
        },
    )
    verdicts = assess_file([mixture, make_fit()], write(tmp_path, FILE))
    assert [(v.name, v.verdict) for v in verdicts] == [
        ("shrinks", "supported"),
        ("by task [xcopa]", "supported"),
        ("by task [xnli]", "supported"),
        ("English-only", "supported"),
        ("squad", "untested"),
    ]
    shrinks, xcopa, _, english, squad = verdicts
    assert (shrinks.threshold, shrinks.rope, english.threshold) == (0.9, 0.5, 0.99)
    assert xcopa.claim == "slope[task=xcopa] < 0"
    assert xcopa.text == "It shrinks on xcopa."
    assert english.estimate == pytest.approx(-3.0, abs=0.05)
    assert (english.n_checkpoints, english.n_sizes) == (2, 2)
    assert "intermediate=P3 was seen on 2 of 6 checkpoints" in english.note
    assert squad.reason == (
        "rows with task = bucc (there: xcopa, xnli); rows with intermediate = squad (there: P3, xP3, xP3mt)"
    )
    assert squad.source == "Phang et al. 2020"
    assert squad.companion is None


def test_holm_is_over_the_list(tmp_path):
    verdicts = assess_file(make_fit(), write(tmp_path, FILE))
    tested = [v.companion for v in verdicts if v.companion is not None and np.isfinite(v.companion.p)]
    assert len(tested) == 3
    smallest = min(tested, key=lambda line: line.p)
    assert smallest.p_holm == pytest.approx(min(1.0, 3 * smallest.p))
    assert all(line.p_holm >= line.p for line in tested)
    assert np.isnan(assess(make_fit(), "slope < 0").companion.p_holm)


def test_the_nearest_fit_explains_what_is_missing(tmp_path):
    text = '[[claim]]\nname = "a"\nclaim = "slope[task=pawsx, language=qu] < 0"\n'
    near = make_fit(frame=make_fit().gains.frame.assign(language="qu"))
    (verdict,) = assess_file([make_fit(), near], write(tmp_path, text))
    assert verdict.reason == "rows with task = pawsx (there: xcopa, xnli)"


BAD = """
version = 2
threshold = 0.4
colour = "blue"
rope = { percent = 1.0 }

[[claim]]
name = "a"
claim = "slop < 0"

[[claim]]
name = "a"
claim = "slope < 0"
treshold = 0.9
for_each = "planet"

[[claim]]
claim = "slope < crossing(0)"

[[claim]]
name = "b"
rope = -1
scale = "percent"
needs = { tasks = [], planets = ["mars"], min_sizes = -1 }
where = ["xP3"]

[[claim]]
name = "c"
claim = "slope[task=xnli] < 0"
for_each = "task"
text = 3
"""


def test_every_fault_of_a_file_is_named_at_once(tmp_path):
    with pytest.raises(InputError) as error:
        read_claims(write(tmp_path, BAD))
    message = str(error.value)
    for words in [
        "version is 2",
        "threshold is 0.4; a probability between 0.5 and 1",
        "unknown key 'colour'; allowed: version, threshold",
        "rope names the scale 'percent'",
        "claim 'a': claim: unknown name 'slop'; did you mean 'slope'?",
        "claim 'a': the name is given twice",
        "claim 'a': unknown key 'treshold'",
        "claim 'a': for_each is 'planet'",
        "claim 3: it has no name",
        "claim 3: claim: the claim compares things of different kinds",
        "claim 'b': it claims nothing",
        "claim 'b': rope is -1",
        "claim 'b': scale is 'percent'",
        "claim 'b': needs: tasks is []",
        "claim 'b': needs: unknown key 'planets'",
        "claim 'b': needs: min_sizes is -1",
        "claim 'b': where is ['xP3']",
        "claim 'c': for_each is 'task', but every estimand names its task already",
        "claim 'c': text is 3",
    ]:
        assert words in message, words
    assert len(error.value.problems) == 19
    assert "claims.toml: 19 problems" in message


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "there are no claims"),
        (b"claim = 3", "there are no claims"),
        (b"[[claim]\n", "not a TOML file"),
        ("[[claim]]\nname = 'a'".encode("utf-16"), "not a TOML file"),
        (bytes(range(256)), "not a TOML file"),
    ],
)
def test_files_that_are_no_claims(tmp_path, content, message):
    path = tmp_path / "claims.toml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read_claims(path)


def test_no_file(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        read_claims(tmp_path / "no.toml")
    with pytest.raises(InputError, match="a folder"):
        read_claims(tmp_path)
    with pytest.raises(InputError, match="at least one fit"):
        assess_file([], tmp_path / "no.toml")


def test_the_claims_of_the_field_read_and_the_source_paper_is_untested():
    from pathlib import Path

    path = Path(__file__).parents[1] / "analysis" / "claims.toml"
    listed = read_claims(path)
    assert len({entry.name for entry in listed.entries}) == len(listed.entries) >= 24
    verdicts = assess_file(make_fit(), path)
    paper = [v for v in verdicts if "2005.13013" in v.source]
    assert len(paper) >= 15
    for verdict in paper:
        assert verdict.verdict == "untested"
        assert "model_family = XLM-R" in verdict.reason
    field = {v.name: v.verdict for v in verdicts if "2005.13013" not in v.source}
    assert field["shrinks"] == "supported"
    assert field["shrinks by task [xnli]"] == "supported"
    assert field["English-only gains less"] == "untested"
    assert field["unseen languages gain less"] == "untested"


# --- Bayes factors ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("mean", [0.0, 0.5, 1.0])
def test_savage_dickey_on_a_conjugate_normal(mean):
    """y ~ N(theta, 1), theta ~ N(0, 4): BF10 = m1(y) / N(y; 0, 1), in closed form."""
    y = 2.5 * mean
    exact = np.exp(-0.5 * y**2 / 5) / 5**0.5 / np.exp(-0.5 * y**2)
    rng = np.random.default_rng(3)
    posterior = rng.normal(0.8 * y, 0.8**0.5, 8000)
    factor = bayes_factor(posterior, rng.normal(0, 2, 8000))
    assert not factor.extrapolated
    assert np.log(factor.value) == pytest.approx(np.log(exact), abs=0.15)
    assert factor.log_error < 0.15


@pytest.mark.parametrize("spread", ["normal", "t", "skew", "hierarchy"])
def test_densities_of_many_shapes(spread):
    from scipy import stats

    rng = np.random.default_rng(4)
    if spread == "hierarchy":
        scale = np.abs(rng.normal(0, 5, 20000))
        z = rng.normal(0, 3, 20000) + scale * rng.normal(size=20000)
        grid = np.abs(np.random.default_rng(9).normal(0, 5, 200000))
        exact = np.mean(stats.norm.pdf(0, 0, np.sqrt(9 + grid**2)))
    else:
        shape = {"normal": stats.norm(1, 2), "t": stats.t(4, 0.5), "skew": stats.skewnorm(3, -1)}[spread]
        z, exact = shape.rvs(8000, random_state=rng), shape.pdf(0)
    assert density_at(z).log_value == pytest.approx(np.log(exact), abs=0.12)


def test_density_far_outside_the_draws_is_flagged():
    factor = bayes_factor(
        np.random.default_rng(6).normal(8, 1, 4000), np.random.default_rng(7).normal(0, 5, 4000)
    )
    assert factor.extrapolated
    assert factor.value > 1e3


def test_density_without_draws_is_missing():
    assert np.isnan(density_at(np.ones(100)).log_value)
    assert np.isnan(density_at(np.arange(5.0)).log_value)
    assert np.isnan(bayes_factor(np.full(100, 2.0), np.arange(100.0)).value)
    assert np.isnan(directional_factor([], [True]))


def test_bayes_factors_of_a_verdict_show_their_prior():
    verdict = assess(make_fit(lines={(): (5.0, -2.0, 1.0)}), "slope < 0")
    exact = (2 * np.pi * 100) ** -0.5 / ((2 * np.pi) ** -0.5 * np.exp(-2.0))
    assert verdict.bayes_factor == pytest.approx(exact, rel=0.2)
    assert 20 < verdict.bayes_factor_direction < 100
    assert "sd 10" in verdict.prior_note
    assert "slope ~ normal(0, 10)" in verdict.prior_note
    assert "intercept" not in verdict.prior_note
    certain = assess(make_fit(lines={(): (5.0, -20.0, 1.0)}), "slope < 0")
    assert "order of magnitude" in certain.prior_note


# --- the table -------------------------------------------------------------------------------------------


def test_a_verdict_is_one_line():
    other = make_fit("log_odds", {(): (0.5, 0.3, 0.1)})
    line = str(assess(make_fit(), "slope < 0", other=other))
    assert line.startswith("slope < 0 -> scale-dependent (P = 0.99")
    assert " ± 0.00" in line
    assert "on points, P = 0." in line
    assert "points per decade; 6 checkpoints, 6 sizes" in line
    assert "\n" not in line
    missing = assess(make_fit(), "slope[task=pawsx] < 0", name="PAWS-X")
    assert str(missing) == (
        "PAWS-X: slope[task=pawsx] < 0 -> untested: rows with task = pawsx (there: xcopa, xnli)"
    )


def test_table_and_file(tmp_path):
    verdicts = assess_file(make_fit(), write(tmp_path, FILE))
    frame = verdicts_frame(verdicts)
    assert list(frame.columns[:4]) == ["name", "claim", "verdict", "probability"]
    assert frame["probability"].isna().tolist() == [v.verdict == "untested" for v in verdicts]
    back = pd.read_csv(write_verdicts(verdicts, tmp_path / "out.csv"))
    assert list(back.columns) == list(frame.columns)
    np.testing.assert_allclose(back["probability"], frame["probability"])
    assert not list(verdicts_frame([]).index)
    with pytest.raises(InputError, match=r"name it \.csv"):
        write_verdicts(verdicts, tmp_path / "out.xlsx")
