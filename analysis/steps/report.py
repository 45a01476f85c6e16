"""Write the report, the paper, the tables and the figures drawn before, and the headline answer as text."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pandas as pd

import gainlaw as gl
from analysis.across import across_of
from analysis.steps.control import read_control
from gainlaw._io import write_text_atomic
from gainlaw.tables.table import Table


def run(
    inputs: Mapping[str, Path],
    output: Path,
    *,
    fits: Mapping[str, str],
    title: str,
    beside: Mapping[str, str] | None = None,
    across: Mapping[str, str] | None = None,
    preface: str = "",
) -> None:
    ground: tuple[Table, ...] = ()
    if "control" in inputs:
        verdict, ground = read_control(inputs["control"])
        preface = f"{preface} {verdict}"
    report = gl.write_report(
        {name: gl.load_fit(inputs[key]) for key, name in fits.items()},
        output.parent,
        verdicts=pd.read_csv(inputs["claims"]),
        comparison=pd.read_csv(inputs["compare"]) if "compare" in inputs else None,
        title=title,
        beside={name: gl.load_fit(inputs[key]) for key, name in (beside or {}).items()},
        figures=inputs["figures"],
        across=across_of(inputs, across),
        preface=preface,
        ground=ground,
    )
    said = ["" if report.across is None else report.across.text, report.answer.text]
    write_text_atomic(output, "\n\n".join(each for each in said if each) + "\n")
