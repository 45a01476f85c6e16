"""The tables of an experiment file, held against what they may say; each fault in one line that names its key."""

from __future__ import annotations

import datetime
import difflib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, Field, ValidationError

from gainlaw.errors import Problem
from gainlaw.training.experiment.schema import Checkpoint, Experiment, Intermediate, Name, Target
from gainlaw.training.experiment.taskfiles import read_task_files
from gainlaw.training.items.registry import find_task

if TYPE_CHECKING:
    from pathlib import Path

    from gainlaw.training.items.task import TrainingTask

__all__ = ["Draft", "guess", "in_one_line", "name_key", "read_tables", "show"]

_LISTS = ("checkpoints", "intermediates", "targets")
_OURS = ("folder", "text", "only", "without", "own_tasks", "commits")
_BARE = re.compile(r"[A-Za-z0-9_-]+")
_MANY = 20
Place = tuple[str | int, ...]


@dataclass(frozen=True, slots=True)
class Draft:
    """An experiment file as far as its tables are valid, so that the rest of it can be checked too.

    Attributes
    ----------
    experiment : Experiment
        Without the tables that have faults; the defaults stand in for them.
    problems : tuple of Problem
        The faults; empty where `experiment` is the whole file.
    doubtful : frozenset of str
        Keys of the file that have faults: what is not in their tables may be there.
    table : mapping
        The file.
    """

    experiment: Experiment
    problems: tuple[Problem, ...]
    doubtful: frozenset[str]
    table: Mapping[str, Any]

    def checkpoints(self) -> Iterator[tuple[str, Checkpoint]]:
        """Yield the valid checkpoints, each with its key in the file."""
        return zip(self._keys("checkpoints"), self.experiment.checkpoints, strict=True)

    def intermediates(self) -> Iterator[tuple[str, Intermediate]]:
        """Yield the valid intermediates, each with its key in the file."""
        return zip(self._keys("intermediates"), self.experiment.intermediates, strict=True)

    def targets(self) -> Iterator[tuple[str, Target]]:
        """Yield the valid targets, each with its key in the file."""
        return zip(self._keys("targets"), self.experiment.targets, strict=True)

    def stated(self, name: str, key: str) -> list[tuple[str, str]]:
        """Return what the tables of a list say of a key, faulty tables too, each with its place in the file."""
        tables = self.table.get(name)
        return [
            (f"{name}[{number}].{key}", table[key])
            for number, table in enumerate(tables if isinstance(tables, list) else (), 1)
            if isinstance(table, dict) and isinstance(table.get(key), str)
        ]

    def task(self, name: str) -> TrainingTask:
        """Return a task by name, one that the experiment declares too."""
        return find_task(name, self.experiment.own_tasks)

    def has(self, name: str) -> bool:
        """Return whether the file has a table, or may have meant to have it."""
        return name in self.doubtful or getattr(self.experiment, name) is not None

    def _keys(self, name: str) -> list[str]:
        tables = self.table.get(name)
        count = len(tables) if isinstance(tables, list) else 0
        return [f"{name}[{n}]" for n in range(1, count + 1) if f"{name}[{n}]" not in self.doubtful]


class _Partial(Experiment):
    """What is left of an experiment without its faulty parts."""

    name: Name = "unnamed"
    checkpoints: list[Checkpoint] = Field(default_factory=list)
    targets: list[Target] = Field(default_factory=list)


def read_tables(table: Mapping[str, Any], folder: Path, text: str) -> Draft:
    """Validate the tables of an experiment file, each by itself.

    Parameters
    ----------
    table : mapping
        The file, read as TOML.
    folder : Path
        Where relative paths start.
    text : str
        The file's text.

    Returns
    -------
    Draft
    """
    given = {key: value for key, value in table.items() if key not in _OURS}
    tasks = read_task_files(table.get("tasks"), folder)
    if tasks.folders and isinstance(table.get("data", {}), dict):
        given["data"] = {**tasks.folders, **table.get("data", {})}
    own: dict[str, Any] = {"folder": folder, "text": text, "own_tasks": dict(tasks.tables)}
    errors: list[Any] = [
        {"loc": (key,), "type": "extra_forbidden", "input": table[key]} for key in _OURS if key in table
    ]
    try:
        experiment = Experiment.model_validate(given | own)
    except ValidationError as error:
        errors += error.errors(include_url=False)
    doubtful = {"tasks"} if tasks.problems else set()
    if not errors:
        return Draft(experiment, tasks.problems, frozenset(doubtful), table)
    mistyped = _mistyped(errors)
    meant_keys = set(mistyped.values())
    problems = [_problem(e) for e in errors if e["type"] != "missing" or e["loc"] not in meant_keys]
    doubtful |= {str(each["loc"][0]) for each in errors}
    doubtful |= {str(meant[0]) for meant in meant_keys if len(meant) == 1}
    for each in errors:
        name, *rest = each["loc"]
        if name in _LISTS and rest and isinstance(rest[0], int):
            doubtful.add(f"{name}[{rest[0] + 1}]")
        elif name in _LISTS and isinstance(given.get(name), list):
            doubtful |= {f"{name}[{n}]" for n in range(1, len(given[name]) + 1)}
    valid: dict[str, Any] = {key: value for key, value in given.items() if key not in doubtful}
    for name in _LISTS:
        if name in doubtful and isinstance(given.get(name), list):
            valid[name] = [t for n, t in enumerate(given[name], 1) if f"{name}[{n}]" not in doubtful]
    found = (*tasks.problems, *problems)
    return Draft(_Partial.model_validate(valid | own), found, frozenset(doubtful), table)


def _mistyped(errors: Sequence[Any]) -> dict[Place, Place]:
    """Return, for unknown keys that look like a key known at their place, that key's place."""
    found: dict[Place, Place] = {}
    for error in errors:
        place = error["loc"]
        if error["type"] == "extra_forbidden":
            near = difflib.get_close_matches(str(place[-1]), _keys_at(place[:-1]), n=1)
            if near:
                found[place] = (*place[:-1], near[0])
    missing = {error["loc"] for error in errors if error["type"] == "missing"}
    return {place: meant for place, meant in found.items() if meant in missing or len(place) == 1}


def name_key(place: Sequence[str | int]) -> str:
    """Return a place in a file as a reader writes it, with tables of a list counted from 1.

    Examples
    --------
    >>> name_key(("checkpoints", 1, "training", "learning_rate")), name_key(("data", "a b"))
    ('checkpoints[2].training.learning_rate', 'data."a b"')
    """
    key = ""
    for part in place:
        if isinstance(part, int):
            key += f"[{part + 1}]"
        else:
            key += f".{part if _BARE.fullmatch(part) else json.dumps(part, ensure_ascii=False)}"
    return key.lstrip(".")


def _without_forms(place: Place) -> Place:
    """Drop what pydantic says about the form of a value that may have two."""
    forms = ("@table", "@name", "@false")
    return tuple(
        part
        for i, part in enumerate(place)
        if part not in forms or not (place[i - 1] == "lora" or (i > 1 and place[i - 2] == "prompts"))
    )


def show(value: Any) -> str:
    """Return a value about as a TOML file states it, shortened.

    Examples
    --------
    >>> show(True), show("text"), show({"a": 1}), show([])
    ('true', "'text'", 'a table', '[]')
    """
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a table"
    if isinstance(value, list):
        return "a list" if value else "[]"
    if isinstance(value, datetime.date | datetime.time):
        return value.isoformat()
    text = repr(value)
    return text if len(text) <= 60 else f"{text[:57]}..."


def in_one_line(problem: Problem) -> Problem:
    """Return a fault without line breaks, and with long words shortened: it may quote what a file says."""

    def short(text: str) -> str:
        return re.sub(r"\S{100,}", lambda word: f"{word[0][:60]}...", " ".join(text.split()))

    hint = None if problem.hint is None else short(problem.hint)
    return replace(problem, message=short(problem.message), column=short(problem.column or ""), hint=hint)


def guess(name: str, known: Sequence[str]) -> str:
    """Return a hint: the known names that `name` may stand for, else those that there are.

    Examples
    --------
    >>> known = ("batch_size", "learning_rate", "lora", "num_attention_heads")
    >>> [guess(name, known) for name in ("lr", "batchsize", "heads")]
    ['did you mean learning_rate?', 'did you mean batch_size?', 'did you mean num_attention_heads?']
    """
    plain = name.casefold()
    words = {each: each.casefold().split("_") for each in known}
    near = [each for each in known if len(plain) > 1 and "".join(w[:1] for w in words[each]) == plain]
    near = near or difflib.get_close_matches(plain, known, n=1)
    near = near or [each for each in known if set(words[each]) & set(plain.split("_"))]
    if near:
        return f"did you mean {' or '.join(near[:3])}?"
    return f"allowed: {', '.join(known[:_MANY])}{', ...' if len(known) > _MANY else ''}"


_KINDS = {
    "int_type": "not a whole number",
    "float_type": "not a number",
    "finite_number": "not a finite number",
    "string_type": "not a text",
    "bool_type": "neither true nor false",
    "list_type": "not a list",
    "dict_type": "not a table",
    "model_type": "not a table",
    "lora_form": "neither a table nor false",
    "prompt_form": "neither the name of a prompt nor a table with name and text",
}
_LIMITS = {
    "greater_than": ("gt", "above"),
    "greater_than_equal": ("ge", "at least"),
    "less_than": ("lt", "below"),
    "less_than_equal": ("le", "at most"),
}
_HINTS = {
    "lora_form": "such as lora = { rank = 16, alpha = 32.0 }; false takes adapters of a table above away",
    "bool_type": "without quotation marks",
}


def _problem(error: Any) -> Problem:
    """Return a fault that pydantic found in the words of the house."""
    place = _without_forms(error["loc"])
    key, kind, value = name_key(place), error["type"], error["input"]
    context = error.get("ctx", {})
    if kind == "extra_forbidden":
        return Problem("no such key", key, hint=guess(str(place[-1]), _keys_at(place[:-1])))
    if kind == "missing":
        hint = f"add a table [[{key}]]" if key in _LISTS else None
        return Problem("the key is missing", key, hint=hint)
    if kind == "value_error":
        return Problem(str(context["error"]), key)
    if kind == "literal_error":
        return Problem(f"{show(value)} is not allowed", key, hint=f"allowed: {context['expected']}")
    if kind == "string_pattern_mismatch":
        return Problem(f"{show(value)} is not a name", key, hint=_names(place))
    if kind == "string_too_short":
        return Problem("the text is empty", key)
    if kind == "too_short":
        what = f"{len(value)} in the list" if value else "the list is empty"
        return Problem(what, key, hint=f"at least {context['min_length']}")
    if kind in _LIMITS:
        name, words = _LIMITS[kind]
        return Problem(f"{show(value)} is out of range", key, hint=f"{words} {_number(context[name])}")
    if kind in _KINDS:
        return Problem(f"{show(value)} is {_KINDS[kind]}", key, hint=_hint(kind, place, value))
    return Problem(f"{show(value)}: {error['msg'][0].lower()}{error['msg'][1:]}", key)


def _number(value: float) -> str:
    return f"{int(value):,}" if float(value).is_integer() else f"{value:g}"


def _hint(kind: str, place: Place, value: Any) -> str | None:
    if kind == "list_type" and place[-1] in _LISTS:
        return f"tables of a list have two brackets: [[{place[-1]}]]"
    if kind == "list_type" and isinstance(value, str | int | float):
        return f"such as {place[-1]} = [{show(value)}]"
    if kind in ("int_type", "float_type") and isinstance(value, str):
        return "without quotation marks"
    if kind in ("dict_type", "model_type") and isinstance(place[-1], str):
        return f"such as {place[-1]} = {{ ... }}"
    return _HINTS.get(kind)


def _names(place: Place) -> str:
    if place[-1] == "hub":
        return "as on the hub, such as FacebookAI/xlm-roberta-base; a folder goes in path"
    return "letters, digits and . _ + - only, a letter or digit first: it becomes part of files and tables"


def _keys_at(place: Place) -> list[str]:
    """Return the keys that the table at a place may have."""
    model: Any = Experiment
    for part in _without_forms(place):
        if isinstance(part, str):
            model = _model_in(model.model_fields[part].annotation)
    known = set(model.model_fields) - set(_OURS if model is Experiment else ())
    return sorted(known)


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    inner = getattr(annotation, "__args__", ())
    return next((found for each in inner if (found := _model_in(each)) is not None), None)
