"""A study in one command: every step kept, none done twice, odd input refused before anything is written."""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli, Outcome, write_effects, write_scores
from gainlaw._io import sha256_file
from gainlaw.claims.registration import register
from gainlaw.fitting import core
from result_files import new_results, write_json, write_ladder

RULE = ("--pair", "{base}-chat={base}")
#: So few draws that diagnostics fail, of the law that is fitted and drawn soonest.
FEW = ("--law", "constant", "--draws", "100")
CLAIMS = '[[claim]]\nname = "helps"\nclaim = "gain(1B) > 0"\n'
STEPS = ["scores", "fit", "fit on log-odds", "figures", "claims", "report"]


@pytest.fixture
def undrawn(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let a report do without figures, which take most of a study's time."""

    def draw(fits: object, out: Path, artists: object) -> None:
        (out / "exhibits.json").write_text("[]")

    monkeypatch.setattr("gainlaw.report.write.draw_figures", draw)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with results, claims that were registered after them, and the study of them."""
    folder = tmp_path_factory.mktemp("made")
    for path in write_ladder(folder / "my results ü").rglob("*"):
        os.utime(path, (1_000_000_000, 1_000_000_000))
    (folder / "claims.toml").write_text(CLAIMS)
    register(folder / "claims.toml")
    return folder


def run(cli: Cli, made: Path, *more: object) -> Outcome:
    return cli(
        "study",
        made / "my results ü",
        "-o",
        made / "out",
        "--claims",
        made / "claims.toml",
        *RULE,
        *FEW,
        *more,
    )


def states(outcome: Outcome) -> dict[str, str]:
    """Return what became of each step, by what the command said."""
    ends = (re.match(r"(.{16}) *(?:(kept)|[\d.]+ s)  ?", f"{line}  ") for line in outcome.err.splitlines())
    return {end[1].strip(): end[2] or "done" for end in ends if end and ":" not in end[1]}


def content(folder: Path) -> dict[str, str]:
    return {str(path.relative_to(folder)): sha256_file(path) for path in folder.rglob("*") if path.is_file()}


@pytest.mark.usefixtures("svg_alone")
def test_from_results_to_verdicts_and_a_report(made: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gainlaw.report.artists.cores", lambda: 1)  # no process beside this one draws
    done = run(cli, made)
    out = made / "out"
    assert done.code == 1, done.err
    assert "constant law: diagnostics failed" in done.err
    assert states(done) == dict.fromkeys(STEPS, "done")
    assert "6 files read: lm-evaluation-harness" in done.err
    expected = gl.import_results(made / "my results ü", pair=RULE[1])
    written = gl.read_evaluations(out / "scores")
    assert written.frame["n_correct"].tolist() == expected.frame["n_correct"].tolist()
    fit = gl.load_fit(out / "fit")
    pd.testing.assert_frame_equal(fit.gains.frame, expected.gains().frame)
    assert set(fit.gains.frame["variance"]) == {"paired"}
    assert gl.load_fit(out / "fit" / "scale_log_odds").record["parent"] == fit.record["sha256"]
    assert json.loads((out / "scores" / "check.json").read_text())["n_pairs"] == 9
    verdicts = pd.read_csv(out / "claims.csv")
    assert verdicts["name"].tolist() == ["helps"]
    assert "after the file of scores was written" in verdicts["registered"][0]
    assert verdicts["verdict"][0] in done.out
    page = (out / "report" / "report.html").read_text()
    assert "helps" in page
    assert "after the file of scores was written" in page
    assert "averages over several tasks" in page
    assert (out / "report" / "tables" / "claims.tex").exists()
    asked = json.loads((out / "study.json").read_text())
    assert asked["pair"] == [RULE[1]]
    assert (asked["law"], asked["draws"]) == ("constant", 100)


def test_what_is_done_is_not_done_again(made: Path, cli: Cli) -> None:
    run(cli, made)
    before = content(made / "out")
    again = run(cli, made, "--json")
    assert states(again) == dict.fromkeys(STEPS, "kept")
    assert content(made / "out") == before
    told = json.loads(again.out)
    assert [step["step"] for step in told["steps"]] == STEPS
    assert told["verdicts"][0]["name"] == "helps"
    assert told["status"] == {"constant law": "failed", "constant law, log-odds": "failed"}
    assert told["answer"].startswith("Diagnostics failed, so do not trust")


def test_files_of_others_change_nothing_and_are_left_alone(made: Path, cli: Cli) -> None:
    run(cli, made)
    out = made / "out"
    notes = [out / place / "notes.txt" for place in ("scores", "fit", "report", ".drawn")]
    for note in notes:
        note.write_text("mine")
    assert states(run(cli, made)) == dict.fromkeys(STEPS, "kept")
    (out / "fit" / "estimates.csv").write_text("x\n")
    anew = {"fit", "fit on log-odds"}
    assert states(run(cli, made)) == {step: "done" if step in anew else "kept" for step in STEPS}
    assert [note.read_text() for note in notes] == ["mine"] * len(notes)
    for note in notes:
        note.unlink()
    assert states(run(cli, made)) == dict.fromkeys(STEPS, "kept")


def test_what_changed_or_was_damaged_is_done_anew_and_nothing_else(made: Path, cli: Cli) -> None:
    run(cli, made)
    out = made / "out"
    cases: list[tuple[Callable[[], object], list[str]]] = [
        (lambda: (made / "claims.toml").write_text(CLAIMS.replace("> 0", "> 1")), ["claims", "report"]),
        (lambda: (out / "scores/evaluations.csv").write_text("model\n"), ["scores"]),
        (lambda: (out / "fit/estimates.csv").write_text("x\n"), ["fit", "fit on log-odds"]),
        (lambda: (out / "fit/scale_log_odds/posterior.nc").unlink(), ["fit on log-odds"]),
        (lambda: shutil.rmtree(out / "report"), ["report"]),
    ]
    for number, (meddle, anew) in enumerate(cases):
        meddle()
        assert states(run(cli, made)) == {step: "done" if step in anew else "kept" for step in STEPS}, number
    assert gl.load_fit(out / "fit").n_rows == len(gl.read_gains(out / "scores" / "gains.csv")) == 9
    (out / "fit" / "fit.json").write_text("junk")
    refused = run(cli, made)
    assert refused.code == 2
    assert f"remove {out / 'fit'}, and it is made anew" in refused.err
    shutil.rmtree(out / "fit")


@pytest.mark.usefixtures("undrawn")
def test_a_study_that_was_killed_goes_on(tmp_path: Path, cli: Cli, monkeypatch: pytest.MonkeyPatch) -> None:
    source = write_scores(tmp_path / "scores.csv")
    arguments = ("study", source, "-o", tmp_path / "out", *FEW)

    def killed(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(core, "fit", killed)
        stopped = cli(*arguments)
    assert stopped.code == 130
    assert {path.name for path in (tmp_path / "out").iterdir()} == {".units", "scores", "study.json"}
    done = cli(*arguments)
    steps = [step for step in STEPS if step != "claims"]
    assert states(done) == {step: "kept" if step == "scores" else "done" for step in steps}
    assert "No claims were judged" in done.out
    # The fit is that of the command alone.
    assert cli("fit", source, "-o", tmp_path / "fit", *FEW).code == 1
    alone, kept = (pd.read_csv(place / "fit" / "estimates.csv") for place in (tmp_path, tmp_path / "out"))
    pd.testing.assert_frame_equal(alone, kept)
    assert (
        gl.load_fit(tmp_path / "out" / "fit").record["data"] == gl.load_fit(tmp_path / "fit").record["data"]
    )


@pytest.mark.usefixtures("undrawn")
def test_a_table_of_gains_has_no_other_scale(tmp_path: Path, cli: Cli) -> None:
    source = write_effects(tmp_path / "effects.csv")
    done = cli("study", source, "-o", tmp_path / "out", *FEW, "--where", "task=xnli,xquad", "--percent")
    assert states(done) == dict.fromkeys(["scores", "fit", "figures", "report"], "done")
    assert gl.load_fit(tmp_path / "out" / "fit").n_rows == 8


def test_claims_registered_before_the_results_are_said_to_be(tmp_path: Path, cli: Cli) -> None:
    results = write_ladder(tmp_path / "results", n=50)
    (tmp_path / "claims.toml").write_text(CLAIMS)
    register(tmp_path / "claims.toml")
    for path in results.rglob("*"):
        os.utime(path, (2_000_000_000, 2_000_000_000))
    scores = tmp_path / "scores.csv"
    assert cli("import", results, "-o", scores, *RULE).code == 0
    os.utime(scores, (2_100_000_000, 2_100_000_000))
    fit = gl.fit(gl.read_evaluations(scores), law="constant", draws=100)
    (said,) = gl.assess_file(fit, tmp_path / "claims.toml").frame["registered"]
    assert "before the file of scores was written (2033-05-18" in said


def odd(root: Path) -> dict[str, tuple[tuple[object, ...], str]]:
    """Return arguments that are refused, beside -o, and words of the message."""
    results, claims = write_ladder(root / "results", n=50), root / "claims.toml"
    claims.write_text(CLAIMS)
    (root / "typo.toml").write_text('[[claim]]\nname = "a"\nclaim = "slop < 0"\n\n[[clam]]\n')
    (root / "empty").mkdir()
    (root / "prose.txt").write_text("nothing here")
    (root / "broken.json").write_text('{"results": {')
    table = write_scores(root / "scores.csv")
    frame = pd.read_csv(table, keep_default_na=False)
    frame[frame["params"] == 10**9].to_csv(root / "one size.csv", index=False)
    frame[frame["intermediate"] == "none"].to_csv(root / "baselines.csv", index=False)
    frame[frame["intermediate"] != "none"].to_csv(root / "lonely.csv", index=False)
    wide = "model,params,xnli_sw,xnli_en\ntoy-1b,1B,40.5,50\ntoy-1b-chat,1B,45,55\n"
    (root / "wide.csv").write_text(wide)
    write_json(root / "twice" / "a.json", new_results("toy-1b", {"xnli_en": (50, 100)}))
    write_json(root / "twice" / "b.json", new_results("toy-1b", {"xnli_en": (51, 100)}))
    write_json(root / "twice" / "c.json", new_results("toy-1b-chat", {"xnli_en": (60, 100)}))
    return {
        "no such path": ((root / "absent", *RULE), "no such file or folder"),
        "no such table": ((root / "absent.csv",), "no such file or folder"),
        "an empty folder": ((root / "empty", *RULE), "no file holds results"),
        "prose": ((root / "prose.txt", *RULE), "prose.txt"),
        "a broken file": ((root / "broken.json", *RULE), "broken.json"),
        "no pairs": ((results,), "no pairs are assumed"),
        "a rule that pairs nothing": ((results, "--pair", "{base}-sft={base}"), "pairs no models"),
        "two runs": ((root / "twice", *RULE), "two scores of xnli (en)"),
        "per cent": ((root / "wide.csv", *RULE, "--n-examples", "500"), "--percent"),
        "one size": ((root / "one size.csv",), "size"),
        "baselines alone": ((root / "baselines.csv",), "intermediate"),
        "no baselines": ((root / "lonely.csv",), "baseline"),
        "a table with pairs": ((table, *RULE), "goes without --pair"),
        "a condition that fits nothing": ((table, "--where", "task=xnli"), "no row has"),
        "no condition": ((results, *RULE, "--where", "task"), "is not a condition"),
        "a typo in the claims": ((results, *RULE, "--claims", root / "typo.toml"), "slop"),
        "no claims": ((results, *RULE, "--claims", root / "absent.toml"), "no such file"),
        "a folder of claims": ((results, *RULE, "--claims", root / "empty"), "a folder"),
        "standard input": (("-", *RULE), "standard input"),
        "no such dataset": (("dataset:bloomy",), "bloomy"),
        "no draws": ((table, "--draws", "0"), "draws"),
        "a law of another name": ((table, "--law", "linea"), "linea"),
        "no right answers": ((results, *RULE, "--gold", root / "absent"), "there is no folder"),
        "a file that is both": ((table, table), "evaluations already"),
    }


def test_odd_input_is_one_message_and_nothing_is_written(tmp_path: Path, cli: Cli) -> None:
    cases = odd(tmp_path / "in")
    before = content(tmp_path)
    for name, (arguments, words) in cases.items():
        both = {"--pair"} <= set(arguments) and not {"--claims", "--where", "-"} & set(map(str, arguments))
        for command in ("study", "import") if both and "a table" not in name else ("study",):
            refused = cli(command, *arguments, "-o", tmp_path / "deep" / "out")
            assert refused.code == 2, (command, name, refused)
            assert words in refused.err, (command, name, refused.err)
            assert "Traceback" not in refused.err
            assert not (tmp_path / "deep").exists(), (command, name)
    assert content(tmp_path) == before


def test_folders_that_are_not_for_a_study_are_refused(tmp_path: Path, cli: Cli) -> None:
    results = write_ladder(tmp_path / "results", n=50)
    other, file, closed = tmp_path / "other", tmp_path / "file", tmp_path / "closed"
    other.mkdir()
    (other / "thesis.tex").write_text("years of work")
    file.write_text("")
    closed.mkdir(mode=0o500)
    before = content(tmp_path)
    for out, words in (
        (other, "is not empty and not a directory of a study"),
        (file, "is a file"),
        (file / "out", "is a file"),
        (results, "lies in"),
        (results / "out", "name a folder beside"),
        (tmp_path, "which is to be written"),
        *(
            ()
            if os.access(closed, os.W_OK)
            else ((closed, "cannot be written"), (closed / "out", "cannot be written"))
        ),
    ):
        refused = cli("study", results, *RULE, "-o", out)
        assert refused.code == 2, out
        assert words in refused.err, refused.err
        assert content(tmp_path) == before


def test_verdicts_of_an_earlier_run_are_not_left_beside_a_new_one(made: Path, cli: Cli) -> None:
    run(cli, made)
    refused = cli("study", made / "my results ü", "-o", made / "out", *RULE, *FEW)
    assert refused.code == 2
    assert "has the verdicts of an earlier run" in refused.err
