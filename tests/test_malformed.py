"""Malformed files: each is refused with one InputError that names the column and the lines at fault."""

from __future__ import annotations

import gzip
import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from gainlaw.errors import InputError
from gainlaw.laws import law
from gainlaw.model.spec.requirements import require_sizes
from gainlaw.scores.evaluations.table import evaluations_from_frame, read_evaluations
from gainlaw.scores.gains.cells.reading import gains_from_frame, read_gains, read_table

HEADER = "model_family,model,params,base_model,intermediate,task,language,score,n_examples"
GOOD = [
    HEADER,
    "A,a-1b,1000000000,,none,xnli,en,0.50,1000",  # line 2
    "A,a-1b,1000000000,,none,xnli,fr,0.45,1000",
    "A,a-7b,7000000000,,none,xnli,en,0.60,1000",
    "A,a-7b,7000000000,,none,xnli,fr,0.55,1000",
    "A,a-1b-ft,1000000000,a-1b,ft,xnli,en,0.55,1000",  # line 6
    "A,a-1b-ft,1000000000,a-1b,ft,xnli,fr,0.47,1000",
    "A,a-7b-ft,7000000000,a-7b,ft,xnli,en,0.62,1000",
    "A,a-7b-ft,7000000000,a-7b,ft,xnli,fr,0.58,1000",
]
NAMES = HEADER.split(",")


def text(lines: list[str]) -> bytes:
    return ("\n".join(lines) + "\n").encode()


def cell(column: str, value: str, *rows: int) -> bytes:
    """The good table with `value` in `column` on the given lines (all of them when none is given)."""
    lines = [line.split(",") for line in GOOD]
    for row in rows or range(2, len(GOOD) + 1):
        lines[row - 1][NAMES.index(column)] = value
    return text([",".join(line) for line in lines])


def without(*columns: str) -> bytes:
    frame = pd.read_csv(io.BytesIO(text(GOOD)), dtype=str, keep_default_na=False)
    return frame.drop(columns=list(columns)).to_csv(index=False).encode()


def extra(column: str, values: list[str] | str) -> bytes:
    cells = [values] * (len(GOOD) - 1) if isinstance(values, str) else values
    return text([f"{GOOD[0]},{column}", *(f"{a},{b}" for a, b in zip(GOOD[1:], cells, strict=True))])


def blank(n: int, **at: str) -> list[str]:
    """`n` blank cells but for those named by line: ``_6="x"``."""
    return [at.get(f"_{i + 2}", "") for i in range(n)]


def swap(old: str, new: str) -> bytes:
    return text(GOOD).replace(old.encode(), new.encode())


def counts(column: str, value: str, row: int) -> bytes:
    lines = [line.rsplit(",", 2) for line in GOOD]
    rows = [f"{head},{n if i == 0 else round(float(s) * 1000)},{n}" for i, (head, s, n) in enumerate(lines)]
    cells = [line.split(",") for line in rows]
    names = [*NAMES[:-2], "n_correct", "n_examples"]
    cells[0] = names
    cells[row - 1][names.index(column)] = value
    return text([",".join(line) for line in cells])


@dataclass(frozen=True)
class Bad:
    """A malformed file: its bytes, and what the message must name."""

    name: str
    data: bytes
    column: str | None
    rows: tuple[int, ...] = ()
    says: str = ""


def utf16() -> bytes:
    return text(GOOD).decode().encode("utf-16")


ALL = tuple(range(2, 10))
FT = (6, 7, 8, 9)
EVALUATIONS = [
    # the file as a whole
    Bad("empty", b"", None, says="empty"),
    Bad("blank lines only", b"\n\n  \n", None, says="blank lines only"),
    Bad("header only", text(GOOD[:1]), None, says="no rows"),
    Bad("no header", text(GOOD[1:]), None, (1,), "column names"),
    Bad("UTF-16", utf16(), None, says="UTF-16"),
    Bad("UTF-16 without a mark", text(GOOD).decode().encode("utf-16-le"), None, (1,), "NUL"),
    Bad(
        "latin-1",
        text([*GOOD, "Modèle,m,1,,none,xnli,en,0.5,10"]).decode().encode("latin-1"),
        None,
        (10,),
        "UTF-8",
    ),
    Bad("binary", bytes(range(1, 256)) * 20, None, says="UTF-8"),
    Bad("NUL bytes", swap("0.45", "0.4\x005"), None, (3,), "NUL"),
    Bad("gzip", gzip.compress(text(GOOD)), None, says="gzip"),
    Bad("spreadsheet", b"PK\x03\x04 and so on", None, says="spreadsheet"),
    Bad("Parquet called CSV", b"PAR1 and so on", None, says="Parquet"),
    Bad("JSON", b'{"model": "a-1b", "score": 0.5}\n', None, (1,), "JSON"),
    Bad("HTML", b"<html><body>404</body></html>\n", None, (1,), "HTML"),
    Bad("semicolons", text(GOOD).replace(b",", b";"), None, (1,), "semicolons"),
    Bad("tabs", text(GOOD).replace(b",", b"\t"), None, (1,), "tabs"),
    Bad("bars", text(GOOD).replace(b",", b"|"), None, (1,), "bars"),
    Bad(
        "a row too short",
        text([*GOOD, "A,a-1b,1000000000,,none,xnli,de,0.5"]),
        None,
        (10,),
        "rows of 8 cells",
    ),
    Bad("a row too long", text([*GOOD[:4], GOOD[4] + ",7", *GOOD[5:]]), None, (5,), "rows of 10 cells"),
    Bad("ragged rows", text([GOOD[0], GOOD[1] + ",1", *GOOD[2:7], "A,b", GOOD[8]]), None, (2, 8), "cells"),
    Bad("open quotation", swap("0.45", '"0.45'), None, (3,), "CSV"),
    # the header
    *(Bad(f"no column {name}", without(name), name, says="missing") for name in NAMES[:7]),
    Bad("no score", without("score"), "score", says="n_correct"),
    Bad("no n_examples", without("n_examples"), "n_examples", says="stderr"),
    Bad("several columns missing", without("task", "language"), "language", says="missing"),
    Bad("column twice", text([f"{line},{line.split(',')[7]}" for line in GOOD]), "score", (1,), "2 times"),
    Bad("column without a name", extra("", "1"), None, (1,), "number 10"),
    Bad("column in capitals", swap("score", "Score"), "score", says="rename the column 'Score'"),
    Bad("column misspelt", swap("n_examples", "n_exmples"), "n_examples", says="'n_exmples'"),
    # scores
    Bad("percent scores", cell("score", "62.5"), "score", ALL, "divided by 100"),
    Bad("percent sign", cell("score", "62.5%", 4), "score", (4,), "percent"),
    Bad("score above 1", cell("score", "1.02", 3), "score", (3,), "above 1"),
    Bad("score far above 1", cell("score", "812", 3), "score", (3,), "above 1"),
    Bad("score below 0", cell("score", "-0.1", 9), "score", (9,), "below 0"),
    Bad("text in score", cell("score", "good", 2, 5), "score", (2, 5), "text where a number belongs"),
    Bad("blank score", cell("score", "", 6), "score", (6,), "no value"),
    Bad("NaN score", cell("score", "NaN", 6, 7), "score", (6, 7), "no value"),
    Bad("infinite score", cell("score", "inf", 4), "score", (4,), "infinite"),
    Bad("overflowing score", cell("score", "1e999", 4), "score", (4,), "infinite"),
    Bad(
        "decimal comma",
        cell("score", '"0,62"', 4).replace(b'"0,62"', b'"0,62"'),
        "score",
        (4,),
        "decimal comma",
    ),
    Bad("decimal comma unquoted", cell("score", "0,62", 4), None, (4,), "comma"),
    Bad("truth value", cell("score", "True", 2), "score", (2,), "truth value"),
    Bad("date", cell("score", "2024-01-05", 8), "score", (8,), "date"),
    Bad("ratio", cell("score", "625/1000", 8), "score", (8,), "n_correct"),
    # params
    Bad("zero params", cell("params", "0", 2), "params", (2,), "zero or negative"),
    Bad("negative params", cell("params", "-7", 8), "params", (8,), "zero or negative"),
    Bad("fractional params", cell("params", "0.56", 2, 3, 6, 7), "params", (2, 3, 6, 7), "whole number"),
    Bad("params as 7B", cell("params", "7B", 4, 5, 8, 9), "params", (4, 5, 8, 9), "7000000000"),
    Bad("params as words", cell("params", "large", 4), "params", (4,), "text"),
    Bad("blank params", cell("params", "", 2), "params", (2,), "no value"),
    Bad("infinite params", cell("params", "inf", 2), "params", (2,), "infinite"),
    Bad("thousands separators", cell("params", '"7,000,000,000"', 4), "params", (4,), "thousands"),
    Bad("params beyond all models", cell("params", "1e30", 2, 3), "params", (2, 3), "1e15"),
    Bad("two sizes of a model", cell("params", "2000000000", 3), "params", (2, 3), "several values"),
    # counts and errors
    Bad("n = 0", cell("n_examples", "0", 5), "n_examples", (5,), "zero or negative"),
    Bad("negative n", cell("n_examples", "-5", 5), "n_examples", (5,), "zero or negative"),
    Bad("fractional n", cell("n_examples", "10.5", 5), "n_examples", (5,), "whole number"),
    Bad("blank n", cell("n_examples", "", 5), "n_examples", (5,), "no stderr"),
    Bad("text n", cell("n_examples", "all", 5), "n_examples", (5,), "text"),
    Bad("k above n", counts("n_correct", "1200", 4), "n_correct", (4,), "more correct answers"),
    Bad("negative k", counts("n_correct", "-1", 4), "n_correct", (4,), "negative"),
    Bad("fractional k", counts("n_correct", "12.5", 4), "n_correct", (4,), "whole number"),
    Bad("k without n", counts("n_examples", "", 4), "n_examples", (4,), "no value"),
    Bad("k and score disagree", extra("n_correct", blank(8, _3="700")), "score", (3,), "disagree"),
    Bad("negative stderr", extra("stderr", blank(8, _3="-0.01")), "stderr", (3,), "negative"),
    Bad("zero stderr", extra("stderr", blank(8, _3="0.0")), "stderr", (3,), "standard error of 0"),
    Bad("percent stderr", extra("stderr", blank(8, _3="1.5")), "stderr", (3,), "above 0.5"),
    Bad("f1 with n only", extra("metric", "f1"), "stderr", ALL, "no share of items"),
    Bad("one class", extra("n_classes", "1"), "n_classes", ALL, "below 2"),
    Bad("fractional classes", extra("n_classes", "2.5"), "n_classes", ALL, "whole"),
    Bad("two numbers of classes", extra("n_classes", ["3"] * 7 + ["2"]), "n_classes", ALL, "several values"),
    Bad("chance in percent", extra("chance", "33"), "chance", ALL, "outside 0 to 1"),
    Bad("fractional seed", extra("seed", ["1.5"] + ["1"] * 7), "seed", (2,), "whole number"),
    Bad("text seed", extra("seed", ["first"] + ["1"] * 7), "seed", (2,), "text"),
    # names
    Bad("blank model", cell("model", "", 4), "model", (4,), "no value"),
    Bad("model of blanks", cell("model", "   ", 4), "model", (4,), "no value"),
    Bad("blank task", cell("task", "", 4), "task", (4,), "no value"),
    Bad("blank language", cell("language", "", 4), "language", (4,), "no value"),
    Bad("blank intermediate", cell("intermediate", "", 2), "intermediate", (2,), "write none"),
    Bad("blank family", cell("model_family", "", 3), "model_family", (3,), "no value"),
    Bad("task in two cases", cell("task", "XNLI", 3), "task", (3,), "only in case"),
    Bad("model in two cases", cell("model", "A-1b", 3), "model", (3,), "only in case"),
    Bad("two families of a model", cell("model_family", "B", 3), "model_family", (2, 3), "several values"),
    # pairs
    Bad("no baseline", text([GOOD[0], *GOOD[5:]]), "intermediate", (2, 3, 4, 5), "no baseline"),
    Bad("no intermediate", text(GOOD[:5]), "intermediate", (2, 3, 4, 5), "no row has an intermediate"),
    Bad("unknown base_model", cell("base_model", "nobody", 6, 7), "base_model", (6, 7), "no baseline row"),
    Bad("base_model misspelt", cell("base_model", "a-1bb", 6), "base_model", (6,), "did you mean 'a-1b'"),
    Bad("blank base_model", cell("base_model", "", 8), "base_model", (8,), "no value"),
    Bad("base_model is itself", cell("base_model", "a-7b-ft", 8, 9), "base_model", (8, 9), "names itself"),
    Bad("base_model chain", cell("base_model", "a-1b-ft", 8, 9), "base_model", (8, 9), "chain"),
    Bad("baseline of another", cell("base_model", "a-1b", 4), "base_model", (4,), "another model"),
    Bad(
        "conflicting rows",
        text([*GOOD, GOOD[5].replace("0.55", "0.56")]),
        "score",
        (6, 10),
        "different values",
    ),
    Bad(
        "conflicting n",
        text([*GOOD, GOOD[5].replace("0.55,1000", "0.55,900")]),
        "n_examples",
        (6, 10),
        "different",
    ),
]

GAINS_HEADER = "params,base_model,intermediate,task,language,gain,se"
GOOD_GAINS = [
    GAINS_HEADER,
    "1000000000,a,ft,xnli,en,2.0,1.0",
    "1000000000,a,ft,xnli,fr,1.0,1.1",
    "7000000000,b,ft,xnli,en,3.0,1.2",
    "7000000000,b,ft,xnli,fr,2.5,0.9",
]


def gain_cell(column: str, value: str, *rows: int) -> bytes:
    lines = [line.split(",") for line in GOOD_GAINS]
    for row in rows or range(2, 6):
        lines[row - 1][GAINS_HEADER.split(",").index(column)] = value
    return text([",".join(line) for line in lines])


def gain_extra(**columns: list[str]) -> bytes:
    lines = [",".join([GAINS_HEADER, *columns])]
    lines += [
        ",".join([line, *cells]) for line, *cells in zip(GOOD_GAINS[1:], *columns.values(), strict=True)
    ]
    return text(lines)


GAINS = [
    Bad("no gain", gain_cell("gain", "2").replace(b"gain", b"benefit"), "gain", says="missing"),
    Bad("no se", text(GOOD_GAINS).replace(b",se", b",error"), "se", says="missing"),
    Bad("zero se", gain_cell("se", "0", 3), "se", (3,), "zero or negative"),
    Bad("negative se", gain_cell("se", "-1", 3, 4), "se", (3, 4), "zero or negative"),
    Bad("NaN se", gain_cell("se", "nan", 2), "se", (2,), "no value"),
    Bad("blank gain", gain_cell("gain", "", 5), "gain", (5,), "no value"),
    Bad("NaN gain", gain_cell("gain", "NaN", 5), "gain", (5,), "no value"),
    Bad("text gain", gain_cell("gain", "up", 5), "gain", (5,), "text"),
    Bad("infinite gain", gain_cell("gain", "-inf", 5), "gain", (5,), "infinite"),
    Bad("percent gain", gain_cell("gain", "2%", 5), "gain", (5,), "percent"),
    Bad("gain params 0", gain_cell("params", "0", 5), "params", (5,), "zero"),
    Bad("gain params 7B", gain_cell("params", "7B", 4, 5), "params", (4, 5), "7000000000"),
    Bad("gain params fractional", gain_cell("params", "1.5", 4, 5), "params", (4, 5), "whole"),
    Bad("some params missing", gain_cell("params", "", 4), "params", (4,), "other rows"),
    Bad("baseline row in gains", gain_cell("intermediate", "none", 4), "intermediate", (4,), "baseline row"),
    Bad(
        "two scales",
        gain_extra(scale=["points", "points", "points", "log_odds"]),
        "scale",
        (5,),
        "several scales",
    ),
    Bad("wrong scale", gain_extra(scale=["percent"] * 4), "scale", (2, 3, 4, 5), "allowed: points"),
    Bad("scale of some rows", gain_extra(scale=["points", "points", "", ""]), "scale", (4, 5), "other rows"),
    Bad("repeated labels", text([*GOOD_GAINS, GOOD_GAINS[1]]), "gain", (2, 6), "several rows"),
    Bad("task of some rows", gain_cell("task", "", 3), "task", (3,), "other rows"),
    Bad("gain task in two cases", gain_cell("task", "XNLI", 3), "task", (3,), "only in case"),
    Bad(
        "base score in percent",
        gain_extra(baseline_score=["50"] * 4),
        "baseline_score",
        (2, 3, 4, 5),
        "fraction",
    ),
    Bad(
        "gain k above n",
        gain_extra(k_baseline=["9"] * 4, n_baseline=["8"] * 4),
        "k_baseline",
        (2, 3, 4, 5),
        "more",
    ),
    Bad(
        "block of unknown covariance",
        gain_extra(block=["0", "0", "1", "2"]),
        "baseline_se",
        (2, 3),
        "not known",
    ),
    Bad("fractional block", gain_extra(block=["0.5", "0", "1", "2"]), "block", (2,), "whole"),
    Bad(
        "baseline_se above se",
        gain_extra(block=["0", "0", "1", "2"], baseline_se=["3"] * 4),
        "baseline_se",
        (2, 3, 4, 5),
        "above se",
    ),
    Bad("base_model of two sizes", gain_cell("base_model", "a", 4), "params", (2, 3, 4), "several sizes"),
]


def refuse(error: InputError, bad: Bad, file: Path) -> None:
    """Hold an error against what it must say."""
    message = str(error)
    assert message.startswith(f"{file}: "), message
    assert bad.says in message, message
    fits = [p for p in error.problems if p.column == bad.column and (not bad.rows or p.rows == bad.rows)]
    assert fits, message
    if bad.rows:
        assert f"line{'s' if len(bad.rows) > 1 else ''} {', '.join(map(str, bad.rows))}" in message
    if bad.column:
        assert f"column '{bad.column}'" in message
    assert "Traceback" not in message
    assert "nan" not in message.split("(")[0]


@pytest.mark.parametrize("bad", EVALUATIONS, ids=lambda bad: bad.name)
def test_malformed_evaluations(bad: Bad, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(bad.data)
    with pytest.raises(InputError) as caught:
        read_evaluations(file)
    refuse(caught.value, bad, file)
    assert [p.name for p in tmp_path.iterdir()] == ["scores.csv"]


@pytest.mark.parametrize("bad", GAINS, ids=lambda bad: bad.name)
def test_malformed_gains(bad: Bad, tmp_path: Path) -> None:
    file = tmp_path / "gains.csv"
    file.write_bytes(bad.data)
    with pytest.raises(InputError) as caught:
        read_gains(file)
    refuse(caught.value, bad, file)


def test_the_kinds_are_many() -> None:
    names = [bad.name for bad in (*EVALUATIONS, *GAINS)]
    assert len(names) == len(set(names)) >= 50


def test_every_fault_is_reported_at_once(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    lines = [line.split(",") for line in GOOD]
    lines[1][2], lines[2][7], lines[3][8], lines[4][5] = "7B", "62.5", "0", ""
    file.write_bytes(text([",".join(line) for line in lines]))
    with pytest.raises(InputError) as caught:
        read_evaluations(file)
    found = {(p.column, p.rows) for p in caught.value.problems}
    assert found == {("params", (2,)), ("score", (3,)), ("n_examples", (4,)), ("task", (5,))}
    assert "4 problems" in str(caught.value)


def test_lines_count_blank_lines_and_quoted_newlines(tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    lines = [*GOOD[:3], "", '"A\nB",a-9,9000000000,,none,xnli,en,0.5,10', *GOOD[3:6], *GOOD[6:]]
    lines[-1] = lines[-1].replace("0.58", "58")
    file.write_bytes(text(lines))
    with pytest.raises(InputError) as caught:
        read_evaluations(file)
    # a line end in a name is refused, and counted
    assert [problem.rows for problem in caught.value.problems] == [(5,), (12,)]


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("missing.csv", "does not exist"),
        ("no/such/folder.csv", "folder"),
        ("scores.xlsx", "'.xlsx'"),
        ("scores.txt", "'.txt'"),
        ("scores", "no suffix"),
    ],
)
def test_files_that_are_not_there_or_not_read(name: str, says: str, tmp_path: Path) -> None:
    file = tmp_path / name
    if file.parent == tmp_path and name != "missing.csv":
        file.write_bytes(text(GOOD))
    for reader in (read_evaluations, read_gains, read_table):
        with pytest.raises(InputError, match=says):
            reader(file)


def test_folder_without_evaluations(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no evaluations\.csv"):
        read_evaluations(tmp_path)
    with pytest.raises(InputError, match="is a folder"):
        read_gains(tmp_path)


@pytest.mark.parametrize("data", [b"", b"PAR1", b"not parquet at all", b"PAR1" + b"\x00" * 50 + b"PAR1"])
def test_corrupted_parquet(data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "scores.parquet"
    file.write_bytes(data)
    with pytest.raises(InputError, match=r"Parquet|empty"):
        read_evaluations(file)


def test_truncated_parquet(tmp_path: Path) -> None:
    file = tmp_path / "scores.parquet"
    pd.read_csv(io.BytesIO(text(GOOD))).to_parquet(file)
    file.write_bytes(file.read_bytes()[:-40])
    with pytest.raises(InputError, match="Parquet"):
        read_evaluations(file)


@pytest.mark.parametrize(
    ("column", "values", "says"),
    [
        ("score", [True] * 8, "truth values"),
        ("score", pd.to_datetime(["2024-01-01"] * 8), "dates"),
        ("score", [np.inf] * 8, "infinite"),
        ("params", [1.5] * 8, "whole number"),
        ("n_examples", [np.nan] * 8, "no stderr"),
        ("score", [object()] * 8, "an object of the kind object"),
        ("score", [[0.5]] * 8, "a list where"),
        ("params", [{"size": 7}] * 8, "a mapping where"),
    ],
)
def test_typed_frames(column: str, values: list[object], says: str) -> None:
    frame = pd.read_csv(io.BytesIO(text(GOOD))).assign(**{column: values})
    with pytest.raises(InputError, match=says) as caught:
        evaluations_from_frame(frame, "my frame")
    assert caught.value.problems[0].rows == ALL


def test_what_is_no_frame() -> None:
    with pytest.raises(InputError, match="DataFrame"):
        evaluations_from_frame([1, 2, 3])  # type: ignore[arg-type]
    with pytest.raises(InputError, match="no rows"):
        evaluations_from_frame(pd.DataFrame({"score": []}))


def test_neither_evaluations_nor_gains(tmp_path: Path) -> None:
    file = tmp_path / "other.csv"
    file.write_text("a,b\n1,2\n")
    with pytest.raises(InputError, match="neither evaluations"):
        read_table(file)


def test_one_size_is_refused_by_the_laws_that_need_more() -> None:
    frame = pd.read_csv(io.BytesIO(text(GOOD_GAINS)))
    one = gains_from_frame(frame[frame["params"] == 1000000000], "mine")
    assert require_sizes(one, law("constant")) == 1
    with pytest.raises(
        InputError, match=r"at least 2 distinct sizes, but there is only one: 1e\+09"
    ) as caught:
        require_sizes(one, law("linear"))
    assert caught.value.problems[0].column == "params"
    two = gains_from_frame(frame)
    assert require_sizes(two, law("linear")) == 2
    with pytest.raises(InputError, match="at least 3"):
        require_sizes(two, law("offset_power"))
    none = gains_from_frame(frame.drop(columns="params"))
    with pytest.raises(InputError, match="no params"):
        require_sizes(none, law("linear"))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("byte order mark", b"\xef\xbb\xbf" + text(GOOD)),
        ("Windows line ends", text(GOOD).replace(b"\n", b"\r\n")),
        ("blanks around cells", text([line.replace(",", " , ") for line in GOOD])),
        ("no last line end", text(GOOD).rstrip(b"\n")),
        ("trailing blank lines", text([*GOOD, "", "  "])),
        ("a line that names the separator", b"sep=,\r\n" + text(GOOD)),
        ("another separator, named", b"sep=;\r\n" + text(GOOD).replace(b",", b";")),
        (
            "blank rows and columns of a spreadsheet",
            text([*(f"{line},," for line in GOOD), "," * 10, "," * 10]),
        ),
        ("blank cells beyond the header", text([GOOD[0], *(f"{line},," for line in GOOD[1:])])),
        ("blank lines before the header", text([",,", "", *GOOD])),
        ("index column", text([f"{i or ''},{line}".lstrip("0") for i, line in enumerate(GOOD)])),
        ("exponents", text(GOOD).replace(b"7000000000", b"7e9")),
        ("None for none", text(GOOD).replace(b",none,", b",None,")),
        ("baseline names itself", cell("base_model", "a-1b", 2, 3)),
        ("exact repeats", text([*GOOD, GOOD[1], GOOD[5]])),
        ("column of the user", extra("note", "anything, quoted".replace(",", ""))),
    ],
)
def test_what_is_accepted(name: str, data: bytes, tmp_path: Path) -> None:
    file = tmp_path / "scores.csv"
    file.write_bytes(data)
    evals = read_evaluations(file)
    assert len(evals.frame) == 8
    assert evals.gains().frame["gain"].round(9).tolist() == [5.0, 2.0, 2.0, 3.0]
