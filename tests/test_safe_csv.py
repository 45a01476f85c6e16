"""Names that a spreadsheet would run: as they are by default, with an apostrophe on request, numbers untouched."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from conftest import run_cli, write_effects
from gainlaw._io import csv_text

EVIL = '=HYPERLINK("http://x.example","y")'


@pytest.fixture(scope="module")
def effects(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = write_effects(tmp_path_factory.mktemp("evil") / "effects.csv")
    pd.read_csv(path).replace({"task": {"xnli": EVIL, "mlqa": "-1+2"}}).to_csv(path, index=False)
    return path


@pytest.fixture(scope="module")
def fitted(effects: Path) -> Path:
    target = effects.parent / "fit"
    outcome = run_cli("fit", effects, "-o", target, "--draws", 100, "--chains", 2)
    assert outcome.code in {0, 1}
    return target


def cells(text: str) -> list[str]:
    return text.replace("\n", ",").split(",")


@pytest.mark.parametrize("safe", [False, True])
@pytest.mark.usefixtures("undrawn")
def test_every_command_that_writes_csv_can_make_it_safe(
    effects: Path, fitted: Path, tmp_path: Path, safe: bool
) -> None:
    options = ("--safe-csv",) if safe else ()
    (tmp_path / "claims.toml").write_text(f"[[claim]]\nname = '{EVIL}'\nclaim = 'slope > 0'\n")
    texts = {}
    outcome = run_cli("gains", effects, "-o", tmp_path / "gains.csv", *options)
    assert outcome.code == 0, outcome.err
    texts["gains"] = (tmp_path / "gains.csv").read_text()
    outcome = run_cli("claims", fitted, tmp_path / "claims.toml", "-o", tmp_path / "verdicts.csv", *options)
    assert outcome.code in {0, 1}, outcome.err
    texts["claims"] = (tmp_path / "verdicts.csv").read_text()
    texts["printed claims"] = run_cli(
        "claims", fitted, tmp_path / "claims.toml", "--format", "csv", *options
    ).out
    outcome = run_cli(
        "curve", effects, "--by", "task", "--law", "constant", "-o", tmp_path / "curves", "--format", "csv",
        *options,
    )  # fmt: skip
    assert outcome.code in {0, 1}, outcome.err
    texts["printed curves"] = outcome.out
    texts |= {path.name: path.read_text() for path in (tmp_path / "curves").glob("*.csv")}
    texts["summary"] = run_cli("summary", fitted, "--format", "csv", *options).out
    outcome = run_cli("report", fitted, "-o", tmp_path / "report", "--one-scale", *options)
    assert outcome.code in {0, 1}, outcome.err
    texts |= {path.name: path.read_text() for path in (tmp_path / "report" / "tables").glob("*.csv")}
    assert sum("HYPERLINK" in text for text in texts.values()) > 6
    runs = {name for name, text in texts.items() if any(c.lstrip('"').startswith("=") for c in cells(text))}
    if safe:
        assert not runs
    else:
        assert {"gains", "claims", "printed claims", "printed curves"} <= runs
    assert (fitted / "gains.csv").read_text().count("'=") == 0


def test_numbers_stay_numbers() -> None:
    frame = pd.DataFrame(
        {"+name": ["@x", "\ty", "plain"], "n": pd.array([1, None, -3], "Int64"), "g": [-1.5, None, 2.0]}
    )
    assert csv_text(frame, safe=True) == "'+name,n,g\n'@x,1,-1.5\n'\ty,,\nplain,-3,2.0\n"
    assert csv_text(frame) == "+name,n,g\n@x,1,-1.5\n\ty,,\nplain,-3,2.0\n"
