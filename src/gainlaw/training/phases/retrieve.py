"""Scoring a model, as it is, by the translations that its states find."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.training.experiment.recipes import resolve_recipe
from gainlaw.training.phases.evaluate import scoring_effort, scoring_spec
from gainlaw.training.phases.phase import Effort, Scoring

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Experiment, Target
    from gainlaw.training.phases.asking import Builder, Line
    from gainlaw.units.unit import Unit

__all__ = ["PHASES"]


class RetrievePhase(Scoring):
    """Looks for the translation of each sentence of a target in every language; nothing is fine-tuned."""

    name, done_by = "retrieve", "jobs.retrieve"

    def request(
        self, builder: Builder, line: Line, target: Target, model: Unit, label: str
    ) -> tuple[Unit, Unit]:
        """Ask for the scores of a model that is not trained any more."""
        spec, reads = scoring_spec(builder, line, target, model)
        recipe = resolve_recipe(builder.experiment, "finetune", line.checkpoint, target.training)
        spec |= {"max_length": recipe.max_length, "layer": target.layer}
        said = f"{label}: {len(spec['languages'])} languages"
        return model, self.ask(builder, spec, reads, said)

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return every sentence and every translation once."""
        return scoring_effort(experiment, unit, unit.spec["max_length"], 1)


PHASES = (RetrievePhase(),)
