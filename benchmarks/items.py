"""What answers to single items add to the numbers of right ones: width and coverage, over simulated studies.

    python benchmarks/items.py [--studies 60]

Every item has a difficulty, in all languages and for all models, and every base model finds some items easier than
others do, before and after tuning alike. Both scores of a pair are of the same items. Each study is fitted twice: from
the answers to items, whose pairs give the error of a gain, and from the numbers of right answers alone. The truth is
the mean gain over the population of items. First the intervals of single gains (one model, one language), which are all
sampling; then those of the overall gain at the largest size, which are also what checkpoints differ by.
"""

from __future__ import annotations

import argparse

import numpy as np
import pandas as pd
from scipy.special import expit, ndtri
from slopes import wilson

import gainlaw as gl

SIZES = (6e7, 1e8, 1.6e8, 2.5e8, 4e8, 6e8, 1e9, 1.6e9, 2.5e9, 4e9, 6e9, 1e10)
LANGUAGES = ("de", "sw", "zh", "ar")
ITEMS = (50, 150, 500)
Z = float(ndtri(0.975))
# Sds of difficulties, of what a base model finds hard, of a checkpoint's gain (log-odds), and slope and level of gains.
DIFFICULTY, OWN, CHECKPOINT, SLOPE, LEVEL = 1.5, 1.5, 0.05, 0.1, 0.5


def study(seed: int, items: int) -> tuple[pd.DataFrame, pd.DataFrame, float, dict[tuple[str, str], float]]:
    """Return scores, answers to items, and in points the true mean gain at the largest size and those of models."""
    rng = np.random.default_rng(seed)
    scores, answers, truth, single = [], [], 0.0, {}
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
            mean, its = (
                100.0 * float((expit(base + each + wide) - expit(base + wide)) @ weights / weights.sum())
                for each in (gain, gain + luck)
            )
            single[f"m{number}-nli", language] = its
            truth += mean / len(LANGUAGES) if size == max(SIZES) else 0.0
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
    return pd.DataFrame(scores), pd.concat(answers, ignore_index=True), truth, single


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
    for title, each in (("single gains", _singles), ("overall gain", _overall)):
        print(f"| items | {title}, from | mean width (points) | ratio | coverage of 95% intervals |")
        print("|---|---|---|---|---|")
        for items in ITEMS:
            found = np.array([each(seed, items) for seed in range(count)])
            found = found.transpose(1, 0, 2, 3).reshape(2, -1, 2)
            width = found[:, :, 0].mean(axis=1)
            for k, name in enumerate(("numbers of right answers", "answers to items")):
                hits = wilson(int(found[k, :, 1].sum()), len(found[k]))
                print(
                    f"| {items} | {name} | {width[k]:.2f} | {width[k] / width[0]:.2f} | {hits} |", flush=True
                )


def _evaluations(scores: pd.DataFrame, answers: pd.DataFrame) -> list[gl.Evaluations]:
    return [gl.evaluations_from_frame(scores, "simulated", each, params_unit="1") for each in (None, answers)]


def _singles(seed: int, items: int) -> list[list[tuple[float, bool]]]:
    """Return width and coverage of the interval of every gain, without and with answers to items."""
    scores, answers, _, truths = study(seed, items)
    made = []
    for evals in _evaluations(scores, answers):
        frame = evals.gains().frame
        truth = np.array([truths[pair] for pair in zip(frame["model"], frame["language"], strict=True)])
        reach = Z * frame["se"].to_numpy(float)
        made.append(
            list(zip(2.0 * reach, np.abs(frame["gain"].to_numpy(float) - truth) <= reach, strict=True))
        )
    return made


def _overall(seed: int, items: int) -> list[list[tuple[float, bool]]]:
    """Return width and coverage of the interval of the overall gain, without and with answers to items."""
    scores, answers, truth, _ = study(seed, items)
    made = []
    for evals in _evaluations(scores, answers):
        low, high = interval(evals, seed)
        made.append([(high - low, low <= truth <= high)])
    return made


if __name__ == "__main__":
    main()
