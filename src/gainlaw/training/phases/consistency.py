"""Prompt-consistency training on unlabelled data, as an intermediate."""

from __future__ import annotations

from pathlib import Path

from gainlaw._io import write_text_atomic
from gainlaw.training.phases.sources import MODEL, load_parent_model, load_parent_tokenizer, unit_items
from gainlaw.training.prompting.consistency import ConsistencySettings
from gainlaw.training.prompting.distillation import train_consistency
from gainlaw.training.prompting.stated import templates_of
from gainlaw.training.train.backbones import save_model
from gainlaw.training.units.store import Store, dump_json
from gainlaw.training.units.units import Unit

__all__ = ["run"]


def run(unit: Unit, store: Store, part: Path, device: str, snapshot_seconds: float) -> None:
    """Write ``model/`` and ``result.json``."""
    spec = unit.spec
    tokenizer = load_parent_tokenizer(unit, store)
    model = load_parent_model(unit, store, "language", device)
    entry = spec["tasks"][0]
    items = unit_items(unit, store, entry, entry["split"], entry["language"])
    result = train_consistency(
        model,
        tokenizer,
        items,
        templates_of(spec["prompts"]),
        ConsistencySettings(**spec["settings"]),
        seed=spec["seed"],
        folder=part,
        snapshot_seconds=snapshot_seconds,
    )
    save_model(result.model, part / MODEL)
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
    write_text_atomic(part / "result.json", dump_json(record))
