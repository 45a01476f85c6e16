"""Prompt-consistency training on unlabelled data, as an intermediate."""

from __future__ import annotations

from gainlaw.training.jobs.job import MODEL, Job
from gainlaw.training.prompting.consistency import ConsistencySettings
from gainlaw.training.prompting.distillation import train_consistency
from gainlaw.training.prompting.stated import templates_of
from gainlaw.training.train.backbones import save_model

__all__ = ["run"]


def run(job: Job) -> None:
    """Write ``model/`` and ``result.json``."""
    spec = job.spec
    entry = spec["tasks"][0]
    items = job.items(entry, entry["split"], entry["language"])
    result = train_consistency(
        job.model("language"),
        job.tokenizer(),
        items,
        templates_of(spec["prompts"]),
        ConsistencySettings(**spec["settings"]),
        seed=spec["seed"],
        folder=job.folder,
        snapshot_seconds=job.unit.aside["snapshot_seconds"],
    )
    save_model(result.model, job.folder / MODEL)
    status = "collapsed" if result.collapsed else "ok"
    record = {
        "status": "diverged" if result.training.status == "diverged" else status,
        "step": result.step,
        "prompt_agreement": None if result.kappa != result.kappa else result.kappa,
        "examples": {entry["task"]: len(items)},
        "history": [
            {name: None if value != value else value for name, value in check.items() if name != "score"}
            for check in result.training.checks
        ],
    }
    job.write("result.json", record)
