"""A notebook: results show themselves in a few lines and a small table, and the natural calls work at first try."""

from __future__ import annotations

import re
from xml.etree import ElementTree

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
