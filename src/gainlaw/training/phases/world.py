"""The synthetic world: what models from scratch learn from, and are tested on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.training.phases.asking import Builder, Reads
from gainlaw.training.phases.phase import Effort, Phase

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Experiment
    from gainlaw.units.unit import Unit

__all__ = ["PHASES"]


class WorldPhase(Phase):
    """Writes a world: its tokenizer, its corpus, and the items of its tasks."""

    name, done_by = "world", "jobs.world"
    computes = False
    leaves = ("tokenizer.json", "corpus.tsv", "parallel.tsv", "items", "languages.json", "lexicon.json")

    def request(self, builder: Builder) -> Unit:
        """Ask for the world of the experiment; its spec has the values of `WorldSettings`."""
        world = builder.experiment.world
        assert world is not None
        return self.ask(builder, world.model_dump(), Reads(), "synthetic world")

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return that it computes nothing."""
        return Effort(disk_gb=0.01)


PHASES = (WorldPhase(),)
