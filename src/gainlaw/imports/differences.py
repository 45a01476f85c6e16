"""What the two sides of a pair differ in: what keeps their scores apart, and what is only told."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence

import numpy as np

from gainlaw.imports.columns import KEY, key_of
from gainlaw.imports.pairing import Pair
from gainlaw.imports.record import Score
from gainlaw.notes import Note, count_of

__all__ = ["compare_sides"]

_WORDS = {
    "harness": "version of the program",
    "prompt_digest": "words of the prompt",
    "n_examples": "number of items",
    "items": "items",
    "chat_template": "chat template",
    "task_version": "version of the task",
}
_SHOWN = 4
_FOREIGN = "have another content, so their answers are not paired"


def compare_sides(
    scores: Sequence[Score], pairs: Iterable[Pair], across: Sequence[str]
) -> tuple[dict[int, str], frozenset[int], list[Note]]:
    """Compare every score with that of its baseline.

    Parameters
    ----------
    scores : sequence of Score
        Of both sides.
    pairs : iterable of Pair
        Which models are compared.
    across : sequence of str
        What may differ.

    Returns
    -------
    differs : dict of int to str
        ``id`` of a score -> what it and its baseline's differ in.
    foreign : frozenset of int
        ``id`` of the scores whose answers are not to the baseline's items: items of one name have another content.
    notes : list of Note
        A warning for each kind of difference, with what it befell.
    """
    bases: dict[tuple[str, ...], Score] = {(each.model, *key_of(each, across)): each for each in scores}
    near: dict[tuple[str, ...], list[Score]] = {}
    for each in scores:
        near.setdefault((each.model, each.task, each.language), []).append(each)
    baseline_of = {pair.model: pair.baseline for pair in pairs}
    differs: dict[int, str] = {}
    foreign: set[int] = set()
    told: dict[str, dict[str, None]] = {}
    apart: dict[str, dict[str, None]] = {}
    for score in scores:
        baseline = baseline_of.get(score.model)
        if baseline is None:
            continue
        name = f"{score.model} {score.task} ({score.language})"
        other = bases.get((baseline, *key_of(score, across)))
        if other is not None:
            found = {**_told(score, other), **{key: _values(score, other, key) for key in across}}
            found = {key: values for key, values in found.items() if values}
            if found:
                differs[id(score)] = ", ".join(found)
            if _FOREIGN in found.get("items", ""):
                foreign.add(id(score))
            for key, values in found.items():
                told.setdefault(f"{_WORDS.get(key, key)} ({values})", {})[name] = None
            continue
        choices = near.get((baseline, score.task, score.language), [])
        if not choices:
            apart.setdefault("the baseline has no score of the task in the language", {})[name] = None
            continue
        closest = min(choices, key=lambda each: len(_apart(score, each)))
        keys = _apart(score, closest)
        said = "; ".join(f"{_WORDS.get(key, key)}: {_values(score, closest, key)}" for key in keys)
        hints = " ".join(f"--across {key}" for key in keys if key in KEY)
        only = " compares them all the same" if set(keys) <= set(KEY) else ""
        apart.setdefault(f"{said}{f' ({hints}{only})' if only else ''}", {})[name] = None
    notes = [_note(f"not compared with the baseline, {what}", names) for what, names in apart.items()]
    notes += [_note(f"compared across a difference: {what}", names) for what, names in told.items()]
    return differs, frozenset(foreign), notes


def _note(what: str, names: Mapping[str, None]) -> Note:
    shown = ", ".join(list(names)[:_SHOWN]) + (", ..." if len(names) > _SHOWN else "")
    return Note("import", f"{count_of(len(names), 'score')} {what}: {shown}", standing=True)


def _values(score: Score, other: Score, key: str) -> str:
    mine, base = getattr(score, key), getattr(other, key)
    return "" if mine == base else f"{mine or 'not said'}, baseline {base or 'not said'}"


def _apart(score: Score, other: Score) -> tuple[str, ...]:
    return tuple(key for key in ("metric", *KEY) if getattr(score, key) != getattr(other, key))


def _told(score: Score, other: Score) -> dict[str, str]:
    found = {key: _values(score, other, key) for key in ("harness",)}
    if score.prompt_digest and other.prompt_digest:
        found["prompt_digest"] = "changed" if score.prompt_digest != other.prompt_digest else ""
    if not (math.isnan(score.n) or math.isnan(other.n)) and score.n != other.n:
        found["n_examples"] = f"{score.n:.0f}, baseline {other.n:.0f}"
    if score.items is not None and other.items is not None:
        found["items"] = _items_differ(score, other)
    return found


def _items_differ(score: Score, other: Score) -> str:
    assert score.items is not None
    assert other.items is not None
    mine = dict(zip(score.items.examples, score.items.contents or score.items.examples, strict=True))
    base = dict(zip(other.items.examples, other.items.contents or other.items.examples, strict=True))
    common = mine.keys() & base.keys()
    changed = int(np.sum([mine[name] != base[name] for name in common]))
    if changed:
        return f"{changed} of one name {_FOREIGN}"
    return "" if len(common) == len(mine) == len(base) else f"{len(common)} in common"
