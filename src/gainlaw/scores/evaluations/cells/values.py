"""What scores, counts and standard errors may be, given the metric of each row."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.metrics import DECLARED, METRICS, MetricFacts, metric_facts
from gainlaw.scores.reading.cells import parse_numbers, parse_text

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.reading.cells import TableFaults

__all__ = ["check_scores", "declared_columns", "report_unknown_metrics"]

_YES = {"yes": "yes", "true": "yes", "1": "yes", "no": "no", "false": "no", "0": "no"}
_BETTER = {"up": "up", "higher": "up", "down": "down", "lower": "down"}


def declared_columns(raw: pd.DataFrame, faults: TableFaults) -> dict[str, object]:
    """Read the columns by which a table says itself what a metric is.

    Parameters
    ----------
    raw : pandas.DataFrame
        The cells as given.
    faults : TableFaults
        Where values that are not allowed are reported.

    Returns
    -------
    dict of str to column
        ``metric_share`` (``yes`` or ``no``), ``metric_better`` (``up`` or ``down``), ``metric_min``,
        ``metric_max``, ``metric_point`` (numbers): those that the table has; blank where nothing is said.
    """
    import pandas as pd

    columns: dict[str, object] = {}
    for name, allowed in (("metric_share", _YES), ("metric_better", _BETTER)):
        if name not in raw:
            continue
        cells = raw[name].astype("str") if pd.api.types.is_bool_dtype(raw[name].dtype) else raw[name]
        given = parse_text(cells).str.casefold()
        where = (given.ne("") & ~given.isin(list(allowed))).to_numpy()
        faults.add("not a value it can have", column=name, where=where, hint=f"allowed: {', '.join(allowed)}")
        columns[name] = given.map(allowed).fillna("").astype("str")
    for name in DECLARED[2:]:
        if name in raw:
            cells = parse_text(raw[name]) if pd.api.types.is_object_dtype(raw[name].dtype) else raw[name]
            text = cells.astype("str").str.strip().str.casefold()
            endless = text.str.fullmatch(r"[+-]?inf(inity)?").fillna(False)
            numbers, _ = parse_numbers(cells.mask(endless), name, faults)
            sign = np.where(text.str.startswith("-"), -np.inf, np.inf)
            columns[name] = np.where(endless, sign, numbers)
    if "metric_point" in columns:
        given_point = np.asarray(columns["metric_point"], float)
        where = (given_point <= 0) | np.isinf(given_point)
        faults.add("not a number above 0", column="metric_point", where=where)
    both = columns.get("metric_share"), columns.get("metric_better")
    if both[0] is not None and both[1] is not None:
        where = (both[0].eq("yes") & both[1].eq("down")).to_numpy()  # type: ignore[attr-defined]
        hint = "a share counts the items answered rightly; give the share of errors as metric_share = no"
        faults.add("down for a share of items", column="metric_better", where=where, hint=hint)
    return columns


def report_unknown_metrics(frame: pd.DataFrame, faults: TableFaults) -> None:
    """Report metrics of which neither the registry nor the table says what they are.

    Parameters
    ----------
    frame : pandas.DataFrame
        Scores with ``metric``, and ``metric_share, metric_better, ...`` where given.
    faults : TableFaults
        Where they go.
    """
    import difflib

    facts = metric_facts(frame)
    for metric in dict.fromkeys(m.name for m in facts.metrics if not m.known):
        near = difflib.get_close_matches(metric.casefold(), list(METRICS), n=1, cutoff=0.8)
        maybe = f"did you mean {near[0]!r}? Or " if near else ""
        hint = (
            f"{maybe}declare it: --metric '{metric}:share=no,better=up,min=0,max=1' (metrics= in Python), or "
            "columns metric_share and metric_better"
        )
        unknown = ~facts.of_rows("known") & frame["metric"].eq(metric).to_numpy()
        what = f"the metric {metric!r} is not known: is it a share of items, and is higher better?"
        faults.add(what, column="metric", where=unknown, hint=hint)


def check_scores(frame: pd.DataFrame, faults: TableFaults) -> None:
    """Hold scores, counts and standard errors against each other and against the metric of their row.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed scores, NaN where missing.
    faults : TableFaults
        Where what is wrong goes.
    """
    facts = metric_facts(frame)
    _check_ranges(frame, facts, faults)
    counted = facts.share
    ratio = frame["n_correct"] / frame["n_examples"].where(frame["n_examples"] > 0)
    faults.add(
        "counts given for a metric that is no share of items",
        column="n_correct",
        where=frame["n_correct"].notna().to_numpy() & ~counted,
        hint="give stderr instead",
    )
    bound = facts.mean & np.isfinite(facts.of_rows("high") - facts.of_rows("low"))
    faults.add(
        "no value, and the metric is no share of items, so n_examples does not give its error",
        column="stderr",
        where=frame["stderr"].isna().to_numpy() & frame["n_examples"].notna().to_numpy() & ~(counted | bound),
        hint="give the standard error of each score, from a bootstrap over the items",
    )
    score = np.where(counted, ratio.fillna(frame["score"]), frame["score"])
    edge = (score == facts.of_rows("low")) | (score == facts.of_rows("high"))
    edge &= frame["n_examples"].notna().to_numpy() & (counted | bound)
    faults.add(
        "a standard error of 0",
        column="stderr",
        where=frame["stderr"].eq(0).to_numpy() & ~edge,
        hint="leave it blank when unknown; give n_examples",
    )


def _check_ranges(frame: pd.DataFrame, facts: MetricFacts, faults: TableFaults) -> None:
    """Report scores outside the range of their metric, and errors larger than it allows."""
    score, stderr = frame["score"].to_numpy(float), frame["stderr"].to_numpy(float)
    for i, metric in enumerate(facts.metrics):
        mine = facts.code == i
        name = "" if metric.name == "accuracy" else f" of {metric.name}"
        hint = "a score is a fraction between 0 and 1"
        if (metric.low, metric.high) != (0.0, 1.0):
            hint = f"{metric.name} goes from {metric.low:g} to {metric.high:g}"
        declare = f"; or declare the range: --metric '{metric.name}:max=100'"
        for what, limit, where in (
            (f"below {metric.low:g}", metric.low, mine & (score < metric.low)),
            (f"above {metric.high:g}", metric.high, mine & (score > metric.high)),
        ):
            if not where.any():
                continue
            said = hint
            if limit == 1.0 and 1.5 < np.median(score[where]) <= 100:
                said = "percent scores are divided by 100: 0.625, not 62.5; or say --unit points"
            if metric.kind != "share" and limit == metric.high:
                said += declare
            faults.add(f"{what}{name} ({score[where][0]:g})", column="score", where=where, hint=said)
        half = 0.5 * (metric.high - metric.low)
        where = mine & (stderr > half)
        if where.any():
            than = "any fraction" if half == 0.5 else f"any {metric.name}"
            what = f"above {half:g}, more than {than} can have ({stderr[where][0]:g})"
            faults.add(
                what,
                column="stderr",
                where=where,
                hint="the standard error of the score in its unit; blank when unknown",
            )
