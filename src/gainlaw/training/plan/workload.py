"""How much there is to compute: examples and tokens of each task, known or counted, before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from gainlaw.training.items.items import ChoiceItem, ClassItem, SpanItem
from gainlaw.training.items.loading import load_items
from gainlaw.training.items.registry import find_task
from gainlaw.training.units.units import Unit

__all__ = ["TOKENS_PER_CHARACTER", "Workload", "task_workload"]

#: Tokens of subword vocabularies a character of text, for an estimate: about 4.2 characters a token.
TOKENS_PER_CHARACTER = 0.24
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

    @property
    def total(self) -> float:
        """Tokens of all examples, without padding."""
        return self.examples * self.sequences * self.tokens


def task_workload(
    unit: Unit, entry: Mapping[str, Any], split: str, language: str, max_length: int
) -> Workload:
    """Return how much a task's split is.

    Parameters
    ----------
    unit : Unit
        Says where local files lie, and the world's settings.
    entry : mapping
        ``task`` and ``limit``.
    split, language : str
        Which items.
    max_length : int
        Longest sequence.

    Returns
    -------
    Workload
    """
    name, limit = entry["task"], entry["limit"]
    counted = name in unit.where
    if counted:
        examples, sequences, tokens = _measured(name, split, language, unit.where[name])
    else:
        examples, sequences, tokens = find_task(name).sizes.get(split, (5_000, 1.0, 64.0))
    kept = examples if limit is None else min(limit, examples)
    return Workload(kept, sequences, min(tokens, float(max_length)), counted)


@cache
def _measured(name: str, split: str, language: str, place: str) -> tuple[int, float, float]:
    """Return the size of local data; lengths are estimated from the characters of some items."""
    items = load_items(name, split, language, Path(place))
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
        else:
            sequences.append(1)
            characters.append(sum(len(word) + 1 for word in item.words))
    mean = sum(characters) / len(characters) * TOKENS_PER_CHARACTER + _SPECIAL
    return len(items), sum(sequences) / len(sequences), mean
