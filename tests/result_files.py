"""Result files as evaluation programs write them, made up and small, for the tests of the importers."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

TIME = "2025-01-02T03-04-05.000006"
LANGUAGES = ("en", "sw", "tr")


def write_json(path: Path, value: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
    return path


def accuracy(correct: int, n: int) -> tuple[float, float]:
    """Return an accuracy and its standard error as harnesses write them."""
    p = correct / n
    return p, math.sqrt(p * (1 - p) / (n - 1))


def old_results(model: str, correct: dict[str, tuple[int, int]], shots: int | None = 0) -> dict[str, Any]:
    """Return what the lm-evaluation-harness of 2023 writes; task -> right answers and items."""
    pairs = {task: accuracy(*counts) for task, counts in correct.items()}
    return {
        "results": {task: {"acc": p, "acc_stderr": se} for task, (p, se) in pairs.items()},
        "versions": dict.fromkeys(correct, 0),
        "config": {
            "model": "hf-causal",
            "model_args": f"pretrained={model},dtype=float16",
            "num_fewshot": shots,
        },
    }


def new_results(
    model: str,
    correct: dict[str, tuple[int, int]],
    *,
    params: int | None = None,
    shots: int = 0,
    version: float = 1.0,
    harness: str = "0.4.9",
    template: str | None = None,
    groups: Sequence[str] = (),
    text: str = "{{premise}}",
) -> dict[str, Any]:
    """Return what the lm-evaluation-harness writes since 2024."""
    results: dict[str, Any] = {
        group: {"acc,none": 0.5, "acc_stderr,none": 0.01, "alias": group} for group in groups
    }
    for task, counts in correct.items():
        p, se = accuracy(*counts)
        results[task] = {"alias": f" - {task}", "acc,none": p, "acc_stderr,none": se}
        results[task] |= {"acc_norm,none": p, "acc_norm_stderr,none": se}
    config: dict[str, Any] = {"model": "hf", "model_args": f"pretrained={model}", "model_revision": "main"}
    if params is not None:
        config["model_num_parameters"] = params
    return {
        "results": results,
        "groups": {group: results[group] for group in groups},
        "group_subtasks": {task: [] for task in correct} | {group: list(correct) for group in groups},
        "configs": {task: {"task": task, "test_split": "test", "doc_to_text": text} for task in correct},
        "versions": dict.fromkeys(correct, version),
        "n-shot": dict.fromkeys(correct, shots),
        "higher_is_better": {task: {"acc": True, "acc_norm": True} for task in correct},
        "n-samples": {task: {"original": n, "effective": n} for task, (_, n) in correct.items()},
        "config": config,
        "lm_eval_version": harness,
        "chat_template": template,
        "model_name": model,
    }


def write_answers(
    folder: Path, task: str, answers: Sequence[int], time: str = TIME, which: str = "none"
) -> Path:
    """Write the answers to the items of a task as the lm-evaluation-harness does."""
    folder.mkdir(parents=True, exist_ok=True)
    lines = [
        {
            "doc_id": i,
            "doc": {"premise": f"item {i}"},
            "target": "0",
            "resps": [["-1.0"]],
            "filter": which,
            "doc_hash": f"hash {i}",
            "acc": float(answer),
        }
        for i, answer in enumerate(answers)
    ]
    file = folder / f"samples_{task}_{time}.jsonl"
    file.write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    return file


def write_ladder(root: Path, sizes: Sequence[str] = ("1b", "3b", "7b"), n: int = 200) -> Path:
    """Write a folder of results with answers: models of several sizes and their -chat versions, XNLI in languages."""
    rng = np.random.default_rng(3)
    for step, size in enumerate(sizes):
        for name, shift in ((f"toy-{size}", 0.0), (f"toy-{size}-chat", 0.06)):
            folder = root / f"org__{name}"
            answers = {
                f"xnli_{language}": (rng.random(n) < 0.45 + 0.05 * step + shift + 0.02 * i).astype(int)
                for i, language in enumerate(LANGUAGES)
            }
            correct = {task: (int(each.sum()), n) for task, each in answers.items()}
            value = new_results(f"org/{name}", correct, groups=["xnli"])
            write_json(folder / f"results_{TIME}.json", value)
            for task, each in answers.items():
                write_answers(folder, task, each.tolist())
    return root
