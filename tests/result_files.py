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


def eee_record(model: str, results: Sequence[dict[str, Any]], **more: Any) -> dict[str, Any]:
    """Return a record of Every Eval Ever."""
    return {
        "schema_version": "0.3.0",
        "evaluation_id": f"demo/{model}/1",
        "retrieved_timestamp": "1",
        "source_metadata": {"source_type": "evaluation_run", "source_organization_name": "us"},
        "eval_library": {"name": "demo", "version": "1"},
        "model_info": {"name": model, "id": f"org/{model}", "additional_details": {}},
        "evaluation_results": list(results),
        **more,
    }


def eee_result(
    name: str,
    score: float,
    *,
    dataset: str = "demo",
    metric: str = "accuracy",
    n: int | None = None,
    error: float | None = None,
    interval: tuple[float, float, float | None] | None = None,
    low: float | None = 0.0,
    high: float | None = 1.0,
    lower_is_better: bool = False,
    identifier: str | None = None,
) -> dict[str, Any]:
    """Return one result of a record of Every Eval Ever."""
    uncertainty: dict[str, Any] = {}
    if n is not None:
        uncertainty["num_samples"] = n
    if error is not None:
        uncertainty["standard_error"] = {"value": error}
    if interval is not None:
        bounds = {"lower": interval[0], "upper": interval[1]}
        uncertainty["confidence_interval"] = bounds | (
            {} if interval[2] is None else {"confidence_level": interval[2]}
        )
    result: dict[str, Any] = {
        "evaluation_name": name,
        "source_data": {"dataset_name": dataset, "source_type": "other"},
        "metric_config": {"lower_is_better": lower_is_better, "score_type": "continuous"}
        | ({"metric_id": metric} if metric else {})
        | ({} if low is None else {"min_score": low})
        | ({} if high is None else {"max_score": high}),
        "score_details": {"score": score, "uncertainty": uncertainty},
    }
    return result | ({"evaluation_result_id": identifier} if identifier else {})


def eee_answer(identifier: str, sample: int, right: bool) -> dict[str, Any]:
    """Return one answer in a file of samples of Every Eval Ever."""
    return {
        "evaluation_id": "demo",
        "evaluation_name": identifier,
        "evaluation_result_id": identifier,
        "sample_id": f"s{sample}",
        "sample_hash": f"h{sample}",
        "interaction_type": "single_turn",
        "evaluation": {"score": float(right), "is_correct": right},
    }


def inspect_log(
    model: str, answers: Sequence[int], *, task: str = "demo/xnli_sw", epochs: int = 1
) -> dict[str, Any]:
    """Return a log of Inspect."""
    p, se = accuracy(sum(answers), len(answers))
    samples = [
        {
            "id": i,
            "epoch": 1,
            "input": f"item {i}",
            "target": "A",
            "scores": {"choice": {"value": "CI"[1 - right]}},
        }
        for i, right in enumerate(answers)
    ]
    metrics = {"accuracy": {"name": "accuracy", "value": p}, "stderr": {"name": "stderr", "value": se}}
    return {
        "version": 2,
        "status": "success",
        "eval": {
            "task": task,
            "task_id": "x",
            "task_version": 0,
            "model": model,
            "config": {"epochs": epochs},
            "packages": {"inspect_ai": "0.3.1"},
        },
        "results": {
            "total_samples": len(answers),
            "completed_samples": len(answers),
            "scores": [{"name": "choice", "scorer": "choice", "metrics": metrics}],
        },
        "samples": samples,
    }


def write_helm(folder: Path, model: str, answers: Sequence[int], *, run: str = "mmlu:subject=law") -> Path:
    """Write a run of HELM."""

    def stat(name: str, mean: float, **more: Any) -> dict[str, Any]:
        return {"name": {"name": name, "split": "test", **more}, "count": 1, "sum": mean, "mean": mean}

    spec = {"name": f"{run},model={model}", "adapter_spec": {"model": model, "max_train_instances": 5}}
    worst = {"name": "robustness", "computed_on": "worst"}
    mean = sum(answers) / len(answers)
    stats = [
        stat("exact_match", mean),
        stat("exact_match", 0.0, perturbation=worst),
        stat("num_instances", len(answers)),
        stat("logprob", -3.0),
    ]
    items = [
        {"instance_id": f"id{i}", "train_trial_index": 0, "stats": [stat("exact_match", right)]}
        for i, right in enumerate(answers)
    ]
    write_json(folder / "run_spec.json", spec)
    write_json(folder / "per_instance_stats.json", items)
    return write_json(folder / "stats.json", stats)


def lighteval_results(model: str, correct: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """Return what lighteval writes; ``"task|shots"`` -> right answers and items."""
    pairs = {task: accuracy(*counts) for task, counts in correct.items()}
    results = {task: {"acc": p, "acc_stderr": se} for task, (p, se) in pairs.items()}
    tasks = {
        task: {"name": task, "evaluation_splits": ["test"], "effective_num_docs": n, "metrics": []}
        for task, (_, n) in correct.items()
    }
    return {
        "config_general": {"model_name": model, "lighteval_sha": "abc"},
        "results": results | {"all": {"acc": 0.5, "acc_stderr": 0.1}},
        "versions": dict.fromkeys(correct, 0),
        "config_tasks": tasks,
    }


def euroeval_line(model: str, mcc: float, radius: float, params: int = 10**9) -> dict[str, Any]:
    """Return a line of EuroEval's results of before it wrote records."""
    return {
        "dataset": "quiz-da",
        "task": "knowledge",
        "languages": ["da"],
        "model": model,
        "results": {
            "raw": [{"test_mcc": (mcc + shift) / 100} for shift in (-1.0, 1.0)],
            "total": {"test_mcc": mcc, "test_mcc_se": radius, "test_runtime": 3.0},
        },
        "num_model_parameters": params,
        "few_shot": True,
        "validation_split": False,
        "euroeval_version": "13.0.0",
    }


def leaderboard(models: dict[str, tuple[str, str]]) -> str:
    """Return a table of EuroEval's leaderboards; model -> its size and its cell."""
    first = (
        "<span>Task Type</span>,,<a href='https://euroeval.com/tasks/knowledge/'>Knowledge</a>,<span>x</span>"
    )
    second = (
        "Model,Parameters,<a href='https://euroeval.com/datasets/danish#quiz-da'>quiz_da</a>,quiz_da_version"
    )
    rows = [
        f"\"<a href='https://example.invalid/{model}'>{model}</a>\",{size},{cell}@@1.0,1.0@@1"
        for model, (size, cell) in models.items()
    ]
    return "\n".join([first, second, *rows]) + "\n"


def model_card(model: str, scores: dict[str, float]) -> str:
    """Return a model card with scores of XNLI by language."""
    results = "".join(
        "  - task: {type: nli}\n"
        f"    dataset: {{type: xnli, name: XNLI ({code}), config: {code}, split: validation}}\n"
        f"    metrics: [{{type: Accuracy, value: {score}}}]\n"
        for code, score in scores.items()
    )
    return f"---\nlicense: mit\nmodel-index:\n- name: {model}\n  results:\n{results}---\n# A model\n"


def workbook(rows: Sequence[Sequence[str | float]]) -> bytes:
    """Return a workbook (.xlsx) of one sheet: text among the shared texts, numbers in their cells."""
    import io
    import zipfile
    from xml.sax.saxutils import escape

    main = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    texts = list(dict.fromkeys(cell for row in rows for cell in row if isinstance(cell, str)))
    lines = []
    for number, row in enumerate(rows, start=1):
        cells = [
            f'<c r="{chr(65 + i)}{number}" t="s"><v>{texts.index(cell)}</v></c>'
            if isinstance(cell, str)
            else f'<c r="{chr(65 + i)}{number}"><v>{cell}</v></c>'
            for i, cell in enumerate(row)
            if cell != ""
        ]
        lines.append(f'<row r="{number}">{"".join(cells)}</row>')
    shared = "".join(f"<si><t>{escape(text)}</t></si>" for text in texts)
    files = {
        "xl/workbook.xml": f'<workbook xmlns="{main}" xmlns:r="{office}"><sheets>'
        '<sheet name="a" sheetId="1" r:id="rId1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": '<Relationships><Relationship Id="rId1" Target="worksheets/sheet1.xml"/>'
        "</Relationships>",
        "xl/sharedStrings.xml": f'<sst xmlns="{main}">{shared}</sst>',
        "xl/worksheets/sheet1.xml": f'<worksheet xmlns="{main}"><sheetData>{"".join(lines)}</sheetData></worksheet>',
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()
