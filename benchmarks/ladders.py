"""Whether laws of scores know what is true: what tuning is worth in size, and how its gain goes with ability."""

from __future__ import annotations

from typing import Any

import numpy as np
from slopes import Runner, wilson

import gainlaw as gl
from gainlaw.scores.simulate_ladders import simulate_abilities, simulate_ladders

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


def ability_run(seed: int) -> dict[str, Any]:
    """Families that gain much alike."""
    return _ability(seed, sd_family=0.1, sd_gain=0.06)


def apart_run(seed: int) -> dict[str, Any]:
    """Families and checkpoints whose gains are far apart."""
    return _ability(seed, sd_family=0.3, sd_gain=0.2)


def _ability(seed: int, **spread: float) -> dict[str, Any]:
    """Return truth and interval of what the law with ability says of a study where ability alone acts."""
    effect = -0.3
    study = simulate_abilities(seed, ability_effect=effect, **spread)
    fit = gl.fit(study.evaluations, law="ability", **SETTINGS)
    rows = fit.estimates[fit.estimates["level"].isin(["overall", "model"])].set_index("estimand")
    ahead = fit.predict("13B", task="task1", new=["model_family"], baseline=study.new_baseline)
    ahead = ahead[ahead["kind"] == "mean"].iloc[0]
    columns = ["ci_low", "ci_high"]
    truths = {
        "ability_effect": effect,
        "size_effect": 0.0,
        "slope": study.slope,
        "peak_ability": study.peak_ability,
    }
    found = {name: [truth, *(float(x) for x in rows.loc[name, columns])] for name, truth in truths.items()}
    found["new family at 13B"] = [study.new_gain, *(float(x) for x in ahead[columns])]
    return {"engine": fit.record["engine"]["used"], "status": fit.status, "found": found}


def ability_table(runner: Runner, runs: int) -> list[str]:
    """Return the section on ability."""
    kinds = (("alike", runner(ability_run, runs, "ability")), ("apart", runner(apart_run, runs, "apart")))
    lines = [
        "## Gains that go with ability",
        "",
        "The law `ability`, fitted to six families of models with four sizes each and three tasks of 1,000 items. On",
        "log-odds the gain falls by 0.3 for one unit of the untuned log-odds, so that in points it rises and falls",
        "with the untuned score; size has no effect of its own, but untuned scores grow with it. The gain at 13B is",
        "that of a family which is not among them, from its untuned score. A peak is given where nine of ten draws",
        "have one. Families (and tasks) are *alike*, sds 0.1 between them and 0.06 between checkpoints in log-odds of",
        "the gain, or *apart*, 0.3 and 0.2. Six families do not tell how alike families are: what is left to the prior",
        "makes the interval of a new one too wide where they are.",
        "",
        "| families | estimand | given | 95% interval holds the truth | median width |",
        "|---|---|---|---|---|",
    ]
    titles = {
        "ability_effect": "change of the gain for one unit of ability (log-odds)",
        "size_effect": "change per decade at equal ability (log-odds)",
        "slope": "slope per decade (log-odds)",
        "peak_ability": "untuned score of the largest gain (% of the way from chance)",
        "new family at 13B": "gain of a new family at 13B (points)",
    }
    for kind, results in kinds:
        for name, title in titles.items():
            rows = np.array([each["found"][name] for each in results])
            rows = rows[np.isfinite(rows).all(axis=1)]
            inside = int(((rows[:, 1] <= rows[:, 0]) & (rows[:, 0] <= rows[:, 2])).sum())
            width = np.median(rows[:, 2] - rows[:, 1])
            share = wilson(inside, len(rows))
            lines.append(f"| {kind} | {title} | {len(rows)} of {runs} | {share} | {width:.2f} |")
    false, failed, fallen = [], 0, 0
    for kind, results in kinds:
        sizes = np.array([each["found"]["size_effect"] for each in results])
        wrong = int(((sizes[:, 1] > 0.0) | (sizes[:, 2] < 0.0)).sum())
        false.append(f"{wilson(wrong, runs)} of the studies ({kind})")
        failed += sum(each["status"] != "ok" for each in results)
        fallen += sum(each["engine"] != "exact" for each in results)
    return [
        *lines,
        "",
        f"An effect of size, which there is none of, was found in {' and '.join(false)}.",
        f"Fits that failed their diagnostics: {failed} of {2 * runs}; those whose importance weights failed, so that",
        f"the sampler took over: {fallen}.",
        "",
    ]


def _holds(triple: list[float | None]) -> bool:
    truth, low, high = (np.inf if value is None else value for value in triple)
    return bool(low <= truth <= high or (np.isinf(truth) and high >= 1e300))
