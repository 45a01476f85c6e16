"""Every command end to end: on the packaged scores, on a user's table of scores, and on published effects."""

from __future__ import annotations

import io
import json
import re
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli, Study, write_effects
from gainlaw.claims.decision import VERDICTS
from gainlaw.cli.printing import progress_bar, show
from gainlaw.curves import study as curve_study
from gainlaw.curves.study import fit_curves
from gainlaw.fitting import storage
from gainlaw.fitting.companion import other_scale_fit
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table

CLAIMS = """
version = 1
threshold = 0.975

[[claim]]
name = "shrinks"
claim = "slope < 0"

[[claim]]
name = "small at 10B"
claim = "gain(10B) < 1"

[[claim]]
name = "another world"
claim = "slope[task=juggling] > 0"
"""


def test_check_says_what_is_there(study: Study, cli: Cli) -> None:
    outcome = cli("check", study.source, *study.selection)
    assert outcome.code == 0
    assert outcome.err == ""
    frame = gl.load_fit(study.linear).gains.frame
    assert f"{frame['checkpoint'].nunique()} checkpoints of {frame['params'].nunique()} sizes" in outcome.out
    record = json.loads(cli("check", study.source, *study.selection, "--format", "json").out)
    assert record["n_checkpoints"] == frame["checkpoint"].nunique()
    assert record.get("n_pairs", len(frame)) == len(frame)


def test_fit_and_summary_say_with_counts_what_check_does(study: Study, cli: Cli) -> None:
    found = json.loads(cli("check", study.source, *study.selection, "--format", "json").out)["notes"]
    shown = cli("summary", study.linear).err
    for note in found:
        start = f"{note['count']} row{'s' if note['count'] != 1 else ''}: " if note["count"] else ""
        said = f"{'warning' if note['severity'] == 'warning' else 'note'}: {start}{note['message']}"
        assert said in study.printed.err
        assert said in shown
    if str(study.source).startswith("dataset:"):
        assert "at_chance" in {note["kind"] for note in found}


def test_gains_are_those_of_the_library(study: Study, cli: Cli, tmp_path: Path) -> None:
    first, second = tmp_path / "gains.csv", tmp_path / "again.parquet"
    outcome = cli("gains", study.source, "-o", first, *study.selection)
    assert outcome.code == 0
    expected = gl.load_fit(study.linear).gains
    written = gl.read_gains(first)
    np.testing.assert_allclose(written.frame["gain"], expected.frame["gain"], rtol=1e-12)
    np.testing.assert_allclose(written.covariance.matrix(), expected.covariance.matrix(), atol=1e-9)
    assert f"{len(expected)} gains on points" in outcome.out
    assert cli("gains", first, "-o", second).code == 0
    np.testing.assert_allclose(gl.read_gains(second).frame["se"], expected.frame["se"], rtol=1e-12)


def test_fit_writes_a_directory_that_stands_alone(study: Study) -> None:
    assert study.printed.code == study.code
    names = {path.name for path in study.linear.iterdir()}
    assert {"posterior.nc", "estimates.csv", "diagnostics.json", "fit.json", "gains.csv"} <= names
    record = json.loads((study.linear / "fit.json").read_text())
    assert record["arguments"]["given"]["draws"] == 500
    assert "slope of the gain" in study.printed.out.lower()
    assert f"diagnostics {study.status}" in study.printed.out
    assert f"wrote {study.linear}" in study.printed.out
    assert [path.name for path in study.linear.parent.iterdir() if path.name.startswith(".")] == []


def test_summary_prints_the_estimates(study: Study, cli: Cli) -> None:
    fit = gl.load_fit(study.linear)
    outcome = cli("summary", study.linear, "--level", "task")
    assert outcome.code == study.code
    assert f"{fit.n_rows} gains from {fit.n_checkpoints} checkpoints at {fit.n_sizes} sizes" in outcome.out
    slopes = fit.estimates.query("estimand == 'slope' and level == 'task'")
    for mean in slopes["mean"]:
        assert f"{mean:.{fit.spec.decimals()}f}" in outcome.out
    whole = pd.read_csv(io.StringIO(cli("summary", study.linear, "--format", "csv").out))
    np.testing.assert_allclose(whole["mean"], fit.estimates["mean"], rtol=1e-12)
    arguments = ("--format", "json", "--estimand", "slope", "--level", "population")
    (record,) = json.loads(cli("summary", study.linear, *arguments).out)
    assert record["estimand"] == "slope"
    assert record["params"] is None


def test_predict_gives_the_mean_and_a_new_checkpoint(study: Study, cli: Cli) -> None:
    arguments = ("predict", study.linear, "--params", "13B", "--params", "1e9")
    outcome = cli(*arguments)
    assert outcome.code == study.code
    assert "mean curve" in outcome.out
    assert "new checkpoint" in outcome.out
    rows = json.loads(cli(*arguments, "--format", "json").out)
    expected = gl.load_fit(study.linear).predict([13e9, 1e9])
    assert [row["kind"] for row in rows] == ["mean", "new_checkpoint"] * 2
    np.testing.assert_allclose([row["ci_low"] for row in rows], expected["ci_low"], rtol=1e-12)
    task = gl.load_fit(study.linear).gains.frame["task"].iloc[0]
    (only,) = json.loads(
        cli(
            "predict",
            study.linear,
            "--params",
            "13B",
            "--task",
            task,
            "--new",
            "checkpoint",
            "--format",
            "json",
        ).out
    )
    assert only["kind"] == "new_checkpoint"
    assert only["group"] == f"task={task}"
    both = cli("predict", study.linear, "--params", "13B", "--task", task, "--new", "task")
    assert both.code == 2
    assert f"task cannot be new where task={task} is given" in both.err


def test_claims_are_judged_and_written(study: Study, cli: Cli, tmp_path: Path) -> None:
    file, output = tmp_path / "claims.toml", tmp_path / "claims.csv"
    file.write_text(CLAIMS)
    outcome = cli("claims", study.linear, file, "-o", output)
    assert outcome.code == study.code
    verdicts = pd.read_csv(output)
    assert list(verdicts.columns[:4]) == ["name", "claim", "verdict", "probability"]
    assert list(verdicts["name"]) == ["shrinks", "small at 10B", "another world"]
    assert set(verdicts["verdict"]) <= set(VERDICTS)
    assert verdicts["verdict"].iloc[2] == "untested"
    assert "another world" in outcome.out.split("Untested")[1]
    slope = gl.load_fit(study.linear).estimates.query("estimand == 'slope' and level == 'overall'").iloc[0]
    # By the hyperparameters rather than by the share of the draws: five errors of the share at most.
    if verdicts["verdict"].iloc[0] != "untested":
        assert verdicts["probability_points"].iloc[0] == pytest.approx(slope["p_negative"], abs=0.06)
    other = other_scale_fit(gl.load_fit(study.linear))
    assert (other is not None) == (study.linear / "scale_log_odds").is_dir()


def test_compare_ranks_fits_of_the_same_gains(study: Study, cli: Cli) -> None:
    outcome = cli("compare", study.linear, study.constant, "--format", "csv")
    assert outcome.code in {0, 1}
    table = pd.read_csv(io.StringIO(outcome.out))
    assert set(table["model"]) == {str(study.linear), str(study.constant)}
    assert table["elpd_diff"].iloc[0] == 0
    assert table["elpd"].is_monotonic_decreasing


@pytest.mark.usefixtures("svg_alone")
def test_report_is_written_whole(study: Study, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "claims.toml").write_text(CLAIMS)
    out = tmp_path / "report"
    outcome = cli("report", study.linear, "-o", out, "--claims", tmp_path / "claims.toml")
    assert outcome.code in {0, 1}
    assert f"wrote {out / 'report.html'}" in outcome.out
    page = (out / "report.html").read_text()
    assert page.count("<table") > 3
    assert "another world" in page or "juggling" in page
    for kind in ("tables/slopes_task.tex", "tables/slopes_task.csv", "figures/forest_task.pdf"):
        assert (out / kind).stat().st_size > 0
    assert not [path for path in out.rglob("*") if path.name.startswith(".")]


def test_compare_refuses_fits_of_other_gains(study: Study, cli: Cli, failed: Path) -> None:
    outcome = cli("compare", study.linear, failed)
    assert outcome.code == 2
    assert "rows" in outcome.err


@pytest.fixture(scope="module")
def failed(tmp_path_factory: pytest.TempPathFactory, cli: Cli) -> Path:
    """Return the directory of a fit with far too few draws."""
    folder = tmp_path_factory.mktemp("failed")
    source = write_effects(folder / "effects.csv")
    few = ("--law", "constant", "--draws", "100", "--tune", "100", "--chains", "2")
    outcome = cli("fit", source, "-o", folder / "fit", "--where", "task=xnli,xquad", *few)
    assert outcome.code == 1
    assert "diagnostics failed" in outcome.out
    return folder / "fit"


@pytest.mark.usefixtures("undrawn")
def test_failed_diagnostics_are_told_by_every_command(failed: Path, cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "claims.toml").write_text(CLAIMS)
    for arguments in (
        ("summary", failed),
        ("summary", failed, "--format", "json"),
        ("predict", failed, "--params", "1e9"),
        ("report", failed, "-o", tmp_path / "out"),
    ):
        outcome = cli(*arguments)
        assert outcome.code == 1, arguments
        assert "diagnostics failed; do not trust these numbers" in outcome.err
    assert "failed" in (tmp_path / "out" / "report.html").read_text()


def test_a_fit_is_replaced_only_on_request(failed: Path, cli: Cli) -> None:
    source = failed.parent / "effects.csv"
    before = (failed / "fit.json").read_bytes()
    arguments = (
        "fit",
        source,
        "-o",
        failed,
        "--law",
        "constant",
        "--draws",
        "100",
        "--tune",
        "100",
        "--chains",
        "2",
    )
    refused = cli(*arguments)
    assert refused.code == 2
    assert "holds a fit already" in refused.err
    assert (failed / "fit.json").read_bytes() == before
    assert cli(*arguments, "--overwrite", "--seed", "5").code in {0, 1}
    assert json.loads((failed / "fit.json").read_text())["arguments"]["given"]["seed"] == 5


def test_options_reach_the_model(cli: Cli, tmp_path: Path) -> None:
    source = write_effects(tmp_path / "effects.csv")
    few = ("--draws", "100", "--tune", "100", "--chains", "2", "--seed", "3", "--ci-prob", "0.8")
    model = ("--prior", "tau_task=halfnormal(1)", "--drop", "residual", "--params", "2B")
    outcome = cli("fit", source, "-o", tmp_path / "fit", *few, *model)
    assert outcome.code in {0, 1}
    fit = gl.load_fit(tmp_path / "fit")
    assert str(fit.spec.priors["tau_task"]) == "halfnormal(1)"
    assert not fit.spec.residual
    gains = fit.estimates.query("estimand == 'gain'")
    assert set(gains["params"]) == {2e9}
    assert set(gains["ci_prob"]) == {0.8}


def test_other_rows_of_the_packaged_scores(cli: Cli) -> None:
    record = json.loads(cli("check", "dataset:bloomz:prompts=all,metric=max", "--format", "json").out)
    assert record["n_pairs"] > 420
    chosen = ("--where", "intermediate=P3", "--where", "params=7.1B")
    narrow = json.loads(cli("check", "bloomz", *chosen, "--format", "json").out)
    assert narrow["n_checkpoints"] == 1
    assert {pair["intermediate"] for pair in narrow["pairs"]} == {"P3"}


@pytest.fixture
def computed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a command that is run again with the same words show what it found the first time."""
    slow = ((curve_study, "fit_curves"), (gl, "assess_file"), (gl, "compare"), (storage, "load_fit"))
    for module, name in slow:
        monkeypatch.setattr(module, name, _once(getattr(module, name)))


def _once(function: Callable[..., Any]) -> Callable[..., Any]:
    found: dict[str, Any] = {}

    def first(*arguments: Any, **options: Any) -> Any:
        place = str(arguments[0]) if isinstance(arguments[0], str | Path) else ""
        if place not in found:
            found[place] = function(*arguments, **options)
        return found[place]

    return first


@pytest.mark.usefixtures("computed_once")
def test_tables_fit_the_screen_and_lose_no_number(study: Study, cli: Cli, tmp_path: Path) -> None:
    file = tmp_path / "claims.toml"
    file.write_text(CLAIMS, encoding="utf-8")
    commands: list[tuple[object, ...]] = [
        ("check", study.source, *study.selection),
        ("summary", study.linear),
        ("summary", study.linear, "--level", "task"),
        ("predict", study.linear, "--params", "13B", "--params", "1e9"),
        ("curve", study.source, *study.selection, "--by", "task"),
        ("curve", study.source, *study.selection, "--by", "task", "--parameters"),
        ("claims", study.linear, file),
        ("compare", study.linear, study.constant),
    ]
    for command in commands:
        wide = cli(*command).out
        for width in (80, 120):
            narrow = cli(*command, width=width).out
            assert max(map(len, narrow.splitlines())) <= width, command
            numbers = [Counter(re.findall(r"(?<![\w.])[-\d][\w.,%]*", out)) for out in (wide, narrow)]
            assert numbers[0] <= numbers[1], command
            assert "…" not in narrow


def test_a_table_wider_than_the_screen_goes_on_below_behind_its_names(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    names = ["first", "second"]
    frame = pd.DataFrame({"name": names} | {f"n{k}": [1234567.0 + k, 0.5] for k in range(8)})
    columns = (Column("name", "Name"), *(Column(f"n{k}", f"Value {k}", "number") for k in range(8)))
    monkeypatch.setenv("COLUMNS", "50")
    show(Table("wide", "", frame, columns))
    lines = capsys.readouterr().out.splitlines()
    assert max(map(len, lines)) <= 50
    rows = [line.split() for line in lines if line.startswith(tuple(names))]
    assert [row[0] for row in rows] == names * 2
    assert [cell for row in rows[1::2] for cell in row[1:]] == ["0.5"] * 8


def test_long_work_tells_a_log_at_every_tenth_what_is_left(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = iter(range(1000))
    monkeypatch.setattr("gainlaw.cli.printing.time.monotonic", lambda: float(next(clock)))
    with progress_bar("counting") as progress:
        for done in range(1, 41):
            progress(done, 40)
    said = capsys.readouterr().err.splitlines()
    assert said[0] == "counting: 10%, about 36 s left"
    assert [line.split(",")[0].split()[-1] for line in said] == [f"{k}0%" for k in range(1, 10)]
    with progress_bar("nothing") as progress:
        progress(1, 1)
    assert capsys.readouterr().err == ""


def test_curves_and_claims_tell_how_far_they_are(study: Study, tmp_path: Path) -> None:
    seen: list[tuple[int, int]] = []
    fit = gl.load_fit(study.linear)
    fit_curves(fit.gains, ["constant"], by=["task"], progress=lambda *at: seen.append(at))
    assert seen == [(k, len(seen)) for k in range(fit.gains.frame["task"].nunique())]
    file = tmp_path / "claims.toml"
    file.write_text(CLAIMS, encoding="utf-8")
    seen.clear()
    gl.assess_file(fit, file, progress=lambda *at: seen.append(at))
    assert seen == [(1, 3), (2, 3), (3, 3)]


def test_version_and_help(cli: Cli) -> None:
    assert cli("--version").out == f"gainlaw {gl.__version__}\n"
    out = cli("--help").out
    for command in ("check", "gains", "fit", "summary", "predict", "claims", "compare", "report"):
        assert f"  {command} " in out
        assert cli(command, "--help").code == 0
