"""Tags for words: CCG supertags of CCGbank, which is licensed, so read from local files only."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from gainlaw.errors import InputError, Problem
from gainlaw.training.items.files import find_file, parse_with, read_lines
from gainlaw.training.items.items import TagItem
from gainlaw.training.items.rows import FileFaults, Row, RowError
from gainlaw.training.items.task import LocalSource, TrainingTask

__all__ = ["TASKS"]

_ENGLISH = ("en",)
_SECTIONS = {
    "train": [f"{number:02d}" for number in range(2, 22)],
    "validation": ["00"],
    "test": ["23"],
}
_NAMES = {
    "train": ("wsj02-21.stagged", "train.stagged", "train.txt"),
    "validation": ("wsj00.stagged", "dev.stagged", "validation.stagged", "dev.txt", "validation.txt"),
    "test": ("wsj23.stagged", "test.stagged", "test.txt"),
}
_LAYOUT = (
    "data/AUTO with its sections as in CCGbank (LDC2005T13), or one file a split (wsj02-21.stagged, wsj00.stagged, "
    "wsj23.stagged; or train.txt, dev.txt, test.txt) with a sentence on each line as word|category or "
    "word|POS|category"
)
_LEAF = re.compile(r"<L (\S+) \S+ \S+ (\S+) \S+>")


def _files(folder: Path, split: str, language: str) -> tuple[Path, ...]:
    for top in (folder / "data" / "AUTO", folder / "AUTO"):
        if top.is_dir():
            found = [path for section in _SECTIONS[split] for path in sorted((top / section).glob("*.auto"))]
            if not found:
                hint = f"sections {_SECTIONS[split][0]} to {_SECTIONS[split][-1]} hold the {split} split"
                raise InputError(Problem("no .auto files in the sections wanted", hint=hint), source=str(top))
            return tuple(found)
    return (find_file(folder, _NAMES[split], f"the {split} split of CCG supertagging"),)


def _sentences(path: Path, faults: FileFaults) -> Iterator[Row]:
    """Yield each sentence as a record with ``words`` and ``tags``."""
    lines = list(read_lines(path))
    if path.name.removesuffix(".gz").endswith(".auto"):
        yield from _trees(path, lines, faults)
        return
    # comments of C&C's taggers have no bar; in every other line each word has at least one
    tagged = [(line, text.split()) for line, text in lines if not (text.startswith("#") and "|" not in text)]
    counts = Counter(min(token.count("|"), 2) for _, tokens in tagged for token in tokens)
    bars = 2 if counts[2] > counts[1] else 1
    for number, (line, tokens) in enumerate(tagged, 1):
        parts = [token.rsplit("|", bars) for token in tokens]
        if not all(len(part) == bars + 1 and all(part) for part in parts):
            what = "word|category" if bars == 1 else "word|POS|category, as most words of the file are"
            faults.add(str(path), line, RowError(f"a word that is not {what}"))
            continue
        cells = {"words": [part[0] for part in parts], "tags": [part[-1] for part in parts]}
        yield Row(str(path), line, number, cells | {"id": str(number)}, path.parent.name)


def _trees(path: Path, lines: list[tuple[int, str]], faults: FileFaults) -> Iterator[Row]:
    name = ""
    for number, (line, text) in enumerate(lines, 1):
        if text.startswith("ID="):
            name = text.split()[0].removeprefix("ID=")
            continue
        leaves = _LEAF.findall(text)
        if not name or not leaves:
            faults.add(str(path), line, RowError("no derivation of CCGbank with its ID line before it"))
            continue
        cells = {"id": name, "tags": [tag for tag, _ in leaves], "words": [word for _, word in leaves]}
        yield Row(str(path), line, number, cells, path.parent.name)
        name = ""


def _item(row: Row) -> TagItem:
    return TagItem(row.cells["id"], tuple(row.cells["words"]), tuple(row.cells["tags"]))


_CCG = TrainingTask(
    "ccg",
    "tagging",
    _ENGLISH,
    {"train": _ENGLISH, "validation": _ENGLISH, "test": _ENGLISH},
    LocalSource(_files, parse_with(_sentences, _item), _LAYOUT),
    licence="LDC user agreement (LDC2005T13), not to be passed on",
    citation="Hockenmaier and Steedman 2007, CCGbank, Computational Linguistics 33(3), doi:10.1162/coli.2007.33.3.355",
    notes=(
        "Sections 02 to 21 are the training split, 00 validation and 23 test.",
        "The tags are the lexical categories; the score is the share of words whose tag is right.",
    ),
    # Sizes as in Pruksachatkun et al. 2020, arXiv:2005.00628.
    sizes={"train": (38_015, 1, 35), "validation": (5_484, 1, 35)},
)

TASKS = (_CCG,)
