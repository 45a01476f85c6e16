"""A model as it is: from the hub, from a folder, or with random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

from gainlaw.training.phases.asking import Builder, Reads
from gainlaw.training.phases.phase import Effort, Start

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Checkpoint, Experiment
    from gainlaw.units.unit import Unit

__all__ = ["PHASES", "model_key"]


def model_key(checkpoint: Checkpoint) -> str:
    """Return what a commit of a checkpoint of the hub is recorded of."""
    return f"model {checkpoint.hub}@{checkpoint.revision or 'main'}"


class LoadPhase(Start):
    """Finds a model, or makes one that has learned nothing."""

    name, done_by = "load", "jobs.load"
    leaves = ("info.json", "origin.json or model")

    def request(self, builder: Builder, checkpoint: Checkpoint, name: str, seed: int) -> Unit:
        """Ask for the model of a checkpoint; only random weights depend on the machine."""
        role = "language" if builder.experiment.protocol == "prompted" else "encoder"
        spec = {"config": checkpoint.config, "role": role, "seed": seed, "hub": None, "revision": None}
        if checkpoint.config is not None:
            reads = builder.tokenizer()
            return self.ask(builder, spec | {"data": reads.data}, reads, f"{name}: random weights")
        reads = Reads()
        if checkpoint.path is not None:
            path = builder.place(checkpoint.path)
            reads = Reads({}, {"model": str(path)}, {"model": builder.hash(path)})
        commit = builder.experiment.commits.get(model_key(checkpoint), checkpoint.revision)
        spec |= {"hub": checkpoint.hub, "revision": commit, "data": reads.data}
        return self.ask(builder, spec, reads, f"{name}: load", computes=False)

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return that it computes nothing; a model from the hub is kept on the disk too."""
        return Effort(keeps="weights")


PHASES = (LoadPhase(),)
