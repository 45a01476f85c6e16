"""Choose a learning rate by the scores of its trials."""

from __future__ import annotations

import json
import math
from typing import Any

from gainlaw.errors import GainlawError
from gainlaw.training.jobs.job import Job

__all__ = ["run"]

_BAD = ("collapsed", "diverged")


def run(job: Job) -> None:
    """Write ``choice.json``: the learning rate of the best trial, of several as good the smallest, and all trials.

    Trials that collapsed or diverged do not count, unless all did: the model is then trained at the best of them, and
    marked as what it became.

    Raises
    ------
    GainlawError
        If no trial has a score.
    """
    trials: list[dict[str, Any]] = []
    for number, rate in enumerate(job.spec["learning_rates"]):
        result = json.loads((job.parent(f"trial.{number}") / "result.json").read_text(encoding="utf-8"))
        trials.append({"learning_rate": rate, "score": result["development"], "status": result["status"]})
    scored = [trial for trial in trials if math.isfinite(trial["score"])]
    if not scored:
        said = ", ".join(f"{trial['learning_rate']:g} {trial['status']}" for trial in trials)
        raise GainlawError(f"no learning rate trains this model: {said}; try smaller factors in [sweep]")
    good = [trial for trial in scored if trial["status"] not in _BAD]
    best = max(good or scored, key=lambda trial: (trial["score"], -trial["learning_rate"]))
    job.write("choice.json", {"learning_rate": best["learning_rate"], "trials": trials})
