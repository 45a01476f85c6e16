"""Write the scores of every published ladder, pooled, as evaluations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

import gainlaw as gl
from gainlaw.scores.evaluations.table import Evaluations


def run(inputs: Mapping[str, Path], output: Path) -> str:
    evals = every_ladder()
    evals.write(output)
    return f"{len(evals.frame)} scores"


def every_ladder() -> Evaluations:
    """Return the pooled scores of all published ladders, with the column ``study``.

    A row is the score of a model on a benchmark: BLOOM to BLOOMZ (xP3) by task, T5 and PaLM to Flan, and the models of
    the Open LLM Leaderboards by benchmark.
    """
    parts = [
        gl.load_dataset("flan").frame.assign(study="Flan"),
        gl.load_dataset("open_llm").frame.assign(study="Open LLM"),
        gl.load_dataset("bloomz", intermediates="xP3").frame.assign(study="BLOOMZ"),
    ]
    # BBH is answered in words in one study and by likelihood in the other.
    parts[0]["benchmark"] = parts[0]["benchmark"].replace({"bbh": "bbh, in words"})
    parts[2]["benchmark"] = parts[2]["task"]
    whole = pd.concat(parts, ignore_index=True)
    whole["task"] = whole["study"] + " " + whole["task"].astype(str)
    whole["base_model"] = whole["base_model"].where(whole["intermediate"].ne("none"), "")
    kept = ["model_family", "model", "params", "base_model", "intermediate", "task", "language", "n_correct"]
    whole = whole[[*kept, "n_examples", "n_classes", "chance", "benchmark", "study"]].assign(
        metric="accuracy"
    )
    return gl.evaluations_from_frame(whole, "every ladder", params_unit="1").pool("benchmark")
