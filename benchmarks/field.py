"""Which law foresees the gain of an unseen family, study or size, over every published ladder at once.

python -m benchmarks.field [--out docs/field.md]
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np
from analysis.steps.gather import every_ladder

import gainlaw as gl
from gainlaw.scores.evaluations.table import Evaluations

LEFT_OUT = {
    "family": "An unseen family",
    "study": "An unseen study",
    "checkpoint": "An unseen checkpoint",
    "largest": "The largest size of a family",
}
SETTINGS = {"draws": 1000, "chains": 4}
# Points above chance that the untuned score of a family on a benchmark must reach at some size.
FLOOR = 0.03


def off_the_floor(evals: Evaluations) -> Evaluations:
    """Return the rows of families and benchmarks whose untuned score leaves chance at some size."""
    frame = evals.frame
    above = (frame["score"] - frame["chance"]).where(frame["intermediate"].eq("none"))
    high = above.groupby([frame["model_family"], frame["task"]]).transform("max") > FLOOR
    columns = [name for name in frame if name not in ("score", "stderr", "row", "language_name", "genus")]
    kept = frame.loc[high, columns]
    kept = kept.assign(base_model=kept["base_model"].where(kept["intermediate"].ne("none"), ""))
    return gl.evaluations_from_frame(kept, "ladders off the floor", params_unit="1")


def section(evals: Evaluations) -> list[str]:
    """Return the tables of one set of rows."""
    gains = evals.gains()
    fits = {
        "line in size": gl.fit(gains, law="linear", **SETTINGS),
        "two curves": gl.fit(evals, law="two_curve", **SETTINGS),
        "ability": gl.fit(evals, law="ability", **SETTINGS),
    }
    lines = [f"{each.headline}." for each in fits.values()]
    lines = [" ".join(dict.fromkeys(lines)), ""]
    for leave, title in LEFT_OUT.items():
        table = gl.compare(fits, leave=leave)
        lines += [
            f"**{title}** ({table['groups'].iloc[0]} left out one by one, {table['gains'].iloc[0]} gains)",
            "",
            "| law | elpd | difference to the best (s.e.) | error of a group's mean | 95% intervals hold | Pareto k |",
            "|---|---|---|---|---|---|",
        ]
        for row in table.to_dict("records"):
            tail = "" if np.isinf(row["pareto_k_max"]) else f"{row['pareto_k_max']:.2f}"
            difference = f"{row['elpd_diff']:.1f} ({row['se_diff']:.1f})"
            cells = [row["model"], f"{row['elpd']:.1f}", difference, f"{row['rmse']:.2f}"]
            lines.append("| " + " | ".join([*cells, f"{row['coverage']:.1%}", tail]) + " |")
        lines.append("")
    return lines


def main() -> None:
    """Print the page and write it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=Path(__file__).parents[1] / "docs" / "field.md")
    arguments = parser.parse_args()
    evals = every_ladder()
    page = [
        "# The field",
        "",
        "Written by `python -m benchmarks.field`: the published ladders together, one score for each model and",
        "benchmark, and how well laws foresee the gains in points of what was left out",
        "([method.md](method.md#comparison)). Task means, and those with recipes and families, know no law of size;",
        "the previous size is that of the same family. Families are few, and confounded with recipes and benchmarks: a",
        "difference below two standard errors says nothing, and nothing is corrected for the number of laws.",
        "",
        "## Every ladder",
        "",
        *section(evals),
        "## Where untuned scores leave the floor",
        "",
        f"Families and benchmarks whose untuned score is {100 * FLOOR:g} points above chance at some size.",
        "",
        *section(off_the_floor(evals)),
    ]
    text = "\n".join(page).rstrip() + "\n"
    print(text)
    arguments.out.write_text(text, encoding="utf-8")


if __name__ == "__main__":
    main()
