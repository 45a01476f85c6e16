"""Units: sizes in billions, scores and errors in per cent, gains in fractions are refused until declared."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.scores.evaluations.table import evaluations_from_frame, read_evaluations
from gainlaw.scores.gains.cells.reading import gains_from_frame, read_gains

CASES = Path(__file__).parent / "cases"
EXACT = 1e-12


def scores(**columns: object) -> pd.DataFrame:
    """Return two pairs at two sizes."""
    sizes = [560_000_000, 7_000_000_000]
    base = pd.DataFrame({"model": ["a", "b"], "params": sizes, "base_model": "", "intermediate": "none"})
    top = pd.DataFrame(
        {"model": ["ax", "bx"], "params": sizes, "base_model": ["a", "b"], "intermediate": "x"}
    )
    table = pd.concat([base, top], ignore_index=True)
    table = table.assign(model_family="A", task="xnli", language="sw", score=[0.4, 0.5, 0.45, 0.6])
    return table.assign(**columns)


@pytest.mark.parametrize(("unit", "factor"), [("B", 1e9), ("M", 1e6), ("K", 1e3)])
def test_sizes_in_another_unit_are_declared(unit: str, factor: float) -> None:
    table = scores(n_examples=1000)
    given = table.assign(params=table["params"] / factor)
    if factor > 1e3:
        with pytest.raises(InputError, match=r"params.*--params-unit B.*"):
            evaluations_from_frame(given)
    read = evaluations_from_frame(given, params_unit=unit)  # type: ignore[arg-type]
    assert read.frame["params"].tolist() == table["params"].tolist()
    effects = pd.DataFrame({"params": given["params"], "gain": [3.0, 4, 5, 6], "se": 1.0})
    assert gains_from_frame(effects, params_unit=unit).frame["params"].tolist() == table["params"].tolist()  # type: ignore[arg-type]


def test_small_models_are_declared_or_said() -> None:
    tiny = scores(n_examples=1000, params=[7, 30, 7, 30])
    assert evaluations_from_frame(tiny, params_unit="1").frame["params"].max() == 30
    in_thousands = scores(n_examples=1000, params=[13_000, 70_000, 13_000, 70_000])
    assert "small_sizes" in {note.kind for note in evaluations_from_frame(in_thousands).notes}
    with pytest.raises(InputError, match=r"params_unit is 'billions'.*allowed: 1, K, M, B"):
        evaluations_from_frame(tiny, params_unit="billions")  # type: ignore[arg-type]


@pytest.mark.parametrize(("factor", "what"), [(100, "100 times too large"), (0.01, "100 times too small")])
def test_a_standard_error_in_another_unit_is_refused(factor: float, what: str) -> None:
    table = scores(n_examples=40_000)
    binomial = np.sqrt(table["score"] * (1 - table["score"]) / 40_000)
    with pytest.raises(InputError, match=rf"stderr.*{what} for n_examples.*lines 2, 3, 4, 5"):
        evaluations_from_frame(table.assign(stderr=factor * binomial))


@pytest.mark.parametrize(
    ("factor", "severity"), [(1.02, None), (1.5, "info"), (5, "warning"), (0.2, "warning")]
)
def test_severity_grows_with_the_contradiction(factor: float, severity: str | None) -> None:
    table = scores(n_examples=1000)
    binomial = np.sqrt(table["score"] * (1 - table["score"]) / 1000)
    notes = evaluations_from_frame(table.assign(stderr=factor * binomial)).notes
    found = {note.severity for note in notes if note.kind == "stderr_not_binomial"}
    assert found == ({severity} if severity else set())


def test_a_standard_error_of_a_handful_of_items_is_refused() -> None:
    with pytest.raises(InputError, match=r"stderr.*fewer than 7 items"):
        evaluations_from_frame(scores(stderr=0.3))
    assert len(evaluations_from_frame(scores(stderr=0.3, metric="mcc"))) == 4


def test_scores_in_percent_are_declared() -> None:
    table = scores(stderr=0.01)
    percent = table.assign(score=100 * table["score"], stderr=1.0)
    with pytest.raises(InputError, match="--unit points"):
        evaluations_from_frame(percent)
    one, two = evaluations_from_frame(percent, unit="points"), evaluations_from_frame(table)
    assert one.gains().frame["gain"].to_numpy() == pytest.approx(two.gains().frame["gain"].to_numpy())
    with pytest.raises(InputError, match="no score is above 1"):
        evaluations_from_frame(table, unit="points")
    bleu = scores(score=[12.0, 20, 14, 25], stderr=1.0, metric="bleu")
    assert evaluations_from_frame(bleu, unit="points").gains().frame["gain"].tolist() == [2, 5]


def test_gains_in_fractions_are_refused_declared_or_proven() -> None:
    file = CASES / "s04_gains_in_fractions.csv"
    with pytest.raises(InputError, match="--unit fraction"):
        read_gains(file)
    plain = pd.read_csv(file)
    for unit, factor in (("fraction", 100), ("points", 1)):
        gains = read_gains(file, unit=unit)  # type: ignore[arg-type]
        assert gains.frame["gain"].to_numpy() == pytest.approx(factor * plain["gain"].to_numpy(), rel=EXACT)
        assert np.sqrt(gains.covariance.variance) == pytest.approx(factor * plain["se"].to_numpy(), rel=EXACT)
    proven = read_gains(CASES / "c12_gains_fraction_scores.csv")
    given = pd.read_csv(CASES / "c12_gains_fraction_scores.csv")
    assert proven.frame["gain"].to_numpy() == pytest.approx(100 * given["gain"].to_numpy(), rel=EXACT)
    assert "fractions" in {note.kind for note in proven.notes}
    points = pd.DataFrame(
        {"gain": [0.41], "se": [0.1], "baseline_score": [0.5], "intermediate_score": [0.504]}
    )
    with pytest.raises(InputError, match="look like fractions"):
        gains_from_frame(points)  # too small and too rounded to tell the unit by
    points = points.assign(gain=0.9, intermediate_score=0.509)
    assert gains_from_frame(points).frame["gain"].item() == 0.9


def test_own_gains_however_small_are_read_again() -> None:
    table = scores(n_examples=4_000_000, score=[0.4, 0.5, 0.401, 0.502])
    gains = evaluations_from_frame(table).gains()
    assert gains_from_frame(gains.frame).frame["gain"].tolist() == gains.frame["gain"].tolist()


@pytest.mark.parametrize("factor", [100, 0.005])
def test_an_error_of_a_gain_in_another_unit_is_refused(factor: float) -> None:
    frame = evaluations_from_frame(scores(n_examples=1000)).gains().frame
    with pytest.raises(InputError, match=r"se.*(for the numbers of examples|such a standard error)"):
        gains_from_frame(frame.assign(se=factor * frame["se"]).drop(columns=["block", "baseline_se"]))


def test_gains_beyond_what_a_share_can_gain_are_refused() -> None:
    with pytest.raises(InputError, match="beyond 100 points"):
        gains_from_frame(pd.DataFrame({"gain": [3.0, 200.0], "se": 1.0}))
    with pytest.raises(InputError, match="above 100 points"):
        gains_from_frame(pd.DataFrame({"gain": [3.0, 2.0], "se": 500.0}))
    assert len(gains_from_frame(pd.DataFrame({"gain": [3.0], "se": [500.0], "metric": ["perplexity"]}))) == 1
    with pytest.raises(InputError, match="not fractions"):
        gains_from_frame(pd.DataFrame({"gain": [3.0, 2.0], "se": 1.0}), unit="fraction")
    with pytest.raises(InputError, match="no fractions"):
        gains_from_frame(pd.DataFrame({"gain": [3.0], "se": 1.0}), scale="log_odds", unit="fraction")


def test_a_fit_of_declared_units_is_read_back(tmp_path: Path) -> None:
    gains = read_gains(CASES / "s04_gains_in_fractions.csv", unit="points", params_unit="1")
    small = gains_from_frame(
        gains.frame.assign(params=gains.frame["params"].rank(method="dense").astype(int)),
        unit="points",
        params_unit="1",
    )
    fit = gl.fit(small, law="constant", draws=100)
    fit.save(tmp_path / "fit")
    assert gl.load_fit(tmp_path / "fit").gains.frame["gain"].tolist() == small.frame["gain"].tolist()


def test_no_published_table_is_refused_or_warned_of() -> None:
    for name in ("bloomz", "mt0", "harness_baselines", "encoder_baselines", "ladder"):
        notes = gl.load_dataset(name, all_rows=True).notes
        assert not {"small_sizes", "fractions"} & {note.kind for note in notes}
        grave = [n for n in notes if n.kind == "stderr_not_binomial" and n.severity == "warning"]
        assert not grave
    assert len(read_evaluations(CASES / "good.csv")) == 36
