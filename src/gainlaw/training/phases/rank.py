"""Scoring a language model in every language by the likelihood of the answers under several prompts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.training.phases.evaluate import scoring_effort, scoring_spec
from gainlaw.training.phases.phase import Effort, Scoring
from gainlaw.training.prompting.stated import prompt_records

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Experiment, Target
    from gainlaw.training.phases.asking import Builder, Line
    from gainlaw.units.unit import Unit

__all__ = ["PHASES"]


class RankPhase(Scoring):
    """Ranks the answers to every item of a target in every language, prompt by prompt."""

    name, done_by = "rank", "jobs.rank"

    def request(
        self, builder: Builder, line: Line, target: Target, model: Unit, label: str
    ) -> tuple[Unit, Unit]:
        """Ask for the scores of a model, which is not trained any more."""
        spec, reads = scoring_spec(builder, line, target, model)
        spec["prompts"] = prompts = prompt_records(builder.task(target.task), target.prompts)
        said = f"{label}: {len(spec['languages'])} languages, {len(prompts)} prompts"
        return model, self.ask(builder, spec, reads, said)

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return every item in every language with each prompt."""
        return scoring_effort(experiment, unit, 512, len(unit.spec["prompts"]))


PHASES = (RankPhase(),)
