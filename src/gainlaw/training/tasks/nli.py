"""Natural language inference: XNLI, MultiNLI, ANLI, ANLI with MultiNLI, and SICK.

The classes are numbered entailment, neutral, contradiction. Items that their authors left without a gold label
(``-``) are left out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path

from gainlaw.errors import InputError
from gainlaw.training.items.files import find_file, one_of, parse_with, read_jsonl, read_pairs, read_table
from gainlaw.training.items.hub import PARQUET, HubSource, HubUnion
from gainlaw.training.items.items import ClassItem, Item
from gainlaw.training.items.rows import FileFaults, Row, RowError, class_item, class_label, identity, text_of
from gainlaw.training.items.task import LocalSource, TrainingTask
from gainlaw.training.prompting.english import INFERENCE

__all__ = ["TASKS"]

_CLASSES = ("entailment", "neutral", "contradiction")
_NAMES = {name: index for index, name in enumerate(_CLASSES)} | {"contradictory": 2}
_NUMBERED = {str(index): index for index in range(3)}
_ENGLISH = ("en",)
_TRAINED = {"train": _ENGLISH, "validation": _ENGLISH}


# XNLI -----------------------------------------------------------------------------------------------------------

_XNLI_LANGUAGES = ("ar", "bg", "de", "el", "en", "es", "fr", "hi", "ru", "sw", "th", "tr", "ur", "vi", "zh")
_XNLI_LAYOUT = (
    "xnli.dev.tsv and xnli.test.tsv (or .jsonl) as in XNLI-1.0, or one dev-LANGUAGE.tsv and test-LANGUAGE.tsv a "
    "language with premise, hypothesis and label; for training multinli.train.LANGUAGE.tsv as in XNLI-MT-1.0, "
    "train-LANGUAGE.tsv, or MultiNLI's files; all may be gzipped"
)
_SHORT = {"train": "train", "validation": "dev", "test": "test"}


def _xnli_names(split: str, language: str) -> list[str]:
    names = [f"{_SHORT[split]}-{language}.tsv"]
    if split != "train":
        file = f"xnli.{_SHORT[split]}"
        return names + [f"{into}{file}.{kind}" for kind in ("tsv", "jsonl") for into in ("", "XNLI-1.0/")]
    names += [f"{into}multinli.train.{language}.tsv" for into in ("", "multinli/", "XNLI-MT-1.0/multinli/")]
    return names + (_mnli_names(split, language) if language == "en" else [])


def _plain_pair(row: Row) -> ClassItem | None:
    label = class_label(row, ["label", "gold_label"], _NAMES, drop=True)
    first = text_of(row, "first", "premise", "sentence1")
    second = text_of(row, "second", "hypo", "hypothesis", "sentence2")
    return class_item(str(row.number), first, second, label)


def _xnli_all_languages(path: Path, language: str, faults: FileFaults) -> Iterator[Row]:
    """Yield the rows of one language, numbered in the order that English has them."""
    read = read_jsonl if ".jsonl" in path.name else read_table
    rows: list[Row] = []
    order: dict[str, int] = {}
    for row in read(path, faults):
        if row.cells.get("language") == "en":
            order.setdefault(str(row.cells.get("pairID")), len(order) + 1)
        if row.cells.get("language") == language:
            rows.append(row)
    if not rows:
        raise InputError(f"no row is in the language {language!r}", source=str(path))
    for position, row in enumerate(rows, 1):
        number = order.get(str(row.cells.get("pairID")), 0) if order else position
        if number:
            yield replace(row, number=number)
        else:
            faults.add(str(path), row.place, RowError("English has no such pair", "pairID"))


def _parse_xnli(files: tuple[Path, ...], split: str, language: str) -> list[Item]:
    if files[0].name.removesuffix(".gz") in {Path(name).name for name in _mnli_names("train", "en")}:
        return _PARSE_MNLI(files, split, language)
    if not files[0].name.startswith("xnli."):
        return parse_with(read_pairs, _plain_pair)(files, split, language)
    faults = FileFaults()
    items = faults.items(_xnli_all_languages(files[0], language, faults), _plain_pair)
    faults.raise_any()
    return list(items)


def _hub_pair(row: Row) -> ClassItem | None:
    label = class_label(row, ["label"], _NUMBERED, drop=True)
    return class_item(str(row.number), text_of(row, "premise"), text_of(row, "hypothesis"), label)


_XNLI = TrainingTask(
    "xnli",
    "classification",
    _XNLI_LANGUAGES,
    {
        "train": _XNLI_LANGUAGES,
        "validation": (*_XNLI_LANGUAGES, "ko"),
        "test": (*_XNLI_LANGUAGES, "ko", "my"),
    },
    LocalSource(one_of("XNLI", _xnli_names), _parse_xnli, _XNLI_LAYOUT),
    HubSource(
        "facebook/xnli", "{language}", _hub_pair, _XNLI_LAYOUT, classes=_CLASSES, languages=_XNLI_LANGUAGES
    ),
    _CLASSES,
    english_side=("mnli",),
    licence="CC BY-NC 4.0 (KorNLI: CC BY-SA 4.0)",
    citation=(
        "Conneau et al. 2018, XNLI: Evaluating Cross-lingual Sentence Representations, arXiv:1809.05053; for ko "
        "Ham et al. 2020, KorNLI and KorSTS, arXiv:2004.03289; for my the data set myXNLI"
    ),
    notes=(
        "The English training data is MultiNLI; in the other languages it is its machine translation.",
        "The id of an item is its position among the English items of the split, the same in every language and "
        "layout.",
        "Local files may add Korean (KorNLI) and Burmese (myXNLI, test only); the hub has the fifteen languages.",
    ),
    sizes={"validation": (2_490, 1, 45), "test": (5_010, 1, 45)},
    prompts=INFERENCE,
)

# MultiNLI -------------------------------------------------------------------------------------------------------

_MNLI_LAYOUT = (
    "multinli_1.0_train.jsonl and multinli_1.0_dev_matched.jsonl (or .txt) as in MultiNLI 1.0, or train.tsv and "
    "dev_matched.tsv as in GLUE; also in the folders multinli_1.0 or MNLI"
)


def _mnli_names(split: str, language: str) -> list[str]:
    part = "train" if split == "train" else "dev_matched"
    original = [
        f"{into}multinli_1.0_{part}.{kind}" for into in ("", "multinli_1.0/") for kind in ("jsonl", "txt")
    ]
    return [*original, f"{part}.tsv", f"MNLI/{part}.tsv"]


def _mnli_item(row: Row) -> ClassItem | None:
    label = class_label(row, ["gold_label"], _NAMES, drop=True)
    return class_item(identity(row, "pairID"), text_of(row, "sentence1"), text_of(row, "sentence2"), label)


def _hub_mnli(row: Row) -> ClassItem | None:
    item = _hub_pair(row)
    return item and replace(item, id=identity(row, "pairID"))


def _read_mnli(path: Path, faults: FileFaults) -> Iterator[Row]:
    yield from (read_jsonl if ".jsonl" in path.name else read_table)(path, faults)


_FIND_MNLI = one_of("MultiNLI", _mnli_names)
_PARSE_MNLI = parse_with(_read_mnli, _mnli_item)
_HUB_MNLI = HubSource(
    "nyu-mll/multi_nli",
    None,
    _hub_mnli,
    _MNLI_LAYOUT,
    {"validation": ("validation_matched",)},
    classes=_CLASSES,
)
_MNLI = TrainingTask(
    "mnli",
    "classification",
    _ENGLISH,
    _TRAINED,
    LocalSource(_FIND_MNLI, _PARSE_MNLI, _MNLI_LAYOUT),
    _HUB_MNLI,
    _CLASSES,
    evaluation_split="validation",
    licence="OANC, CC BY-SA 3.0, CC BY 3.0 and others, by genre",
    citation="Williams et al. 2018, A Broad-Coverage Challenge Corpus for Sentence Understanding, arXiv:1704.05426",
    notes=(
        "Items without a gold label ('-') are left out.",
        "Validation is the matched development set; the test labels were never released.",
    ),
    sizes={"train": (392_702, 1, 40), "validation": (9_815, 1, 40)},
    prompts=INFERENCE,
)

# ANLI -----------------------------------------------------------------------------------------------------------

_ANLI_LAYOUT = "R1, R2 and R3, each with train.jsonl, dev.jsonl and test.jsonl, as in anli_v1.0"
_LETTERS = {"e": 0, "n": 1, "c": 2}


def _anli_files(folder: Path, split: str, language: str) -> tuple[Path, ...]:
    files = [f"R{turn}/{_SHORT[split]}.jsonl" for turn in (1, 2, 3)]
    what = f"the {split} split of ANLI"
    return tuple(find_file(folder, [name, f"anli_v1.0/{name}"], what) for name in files)


def _anli_item(row: Row, labels: dict[str, int]) -> ClassItem | None:
    label = class_label(row, ["label"], labels)
    turn = re.search(r"r([123])$", row.part, re.IGNORECASE)
    if turn is None:
        raise RowError("the folder of the file is none of R1, R2 and R3")
    first, second = text_of(row, "context", "premise"), text_of(row, "hypothesis")
    return class_item(f"r{turn[1]}-{identity(row, 'uid')}", first, second, label)


_PARSE_ANLI = parse_with(read_jsonl, partial(_anli_item, labels=_LETTERS | _NAMES))
_HUB_ANLI = HubSource(
    "facebook/anli",
    None,
    partial(_anli_item, labels=_NUMBERED),
    _ANLI_LAYOUT,
    {name: tuple(f"{short}_r{turn}" for turn in (1, 2, 3)) for name, short in _SHORT.items()},
    classes=_CLASSES,
)
_ANLI = TrainingTask(
    "anli",
    "classification",
    _ENGLISH,
    _TRAINED | {"test": _ENGLISH},
    LocalSource(_anli_files, _PARSE_ANLI, _ANLI_LAYOUT),
    _HUB_ANLI,
    _CLASSES,
    licence="CC BY-NC 4.0",
    citation="Nie et al. 2020, Adversarial NLI, arXiv:1910.14599",
    notes=("The three rounds together, the id of an item begins with its round.",),
    sizes={"train": (162_865, 1, 100), "validation": (3_200, 1, 100), "test": (3_200, 1, 100)},
    prompts=INFERENCE,
)

# ANLI and MultiNLI ----------------------------------------------------------------------------------------------

_Find = Callable[[Path, str, str], tuple[Path, ...]]


def _union_files(folder: Path, split: str, language: str) -> tuple[Path, ...]:
    def inside(name: str, find: _Find) -> tuple[Path, ...]:
        own = folder / name
        return find(own if own.is_dir() else folder, split, language)

    return inside("anli", _anli_files) + inside("mnli", _FIND_MNLI)


def _named(prefix: str, items: list[Item]) -> list[Item]:
    return [replace(item, id=f"{prefix}-{item.id}") for item in items]


def _parse_union(files: tuple[Path, ...], split: str, language: str) -> list[Item]:
    anli = _named("anli", _PARSE_ANLI(files[:-1], split, language))
    return anli + _named("mnli", _PARSE_MNLI(files[-1:], split, language))


_ANLI_MNLI = TrainingTask(
    "anli_mnli",
    "classification",
    _ENGLISH,
    _TRAINED,
    LocalSource(_union_files, _parse_union, f"the folders anli ({_ANLI_LAYOUT}) and mnli ({_MNLI_LAYOUT})"),
    HubUnion((("anli", _HUB_ANLI), ("mnli", _HUB_MNLI))),
    _CLASSES,
    evaluation_split="validation",
    licence=f"ANLI {_ANLI.licence}; MultiNLI {_MNLI.licence}",
    citation=f"{_ANLI.citation}; {_MNLI.citation}",
    notes=("The union of the two, first ANLI; the id of an item begins with anli or mnli.", *_MNLI.notes),
    sizes={"train": (555_567, 1, 58), "validation": (13_015, 1, 55)},
    prompts=INFERENCE,
)

# SICK -----------------------------------------------------------------------------------------------------------

_SICK_FILES = {
    "train": "SICK_train.txt",
    "validation": "SICK_trial.txt",
    "test": "SICK_test_annotated.txt",
}
_SICK_LAYOUT = "SICK_train.txt, SICK_trial.txt and SICK_test_annotated.txt of SemEval 2014 task 1"


def _sick_item(row: Row, column: str, labels: dict[str, int], name: str) -> ClassItem | None:
    label = class_label(row, [column], labels)
    return class_item(identity(row, name), text_of(row, "sentence_A"), text_of(row, "sentence_B"), label)


_SICK = TrainingTask(
    "sick",
    "classification",
    _ENGLISH,
    _TRAINED | {"test": _ENGLISH},
    LocalSource(
        one_of("SICK", lambda split, _: [_SICK_FILES[split]]),
        parse_with(
            read_table, partial(_sick_item, column="entailment_judgment", labels=_NAMES, name="pair_ID")
        ),
        _SICK_LAYOUT,
    ),
    HubSource(
        "RobZamp/sick",
        None,
        partial(_sick_item, column="label", labels=_NUMBERED, name="id"),
        _SICK_LAYOUT,
        revision=PARQUET,
        classes=_CLASSES,
        shares=(0.289, 0.564, 0.148),
    ),
    _CLASSES,
    licence="CC BY-NC-SA 3.0",
    citation="Marelli et al. 2014, A SICK cure for the evaluation of compositional models, LREC 2014",
    sizes={"train": (4_500, 1, 30), "validation": (500, 1, 30), "test": (4_927, 1, 30)},
    prompts=INFERENCE,
)

TASKS = (_XNLI, _MNLI, _ANLI, _ANLI_MNLI, _SICK)
