"""Languages along their tree: the covariance it stands for, and what a fit makes of it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

import gainlaw as gl
from gainlaw.laws import law
from gainlaw.model.gaussian.marginal import Marginal
from gainlaw.model.spec.problem import build_problem, gaussian_data, specify
from gainlaw.model.spec.tree import read_relations

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


NEWICK = "(((en:1,de:1)Germanic:1,ru:2)IE:1,tr:3,ko:1.5)root;"
OF_NEWICK = np.array(
    [[3, 2, 1, 0, 0], [2, 3, 1, 0, 0], [1, 1, 3, 0, 0], [0, 0, 0, 3, 0], [0, 0, 0, 0, 1.5]]
) / 2.7  # fmt: skip
ORDER = ["en", "de", "ru", "tr", "ko"]


def matrix() -> pd.DataFrame:
    """Return similarities that are no tree's, with a language that no table has."""
    rng = np.random.default_rng(5)
    points = rng.normal(size=(6, 2))
    away = np.linalg.norm(points[:, None] - points[None], axis=-1)
    return pd.DataFrame(np.exp(-away), index=[*ORDER, "xx"], columns=[*ORDER, "xx"])


def dense(problem, gains: gl.Gains, tree: np.ndarray, point: np.ndarray) -> float:
    """Return the log density under a covariance between languages, with one row or several a language."""
    value = dict(zip(problem.hyper, point, strict=True))
    x, y, priors = problem.x, problem.y, problem.spec.priors
    at = [ORDER.index(name) for name in gains.frame["language"]]
    own = tree[np.ix_(at, at)]
    line = value.get("tau_language_tree_slope", 0.0)
    cross = value.get("rho_language_tree", 0.0) * value["tau_language_tree"] * line
    total = own * (value["tau_language_tree"] ** 2 + cross * np.add.outer(x, x) + line**2 * np.outer(x, x))
    total += priors["intercept"].scale ** 2 + np.diag(gains.covariance.variance)
    if "slope" in priors:
        total += priors["slope"].scale ** 2 * np.outer(x, x)
    total += value["tau_residual"] ** 2 * np.eye(len(y))
    return float(stats.multivariate_normal(np.zeros(len(y)), total).logpdf(y))


@pytest.mark.parametrize("kind", ["newick", "matrix"])
@pytest.mark.parametrize("law_name", ["linear", "constant"])
def test_a_tree_or_a_covariance_may_be_handed_in(kind: str, law_name: str, tmp_path: Path) -> None:
    gains = study(np.random.default_rng(0))
    file = tmp_path / ("tree.nwk" if kind == "newick" else "tree.csv")
    if kind == "newick":
        file.write_text(NEWICK, "utf-8")
        tree = OF_NEWICK
    else:
        matrix().to_csv(file)
        tree = matrix().loc[ORDER, ORDER].to_numpy()
    relations = read_relations(file)
    spec = specify(gains, law(law_name), terms=["language_tree"], tree=relations)
    problem = build_problem(gains, spec)
    points = np.random.default_rng(1).uniform(0.3, 0.9, (3, len(problem.hyper)))
    found = Marginal.build(problem, gaussian_data(problem)).log_likelihood(points)
    for point, ours in zip(points, found, strict=True):
        assert ours == pytest.approx(dense(problem, gains, tree, point), abs=1e-8)
    # What is kept in the record is the same tree.
    again = read_relations(relations.record)
    np.testing.assert_allclose(again.steps @ again.steps.T, relations.steps @ relations.steps.T, atol=1e-12)


@pytest.mark.parametrize("tree", [True, {"newick": NEWICK}])
def test_one_row_a_language_leaves_the_residual_beside_a_tree(tree: object) -> None:
    frame = (
        study(np.random.default_rng(3))
        .frame.drop_duplicates("language")
        .drop(columns=["checkpoint", "params"])
    )
    gains = gl.gains_from_frame(frame[["language", "language_family", "gain", "se", "scale"]])
    spec = specify(gains, law("constant"), tree=read_relations(tree))
    assert [term.name for term in spec.terms] == ["language_tree"]
    assert spec.residual
    problem = build_problem(gains, spec)
    own = np.array([[shared(a, b) for b in ORDER] for a in ORDER]) if tree is True else OF_NEWICK
    found = Marginal.build(problem, gaussian_data(problem)).log_likelihood(np.array([[1.3, 0.4]]))
    assert found[0] == pytest.approx(dense(problem, gains, own, np.array([1.3, 0.4])), abs=1e-8)
    # Unrelated languages that vary alike are a residual of their own.
    star = {"newick": f"({','.join(ORDER)});"}
    plain = specify(gains, law("constant"), tree=read_relations(star))
    assert not plain.residual
    assert [each.name for each in plain.dropped if "every row" in each.reason] == ["residual"]


def test_the_tree_of_families_handed_in_gives_the_same_fit() -> None:
    gains = study(np.random.default_rng(2), family=4.0)
    own = pd.DataFrame([[shared(a, b) for b in ORDER] for a in ORDER], index=ORDER, columns=ORDER)
    fits = [
        gl.fit(gains, tree=tree, terms=["language_tree", "checkpoint"], draws=250) for tree in (True, own)
    ]
    assert fits[1].record["arguments"]["resolved"]["tree"]["languages"] == ORDER
    for level in ("language", "language_family"):
        a, b = (
            each.summary(level).query("estimand == 'gain' and params == 1e9").set_index("group")
            for each in fits
        )
        # A thousand draws each: a thirtieth of an sd, four of those for both.
        assert ((a["mean"] - b["mean"]).abs() < 0.2 * a["sd"]).all()
    new = [fit.predict(1e9, new=["language_tree"])["sd"].to_numpy() for fit in fits]
    np.testing.assert_allclose(new[0], new[1], rtol=0.15)


def test_a_tree_from_a_file_is_kept_with_the_fit(cli, tmp_path: Path) -> None:
    study(np.random.default_rng(2)).write(tmp_path / "x.csv")
    (tmp_path / "tree.nwk").write_text(NEWICK, "utf-8")
    outcome = cli(
        "fit",
        tmp_path / "x.csv",
        "-o",
        tmp_path / "fit",
        "--tree-file",
        tmp_path / "tree.nwk",
        "--draws",
        150,
    )
    assert outcome.code in (0, 1), outcome.err
    (tmp_path / "tree.nwk").unlink()
    fit = gl.load_fit(tmp_path / "fit")
    term = next(term for term in fit.spec.terms if term.name == "language_tree")
    assert "Germanic" in term.groups
    assert fit.predict(1e9, language="en")["mean"].notna().all()


@pytest.mark.parametrize(
    ("tree", "message"),
    [
        ({"newick": "((en,de),ru,tr);"}, "the tree has not: ko"),
        ({"newick": "((en,de),ru,tr,ko"}, "no tree in Newick's format"),
        ({"newick": "((en:1,de:1),ru:1,tr:1,ko:1);"}, "some branches have a length and others not"),
        ({"newick": "((en:1,de:1):-1,ru:1,tr:1,ko:1);"}, "0 or above"),
        ({"newick": "((en:0,de:0):0,ru:1,tr:1,ko:1);"}, "never leave the root of the tree: de, en"),
        ({"newick": "((en,en),ru,tr,ko);"}, "stand twice: en"),
        ({"newick": "(en,de);(ru,tr,ko);"}, "holds 2 trees"),
        (matrix().drop(columns="ko"), "name different languages: ko"),
        (matrix().assign(ko=np.nan), "no finite number at en, ko"),
        (matrix().assign(ko="x"), "no finite number at en, ko"),
        (matrix().assign(ko=0.9), "not symmetric: en, ko"),
        (1.0 - matrix(), "no positive variance for en"),
        (matrix() - 0.95 * np.ones((6, 6)) + np.eye(6), "no covariance"),
        (3.0, "cannot be float"),
    ],
)
def test_what_is_no_tree_of_these_languages_is_refused(tree: object, message: str) -> None:
    gains = study(np.random.default_rng(0))
    with pytest.raises(gl.InputError, match=message):
        specify(gains, law("linear"), tree=read_relations(tree))


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(gl.InputError, match=r"nothing\.nwk(.|\n)*cannot be read"):
        read_relations(tmp_path / "nothing.nwk")
