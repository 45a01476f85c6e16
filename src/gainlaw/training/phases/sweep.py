"""A search for the learning rate: trials, of which the score on development items is kept, and a choice among them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from gainlaw.training.experiment.recipes import Recipe
from gainlaw.training.phases.asking import Reads
from gainlaw.training.phases.phase import Effort, Phase
from gainlaw.training.phases.pretrain import training_effort
from gainlaw.training.phases.registry import find_phase

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Experiment, Sweep
    from gainlaw.training.phases.asking import Builder
    from gainlaw.units.unit import Unit

__all__ = ["PHASES", "search"]


class TrialPhase(Phase):
    """Trains as an intermediate or a fine-tuning does, and keeps how well that went on English development items."""

    name, done_by = "trial", "jobs.supervised"
    leaves = ("result.json",)

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return the effort of the training, of which no weights are kept."""
        return training_effort(experiment, unit, keeps=False)


class ChoosePhase(Phase):
    """Chooses the learning rate of the trial with the best score."""

    name, done_by = "choose", "jobs.choose"
    computes = False
    leaves = ("choice.json",)


def search(
    builder: Builder,
    sweep: Sweep,
    spec: Mapping[str, Any],
    reads: Reads,
    trial: tuple[Mapping[str, Any], Reads],
    label: str,
) -> dict[str, Any]:
    """Return the spec of a training whose learning rate is searched for.

    Parameters
    ----------
    builder : Builder
        Collects the units.
    sweep : Sweep
        What is tried.
    spec, reads
        Of the training; `reads` gets the unit with the choice as a parent.
    trial : tuple of (mapping, Reads)
        What of the spec is otherwise in trials (data with their development items), and what they read. All seeds, and
        all models that go back to one start, have the same trials: on that start.
    label : str
        What is trained, for a reader.
    """
    own, needs = trial
    rate = Recipe.from_record(spec["recipe"]).learning_rate
    rates = [rate * factor for factor in sorted(sweep.factors)]
    shared = {**spec, "seed": sweep.seed, "keep_head": False, "carry_head": False, **own}
    ask = find_phase("trial").ask
    trials: list[Unit] = [
        ask(
            builder,
            shared | {"recipe": spec["recipe"] | {"learning_rate": each}},
            Reads(dict(needs.parents), dict(needs.where), dict(needs.data), reads.shards),
            f"{label}, learning rate {each:g}",
        )
        for each in rates
    ]
    parents = {f"trial.{number}": unit for number, unit in enumerate(trials)}
    chosen = find_phase("choose").ask(
        builder, {"learning_rates": rates}, Reads(parents), f"{label}: learning rate"
    )
    reads.parents["rate"] = chosen
    return {**spec, "recipe": spec["recipe"] | {"learning_rate": None}}


PHASES = (TrialPhase(), ChoosePhase())
