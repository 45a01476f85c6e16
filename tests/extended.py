"""What docs/extending.md shows, done by a package that has what the page adds: all of it in one process.

Reads jobs from standard input and prints what came of them; importing the package takes longer than most of them.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shlex
import sys
import traceback
import warnings
from contextlib import ExitStack
from pathlib import Path

import pytest

from conftest import draw_svg_alone, run_cli


def command(line: str) -> str:
    """Run a command line and return what it printed."""
    done = run_cli(*shlex.split(line))
    return done.out + done.err


def check(code: str) -> str:
    """Run Python, in which a warning is an error; return how it failed, if it did."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            exec(compile(code, "check", "exec"), {"__name__": "check"})
    except Exception:
        return traceback.format_exc()
    return ""


def training(_: str) -> str:
    """Run the experiment of this folder and return the scores that it has."""
    import gainlaw as gl
    from gainlaw.training.experiment.reading import read_experiment
    from tiny_training import run_here

    run_here(read_experiment(Path("tiny.toml")), Path("tiny"))
    evals = gl.read_evaluations("tiny").frame
    return json.dumps(evals[["model", "task", "language", "n_examples"]].to_numpy().tolist())


DO = {"command": command, "check": check, "training": training}


def main() -> None:
    """Do the jobs: each a folder to be in, what to do, and its text."""
    found = []
    with pytest.MonkeyPatch.context() as patch, ExitStack() as stack:
        draw_svg_alone(patch)
        if importlib.util.find_spec("torch"):
            from gainlaw.units import schedule
            from tiny_training import WorkersHere, repeatable

            patch.setattr(schedule, "Workers", WorkersHere)
            stack.enter_context(repeatable())
        for folder, kind, text in json.load(sys.stdin):
            os.chdir(folder)
            found.append(DO[kind](text))
    print(json.dumps(found))


if __name__ == "__main__":
    main()
