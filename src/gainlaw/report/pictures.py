"""The figures of the page: pictures whose points can be asked, and forests whose rows can be sorted."""

from __future__ import annotations

import io
import json
from collections.abc import Mapping, Sequence
from html import escape
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from gainlaw.figures.common.style import inline_svg
from gainlaw.formats import MINUS, format_interval, format_number, format_probability, level_title, percent
from gainlaw.scales import SCALES, Scale
from gainlaw.tables.html import slug

if TYPE_CHECKING:
    from gainlaw.report.exhibits import Exhibit
    from gainlaw.tables.table import Table

__all__ = ["forest", "picture"]

# Longer data stay in the file beside the page: a page of many megabytes opens slowly.
_MOST_DATA = 150_000
_TICKS = 5
_COUNTS = {"n_languages": "Languages", "n_checkpoints": "Checkpoints", "n_rows": "Gains"}


def picture(exhibit: Exhibit, other: Exhibit | None = None, scales: Sequence[str] = ()) -> str:
    """Return a figure with its caption, room for its number, and what its points are.

    Parameters
    ----------
    exhibit : Exhibit
        The figure.
    other : Exhibit, optional
        The same on the other scale, which a reader may have instead.
    scales : sequence of str
        The scales of both, the figure's first.
    """
    shown = [exhibit] if other is None else [exhibit, other]
    named = scales if len(shown) > 1 else ("",)
    plots = "\n".join(
        _plot(each, scale, hidden=each is other) for each, scale in zip(shown, named, strict=False)
    )
    width = "half" if exhibit.narrow else "wide"
    return f'<figure id="fig-{slug(exhibit.name)}" class="{width}">\n{plots}\n{_caption(exhibit)}\n</figure>'


def _plot(exhibit: Exhibit, scale: str, *, hidden: bool) -> str:
    key = f"fig-{slug(exhibit.name)}"
    label = escape(exhibit.alt, quote=True)
    svg = inline_svg(exhibit.files["svg"], key).replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
    told = {"name": exhibit.name, "spots": exhibit.spots}
    if len(exhibit.data) <= _MOST_DATA:
        told["csv"] = exhibit.data
    shown = f"{_scale(scale)}{' hidden' if hidden else ''}"
    data = f'<script type="application/json">{_json(told)}</script>'
    return f'<div class="plot" tabindex="0"{shown}>\n{svg}\n{data}\n</div>'


def _json(value: object) -> str:
    """Return JSON that can stand in a script element, whatever names are in it."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"))
    return text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e")


def _caption(exhibit: Exhibit) -> str:
    return f"<figcaption><b>Figure #</b> {escape(exhibit.caption)}</figcaption>"


def _scale(scale: str) -> str:
    return f' data-scale="{escape(SCALES[scale].title, quote=True)}"' if scale else ""


def forest(exhibit: Exhibit, table: Table | None, digits: Mapping[Scale, int], *, noted: bool = True) -> str:
    """Return a forest plot as a table with a picture in every row, which can be sorted, searched and read aloud.

    Parameters
    ----------
    exhibit : Exhibit
        The forest; its data are the rows.
    table : Table or None
        The table of the same groups, whose names and notes it has.
    digits : mapping of str to int
        Decimals by scale; the first scale is shown, the others are there to be switched to.
    noted : bool
        Whether to say below it what the mark of a mostly prior number means.
    """
    texts = dict.fromkeys(("level", "group", "label", "scale", "estimand"), str)
    rows = pd.read_csv(io.StringIO(exhibit.data), dtype=texts, keep_default_na=False, na_values={
        name: [""] for name in ("mean", "low50", "high50", "ci_low", "ci_high", "p_positive", *_COUNTS)
    })  # fmt: skip
    scales = [scale for scale in digits if (rows["scale"] == scale).any()]
    first = rows[rows["scale"] == scales[0]]
    titles = _titles(table)
    parts = {
        scale: _Side(rows[rows["scale"] == scale], scale, digits[scale], scale != scales[0])
        for scale in scales
    }
    counts = [name for name in _COUNTS if first[name].notna().any()]
    level = str(first["level"].iloc[0])
    key = f"tab-{slug(exhibit.name)}"
    head = f'<th scope="col" class="text">{escape(level_title(level).capitalize())}</th>'
    head += "".join(part.head() for part in parts.values())
    head += "".join(f'<th scope="col" class="num">{_COUNTS[name]}</th>' for name in counts)
    lines = []
    for place, row in enumerate(first.to_dict("records")):
        group = (str(row["level"]), str(row["group"]))
        mean = row["level"] != level
        rule = ' class="rule"' if mean and first["level"].iloc[place - 1] == level else ""
        cells = "".join(part.cells(group, mean=mean) for part in parts.values())
        cells += "".join(
            f'<td class="num" data-name="{_COUNTS[name].lower()}">{format_number(row[name], 0)}</td>'
            for name in counts
        )
        name = escape(titles.get(group, str(row["label"])))
        lines.append(f'<tr{rule}><th scope="row" class="text">{name}</th>{cells}</tr>')
    marked = " ".join(note for note in (() if table is None else table.notes) if note.startswith("†"))
    notes = f'<p class="notes">{escape(marked)}</p>' if marked and noted else ""
    body = "\n".join(lines)
    return (
        f'<figure id="fig-{slug(exhibit.name)}" class="forest">\n{_caption(exhibit)}\n'
        f'<div class="table-box" role="region" tabindex="0" aria-label="{escape(exhibit.caption, quote=True)}">\n'
        f'<table id="{key}" aria-label="{escape(exhibit.caption, quote=True)}">\n<thead><tr>{head}</tr></thead>\n'
        f"<tbody>\n{body}\n</tbody>\n</table>\n</div>\n{notes}</figure>"
    )


def _titles(table: Table | None) -> dict[tuple[str, str], str]:
    """Return the names that a table has for its groups, by level and group; they mark what is mostly prior."""
    if table is None:
        return {}
    return {
        (str(row["level"]), str(row["group"]).partition("=")[2]): str(row["title"])
        for row in table.frame.to_dict("records")
    }


class _Side:
    """The cells of a forest on one scale."""

    def __init__(self, rows: pd.DataFrame, scale: str, digits: int, hidden: bool) -> None:
        self.rows = {(str(row["level"]), str(row["group"])): row for row in rows.to_dict("records")}
        self.wide = percent(rows["ci_prob"].iloc[0])
        self.digits = digits
        self.unit = SCALES[scale].per_decade if rows["estimand"].iloc[0] == "slope" else SCALES[scale].unit
        self.estimand = str(rows["estimand"].iloc[0])
        self.shown = f"{_scale(scale)}{' hidden' if hidden else ''}"
        known = rows[["ci_low", "ci_high"]].to_numpy(float)
        ends = np.append(known[np.isfinite(known)], 0.0)
        pad = 0.03 * (float(np.ptp(ends)) or 1.0)
        self.low, self.high = float(ends.min()) - pad, float(ends.max()) + pad

    def _at(self, value: float) -> str:
        return f"{100 * (value - self.low) / (self.high - self.low):.2f}%"

    def head(self) -> str:
        """Return the headings: the picture with the numbers of its axis, mean and interval, probability."""
        from matplotlib.ticker import MaxNLocator

        ticks = [
            tick
            for tick in MaxNLocator(_TICKS, steps=[1, 2, 2.5, 5, 10]).tick_values(self.low, self.high)
            if self.low <= tick <= self.high
        ]
        marks = "".join(
            f'<text x="{self._at(tick)}" y="11" text-anchor="middle">{escape(f"{tick:g}".replace("-", MINUS))}</text>'
            f'<line x1="{self._at(tick)}" x2="{self._at(tick)}" y1="14" y2="18"/>'
            for tick in ticks
        )
        title = escape(f"{self.estimand.capitalize()}, {self.unit}")
        name = escape(f"mean [{self.wide} interval], {self.unit}", quote=True)
        return (
            f'<th scope="col" class="bar"{self.shown}>{title}<svg aria-hidden="true" width="100%" height="18">{marks}'
            f'</svg></th><th scope="col" class="num"{self.shown} data-name="{name}">Mean [{self.wide}&nbsp;interval]'
            "</th>"
            f'<th scope="col" class="num"{self.shown} data-name="P(&gt; 0), {escape(self.unit)}">P(&gt;&nbsp;0)</th>'
        )

    def cells(self, group: tuple[str, str], *, mean: bool) -> str:
        """Return the cells of one group; those of a group that this scale lacks are empty."""
        row = self.rows.get(group)
        if row is None:
            return f'<td class="bar"{self.shown}></td>' + f'<td class="num"{self.shown}>–</td>' * 2
        interval = format_interval(row["ci_low"], row["ci_high"], self.digits, MINUS)
        estimate = f"{format_number(row['mean'], self.digits, MINUS)} {interval}"
        kind = "bar mean" if mean else "bar"
        return (
            f'<td class="{kind}"{self.shown}>{self._bar(row)}</td><td class="num"{self.shown}>{estimate}</td>'
            f'<td class="num"{self.shown} data-name="P(&gt; 0)">{escape(format_probability(row["p_positive"]))}</td>'
        )

    def _bar(self, row: Mapping[Any, Any]) -> str:
        low, half, half_high, high = (
            self._at(row[name]) for name in ("ci_low", "low50", "high50", "ci_high")
        )
        zero = self._at(0.0)
        return (
            '<svg aria-hidden="true" width="100%" height="16">'
            f'<line class="zero" x1="{zero}" x2="{zero}" y1="0" y2="16"/>'
            f'<line class="whole" x1="{low}" x2="{high}" y1="8" y2="8"/>'
            f'<line class="half" x1="{half}" x2="{half_high}" y1="8" y2="8"/>'
            f'<circle cx="{self._at(row["mean"])}" cy="8" r="3.5"/></svg>'
        )
