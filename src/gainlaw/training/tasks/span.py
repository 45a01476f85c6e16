"""Questions answered by a piece of a text: SQuAD 1.1 and 2.0."""

from __future__ import annotations

from collections.abc import Mapping

from gainlaw.training.items.files import one_of, parse_with
from gainlaw.training.items.hub import HubSource
from gainlaw.training.items.spans import read_questions, span_item
from gainlaw.training.items.task import LocalSource, TrainingTask

__all__ = ["TASKS"]


def _squad(
    version: str, hub: str, unanswerable: bool, citation: str, sizes: Mapping[str, tuple[int, float, float]]
) -> TrainingTask:
    layout = f"train-v{version}.json and dev-v{version}.json as published"

    def names(split: str, language: str) -> list[str]:
        return [f"{'train' if split == 'train' else 'dev'}-v{version}.json"]

    convert = span_item(unanswerable)
    return TrainingTask(
        f"squad_v{version[0]}",
        "span",
        ("en",),
        {"train": ("en",), "validation": ("en",)},
        LocalSource(one_of(f"SQuAD {version}", names), parse_with(read_questions, convert), layout),
        HubSource(hub, None, convert, layout),
        evaluation_split="validation",
        licence="CC BY-SA 4.0",
        citation=citation,
        notes=(
            "An answer that does not stand where the file says is taken where it occurs nearest; one that does not "
            "occur is refused.",
            "The test answers were never released; validation is the split to score.",
        ),
        sizes=sizes,
    )


TASKS = (
    _squad(
        "1.1",
        "rajpurkar/squad",
        False,
        "Rajpurkar et al. 2016, SQuAD, arXiv:1606.05250",
        {"train": (87_599, 1.1, 180), "validation": (10_570, 1.1, 185)},
    ),
    _squad(
        "2.0",
        "rajpurkar/squad_v2",
        True,
        "Rajpurkar et al. 2018, Know What You Don't Know: Unanswerable Questions for SQuAD, arXiv:1806.03822",
        {"train": (130_319, 1.1, 180), "validation": (11_873, 1.1, 190)},
    ),
)
