"""The target tasks whose number of classes is known, hence their guess rate."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

__all__ = ["TASKS", "Task", "chance", "find_task"]


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
        What guessing scores: ``1 / n_classes``, 0 for free answers, NaN where it is not defined.
    """

    name: str
    title: str
    n_classes: int | None
    metric: str = "accuracy"

    @property
    def chance(self) -> float:
        """What guessing scores, as a fraction."""
        if self.n_classes is not None:
            return 1.0 / self.n_classes
        return 0.0 if self.metric in {"exact_match", "accuracy"} else math.nan


_LIST = (
    Task("xnli", "XNLI", 3),
    Task("mnli", "MultiNLI", 3),
    Task("anli", "ANLI", 3),
    Task("anli_r1", "ANLI R1", 3),
    Task("anli_r2", "ANLI R2", 3),
    Task("anli_r3", "ANLI R3", 3),
    Task("cb", "CommitmentBank", 3),
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
    Task("xquad", "XQuAD", None, "f1"),
    Task("mlqa", "MLQA", None, "f1"),
    Task("tydiqa_goldp", "TyDiQA-GoldP", None, "f1"),
    Task("wikiann_ner", "WikiANN NER", None, "f1"),
    Task("udpos", "UD POS", None, "f1"),
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


def chance(task: str, n_classes: float | None = None) -> float:
    """Return what guessing scores on a task, as a fraction.

    Parameters
    ----------
    task : str
        The task's name.
    n_classes : float, optional
        The number of answers to choose from; wins over the table of known tasks unless it is NaN.

    Returns
    -------
    float
        ``1 / n_classes``, 0 for free answers, or NaN when nothing is known about the task.

    Examples
    --------
    >>> round(chance("xnli"), 4), chance("xcopa"), chance("my_task", 4), chance("my_task")
    (0.3333, 0.5, 0.25, nan)
    """
    if n_classes is not None and not math.isnan(n_classes):
        return 1.0 / n_classes
    known = find_task(task)
    return math.nan if known is None else known.chance
