"""From finished units to the table the statistics begin with: evaluations, and predictions beside it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from gainlaw._io import write_frame_atomic
from gainlaw.training.items.registry import task_of
from gainlaw.training.phases.registry import find_phase
from gainlaw.training.runs.graph import Cell, UnitGraph
from gainlaw.units.store import Store

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["BAD", "EVALUATIONS", "OUTPUTS", "collect", "collect_alignment", "write_results"]

EVALUATIONS, PREDICTIONS, ALIGNMENT = "evaluations.csv", "predictions.parquet", "alignment.csv"
OUTPUTS = (EVALUATIONS, PREDICTIONS, ALIGNMENT)
"""The tables of a run; the last where models are from scratch in the world."""
BAD = frozenset({"collapsed", "diverged", "unknown"})
"""How a training may have ended that must not be taken for one that went well."""
_KEYS = ("model", "intermediate", "task", "language", "seed", "prompt", "split", "metric", "protocol")


def collect(graph: UnitGraph, store: Store, source: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return evaluations and predictions of the cells whose unit is finished.

    Parameters
    ----------
    graph : UnitGraph
        The design.
    store : Store
        The units.
    source : str
        What the column ``source`` says.

    Returns
    -------
    evaluations : pandas.DataFrame
        The columns of an evaluations table, and ``params_non_embedding``, ``run_status`` (of the training: ``ok``,
        ``stopped early``, ``collapsed``, ``diverged``, ``unknown`` without its record, the last three also where it
        went wrong before the last phase; ``constant answer`` where every item got one answer) and, for prompts,
        ``prompt_agreement`` (Fleiss' kappa between the prompts of a model, task and language).
    predictions : pandas.DataFrame
        One row an item of the scores that are shares of right answers: the key columns, ``example`` and ``correct``.
    """
    import pandas as pd

    families = _world_families(graph, store)
    rows: list[dict[str, Any]] = []
    examples: list[np.ndarray] = []
    correct: list[np.ndarray] = []
    cells = sorted((c for c in graph.cells if store.has(graph.units[c.unit])), key=_order)
    for cell in cells:
        folder = store.path(cell.unit)
        info = _read(store.path(cell.source) / "info.json")
        task = task_of(graph.units[cell.unit].spec)
        trained = _training_status(graph, store, cell.trained)
        answers = pd.read_parquet(folder / "predictions.parquet", columns=_columns(folder))
        common: dict[str, Any] = {
            "model_family": cell.model_family,
            "model": cell.model,
            "params": cell.params or info["params"],
            "base_model": cell.base_model,
            "intermediate": cell.intermediate,
            "task": cell.task,
            "seed": cell.seed,
            "split": cell.split,
            "protocol": cell.protocol,
        }
        scores = _read(folder / "scores.json")
        for score in scores:
            status = trained if trained != "ok" else score["status"]
            here = answers[answers["language"] == score["language"]]
            for key in ("prompt", "metric"):
                if key in answers:
                    here = here[here[key].eq(score[key])]
            if not score.get("share", True):
                here = here.iloc[:0]
            row = common | {
                "language": score["language"],
                "prompt": score.get("prompt", ""),
                "metric": score.get("metric", task.metric),
                "n_correct": int(here["correct"].sum()) if score.get("share", True) else None,
                "n_examples": score["n_examples"],
                "n_classes": task.n_classes,
                "source": source,
                "params_non_embedding": info["params_non_embedding"],
                "run_status": status,
            }
            if not score.get("share", True):
                row |= {"score": score["score"], "stderr": score["stderr"]}
            if task.chance is not None:
                row["chance"] = task.chance
            if "prompt_agreement" in score:
                row["prompt_agreement"] = score["prompt_agreement"]
            if score["language"] in families:
                row["language_family"] = row["genus"] = families[score["language"]]
            rows.append(row)
            examples.append(here["example"].to_numpy(dtype=object))
            correct.append(here["correct"].to_numpy())
    if not rows:
        return pd.DataFrame(), pd.DataFrame()
    frame = pd.DataFrame(rows).astype(dict.fromkeys(("n_correct", "n_examples", "n_classes"), "Int64"))
    # Each key is written once a score, and repeated as a code: there may be millions of items.
    row_of = np.repeat(np.arange(len(frame)), [len(each) for each in examples])
    columns: dict[str, Any] = {}
    for key in _KEYS:
        if key == "seed":
            columns[key] = frame[key].to_numpy()[row_of]
        else:
            kinds = pd.Categorical(frame[key])
            columns[key] = pd.Categorical.from_codes(kinds.codes[row_of], kinds.categories)
    columns["example"] = pd.array(np.concatenate(examples), dtype="str")
    columns["correct"] = np.concatenate(correct).astype("int8")
    predictions = pd.DataFrame(columns)
    return frame[[name for name in _SHOWN if name in frame]], predictions


_SHOWN = (
    *("model_family", "model", "params", "params_non_embedding", "base_model", "intermediate", "task"),
    *(
        "language",
        "language_family",
        "genus",
        "n_correct",
        "n_examples",
        "score",
        "stderr",
        "seed",
        "prompt",
        "split",
        "metric",
    ),
    *("protocol", "n_classes", "chance", "run_status", "prompt_agreement", "source"),
)


def _training_status(graph: UnitGraph, store: Store, name: str) -> str:
    """Return how the training of a model ended; a phase that went wrong marks all that came after it."""
    last = ""
    while name:
        status = ""
        if find_phase(graph.units[name].kind).trains:
            try:
                status = str(_read(store.path(name) / "result.json")["status"])
            except (OSError, ValueError, KeyError, TypeError):
                status = "unknown"
        if status in BAD:
            return status
        last = last or status
        name = graph.units[name].parents.get("model", "")
    return last or "ok"


def _order(cell: Cell) -> tuple[Any, ...]:
    return (cell.model_family, cell.task, cell.intermediate, cell.model, cell.seed)


def _columns(folder: Path) -> list[str]:
    import pyarrow.parquet as parquet

    names = parquet.read_schema(folder / "predictions.parquet").names
    return [name for name in ("language", "prompt", "metric", "example", "correct") if name in names]


def _read(path: Path) -> Any:
    return json.loads(path.read_text(encoding="utf-8"))


def _world_families(graph: UnitGraph, store: Store) -> Mapping[str, str]:
    """Return the family of each language of the synthetic world, if there is one."""
    for unit in graph.units.values():
        if "languages.json" in find_phase(unit.kind).leaves and store.has(unit):
            table = _read(store.path(unit.name) / "languages.json")
            return {row["language"]: row["language_family"] for row in table}
    return {}


def collect_alignment(graph: UnitGraph, store: Store) -> pd.DataFrame:
    """Return how far the models from scratch have the languages of the world in one place, as far as it is measured.

    Returns
    -------
    pandas.DataFrame
        Of each model and language but English: ``words`` and ``sentences``, how many there are, and
        ``word_retrieval`` and ``sentence_retrieval``, the share of those that find the English one of the same meaning.
    """
    import pandas as pd

    families = _world_families(graph, store)
    rows = []
    for each in graph.alignments:
        if store.has(graph.units[each.unit]):
            info = _read(store.path(each.source) / "info.json")
            common = {"model_family": each.model_family, "model": each.model, "params": info["params"]}
            common["params_non_embedding"] = info["params_non_embedding"]
            for found in _read(store.path(each.unit) / "alignment.json"):
                family = {"language_family": families[found["language"]]}
                rows.append(common | {"language": found["language"]} | family | found)
    return pd.DataFrame(rows)


def write_results(graph: UnitGraph, store: Store, folder: Path, source: str) -> int:
    """Write ``evaluations.csv`` and ``predictions.parquet``; return the number of scores.

    Both, and ``alignment.csv`` of models from scratch in the world, are derived from the finished units and written
    whole: a run that is not finished leaves the table of what is.
    """
    alignment = collect_alignment(graph, store)
    if len(alignment):
        write_frame_atomic(alignment, folder / ALIGNMENT)
    evaluations, predictions = collect(graph, store, source)
    if len(evaluations):
        write_frame_atomic(predictions, folder / PREDICTIONS)
        write_frame_atomic(evaluations, folder / EVALUATIONS)
    return len(evaluations)
