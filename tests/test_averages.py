"""Averages over laws: weights, mixtures, what is known without a checkpoint, and what is refused."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.fitting.averaging import stacking_weights
from gainlaw.laws import AVERAGES, average_of, law
from gainlaw.laws.placed import place
from gainlaw.laws.record import read_law
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.members import member_problems
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
from gainlaw.posterior.levels import gain_curve
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.table import Gains
from gainlaw.scores.simulate import simulate_study

QUICK = {"draws": 250, "chains": 4, "terms": ("task", "language", "checkpoint")}
# Two evidences of 600 effective points or more each differ by 0.06 at one standard error.
MONTE_CARLO = 0.25
LAWS = tuple(name for name, _ in AVERAGES["average"].form.members)


def study(seed: int = 1, **options: object) -> Gains:
    return simulate_study(seed, n_tasks=2, n_languages=4, **options).evaluations.gains()


@pytest.fixture(scope="module")
def gains() -> Gains:
    return study()


@pytest.fixture(scope="module")
def averaged(gains: Gains) -> gl.Fit:
    return gl.fit(gains, law="average", **QUICK)


@pytest.mark.parametrize("name", AVERAGES)
def test_an_average_is_the_law_that_its_first_parameter_names(name: str) -> None:
    """At sizes, back from values, and without bound; and it is the same from its record."""
    assert read_law(json.loads(json.dumps(AVERAGES[name].record()))) == AVERAGES[name]
    x = np.array([-1.0, -0.2, 0.3, 1.0])
    placed = place(AVERAGES[name], x)
    psi = np.array([[k, 0.6, 0.2, 2.0] for k in range(len(placed.members))])
    values, sizes = placed.shape(x[None, :], psi[:, None, :]), placed.inverse(np.full(len(psi), 0.3), psi)
    for k, own in enumerate(member.law.name for member in placed.members):
        single = place(law(own), x)
        known = dict(zip([each.name for each in placed.parameters], psi[k], strict=True))
        at = single.psi({each: np.array([value]) for each, value in known.items()})
        at = None if at is None else at[0]
        np.testing.assert_array_equal(values[k], single.shape(x, at))
        np.testing.assert_array_equal(sizes[k], single.inverse(np.array(0.3), at))
        np.testing.assert_array_equal(placed.limit(psi)[k], single.limit(at))


def test_an_average_keeps_the_laws_that_the_sizes_can_carry() -> None:
    kept = place(AVERAGES["average"], np.log10([0.1, 1.0, 10.0])).members
    assert [each.name for each in kept] == [name for name in LAWS if law(name).form.least_sizes <= 3]


def test_the_members_have_the_likelihood_of_their_laws(gains: Gains) -> None:
    """The constant law too, whose slopes its shape multiplies by 0."""
    terms = QUICK["terms"]
    problem = build_problem(gains, specify(gains, AVERAGES["average"], terms=terms))
    rng = np.random.default_rng(0)
    for member in member_problems(problem):
        alone = build_problem(gains, specify(gains, law(member.spec.law.name), terms=terms))
        points = rng.uniform(0.2, 0.9, (3, len(member.hyper)))
        own = points[:, [member.hyper.index(name) for name in alone.hyper]]
        found = Marginal.build(member, gaussian_data(member)).log_likelihood(points)
        np.testing.assert_allclose(
            found, Marginal.build(alone, gaussian_data(alone)).log_likelihood(own), rtol=1e-9
        )


def test_weights_are_shares_of_the_evidence_of_every_law_alone(gains: Gains, averaged: gl.Fit) -> None:
    laws = averaged.diagnostics.laws.set_index("law")
    alone = [
        gl.fit(gains, law=name, **QUICK).draws["sample_stats"].attrs["log_evidence"] for name in laws.index
    ]
    np.testing.assert_allclose(laws["log_evidence"], alone, atol=MONTE_CARLO)
    shares = np.exp(laws["log_evidence"] - laws["log_evidence"].max())
    np.testing.assert_allclose(laws["weight"], shares / shares.sum(), rtol=1e-12)
    total = averaged.draws["sample_stats"].attrs["log_evidence"]
    assert total == pytest.approx(np.log(np.mean(np.exp(laws["log_evidence"]))), abs=1e-9)


def test_draws_come_from_every_law_as_its_weight_says(averaged: gl.Fit) -> None:
    laws = averaged.diagnostics.laws
    which = averaged.draws["posterior"]["law"].to_numpy().reshape(-1)
    shares = np.bincount(which.astype(int), minlength=len(laws)) / which.size
    np.testing.assert_allclose(shares, laws["weight"], atol=1.0 / which.size)
    curve = gain_curve(averaged, "overall")
    slope, gain = curve.slope(), curve.gain(float(averaged.gains.frame["params"].max()))
    assert np.mean(slope == 0.0) == pytest.approx(laws["weight"][0], abs=1.0 / which.size)
    # Members keep as many draws as their weight: the error is that of 1000 independent ones, five times.
    assert gain.mean() == pytest.approx(
        laws["weight"] @ laws["gain_mean"], abs=5 * gain.std() / np.sqrt(1000)
    )
    assert slope.mean() == pytest.approx(
        laws["weight"] @ laws["slope_mean"], abs=5 * slope.std() / np.sqrt(1000)
    )


def test_a_checkpoint_left_out_has_the_density_of_an_average_without_it(
    gains: Gains, averaged: gl.Fit
) -> None:
    """The ratio of the evidence of all gains to that of the others, each averaged over the laws; and the slope."""
    frame = gains.frame
    name = str(frame["checkpoint"].iloc[0])
    priors = {key: str(value) for key, value in averaged.priors.items() if key not in ("law", "midpoint")}
    kept = (frame["checkpoint"] != name).to_numpy()
    others = replace(
        gains,
        frame=frame[kept].reset_index(drop=True),
        covariance=BlockCovariance(gains.covariance.variance[kept]),
        evaluations=None,
    )
    rest = gl.fit(others, law="average", priors=priors, **QUICK)
    left = averaged.diagnostics.influence.set_index("checkpoint").loc[name]
    both = (each.draws["sample_stats"].attrs["log_evidence"] for each in (averaged, rest))
    # The laws without the checkpoint are scaled to the range of the sizes left: nearly the same prior.
    assert left["elpd"] == pytest.approx(next(both) - next(both), abs=2 * MONTE_CARLO)


def test_stacking_finds_the_best_mixture() -> None:
    rng = np.random.default_rng(3)
    log_density = rng.normal(-20.0, 1.5, (3, 9))
    found = stacking_weights(log_density)
    best = np.log(np.exp(log_density).T @ found).sum()
    steps = np.linspace(0.0, 1.0, 101)
    grid = np.array([(a, b, 1.0 - a - b) for a in steps for b in steps if a + b <= 1.0 + 1e-12])
    assert found.sum() == pytest.approx(1.0)
    assert best >= np.log(np.exp(log_density).T @ grid.T).sum(axis=0).max() - 1e-9


def test_a_law_without_slope_leaves_a_claim_on_its_sign_open(averaged: gl.Fit) -> None:
    """It is neither below 0 nor above; with equality it counts."""
    from gainlaw.claims.chance import Chances
    from gainlaw.claims.grammar.parse import parse_claim

    chances = Chances(averaged)
    p = {sign: chances.once(parse_claim(f"slope {sign} 0")).value for sign in ("<", ">", "<=", ">=")}
    constant = averaged.diagnostics.laws["weight"][0]
    assert 1.0 - p["<"] - p[">"] == pytest.approx(constant, abs=2e-3)
    assert p["<="] - p["<"] == pytest.approx(constant, abs=2e-3)
    assert p[">="] == pytest.approx(1.0 - p["<"], abs=1e-9)
    slope = gain_curve(averaged, "overall").slope()
    assert p["<"] == pytest.approx((slope < 0).mean(), abs=0.06)


def test_seeds_move_a_probability_by_less_than_its_error(gains: Gains, averaged: gl.Fit) -> None:
    """That of the weights too: evidence is far more precise than draws are."""
    from gainlaw.claims.chance import Chances
    from gainlaw.claims.grammar.parse import parse_claim

    fits = [averaged, *(gl.fit(gains, law="average", seed=seed, **QUICK) for seed in range(1, 5))]
    found = [Chances(fit).once(parse_claim("slope < 0")) for fit in fits]
    assert np.std([each.value for each in found], ddof=1) < min(each.mcse for each in found)


@pytest.mark.parametrize("name", AVERAGES)
@pytest.mark.parametrize("scale", ["points", "log_odds"])
def test_an_average_does_all_that_a_fit_does(gains: Gains, name: str, scale: str, tmp_path: Path) -> None:
    fit = gl.fit(gains.to_scale(scale), law=name, **QUICK)
    assert fit.status == "ok"
    note = next(check for check in fit.diagnostics.checks if check.name == "laws")
    for each in fit.diagnostics.laws["law"]:
        assert each.replace("_", " ") in note.text
    assert "times as wide as under the linear law alone" in note.text
    path = fit.save(tmp_path / "fit")
    again = gl.load_fit(path)
    np.testing.assert_array_equal(again.diagnostics.laws["weight"], fit.diagnostics.laws["weight"])
    ahead = again.predict("100B")
    assert np.isfinite(ahead[["ci_low", "ci_high", "prior_share"]].to_numpy(float)).all()
    verdict = gl.assess(again, "gain(10B) < gain(100M)", both=False)
    assert verdict.verdict in ("supported", "refuted", "inconclusive", "untested")
    if verdict.verdict != "untested":
        assert np.isnan(verdict.bayes_factor)
        assert "weights of the laws" in verdict.prior_note
    model = set(again.summary("model")["group"])
    assert model == {"tau_task", "tau_language", "tau_checkpoint", "tau_residual"}
    assert {"average": "law", "stacked": "law"}[name] in again.priors
    assert "constant" in gl.table(again, "laws").to_markdown()


def test_what_an_average_cannot_do_is_refused(gains: Gains, averaged: gl.Fit) -> None:
    linear = gl.fit(gains, law="linear", **QUICK)
    assert gl.compare(averaged, linear)["elpd"].notna().all()
    cases = [
        (lambda: gl.fit(gains, law="average", engine="nuts"), "needs the evidence of each"),
        (lambda: gl.fit(gains, law="average", baselines="hierarchical"), "a law that is a line"),
        (lambda: gl.fit(gains, law="average", priors={"law": "choice(3)"}), "the same probability a priori"),
        (lambda: gl.compare(averaged, linear, leave="checkpoint"), "weights change with what is left out"),
        (lambda: gl.fit_curve([1e8, 1e9, 1e10], [1.0, 2.0, 2.5], law="average"), "law is 'average'"),
        (lambda: average_of([law("linear"), law("two_curve")]), "of scores, not of gains"),
        (lambda: average_of([law("constant")]), "two laws or more"),
        (lambda: average_of([law("linear"), law("linear")]), "stands twice"),
        (lambda: average_of([law("linear"), AVERAGES["average"]]), "no single law"),
        (lambda: gl.fit(study(sizes=(1e8, 1e9)), law="stacked", **QUICK), "three checkpoints or more"),
        (lambda: gl.table(linear, "laws"), "is no average"),
    ]
    for make, message in cases:
        with pytest.raises(InputError, match=re.escape(message)):
            make()


def test_an_average_of_ones_own(gains: Gains) -> None:
    own = average_of([law("linear"), law("saturating")], name="two")
    fit = gl.fit(gains, law=own, **QUICK)
    assert fit.law.name == "two"
    assert list(fit.diagnostics.laws["law"]) == ["linear", "saturating"]
    assert not (gain_curve(fit, "overall").slope() == 0.0).any()
