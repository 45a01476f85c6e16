"""Paraphrases: PAWS-X, and Quora question pairs as in GLUE."""

from __future__ import annotations

from gainlaw.training.items.files import one_of, parse_with, read_pairs, read_table
from gainlaw.training.items.hub import HubSource
from gainlaw.training.items.items import ClassItem
from gainlaw.training.items.rows import Row, class_item, class_label, identity, text_of
from gainlaw.training.items.task import LocalSource, TrainingTask
from gainlaw.training.prompting.english import PARAPHRASE, QUESTIONS

__all__ = ["TASKS"]

_CLASSES = ("different", "same")
_NAMES = {"0": 0, "1": 1}


_LANGUAGES = ("de", "en", "es", "fr", "ja", "ko", "zh")
_PAWSX_LAYOUT = (
    "LANGUAGE/dev_2k.tsv and LANGUAGE/test_2k.tsv, en/train.tsv and LANGUAGE/translated_train.tsv as in x-final, or "
    "one dev-LANGUAGE.tsv, test-LANGUAGE.tsv and train-LANGUAGE.tsv a language with two sentences and the label"
)
_SHORT = {"train": "train", "validation": "dev", "test": "test"}


def _pawsx_names(split: str, language: str) -> list[str]:
    own = "train.tsv" if language == "en" else "translated_train.tsv"
    own = own if split == "train" else f"{_SHORT[split]}_2k.tsv"
    return [f"{language}/{own}", f"x-final/{language}/{own}", f"{_SHORT[split]}-{language}.tsv"]


def _pawsx_item(row: Row) -> ClassItem | None:
    label = class_label(row, ["label"], _NAMES, drop=True)
    name = identity(row, "id") if "id" in row.cells else str(row.number)
    return class_item(name, text_of(row, "first", "sentence1"), text_of(row, "second", "sentence2"), label)


_PAWSX = TrainingTask(
    "pawsx",
    "classification",
    _LANGUAGES,
    {"train": _LANGUAGES, "validation": _LANGUAGES, "test": _LANGUAGES},
    LocalSource(one_of("PAWS-X", _pawsx_names), parse_with(read_pairs, _pawsx_item), _PAWSX_LAYOUT),
    HubSource(
        "google-research-datasets/paws-x", "{language}", _pawsx_item, _PAWSX_LAYOUT, shares=(0.56, 0.44)
    ),
    _CLASSES,
    licence="free for any purpose, acknowledgement of Google LLC asked for",
    citation="Yang et al. 2019, PAWS-X: A Cross-lingual Adversarial Dataset, arXiv:1908.11828",
    notes=(
        "Training data in another language than English is machine-translated.",
        "Sentences that could not be translated stand in the files as 'NS'; they keep their labels and are kept.",
        "The id of an item is the file's, or its line in files without ids, which is the same number.",
        "Pairs that the hub marks as unlabelled (-1) are left out.",
        "The labels of the test pairs differ between languages in a few places, as published.",
    ),
    sizes={"train": (49_401, 1, 65), "validation": (2_000, 1, 70), "test": (2_000, 1, 70)},
    prompts=PARAPHRASE,
)

_ENGLISH = ("en",)
_QQP_LAYOUT = "train.tsv and dev.tsv as in GLUE; also in the folder QQP"
_BROKEN = 10


def _qqp_names(split: str, language: str) -> list[str]:
    return [f"{_SHORT[split]}.tsv", f"QQP/{_SHORT[split]}.tsv"]


def _qqp_item(row: Row) -> ClassItem | None:
    label = class_label(row, ["is_duplicate"], _NAMES)
    return class_item(identity(row, "id"), text_of(row, "question1"), text_of(row, "question2"), label)


def _hub_qqp(row: Row) -> ClassItem | None:
    label = class_label(row, ["label"], _NAMES)
    name = f"glue-{identity(row, 'idx')}"
    return class_item(name, text_of(row, "question1"), text_of(row, "question2"), label)


_QQP = TrainingTask(
    "qqp",
    "classification",
    _ENGLISH,
    {"train": _ENGLISH, "validation": _ENGLISH},
    LocalSource(one_of("QQP", _qqp_names), parse_with(read_table, _qqp_item, _BROKEN), _QQP_LAYOUT),
    HubSource(
        "nyu-mll/glue",
        "qqp",
        _hub_qqp,
        _QQP_LAYOUT,
        classes=("not_duplicate", "duplicate"),
        shares=(0.63, 0.37),
    ),
    _CLASSES,
    evaluation_split="validation",
    licence="Quora's terms of service",
    citation="Iyer et al. 2017, First Quora Dataset Release: Question Pairs; Wang et al. 2019, GLUE, arXiv:1804.07461",
    notes=(
        f"GLUE's files have a few rows broken by line feeds; up to {_BROKEN} such rows are left out.",
        "The hub numbers the pairs in its own way, its ids begin with glue.",
        "The test labels were never released.",
    ),
    sizes={"train": (363_846, 1, 32), "validation": (40_430, 1, 32)},
    prompts=QUESTIONS,
)

TASKS = (_PAWSX, _QQP)
