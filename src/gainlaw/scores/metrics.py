"""The metrics of scores: which are shares of items, their range and direction, and what guessing scores."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from gainlaw.notes import Note
from gainlaw.tasks import find_task

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scales import Scale

__all__ = [
    "DECLARED",
    "METRICS",
    "Metric",
    "MetricFacts",
    "chance",
    "find_metric",
    "metric_facts",
    "metric_notes",
    "metric_of_row",
]

Kind = Literal["share", "mean", "statistic"]
DECLARED = ("metric_share", "metric_better", "metric_min", "metric_max", "metric_point")
"""Columns by which a table declares a metric of its own, or overrides what the registry says of one."""


@dataclass(frozen=True, slots=True)
class Metric:
    """What a score means.

    Attributes
    ----------
    name : str
        The metric's name, in lower case with underscores.
    kind : {"share", "mean", "statistic"}
        ``share``: items answered rightly out of n, so that the error is binomial and log-odds exist; ``mean``:
        an average over items of values from `low` to `high`, whose variance is at most
        ``(score - low)(high - score)/n``; ``statistic``: anything else, whose error must be given.
    better : {"up", "down"}
        The direction of improvement.
    low, high : float
        The range of the metric.
    point : float
        What one point of gain is in the metric's unit: 0.01 of a fraction, 1 of BLEU.
    chance : float or "classes"
        What guessing scores; ``"classes"`` is 1 / n_classes, NaN is unknown.
    known : bool
        Whether the registry or the user says what the metric is.
    """

    name: str
    kind: Kind = "share"
    better: Literal["up", "down"] = "up"
    low: float = 0.0
    high: float = 1.0
    point: float = 0.01
    chance: float | Literal["classes"] = math.nan
    known: bool = True

    @property
    def best(self) -> float:
        """The best score there can be; infinite where there is no such."""
        return self.high if self.better == "up" else self.low

    def missing_scale(self, scale: Scale) -> str:
        """Return why there is no gain on a scale, or an empty string where there is one.

        Examples
        --------
        >>> METRICS["wer"].missing_scale("log_odds")
        'wer is no share of items answered rightly'
        >>> METRICS["wer"].missing_scale("error_reduction")
        ''
        """
        if scale == "log_odds" and self.kind != "share":
            return f"{self.name} is no share of items answered rightly"
        if scale in {"normalized", "error_reduction"} and math.isinf(self.best):
            return f"{self.name} has no best value"
        return ""

    def remark(self) -> str:
        """Return what a reader of the gains must know of the metric, or an empty string for a share."""
        if not self.known:
            return f"metric {self.name!r} is not known: its gains are taken as given, and positive as better"
        said = []
        if self.better == "down":
            said.append("lower is better, so a gain is the baseline's score minus the intermediate's")
        if self.kind != "share":
            said.append(f"a point is {self.point:g}")
            said.append("it is no share of items answered rightly, so there is no log-odds scale")
        return f"metric {self.name!r}: {'; '.join(said)}" if said else ""


def _entry(names: str, metric: Metric) -> dict[str, Metric]:
    first, *aliases = names.split()
    return dict.fromkeys((first, *aliases), replace(metric, name=first))


_SHARE = Metric("", chance="classes")
_FREE = Metric("", chance=0.0)
_MEAN = Metric("", "mean")
_STATISTIC = Metric("", "statistic")
_AGREEMENT = Metric("", "statistic", low=-1.0, chance=0.0)
_PERCENT = Metric("", "statistic", high=100.0, point=1.0)
_ERRORS = Metric("", "statistic", "down")
_LOSS = Metric("", "statistic", "down", high=math.inf)
_KS = (1, 2, 3, 4, 5, 8, 10, 16, 20, 25, 32, 50, 64, 100, 128, 200, 256)
_REGISTRY: dict[str, Metric] = {
    **_entry("accuracy acc accuracy_score top_1 top1 top_1_accuracy top1_accuracy", _SHARE),
    **_entry("acc_norm accuracy_norm normalized_accuracy length_normalized_accuracy", _SHARE),
    **_entry("acc_bytes acc_norm_bytes acc_char acc_norm_char acc_token acc_norm_token", _SHARE),
    **_entry("accuracy_per_character accuracy_per_byte accuracy_per_token", _SHARE),
    **_entry("acc_mutual_info mc1", _SHARE),
    **_entry("exact_match em exact exact_match_score", _SHARE),
    **_entry("quasi_exact_match quasi_em", _SHARE),
    **_entry("prefix_exact_match quasi_prefix_exact_match", _SHARE),
    **_entry("prompt_level_strict_acc prompt_level_strict_accuracy", _FREE),
    **_entry("prompt_level_loose_acc prompt_level_loose_accuracy", _FREE),
    **{k: v for n in _KS for k, v in _entry(f"pass@{n} pass_{n} pass_at_{n}", _FREE).items()},
    **_entry("inst_level_strict_acc inst_level_strict_accuracy", _STATISTIC),
    **_entry("inst_level_loose_acc inst_level_loose_accuracy", _STATISTIC),
    **_entry("balanced_accuracy balanced_acc", replace(_STATISTIC, chance="classes")),
    **_entry("token_f1 squad_f1 qa_f1 f1_token quasi_f1", _MEAN),
    **_entry("f1 f1_score f_score f_measure binary_f1 f1_binary", _STATISTIC),
    **_entry("macro_f1 f1_macro macro_f1_score f1_macro_score", _STATISTIC),
    **_entry("micro_f1 f1_micro micro_f1_score micro_f1_no_misc span_f1 entity_f1", _STATISTIC),
    **_entry("weighted_f1 f1_weighted", _STATISTIC),
    **_entry("precision macro_precision", _STATISTIC),
    **_entry("recall macro_recall", _STATISTIC),
    **_entry(
        "mcc matthews matthews_correlation matthews_corrcoef matthews_correlation_coefficient", _AGREEMENT
    ),
    **_entry("kappa cohen_kappa cohens_kappa cohen's_kappa quadratic_weighted_kappa qwk", _AGREEMENT),
    **_entry(
        "spearman spearmanr spearman_rho spearman_correlation spearman_corr cosine_spearman rho", _AGREEMENT
    ),
    **_entry("pearson pearsonr pearson_r pearson_correlation pearson_corr cosine_pearson", _AGREEMENT),
    **_entry("kendall kendall_tau kendalltau", _AGREEMENT),
    **_entry("auroc roc_auc auc roc_auc_score", replace(_STATISTIC, chance=0.5)),
    **_entry("average_precision auprc pr_auc map mean_average_precision", _STATISTIC),
    **_entry("mrr mean_reciprocal_rank", _MEAN),
    **_entry("ndcg ndcg_10 ndcg@10 ndcg_at_10 ndcg_5 ndcg@5 ndcg_at_5", _MEAN),
    **_entry("v_measure v_measure_score", _STATISTIC),
    **_entry("mc2", _MEAN),
    **_entry("win_rate winrate length_controlled_win_rate", replace(_MEAN, chance=0.5)),
    **_entry("bleu sacrebleu spbleu corpus_bleu bleu_4 bleu4", _PERCENT),
    **_entry("chrf chrf++ chrf2 chrf2++ chr_f chr_f++ chrfpp", _PERCENT),
    **_entry("rouge1 rouge_1 rouge1_fmeasure", _MEAN),
    **_entry("rouge2 rouge_2 rouge2_fmeasure", _MEAN),
    **_entry("rougel rouge_l rougel_fmeasure rouge rougelsum rouge_lsum", _MEAN),
    **_entry("meteor", _MEAN),
    **_entry("bertscore bert_score bertscore_f1 bert_score_f1", replace(_STATISTIC, low=-1.0)),
    **_entry("comet comet_22 comet22 xcomet", replace(_STATISTIC, low=-math.inf, high=math.inf)),
    **_entry("jaccard iou", _STATISTIC),
    **_entry("r2 r_squared r2_score", replace(_STATISTIC, low=-math.inf)),
    **_entry("log_likelihood loglikelihood", replace(_STATISTIC, low=-math.inf, high=math.inf)),
    **_entry("wer word_error_rate", _ERRORS),
    **_entry("cer character_error_rate char_error_rate", _ERRORS),
    **_entry("ter translation_edit_rate translation_error_rate", replace(_PERCENT, better="down")),
    **_entry("error_rate err error", replace(_MEAN, better="down")),
    **_entry("brier_score brier", replace(_MEAN, better="down", high=2.0)),
    **_entry("ece expected_calibration_error calibration_error", _ERRORS),
    **_entry("loss cross_entropy cross_entropy_loss ce_loss nll nll_loss log_loss", _LOSS),
    **_entry("negative_log_likelihood", _LOSS),
    **_entry("bits_per_byte bpb bits_per_character bits_per_char bpc", _LOSS),
    **_entry(
        "perplexity ppl word_perplexity byte_perplexity token_perplexity",
        replace(_LOSS, low=1.0, point=1.0),
    ),
    **_entry("mae mean_absolute_error", replace(_LOSS, point=1.0)),
    **_entry("mse mean_squared_error", replace(_LOSS, point=1.0)),
    **_entry("rmse root_mean_squared_error", replace(_LOSS, point=1.0)),
}
METRICS: Mapping[str, Metric] = MappingProxyType({metric.name: metric for metric in _REGISTRY.values()})
"""The known metrics by name."""

_SPLIT = re.compile(r"(test|eval|val|valid|validation|dev)_(?=.)")
_PROMPTS = re.compile(r"(?<=.)_(median|max|mean|min|best)_of_\d+_prompts")


@lru_cache(maxsize=65536)
def find_metric(name: str) -> Metric | None:
    """Return the metric called `name`, or None.

    Case and separators (blanks, dashes, dots, slashes) do not count; nor do the name of a split in front
    (``test_mcc``), a filter behind a comma (``acc,none``) and an aggregate over prompts
    (``accuracy_median_of_5_prompts``). Otherwise the name must be one of those listed: no name is known by
    how it begins.

    Parameters
    ----------
    name : str
        A metric as a file has it.

    Examples
    --------
    >>> find_metric("Macro-F1").name, find_metric("acc,none").name, find_metric("pass@1").kind
    ('macro_f1', 'accuracy', 'share')
    >>> find_metric("embedding_similarity") is None
    True
    """
    plain = re.sub(r"[\s\-./]+", "_", name.partition(",")[0].strip().casefold())
    for candidate in (plain, _PROMPTS.sub("", plain), _SPLIT.sub("", _PROMPTS.sub("", plain), count=1)):
        if candidate in _REGISTRY:
            return _REGISTRY[candidate]
    return None


def metric_of_row(name: str, task: str = "", declared: Mapping[str, Any] | None = None) -> Metric:
    """Return what a row's score means: what is declared of it, else what the registry knows of its name.

    Parameters
    ----------
    name : str
        The metric's name; where there is none, the task's usual metric, and accuracy for an unknown task.
    task : str, optional
        The task: ``f1`` is the average of the items' token F1 where answers are spans.
    declared : mapping, optional
        Values of the columns `DECLARED`; missing ones are "" or NaN.

    Examples
    --------
    >>> metric_of_row("f1", "xquad").kind, metric_of_row("f1", "xnli").kind, metric_of_row("").name
    ('mean', 'statistic', 'accuracy')
    >>> metric_of_row("mine", declared={"metric_share": "no", "metric_better": "down"}).best
    -inf
    """
    known = find_task(task)
    usual = "accuracy" if known is None else known.metric
    found = find_metric(name) if name else METRICS[usual]
    if found is not None and found.name == "f1" and usual == "token_f1":
        found = METRICS[usual]
    unknown = Metric(name, "statistic", low=-math.inf, high=math.inf, point=1.0, known=False)
    metric = unknown if found is None else found
    given = {key: value for key, value in (declared or {}).items() if value == value and value != ""}
    if not given:
        return metric
    changes: dict[str, Any] = {"name": name or metric.name}
    if given.get("metric_share") == "yes":
        share = Metric("", chance=metric.chance if metric.known else "classes")
        changes |= {name: getattr(share, name) for name in ("kind", "better", "low", "high", "point")}
        changes |= {"chance": share.chance, "known": True}
    elif given.get("metric_share") == "no" and metric.kind == "share":
        changes |= {"kind": "statistic", "chance": math.nan}
    if "metric_better" in given:
        changes |= {"better": given["metric_better"]}
        changes["known"] = changes.get("known", metric.known or "metric_share" in given)
    for key in ("low", "high"):
        column = {"low": "metric_min", "high": "metric_max"}[key]
        if column in given:
            changes[key] = float(given[column])
    top = changes.get("high", math.inf)
    if "metric_max" in given and math.isfinite(top) and top > 0:
        changes["point"] = top / 100.0
    if "metric_point" in given:
        changes["point"] = float(given["metric_point"])
    return replace(metric, **changes)


def chance(task: str, n_classes: float | None = None, metric: str | Metric = "") -> float:
    """Return what guessing scores on a task by a metric, in the metric's unit.

    Parameters
    ----------
    task : str
        The task's name.
    n_classes : float, optional
        The number of answers to choose from; wins over the table of known tasks unless it is NaN.
    metric : str or Metric, optional
        The metric; by default the task's usual one.

    Returns
    -------
    float
        ``1 / n_classes`` for accuracies, 0 for free answers, for correlations and for Matthews', or NaN when
        nothing is known.

    Examples
    --------
    >>> round(chance("xnli"), 4), chance("xcopa"), chance("my_task", 4), chance("my_task")
    (0.3333, 0.5, 0.25, nan)
    >>> chance("xnli", metric="mcc"), chance("xnli", metric="macro_f1")
    (0.0, nan)
    """
    what = metric_of_row(metric, task) if isinstance(metric, str) else metric
    if what.chance != "classes":
        return float(what.chance)
    if n_classes is not None and not math.isnan(n_classes):
        return 1.0 / n_classes
    known = find_task(task)
    return math.nan if known is None else known.chance


@dataclass(frozen=True, slots=True, eq=False)
class MetricFacts:
    """What the rows of a table are measured in.

    Attributes
    ----------
    metrics : tuple of Metric
        The distinct metrics, in the order of first appearance.
    code : numpy.ndarray of int, shape (rows,)
        Which of them each row has.
    """

    metrics: tuple[Metric, ...]
    code: np.ndarray

    def of_rows(self, attribute: str) -> np.ndarray:
        """Return an attribute of each row's metric (``kind``, ``low``, ``high``, ``point``, ``best``, ...)."""
        return np.array([getattr(metric, attribute) for metric in self.metrics])[self.code]

    @property
    def share(self) -> np.ndarray:
        """Where the metric is a share of items, shape (rows,)."""
        return self.of_rows("kind") == "share"

    @property
    def mean(self) -> np.ndarray:
        """Where the metric is an average over items of bounded values, shape (rows,)."""
        return self.of_rows("kind") == "mean"

    @property
    def per_point(self) -> np.ndarray:
        """Points of gain for one unit of the metric, negative where lower is better, shape (rows,)."""
        return np.where(self.of_rows("better") == "up", 1.0, -1.0) / self.of_rows("point")


def metric_facts(frame: pd.DataFrame) -> MetricFacts:
    """Look up the metric of every row of a table of scores or gains.

    Parameters
    ----------
    frame : pandas.DataFrame
        With ``metric``, ``task`` and the columns `DECLARED` where there are such.

    Examples
    --------
    >>> import pandas as pd
    >>> facts = metric_facts(pd.DataFrame({"metric": ["acc", "wer"]}))
    >>> facts.share.tolist(), facts.per_point.tolist()
    ([True, False], [100.0, -100.0])
    """
    columns = [name for name in ("metric", "task", *DECLARED) if name in frame]
    if not columns or not len(frame):
        return MetricFacts((METRICS["accuracy"],), np.zeros(len(frame), np.int64))
    distinct: dict[Metric, int] = {}
    codes, firsts = _distinct(frame, columns)
    at = []
    for record in frame.iloc[firsts][columns].to_dict(orient="records"):
        name, task = str(record.pop("metric", "")), str(record.pop("task", ""))
        metric = metric_of_row(name, task, {str(key): value for key, value in record.items()})
        at.append(distinct.setdefault(metric, len(distinct)))
    return MetricFacts(tuple(distinct), np.array(at)[codes])


def spoken_metric(frame: pd.DataFrame) -> tuple[str, str]:
    """Return what the scores of a table are called, and the unit that they are shown in.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores or gains.

    Examples
    --------
    >>> import pandas as pd
    >>> [spoken_metric(pd.DataFrame({"metric": each})) for each in (["acc"], ["mcc"], ["acc", "bleu"])]
    [('accuracy', '%'), ('mcc', 'points'), ('score', 'points')]
    """
    metrics = metric_facts(frame).metrics
    names = {metric.name for metric in metrics}
    name = names.pop().replace("_", " ") if len(names) == 1 else "score"
    return name, "%" if all(metric.kind == "share" for metric in metrics) else "points"


def _distinct(frame: pd.DataFrame, columns: list[str]) -> tuple[np.ndarray, np.ndarray]:
    from gainlaw.scores.reading.cells import group_codes

    codes = group_codes(frame, columns)
    return codes, np.unique(codes, return_index=True)[1]


def metric_notes(frame: pd.DataFrame, lines: np.ndarray) -> list[Note]:
    """Return what a reader of the gains of a table must know of its metrics, a note each.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores or gains.
    lines : numpy.ndarray of int, shape (rows,)
        The line of each row.
    """
    facts = metric_facts(frame)
    notes = []
    for i, metric in enumerate(facts.metrics):
        if metric.remark():
            rows = tuple(int(line) for line in lines[facts.code == i])
            grave = metric.better == "down" or not metric.known
            severity: Literal["warning", "info"] = "warning" if grave else "info"
            notes.append(Note("metric", metric.remark(), rows, severity=severity))
    return notes
