"""Two curves: untuned and tuned scores by lines on log-odds, what lies between them, and what it is worth in size."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.special import expit

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.posterior.score_curves import points_curve, score_curves
from gainlaw.scores.simulate_ladders import Ladders, simulate_ladders
from gainlaw.tables.latex import escape_latex


@pytest.fixture(scope="module")
def study() -> Ladders:
    return simulate_ladders(0, n_families=3)


@pytest.fixture(scope="module")
def fit(study: Ladders) -> gl.Fit:
    return gl.fit(study.evaluations, law="two_curve", draws=500, chains=2)


def factor(fit: gl.Fit, family: str) -> pd.Series:
    table = fit.summary("model_family").set_index(["estimand", "group"])
    return table.loc[("size_multiplier", f"model_family={family}")]


def test_the_model_is_one_of_scores_on_log_odds(fit: gl.Fit) -> None:
    assert fit.status == "ok", fit.diagnostics.failures
    assert (fit.law.name, fit.scale, fit.spec.likelihood, fit.spec.joint) == (
        "two_curve", "log_odds", "binomial", True
    )  # fmt: skip
    assert {"model_family", "task_model_family", "baseline_model_family", "baseline_checkpoint_task"} <= {
        term.name for term in fit.spec.all_terms
    }
    assert fit.record["arguments"]["resolved"]["baselines"] == "hierarchical"


def test_what_is_true_is_covered(fit: gl.Fit, study: Ladders) -> None:
    gains = (
        fit.summary("model_family").query("estimand == 'gain_points' and params == 1e9").set_index("group")
    )
    for name, truth in study.size_multiplier.items():
        if np.isfinite(truth):
            row = factor(fit, name)
            assert row["status"] == "ok"
            assert row["ci_low"] <= truth <= row["ci_high"]
            assert row["ci_high"] / row["ci_low"] < 5.0
        row = gains.loc[f"model_family={name}"]
        assert row["ci_low"] <= study.gain_points[name] <= row["ci_high"]


def test_no_size_is_named_where_none_is_known(fit: gl.Fit) -> None:
    for name, status in (("flat", "not_reached"), ("floored", "at_chance")):
        row = factor(fit, name)
        assert row["status"] == status
        assert row[["mean", "median", "ci_low", "ci_high"]].isna().all()
        verdict = gl.assess(fit, f"size_multiplier[model_family={name}] > 1")
        assert verdict.verdict == "untested"
        assert {"flat": "may be flat", "floored": "of chance"}[name] in verdict.reason


def test_points_are_the_difference_of_two_sigmoids(fit: gl.Fit) -> None:
    """By hand, from the draws of one family in one task."""
    cell = {"task": "task2", "model_family": "family1"}
    data, spec = fit.draws["posterior"], fit.spec
    x = 0.3 - spec.law.centre
    own = {"task": "task2", "model_family": "family1", "task_model_family": "task2 | family1"}

    def line(prefix: str, mean: np.ndarray) -> np.ndarray:
        total = mean.reshape(-1, 2) @ [1.0, x]
        for term in spec.baseline_terms if prefix else spec.terms:
            label = own.get(term.name.removeprefix("baseline_"))
            if label is not None:
                effect = (
                    data[term.name].sel({f"{term.name}_group": label}).to_numpy().reshape(fit.n_draws, -1)
                )
                total = total + effect @ [1.0, x][: effect.shape[1]]
        return total

    fixed = np.stack(
        [data["covariate"].sel(covariate_name=name) for name in ("baseline", "baseline_slope")], axis=-1
    )
    untuned = line("baseline_", fixed)
    tuned = untuned + line("", data["mu"].to_numpy())
    curve = points_curve(fit, cell)
    params = 1e9 * 10.0**0.3
    np.testing.assert_allclose(curve.gain(params), 50.0 * (expit(tuned) - expit(untuned)), atol=1e-9)
    np.testing.assert_allclose(curve.scores.scores(params)[0][:, 0], 50.0 + 50.0 * expit(untuned), atol=1e-9)
    # An untuned model of that many times the size has the tuned one's score, where the factor is within reach.
    times = score_curves(fit, cell).size_multiplier(params)
    within = np.isfinite(times) & (times > 0)
    assert within.mean() > 0.95
    draws = np.flatnonzero(within)[::100]
    for draw in draws:
        there = curve.scores.scores(params * times[draw])[0][draw, 0]
        assert there == pytest.approx(curve.scores.scores(params)[1][draw, 0], abs=1e-6)


def test_a_level_is_the_average_of_its_cells(fit: gl.Fit) -> None:
    whole = points_curve(fit, {"model_family": "family2"}).gain(["1B", "3B"])
    cells = [
        points_curve(fit, {"model_family": "family2", "task": f"task{k}"}).gain(["1B", "3B"])
        for k in (1, 2, 3)
    ]
    np.testing.assert_allclose(whole, np.mean(cells, axis=0), atol=1e-9)


def test_claims_are_judged_in_points_and_on_log_odds_of_one_posterior(fit: gl.Fit) -> None:
    own = gl.assess(fit, "gain(3B)[model_family=family1] > 0")
    assert own.verdict == "supported"
    assert {each.scale for each in own.judgements} == {"points", "log_odds"}
    points = points_curve(fit, {"model_family": "family1"}).gain(3e9)
    assert own.estimate == pytest.approx(points.mean())
    assert gl.assess(fit, "gain(3B)[model_family=family1] > 1").probability == pytest.approx(
        (points > 1).mean(), abs=0.02
    )
    times = gl.assess(fit, "size_multiplier[model_family=family1] > 1.2")
    assert times.unit == ""
    assert times.probability_points == times.probability_log_odds
    assert gl.assess(fit, "size_multiplier(1B)[model_family=family1] < 1").verdict == "refuted"
    far = gl.assess(fit, "size_multiplier(900B)[model_family=family1] > 1")
    assert "more than a decade beyond" in far.reason


def test_other_laws_have_no_curve_of_untuned_scores() -> None:
    plain = gl.fit(gl.load_dataset("bloomz", intermediates="xP3", tasks="xcopa"), draws=200, chains=2)
    verdict = gl.assess(plain, "size_multiplier > 1", both=False)
    assert "two_curve" in verdict.reason
    with pytest.raises(InputError, match="another fit"):
        plain.in_points()
    with pytest.raises(InputError, match="no curve of untuned scores"):
        score_curves(plain, {})


def test_points_are_the_same_fit_read_otherwise(fit: gl.Fit, tmp_path: Path) -> None:
    loaded = gl.load_fit(fit.save(tmp_path / "fit"))
    pd.testing.assert_frame_equal(loaded.estimates, fit.estimates, check_exact=False)
    points = loaded.in_points()
    both = [
        each.estimates[each.estimates["estimand"] == name].reset_index(drop=True)["median"]
        for each, name in ((fit, "gain_points"), (points, "gain"))
    ]
    pd.testing.assert_series_equal(*both)
    found = points.predict("3B", model_family="family1").set_index("kind")
    assert found.loc["mean", "mean"] == pytest.approx(
        points_curve(fit, {"model_family": "family1"}).gain(3e9).mean()
    )
    assert found.loc["new_checkpoint", "sd"] > found.loc["mean", "sd"]
    with pytest.raises(InputError, match="hangs on its baseline"):
        points.predict("3B", new=["task"])
    own = gl.gain_curve(points, model_family="family1").gain("3B")
    np.testing.assert_array_equal(own, points_curve(fit, {"model_family": "family1"}).gain(3e9))
    with pytest.raises(InputError, match="fitted on log-odds"):
        gl.fit(fit.gains, law="two_curve", scale="points")


def test_the_table_says_why_there_is_no_factor(fit: gl.Fit) -> None:
    rows = fit.table("multipliers", level="model_family").frame.set_index("title")
    assert rows.loc["flat", "remark"].startswith("not reached at any size")
    assert rows.loc["floored", "remark"].startswith("not known: untuned scores at chance")
    assert rows.loc["family1", "remark"] == ""


def test_a_baseline_off_its_curve_is_named() -> None:
    study = simulate_ladders(
        3, n_families=4, flat=False, floored=False, sd_checkpoint=0.05, sd_checkpoint_task=0.05
    )
    frame = study.evaluations.frame.copy()
    broken = frame["model"] == "family1-0"
    frame.loc[broken, "n_correct"] = (0.55 * frame.loc[broken, "n_correct"]).round()
    bad = gl.evaluations_from_frame(frame.drop(columns=["score", "stderr", "row"]))
    fit = gl.fit(bad, law="two_curve", draws=200, chains=2)
    check = next(each for each in fit.diagnostics.checks if each.name == "baselines")
    assert "family1-0 (" in check.text
    assert "without family1-0 the slope is" in check.text
    assert "below chance" in check.text
    assert check.passed is None


def test_pooled_scores_are_counts_over_what_all_models_share() -> None:
    evals = gl.load_dataset("flan")
    pooled = evals.pool("benchmark")
    assert set(pooled.frame["task"]) == {"bbh", "tydiqa", "mgsm"}
    row = pooled.frame.query("model == 'Flan-PaLM-540B' and task == 'tydiqa'").iloc[0]
    cells = evals.frame.query("model == 'Flan-PaLM-540B' and task == 'tydiqa'")
    assert (row["n_correct"], row["n_examples"]) == (cells["n_correct"].sum(), cells["n_examples"].sum())
    # Two tasks of BBH are not there for every model.
    assert pooled.frame.query("task == 'bbh'")["n_examples"].unique().tolist() == [
        23 * 250 - 0 + 187 + 146 + 178 - 250
    ]
    assert "unshared_tasks" in {note.kind for note in pooled.notes}
    assert gl.load_dataset("bloomz", tasks="xnli").pool("task").frame["chance"].round(4).unique() == 0.3333
    with pytest.raises(InputError, match="no such column to pool by"):
        evals.pool("topic")


@pytest.mark.calibration
def test_the_factor_in_size_is_covered() -> None:
    """Twenty of the studies of docs/calibration.md, which has 200."""
    covered = []
    for seed in range(1000, 1020):
        study = simulate_ladders(seed)
        fit = gl.fit(study.evaluations, law="two_curve", draws=500, chains=2)
        for name, truth in study.size_multiplier.items():
            row = factor(fit, name)
            if np.isfinite(truth) and row["status"] == "ok":
                covered.append(row["ci_low"] <= truth <= row["ci_high"])
            elif np.isinf(truth):
                assert not np.isfinite(row["ci_high"])
    # Of 80 intervals at 95% fewer than 70 hold in one of a hundred thousand runs.
    assert len(covered) > 75
    assert sum(covered) >= 70


def test_the_gain_of_a_model_whose_untuned_score_is_known(fit: gl.Fit) -> None:
    task, chance = fit.gains.frame[["task", "chance"]].iloc[0]
    of_task = {"params": "3B", "task": str(task)}
    there = fit.predict(**of_task, new=["model_family"], baseline=0.6).set_index("kind")
    on_odds = fit.predict(**of_task, new=["model_family"]).set_index("kind")
    odds = np.log((0.6 - chance) / (1.0 - 0.6))
    # A rising function carries quantiles over.
    for end in ("median", "ci_low", "ci_high"):
        expected = 100.0 * (1.0 - chance) * (expit(odds + on_odds[end]) - expit(odds))
        np.testing.assert_allclose(there[end], expected, atol=0.02)
    # Halfway there is most to gain.
    middle, high = (
        fit.predict(**of_task, baseline=score)["mean"].iloc[0] for score in ((1.0 + chance) / 2, 0.98)
    )
    assert abs(middle) > abs(high)
    for wrong in (chance, 60.0, 1.0):
        with pytest.raises(InputError, match="between chance and the best"):
            fit.predict(**of_task, baseline=wrong)
    with pytest.raises(InputError, match="several levels of chance"):
        fit.predict("3B", baseline=0.6)
    # A benchmark that is none of the tasks stands where their average does.
    new = fit.predict("3B", baseline=0.4, chance=0.25).set_index("kind")
    average = fit.predict("3B").set_index("kind")
    u = np.log((0.4 - 0.25) / (1.0 - 0.4))
    expected = 75.0 * (expit(u + average["median"]) - expit(u))
    np.testing.assert_allclose(new["median"], expected, atol=0.02)
    for wrong in ({**of_task, "baseline": 0.6}, {"params": "3B"}):
        with pytest.raises(InputError, match="none of the tasks"):
            fit.predict(**wrong, chance=0.25)
    with pytest.raises(InputError, match="'nothing' is not in the fit"):
        fit.predict("3B", task="nothing", baseline=0.6)
    with pytest.raises(InputError, match="log-odds"):
        fit.in_points().predict(**of_task, baseline=0.6)


def test_a_slope_follows_no_family_beyond_its_own_sizes(study: Ladders) -> None:
    frame = study.evaluations.frame
    first = sorted(frame["model_family"].unique())[0]
    sizes = sorted(frame.loc[frame["model_family"] == first, "params"].unique())
    kept = ~((frame["model_family"] == first) & (frame["params"] > sizes[2]))
    fit = gl.fit(study.evaluations._keep(kept.to_numpy()), law="two_curve", draws=500, chains=2).in_points()
    families = [
        points_curve(fit, {"model_family": str(name)}).slope() for name in frame["model_family"].unique()
    ]
    # All families have all tasks, so that each counts the same in the average over everything.
    np.testing.assert_allclose(points_curve(fit, {}, "overall").slope(), np.mean(families, axis=0), atol=1e-9)
    ends = points_curve(fit, {"model_family": first}).gain([sizes[0], sizes[2]])
    of_first = points_curve(fit, {"model_family": first}).slope()
    np.testing.assert_allclose(of_first, (ends[:, 1] - ends[:, 0]) / np.log10(sizes[2] / sizes[0]), atol=1e-9)


def test_the_figure_shows_what_was_observed_and_the_curves_through_it(fit: gl.Fit) -> None:
    figure = fit.plot("two_curves", panels="model_family")
    bands, cells = (figure.plot_data.query(f"layer == '{layer}'") for layer in ("band", "cell"))
    assert set(bands["kind"]) == {"untuned", "tuned", "gain"}
    seen = fit.gains.frame
    for group, part in cells.groupby("group"):
        own = seen[seen["model_family"] == group]
        assert sorted(part["params"].unique()) == pytest.approx(sorted(own["params"].unique()))
        band = bands[bands["group"] == group]
        assert band["params"].min() >= own["params"].min() * 0.999
        tuned, untuned, gain = (band[band["kind"] == kind] for kind in ("tuned", "untuned", "gain"))
        np.testing.assert_allclose(tuned["mean"].to_numpy() - untuned["mean"], gain["mean"], atol=1e-9)
    # Every family is observed on all tasks, so that the plain mean of its scores is what is drawn.
    first = cells[(cells["kind"] == "untuned") & (cells["group"] == seen["model_family"].iloc[0])].iloc[0]
    same = seen[(seen["model_family"] == first["group"]) & np.isclose(seen["params"], first["params"])]
    assert first["value"] == pytest.approx(100.0 * same["baseline_score"].mean())
    assert len(figure.spots) == len(cells)
    with pytest.raises(InputError, match="no column 'nothing'"):
        fit.plot("two_curves", by="nothing")
    with pytest.raises(InputError, match="stands in several panels"):
        fit.plot("two_curves", by="task", panels="model_family")


def test_several_studies_together_open_a_report(fit: gl.Fit, tmp_path: Path) -> None:
    from gainlaw.report.across import Across
    from gainlaw.report.answer import numbers

    line = gl.fit(fit.gains.to_scale("points"), draws=500, chains=2)
    compared = gl.compare({"two curves": fit, "line in size": line}, leave="family")
    across = Across(fit, line, {"family": compared}, note="All of it is made up.")
    report = gl.write_report(line, tmp_path / "report", across=across)
    assert report.across is not None
    slope = fit.in_points().summary("overall").set_index("estimand").loc["slope"]
    assert f"averaged over benchmarks {numbers(slope, fit.in_points())}" in report.across.text
    assert compared["model"].iloc[0] in report.across.limits[0]
    assert report.across.limits[-1] == "All of it is made up."
    page, paper = ((tmp_path / "report" / name).read_text() for name in ("report.html", "paper.tex"))
    # The paper opens with three sentences and one study in short; what is left out there stands in its sections.
    abstract, body = paper.split("\\end{abstract}")
    assert report.across.short.count(". ") == 2
    for text, opens in ((report.across.headline, True), (report.across.limits[-1], False)):
        assert (escape_latex(text) in abstract, escape_latex(text) in body) == (opens, not opens)
    assert escape_latex(report.answer.text) in body
    assert page.index("Every study at once") < page.index("The answer of one study")
    for name in ("across_scores", "across_gain"):
        assert f'id="fig-{name.replace("_", "-")}"' in page or f'id="fig-{name}"' in page
        assert f"figures/{name}.pdf" in paper
    assert (tmp_path / "report" / "tables" / "across_compare_family.csv").is_file()
    with pytest.raises(InputError, match="none of scores") as wrong:
        Across(line, fit)
    assert len(wrong.value.problems) == 2
