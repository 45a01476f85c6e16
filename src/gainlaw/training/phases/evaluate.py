"""Scoring a fine-tuned model in every language."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from gainlaw.training.experiment.recipes import resolve_recipe
from gainlaw.training.experiment.taskchecks import scored_languages
from gainlaw.training.phases.phase import Effort, Scoring
from gainlaw.training.phases.registry import find_phase
from gainlaw.training.plan.workload import entry_workload

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Experiment, Target
    from gainlaw.training.phases.asking import Builder, Line, Reads
    from gainlaw.units.unit import Unit

__all__ = ["PHASES", "scoring_effort", "scoring_spec"]


class EvaluatePhase(Scoring):
    """Predicts every item of a target in every language by the head that was fine-tuned."""

    name, done_by = "evaluate", "jobs.evaluate"

    def request(
        self, builder: Builder, line: Line, target: Target, model: Unit, label: str
    ) -> tuple[Unit, Unit]:
        """Ask for the fine-tuning on the English side, and for the scores of the model that it gives.

        What is scored without fine-tuning is another phase's.
        """
        if builder.task(target.task).kind == "retrieval":
            found: tuple[Unit, Unit] = find_phase("retrieve").request(builder, line, target, model, label)
            return found
        last: Unit = find_phase("finetune").request(builder, line, target, model, label)
        spec, reads = scoring_spec(builder, line, target, last)
        recipe = resolve_recipe(builder.experiment, "finetune", line.checkpoint, target.training)
        spec["max_length"] = recipe.max_length
        return last, self.ask(builder, spec, reads, f"{label}: {len(spec['languages'])} languages")

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return every item in every language once."""
        return scoring_effort(experiment, unit, unit.spec["max_length"], 1)


def scoring_spec(builder: Builder, line: Line, target: Target, model: Unit) -> tuple[dict[str, Any], Reads]:
    """Return what a spec of any scoring says, and what it reads."""
    task = builder.task(target.task)
    split = target.split or task.evaluation_split
    recipe = resolve_recipe(builder.experiment, "finetune", line.checkpoint, target.training)
    languages = scored_languages(builder.experiment, target, task, split)
    reads = builder.base(line.start, [task.name])
    reads.parents["model"] = model
    entries = {
        language: builder.entry(reads, task.name, [split], language, target.limit, 0)
        for language in languages
    }
    spec = {
        "task": task.name,
        "split": split,
        "languages": languages,
        "limit": target.limit,
        "sample": 0,
        "data": {language: entry["data"] for language, entry in entries.items()},
        "reader": next(iter(entries.values()))["reader"],
        **({} if task.record is None else {"declared": task.record}),
        "micro_batch_tokens": recipe.micro_batch_tokens,
        "precision": recipe.precision,
    }
    return spec, reads


def scoring_effort(experiment: Experiment, unit: Unit, longest: int, times: int) -> Effort:
    """Return every item of a target in every language, some times."""
    spec = unit.spec
    loads = tuple(
        entry_workload(experiment.world, unit, spec, spec["split"], language, longest)
        for language in spec["languages"]
    )
    return Effort(
        loads,
        float(times),
        max_length=longest,
        micro_batch_tokens=spec["micro_batch_tokens"],
        precision=spec["precision"],
    )


PHASES = (EvaluatePhase(),)
