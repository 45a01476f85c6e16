"""Cells, names and indices of every kind: read for what they are, or refused with their rows."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import gainlaw as gl
from gainlaw.scores.reading.digits import half_units
from gainlaw.scores.reading.frames import raw_from_frame
from gainlaw.scores.reading.names import forbidden, spelling_clashes

NAMES = ["model_family", "model", "base_model", "intermediate", "task", "language"]


def scores() -> pd.DataFrame:
    rows = []
    for size in (1, 7):
        for language, score in (("en", 0.5), ("fr", 0.45)):
            cell = {"model_family": "A", "params": size * 10**9, "task": "xnli", "language": language}
            names = {"model": f"a-{size}b", "base_model": "", "intermediate": "none"}
            rows.append(cell | names | {"score": score, "n_examples": 1000})
            names = {"model": f"a-{size}b-ft", "base_model": f"a-{size}b", "intermediate": "ft"}
            rows.append(cell | names | {"score": score + 0.01 * size, "n_examples": 1000})
    return pd.DataFrame(rows)


def gains_of(frame: pd.DataFrame) -> pd.DataFrame:
    return gl.evaluations_from_frame(frame, require_pairs=False).gains().frame


EXPECTED = gains_of(scores())


def as_bytes(frame: pd.DataFrame) -> pd.DataFrame:
    return frame.assign(**{name: [text.encode() for text in frame[name]] for name in NAMES})


@pytest.mark.parametrize(
    "changed",
    [
        as_bytes(scores()),
        scores().astype(dict.fromkeys(NAMES, "category")),
        as_bytes(scores()).astype(dict.fromkeys(NAMES, "category")),
        scores().astype(dict.fromkeys(NAMES, pd.ArrowDtype(pa.string()))),
        scores().assign(score=[Decimal(str(round(value, 4))) for value in scores()["score"]]),
        scores().assign(params=scores()["params"].astype("object")),
        scores().replace({"base_model": {"": None}}),
        scores().set_index(["task", "language"]),
        scores().set_index("task", drop=False),
        scores().set_index("task", append=True),
        scores().set_axis([5] * 8),
        scores().assign(**{"Unnamed: 9": np.nan}),
        pd.concat([scores(), pd.DataFrame({"task": [None, " "]})], ignore_index=True),
        scores().sample(frac=1.0, random_state=3).sort_index(),
    ],
    ids=lambda frame: f"{frame.dtypes.iloc[0]}-{frame.index.names}-{frame.shape}",
)
def test_the_same_table_in_other_types(changed: pd.DataFrame) -> None:
    pd.testing.assert_frame_equal(gains_of(changed), EXPECTED)


@pytest.mark.parametrize(
    ("column", "value", "says"),
    [
        ("language", ["en"], "a list where text"),
        ("language", np.array(["en"]), "a list where text"),
        ("language", {"code": "en"}, "a mapping where text"),
        ("language", b"\xff\xfe", "bytes that are no UTF-8"),
        ("language", "e\x00n", r"U\+0000"),
        ("language", "e\x1bn", r"U\+001B"),
        ("language", "e\nn", r"U\+000A"),
        ("language", "e\u2028n", r"U\+2028"),
        ("language", "e\ud800n", r"U\+D800"),
        ("mine", "e\x07", r"U\+0007"),
        ("mine", ["tag"], "a list where text"),
        ("mine", 1j, "complex"),
        ("score", Decimal("Infinity"), "infinite"),
        ("params", 10**400, "infinite"),
    ],
)
def test_cells_that_cannot_be_read_are_refused_with_their_row(column: str, value: object, says: str) -> None:
    frame = scores().assign(mine="x").astype({column: "object"})
    frame.at[2, column] = value
    with pytest.raises(gl.InputError, match=says) as caught:
        gl.evaluations_from_frame(frame)
    assert (caught.value.problems[0].column, caught.value.problems[0].rows) == (column, (4,))


def test_prompts_may_have_several_lines_and_dates_are_text() -> None:
    frame = scores().assign(prompt="Premise:\n\tHypothesis:", day=datetime.date(2024, 1, 5))
    gains = gains_of(frame)
    assert set(gains["prompt"]) == {"Premise:\n\tHypothesis:"}
    assert set(gains["day"]) == {"2024-01-05"}


def test_an_index_that_contradicts_its_column_is_refused() -> None:
    frame = scores().set_index("task", drop=False).assign(task="xcopa")
    with pytest.raises(gl.InputError, match=r"'task'.*index"):
        gl.evaluations_from_frame(frame)


def test_two_lines_of_column_names_are_refused() -> None:
    frame = scores()
    frame.columns = pd.MultiIndex.from_tuples([("x", name) for name in frame.columns])
    with pytest.raises(gl.InputError, match="2 lines of names"):
        gl.evaluations_from_frame(frame)


def test_parquet_with_an_index_of_its_own(tmp_path: Path) -> None:
    for number, frame in enumerate((scores()[::-1][::-1], scores().set_index(["task", "language"]))):
        file = tmp_path / f"{number}.parquet"
        frame.to_parquet(file)
        pd.testing.assert_frame_equal(gl.read_evaluations(file).gains().frame, EXPECTED)
    table = pa.Table.from_pandas(scores()).replace_schema_metadata({b"pandas": b'{"columns": 3}'})
    pq.write_table(table, tmp_path / "stale.parquet")
    pd.testing.assert_frame_equal(gl.read_evaluations(tmp_path / "stale.parquet").gains().frame, EXPECTED)


def test_words_for_missing_are_names_and_noted() -> None:
    for word in ("nan", "null", "NA"):
        evals = gl.evaluations_from_frame(scores().replace({"language": {"fr": word}}))
        assert set(evals.frame["language"]) == {"en", word}
        (note,) = (note for note in evals.notes if note.kind == "missing_word")
        assert (note.count, repr(word) in note.message) == (4, True)


def test_accents_have_one_form_and_look_alikes_are_reported_with_code_points() -> None:
    apart = scores().replace({"task": {"xnli": "cafe\u0301"}})
    assert set(gl.evaluations_from_frame(apart).frame["task"]) == {"caf\u00e9"}
    mixed = apart.copy()
    mixed.loc[:3, "task"] = "caf\u00e9"
    with pytest.raises(gl.InputError, match=r"U\+0301.*U\+00E9|U\+00E9.*U\+0301"):
        gl.evaluations_from_frame(mixed)
    for invisible in ("\u200b", "\u00ad", "\ufeff", "\u2060"):
        frame = scores()
        frame.loc[:1, "task"] = f"xn{invisible}li"
        with pytest.raises(gl.InputError, match=rf"U\+{ord(invisible):04X}") as caught:
            gl.evaluations_from_frame(frame)
        assert caught.value.problems[0].rows == (2, 3)
    assert spelling_clashes(pd.Series(["xnli", "xcopa"])) == []
    assert forbidden("नेपाली\u200d", name=True) == ""


def test_columns_get_other_names() -> None:
    raw = raw_from_frame(scores())
    assert list(raw.renamed({"task": "target"}).frame)[2] == "target"
    with pytest.raises(gl.InputError, match="no such column to rename"):
        raw.renamed({"tusk": "task"})
    with pytest.raises(gl.InputError, match="two columns"):
        raw.renamed({"task": "language"})
    assert list(raw.renamed({"task": "language", "language": "task"}).frame)[2:4] == ["language", "task"]


@pytest.mark.parametrize(
    ("cells", "halves"),
    [
        (["0.5", "0.25", "0.75"], [0.005] * 3),
        (["0.50", "0.45"], [0.005, 0.005]),
        ([0.5, 0.5], [0.05, 0.05]),
        (["5", "-3", ""], [0.5, 0.5, np.nan]),
        (["1e-3"], [0.0005]),
        ([np.float32(0.62)], [0.005]),
        ([100 / 3], [0.5e-9 * 100 / 3]),
    ],
)
def test_half_a_unit_of_the_last_digit(cells: list[object], halves: list[float]) -> None:
    np.testing.assert_allclose(half_units(pd.Series(cells, dtype="object")), halves, rtol=1e-12)
