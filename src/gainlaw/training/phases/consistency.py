"""Prompt-consistency training on unlabelled data, as an intermediate."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gainlaw.errors import Problem
from gainlaw.training.experiment.recipes import Recipe, resolve_recipe
from gainlaw.training.experiment.schema import Lora
from gainlaw.training.phases.phase import Effort, Method
from gainlaw.training.plan.workload import entry_workload
from gainlaw.training.prompting.consistency import ConsistencySettings
from gainlaw.training.prompting.stated import prompt_records

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Checkpoint, Experiment, Intermediate
    from gainlaw.training.experiment.validation import Draft
    from gainlaw.training.phases.asking import Builder, Line
    from gainlaw.units.unit import Unit

__all__ = ["PHASES"]

#: The answers to a prompt have at most about half of its tokens, all of them together; only they are scored.
_ANSWERS = 0.5


class ConsistencyPhase(Method):
    """Trains a model to agree with itself over prompts."""

    name, done_by = "consistency", "jobs.consistency"
    protocol, keys = "prompted", frozenset({"split", "prompts"})
    leaves = ("model", "result.json")

    def request(self, builder: Builder, line: Line, each: Intermediate) -> Unit:
        """Ask for a model trained on the unlabelled items of a task."""
        reads, experiment = builder.base(line.start, each.tasks), builder.experiment
        recipe = resolve_recipe(experiment, "intermediate", line.checkpoint, each.training)
        entries = builder.entries(reads, each, [each.split], line.seed)
        spec = {
            "tasks": [entry | {"split": each.split} for entry in entries],
            "prompts": prompt_records(builder.task(each.tasks[0]), each.prompts),
            "settings": _settings(experiment, line.checkpoint, each, recipe),
            "seed": line.seed,
        }
        reads.parents["model"] = line.start
        return self.ask(builder, spec, reads, f"{line.name}: {each.name}")

    def splits(self, draft: Draft, each: Intermediate) -> list[str]:
        """Return the split that the intermediate names."""
        return [each.split]

    def faults(self, draft: Draft, each: Intermediate, key: str) -> list[Problem]:
        """Return what it does not go by, and more tasks than one."""
        found = []
        for name in ("epochs", "patience"):
            if getattr(each.training, name) is not None:
                what, hint = (
                    f"prompt_consistency does not go by {name}",
                    "it stops by itself, at steps at most",
                )
                found.append(Problem(what, f"{key}.training.{name}", hint=hint))
        if len(each.tasks) > 1:
            found.append(Problem("prompt_consistency takes one task", f"{key}.tasks"))
        return found

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return its steps at most, each with several prompts an item."""
        spec, settings = unit.spec, ConsistencySettings(**unit.spec["settings"])
        entry = spec["tasks"][0]
        load = entry_workload(experiment.world, unit, entry, entry["split"], entry["language"], 512)
        prompts = min(settings.prompts_per_item, len(spec["prompts"]))
        return Effort(
            (load,),
            settings.steps * settings.batch_size * prompts / load.examples,
            trains=True,
            micro_batch_tokens=spec["settings"]["token_budget"],
            lora=Lora(rank=settings.rank, targets=list(settings.targets)),  # type: ignore[arg-type]  # checked by it
            scored=_ANSWERS,
            keeps="weights",
        )


def _settings(
    experiment: Experiment, checkpoint: Checkpoint, each: Intermediate, recipe: Recipe
) -> dict[str, Any]:
    """Return the settings that the experiment states; the rest are those of the method's paper."""
    common, own = experiment.training, checkpoint.training
    layers = (common, common.intermediate, each.training, own, own.intermediate)
    stated = {name for layer in layers if layer is not None for name in layer.model_fields_set}
    given: dict[str, Any] = {
        name: getattr(recipe, name)
        for name in ("learning_rate", "steps", "batch_size", "clip", "max_length")
        if name in stated and getattr(recipe, name) is not None
    }
    if recipe.lora is not None:
        given |= recipe.lora.model_dump()
    if "steps" in given:
        given["min_steps"] = min(300, given["steps"] // 5)
        given["check_every"] = max(1, min(50, given["steps"] // 10))
        given["warmup_steps"] = min(100, given["steps"] // 10)
    return given | {"token_budget": recipe.micro_batch_tokens}


PHASES = (ConsistencyPhase(),)
