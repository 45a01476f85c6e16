"""What follows from a table does not depend on the order of its rows and columns, nor on what things are called."""

from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import gainlaw as gl
from gainlaw.scores.evaluations.pairing import pair_rows
from gainlaw.scores.evaluations.table import Evaluations

SEEDS = (None, -1, 0, 1, 2**52)


@st.composite
def tables(draw: st.DrawFn) -> pd.DataFrame:
    """Return scores of a study with seeds that are blank, negative or large, and with rows missing at random."""
    rows = []
    cells = itertools.product(range(2), ("xnli", "xcopa"), ("en", "fr"), draw(st.permutations(SEEDS)))
    for size, task, language, seed in cells:
        cell = {
            "model_family": "A",
            "params": 10 ** (9 + size),
            "task": task,
            "language": language,
            "seed": seed,
        }
        for model, intermediate in ((f"m{size}", "none"), (f"m{size}-a", "a"), (f"m{size}-b", "b")):
            if draw(st.integers(0, 3)):
                names = {"model": model, "base_model": f"m{size}" if intermediate != "none" else ""}
                k = draw(st.integers(100, 900))
                rows.append(cell | names | {"intermediate": intermediate, "n_correct": k, "n_examples": 1000})
    return pd.DataFrame(
        rows, columns=[*cell, "model", "base_model", "intermediate", "n_correct", "n_examples"]
    )


def read(frame: pd.DataFrame) -> Evaluations:
    return gl.evaluations_from_frame(frame.assign(seed=frame["seed"].astype("Int64")), require_pairs=False)


def pairs_of(frame: pd.DataFrame, number: np.ndarray) -> set[tuple[int, int]]:
    """The pairs of a table, each row named by its number in the first table."""
    pairing = pair_rows(read(frame).frame)
    return set(zip(number[pairing.intermediate].tolist(), number[pairing.baseline].tolist(), strict=True))


def expected_pairs(frame: pd.DataFrame) -> set[tuple[int, int]]:
    """The same by the definition, one row at a time."""
    found = set()
    baselines = [row for row in frame.itertuples() if row.intermediate == "none"]
    for row in frame.itertuples():
        if row.intermediate == "none":
            continue
        fits = [
            b for b in baselines if (b.model, b.task, b.language) == (row.base_model, row.task, row.language)
        ]
        same = [b for b in fits if b.seed == row.seed or (pd.isna(b.seed) and pd.isna(row.seed))]
        any_seed = [b for b in fits if pd.isna(b.seed)]
        if same or any_seed:
            found.add((row.Index, (same or any_seed)[0].Index))
    return found


def renamed(frame: pd.DataFrame, column: str) -> pd.DataFrame:
    """Rename what one column names, so that its alphabetical order is reversed; languages keep their families."""
    both = [each for each in ("model", "base_model") if each in frame]
    columns = both if column in both else [column]
    names = sorted(set(frame[columns].to_numpy().ravel()) - {"", "none"})
    new = dict(zip(names, [f"z{len(names) - i}" for i in range(len(names))], strict=True))
    return frame.assign(**{each: frame[each].replace(new) for each in columns})


@settings(max_examples=12, deadline=None)
@given(tables(), st.randoms(use_true_random=False))
def test_pairs_and_gains(frame: pd.DataFrame, random) -> None:
    pairs = expected_pairs(frame)
    number = np.arange(len(frame))
    if not len(frame):
        return
    assert pairs_of(frame, number) == pairs
    order = list(number)
    random.shuffle(order)
    columns = list(frame.columns)
    random.shuffle(columns)
    turned = frame.iloc[order][columns].reset_index(drop=True)
    assert pairs_of(turned, np.array(order)) == pairs
    for column in ("task", "language", "model", "intermediate", "model_family"):
        assert pairs_of(renamed(frame, column), number) == pairs
    if not pairs:
        with pytest.raises(gl.InputError):
            read(frame).gains()
        return
    first = read(frame).gains()
    for other, rows in (
        (turned, np.array(order)),
        (renamed(frame, "task"), number),
        (renamed(frame, "model"), number),
    ):
        second = read(other).gains()
        # the rows of both in the order of the first table
        mine = np.argsort(first.frame["row"].to_numpy())
        theirs = np.argsort(rows[second.frame["row"].to_numpy() - 2])
        for name in ("gain", "se", "baseline_se", "params", "baseline_score"):
            np.testing.assert_array_equal(
                first.frame[name].to_numpy()[mine], second.frame[name].to_numpy()[theirs]
            )
        np.testing.assert_array_equal(
            first.covariance.matrix()[np.ix_(mine, mine)], second.covariance.matrix()[np.ix_(theirs, theirs)]
        )


def study() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    cells = itertools.product((1e8, 1e9, 1e10, 1e11), ("t1", "t2", "t3"), ("en", "fr", "tr", "fi"))
    rows = []
    for size, task, language in cells:
        cell = {
            "params": size,
            "base_model": f"m{size:.0e}",
            "intermediate": "a",
            "task": task,
            "language": language,
        }
        rows.append(cell | {"gain": 3 + 2 * np.log10(size / 1e9) + rng.normal(), "se": rng.uniform(0.3, 1.5)})
    return pd.DataFrame(rows)


def estimates(frame: pd.DataFrame) -> pd.DataFrame:
    fit = gl.fit(gl.gains_from_frame(frame), draws=1000, seed=1)
    averages = fit.estimates["level"].isin(["overall", "population"])
    rows = fit.estimates[averages & fit.estimates["estimand"].isin(["slope", "gain"])]
    return rows.fillna({"params": 0.0}).set_index(["estimand", "level", "params"])


def test_estimates_of_a_fit() -> None:
    frame = study()
    first = estimates(frame)
    shuffled = frame.sample(frac=1.0, random_state=1)[frame.columns[::-1]]
    for other in (shuffled, renamed(frame, "task"), renamed(frame, "base_model")):
        second = estimates(other)
        assert list(first.index) == list(second.index)
        # 4,000 draws carry a mean to a sixtieth of its sd and its sd to a ninetieth; five of those
        assert ((first["mean"] - second["mean"]).abs() < 0.08 * first["sd"]).all()
        np.testing.assert_allclose(second["sd"], first["sd"], rtol=0.08)
