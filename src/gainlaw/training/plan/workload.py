"""How much there is to compute: examples and tokens of each task, known or counted, before anything is run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from types import MappingProxyType
from typing import Any

from gainlaw.training.units.units import Unit

__all__ = ["PUBLISHED", "TOKENS_PER_CHARACTER", "Workload", "task_workload"]

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


PUBLISHED: Mapping[tuple[str, str], tuple[int, float, float]] = MappingProxyType(
    {
        ("mnli", "train"): (392_702, 1, 40),
        ("mnli", "validation"): (9_815, 1, 40),
        ("anli", "train"): (162_865, 1, 100),
        ("anli", "validation"): (3_200, 1, 100),
        ("anli", "test"): (3_200, 1, 100),
        ("anli_mnli", "train"): (555_567, 1, 58),
        ("anli_mnli", "validation"): (13_015, 1, 55),
        ("qqp", "train"): (363_846, 1, 32),
        ("qqp", "validation"): (40_430, 1, 32),
        ("squad_v1", "train"): (87_599, 1.1, 180),
        ("squad_v1", "validation"): (10_570, 1.1, 185),
        ("squad_v2", "train"): (130_319, 1.1, 180),
        ("squad_v2", "validation"): (11_873, 1.1, 190),
        ("hellaswag", "train"): (39_905, 4, 100),
        ("hellaswag", "validation"): (10_042, 4, 100),
        ("commonsense_qa", "train"): (9_741, 5, 24),
        ("commonsense_qa", "validation"): (1_221, 5, 24),
        ("cosmos_qa", "train"): (25_262, 4, 115),
        ("cosmos_qa", "validation"): (2_985, 4, 115),
        ("siqa", "train"): (33_410, 3, 36),
        ("siqa", "validation"): (1_954, 3, 36),
        ("copa", "train"): (400, 2, 24),
        ("copa", "validation"): (100, 2, 24),
        ("xcopa", "validation"): (100, 2, 28),
        ("xcopa", "test"): (500, 2, 28),
        ("xnli", "validation"): (2_490, 1, 45),
        ("xnli", "test"): (5_010, 1, 45),
        ("pawsx", "train"): (49_401, 1, 65),
        ("pawsx", "validation"): (2_000, 1, 70),
        ("pawsx", "test"): (2_000, 1, 70),
        ("sick", "train"): (4_500, 1, 30),
        ("sick", "validation"): (500, 1, 30),
        ("sick", "test"): (4_927, 1, 30),
        ("ccg", "train"): (38_015, 1, 35),
        ("ccg", "validation"): (5_484, 1, 35),
    }
)
"""Of the published data by task and split: examples (as their papers and cards state them; CCG as in Pruksachatkun
et al. 2020, arXiv 2005.00628), sequences an example, and rough lengths in tokens of a multilingual vocabulary."""


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
    if name in unit.where:
        examples, sequences, tokens = _measured(name, split, language, unit.where[name])
        counted = True
    elif (name, split) in PUBLISHED:
        examples, sequences, tokens = PUBLISHED[name, split]
        counted = False
    else:
        examples, sequences, tokens, counted = 5_000, 1.0, 64.0, False
    kept = examples if limit is None else min(limit, examples)
    return Workload(kept, sequences, min(tokens, float(max_length)), counted)


@cache
def _measured(name: str, split: str, language: str, place: str) -> tuple[int, float, float]:
    """Return the size of local data; lengths are estimated from the characters of some items."""
    from gainlaw.training.tasks import load_items
    from gainlaw.training.tasks.base import ChoiceItem, ClassItem, SpanItem

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
