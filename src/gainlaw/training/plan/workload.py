"""How much there is to compute: examples and tokens of each task, known or counted, before anything is run."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gainlaw.training.experiment.schema import WorldTable
from gainlaw.training.items.items import ChoiceItem, ClassItem, PairItem, SpanItem
from gainlaw.training.items.loading import load_items
from gainlaw.training.items.registry import task_of
from gainlaw.units.unit import Unit

__all__ = ["Workload", "corpus_workload", "entry_workload", "parallel_workload", "probe_workload"]

#: Tokens of subword vocabularies a character of text, for an estimate: about 4.2 characters a token.
_TOKENS_PER_CHARACTER = 0.24
#: Tokens of the synthetic world: of a document of two sentences, of a sentence by itself, and of an item.
_WORLD_TOKENS = {
    "corpus": 16.5,
    "parallel": 8.7,
    "world_nli": 15.5,
    "world_copa": 15.5,
    "world_siqa": 14.5,
}
_WORLD_SEQUENCES = {"world_nli": 1.0, "world_copa": 2.0, "world_siqa": 3.0}
_SPECIAL = 4
_PROBE = 200


@dataclass(frozen=True, slots=True)
class Workload:
    """Examples of a split, sequences an example, and tokens a sequence.

    Attributes
    ----------
    examples : int
        How many.
    sequences : float
        1, or the options of a choice.
    tokens : float
        Mean length of a sequence, special tokens included.
    counted : bool
        False where size and length are those of the published data, not of files at hand.
    """

    examples: int
    sequences: float
    tokens: float
    counted: bool


def entry_workload(
    world: WorldTable | None, unit: Unit, entry: Mapping[str, Any], split: str, language: str, longest: int
) -> Workload:
    """Return how much a task's split is.

    Parameters
    ----------
    world : WorldTable or None
        The synthetic world of the experiment.
    unit : Unit
        Says where local files lie.
    entry : mapping
        ``task`` and ``limit``.
    split, language : str
        Which items.
    longest : int
        Longest sequence.

    Returns
    -------
    Workload
    """
    name, limit = entry["task"], entry["limit"]
    if name in _WORLD_SEQUENCES:
        size, tokens, counted = _WORLD_SEQUENCES[name], _WORLD_TOKENS[name], True
        examples: int = getattr(world, split)
    elif name in unit.aside:
        examples, size, tokens = _measured(
            json.dumps({key: entry[key] for key in ("task", "declared") if key in entry}),
            split,
            language,
            unit.aside[name],
        )
        tokens, counted = min(tokens, float(longest)), True
    else:
        examples, size, tokens = task_of(entry).sizes.get(split, (5_000, 1.0, 64.0))
        tokens, counted = min(tokens, float(longest)), False
    return Workload(examples if limit is None else min(limit, examples), size, tokens, counted)


def corpus_workload(world: WorldTable | None, unit: Unit, longest: int) -> Workload:
    """Return how much text a model is pretrained on; the tokens of files are estimated from their bytes."""
    files = [Path(place) for role, place in unit.aside.items() if role.startswith("corpus.")]
    if not files:
        assert world is not None
        return Workload(world.documents, 1.0, _WORLD_TOKENS["corpus"], True)
    lines = max(1, sum(_count_lines(file) for file in files))
    tokens = sum(file.stat().st_size for file in files) / lines * _TOKENS_PER_CHARACTER
    return Workload(lines, 1.0, min(tokens, float(longest)), True)


def parallel_workload(world: WorldTable | None, unit: Unit, longest: int) -> Workload:
    """Return how much parallel text there is, each line two sequences; files are estimated from their bytes."""
    files = [Path(place) for role, place in unit.aside.items() if role.startswith("parallel.")]
    if not files:
        assert world is not None
        return Workload(round(world.documents * world.parallel), 2.0, _WORLD_TOKENS["parallel"], True)
    lines = max(1, sum(_count_lines(file) for file in files))
    tokens = sum(file.stat().st_size for file in files) / lines / 2 * _TOKENS_PER_CHARACTER + _SPECIAL / 2
    return Workload(lines, 2.0, min(tokens, float(longest)), True)


def probe_workload(world: WorldTable | None) -> Workload:
    """Return the sentences by which alignment is measured, one sequence a language."""
    from gainlaw.training.world.languages import language_codes

    assert world is not None
    languages = float(len(language_codes(world.per_family)))
    return Workload(world.probes, languages, _WORLD_TOKENS["parallel"], True)


def _count_lines(file: Path) -> int:
    with file.open("rb") as lines:
        return sum(1 for line in lines if line.strip())


@cache
def _measured(entry: str, split: str, language: str, place: str) -> tuple[int, float, float]:
    """Return the size of local data; lengths are estimated from the characters of some items."""
    items = load_items(task_of(json.loads(entry)), split, language, Path(place))
    sequences: list[int] = []
    characters: list[float] = []
    for item in items[:: max(1, len(items) // _PROBE)]:
        if isinstance(item, ClassItem):
            sequences.append(1)
            characters.append(len(item.first) + len(item.second))
        elif isinstance(item, ChoiceItem):
            sequences.append(len(item.options))
            characters.append(len(item.context) + sum(map(len, item.options)) / len(item.options))
        elif isinstance(item, SpanItem):
            sequences.append(1)
            characters.append(len(item.question) + len(item.context))
        elif isinstance(item, PairItem):
            sequences.append(2)
            characters.append((len(item.source) + len(item.target)) / 2)
        else:
            sequences.append(1)
            characters.append(sum(len(word) + 1 for word in item.words))
    mean = sum(characters) / len(characters) * _TOKENS_PER_CHARACTER + _SPECIAL
    return len(items), sum(sequences) / len(sequences), mean
