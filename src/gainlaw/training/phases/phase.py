"""What a phase is: one object that says everything that a run, its plan and its checks must know of it."""

from __future__ import annotations

import ast
import importlib
from abc import ABC
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from gainlaw.training.phases.registry import find_phase
from gainlaw.training.shards.launching import run_spread, shards_of
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit
from gainlaw.units.versions import code_version

if TYPE_CHECKING:
    from gainlaw.errors import Problem
    from gainlaw.training.experiment.schema import Checkpoint, Experiment, Intermediate, Lora, Target
    from gainlaw.training.experiment.validation import Draft
    from gainlaw.training.jobs.job import Job
    from gainlaw.training.phases.asking import Builder, Line, Reads
    from gainlaw.training.plan.workload import Workload

__all__ = ["Effort", "Method", "Phase", "Scoring", "Start", "do"]

_RUNNER = "gainlaw.training"
#: What decides what a unit is asked for, which is in its spec, or how a task is read, which is in it by the task.
_ASKING = ("phases", "plan", "experiment", "runs", "tasks", "items", "prompting.english")
_SCORING = ("items.metrics",)


@dataclass(frozen=True, slots=True)
class Effort:
    """What a unit goes through: what a plan makes FLOPs, memory and disk of.

    Attributes
    ----------
    loads : tuple of Workload
        What goes through the model; empty for a unit that computes nothing.
    passes : float
        How often.
    trains : bool
        Whether backwards too.
    max_length, micro_batch_tokens : int
        The longest input, and the tokens that go through at once.
    precision : str
        As in a recipe.
    lora : Lora or None
        Adapters.
    gradient_checkpointing, keeps_best : bool
        Whether activations are computed again, and whether the best weights are kept beside the last.
    shards : int
        The processes over which it is spread.
    frozen_half : bool
        Whether what adapters leave as it is stays in bf16.
    scored : float
        The share of the tokens that get scores over the vocabulary, of a model that gives such scores.
    keeps : {"", "weights", "adapters"}
        What it writes of the model.
    disk_gb : float
        What else it writes.
    """

    loads: tuple[Workload, ...] = ()
    passes: float = 1.0
    trains: bool = False
    max_length: int = 512
    micro_batch_tokens: int = 0
    precision: str = "fp32"
    lora: Lora | None = None
    gradient_checkpointing: bool = False
    keeps_best: bool = False
    shards: int = 1
    frozen_half: bool = False
    scored: float = 1.0
    keeps: Literal["", "weights", "adapters"] = ""
    disk_gb: float = 0.0


class Phase(ABC):
    """A phase of a run.

    A new one is a module with a subclass (of `Method` where an intermediate asks for it, of `Scoring` where a
    protocol does), its object in ``PHASES``, and a line in `gainlaw.training.phases.registry`.

    Attributes
    ----------
    name : str
        The kind of its units, and what their folders begin with.
    done_by : str
        The module with ``run(job)``, below ``gainlaw.training``. Its code, and that of all it imports, is in the
        keys of the units; what only asks for units or plans them is not.
    computes : bool
        Whether device, threads and the versions of torch and its kin can change the result.
    trains : bool
        Whether the model that it leaves was trained: there is a ``result.json`` with a ``status``.
    leaves : tuple of str
        Files and folders of a finished unit.
    """

    name: ClassVar[str]
    done_by: ClassVar[str]
    computes: ClassVar[bool] = True
    trains: ClassVar[bool] = False
    leaves: ClassVar[tuple[str, ...]] = ()

    @property
    def code(self) -> str:
        """The version of the code that decides its results."""
        return code_version(_deciding(self.done_by))

    def ask(
        self,
        builder: Builder,
        spec: Mapping[str, Any],
        reads: Reads,
        label: str,
        *,
        computes: bool | None = None,
    ) -> Unit:
        """Ask for a unit, see `gainlaw.training.phases.asking.Builder.add`."""
        machine = self.computes if computes is None else computes
        code = builder.code(_deciding(self.done_by))
        return builder.add(self.name, code, spec, reads, label, computes=machine)

    def run(self, job: Job) -> None:
        """Do a unit: read its parents, compute, write what the phase leaves."""
        importlib.import_module(f"{_RUNNER}.{self.done_by}").run(job)

    def effort(self, experiment: Experiment, unit: Unit) -> Effort:
        """Return what a unit goes through."""
        return Effort()


class Start(Phase):
    """A phase that a checkpoint starts from; it leaves ``info.json`` and a model, or where one is."""

    def request(self, builder: Builder, checkpoint: Checkpoint, name: str, seed: int) -> Unit:
        """Ask for the unit of a checkpoint and pretraining seed; `name` is what its model is called."""
        raise NotImplementedError


class Method(Phase):
    """A phase that an intermediate asks for by its ``method``; it leaves ``model/`` or ``adapters/``.

    Attributes
    ----------
    protocol : str
        The protocol that its models are scored by.
    keys : frozenset of str
        The keys of ``[[intermediates]]`` that it understands, beside those that all methods do.
    """

    trains = True
    protocol: ClassVar[str]
    keys: ClassVar[frozenset[str]] = frozenset()

    def request(self, builder: Builder, line: Line, each: Intermediate) -> Unit:
        """Ask for the unit that trains a pretrained model on an intermediate."""
        raise NotImplementedError

    def splits(self, draft: Draft, each: Intermediate) -> list[str]:
        """Return the splits of its tasks that an intermediate reads."""
        return ["train"]

    def faults(self, draft: Draft, each: Intermediate, key: str) -> list[Problem]:
        """Return what of an intermediate, the table `key` of the file, does not go with the method."""
        return []


class Scoring(Phase):
    """A phase that a protocol asks for; it leaves ``predictions.parquet`` and ``scores.json``."""

    leaves = ("predictions.parquet", "scores.json")

    def request(
        self, builder: Builder, line: Line, target: Target, model: Unit, label: str
    ) -> tuple[Unit, Unit]:
        """Ask for the scores of a model on a target; return the unit that trained it last, and that of the scores."""
        raise NotImplementedError


def do(unit: Unit, store: Store, folder: Path) -> None:
    """Do a unit of a run, see `gainlaw.units.execution.Do`."""
    from gainlaw.training.jobs.job import Job, prepare_process

    if shards_of(unit) > 1:
        run_spread(unit, store, folder)
        return
    if "machine" in unit.spec:
        prepare_process(unit.spec["machine"]["threads"])
    find_phase(unit.kind).run(Job(unit, store, folder))


@cache
def _deciding(module: str) -> tuple[str, ...]:
    """Return a module of the runner and all below it that decides results, by full names."""
    found: set[str] = set()
    waiting = [module]
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += [each for each in _imported(name) if _decides(each)]
    return tuple(f"{_RUNNER}.{name}" for name in sorted(found))


def _decides(name: str) -> bool:
    return name in _SCORING or not any(name == each or name.startswith(f"{each}.") for each in _ASKING)


@cache
def _imported(name: str) -> tuple[str, ...]:
    """Return the modules of the runner that a module imports, at once or later."""
    spec = find_spec(f"{_RUNNER}.{name}")
    assert spec is not None
    assert spec.origin is not None
    tree = ast.parse(Path(spec.origin).read_text(encoding="utf-8"))
    modules = (node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom))
    return tuple(module.removeprefix(f"{_RUNNER}.") for module in modules if module.startswith(f"{_RUNNER}."))
