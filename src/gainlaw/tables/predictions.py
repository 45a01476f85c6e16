"""The table of what laws of curves predict at new places."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.formats import format_general, percent
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.curves.chained import Chain
    from gainlaw.curves.fit import CurveFit

__all__ = ["chains_table", "predictions_table"]

_DOUBT = "They say how well the law is known, not whether it holds beyond the runs."


def predictions_table(fits: Mapping[str, CurveFit], places: Sequence[Mapping[str, str]]) -> Table:
    """Return what laws predict at places, in the unit in which it was measured, by the delta method.

    Parameters
    ----------
    fits : mapping of str to CurveFit
        Fits by curve.
    places : sequence of mapping of str to str
        What each place is made of, in numbers or text such as ``7B``.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit_curve([1e8, 3e8, 1e9, 3e9, 1e10], [9.0, 6.1, 4.0, 2.6, 1.8], law="power")
    >>> predictions_table({"loss": fit}, [{"params": "70B"}]).frame["reach"].round(9).tolist()
    [7.0]
    """
    from gainlaw.curves.places import reach, variables_at

    parts = []
    for curve, fit in fits.items():
        for place in places:
            at = variables_at(fit.law, {name: [text] for name, text in place.items()}, fit.points.columns)
            row = (
                fit.predict(at)
                .rename(columns={"gain": "value"})
                .assign(reach=reach(fit, at), status=fit.status)
            )
            if fit.logged:
                ends = ["value", "low", "high", "new_low", "new_high"]
                row[ends] = np.exp(row[ends])
                row["se"] *= row["value"]
            parts.append(
                row.rename(columns={"low": "value_low", "high": "value_high"}).assign(**_named(curve, place))
            )
    first = next(iter(fits.values()))
    note = f"{percent(first.ci_prob)} intervals by the delta method, of the mean and of a new {first.points.replicate}."
    return _table(
        pd.concat(parts, ignore_index=True), f"What the {first.law.title} law predicts.", [f"{note} {_DOUBT}"]
    )


def chains_table(chains: Mapping[str, Chain], places: Sequence[Mapping[str, str]], draws: int) -> Table:
    """Return what two laws, the second of what the first predicts, say of places.

    Parameters
    ----------
    chains : mapping of str to Chain
        Two laws for each curve.
    places : sequence of mapping of str to str
        What each place is made of, in numbers or text such as ``7B``.
    draws : int
        Refits.

    Examples
    --------
    >>> import numpy as np
    >>> import gainlaw as gl
    >>> size, wave = np.geomspace(1e8, 1e10, 12), 0.01 * np.cos(np.arange(12))
    >>> loss = 1.5 + (size / 1e9) ** -0.3 + wave
    >>> score = 0.25 + 0.7 / (1 + np.exp(4 * (loss - 2.4))) + wave[::-1]
    >>> first = gl.fit_curve(size, loss, law="offset_power")
    >>> chain = gl.chain(first, gl.fit_curve({"l": loss}, score, law="loss_accuracy", bounds={"c": (0.2, 0.3)}))
    >>> chains_table({"task": chain}, [{"params": "100B"}], 100).frame["reach"].round(9).tolist()
    [10.0]
    """
    parts = []
    for curve, each in chains.items():
        for place in places:
            row = each.predict({name: [text] for name, text in place.items()}, draws=draws)
            parts.append(row.assign(**_named(curve, place)))
    first = next(iter(chains.values()))
    made, between = first.resampled(draws), first.first.points.measured
    drawn = f"the same runs drawn for both ({made.kinds[0]})" if made.together else " and ".join(made.kinds)
    notes = [
        f"{percent(first.first.ci_prob)} intervals of {draws} refits of both laws to resampled runs, {drawn}. They say "
        "how well the laws are known, not whether they hold beyond the runs.",
        "Beyond: how far the first prediction lies outside what the second law was fitted to, in widths of that range.",
    ]
    caption = (
        f"{first.second.points.measured} by the {first.second.law.title} law of {between}, which the "
        f"{first.first.law.title} law predicts."
    )
    return _table(pd.concat(parts, ignore_index=True), caption, notes, between=between)


def _named(curve: str, place: Mapping[str, str]) -> dict[str, str]:
    return {"curve": task_title(curve), "place": ", ".join(f"{name} {text}" for name, text in place.items())}


def _table(frame: pd.DataFrame, caption: str, notes: Sequence[str], between: str = "") -> Table:
    shown = {"value_shown": ("value", "value_low", "value_high"), "new_shown": ("", "new_low", "new_high")}
    if between:
        shown["between_shown"] = ("between", "between_low", "between_high")
    for name, (at, low, high) in shown.items():
        ends = [f"[{_short(a)}, {_short(b)}]" for a, b in frame[[low, high]].to_numpy()]
        frame[name] = [f"{_short(v)} {end}" for v, end in zip(frame[at], ends, strict=True)] if at else ends
    columns = (
        Column("curve", "Curve"),
        Column("place", "At"),
        *[Column("between_shown", between, "right")] * bool(between),
        Column("value_shown", "Predicted", "right"),
        Column("new_shown", "New run", "right"),
        Column("reach", "Times the largest", "general", 3),
        *[Column("beyond", "Beyond", "number", 2)] * bool(between),
        Column("status", "Status", "status"),
    )
    return Table(
        "predictions", caption, frame, columns, notes=tuple(notes), rule_by="curve", size="footnotesize"
    )


def _short(value: float) -> str:
    return format_general(value, digits=4)
