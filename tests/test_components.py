"""Principal components of scores: recovery, imputation, faults, and the observational laws made of them."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli

LOADINGS = np.array([0.5, 0.4, 0.3, 0.2, 0.45, 0.35])
NAMES = [f"b{k}" for k in range(6)]
SLOPES = {"red": 0.20, "blue": 0.12, "green": 0.16}


def models(seed: int, families: int = 12, noise: float = 0.015, missing: float = 0.1) -> pd.DataFrame:
    """Return models of families with their own lines in log compute, scores of one ability, and a further task."""
    rng = np.random.default_rng(seed)
    names = [*SLOPES, *(f"f{k}" for k in range(families - len(SLOPES)))]
    rows = []
    for name in names:
        slope = SLOPES.get(name) or rng.uniform(0.1, 0.2)
        start = 0.0 if name in SLOPES else rng.normal(0.0, 0.15)
        for compute in np.geomspace(1e21, 1e23, 6) * rng.uniform(0.8, 1.25, 6):
            ability = start + slope * np.log(compute / 1e22) + 0.02 * rng.standard_normal()
            scores = 0.45 + LOADINGS * ability + noise * rng.standard_normal(6)
            gone = rng.random(6) < missing
            scores = np.where(gone & (gone.cumsum() <= 3), np.nan, scores)
            task = task_at(ability) + 0.02 * rng.standard_normal()
            rows.append({"model": f"{name}-{compute:.3g}", "family": name, "flops": compute, "task": task,
                         **dict(zip(NAMES, scores, strict=True))})  # fmt: skip
    return pd.DataFrame(rows)


def task_at(ability: np.ndarray | float) -> np.ndarray:
    return 1.0 / (1.0 + np.exp(-6.0 * (np.asarray(ability) - 0.2)))


def test_of_whole_scores_they_are_the_singular_vectors() -> None:
    frame = models(0, missing=0.0)
    found = gl.components(frame, NAMES, number=2)
    values = frame[NAMES].to_numpy()
    u, s, v = np.linalg.svd(values - values.mean(axis=0), full_matrices=False)
    for k in range(2):
        sign = np.sign(v[k].sum())
        np.testing.assert_allclose(found.loadings[f"pc{k + 1}"], sign * v[k], atol=1e-12)
        np.testing.assert_allclose(found.table[f"pc{k + 1}"], sign * u[:, k] * s[k], atol=1e-12)
    np.testing.assert_allclose(found.share, s[:2] ** 2 / (s**2).sum())
    assert found.table[frame.columns].equals(frame)
    moved = gl.components(frame.assign(**{name: 100 * frame[name] for name in NAMES}), NAMES)
    np.testing.assert_allclose(moved.table["pc1"], 100 * found.table["pc1"], rtol=1e-9)


def test_scores_of_one_ability_are_imputed_as_they_were() -> None:
    whole = models(1, noise=0.0, missing=0.0)
    holes = whole.copy()
    rng = np.random.default_rng(1)
    gone = rng.random((len(holes), 6)) < 0.15
    holes[NAMES] = holes[NAMES].mask(gone & (gone.cumsum(axis=1) <= 3))
    found, truth = gl.components(holes, NAMES), gl.components(whole, NAMES)
    np.testing.assert_allclose(found.table["pc1"], truth.table["pc1"], atol=2e-3)
    assert found.loadings["imputed"].sum() == holes[NAMES].isna().to_numpy().sum() > 30
    assert "missing scores imputed" in repr(found)


def test_loadings_are_recovered_with_their_intervals() -> None:
    true = LOADINGS / np.linalg.norm(LOADINGS)
    held = []
    for seed in range(15):
        loadings = gl.components(models(200 + seed), NAMES, groups="family", draws=100).loadings
        held.append((loadings["pc1_low"] <= true) & (true <= loadings["pc1_high"]))
        np.testing.assert_allclose(loadings["pc1"], true, atol=0.03)
    # Percentiles of 12 families are a little short.
    assert np.mean(held) > 0.82
    one, two = (gl.components(models(200), NAMES, groups="family", draws=50, seed=3) for _ in range(2))
    assert one.loadings.equals(two.loadings)


def test_what_cannot_be_decomposed_is_refused_at_once() -> None:
    frame = models(2, missing=0.0).assign(same=1.0, words="high", few=np.nan)
    frame.loc[:3, NAMES[:4]] = np.nan
    with pytest.raises(gl.InputError) as refused:
        gl.components(frame, [*NAMES, "same", "few"])
    told = str(refused.value)
    for words in (
        "lines 2, 3, 4, 5",
        "'same': the same for every model",
        "'few': missing for more than half",
    ):
        assert words in told
    for scores, options, message in (
        (["b0", "b9", "b9"], {}, "no such column"),
        (["b0", "b0"], {}, "named twice"),
        (["b0", "words"], {}, "'high'"),
        (["b4"], {}, "1 component of 1 score"),
        (["b4", "b5"], {"number": 3}, "3 components of 2 scores"),
        (["b4", "b5"], {"groups": "clan"}, "no such column"),
        (["b4", "b5"], {"number": 0}, "number is 0"),
    ):
        with pytest.raises(gl.InputError, match=message):
            gl.components(frame, scores, **options)
    with pytest.raises(gl.InputError, match="there is one already"):
        gl.components(frame.assign(pc1=1.0), ["b4", "b5"])


def observed(frame: pd.DataFrame, family: str) -> tuple[gl.curves.fit.CurveFit, gl.curves.chained.Chain]:
    """Return the law of ability in compute of one family, and the task's from it by the law of all models."""
    table = gl.components(frame, NAMES, groups="family", draws=2).table
    own = table[table["family"] == family]
    first = gl.fit_curve(own, "pc1", x="flops", law="a + b * log_flops", groups="model")
    second = gl.fit_curve(table, "task", x="pc1", law="logistic(k * pc1 - m)", groups="model")
    return first, gl.chain(first, second)


def test_observational_laws_hold_the_truth() -> None:
    """A family's slope in compute, and a task at ten times its compute, in 30 studies of 72 models."""
    length = np.linalg.norm(LOADINGS)
    held = np.zeros(2)
    for seed in range(30):
        first, chain = observed(models(300 + seed), "red")
        row = first.estimates.set_index("parameter").loc["b"]
        held[0] += row["low"] <= SLOPES["red"] * length <= row["high"]
        there = chain.predict({"flops": [1e24]}, draws=300).iloc[0]
        assert 8.0 < there["reach"] < 12.5
        held[1] += there["value_low"] <= task_at(SLOPES["red"] * np.log(1e24 / 1e22)) <= there["value_high"]
    assert chain.same_runs
    assert (held >= 26).all(), held


@pytest.mark.calibration
def test_observational_laws_cover() -> None:
    """300 studies: slopes of three families, and the task at 1 and 10 times their compute."""
    length = np.linalg.norm(LOADINGS)
    held = np.zeros((3, 3))
    for seed in range(300):
        frame = models(1000 + seed)
        for k, (family, slope) in enumerate(SLOPES.items()):
            first, chain = observed(frame, family)
            row = first.estimates.set_index("parameter").loc["b"]
            there = chain.predict({"flops": [1e23, 1e24]}, draws=500)
            truth = task_at(slope * np.log(np.array([1e23, 1e24]) / 1e22))
            held[k, 0] += row["low"] <= slope * length <= row["high"]
            held[k, 1:] += (there["value_low"] <= truth) & (truth <= there["value_high"])
    print((held / 300).round(3).tolist())
    assert held.min() >= 300 * 0.9, held


def test_the_command_makes_components(cli: Cli, tmp_path) -> None:
    frame = models(4)
    frame.to_csv(tmp_path / "models.csv", index=False)
    asked = ["curve", tmp_path / "models.csv", "--components", ",".join(NAMES)]
    by_family = [*asked, "--y", "pc1", "--x", "flops", "--law", "a + b * log_flops", "--by", "family"]
    shown = cli(*by_family, "--claim", "b > 0", "--draws", "200", "--json")
    assert shown.code == 0, shown.err
    assert "of the variance of 6 scores of 72 models" in shown.err
    assert shown.out.count('"supported"') == 12
    shared = cli(*by_family, "--share", "b", "--json")
    first, _ = observed(frame, "red")
    assert f'"estimate": {first.values["b"]:.6f}'[:17] in shown.out
    assert shared.code == 0
    law = ["--law", "logistic(k + b1*pc1 + b2*pc2)", "--groups", "family"]
    both = cli(*asked, "--y", "task", "--x", "pc1,pc2", *law)
    assert "pc2" in both.err
    for options, message in (
        (["--y", "task", "--x", "flops"], "no pc1"),
        (["--x", "pc1"], "--components: with --y alone"),
        (["--y", "pc1", "--x", "pc9", "--law", "a + b*pc9"], "9 components of 6 scores"),
    ):
        refused = cli(*asked, *options)
        assert (refused.code, message in refused.err) == (2, True), refused.err
