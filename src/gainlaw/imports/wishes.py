"""What the caller says about files of results: how names are read, and what the files leave out."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from gainlaw.errors import InputError, Problem

__all__ = ["TaskRule", "Wishes", "parse_task_rule", "pattern_of", "placeholders"]

_PLACE = re.compile(r"\{(\w+)\}")


def placeholders(template: str) -> tuple[str, ...]:
    """Return the names in braces of a template, in their order.

    Examples
    --------
    >>> placeholders("{base}-instruct")
    ('base',)
    """
    return tuple(_PLACE.findall(template))


def pattern_of(template: str) -> re.Pattern[str]:
    """Return the pattern that a template stands for; a name in braces stands for any text, the same one again.

    Parameters
    ----------
    template : str
        Such as ``"{base}-instruct"``.

    Examples
    --------
    >>> pattern_of("{base}-instruct").fullmatch("Qwen2.5-3B-Instruct")["base"]
    'Qwen2.5-3B'
    """
    parts, at, seen = [], 0, set()
    for found in _PLACE.finditer(template):
        parts.append(re.escape(template[at : found.start()]))
        name = found[1]
        parts.append(f"(?P={name})" if name in seen else f"(?P<{name}>.+)")
        seen.add(name)
        at = found.end()
    return re.compile("".join([*parts, re.escape(template[at:])]), re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class TaskRule:
    """How a name in the files is read as a task and a language.

    Attributes
    ----------
    template : str
        The name, in which ``{language}`` and ``{task}`` stand for what is to be taken from it.
    task, language : str
        What it is, with the same words in braces.
    """

    template: str
    task: str
    language: str


def parse_task_rule(text: str) -> TaskRule:
    """Read ``NAME=TASK`` or ``NAME=TASK:LANGUAGE``; where NAME has ``{language}``, that is the language.

    Raises
    ------
    InputError
        If it is not of this form.

    Examples
    --------
    >>> parse_task_rule("arc_{language}=arc")
    TaskRule(template='arc_{language}', task='arc', language='{language}')
    >>> parse_task_rule("nli swahili=xnli:sw").language
    'sw'
    """
    name, mark, target = (part.strip() for part in text.rpartition("="))
    task, _, language = (part.strip() for part in target.partition(":"))
    if not language and "{language}" in name:
        language = "{language}"
    unknown = set(placeholders(target + language)) - set(placeholders(name)) or (
        set(placeholders(name)) - {"task", "language"}
    )
    if not (name and mark and task) or unknown:
        hint = "write --map NAME=TASK:LANGUAGE, --map 'arc_{language}=arc' or --map '{language}=xnli'"
        raise InputError(Problem(f"--map {text!r} cannot be read", hint=hint))
    return TaskRule(name, task, language)


@dataclass(frozen=True, slots=True)
class Wishes:
    """What the caller says about the files.

    Attributes
    ----------
    tasks : sequence of TaskRule
        How names are read; the first that fits is taken.
    metrics : sequence of str
        Metrics to be taken where a file has several, the first that is there.
    language : str
        The language of tasks whose name has none; blank where none was given.
    n_examples : mapping of str to float
        Items of a task, of ``task:language``, or (key ``""``) of all, where the files do not say.
    rename : mapping of str to str
        Columns of tables to be read under another name.
    percent : bool
        Whether tables hold scores in per cent.
    gold : path-like, optional
        The folder of the right answers to predictions: ``TASK/test-LANGUAGE.tsv``.
    """

    tasks: Sequence[TaskRule] = ()
    metrics: Sequence[str] = ()
    language: str = ""
    n_examples: Mapping[str, float] = field(default_factory=dict)
    rename: Mapping[str, str] = field(default_factory=dict)
    percent: bool = False
    gold: str | os.PathLike[str] | None = None
