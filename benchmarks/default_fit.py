"""Seconds and memory of ``gl.fit`` with its defaults by the size of the table, beside another checkout if one is given.

The tables have the make of a public leaderboard: model families of one to four sizes, every checkpoint on all tasks
and some of the languages, gains with standard errors. Each fit is the second one of a process of its own, after a small
one that loads the compiled kernels.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pandas as pd

__all__ = ["main", "study"]

# Pairs: checkpoints, tasks, languages, and the languages of each checkpoint.
DESIGNS = {
    1_000: (40, 3, 20, 8),
    4_000: (80, 4, 30, 13),
    16_000: (160, 6, 40, 17),
    64_000: (320, 8, 60, 25),
}
FAMILIES = ("Indo-European", "Afro-Asiatic", "Sino-Tibetan", "Turkic", "Uralic", "Dravidian", "Austronesian")

ONE = """
import json, resource, sys, time
import gainlaw as gl
gl.fit(gl.load_dataset("bloomz"), draws=100, chains=2)
gains = gl.read_gains(sys.argv[1])
start, spent = time.perf_counter(), time.process_time()
fit = gl.fit(gains)
done = time.perf_counter() - start, time.process_time() - spent
slope = fit.summary("overall").set_index("estimand").loc["slope"]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps([*done, peak, fit.status, slope["mean"], slope["sd"]]))
"""


def study(pairs: int, seed: int = 0) -> pd.DataFrame:
    """Return a table of gains in points.

    Parameters
    ----------
    pairs : int
        One of `DESIGNS`; about so many rows.
    seed : int
        Seed of everything random.
    """
    rng = np.random.default_rng(seed)
    checkpoints, tasks, languages, each = DESIGNS[pairs]
    family = np.repeat(np.arange(checkpoints), rng.integers(1, 5, checkpoints))[:checkpoints]
    size = np.round(10 ** rng.uniform(8.0, 10.5, checkpoints))
    tilt, shift = rng.normal(0, 0.5, (2, languages)), rng.normal(0, 1.5, checkpoints)
    rows = []
    for c in range(checkpoints):
        x = np.log10(size[c] / 1e9)
        for task in range(tasks):
            own = rng.normal(0, 0.8)
            for k in np.sort(rng.choice(languages, each, replace=False)):
                mean = 4.0 - 1.0 * x + shift[c] + own + tilt[0, k] + tilt[1, k] * x
                se = rng.uniform(0.8, 2.0)
                rows.append((f"F{family[c]:03d}", f"m{c:03d}", int(size[c]), f"t{task}", f"x{k:02d}",
                             FAMILIES[k % len(FAMILIES)], mean + rng.normal(0, np.hypot(0.7, se)), se))  # fmt: skip
    columns = ["model_family", "base_model", "params", "task", "language", "language_family", "gain", "se"]
    return pd.DataFrame(rows, columns=columns).assign(intermediate="instruct")


def measured(path: Path, checkout: Path) -> list[object]:
    """Return seconds, processor seconds, megabytes, status, and mean and sd of the overall slope."""
    environment = os.environ | {"PYTHONPATH": str(checkout / "src")}
    done = subprocess.run(
        [sys.executable, "-c", ONE, str(path)], env=environment, capture_output=True, text=True, check=True
    )
    return list(json.loads(done.stdout.splitlines()[-1]))


def main() -> None:
    """Read the command line and measure."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, nargs="*", choices=DESIGNS, default=[1_000, 4_000])
    parser.add_argument("--table", type=Path, nargs="*", default=[], help="gains tables of one's own")
    parser.add_argument("--against", type=Path, help="another checkout, measured in turn with this one")
    arguments = parser.parse_args()
    here = Path(__file__).resolve().parents[1]
    with tempfile.TemporaryDirectory() as folder:
        made = [Path(folder) / f"pairs_{pairs}.csv" for pairs in arguments.pairs]
        for pairs, path in zip(arguments.pairs, made, strict=True):
            study(pairs).to_csv(path, index=False)
        compare([*arguments.table, *made], here, arguments.against)


def compare(tables: Sequence[Path], here: Path, against: Path | None) -> None:
    """Measure and print every table in one checkout, or in two in turn."""
    for path in tables:
        found = {}
        for name, checkout in (("this", here), ("other", against)):
            if checkout is None:
                continue
            found[name] = measured(path, checkout)
            seconds, processor, memory, status, mean, sd = found[name]
            print(
                f"{path.stem:>16} {name:>6}: {seconds:7.2f} s, {processor:7.2f} CPU s, {memory:6.0f} MB, "
                f"{status}, slope {mean:.3f} sd {sd:.3f}",
                flush=True,
            )
        if len(found) == 2:
            ratio = [found["other"][k] / found["this"][k] for k in range(3)]
            print(f"{path.stem:>16}  ratio: {ratio[0]:.2f} in seconds, {ratio[1]:.2f} in CPU seconds")


if __name__ == "__main__":
    main()
