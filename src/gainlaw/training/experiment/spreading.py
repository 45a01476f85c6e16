"""What keeps the training of a checkpoint from being spread over several processes."""

from __future__ import annotations

from gainlaw.errors import Problem
from gainlaw.training.experiment.recipes import resolve_recipe
from gainlaw.training.experiment.schema import Checkpoint
from gainlaw.training.experiment.validation import Draft

__all__ = ["spread_faults"]

_ALONE = "leave shards out"


def spread_faults(draft: Draft, checkpoint: Checkpoint, key: str) -> list[Problem]:
    """Return what of an experiment does not go with the ``shards`` of a checkpoint, the table `key` of its file."""
    if checkpoint.shards == 1:
        return []
    experiment, key = draft.experiment, f"{key}.shards"
    found: list[Problem] = []

    def refuse(what: str, hint: str = _ALONE) -> None:
        found.append(Problem(what, key, hint=hint))

    if experiment.protocol != "finetune" and "protocol" not in draft.doubtful:
        refuse("what is prompted is scored on one device, and its adapters are trained on one")
        return found
    if checkpoint.config is not None:
        refuse("a model that is made here is made on one device", f"{_ALONE}; it goes with hub and path")
    trained = [] if checkpoint.base_model is not None else list(draft.intermediates())
    if "training" not in draft.doubtful:
        recipes = [
            resolve_recipe(experiment, "finetune", checkpoint, each.training) for _, each in draft.targets()
        ]
        recipes += [
            resolve_recipe(experiment, "intermediate", checkpoint, each.training) for _, each in trained
        ]
        if any(recipe.lora is not None for recipe in recipes):
            refuse(
                "adapters are trained on one device, where even large models fit",
                f"{_ALONE}, or lora = false",
            )
    mixed = [each.name for _, each in trained if each.mlm]
    if mixed:
        refuse(
            f"masked text beside labelled examples ({', '.join(mixed)}) is learned on one device",
            "leave out mlm",
        )
    most = max((each.gpus for each in experiment.slurm), default=0)
    if 0 < most < checkpoint.shards and "slurm" not in draft.doubtful:
        refuse(
            f"no class of jobs has {checkpoint.shards} GPUs", f"add [[slurm]] with gpus = {checkpoint.shards}"
        )
    return found
