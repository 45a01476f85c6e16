"""The phases by name: where each is declared, and the method of ``[[intermediates]]`` or the protocol that asks for it.

Names only: a phase is imported when it is asked for.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType
from typing import Any, NamedTuple

__all__ = ["METHODS", "PHASES", "PROTOCOLS", "find_phase"]


class Entry(NamedTuple):
    """The module of a phase, whose ``PHASES`` has it, and what asks for it."""

    module: str
    method: str = ""
    protocol: str = ""


PHASES: Mapping[str, Entry] = MappingProxyType(
    {
        "world": Entry("gainlaw.training.phases.world"),
        "load": Entry("gainlaw.training.phases.load"),
        "align": Entry("gainlaw.training.phases.align"),
        "pretrain": Entry("gainlaw.training.phases.pretrain"),
        "intermediate": Entry("gainlaw.training.phases.supervised", method="supervised"),
        "consistency": Entry("gainlaw.training.phases.consistency", method="prompt_consistency"),
        "finetune": Entry("gainlaw.training.phases.supervised"),
        "trial": Entry("gainlaw.training.phases.sweep"),
        "choose": Entry("gainlaw.training.phases.sweep"),
        "evaluate": Entry("gainlaw.training.phases.evaluate", protocol="finetune"),
        "retrieve": Entry("gainlaw.training.phases.retrieve"),
        "rank": Entry("gainlaw.training.phases.rank", protocol="prompted"),
    }
)

METHODS: Mapping[str, str] = MappingProxyType({e.method: name for name, e in PHASES.items() if e.method})
"""The methods of an intermediate training, each with its phase; the first is the usual one."""

PROTOCOLS: Mapping[str, str] = MappingProxyType(
    {e.protocol: name for name, e in PHASES.items() if e.protocol}
)
"""The protocols of an experiment, each with the phase that scores."""


def find_phase(name: str) -> Any:
    """Return the phase, see `gainlaw.training.phases.phase.Phase`, of a name of `PHASES`.

    Examples
    --------
    >>> find_phase("world").leaves
    ('tokenizer.json', 'corpus.tsv', 'parallel.tsv', 'items', 'languages.json', 'lexicon.json')
    """
    return next(phase for phase in import_module(PHASES[name].module).PHASES if phase.name == name)
