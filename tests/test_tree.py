"""Languages along their tree: the covariance it stands for, and what a fit makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.hierarchy import build_problem, specify
from gainlaw.hierarchy.marginal import Marginal
from gainlaw.hierarchy.problem import gaussian_data
from gainlaw.laws import law

# Two genera of one family, a genus of another, and an isolate.
LANGUAGES = {"en": "Germanic", "de": "Germanic", "ru": "Slavic", "tr": "Turkic", "ko": "Korean"}
FAMILIES = {
    "en": "Indo-European",
    "de": "Indo-European",
    "ru": "Indo-European",
    "tr": "Turkic",
    "ko": "Koreanic",
}
SIZES = (1e8, 1e9, 1e10)


def study(rng: np.random.Generator, family: float = 0.0, own: float = 0.0) -> gl.Gains:
    shifts = {name: family * rng.standard_normal() for name in sorted(set(FAMILIES.values()))}
    rows = [
        {
            "task": task,
            "language": language,
            "language_family": FAMILIES[language],
            "checkpoint": f"m{c}",
            "params": size,
            "gain": 3.0
            + c
            + shifts[FAMILIES[language]]
            + own * rng.standard_normal()
            + 0.3 * rng.standard_normal(),
            "se": 0.3,
            "scale": "points",
        }
        for c, size in enumerate(SIZES)
        for task in ("a", "b")
        for language in LANGUAGES
    ]
    return gl.gains_from_frame(pd.DataFrame(rows))


def shared(first: str, second: str) -> float:
    """Return the share of the way from the root that two languages go together."""
    if first == second:
        return 1.0
    return ((FAMILIES[first] == FAMILIES[second]) + (LANGUAGES[first] == LANGUAGES[second])) / 3.0


def test_the_likelihood_is_that_of_the_trees_covariance() -> None:
    gains = study(np.random.default_rng(0))
    problem = build_problem(gains, specify(gains, law("linear"), terms=["language_tree"], tree=True))
    rng = np.random.default_rng(1)
    names = list(problem.hyper)
    assert names == ["tau_language_tree", "tau_language_tree_slope", "rho_language_tree", "tau_residual"]
    bounds = [(0.2, 3.0), (0.2, 3.0), (-0.8, 0.8), (0.2, 2.0)]
    points = np.column_stack([rng.uniform(low, high, 4) for low, high in bounds])
    found = Marginal.build(problem, gaussian_data(problem)).log_likelihood(points)
    language = gains.frame["language"].tolist()
    tree = np.array([[shared(a, b) for b in language] for a in language])
    x, n = problem.x, len(problem.y)
    spec = problem.spec.priors
    for point, ours in zip(points, found, strict=True):
        tau, slope, rho, residual = point
        covariance = tree * (tau**2 + rho * tau * slope * np.add.outer(x, x) + slope**2 * np.outer(x, x))
        covariance += spec["intercept"].scale ** 2 + spec["slope"].scale ** 2 * np.outer(x, x)
        covariance += np.diag(gains.covariance.variance) + residual**2 * np.eye(n)
        assert ours == pytest.approx(
            stats.multivariate_normal(np.zeros(n), covariance).logpdf(problem.y), abs=1e-8
        )


def test_families_that_differ_show_in_the_tree(tmp_path: Path) -> None:
    gains = study(np.random.default_rng(2), family=4.0)
    fit = gl.fit(gains, tree=True)
    assert fit.status == "ok"
    assert fit.record["engine"]["used"] == "exact"
    assert next(term.name for term in fit.spec.terms if "language" in term.name) == "language_tree"
    table = fit.summary("language").query("estimand == 'gain' and params == 1e9").set_index("group")
    means = gains.frame.groupby("language")["gain"].mean()
    for language in LANGUAGES:
        assert table.loc[f"language={language}", "mean"] == pytest.approx(means[language], abs=0.6)
    # A family of one language is that language; one of several is their average.
    family = fit.summary("language_family").query("estimand == 'gain' and params == 1e9").set_index("group")
    ours = table.loc[[f"language={name}" for name in ("de", "en", "ru")], "mean"].mean()
    assert family.loc["language_family=Indo-European", "mean"] == pytest.approx(ours, abs=1e-9)
    again = gl.load_fit(fit.save(tmp_path / "fit"))
    pd.testing.assert_frame_equal(again.summary("overall"), fit.summary("overall"), atol=1e-9)
    new = fit.predict(1e9, new=["language_tree"])
    spread = new["ci_high"] - new["ci_low"]
    assert (spread.to_numpy() > (fit.predict(1e9)["ci_high"] - fit.predict(1e9)["ci_low"]).to_numpy()).all()


def test_counts_and_the_command_line(cli, tmp_path: Path) -> None:
    outcome = cli(
        "fit", "bloomz", "-o", tmp_path / "fit", "--scale", "log_odds", "--tree", "--where", "intermediate=xP3",
        "--where", "task=xcopa",
    )  # fmt: skip
    assert outcome.code == 0, outcome.err
    fit = gl.load_fit(tmp_path / "fit")
    assert "language_tree" in {term.name for term in fit.spec.terms}
    assert fit.record["arguments"]["resolved"]["tree"] is True


def test_a_tree_needs_languages() -> None:
    frame = study(np.random.default_rng(0)).frame.drop_duplicates(["task", "checkpoint"])
    gains = gl.gains_from_frame(frame[["task", "checkpoint", "params", "gain", "se", "scale"]])
    with pytest.raises(gl.InputError, match=r"'language'.*tree"):
        gl.fit(gains, tree=True)
