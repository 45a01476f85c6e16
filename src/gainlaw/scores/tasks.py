"""The target tasks whose number of classes is known, hence their guess rate."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["TASKS", "Task", "find_task", "task_title"]


@dataclass(frozen=True, slots=True)
class Task:
    """A target task.

    Attributes
    ----------
    name : str
        The name used in evaluations, in lower case with underscores.
    title : str
        The name used in print.
    n_classes : int or None
        The number of answers to choose from; None for spans, tags and free text.
    metric : str
        The usual score.
    chance : float
        The share of items that guessing gets right: ``1 / n_classes``, 0 for free answers.
    """

    name: str
    title: str
    n_classes: int | None
    metric: str = "accuracy"

    @property
    def chance(self) -> float:
        """The share of items that guessing gets right."""
        return 0.0 if self.n_classes is None else 1.0 / self.n_classes


_LIST = (
    Task("xnli", "XNLI", 3),
    Task("mnli", "MultiNLI", 3),
    Task("anli", "ANLI", 3),
    Task("anli_r1", "ANLI R1", 3),
    Task("anli_r2", "ANLI R2", 3),
    Task("anli_r3", "ANLI R3", 3),
    Task("cb", "CB", 3),
    Task("rte", "RTE", 2),
    Task("pawsx", "PAWS-X", 2),
    Task("xcopa", "XCOPA", 2),
    Task("copa", "COPA", 2),
    Task("xstory_cloze", "XStoryCloze", 2),
    Task("story_cloze", "StoryCloze", 2),
    Task("xwinograd", "XWinograd", 2),
    Task("winogrande", "Winogrande", 2),
    Task("boolq", "BoolQ", 2),
    Task("wic", "WiC", 2),
    Task("wsc", "WSC", 2),
    Task("piqa", "PIQA", 2),
    Task("siqa", "Social IQa", 3),
    Task("hellaswag", "HellaSwag", 4),
    Task("belebele", "Belebele", 4),
    Task("mmlu", "MMLU", 4),
    Task("global_mmlu", "Global-MMLU", 4),
    Task("arc_challenge", "ARC Challenge", 4),
    Task("cosmos_qa", "CosmosQA", 4),
    Task("commonsense_qa", "CommonsenseQA", 5),
    Task("xquad", "XQuAD", None, "token_f1"),
    Task("mlqa", "MLQA", None, "token_f1"),
    Task("tydiqa_goldp", "TyDiQA-GoldP", None, "token_f1"),
    Task("wikiann_ner", "WikiANN NER", None, "micro_f1"),
    Task("udpos", "UD POS", None, "micro_f1"),
    Task("bucc", "BUCC", None, "f1"),
    Task("tatoeba", "Tatoeba", None),
    Task("mgsm", "MGSM", None, "exact_match"),
    Task("world_nli", "World NLI", 3),
    Task("world_copa", "World COPA", 2),
    Task("world_siqa", "World SIQA", 3),
)
_ALIASES = {
    "paws_x": "pawsx",
    "xstorycloze": "xstory_cloze",
    "storycloze": "story_cloze",
    "story_cloze_2016": "story_cloze",
    "arc": "arc_challenge",
    "tydiqa": "tydiqa_goldp",
}

TASKS: Mapping[str, Task] = MappingProxyType({task.name: task for task in _LIST})
"""The known tasks by name."""


def find_task(name: str) -> Task | None:
    """Return the task called `name` in any spelling of case and dashes, or None.

    Parameters
    ----------
    name : str
        A task name as a file has it.

    Examples
    --------
    >>> find_task("PAWS-X").title
    'PAWS-X'
    >>> find_task("my_task") is None
    True
    """
    plain = name.strip().casefold().replace("-", "_").replace(" ", "_")
    return TASKS.get(_ALIASES.get(plain, plain))


def task_title(name: str) -> str:
    """Return the name of a task or group as it is printed: known tasks as published, others unchanged.

    Examples
    --------
    >>> task_title("xstory_cloze"), task_title("Indo-European")
    ('XStoryCloze', 'Indo-European')
    """
    known = TASKS.get(_ALIASES.get(name.replace("-", "_"), name))
    return name if known is None else known.title
