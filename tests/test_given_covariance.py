"""A sampling covariance that the user hands in: a matrix, or a correlation a block; kept, checked, or refused."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli
from gainlaw.laws import law
from gainlaw.model.spec.problem import specify
from gainlaw.scores.gains.cells.given import read_covariance

SE = np.array([1.0, 2.0, 0.5, 1.5])


def effects(**more: object) -> pd.DataFrame:
    frame = pd.DataFrame(
        {
            "trial": ["p", "p", "q", "q"],
            "id": ["p1", "p2", "q1", "q2"],
            "task": ["a", "b", "a", "b"],
            "params": [10**9, 10**10, 10**9, 10**10],
            "gain": [1.0, 2.0, 3.0, 4.5],
            "se": SE,
        }
    )
    return frame.assign(**more)


def matrix() -> np.ndarray:
    correlation = np.array([[1, 0.5, 0, 0.2], [0.5, 1, 0, 0.1], [0, 0, 1, 0], [0.2, 0.1, 0, 1]])
    return correlation * np.outer(SE, SE)


def write(folder: Path, kind: str) -> Path:
    """Write the matrix in a format; the labelled ones in another order and with a row that no gain has."""
    order = ["q2", "p1", "x", "q1", "p2"]
    whole = pd.DataFrame(np.eye(5), index=[*effects()["id"], "x"], columns=[*effects()["id"], "x"])
    whole.iloc[:4, :4] = matrix()
    whole = whole.loc[order, order].rename_axis(index="id")
    path = folder / f"v.{kind.split()[-1]}"
    if kind == "npy":
        np.save(path, matrix())
    elif kind == "bare csv":
        np.savetxt(path, matrix(), delimiter=",")
    elif kind == "frame csv":
        pd.DataFrame(matrix()).to_csv(path)
    elif kind == "frame without its index csv":
        pd.DataFrame(matrix()).to_csv(path, index=False)
    elif kind == "labelled csv":
        whole.to_csv(path)
    elif kind == "labelled parquet":
        whole.to_parquet(path)
    else:
        pd.DataFrame(matrix(), columns=list("abcd")).to_parquet(path)
    return path


FORMATS = (
    "npy", "bare csv", "frame csv", "frame without its index csv", "labelled csv", "labelled parquet", "bare parquet",
)  # fmt: skip


@pytest.mark.parametrize("kind", FORMATS)
def test_a_matrix_is_read_from_every_format(kind: str, tmp_path: Path) -> None:
    gains = gl.gains_from_frame(effects(), covariance=write(tmp_path, kind))
    np.testing.assert_allclose(gains.covariance.matrix(), matrix(), atol=1e-12)
    assert [rows.tolist() for rows, _ in gains.covariance.blocks] == [[0, 1, 3]]
    assert gains.frame["block"].nunique() == 2


def test_arrays_and_frames_say_the_same() -> None:
    labelled = pd.DataFrame(matrix(), index=pd.Index(effects()["id"], name="id"), columns=effects()["id"])
    for given in (matrix(), labelled.iloc[::-1, ::-1], pd.DataFrame(matrix())):
        whole = gl.gains_from_frame(effects()).with_covariance(given).covariance.matrix()
        np.testing.assert_allclose(whole, matrix(), atol=1e-12)


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_matrix_stays_with_the_table_and_with_parts_of_it(suffix: str, tmp_path: Path) -> None:
    gains = gl.gains_from_frame(effects(), covariance=matrix())
    path = gains.write(tmp_path / f"g.{suffix}")
    np.testing.assert_allclose(gl.read_gains(path).covariance.matrix(), matrix(), rtol=1e-9)
    keep = np.array([True, False, True, True])
    part = gains.subset(keep)
    np.testing.assert_allclose(part.covariance.matrix(), matrix()[np.ix_(keep, keep)], atol=1e-12)
    again = gl.read_gains(part.write(tmp_path / f"part.{suffix}"))
    np.testing.assert_allclose(again.covariance.matrix(), matrix()[np.ix_(keep, keep)], rtol=1e-9)


def test_a_table_changed_beside_its_covariance_is_refused(tmp_path: Path) -> None:
    path = gl.gains_from_frame(effects(), covariance=matrix()).write(tmp_path / "g.csv")
    lines = path.read_text(encoding="utf-8").splitlines()
    for changed in ([*lines[:2], *lines[3:]], [lines[0], lines[2], lines[1], *lines[3:]]):
        path.write_text("\n".join(changed) + "\n", encoding="utf-8")
        with pytest.raises(gl.InputError, match="does not belong to it"):
            gl.read_gains(path)


def test_a_covariance_that_the_blocks_contradict_is_not_written(tmp_path: Path) -> None:
    gains = gl.gains_from_frame(effects(), covariance=matrix())
    path = gains.write(tmp_path / "g.csv")
    apart = gains.frame.assign(block=range(4))
    with pytest.raises(gl.InputError, match="several numbers"):
        replace(gains, frame=apart).write(tmp_path / "h.csv")
    apart.to_csv(path, index=False)
    with pytest.raises(gl.InputError, match="rows of several blocks"):
        gl.read_gains(path)


def test_on_another_scale_the_correlations_stay() -> None:
    scores = {"baseline_score": [0.5, 0.6, 0.7, 0.9], "intermediate_score": [0.51, 0.62, 0.73, 0.945]}
    counts = {f"n_{side}": 1000 for side in ("baseline", "intermediate")}
    counts |= {
        f"k_{side}": np.round(1000 * np.array(scores[f"{side}_score"]))
        for side in ("baseline", "intermediate")
    }
    gains = gl.gains_from_frame(effects(chance=0.0, **scores, **counts), covariance=matrix())
    other = gains.to_scale("log_odds")
    variance = other.covariance.variance
    np.testing.assert_allclose(
        other.covariance.matrix() / np.sqrt(np.outer(variance, variance)),
        matrix() / np.outer(SE, SE),
        atol=1e-9,
    )
    np.testing.assert_allclose(other.frame["se"] ** 2, variance)
    # A point is 1 / 25 of log-odds at one half, and more at 0.9.
    np.testing.assert_allclose(other.frame["se"].iloc[0] / SE[0], 0.04, rtol=0.01)
    assert other.frame["se"].iloc[3] / SE[3] > 0.1
    # The counts cannot carry that covariance.
    assert specify(other, law("linear")).likelihood == "gaussian"
    np.testing.assert_allclose(gains.to_scale("normalized").covariance.matrix(), matrix(), rtol=1e-9)


def test_blocks_with_a_correlation() -> None:
    frame = effects(block=[0, 0, 1, 1], correlation=[0.5, 0.5, -0.3, -0.3])
    whole = gl.gains_from_frame(frame).covariance.matrix()
    assert whole[0, 1] == pytest.approx(0.5 * 1.0 * 2.0)
    assert whole[2, 3] == pytest.approx(-0.3 * 0.5 * 1.5)
    assert whole[0, 2] == 0.0
    alone = gl.gains_from_frame(effects(block=[0, 0, 1, 2], correlation=[0.5, 0.5, np.nan, np.nan]))
    assert len(alone.covariance.blocks) == 1


def changed(i: int, j: int, value: float) -> np.ndarray:
    out = matrix()
    out[i, j] = value
    return out


@pytest.mark.parametrize(
    ("given", "says"),
    [
        (matrix()[:3, :3], "3 rows, the gains are 4"),
        (matrix()[:3], "shape"),
        (changed(0, 1, 0.3), "not symmetric"),
        (changed(1, 1, 4.4), "not the square"),
        (changed(1, 1, 0.0), "zero or less"),
        (changed(0, 3, np.nan), "no finite numbers"),
        (matrix() / 1e4, "not the square"),
        (np.outer(SE, SE) * (1.9 * np.eye(4) - 0.9), "not positive semidefinite"),
        (matrix().astype(str), "not numbers"),
        (pd.DataFrame(matrix(), index=pd.Index(list("abcd"), name="id"), columns=list("abcd")), "no row p1"),
        (pd.DataFrame(matrix(), index=pd.Index(list("abcd"), name="key"), columns=list("abcd")), "no column 'key'"),
        (pd.DataFrame(matrix(), index=pd.Index(list("abcd"), name="id"), columns=list("dcba")), "different labels"),
        (pd.DataFrame(matrix(), index=list("abcd"), columns=list("abcd")), "no name"),
        (pd.DataFrame(matrix(), index=pd.Index(list("aacd"), name="id"), columns=list("aacd")), "twice"),
        (3.0, "an array or a frame"),
    ],
)  # fmt: skip
def test_what_is_no_covariance_of_the_gains_is_refused(given: object, says: str) -> None:
    with pytest.raises(gl.InputError, match=says):
        gl.gains_from_frame(effects(), covariance=given)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("columns", "says"),
    [
        ({"block": [0, 0, 1, 1], "correlation": [0.5, 0.4, 0.1, 0.1]}, "several correlations"),
        ({"block": [0, 0, 0, 1], "correlation": -0.6}, "cannot have the correlation"),
        ({"block": [0, 0, 1, 1], "correlation": 1.2}, "cannot have the correlation"),
        (
            {"block": [0, 0, 1, 2], "correlation": 0.5, "baseline_se": [0.4, 0.4, 0.1, 0.1]},
            "different things",
        ),
        ({"block": [0, 0, 1, 1]}, "not known"),
    ],
)
def test_blocks_that_contradict_themselves_are_refused(columns: dict, says: str) -> None:
    with pytest.raises(gl.InputError, match=says):
        gl.gains_from_frame(effects(**columns))


def test_columns_that_say_the_same_agree() -> None:
    frame = effects(
        block=[0, 0, 1, 2], baseline_se=[0.5, 1.0, np.nan, np.nan], correlation=[0.25, 0.25, None, None]
    )
    assert gl.gains_from_frame(frame).covariance.matrix()[0, 1] == pytest.approx(0.5)


def test_a_singular_covariance_is_kept(tmp_path: Path) -> None:
    rounded = np.round(np.outer(SE, SE) + 1e-9 * np.eye(4)[::-1], 8)
    gains = gl.gains_from_frame(effects(), covariance=rounded)
    again = gl.read_gains(gains.write(tmp_path / "g.csv"))
    np.testing.assert_allclose(again.covariance.matrix(), np.outer(SE, SE), atol=1e-6)


@pytest.mark.parametrize(
    ("name", "data", "says"),
    [
        ("v.csv", b"", "or there are none"),
        ("v.csv", b"1" * 200_000 + b",0\n0,1\n", "no CSV"),
        ("v.csv", b"\xff\xfe1", "not UTF-8"),
        ("v.csv", b"1;2\n3;4\n", "different labels"),
        ("v.parquet", b"PAR1", "no readable Parquet"),
        ("v.npy", b"\x93NUMPY\x01\x00v\x00{", "no plain array"),
        ("v.txt", b"1", "is read from"),
    ],
)
def test_files_that_hold_no_matrix_are_refused(name: str, data: bytes, says: str, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(data)
    with pytest.raises(gl.InputError, match=says):
        gl.gains_from_frame(effects(), covariance=tmp_path / name)


def test_arrays_of_objects_are_not_unpickled(tmp_path: Path) -> None:
    np.save(tmp_path / "v.npy", np.array([{}], dtype=object), allow_pickle=True)
    with pytest.raises(gl.InputError, match="no plain array"):
        read_covariance(tmp_path / "v.npy")


def test_the_command_line_takes_a_matrix(cli: Cli, tmp_path: Path) -> None:
    table = tmp_path / "effects.csv"
    effects().to_csv(table, index=False)
    made = cli("gains", table, "--covariance", write(tmp_path, "labelled csv"), "-o", tmp_path / "g.csv")
    assert made.code == 0, made.err
    assert "1 block of rows have errors in common" in made.out
    fitted = cli(
        "fit", table, "--covariance", write(tmp_path, "npy"), "--where", "id=p1,p2,q1", "--draws", "200",
        "-o", tmp_path / "fit",
    )  # fmt: skip
    assert fitted.code in (0, 1), fitted.err
    kept = gl.load_fit(tmp_path / "fit").gains.covariance.matrix()
    np.testing.assert_allclose(kept, matrix()[:3, :3], rtol=1e-9)
    refused = cli("fit", "dataset:bloomz", "--covariance", tmp_path / "v.npy", "-o", tmp_path / "no")
    assert refused.code == 2
    assert "goes with a table of gains" in refused.err
    assert not (tmp_path / "no").exists()


def test_hierarchical_baselines_need_one_baseline_a_block() -> None:
    evals = gl.load_dataset("bloomz", tasks="xcopa")
    gains = evals.gains()
    fit = gl.fit(gains, baselines="hierarchical", draws=100, chains=2)
    assert fit.spec.joint
    two = gains.frame.groupby("language")["block"].transform("min")
    moved = replace(gains, frame=gains.frame.assign(block=two))
    with pytest.raises(gl.InputError, match="not all gains over one baseline"):
        gl.fit(moved, baselines="hierarchical", draws=100, chains=2)
    with pytest.raises(gl.InputError, match="not all gains over one baseline"):
        gl.fit(
            gains.with_covariance(gains.covariance.matrix()), baselines="hierarchical", draws=100, chains=2
        )
