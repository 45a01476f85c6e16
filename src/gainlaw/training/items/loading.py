"""Reading the items of a task: from the hub by name, or from local files in the format that its authors published.

A folder with a machine-translated copy in the same format is read in the same way.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path

from gainlaw._io import data_path
from gainlaw.errors import InputError, Problem
from gainlaw.training.items.items import ChoiceItem, ClassItem, Item, SpanItem, TagItem
from gainlaw.training.items.registry import find_task
from gainlaw.training.items.rows import PLACEHOLDERS
from gainlaw.training.items.task import TrainingTask

__all__ = ["load_items", "source_files"]


def source_files(
    task: TrainingTask | str, split: str, language: str, folder: Path | None
) -> tuple[Path, ...]:
    """Return the local files that `load_items` reads, to be hashed.

    Parameters
    ----------
    task : TrainingTask or str
        The task, or its name.
    split : {"train", "validation", "test"}
        The split.
    language : str
        The language's code.
    folder : pathlib.Path or None
        The folder with the task's files; None for the hub.

    Returns
    -------
    tuple of pathlib.Path
        In the order in which they are read; none for the hub.

    Raises
    ------
    InputError
        As `load_items` does.
    """
    found = find_task(task) if isinstance(task, str) else task
    _require(found, split, language, folder)
    return () if folder is None else found.local.find(Path(folder), split, language)


def load_items(
    task: TrainingTask | str,
    split: str,
    language: str,
    folder: Path | None = None,
    commits: Mapping[str, str] | None = None,
) -> list[Item]:
    """Read one split of a task in one language.

    Parameters
    ----------
    task : TrainingTask or str
        The task, or its name.
    split : {"train", "validation", "test"}
        The split.
    language : str
        The language's code. With `folder`, a task that was published in English only takes any code of
        ``data/languages.csv``: the folder then holds a translation in the same format.
    folder : pathlib.Path, optional
        A folder with the published files, see the task's ``local.layout``; from the hub by default.
    commits : mapping of str to str, optional
        The commits of the hub's data sets to read, see `gainlaw.training.items.hub.HubSource`.

    Returns
    -------
    list of Item
        In the order of the files.

    Raises
    ------
    InputError
        If the task lacks the split or the language; files are missing or not in the format; the hub or the
        package ``datasets`` is out of reach; there are no items, two share an id, an item has not the task's
        number of options; or the labels are missing or all the same, as in test files released with placeholders.
    """
    found = find_task(task) if isinstance(task, str) else task
    files = source_files(found, split, language, folder)
    if folder is not None:
        items, source = found.local.parse(files, split, language), _name_files(files)
    elif found.hub is not None:
        items, source = (
            found.hub(split, language, commits or {}),
            f"{found.name} ({split}, {language}) on the hub",
        )
    else:
        hint = f"it is read from local files ({found.licence}), give their folder: {found.local.layout}"
        raise InputError(Problem(f"{found.name} is not on the hub", hint=hint))
    _check(found, items, source)
    return items


def _name_files(files: Sequence[Path]) -> str:
    return f"{files[0]}{f' and {len(files) - 1} more' if len(files) > 1 else ''}"


def _require(task: TrainingTask, split: str, language: str, folder: Path | None) -> None:
    if split not in task.splits:
        unlabelled = "; its test labels are not published" if split == "test" else ""
        hint = f"it has: {', '.join(task.splits)}{unlabelled}"
        raise InputError(Problem(f"{task.name} has no split {split!r} to train on or score", hint=hint))
    known = task.splits[split]
    translated = folder is not None and task.languages == ("en",) and language in _language_codes()
    if language not in known and not translated:
        hint = f"it has: {', '.join(known)}"
        if task.languages == ("en",):
            hint += "; a machine translation is read from a folder, under any code of data/languages.csv"
        raise InputError(Problem(f"the {split} split of {task.name} has no language {language!r}", hint=hint))


def _language_codes() -> set[str]:
    with data_path("languages.csv").open(encoding="utf-8", newline="") as file:
        return {row["language"] for row in csv.DictReader(file)}


def _check(task: TrainingTask, items: Sequence[Item], source: str) -> None:
    """Refuse items that cannot be trained on or scored, all faults at once."""
    if not items:
        raise InputError(Problem("the split is empty: no item has a gold label"), source=source)
    problems = []
    twice = [name for name, count in Counter(item.id for item in items).items() if count > 1]
    if twice:
        shown = ", ".join(twice[:6]) + (f" and {len(twice) - 6} more" if len(twice) > 6 else "")
        hint = "an id must name one item, or answers of different models cannot be paired"
        problems.append(Problem(f"ids that occur more than once: {shown}", hint=hint))
    sizes = {len(item.options) for item in items if isinstance(item, ChoiceItem)}
    if task.n_options is not None and sizes - {task.n_options}:
        listed = ", ".join(map(str, sorted(sizes)))
        problems.append(Problem(f"items have {listed} options where {task.n_options} belong"))
    constant = _constant_label(task, items)
    if constant is not None:
        problems.append(Problem(f"{constant} in all {len(items)} items", hint=PLACEHOLDERS))
    if problems:
        raise InputError(problems, source=source)


def _constant_label(task: TrainingTask, items: Sequence[Item]) -> str | None:
    if task.kind == "retrieval":
        return None
    labels: set[object] = set()
    for item in items:
        if isinstance(item, ClassItem | ChoiceItem):
            labels.add(item.label)
        elif isinstance(item, SpanItem):
            labels.add(item.answers if item.answers else None)
        elif isinstance(item, TagItem):
            labels.update(item.tags)
    if len(labels) > 1 or len(items) == 1:
        return None
    label = labels.pop()
    if task.kind == "classification" and isinstance(label, int):
        return f"the label is {task.classes[label]!r}"
    if task.kind == "span":
        return "there is no answer" if label is None else None
    return "the same option is right" if task.kind == "choice" else f"the tag is {label!r}"
