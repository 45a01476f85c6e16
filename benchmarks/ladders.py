"""Whether two curves know what tuning is worth in size, on simulated ladders whose truth is one curve, shifted."""

from __future__ import annotations

from typing import Any

import numpy as np
from slopes import Runner, wilson

import gainlaw as gl
from gainlaw.scores.simulate_ladders import simulate_ladders

SETTINGS = {"draws": 500, "chains": 2}


def ladder_run(seed: int) -> dict[str, Any]:
    """Return truth, interval and status of every family's factor in size and gain at 1B, and the engine used."""
    study = simulate_ladders(seed)
    fit = gl.fit(study.evaluations, law="two_curve", **SETTINGS)
    table = fit.summary("model_family").set_index(["estimand", "group"])
    factors, gains = table.loc["size_multiplier"], table[table["params"] == 1e9].loc["gain_points"]
    columns = ["ci_low", "ci_high"]
    return {
        "engine": fit.record["engine"]["used"],
        "families": {
            name: {
                "factor": [
                    truth if np.isfinite(truth) else None,
                    *_numbers(factors.loc[f"model_family={name}", columns]),
                ],
                "status": factors.loc[f"model_family={name}", "status"],
                "gain": [study.gain_points[name], *_numbers(gains.loc[f"model_family={name}", columns])],
            }
            for name, truth in study.size_multiplier.items()
        },
    }


def _numbers(values: Any) -> list[float | None]:
    """Return what JSON can hold; an open end is a very large number."""
    return [None if np.isnan(value) else float(np.clip(value, 0.0, 1e300)) for value in values]


def ladder_table(runner: Runner, runs: int) -> list[str]:
    """Return the section on factors in size."""
    results = runner(ladder_run, runs, "two curves")
    kinds: dict[str, list[dict[str, Any]]] = {"rising": [], "flat": [], "floored": []}
    for result in results:
        for name, each in result["families"].items():
            kinds.get(name, kinds["rising"]).append(each)
    lines = [
        "## What tuning is worth in size",
        "",
        "Two curves, fitted to six families of models with five sizes each and three tasks of 1,500 items: in four of",
        "them the tuned curve is the untuned one shifted in size, one has a flat untuned curve, one guesses at every",
        "size, and both of these gain from tuning. A factor in size is *given* if it has an interval, which may be",
        "open; where no size reaches the tuned score it must not be, or be open. Families of one study share a fit;",
        "intervals of proportions take them as independent.",
        "",
        "| untuned curve | families | factor given | of these covered | gain in points at 1B covered |",
        "|---|---|---|---|---|",
    ]
    titles = {"rising": "rises", "flat": "is flat", "floored": "is at chance"}
    for kind, each in kinds.items():
        given = [row for row in each if row["status"] in ("ok", "beyond", "poor")]
        covered = sum(_holds(row["factor"]) for row in given)
        share = f"{covered} of {len(given)}"
        share = wilson(covered, len(given)) if kind == "rising" else share
        gain = wilson(sum(_holds(row["gain"]) for row in each), len(each))
        lines.append(f"| {titles[kind]} | {len(each)} | {wilson(len(given), len(each))} | {share} | {gain} |")
    fallen = sum(result["engine"] != "exact" for result in results)
    return [
        *lines,
        "",
        f"Fits whose importance weights failed, so that the sampler took over: {fallen} of {runs}.",
        "",
    ]


def _holds(triple: list[float | None]) -> bool:
    truth, low, high = (np.inf if value is None else value for value in triple)
    return bool(low <= truth <= high or (np.isinf(truth) and high >= 1e300))
