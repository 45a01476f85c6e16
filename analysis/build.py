"""Build the paper: evaluations, gains, fits, claims, comparison and report, each only when it is stale.

``python -m analysis --out paper``, or, for the scores of a run of the ladder alone,
``python -m analysis --study ladder --scores RUNS/evaluations.csv --out ladder``. Exits 0 when done, 1 when the
diagnostics of a fit failed, 2 when a step failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from analysis.ladder import NAME as LADDER
from analysis.ladder import ladder_steps
from analysis.runner import Outcome, Step, StepError, run_steps

ROOT = Path(__file__).resolve().parent.parent

TITLE = "The gain of intermediate-task training from BLOOM to BLOOMZ, 560M to 176B parameters"

SOURCE = "scores of BLOOM and BLOOMZ (Muennighoff et al. 2022, arXiv:2211.01786)"

#: Fits of the study by the name they have in the report; the first one answers.
MAIN, TWIN, OFFSET, WIDER = (
    "linear law",
    "linear law, log-odds",
    "offset power law",
    "linear law, three mixtures",
)


def steps(out: Path) -> list[Step]:
    """Return the steps of the paper, each after those it reads from."""
    data, fits, claims = out / "data", out / "fits", Path(__file__).parent / "claims.toml"
    main, wider, offset = fits / "main", fits / "mixtures", fits / "offset_power"
    twin, wider_twin = main / "scale_log_odds", wider / "scale_log_odds"
    linear = {"law": "linear", "intermediates": ["xP3"], "source": SOURCE}
    three = {
        "law": "linear",
        "intermediates": ["xP3", "P3", "xP3mt"],
        "source": SOURCE,
        "covariates": ["seen_in_pretraining"],
    }
    curved = {"law": "offset_power", "intermediates": ["xP3"], "source": SOURCE}
    read = {"data": data}
    # Of the synthetic world one fit stands beside; its whole report is that of `--study ladder`.
    ladder = [
        step for step in ladder_steps(out / "ladder") if step.name in {"ladder_prepare", "fit_ladder_nli"}
    ]
    beside = ladder[-1].output
    all_fits = {"main": main, "twin": twin, "offset": offset, "wider": wider, "ladder": beside}
    shown = {
        "fits": {"main": MAIN, "twin": TWIN, "offset": OFFSET, "wider": WIDER},
        "beside": {"ladder": LADDER},
    }
    drawn = out / "drawn"
    # The first of those that can run is run first: the longest way to the report leads.
    return [
        Step(
            "prepare",
            "analysis.steps.prepare",
            data,
            {"scores": ROOT / "data" / "bloomz.csv", "languages": ROOT / "data" / "languages.csv"},
            {"dataset": "bloomz"},
            floor="scores",
        ),
        Step("fit_mixtures", "analysis.steps.fit", wider, read, three, floor="fitting"),
        Step(
            "fit_mixtures_log_odds",
            "analysis.steps.other_scale",
            wider_twin,
            {"fit": wider},
            floor="fitting",
        ),
        Step("fit_main", "analysis.steps.fit", main, read, linear, floor="fitting"),
        Step("fit_log_odds", "analysis.steps.other_scale", twin, {"fit": main}, floor="fitting"),
        Step("fit_offset_power", "analysis.steps.fit", offset, read, curved, floor="fitting"),
        *ladder,
        Step(
            "claims",
            "analysis.steps.claims",
            out / "claims.csv",
            {"claims": claims, "main": main, "wider": wider, "twin": twin, "wider_twin": wider_twin},
            {"fits": {"main": MAIN, "wider": WIDER}},
            floor="claims",
        ),
        Step(
            "compare",
            "analysis.steps.compare",
            out / "compare.csv",
            {"main": main, "offset": offset},
            {"fits": {"main": MAIN, "offset": OFFSET}},
            floor="fitting",
        ),
        Step("figures", "analysis.steps.figures", drawn, all_fits, shown),
        Step(
            "report",
            "analysis.steps.report",
            out / "answer.txt",
            {**all_fits, "claims": out / "claims.csv", "compare": out / "compare.csv", "figures": drawn},
            {**shown, "title": TITLE},
        ),
    ]


def main(arguments: Sequence[str] | None = None) -> int:
    """Build the paper and print the answer."""
    parser = argparse.ArgumentParser(prog="python -m analysis", description=__doc__)
    parser.add_argument("--study", choices=["paper", "ladder"], default="paper", help="default: paper")
    parser.add_argument(
        "--scores", type=Path, help="for the ladder: its evaluations.csv (default: as packaged)"
    )
    parser.add_argument("--out", type=Path, help="folder to write to (default: the name of the study)")
    parser.add_argument(
        "--jobs", type=int, default=min(2, os.cpu_count() or 1), help="processes (default: 2)"
    )
    parser.add_argument("--force", action="store_true", help="run every step, stale or not")
    options = parser.parse_args(arguments)
    out = (options.out or ROOT / options.study).resolve()
    if options.scores is not None and (options.study != "ladder" or not options.scores.is_file()):
        parser.error(f"--scores goes with --study ladder and names a file; there is no {options.scores}")
    todo = steps(out) if options.study == "paper" else ladder_steps(out, options.scores)
    console = Console()
    out.mkdir(parents=True, exist_ok=True)
    try:
        with _Screen(console) as screen:
            run_steps(
                todo,
                out / ".stamps",
                jobs=options.jobs,
                force=options.force,
                started=screen.started,
                finished=screen.finished,
            )
    except StepError as error:
        console.print(f"[bold red]failed[/] {error}", highlight=False)
        return 2
    _compile(out, console)
    failed = _failed(out, todo)
    console.print()
    console.print((out / "answer.txt").read_text(encoding="utf-8").strip(), highlight=False)
    console.print(f"\nReport: {out / 'report.html'}", highlight=False, soft_wrap=True)
    if failed:
        console.print(f"[bold red]Diagnostics failed[/] in {', '.join(failed)}: do not trust these numbers.")
    return 1 if failed else 0


class _Screen:
    """Progress on the screen: a spinner for each running step, a line for each that ended."""

    def __init__(self, console: Console) -> None:
        columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
        self.progress = Progress(*columns, console=console, transient=True)
        self.tasks: dict[str, TaskID] = {}

    def __enter__(self) -> _Screen:
        self.progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.progress.stop()

    def started(self, name: str) -> None:
        """Show a step that began."""
        self.tasks[name] = self.progress.add_task(name, total=None)

    def finished(self, outcome: Outcome) -> None:
        """Show a step that ended."""
        if outcome.name in self.tasks:
            self.progress.remove_task(self.tasks.pop(outcome.name))
        took = f"{outcome.seconds:6.1f} s" if outcome.ran else "unchanged"
        self.progress.console.print(f"{outcome.name:<22} {took:>9}  [dim]{outcome.line}[/]", highlight=False)


def _failed(out: Path, todo: Sequence[Step]) -> list[str]:
    """Return the fits whose diagnostics failed."""
    folders = [step.output for step in todo if step.name.startswith("fit_")]
    return [
        str(folder.relative_to(out))
        for folder in folders
        if json.loads((folder / "diagnostics.json").read_text(encoding="utf-8"))["status"] != "ok"
    ]


def _compile(out: Path, console: Console) -> None:
    """Make paper.pdf where pdflatex is installed; the PDF appears when it is whole."""
    if shutil.which("pdflatex") is None:
        return
    target = out / "paper.pdf"
    if target.exists() and target.stat().st_mtime >= (out / "paper.tex").stat().st_mtime:
        return
    with tempfile.TemporaryDirectory(prefix=".latex-", dir=out) as place:
        command = [
            "pdflatex",
            "-interaction=nonstopmode",
            "-halt-on-error",
            f"-output-directory={place}",
            "paper.tex",
        ]
        for _ in range(3):
            done = subprocess.run(command, cwd=out, capture_output=True, check=False, errors="replace")
            if done.returncode != 0:
                console.print("[yellow]paper.tex did not compile:[/]", done.stdout[-600:], markup=False)
                return
        os.replace(Path(place) / "paper.pdf", target)  # noqa: PTH105
    console.print(f"{'paper.pdf':<22}   written", highlight=False)
