"""Asking for units: what phases need to say what they want done, each unit once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw._io import sha256_bytes
from gainlaw.training.experiment.schema import Checkpoint, Experiment
from gainlaw.training.items.loading import source_files
from gainlaw.training.items.registry import MODULES, find_task
from gainlaw.training.items.task import TrainingTask
from gainlaw.training.jobs.job import COMMIT
from gainlaw.training.phases.registry import find_phase
from gainlaw.training.shards.launching import SHARDS
from gainlaw.units.unit import Unit, make_unit
from gainlaw.units.versions import code_version, content_version, installed_versions

if TYPE_CHECKING:
    from gainlaw.training.experiment.schema import Intermediate

__all__ = ["LIBRARIES", "Builder", "Line", "Reads"]

LIBRARIES = ("torch", "transformers", "tokenizers", "peft")
"""The packages whose versions can change what a unit computes."""
_ITEMS = "gainlaw.training.items"


@dataclass(frozen=True, slots=True)
class Line:
    """One pretrained model of a checkpoint, on its way through the design.

    Attributes
    ----------
    checkpoint : Checkpoint
        As the experiment states it.
    name : str
        What the model is called.
    start : Unit
        The unit that it comes from.
    seed : int
        Of what it is trained on.
    """

    checkpoint: Checkpoint
    name: str
    start: Unit
    seed: int


@dataclass(slots=True)
class Reads:
    """What a unit reads beside its spec: parents, places of files, and the hashes of these for the spec.

    `shards` are the processes that it is spread over.
    """

    parents: dict[str, Unit] = field(default_factory=dict)
    where: dict[str, str] = field(default_factory=dict)
    data: dict[str, str] = field(default_factory=dict)
    shards: int = 1


@dataclass(slots=True)
class Builder:
    """Collects the units of an experiment, each once, and counts how often one is asked for."""

    experiment: Experiment
    device: str
    units: dict[str, Unit] = field(default_factory=dict)
    wanted: dict[str, int] = field(default_factory=dict)
    hashes: dict[Path, str] = field(default_factory=dict)
    made: Unit | None = None
    versions: dict[tuple[str, ...], str] = field(default_factory=dict)

    def add(
        self, kind: str, code: str, spec: Mapping[str, Any], reads: Reads, label: str, *, computes: bool
    ) -> Unit:
        """Return a unit; the same work asked for twice is one unit.

        Parameters
        ----------
        kind, code : str
            The name of a phase, and the version of its code.
        spec : mapping
            What determines the result beside code and parents; plain data.
        reads : Reads
            What it reads.
        label : str
            What it does, for a reader.
        computes : bool
            Whether the machine and the libraries can change the result.
        """
        compute = self.experiment.compute
        libraries: dict[str, str] = {}
        if computes:
            spec = {**spec, "machine": {"device": self.device, "threads": compute.threads}}
            libraries = installed_versions(LIBRARIES)
        aside = reads.where | {"snapshot_seconds": compute.snapshot_seconds}
        if reads.shards > 1:
            aside[SHARDS] = reads.shards
        unit = make_unit(kind, spec, reads.parents, code=code, libraries=libraries, aside=aside, label=label)
        self.wanted[kind] = self.wanted.get(kind, 0) + 1
        return self.units.setdefault(unit.name, unit)

    def task(self, name: str) -> TrainingTask:
        """Return a task by name, one that the experiment declares too."""
        return find_task(name, self.experiment.own_tasks)

    def code(self, modules: Iterable[str]) -> str:
        """Return the version of the code of some modules, which thousands of units have in common."""
        key = tuple(modules)
        if key not in self.versions:
            self.versions[key] = code_version(key)
        return self.versions[key]

    def place(self, text: str) -> Path:
        """Return where a path of the experiment leads."""
        return self.experiment.folder / Path(text).expanduser()

    def hash(self, path: Path) -> str:
        """Return a hash of a file, or of a folder's files."""
        if path not in self.hashes:
            self.hashes[path] = content_version(path)
        return self.hashes[path]

    def world(self) -> Unit:
        """Ask for the synthetic world."""
        if self.made is None:
            self.made = find_phase("world").request(self)
        else:
            self.wanted["world"] += 1
        return self.made

    def tokenizer(self) -> Reads:
        """Return what the tokenizer of models from scratch is read from."""
        table = self.experiment.pretraining
        if table is not None and table.tokenizer is not None:
            path = self.place(table.tokenizer)
            return Reads({}, {"tokenizer": str(path)}, {"tokenizer": self.hash(path)})
        return Reads({"tokenizer": self.world()})

    def corpus(self, files: Sequence[str] | None, reads: Reads, what: str = "corpus") -> None:
        """Add the texts that a model learns from: files, or those of the world; `what` is corpus or parallel."""
        if not files:
            reads.parents["world"] = self.world()
        for number, file in enumerate(files or ()):
            path = self.place(file)
            reads.where[f"{what}.{number}"] = str(path)
            reads.data[f"{what}.{number}"] = self.hash(path)

    def base(self, start: Unit, tasks: Iterable[str]) -> Reads:
        """Return what a unit on some tasks reads: the tokenizer of the model that it goes back to, and the world."""
        reads = Reads({"tokenizer": start})
        if start.spec.get("config") is not None:
            reads = self.tokenizer()
            reads.data = {}
        if any(self.task(task).made for task in tasks):
            reads.parents["world"] = self.world()
        return reads

    def entry(
        self,
        reads: Reads,
        task: str,
        splits: Sequence[str],
        language: str,
        limit: int | None,
        seed: int,
        folder: str | None = None,
    ) -> dict[str, Any]:
        """Return what a spec says about the data of a task, and add where they lie.

        Parameters
        ----------
        reads : Reads
            Gets the place.
        task, language : str
            Whose data.
        splits : sequence of str
            Those that are read.
        limit : int or None
            The most items.
        seed : int
            Of the choice when there are more.
        folder : str, optional
            Where they lie, if not where the experiment says for all.
        """
        found, known = self.task(task), folder or self.experiment.data.get(task)
        hub = found.hub
        data = ""
        if known is not None:
            path = self.place(known)
            files = [file for split in splits for file in source_files(found, split, language, path)]
            data = sha256_bytes("\n".join(self.hash(file) for file in files).encode())
            reads.where[task] = str(path)
        elif hub is not None:
            # As long as it is not known of all of them, a plan reckons with units that a run will name otherwise.
            commits = {source.key: self.experiment.commits.get(source.key, "") for source in hub.sources}
            data = sha256_bytes(repr(sorted(commits.items())).encode()) if all(commits.values()) else ""
            reads.where |= {f"{COMMIT}{key}": commit for key, commit in commits.items() if commit}
        entry: dict[str, Any] = {
            "task": task,
            "language": language,
            "limit": limit,
            "sample": seed,
            "data": data,
        }
        if found.record is not None:
            entry["declared"] = found.record
        return entry | {"reader": self.code(_readers(found, known is not None))}

    def entries(
        self, reads: Reads, each: Intermediate, splits: Sequence[str], seed: int
    ) -> list[dict[str, Any]]:
        """Return what a spec says about the data of the tasks of an intermediate."""
        return [
            self.entry(reads, task, splits, each.language, each.examples, seed, each.data.get(task))
            for task in each.tasks
        ]


def _readers(task: TrainingTask, local: bool) -> list[str]:
    """Return the modules that read a task's items."""
    shared = () if task.made else ("rows", "files" if local else "hub")
    if task.record is None:
        return [MODULES[task.name], *(f"{_ITEMS}.{name}" for name in shared)]
    return [f"{_ITEMS}.{name}" for name in ("declaration", "declared", "converting", "spans", *shared)]
