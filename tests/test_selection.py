"""A part of an experiment: what stays, what goes, and that its record gives the same part again."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

pytest.importorskip("pydantic")

from gainlaw.errors import InputError
from gainlaw.training.experiment.reading import open_experiment
from gainlaw.training.experiment.taskchecks import folders_wanted

SIZES = ["xlm-roberta-base", "xlm-roberta-large", "xlm-roberta-xl", "xlm-roberta-xxl"]
NINE = ["anli", "mnli", "qqp", "squad_v2", "squad", "hellaswag", "ccg", "cosmos_qa", "commonsense_qa"]


@pytest.mark.parametrize(
    ("only", "without", "sizes", "intermediates", "targets"),
    [
        ([], ["ccg"], SIZES, [*(n for n in NINE if n != "ccg"), "multitask-without-ccg"], 3),
        ([], ["multitask", "CCG", SIZES[3]], SIZES[:3], [n for n in NINE if n != "ccg"], 3),
        ([SIZES[0], "mnli"], [], SIZES[:1], ["mnli"], 3),
        (["XNLI"], [*NINE, "multitask"], SIZES, [], 1),
        (["ccg", "mnli", "xcopa"], ["ccg"], SIZES, ["mnli"], 1),
    ],
)
def test_what_is_left(
    only: list[str], without: list[str], sizes: list[str], intermediates: list[str], targets: int
) -> None:
    part = open_experiment("xtreme_r", only, without)
    assert [each.name for each in part.checkpoints] == sizes
    assert [each.name for each in part.intermediates] == intermediates
    assert len(part.targets) == targets
    tasks = {task for each in part.intermediates for task in each.tasks}
    assert folders_wanted(part) == (["ccg"] if "ccg" in tasks else [])
    whole = open_experiment("xtreme_r")
    assert part.sha256 != whole.sha256
    assert open_experiment("xtreme_r", [], []) == whole


def test_an_intermediate_that_loses_a_task_is_called_otherwise() -> None:
    part = open_experiment("xtreme_r", without=["ccg", "mnli"])
    last = part.intermediates[-1]
    assert last.name == "multitask-without-mnli-ccg"
    assert len(last.tasks) == 7


def test_the_record_of_a_run_gives_the_same_part_and_parts_of_it(tmp_path: Path) -> None:
    part = open_experiment("xtreme_r", ["xnli", SIZES[0]], ["ccg"])
    record = tmp_path / "run.json"
    kept = {"experiment": part.text, "folder": str(part.folder), "only": part.only, "without": part.without}
    record.write_text(json.dumps(kept))
    again = open_experiment(str(record))
    assert again == part
    assert again.sha256 == part.sha256
    less = open_experiment(str(record), ["mnli"], ["qqp"])
    record.write_text(json.dumps(kept | {"only": less.only, "without": less.without}))
    assert open_experiment(str(record)) == less
    assert [each.name for each in less.intermediates] == ["mnli"]


@pytest.mark.parametrize(
    ("name", "only", "without", "said"),
    [
        ("xtreme_r", ["xnlii"], ["cgc"], ["the experiment has no xnlii; did you mean xnli", "has no cgc"]),
        ("xtreme_r", [], SIZES, ["no checkpoint is left"]),
        ("xtreme_r", ["xnli"], ["xnli"], ["no target is left"]),
        ("prompted", [], ["bloom-3b"], ["bloomz-3b is compared with bloom-3b, which is left out"]),
    ],
)
def test_what_cannot_be_left_out(name: str, only: list[str], without: list[str], said: list[str]) -> None:
    with pytest.raises(InputError) as caught:
        open_experiment(name, only, without)
    assert all(each in str(caught.value) for each in said)
