"""Gains: scales, variances, the covariance of rows that share a baseline, files and what they carry."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from gainlaw import load_dataset
from gainlaw.errors import InputError
from gainlaw.options import choices
from gainlaw.scales import Scale
from gainlaw.scores.evaluations.table import Evaluations, evaluations_from_frame
from gainlaw.scores.gains.bootstrap import language_bootstrap_slope
from gainlaw.scores.gains.cells.reading import gains_from_frame, read_gains, read_table
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.sampling import mcnemar_variance
from gainlaw.scores.gains.table import Gains, compute_gains

SCALES = choices(Scale)
EXACT = 1e-12  # closed forms in double precision


def study(
    baseline: int, tops: list[int], n: int, n_top: int | None = None, task: str = "xnli", **columns: object
) -> Evaluations:
    """One baseline with `baseline` of n right, compared with an intermediate for every entry of `tops`."""
    m = n if n_top is None else n_top
    rows = [("a", "", "none", baseline, n), *((f"a-{i}", "a", f"t{i}", k, m) for i, k in enumerate(tops))]
    frame = pd.DataFrame(rows, columns=["model", "base_model", "intermediate", "n_correct", "n_examples"])
    frame = frame.assign(model_family="A", params=10**9, task=task, language="sw", **columns)
    return evaluations_from_frame(frame)


def items(answers: np.ndarray, seed: int = 0) -> Evaluations:
    """Evaluations with predictions; row 0 of `answers` (rows x items) is the baseline."""
    evals = study(int(answers[0].sum()), [int(row.sum()) for row in answers[1:]], answers.shape[1])
    names = [("a", "none"), *((f"a-{i}", f"t{i}") for i in range(len(answers) - 1))]
    parts = []
    order = np.random.default_rng(seed).permutation(answers.shape[1])
    for (model, intermediate), row in zip(names, answers, strict=True):
        part = pd.DataFrame({"example": [f"q{i}" for i in order], "correct": row[order]})
        parts.append(part.assign(model=model, intermediate=intermediate, task="xnli", language="sw"))
    return evaluations_from_frame(evals.frame.drop(columns=["row"]), predictions=pd.concat(parts))


def test_scales_by_hand() -> None:
    evals = study(60, [70], 100, task="xcopa")
    p0, p1, c = 0.6, 0.7, 0.5
    assert evals.gains("points").frame["gain"].item() == pytest.approx(10, rel=EXACT)
    assert evals.gains("normalized").frame["gain"].item() == pytest.approx(20, rel=EXACT)
    assert evals.gains("error_reduction").frame["gain"].item() == pytest.approx(25, rel=EXACT)
    q0, q1 = 60.5 / 101, 70.5 / 101
    expected = np.log((q1 - c) / (1 - q1)) - np.log((q0 - c) / (1 - q0))
    assert evals.gains("log_odds").frame["gain"].item() == pytest.approx(expected, rel=EXACT)
    v0, v1 = p0 * (1 - p0) / 100, p1 * (1 - p1) / 100
    assert evals.gains("points").frame["se"].item() == pytest.approx(100 * np.sqrt(v0 + v1), rel=EXACT)
    assert evals.gains("normalized").frame["se"].item() == pytest.approx(200 * np.sqrt(v0 + v1), rel=EXACT)
    ratio = 100 * np.sqrt(v1 / 0.4**2 + v0 * 0.3**2 / 0.4**4)
    assert evals.gains("error_reduction").frame["se"].item() == pytest.approx(ratio, rel=EXACT)


@pytest.mark.parametrize("scale", SCALES)
def test_standard_errors_agree_with_simulation(scale: Scale) -> None:
    rng = np.random.default_rng(3)
    n, p0, p1 = 2000, 0.62, 0.71
    given = study(round(n * p0), [round(n * p1)], n, task="xcopa").gains(scale).frame["se"].item()
    k0, k1 = rng.binomial(n, p0, 400), rng.binomial(n, p1, 400)
    frame = pd.DataFrame(
        {
            "model": [f"{kind}{i}" for kind in "ab" for i in range(400)],
            "base_model": [""] * 400 + [f"a{i}" for i in range(400)],
            "intermediate": ["none"] * 400 + ["t"] * 400,
            "n_correct": np.r_[k0, k1],
        }
    ).assign(model_family="A", params=10**9, task="xcopa", language="sw", n_examples=n)
    spread = evaluations_from_frame(frame).gains(scale).frame["gain"].std()
    assert given == pytest.approx(spread, rel=0.12)  # 400 draws: a standard deviation is known to 3.5%


@pytest.mark.parametrize("k", [0, 50])
def test_floor_of_the_variance_at_the_edges(k: int) -> None:
    evals = study(k, [25], 50)
    p = (k + 0.5) / 51
    expected = 100 * np.sqrt(p * (1 - p) / 50 + 0.25 / 50)
    assert evals.gains().frame["se"].item() == pytest.approx(expected, rel=EXACT)
    for scale in SCALES:
        row = evals.gains(scale).frame
        assert np.isfinite(row[["gain", "se"]].to_numpy()).all()


def test_stderr_given_is_used() -> None:
    evals = study(60, [70], 100, stderr=[0.08, 0.06])
    assert evals.gains().frame["se"].item() == pytest.approx(10, rel=EXACT)


def test_scores_with_only_a_standard_error() -> None:
    frame = study(60, [70], 100).frame.assign(stderr=[0.08, 0.06], metric="f1")
    frame = frame.drop(columns=["n_correct", "n_examples", "row"])
    gains = evaluations_from_frame(frame).gains()
    assert gains.frame["se"].item() == pytest.approx(10, rel=EXACT)
    assert gains.frame[["n_baseline", "k_baseline"]].isna().all(axis=None)
    for scale in ("points", "error_reduction"):
        assert np.isfinite(gains.to_scale(scale).frame["se"]).all()
    for scale in ("normalized", "log_odds"):
        with pytest.raises(InputError, match="n_classes" if scale == "normalized" else "no share of items"):
            gains.to_scale(scale)


def test_block_covariance_is_the_variance_of_the_baseline() -> None:
    gains = study(60, [70, 50, 65], 100).gains()
    cov = gains.covariance.matrix()
    v0 = 1e4 * 0.6 * 0.4 / 100
    assert cov[~np.eye(3, dtype=bool)] == pytest.approx(v0, rel=EXACT)
    assert gains.frame["block"].nunique() == 1
    assert gains.frame["baseline_se"].to_numpy() == pytest.approx(np.sqrt(v0), rel=EXACT)


@given(
    base=st.integers(0, 60),
    tops=st.lists(st.integers(0, 60), min_size=1, max_size=6),
    scale=st.sampled_from(SCALES),
)
@settings(max_examples=25, deadline=None)
def test_blocks_are_covariances(base: int, tops: list[int], scale: Scale) -> None:
    gains = study(base, tops, 60).gains(scale)
    dense = gains.covariance.matrix()
    assert np.allclose(np.sqrt(np.diag(dense)), gains.frame["se"], rtol=1e-12, atol=0)
    assert np.linalg.eigvalsh(dense)[0] >= -1e-9 * dense.max()
    for i in {0, len(tops) - 1}:  # alone, each intermediate has the same gain and standard error
        top = tops[i]
        alone = study(base, [top], 60).gains(scale)
        assert alone.frame["gain"].item() == pytest.approx(gains.frame["gain"][i], rel=EXACT, abs=EXACT)
        assert alone.frame["se"].item() == pytest.approx(gains.frame["se"][i], rel=EXACT)
        assert not alone.covariance.blocks


@given(
    answers=st.integers(8, 40).flatmap(
        lambda n: st.lists(st.lists(st.booleans(), min_size=n, max_size=n), min_size=2, max_size=5)
    ),
    scale=st.sampled_from(SCALES),
)
@settings(max_examples=25, deadline=None)
def test_paired_covariance_is_that_of_the_differences(answers: list[list[bool]], scale: Scale) -> None:
    table = np.array(answers, float)
    gains = items(table).gains(scale, variance="paired")
    assert gains.frame["variance"].eq("paired").all()
    dense = gains.covariance.matrix()
    assert np.allclose(dense, dense.T)
    assert np.linalg.eigvalsh(dense)[0] >= -1e-9 * max(dense.max(), 1)
    if scale != "points":
        return
    differences = 100 * (table[1:] - table[0])
    empirical = np.atleast_2d(np.cov(differences, bias=True)) / table.shape[1]
    edge = (table.sum(axis=1) == 0) | (table.sum(axis=1) == table.shape[1])
    for i, j in np.argwhere(~(edge[1:, None] | edge[None, 1:] | edge[0])):
        if i != j or empirical[i, j] > 0:  # where no item is discordant the floor stands instead
            assert dense[i, j] == pytest.approx(empirical[i, j], rel=1e-9, abs=1e-9)
    if not edge.any():
        n = table.shape[1]
        for i, row in enumerate(table[1:]):
            n10, n01 = ((row == 1) & (table[0] == 0)).sum(), ((row == 0) & (table[0] == 1)).sum()
            assert dense[i, i] == pytest.approx(1e4 * mcnemar_variance(n10, n01, n), rel=1e-9)


def test_mcnemar_formula() -> None:
    assert mcnemar_variance(30, 10, 100) == pytest.approx((30 + 10 - 20**2 / 100) / 100**2, rel=EXACT)
    assert mcnemar_variance(0, 0, 100) == pytest.approx(1 / 101**2, rel=EXACT)
    assert mcnemar_variance(100, 0, 100) > 0


def test_pairing_of_items_narrows_the_error_and_ignores_their_order() -> None:
    rng = np.random.default_rng(1)
    base = rng.random(500) < 0.6
    top = np.where(rng.random(500) < 0.9, base, rng.random(500) < 0.8)
    first, second = items(np.array([base, top], float)), items(np.array([base, top], float), seed=9)
    paired, unpaired = first.gains(variance="paired"), first.gains(variance="unpaired")
    assert paired.frame["se"].item() < 0.6 * unpaired.frame["se"].item()
    assert paired.frame["gain"].item() == unpaired.frame["gain"].item()
    assert second.gains().frame["se"].item() == pytest.approx(paired.frame["se"].item(), rel=EXACT)


def test_rows_without_items_in_a_block_with_items() -> None:
    rng = np.random.default_rng(2)
    table = (rng.random((4, 200)) < [[0.5], [0.6], [0.6], [0.7]]).astype(float)
    whole = items(table)
    assert whole.predictions is not None
    kept = whole.predictions[whole.predictions["model"] != "a-2"].drop(columns="position")
    part = evaluations_from_frame(whole.frame.drop(columns="row"), predictions=kept)
    gains = part.gains()
    assert gains.frame["variance"].tolist() == ["paired", "paired", "unpaired"]
    gains.covariance.validate()
    unpaired = whole.gains(variance="unpaired").frame["se"]
    assert gains.frame["se"][2] == pytest.approx(unpaired[2], rel=1e-9)
    with pytest.raises(InputError, match=r"variance is 'paired' but the items.*lines? 5"):
        part.gains(variance="paired")


def test_different_items_are_not_paired() -> None:
    table = (np.random.default_rng(0).random((2, 50)) < 0.5).astype(float)
    whole = items(table)
    assert whole.predictions is not None
    other = whole.predictions.drop(columns="position")
    top = other["model"].eq("a-0")
    other.loc[top, "example"] = "other " + other.loc[top, "example"]
    gains = evaluations_from_frame(whole.frame.drop(columns="row"), predictions=other).gains()
    assert gains.frame["variance"].item() == "unpaired"


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda p: p.drop(columns="correct"), "column 'correct': the column is missing"),
        (lambda p: p.assign(correct=2), "neither 0 nor 1"),
        (lambda p: p.assign(correct="yes"), "truth value"),
        (lambda p: p.assign(model="nobody"), "belong to no row"),
        (lambda p: pd.concat([p, p.iloc[:1]]), "answered twice"),
        (lambda p: p.assign(correct=1 - p["correct"]), "differs from the score"),
        (lambda p: p.assign(example=""), "column 'example': no value"),
    ],
)
def test_malformed_predictions(change: object, says: str) -> None:
    table = np.zeros((2, 50))
    table[:, :20] = 1
    whole = items(table)
    assert whole.predictions is not None
    bad = change(whole.predictions.drop(columns="position"))  # type: ignore[operator]
    with pytest.raises(InputError, match=says):
        evaluations_from_frame(whole.frame.drop(columns="row"), predictions=bad)


@given(
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=6),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_block_covariance_against_the_dense_matrix(sizes: list[int], seed: int) -> None:
    rng = np.random.default_rng(seed)
    n = sum(sizes)
    order = rng.permutation(n)
    dense = np.zeros((n, n))
    blocks, start = [], 0
    for m in sizes:
        rows = np.sort(order[start : start + m])
        root = rng.normal(size=(m, m))
        cov = root @ root.T + 0.1 * np.eye(m)
        dense[np.ix_(rows, rows)] = cov
        if m > 1:
            blocks.append((rows, cov))
        start += m
    cov = BlockCovariance(np.diag(dense).copy(), tuple(blocks)).validate()
    assert np.array_equal(cov.matrix(), dense)
    mask = rng.random(n) < 0.6
    assert np.array_equal(cov.subset(mask).matrix(), dense[np.ix_(mask, mask)])
    factor = rng.normal(size=n)
    assert np.allclose(cov.scaled(factor).matrix(), dense * np.outer(factor, factor))
    values, apply = cov.rotation()
    rotation = apply(np.eye(n))
    assert np.allclose(rotation @ rotation.T, np.eye(n))
    assert np.allclose(rotation @ dense @ rotation.T, np.diag(values))
    z = rng.normal(size=n)
    assert np.allclose(apply(z), rotation @ z)
    assert np.allclose(apply(z) @ (apply(z) / (values + 2)), z @ np.linalg.solve(dense + 2 * np.eye(n), z))


@pytest.mark.parametrize(
    ("cov", "says"),
    [
        ([[1.0, 2.0], [2.0, 1.0]], "positive semidefinite"),
        ([[1.0, 0.5], [0.4, 1.0]], "symmetric"),
        ([[2.0, 0.5], [0.5, 1.0]], "diagonal"),
        ([[1.0, np.nan], [np.nan, 1.0]], "finite"),
    ],
)
def test_what_is_no_covariance(cov: list[list[float]], says: str) -> None:
    with pytest.raises(InputError, match=says):
        BlockCovariance(np.ones(2), ((np.arange(2), np.array(cov)),)).validate()
    with pytest.raises(InputError, match="not negative"):
        BlockCovariance(np.array([-1.0])).validate()


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
@pytest.mark.parametrize("scale", SCALES)
def test_files_give_back_gains_and_covariance(suffix: str, scale: Scale, tmp_path: Path) -> None:
    gains = load_dataset("bloomz", tasks=["xcopa", "xwinograd"]).gains(scale)
    path = gains.write(tmp_path / f"gains.{suffix}")
    back = read_gains(path)
    assert back.scale == scale
    assert sorted(p.name for p in tmp_path.iterdir()) == [path.name]
    pd.testing.assert_frame_equal(back.frame, gains.frame, check_dtype=False, check_exact=False, rtol=1e-12)
    np.testing.assert_allclose(back.covariance.matrix(), gains.covariance.matrix(), rtol=1e-9)
    for other in SCALES:
        there, here = back.to_scale(other), gains.to_scale(other)
        np.testing.assert_allclose(there.frame["gain"], here.frame["gain"], rtol=1e-9, atol=1e-9)
        np.testing.assert_allclose(there.covariance.matrix(), here.covariance.matrix(), rtol=1e-9, atol=1e-12)


def test_files_give_back_a_paired_covariance(tmp_path: Path) -> None:
    table = (np.random.default_rng(0).random((4, 80)) < 0.6).astype(float)
    gains = items(table).gains()
    path = gains.write(tmp_path / "gains.csv")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["gains.csv", "gains.csv.cov.parquet"]
    back = read_gains(path)
    np.testing.assert_allclose(back.covariance.matrix(), gains.covariance.matrix(), rtol=1e-9)
    table_back = read_table(path)
    assert type(table_back) is type(back)
    with pytest.raises(InputError, match="without the items"):
        back.to_scale("log_odds")
    np.testing.assert_allclose(back.to_scale("normalized").frame["se"], 1.5 * back.frame["se"])
    (tmp_path / "gains.csv.cov.parquet").unlink()
    with pytest.raises(InputError, match=r"column 'baseline_se'.*covariance is not known"):
        read_gains(path)


def test_rewriting_takes_an_old_covariance_away(tmp_path: Path) -> None:
    path = tmp_path / "gains.csv"
    items((np.random.default_rng(0).random((3, 80)) < 0.6).astype(float)).gains().write(path)
    study(60, [70, 65], 100).gains().write(path)
    assert [p.name for p in tmp_path.iterdir()] == ["gains.csv"]
    assert len(read_gains(path).covariance.blocks) == 1


def test_blocks_have_names_or_numbers() -> None:
    table = pd.DataFrame({"gain": [3.0, 2.0, 1.0, 4.0], "se": 1.0, "correlation": 0.5})
    numbered = gains_from_frame(table.assign(block=[7.0, np.nan, 3.0, 7.0]))
    named = gains_from_frame(table.assign(block=["Hart 1977", "", "TPT Madras", "Hart 1977"]))
    np.testing.assert_array_equal(named.covariance.matrix(), numbered.covariance.matrix())
    assert named.covariance.matrix()[0, 3] == 0.5
    for wrong in (["a", "A", "b", "b"], [1, 1, "x", 2]):
        with pytest.raises(InputError, match="block"):
            gains_from_frame(table.assign(block=wrong))


def test_log_odds_without_a_size_are_counted() -> None:
    def unsized(gains: Gains) -> list[tuple[int, str]]:
        return [(note.count, note.severity) for note in gains.notes if note.kind == "unsized"]

    at_floor, at_ceiling, clear = (
        study(330, [340, 500], 1000),
        study(1000, [998], 1000),
        study(400, [600], 1000),
    )
    assert unsized(at_floor.gains()) == []
    assert unsized(at_floor.gains("log_odds")) == [(1, "warning")]
    assert unsized(at_ceiling.gains("log_odds")) == [(1, "warning")]
    assert unsized(clear.gains("log_odds")) == []
    there = at_floor.gains().to_scale("log_odds")
    assert unsized(there) == [(1, "warning")]
    assert (
        unsized(there.to_scale("points")) == unsized(there.subset(there.frame["intermediate"].eq("t1"))) == []
    )
    assert unsized(gains_from_frame(there.frame, scale="log_odds")) == [(1, "warning")]


def test_subset_and_rescaling_keep_their_rows() -> None:
    gains = load_dataset("bloomz").gains()
    mask = gains.frame["language_family"].eq("Turkic") & gains.frame["intermediate"].ne("xP3mt")
    part = gains.subset(mask)
    assert len(part.covariance.blocks) == 4
    there = part.to_scale("log_odds")
    whole = gains.to_scale("log_odds").subset(mask)
    pd.testing.assert_frame_equal(there.frame, whole.frame.assign(block=there.frame["block"]))
    np.testing.assert_allclose(there.covariance.matrix(), whole.covariance.matrix())
    shuffled = part.frame.iloc[::-1].reset_index(drop=True)
    from dataclasses import replace

    turned = replace(part, frame=shuffled, covariance=BlockCovariance(part.covariance.variance[::-1].copy()))
    assert turned.to_scale("log_odds").frame["gain"].tolist() == there.frame["gain"].tolist()[::-1]
    with pytest.raises(InputError, match="no row is left"):
        gains.subset(np.zeros(len(gains), bool))


def test_unknown_guess_rate() -> None:
    evals = study(60, [70], 100, task="mystery")
    assert np.isnan(evals.gains().frame["chance"].item())
    for scale in ("normalized", "log_odds"):
        with pytest.raises(InputError, match=r"column 'n_classes'.*mystery"):
            evals.gains(scale)
    assert study(60, [70], 100, task="mystery", n_classes=4).gains("normalized").frame["gain"].item() > 0
    free = study(60, [70], 100, task="mystery", chance=0.0).gains("normalized")
    assert free.frame["gain"].item() == pytest.approx(10, rel=EXACT)


def test_eight_schools_have_no_sizes() -> None:
    frame = pd.DataFrame(
        {
            "task": list("ABCDEFGH"),
            "gain": [28, 8, -3, 7, -1, 1, 18, 12],
            "se": [15, 10, 16, 11, 9, 11, 10, 18],
        }
    )
    gains = gains_from_frame(frame, "eight schools")
    assert gains.frame["params"].isna().all()
    assert gains.frame["checkpoint"].eq("").all()
    assert gains.frame["variance"].eq("given").all()
    assert not gains.covariance.blocks
    with pytest.raises(InputError, match="both scores"):
        gains.to_scale("log_odds")


def test_published_effects() -> None:
    frame = pd.DataFrame(
        {"params": [10**9, 2 * 10**9, 10**9], "model_family": ["A", "A", "B"], "gain": [1.0, 2, 3], "se": 1.0}
    )
    gains = gains_from_frame(frame, scale="log_odds")
    assert gains.frame["checkpoint"].tolist() == ["A:1000000000", "A:2000000000", "B:1000000000"]
    assert gains.scale == "log_odds"
    with pytest.raises(InputError, match="not 'points'"):
        gains_from_frame(frame.assign(scale="log_odds"), scale="points")
    with pytest.raises(InputError, match="allowed: points"):
        gains_from_frame(frame, scale="percent")  # type: ignore[arg-type]
    shared = frame.assign(base_model="a", task="xnli", params=10**9)
    assert any("share a baseline" in str(note) for note in gains_from_frame(shared).notes)


def test_resampling_languages_alone() -> None:
    """The slope of 6.6 [5.4, 8.0] points per decade of the (task, language) series, to bootstrap error."""
    gains = load_dataset("bloomz", intermediates="xP3").gains()
    result = language_bootstrap_slope(gains, draws=4000, rng=1)
    assert result.n_series == 42
    assert result.estimate == pytest.approx(6.6, abs=0.05)
    # 1,000 draws leave the ends uncertain by about 0.1
    assert result.ci_low == pytest.approx(5.4, abs=0.2)
    assert result.ci_high == pytest.approx(8.0, abs=0.2)
    again = language_bootstrap_slope(gains, draws=4000, rng=1)
    assert np.array_equal(again.draws, result.draws)
    with pytest.raises(InputError, match="three sizes"):
        language_bootstrap_slope(load_dataset("bloomz", intermediates="P3").gains())


def test_options_are_checked() -> None:
    evals = study(60, [70], 100)
    with pytest.raises(InputError, match="allowed: points"):
        compute_gains(evals, scale="percent")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="allowed: auto"):
        compute_gains(evals, variance="exact")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no gain to compute"):
        load_dataset("harness_baselines").gains()
    with pytest.raises(InputError, match="no baseline row"):
        load_dataset("mt0").gains()
