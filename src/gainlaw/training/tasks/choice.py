"""Multiple choice: XCOPA, COPA, Social IQa, HellaSwag, CommonsenseQA and CosmosQA.

Where an item asks a question, the context ends with it, in words. COPA's two questions are put in English in every
language: "What was the cause?" and "What happened as a result?".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from gainlaw.training.items.files import (
    find_file,
    one_of,
    parse_with,
    read_csv,
    read_jsonl,
    read_lines,
    read_xml,
)
from gainlaw.training.items.hub import PARQUET, HubSource
from gainlaw.training.items.items import ChoiceItem, Item
from gainlaw.training.items.rows import (
    FileFaults,
    NoLabelError,
    Row,
    RowError,
    choice_item,
    identity,
    option_index,
    text_of,
)
from gainlaw.training.items.task import LocalSource, TrainingTask
from gainlaw.training.prompting.english import CAUSES, ENDINGS, KNOWLEDGE, READING, SOCIAL

__all__ = ["TASKS"]

_ENGLISH = ("en",)
_TRAINED = {"train": _ENGLISH, "validation": _ENGLISH}
_NO_TEST = "The published test file has no answers; validation is the split to score."


# XCOPA and COPA -------------------------------------------------------------------------------------------------

_QUESTIONS = {"cause": "What was the cause?", "effect": "What happened as a result?"}


def _plausible(row: Row, name: str, texts: Sequence[str], asks: str, label: int) -> ChoiceItem:
    question = _QUESTIONS.get(str(row.cells.get(asks)))
    if question is None:
        raise RowError("neither cause nor effect", asks)
    premise, *options = (text_of(row, column) for column in texts)
    return choice_item(name, premise, question, options, label)


def _json_plausible(row: Row) -> ChoiceItem:
    texts = ("premise", "choice1", "choice2")
    return _plausible(row, identity(row, "idx"), texts, "question", option_index(row, "label", 2))


_XCOPA_LANGUAGES = ("et", "ht", "id", "it", "qu", "sw", "ta", "th", "tr", "vi", "zh")
_XCOPA_LAYOUT = (
    "LANGUAGE/val.LANGUAGE.jsonl and LANGUAGE/test.LANGUAGE.jsonl as in the authors' repository, also in its "
    "folder data, or the files alone"
)


def _xcopa_names(split: str, language: str) -> list[str]:
    name = f"{'val' if split == 'validation' else split}.{language}.jsonl"
    return [f"data/{language}/{name}", f"{language}/{name}", name]


_XCOPA = TrainingTask(
    "xcopa",
    "choice",
    _XCOPA_LANGUAGES,
    {"validation": _XCOPA_LANGUAGES, "test": _XCOPA_LANGUAGES},
    LocalSource(one_of("XCOPA", _xcopa_names), parse_with(read_jsonl, _json_plausible), _XCOPA_LAYOUT),
    HubSource("cambridgeltl/xcopa", "{language}", _json_plausible, _XCOPA_LAYOUT),
    english_side=("siqa", "copa"),
    licence="CC BY 4.0",
    citation="Ponti et al. 2020, XCOPA: A Multilingual Dataset for Causal Commonsense Reasoning, arXiv:2005.00333",
    notes=(
        "There is no training data; its paper trains on Social IQa and then on COPA, in English.",
        "The question is added to the premise in English words.",
        "The authors' machine translations into English (data-gmt) are read from that folder in the same way.",
    ),
    sizes={"validation": (100, 2, 28), "test": (500, 2, 28)},
    prompts=CAUSES,
)

_COPA_LAYOUT = (
    "copa-dev.xml and copa-test.xml, or copa-all.xml, as in COPA-resources (Balanced COPA's "
    "balanced-copa-dev-all.xml serves too), or train.jsonl and val.jsonl as in SuperGLUE; also in the folders "
    "datasets or COPA"
)
_COPA_IDS = {"train": (1, 400), "validation": (401, 500), "test": (501, 1000)}


def _copa_names(split: str, language: str) -> list[str]:
    part = "test" if split == "test" else "dev"
    names = [f"copa-{part}.xml", "copa-all.xml", f"copa-{part}-all.xml"]
    names += ["balanced-copa-dev-all.xml"] if part == "dev" else []
    plain = f"{'val' if split == 'validation' else split}.jsonl"
    return [f"{into}{name}" for into in ("", "datasets/") for name in names] + [plain, f"COPA/{plain}"]


def _xml_plausible(row: Row) -> ChoiceItem:
    label = option_index(row, "most-plausible-alternative", 2, first=1)
    return _plausible(row, identity(row, "id"), ("p", "a1", "a2"), "asks-for", label)


def _superglue_plausible(row: Row) -> ChoiceItem:
    item = _json_plausible(row)
    return replace(item, id=f"superglue-{item.id}")


def _parse_copa(files: tuple[Path, ...], split: str, language: str) -> list[Item]:
    if ".jsonl" in files[0].name:
        return parse_with(read_jsonl, _superglue_plausible)(files, split, language)
    first, last = _COPA_IDS[split]

    def of_split(path: Path, faults: FileFaults) -> Iterator[Row]:
        for row in read_xml(path, "item", faults):
            number = str(row.cells.get("id"))
            if not number.isdecimal():
                faults.add(row.source, row.place, RowError("no number", "id"))
            elif first <= int(number) <= last:
                yield row

    return parse_with(of_split, _xml_plausible)(files, split, language)


_COPA = TrainingTask(
    "copa",
    "choice",
    _ENGLISH,
    dict.fromkeys(_COPA_IDS, _ENGLISH),
    LocalSource(one_of("COPA", _copa_names), _parse_copa, _COPA_LAYOUT),
    HubSource("aps/super_glue", "copa", _superglue_plausible, _COPA_LAYOUT),
    evaluation_split="validation",
    licence="BSD 2-clause",
    citation="Roemmele et al. 2011, Choice of Plausible Alternatives, AAAI Spring Symposium",
    notes=(
        "Of the XML files, items 1 to 400 are the training split, 401 to 500 validation and 501 to 1000 test, as on "
        "the English side of XCOPA; mirrored items (from 1001) are left out.",
        "SuperGLUE has the items in an order of its own: their ids begin with superglue, its test has no labels.",
    ),
    sizes={"train": (400, 2, 24), "validation": (100, 2, 24)},
    prompts=CAUSES,
)

# Social IQa -----------------------------------------------------------------------------------------------------

_SIQA_LAYOUT = (
    "train.jsonl with train-labels.lst and dev.jsonl with dev-labels.lst, as in socialiqa-train-dev"
)


def _siqa_files(folder: Path, split: str, language: str) -> tuple[Path, ...]:
    part = "train" if split == "train" else "dev"
    found = []
    for file in (f"{part}.jsonl", f"{part}-labels.lst"):
        names = [file, f"socialiqa-train-dev/{file}"]
        found.append(find_file(folder, names, f"the {split} split of Social IQa"))
    return tuple(found)


def _siqa_item(row: Row) -> ChoiceItem:
    options = [text_of(row, f"answer{letter}") for letter in "ABC"]
    texts = text_of(row, "context"), text_of(row, "question")
    return choice_item(str(row.number), *texts, options, option_index(row, "label", 3, first=1))


def _parse_siqa(files: tuple[Path, ...], split: str, language: str) -> list[Item]:
    path, answers = files
    faults = FileFaults()
    labels = [text.strip() for _, text in read_lines(answers)]
    rows = list(read_jsonl(path, faults))
    if len(rows) != len(labels):
        message = f"{len(labels)} labels for the {len(rows)} items of {path.name}"
        faults.add(str(answers), len(labels), RowError(message))
        faults.raise_any()
    marked = (
        replace(row, cells={**row.cells, "label": label}) for row, label in zip(rows, labels, strict=True)
    )
    items = faults.items(marked, _siqa_item)
    faults.raise_any()
    return list(items)


_SIQA = TrainingTask(
    "siqa",
    "choice",
    _ENGLISH,
    _TRAINED,
    LocalSource(_siqa_files, _parse_siqa, _SIQA_LAYOUT),
    HubSource("lighteval/siqa", None, _siqa_item, _SIQA_LAYOUT),
    evaluation_split="validation",
    licence="CC BY 4.0",
    citation="Sap et al. 2019, Social IQa: Commonsense Reasoning about Social Interactions, arXiv:1904.09728",
    notes=("The question follows the context. The id of an item is its line.",),
    sizes={"train": (33_410, 3, 36), "validation": (1_954, 3, 36)},
    prompts=SOCIAL,
)

# HellaSwag ------------------------------------------------------------------------------------------------------

_HELLASWAG_LAYOUT = (
    "hellaswag_train.jsonl and hellaswag_val.jsonl as in the authors' repository, or in its folder data"
)


def _hellaswag_names(split: str, language: str) -> list[str]:
    name = f"hellaswag_{ {'train': 'train', 'validation': 'val'}[split] }.jsonl"
    return [name, f"data/{name}"]


def _hellaswag_item(row: Row) -> ChoiceItem:
    endings = row.cells.get("endings")
    if not isinstance(endings, list) or not all(isinstance(ending, str) for ending in endings):
        raise RowError("no list of texts", "endings")
    begun = text_of(row, "ctx_b") if row.cells.get("ctx_b") else ""
    options = [f"{begun} {ending.strip()}".strip() for ending in endings]
    context = text_of(row, "ctx_a")
    return choice_item(str(row.number), context, "", options, option_index(row, "label", len(options)))


_HELLASWAG = TrainingTask(
    "hellaswag",
    "choice",
    _ENGLISH,
    _TRAINED,
    LocalSource(
        one_of("HellaSwag", _hellaswag_names), parse_with(read_jsonl, _hellaswag_item), _HELLASWAG_LAYOUT
    ),
    HubSource("Rowan/hellaswag", None, _hellaswag_item, _HELLASWAG_LAYOUT),
    evaluation_split="validation",
    licence="MIT",
    citation="Zellers et al. 2019, HellaSwag: Can a Machine Really Finish Your Sentence?, arXiv:1905.07830",
    notes=(
        "The context is ctx_a; each option is the begun sentence ctx_b with an ending. The id is the line.",
        _NO_TEST,
    ),
    sizes={"train": (39_905, 4, 100), "validation": (10_042, 4, 100)},
    prompts=ENDINGS,
)

# CommonsenseQA --------------------------------------------------------------------------------------------------

_CSQA_LAYOUT = (
    "train_rand_split.jsonl and dev_rand_split.jsonl as published (v1.0 with 3 options, v1.11 with 5)"
)


def _csqa_names(split: str, language: str) -> list[str]:
    return [f"{'train' if split == 'train' else 'dev'}_rand_split.jsonl"]


def _csqa_item(row: Row) -> ChoiceItem:
    question: Any = row.cells.get("question")
    choices: Any = row.cells.get("choices")
    if isinstance(question, dict):
        question, choices = question.get("stem"), question.get("choices")
    if isinstance(choices, list) and all(isinstance(choice, dict) for choice in choices):
        choices = {key: [choice.get(key) for choice in choices] for key in ("label", "text")}
    if not isinstance(question, str):
        raise RowError("no text", "question")
    letters, texts = (
        (choices.get("label"), choices.get("text")) if isinstance(choices, dict) else (None, None)
    )
    if not letters or not texts or not all(isinstance(text, str) for text in texts):
        raise RowError("no choices with label and text", "choices")
    key = str(row.cells.get("answerKey") or "").strip()
    if not key:
        raise NoLabelError("no label", "answerKey")
    if key not in letters:
        raise RowError("not the letter of a choice", "answerKey")
    options = [text.strip() for text in texts]
    return choice_item(identity(row, "id"), "", question.strip(), options, letters.index(key))


_COMMONSENSE_QA = TrainingTask(
    "commonsense_qa",
    "choice",
    _ENGLISH,
    _TRAINED,
    LocalSource(one_of("CommonsenseQA", _csqa_names), parse_with(read_jsonl, _csqa_item), _CSQA_LAYOUT),
    HubSource("tau/commonsense_qa", None, _csqa_item, _CSQA_LAYOUT),
    varies=True,
    evaluation_split="validation",
    licence="MIT",
    citation="Talmor et al. 2019, CommonsenseQA, arXiv:1811.00937",
    notes=("Version 1.0 has three options an item, version 1.11 (the hub's) five.", _NO_TEST),
    sizes={"train": (9_741, 5, 24), "validation": (1_221, 5, 24)},
    prompts=KNOWLEDGE,
)

# CosmosQA -------------------------------------------------------------------------------------------------------

_COSMOS_LAYOUT = (
    "train.csv and valid.csv as in the authors' repository, or in its folder data; also as .jsonl"
)


def _cosmos_names(split: str, language: str) -> list[str]:
    part = "train" if split == "train" else "valid"
    return [f"{into}{part}.{kind}" for kind in ("csv", "jsonl") for into in ("", "data/")]


def _cosmos_item(row: Row) -> ChoiceItem:
    options = [text_of(row, f"answer{number}") for number in range(4)]
    texts = text_of(row, "context"), text_of(row, "question")
    return choice_item(identity(row, "id"), *texts, options, option_index(row, "label", 4))


def _read_cosmos(path: Path, faults: FileFaults) -> Iterator[Row]:
    yield from (read_jsonl if ".jsonl" in path.name else read_csv)(path, faults)


_COSMOS_QA = TrainingTask(
    "cosmos_qa",
    "choice",
    _ENGLISH,
    _TRAINED,
    LocalSource(one_of("CosmosQA", _cosmos_names), parse_with(_read_cosmos, _cosmos_item), _COSMOS_LAYOUT),
    HubSource("allenai/cosmos_qa", None, _cosmos_item, _COSMOS_LAYOUT, revision=PARQUET),
    evaluation_split="validation",
    licence="CC BY 4.0",
    citation="Huang et al. 2019, Cosmos QA, arXiv:1909.00277",
    notes=("The question follows the context.", _NO_TEST),
    sizes={"train": (25_262, 4, 115), "validation": (2_985, 4, 115)},
    prompts=READING,
)

TASKS = (_XCOPA, _COPA, _SIQA, _HELLASWAG, _COMMONSENSE_QA, _COSMOS_QA)
