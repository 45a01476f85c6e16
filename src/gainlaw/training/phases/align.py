"""Measuring the alignment of languages in a model, before it is trained on any task."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.training.experiment.recipes import resolve_recipe
from gainlaw.training.phases.asking import Reads
from gainlaw.training.phases.phase import Effort, Phase
from gainlaw.training.plan.workload import probe_workload

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Experiment
    from gainlaw.training.phases.asking import Builder, Line
    from gainlaw.units.unit import Unit

__all__ = ["PHASES"]


class AlignPhase(Phase):
    """Finds words and sentences of the world's English by those of its other languages."""

    name, done_by = "align", "jobs.align"
    leaves = ("alignment.json",)

    def request(self, builder: Builder, line: Line) -> Unit:
        """Ask for the alignment of a pretrained model, or of one with random weights."""
        recipe = resolve_recipe(builder.experiment, "pretrain", line.checkpoint)
        spec = {
            "pooling": recipe.pooling,
            "max_length": recipe.max_length,
            "micro_batch_tokens": recipe.micro_batch_tokens,
        }
        world = builder.world()
        reads = Reads({"model": line.start, "world": world, "tokenizer": world})
        return self.ask(builder, spec, reads, f"{line.name}: alignment")

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return every sentence in every language once."""
        load = probe_workload(experiment.world)
        longest, tokens = unit.spec["max_length"], unit.spec["micro_batch_tokens"]
        return Effort((load,), max_length=longest, micro_batch_tokens=tokens)


PHASES = (AlignPhase(),)
