"""A notebook: results show themselves in a few lines and a small table, and the natural calls work at first try."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pandas as pd
import pytest

import gainlaw as gl
from conftest import write_scores
from gainlaw.faces import notebook_html

HOSTILE = "<script>alert('x')</script> & \"co\""


@pytest.fixture(scope="module")
def evals(tmp_path_factory: pytest.TempPathFactory) -> gl.Evaluations:
    return gl.read_evaluations(write_scores(tmp_path_factory.mktemp("notebook") / "scores.csv"))


@pytest.fixture(scope="module")
def fit(evals: gl.Evaluations) -> gl.Fit:
    return gl.fit(evals, draws=500)


@pytest.fixture(scope="module")
def results(evals: gl.Evaluations, fit: gl.Fit) -> dict[str, object]:
    """Return one of everything that stands in a cell of a notebook."""
    from gainlaw.tables import slopes_table

    curve = gl.fit_curve(evals.gains())
    verdict = gl.assess(fit, "slope < 0")
    return {
        "evaluations": evals,
        "overview": evals.check(),
        "gains": evals.gains(),
        "fit": fit,
        "verdict": verdict,
        "untested": gl.assess(fit, "slope[task=xnli] < 0"),
        "verdicts": gl.assess(fit, ["slope < 0", "gain(1B) > 0"]),
        "curve": curve,
        "bootstrap": curve.bootstrap(50),
        "profile": curve.profile("b"),
        "gain_curve": gl.gain_curve(fit),
        "diagnostics": fit.diagnostics,
        "table": slopes_table(fit),
        "priors": fit.spec.priors["slope"],
    }


def test_everything_prints_in_three_lines(results: dict[str, object]) -> None:
    for name, result in results.items():
        lines = repr(result).splitlines()
        assert 1 <= len(lines) <= 3, name
        assert max(map(len, lines)) < 400, name


def test_a_fit_prints_what_was_fitted_and_what_came_out(fit: gl.Fit) -> None:
    row = fit.estimates.query("estimand == 'slope' and level == 'overall'").iloc[0]
    first, second, *rest = repr(fit).splitlines()
    assert first.startswith("<Fit ")
    assert "24 gains, 4 checkpoints of 4 sizes; diagnostics " in first
    digits = fit.spec.decimals()
    mean, low, high = (f"{row[name]:.{digits}f}" for name in ("mean", "ci_low", "ci_high"))
    assert f"overall {mean} [{low}, {high}]" in second
    assert bool(rest) == (fit.status != "ok")


def test_notebooks_show_small_tables_without_files(results: dict[str, object]) -> None:
    shown = {name: each._repr_html_() for name, each in results.items() if hasattr(each, "_repr_html_")}
    assert set(shown) >= {"evaluations", "overview", "gains", "fit", "verdict", "verdicts", "curve", "table"}
    for name, html in shown.items():
        ElementTree.fromstring(html)  # well formed, so that what follows is not swallowed
        assert len(html) < 20_000, name
        assert not re.search(r"<script|<style|<link|src=|href=|http", html), name
        assert "<table" in html, name


def test_names_from_outside_are_escaped(evals: gl.Evaluations) -> None:
    frame = evals.frame.replace({"task": {"xcopa": HOSTILE}})
    kept = frame.drop(columns=["language_name", "language_family", "genus", "row", "chance", "n_classes"])
    hostile = gl.evaluations_from_frame(kept.assign(chance=0.5), source=HOSTILE)
    fit = gl.fit(hostile, draws=200)
    for each in (hostile, hostile.check(), hostile.gains(), fit, gl.assess(fit, "slope < 0")):
        html = each._repr_html_()
        assert "<script" not in html
        ElementTree.fromstring(html)
    assert "&lt;script&gt;" in hostile._repr_html_()


def test_a_failed_fit_says_so_in_red(fit: gl.Fit) -> None:
    from dataclasses import replace

    failed = replace(fit.diagnostics, status="failed")
    broken = replace(fit, diagnostics=failed)
    assert repr(broken).splitlines()[2].startswith("do not use these numbers")
    assert "do not use these numbers" in broken._repr_html_()


def test_long_tables_are_cut_and_say_so() -> None:
    html = notebook_html("all", ["Task", "Gain"], [[f"t{k}", "1.0"] for k in range(100)])
    assert html.count("<tr>") == 31
    assert "70 more rows" in html


#: What a user tries first, each with what it must give.
NATURAL: dict[str, Callable[[gl.Fit, gl.Evaluations, Path], Any]] = {
    'gl.fit("scores.csv")': lambda fit, evals, path: gl.fit(str(path), draws=100),
    "gl.fit(path)": lambda fit, evals, path: gl.fit(path, draws=100),
    "gl.fit(evaluations_frame)": lambda fit, evals, path: gl.fit(evals.frame, draws=100),
    "gl.fit(gains_frame)": lambda fit, evals, path: gl.fit(evals.gains().frame, draws=100),
    "fit.plot()": lambda fit, evals, path: fit.plot(),
    'fit.plot("forest", level="language")': lambda fit, evals, path: fit.plot("forest", level="language"),
    'fit.plot("funnel")': lambda fit, evals, path: fit.plot("funnel"),
    'fit.plot_gain(tasks=["pawsx"])': lambda fit, evals, path: fit.plot_gain(tasks=["pawsx"]),
    'fit.predict("13B", task=["xcopa", "pawsx"])': lambda fit, evals, path: fit.predict(
        "13B", task=["xcopa", "pawsx"]
    ),
    'gl.assess(fit, ["slope < 0", ...])': lambda fit, evals, path: gl.assess(fit, ["slope < 0", "slope > 0"]),
    "fit.priors": lambda fit, evals, path: fit.priors,
    "fit.loo": lambda fit, evals, path: fit.loo,
    "gl.compare(a, b)": lambda fit, evals, path: gl.compare(fit, fit),
    "fit.tidy_draws()": lambda fit, evals, path: fit.tidy_draws(),
    "gl.table([a, b, c])": lambda fit, evals, path: gl.table([fit, fit, fit]),
    "fit.table()": lambda fit, evals, path: fit.table(),
    "fit.posterior": lambda fit, evals, path: fit.posterior["posterior"],
    "fit.heterogeneity()": lambda fit, evals, path: fit.heterogeneity(),
    "evals.head()": lambda fit, evals, path: evals.head(),
    "gains.head()": lambda fit, evals, path: evals.gains().head(),
    "len(gains)": lambda fit, evals, path: len(evals.gains()),
    "for verdict in verdicts": lambda fit, evals, path: [
        each.verdict for each in gl.assess(fit, ["slope < 0"])
    ],
}


@pytest.mark.parametrize("call", NATURAL)
def test_natural_calls_work_at_first_try(call: str, fit: gl.Fit, evals: gl.Evaluations) -> None:
    result = NATURAL[call](fit, evals, Path(evals.source))
    if call.startswith("gl.fit("):
        assert (result.n_rows, result.scale, result.n_checkpoints) == (24, "points", 4)
        assert len(result.gains.covariance.blocks) == len(fit.gains.covariance.blocks)
    elif call.startswith("fit.plot"):
        assert len(result.plot_data)
        assert result.alt
    else:
        assert result is not None


def test_a_file_a_frame_and_the_reader_fit_alike(fit: gl.Fit, evals: gl.Evaluations) -> None:
    for data in (evals.source, evals.frame, evals.gains().frame):
        again = gl.fit(data, draws=500)
        pd.testing.assert_frame_equal(again.estimates, fit.estimates)


def test_what_cannot_be_fitted_is_refused(tmp_path: Path) -> None:
    with pytest.raises(gl.InputError, match=r"neither evaluations .* nor gains"):
        gl.fit(pd.DataFrame({"x": [1.0], "y": [2.0]}))
    with pytest.raises(gl.InputError, match=r"missing\.csv"):
        gl.fit(tmp_path / "missing.csv")
    with pytest.raises(gl.InputError, match="takes gains or evaluations"):
        gl.fit([1.0, 2.0])


def test_predictions_of_several_groups_are_those_of_each(fit: gl.Fit) -> None:
    both = fit.predict(["1B", "13B"], task=["xcopa", "pawsx"], language=["en", "sw"])
    assert len(both) == 2 * 2 * 2 * 2
    alone = fit.predict(["1B", "13B"], task="pawsx", language="sw")
    kept = both[both["group"] == alone["group"].iloc[0]].reset_index(drop=True)
    pd.testing.assert_frame_equal(kept, alone)
    with pytest.raises(gl.InputError, match="no task is given"):
        fit.predict("13B", task=[])


def test_a_list_of_claims_is_judged_as_a_family(fit: gl.Fit) -> None:
    claims = ["gain(1B) > 0", "gain(10B) > 5"]
    verdicts = gl.assess(fit, claims)
    alone = [gl.assess(fit, claim) for claim in claims]
    assert [each.probability for each in verdicts] == [each.probability for each in alone]
    p = sorted(each.companion.p for each in alone)
    holm = sorted(each.companion.p_holm for each in verdicts)
    assert holm == pytest.approx([min(2 * p[0], 1.0), max(min(2 * p[0], 1.0), p[1])])
    assert list(verdicts.frame["claim"]) == claims
    with pytest.raises(gl.InputError, match="of one claim"):
        gl.assess(fit, claims, name="both")


def test_priors_can_be_given_back(fit: gl.Fit, evals: gl.Evaluations) -> None:
    again = gl.fit(evals, draws=500, priors=fit.priors)
    assert again.priors == fit.priors
    pd.testing.assert_frame_equal(again.estimates, fit.estimates)


def test_loo_is_by_checkpoint_and_arviz_compares_by_it(fit: gl.Fit, evals: gl.Evaluations) -> None:
    constant = gl.fit(evals, "constant", draws=500)
    ours = gl.compare({"linear": fit, "constant": constant}).set_index("model")
    import arviz_stats

    theirs = arviz_stats.compare({"linear": fit.loo, "constant": constant.loo}, round_to="none")
    assert fit.loo.n_data_points == 4
    best = ours.index[0]
    assert theirs.index[0] == best
    for name in ours.index:
        assert theirs.loc[name, "elpd"] == pytest.approx(ours.loc[name, "elpd"])
        assert theirs.loc[name, "elpd_diff"] == pytest.approx(ours.loc[name, "elpd_diff"], abs=1e-9)


def test_tidy_draws_are_the_draws(fit: gl.Fit) -> None:
    long = fit.tidy_draws("mu", "task", "tau_residual")
    draws = fit.draws["posterior"]
    assert len(long) == 2000 * (2 + draws["task"].shape[2] * draws["task"].shape[3] + 1)
    one = long.query("parameter == 'task' and group == 'pawsx' and coefficient == 'intercept'")
    expected = draws["task"].sel(task_group="pawsx").to_numpy()[..., 0]
    assert (one.pivot_table(index="chain", columns="draw", values="value").to_numpy() == expected).all()
    assert set(fit.tidy_draws()["parameter"]) == set(map(str, draws.data_vars))
    assert len(fit.tidy_draws("tau_residual", prior=True)) == fit.draws["prior"]["tau_residual"].size
    with pytest.raises(gl.InputError, match="no tau_nothing"):
        fit.tidy_draws("tau_nothing")


def test_curves_are_drawn_into_axes_of_ones_own(fit: gl.Fit) -> None:
    from matplotlib.figure import Figure

    axes = Figure().subplots()
    assert fit.plot_gain(tasks=["pawsx"], ax=axes) is axes
    band = fit.plot_gain(tasks="pawsx").plot_data.query("layer == 'band'")
    assert axes.get_lines()[1].get_ydata() == pytest.approx(band["mean"].to_numpy())
    assert axes.get_xscale() == "log"
    with pytest.raises(gl.InputError, match="one set of axes holds one panel, not 2"):
        fit.plot_gain(ax=axes)
    with pytest.raises(gl.InputError, match="no task 'xquad'"):
        fit.plot_gain(tasks=["xquad"])
    with pytest.raises(gl.InputError, match="the panels are by language"):
        fit.plot_gain("language", tasks=["pawsx"])


def test_figures_have_the_names_that_are_offered(fit: gl.Fit) -> None:
    from gainlaw.figures.named import FIGURES
    from gainlaw.options import FigureName, choices

    assert tuple(FIGURES) == choices(FigureName)
    for name in FIGURES:
        if name == "two_curves":  # only a law of scores has them: test_two_curve.py
            with pytest.raises(gl.InputError, match="no curve of untuned scores"):
                fit.plot(name)
        else:
            assert fit.plot(name).alt
    with pytest.raises(gl.InputError, match="allowed: gain, forest"):
        fit.plot("pie")
    with pytest.raises(gl.InputError, match="the figure funnel has no option level"):
        fit.plot("funnel", level="task")


def test_a_funnel_has_the_width_of_sampling_and_of_the_model(fit: gl.Fit) -> None:
    data = fit.plot("funnel").plot_data
    cells, sides = data[data["layer"] == "cell"], data[data["layer"] == "side"]
    assert len(cells) == fit.n_rows
    assert sides["sampling"].to_numpy() == pytest.approx(1.959964 * sides["se"].to_numpy())
    spread = (sides["model"] / 1.959964) ** 2 - sides["se"] ** 2
    total = fit.heterogeneity().set_index("term")["tau2"]["total"]
    assert spread.to_numpy() == pytest.approx(total)


def test_a_law_without_sizes_plots_its_groups(evals: gl.Evaluations) -> None:
    constant = gl.fit(evals, "constant", draws=200)
    assert "gain" in constant.plot().alt
    assert constant.table().name == "gain_at_task"
    with pytest.raises(gl.InputError, match="no curve over size"):
        constant.plot_gain()
