"""Whether pretraining is what carries scores to other languages: models against controls of their own size."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.formats import format_interval, format_number
from gainlaw.scores.evaluations.sampling import chance_of_rows
from gainlaw.sizes import format_params

if TYPE_CHECKING:
    import pandas as pd
    from numpy.typing import NDArray

    from gainlaw.scores.evaluations.record import EvaluationsRecord

    Float = NDArray[np.float64]

__all__ = ["ALL_TASKS", "AT_CHANCE", "ControlCheck", "check_controls"]

#: What the column ``task`` says of the mean over tasks.
ALL_TASKS = "all tasks"
#: A control is at chance within that many standard errors.
AT_CHANCE = 2.0


@dataclass(frozen=True, slots=True, eq=False)
class ControlCheck:
    """What models have over controls of their own size, outside one language.

    Attributes
    ----------
    sizes : pandas.DataFrame
        For each size and task, and for all tasks: ``params, task, runs, control_runs, pretrained, control``, and
        ``over`` with ``se, ci_low, ci_high``: how much of the way from chance to certainty the mean score is, in
        percent, and what the models have over the controls; NaN at sizes without a control.
    chance : pandas.DataFrame
        For each task: ``task, runs``, and ``above`` with ``se``: how far the controls of all sizes are above chance.
    failures : tuple of str
        What keeps the ladder from being evidence on transfer; empty where nothing does.
    words : str
        The verdict in a sentence or two.
    """

    sizes: pd.DataFrame
    chance: pd.DataFrame
    failures: tuple[str, ...]
    words: str

    @property
    def passed(self) -> bool:
        """Whether models beat their controls at every size, and these are at chance."""
        return not self.failures


def check_controls(
    evals: EvaluationsRecord, control: str, *, home: str = "en", ci_prob: float = 0.95
) -> ControlCheck:
    """Compare models with controls of the same size, in all languages but the one that they were trained in.

    A ladder is evidence on transfer only if, over all tasks, the models beat their controls at every size, with the
    interval, and the controls are at chance in every task. Scores with and without intermediate training count alike.

    Parameters
    ----------
    evals : Evaluations
        Scores of models and of controls, with the answers to items.
    control : str
        The model family of the controls; all others are models.
    home : str
        The language of training.
    ci_prob : float
        Of the intervals.

    Returns
    -------
    ControlCheck

    Raises
    ------
    InputError
        If there is no such family, no other language, no chance level, no answers to items, or a size has one run.

    Notes
    -----
    The error of a mean has two parts: runs, of which each size has few (their variance over their number), and items,
    which all runs and languages share (the variance of an item's mean score over the number of items; of the difference
    for what models have over controls). Intervals are Student's, with the degrees of freedom of Welch (1947) and
    Satterthwaite (1946).

    Examples
    --------
    >>> import gainlaw as gl
    >>> check = check_controls(gl.load_dataset("ladder"), "no pretraining")
    >>> set(check.chance["task"]) == {"world_nli", "world_copa"}
    True
    """
    import pandas as pd

    rows = _scored(evals, control, home)
    sides = {side: rows[rows["control"].eq(side)] for side in (False, True)}
    tasks = sorted(rows["task"].unique())
    found, failures, alone = [], [], []
    for params in sorted(sides[False]["params"].unique()):
        of_size = {side: part[part["params"].eq(params)] for side, part in sides.items()}
        for task in (ALL_TASKS, *tasks):
            wanted = tasks if task == ALL_TASKS else [task]
            row = {"params": params, "task": task} | _compare(of_size, wanted, ci_prob)
            found.append(row)
            size = format_params(params)
            if np.isnan(row["over"]):
                if task == ALL_TASKS:
                    failures.append(f"there is no control of {size}")
            elif not row["ci_low"] > 0:
                if task == ALL_TASKS:
                    interval = format_interval(row["ci_low"], row["ci_high"])
                    failures.append(
                        f"at {size} pretraining has {format_number(row['over'])} {interval} over its control"
                    )
                else:
                    alone.append((task, size))
    chance = []
    for task in tasks:
        mean = _mean(sides[True], [task])
        above, se = mean.estimate, mean.se
        chance.append({"task": task, "runs": mean.runs, "above": above, "se": se})
        if not abs(above) <= AT_CHANCE * se:
            errors = format_number(above / se)
            failures.append(
                f"the controls are {format_number(above)} above chance on {task} ({errors} standard errors)"
            )
    sizes = pd.DataFrame(found)
    return ControlCheck(sizes, pd.DataFrame(chance), tuple(failures), _words(sizes, failures, alone, home))


def _scored(evals: EvaluationsRecord, control: str, home: str) -> pd.DataFrame:
    """Return one row an answer outside `home`: how far above chance, of which run, of a control or not."""
    frame = evals.frame
    guess = chance_of_rows(frame)
    problems = []
    if control not in set(frame["model_family"]):
        families = ", ".join(sorted(frame["model_family"].unique()))
        problems.append(
            Problem(f"there is no model family {control!r}", "control", hint=f"there are {families}")
        )
    if not frame["language"].ne(home).any():
        problems.append(Problem(f"there is no language beside {home}", "language"))
    if np.isnan(guess).any():
        problems.append(
            Problem("the chance level of a task is not known", "chance", hint="add n_classes or chance")
        )
    if evals.predictions is None:
        problems.append(
            Problem("there are no answers to items", hint="keep predictions.parquet beside the scores")
        )
    if problems:
        raise InputError(problems, source=evals.source)
    assert evals.predictions is not None
    at = evals.predictions["position"].to_numpy()
    base = frame["base_model"].where(frame["base_model"].ne(""), frame["model"])
    run = base + " " + frame["seed"].astype(str)
    chance = guess[at]
    rows = frame[["params", "task", "language"]].iloc[at].reset_index(drop=True)
    rows["run"] = run.to_numpy()[at]
    rows["control"] = frame["model_family"].eq(control).to_numpy()[at]
    rows["example"] = evals.predictions["example"].to_numpy()
    rows["above"] = 100 * (evals.predictions["correct"].to_numpy(float) - chance) / (1 - chance)
    rows = rows[rows["language"].ne(home)]
    runs = rows.groupby(["control", "params"])["run"].nunique()
    counts = zip(runs.index.to_list(), runs.to_list(), strict=True)
    single = [f"{format_params(key[1])}{' (control)' if key[0] else ''}" for key, n in counts if n < 2]
    if single:
        what = f"one run, so that the spread of runs is not known: {', '.join(single)}"
        raise InputError(
            Problem(what, hint="two pretraining seeds at least at every size"), source=evals.source
        )
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Mean:
    """A mean over runs and items, with the variances of both parts of its error, and the means of items by task."""

    estimate: float
    runs: int
    run_variance: float
    items: dict[str, pd.Series]

    @property
    def se(self) -> float:
        return float(np.sqrt(self.run_variance + _item_variance(self.items)))


def _mean(rows: pd.DataFrame, tasks: list[str]) -> _Mean:
    """Return the mean over tasks of what some rows have above chance."""
    rows = rows[rows["task"].isin(tasks)]
    of_run = rows.groupby(["run", "task"])["above"].mean().groupby("run").mean()
    items = {str(task): part.groupby("example")["above"].mean() for task, part in rows.groupby("task")}
    return _Mean(float(of_run.mean()), len(of_run), float(of_run.var(ddof=1)) / len(of_run), items)


def _item_variance(items: dict[str, pd.Series]) -> float:
    """Return the variance of the mean over tasks of the means of items, which are drawn for each task by itself."""
    return sum(float(each.var(ddof=1)) / len(each) for each in items.values()) / len(items) ** 2


def _compare(sides: dict[bool, pd.DataFrame], tasks: list[str], ci_prob: float) -> dict[str, float]:
    from scipy import stats

    model = _mean(sides[False], tasks)
    if not len(sides[True]):
        nothing = dict.fromkeys(("control", "over", "se", "ci_low", "ci_high"), np.nan)
        return {"runs": model.runs, "control_runs": 0, "pretrained": model.estimate} | nothing
    other = _mean(sides[True], tasks)
    differences = {task: model.items[task] - other.items[task] for task in model.items}
    parts = (
        (model.run_variance, model.runs - 1),
        (other.run_variance, other.runs - 1),
        (_item_variance(differences), min(map(len, differences.values())) - 1),
    )
    variance = sum(each for each, _ in parts)
    freedom = variance**2 / sum(each**2 / n for each, n in parts) if variance else np.inf
    over, se = model.estimate - other.estimate, float(np.sqrt(variance))
    reach = float(stats.t.ppf((1 + ci_prob) / 2, freedom)) * se
    return {
        "runs": model.runs,
        "control_runs": other.runs,
        "pretrained": model.estimate,
        "control": other.estimate,
        "over": over,
        "se": se,
        "ci_low": over - reach,
        "ci_high": over + reach,
    }


def _words(sizes: pd.DataFrame, failures: list[str], alone: list[tuple[str, str]], home: str) -> str:
    unit = "percent of the way from chance to certainty"
    if failures:
        return f"This ladder is no evidence on transfer: {'; '.join(failures)} (in {unit}, outside {home})."
    whole = sizes[sizes["task"].eq(ALL_TASKS)].sort_values("over")
    reach = " to ".join(dict.fromkeys(_of_size(row) for row in (whole.iloc[0], whole.iloc[-1])))
    said = (
        f"Outside {home}, models beat controls of their size without pretraining at every size, by {reach} "
        f"({unit}), and the controls are at chance."
    )
    for task in dict.fromkeys(task for task, _ in alone):
        *others, last = (size for each, size in alone if each == task)
        where = f"{', '.join(others)} and {last}" if others else last
        said += f" On {task} alone they do not at {where}."
    return said


def _of_size(row: pd.Series) -> str:
    interval = format_interval(row["ci_low"], row["ci_high"])
    return f"{format_number(row['over'])} {interval} at {format_params(row['params'])}"
