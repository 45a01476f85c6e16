"""What answers to single items add to the numbers of right ones: width and coverage, over simulated studies.

    python benchmarks/items.py [--studies 60]

Every item has a difficulty, in all languages and for all models, and every base model finds some items easier than
others do, before and after tuning alike. Both scores of a pair are of the same items. Each study is fitted twice: from
the answers to items, whose pairs give the error of a gain, and from the numbers of right answers alone. The truth is
the mean gain over the population of items.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.special import expit
from slopes import wilson

import gainlaw as gl

SIZES = (6e7, 1e8, 1.6e8, 2.5e8, 4e8, 6e8, 1e9, 1.6e9, 2.5e9, 4e9, 6e9, 1e10)
LANGUAGES = ("de", "sw", "zh", "ar")
ITEMS = (50, 150, 500)
# Sds of difficulties, of what a base model finds hard, of a checkpoint's gain (log-odds), and slope and level of gains.
DIFFICULTY, OWN, CHECKPOINT, SLOPE, LEVEL = 1.5, 1.5, 0.05, 0.1, 0.5


def study(seed: int, items: int) -> tuple[pd.DataFrame, pd.DataFrame, float]:
    """Return scores, answers to items, and the true mean gain at the largest size, in points."""
    rng = np.random.default_rng(seed)
    scores, answers, truth = [], [], 0.0
    difficulty = rng.normal(0.0, DIFFICULTY, items)
    hard = dict(zip(LANGUAGES, rng.normal(0.0, 0.4, len(LANGUAGES)), strict=True))
    nodes, weights = np.polynomial.hermite_e.hermegauss(61)
    wide = np.hypot(DIFFICULTY, OWN) * nodes
    for number, size in enumerate(SIZES):
        x = np.log10(size / 1e9)
        own = rng.normal(0.0, OWN, items)
        luck = rng.normal(0.0, CHECKPOINT)
        for language in LANGUAGES:
            base = 0.3 + 0.4 * x + hard[language]
            gain = LEVEL + SLOPE * x
            if size == max(SIZES):
                chances = expit(base + gain + wide) - expit(base + wide)
                truth += 100.0 * float(chances @ weights / weights.sum()) / len(LANGUAGES)
            for model, intermediate, level in (
                (f"m{number}", "none", base),
                (f"m{number}-nli", "nli", base + gain + luck),
            ):
                right = rng.random(items) < expit(level - difficulty + own)
                keys = {"model": model, "intermediate": intermediate, "task": "qa", "language": language}
                scores.append(
                    {
                        **keys,
                        "model_family": "m",
                        "params": size,
                        "base_model": f"m{number}" if level != base else "",
                    }
                    | {
                        "metric": "accuracy",
                        "n_examples": items,
                        "n_correct": int(right.sum()),
                        "chance": 0.0,
                    }
                )
                answers.append(
                    pd.DataFrame({**keys, "example": np.arange(items), "correct": right.astype(int)})
                )
    return pd.DataFrame(scores), pd.concat(answers, ignore_index=True), truth


def interval(evals: gl.Evaluations, seed: int) -> tuple[float, float]:
    """Return the 95% interval of the overall gain at the largest size."""
    fit = gl.fit(evals, draws=500, chains=2, seed=seed, params=[max(SIZES)])
    row = fit.summary("overall").query("estimand == 'gain'").iloc[0]
    return float(row["ci_low"]), float(row["ci_high"])


def main() -> None:
    """Simulate, fit and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--studies", type=int, default=60)
    count = parser.parse_args().studies
    print("| items | from | mean width (points) | ratio | coverage of 95% intervals |\n|---|---|---|---|---|")
    for items in ITEMS:
        found = np.array([_both(seed, items) for seed in range(count)])
        width = found[:, :, 0].mean(axis=0)
        for k, name in enumerate(("numbers of right answers", "answers to items")):
            hits = wilson(int(found[:, k, 1].sum()), count)
            print(f"| {items} | {name} | {width[k]:.2f} | {width[k] / width[0]:.2f} | {hits} |", flush=True)


def _both(seed: int, items: int) -> list[tuple[float, bool]]:
    """Return width of the interval and whether it covers, without and with answers to items."""
    scores, answers, truth = study(seed, items)
    made = []
    for predictions in (None, answers):
        evals = gl.evaluations_from_frame(scores, "simulated", predictions, params_unit="1")
        low, high = interval(evals, seed)
        made.append((high - low, low <= truth <= high))
    return made


if __name__ == "__main__":
    main()
