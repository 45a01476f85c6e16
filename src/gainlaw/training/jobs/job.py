"""One unit at work: where it finds its models, tokenizers and items, and where it writes."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw._io import write_text_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import Item
from gainlaw.training.items.loading import load_items
from gainlaw.training.items.registry import task_of
from gainlaw.units.store import Store, dump_json
from gainlaw.units.unit import Unit

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerBase

    from gainlaw.training.train.backbones import Role

__all__ = ["ADAPTERS", "COMMIT", "MODEL", "ORIGIN", "Job", "prepare_process"]

MODEL = "model"
ADAPTERS = "adapters"
ORIGIN = "origin.json"
COMMIT = "commit of "
"""What stands before the name of a data set of the hub in a unit's ``aside``, with the commit to read."""


@dataclass(frozen=True, slots=True)
class Job:
    """A unit that is being done.

    Attributes
    ----------
    unit : Unit
        What is to be done.
    store : Store
        Where its parents are.
    folder : Path
        Where it writes.
    """

    unit: Unit
    store: Store
    folder: Path

    @property
    def spec(self) -> Mapping[str, Any]:
        """What determines the result."""
        return self.unit.spec

    @property
    def device(self) -> str:
        """What it runs on, ``cpu`` or ``cuda``."""
        return str(self.spec["machine"]["device"])

    def parent(self, role: str) -> Path:
        """Return the folder of a unit that it reads."""
        return self.store.path(self.unit.parents[role])

    def write(self, name: str, value: Any) -> None:
        """Write plain data as JSON."""
        write_text_atomic(self.folder / name, dump_json(value))

    def model(self, role: Role, device: str | None = None) -> PreTrainedModel:
        """Return the model of the parent ``model``, in the role asked for, where the unit runs or on another device.

        A unit that trained adapters keeps only these: its own parent's model is loaded, and they are merged into it.
        """
        return _model(self.store, self.unit.parents["model"], role, device or self.device)

    def origin(self) -> tuple[str | Path, str | None]:
        """Return where the weights of the parent ``model`` are, and the commit of the hub."""
        return _origin(self.parent("model"))

    def tokenizer(self) -> PreTrainedTokenizerBase:
        """Return the tokenizer of the parent ``tokenizer``: a world's, a loaded model's, or a file's."""
        from gainlaw.training.train.backbones import load_tokenizer

        if "tokenizer" in self.unit.aside:
            return load_tokenizer(self.unit.aside["tokenizer"])
        folder = self.parent("tokenizer")
        if (folder / "tokenizer.json").is_file():
            return load_tokenizer(folder / "tokenizer.json")
        return load_tokenizer(*_published(folder))

    def items(self, entry: Mapping[str, Any], split: str, language: str) -> list[Item]:
        """Return the items that an entry of the spec asks for.

        Parameters
        ----------
        entry : mapping
            ``task`` and ``limit`` (None for all), and ``sample``, the seed of the choice when there are more.
        split, language : str
            Which items.
        """
        task, limit = task_of(entry), entry["limit"]
        if task.made:
            items = task.local.parse(task.local.find(self.parent("world"), split, language), split, language)
        else:
            aside = self.unit.aside
            commits = {key.removeprefix(COMMIT): aside[key] for key in aside if key.startswith(COMMIT)}
            folder = Path(aside[task.name]) if task.name in aside else None
            items = load_items(task, split, language, folder, commits)
        if limit is None or limit >= len(items):
            return items
        rng = np.random.default_rng([entry["sample"], 17])
        return [items[i] for i in np.sort(rng.permutation(len(items))[:limit])]

    def corpus(self) -> list[tuple[str, str]]:
        """Return the texts to learn from: lines, of which a tab parts two texts.

        Raises
        ------
        InputError
            If there is no text in them.
        """
        texts = [(first, second) for _, first, second in self._lines("corpus") if first.strip()]
        if not texts:
            raise InputError("the corpus has no text", source=", ".join(map(str, self._files("corpus"))))
        return texts

    def parallel(self) -> list[tuple[str, str]]:
        """Return sentences with their translations: lines of two texts, parted by a tab.

        Raises
        ------
        InputError
            If a line lacks one of the two, or there are fewer than two lines.
        """
        lines = [(n, first.strip(), second.strip()) for n, first, second in self._lines("parallel")]
        lines = [each for each in lines if each[1] or each[2]]
        source = ", ".join(map(str, self._files("parallel")))
        lacking = [n for n, first, second in lines if not (first and second)]
        if lacking:
            hint = "a sentence, a tab, and its translation on each line"
            raise InputError(
                Problem("a sentence has no translation", rows=tuple(lacking), hint=hint), source=source
            )
        if len(lines) < 2:
            raise InputError("parallel text needs two sentences at least", source=source)
        return [(first, second) for _, first, second in lines]

    def _files(self, what: str) -> list[Path]:
        """Return the files of a text that the experiment names, or that of the world."""
        places = sorted(self.unit.aside.items())
        files = [Path(place) for name, place in places if name.startswith(f"{what}.")]
        return files or [self.parent("world") / f"{what}.tsv"]

    def _lines(self, what: str) -> Iterator[tuple[int, str, str]]:
        """Yield the number of each line of a text, and what is before and behind its tab."""
        for file in self._files(what):
            for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
                first, _, second = line.partition("\t")
                yield number, first, second


def _model(store: Store, name: str, role: Role, device: str) -> PreTrainedModel:
    from gainlaw.training.train.adapters import merge_saved
    from gainlaw.training.train.backbones import load_model

    folder = store.path(name)
    if (folder / ADAPTERS).is_dir():
        return merge_saved(_model(store, store.read(name).parents["model"], role, device), folder / ADAPTERS)
    origin, revision = _origin(folder)
    return load_model(origin, role, revision=revision, device=device)


def _origin(folder: Path) -> tuple[str | Path, str | None]:
    if (folder / MODEL).is_dir():
        return folder / MODEL, None
    return _published(folder)


def _published(folder: Path) -> tuple[str, str | None]:
    record = json.loads((folder / ORIGIN).read_text(encoding="utf-8"))
    return record["origin"], record["revision"]


def prepare_process(threads: int) -> None:
    """Make the computations of this process repeatable: its threads, and deterministic kernels on the CPU.

    Parameters
    ----------
    threads : int
        Threads of one computation; another number rounds differently.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        torch.use_deterministic_algorithms(True)
