"""Build the paper: evaluations, gains, fits, claims, comparison and report, each only when it is stale.

``python -m analysis --out paper``, or, for the scores of a run of the ladder alone,
``python -m analysis --study ladder --scores RUNS/ladder/evaluations.csv --out ladder``. Exits 0 when done, 1 when the
diagnostics of a fit failed, 2 when a step failed.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TaskID, TextColumn, TimeElapsedColumn

from analysis.ladder import ladder_steps
from analysis.step import Steps, do, store_at
from analysis.together import NOTE, together_steps
from gainlaw.errors import GainlawError
from gainlaw.units.execution import Ended
from gainlaw.units.schedule import run_units
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

ROOT = Path(__file__).resolve().parent.parent
DATA = ROOT / "data"

TITLE = "Does the gain of intermediate-task training grow with model size? Every public ladder, and BLOOMZ in detail"

SOURCE = "scores of BLOOM and BLOOMZ (Muennighoff et al. 2022, arXiv:2211.01786)"

#: Fits of the study by the name they have in the report; the first one answers.
MAIN, TWIN, OFFSET, WIDER = (
    "linear law",
    "linear law, log-odds",
    "offset power law",
    "linear law, three mixtures",
)


def paper_steps() -> Steps:
    """Return the steps of the paper, each after those it reads from.

    The first of those that can be done is done first: the longest way to the report leads.
    """
    steps = Steps()
    data = steps.add(
        "prepare",
        "analysis.steps.prepare",
        "data",
        {"scores": DATA / "bloomz.csv", "languages": DATA / "languages.csv"},
        {"dataset": "bloomz"},
        floor="scores",
    )
    one, three = {"source": SOURCE, "intermediates": ["xP3"]}, ["xP3", "P3", "xP3mt"]
    wider = steps.fit(
        "fit_mixtures",
        "fits/mixtures",
        data,
        law="linear",
        intermediates=three,
        source=SOURCE,
        covariates=["seen_in_pretraining"],
    )
    wider_twin = steps.other_scale("fit_mixtures_log_odds", wider)
    main = steps.fit("fit_main", "fits/main", data, law="linear", **one)
    twin = steps.other_scale("fit_log_odds", main)
    offset = steps.fit("fit_offset_power", "fits/offset_power", data, law="offset_power", **one)
    together = together_steps(steps)
    all_fits = {"main": main, "twin": twin, "offset": offset, "wider": wider}
    shown = {
        "fits": {"main": MAIN, "twin": TWIN, "offset": OFFSET, "wider": WIDER},
        "across": {"panels": "study", "note": NOTE},
    }
    fits_across = {name: together[name] for name in ("across", "across_ability", "across_line")}
    claims = steps.add(
        "claims",
        "analysis.steps.claims",
        "claims.csv",
        {
            "claims": Path(__file__).parent / "claims.toml",
            "main": main,
            "wider": wider,
            "twin": twin,
            "wider_twin": wider_twin,
        },
        {"fits": {"main": MAIN, "wider": WIDER}},
        floor="claims",
    )
    compare = steps.add(
        "compare",
        "analysis.steps.compare",
        "compare.csv",
        {"main": main, "offset": offset},
        {"fits": {"main": MAIN, "offset": OFFSET}},
        floor="fitting",
    )
    drawn = steps.add("figures", "analysis.steps.figures", "drawn", {**all_fits, **fits_across}, shown)
    steps.add(
        "report",
        "analysis.steps.report",
        "answer.txt",
        {**all_fits, **together, "claims": claims, "compare": compare, "figures": drawn},
        {**shown, "title": TITLE},
    )
    return steps


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
    steps = paper_steps() if options.study == "paper" else ladder_steps(options.scores)
    store = store_at(out)
    # Whoever builds it again has seen why a step failed.
    store.forgive(steps.units)
    if options.force:
        for unit in steps.units.values():
            store.forget(unit)
    for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")  # the steps themselves run side by side
    console = Console()
    try:
        with _Screen(console) as screen:
            ends = run_units(
                steps.units, store, do, workers=options.jobs, started=screen.started, ended=screen.ended
            )
    except GainlawError as error:
        console.print(f"[bold red]failed[/] {error}", highlight=False)
        return 2
    if any(end.state == "failed" for end in ends):
        return 2
    _compile(out, console)
    failed = _failed(store, steps.units.values())
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

    def started(self, unit: Unit) -> None:
        """Show a step that began."""
        self.tasks[unit.name] = self.progress.add_task(unit.label, total=None)

    def ended(self, end: Ended) -> None:
        """Show what became of a step."""
        if end.unit.name in self.tasks:
            self.progress.remove_task(self.tasks.pop(end.unit.name))
        word = {"kept": "unchanged", "failed": "[bold red]failed[/]", "left": "not begun"}.get(end.state)
        took = word or f"{end.seconds:6.1f} s"
        self.progress.console.print(
            f"{end.unit.label:<22} {took:>9}  [dim]{escape(end.said)}[/]", highlight=False
        )


def _failed(store: Store, units: Iterable[Unit]) -> list[str]:
    """Return the fits whose diagnostics failed."""
    fits = [unit.name for unit in units if unit.label.startswith("fit_")]
    return [
        name
        for name in fits
        if json.loads((store.path(name) / "diagnostics.json").read_text(encoding="utf-8"))["status"] != "ok"
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
