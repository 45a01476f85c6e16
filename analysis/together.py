"""Every published ladder with both scores at once, for what one study cannot tell."""

from __future__ import annotations

from pathlib import Path

from analysis.step import Steps
from gainlaw.units.unit import Unit

__all__ = ["COMPARED", "NOTE", "together_steps"]

DATA = Path(__file__).resolve().parent.parent / "data"

SOURCE = "scores of BLOOMZ (arXiv:2211.01786), Flan (arXiv:2210.11416) and the Open LLM Leaderboards"

#: What is left out to compare the laws.
COMPARED = ("family", "largest")

NOTE = (
    "T5 is an encoder-decoder, all others are decoders; recipes and benchmarks differ between studies, so that a "
    "family, its recipe and its benchmarks cannot be told apart, and no published ladder has encoders alone."
)


def together_steps(steps: Steps) -> dict[str, Unit]:
    """Add the steps that gather the ladders, fit and compare laws, and return those that a report reads."""
    files = {name: DATA / f"{name}.csv" for name in ("bloomz", "flan", "open_llm", "languages")}
    data = steps.add("together_gather", "analysis.steps.gather", "together/data", files, floor="scores")
    made = {
        "across": steps.fit(
            "fit_two_curves", "together/fits/two_curves", data, law="two_curve", source=SOURCE
        ),
        "across_ability": steps.fit(
            "fit_ability", "together/fits/ability", data, law="ability", source=SOURCE
        ),
        "across_line": steps.fit("fit_line", "together/fits/line", data, law="linear", source=SOURCE),
    }
    named = {"across": "two curves", "across_ability": "ability law", "across_line": "line in size"}
    for leave in COMPARED:
        made[f"across_{leave}"] = steps.add(
            f"compare_{leave}",
            "analysis.steps.compare",
            f"together/compare_{leave}.csv",
            {name: made[name] for name in named},
            {"fits": named, "leave": leave},
            floor="fitting",
        )
    return made
