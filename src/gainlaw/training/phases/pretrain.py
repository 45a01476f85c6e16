"""Masked language modelling from scratch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from gainlaw.training.experiment.recipes import Recipe, resolve_recipe
from gainlaw.training.phases.phase import Effort, Start
from gainlaw.training.plan.workload import Workload, corpus_workload, entry_workload, parallel_workload
from gainlaw.training.shards.launching import shards_of

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Checkpoint, Experiment
    from gainlaw.training.phases.asking import Builder
    from gainlaw.units.unit import Unit

__all__ = ["PHASES", "recipe_effort", "training_effort"]


class PretrainPhase(Start):
    """Pretrains a model on files, or on the corpus of the world."""

    name, done_by = "pretrain", "jobs.pretrain"
    trains = True
    leaves = ("model", "info.json", "result.json")

    def request(self, builder: Builder, checkpoint: Checkpoint, name: str, seed: int) -> Unit:
        """Ask for the model of a configuration and a seed."""
        table = builder.experiment.pretraining
        reads = builder.tokenizer()
        builder.corpus(table.corpus if table is not None else None, reads)
        recipe = resolve_recipe(builder.experiment, "pretrain", checkpoint)
        if recipe.contrast:
            builder.corpus(table.parallel if table is not None else None, reads, "parallel")
        spec = {
            "config": checkpoint.config,
            "recipe": recipe.record(),
            "seed": seed,
            "data": reads.data,
        }
        return self.ask(builder, spec, reads, f"{name}: pretraining")

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return the steps that its recipe takes on its corpus."""
        recipe = Recipe.from_record(unit.spec["recipe"])
        load = corpus_workload(experiment.world, unit, recipe.max_length)
        steps = recipe.steps or max(1, round((recipe.epochs or 1) * load.examples / recipe.batch_size))
        loads = [load]
        if recipe.contrast:
            pairs = parallel_workload(experiment.world, unit, recipe.max_length)
            count = min(recipe.contrast_pairs, pairs.examples)
            # As many sequences a document of the corpus as go through the model beside it.
            loads.append(replace(pairs, examples=load.examples, sequences=2.0 * count / recipe.batch_size))
        return recipe_effort(recipe, tuple(loads), steps * recipe.batch_size / load.examples)


def recipe_effort(recipe: Recipe, loads: tuple[Workload, ...], passes: float, mlm: float = 0.0) -> Effort:
    """Return the effort of a training by a recipe; with masked text beside, all weights are kept."""
    return Effort(
        loads,
        passes,
        trains=True,
        max_length=recipe.max_length,
        micro_batch_tokens=recipe.micro_batch_tokens,
        precision=recipe.precision,
        lora=recipe.lora,
        gradient_checkpointing=recipe.gradient_checkpointing,
        keeps_best=bool(recipe.patience),
        keeps="weights" if recipe.lora is None or mlm else "adapters",
    )


def training_effort(experiment: Experiment, unit: Unit, *, keeps: bool = True) -> Effort:
    """Return the passes of a recipe over the examples of its tasks."""
    spec, recipe = unit.spec, Recipe.from_record(unit.spec["recipe"])
    loads = tuple(
        entry_workload(experiment.world, unit, entry, "train", entry["language"], recipe.max_length)
        for entry in spec["tasks"]
    )
    examples = sum(load.examples for load in loads)
    passes = recipe.epochs or (recipe.steps or 0) * recipe.batch_size / examples
    mlm = spec.get("mlm") or 0.0
    effort = recipe_effort(recipe, loads, passes / (1.0 - mlm), mlm)
    effort = replace(effort, shards=shards_of(unit), frozen_half=recipe.lora is not None and not mlm)
    return effort if keeps else replace(effort, keeps="")


PHASES = (PretrainPhase(),)
