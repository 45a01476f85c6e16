"""One curve by gainlaw, by SciPy's `curve_fit`, and by a grid of L-BFGS starts: wall time and what is reached.

Run with ``make bench-curves``; one process, one thread. The five-parameter problem is a simulated twin of the
Chinchilla fit (240 points, Huber loss, delta 1e-3).
"""

from __future__ import annotations

import argparse
import itertools
import time
from collections.abc import Callable

import numpy as np
from scipy.optimize import curve_fit, minimize

import gainlaw as gl

DELTA = 1e-3
#: The grid of starts of Hoffmann et al. (2022), appendix D.3, arXiv 2203.15556.
GRID = tuple(
    itertools.product(
        range(0, 30, 5),
        range(0, 30, 5),
        (-1.0, -0.5, 0.0, 0.5, 1.0),
        np.arange(0, 2.5, 0.5),
        np.arange(0, 2.5, 0.5),
    )
)


def timed(run: Callable[[], object], repeats: int = 3) -> tuple[float, object]:
    """Return the shortest wall time of `repeats` runs in seconds, and the last result."""
    times, result = [], None
    for _ in range(repeats):
        start = time.perf_counter()
        result = run()
        times.append(time.perf_counter() - start)
    return min(times), result


def power_points(n: int = 20) -> tuple[np.ndarray, np.ndarray]:
    """Return sizes and gains of a power law with an offset."""
    sizes = np.geomspace(1e8, 1e11, n)
    noise = np.random.default_rng(0).normal(0.0, 0.03, n)
    return sizes, 2.0 + 3.0 * (sizes / 1e9) ** -0.25 + noise


def twin() -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return log size, log tokens and log loss of a simulated twin of the Chinchilla data."""
    rng = np.random.default_rng(5)
    n = rng.uniform(np.log(4e7), np.log(1.6e10), 240)
    d = rng.uniform(np.log(2e8), np.log(5e11), 240)
    mean = np.logaddexp(
        np.logaddexp(np.log(477.83) - 0.34731 * n, np.log(2143.4) - 0.36717 * d), np.log(1.81722)
    )
    return n, d, mean + 0.004 * rng.standard_t(3, 240)


def huber(theta: np.ndarray, n: np.ndarray, d: np.ndarray, y: np.ndarray) -> float:
    a, b, e, alpha, beta = theta
    r = np.abs(np.logaddexp(np.logaddexp(a - alpha * n, b - beta * d), e) - y)
    return float(np.where(r <= DELTA, 0.5 * r**2, DELTA * (r - 0.5 * DELTA)).sum())


def three_parameters(draws: int) -> None:
    sizes, y = power_points()
    x = np.log10(sizes / 1e9)
    gl.fit_curve(sizes, y, law="offset_power").bootstrap(10, kind="pairs")
    ours, fit = timed(lambda: gl.fit_curve(sizes, y, law="offset_power"))
    many, found = timed(lambda: fit.bootstrap(draws, kind="pairs"))

    def law(at: np.ndarray, c: float, a: float, r: float) -> np.ndarray:
        return c + a * 10.0 ** (-r * at)

    theirs, _ = timed(lambda: curve_fit(law, x, y, p0=[1.0, 1.0, 0.3]))
    rng = np.random.default_rng(1)
    drawn = [rng.integers(0, len(x), len(x)) for _ in range(draws // 10)]
    lost = 0

    def resample() -> None:
        nonlocal lost
        lost = 0
        for rows in drawn:
            try:
                curve_fit(law, x[rows], y[rows], p0=[1.0, 1.0, 0.3], maxfev=5000)
            except RuntimeError:
                lost += 1

    few, _ = timed(resample, repeats=1)
    print("three parameters (power law with an offset), 20 points")
    print(
        f"  point fit, 16 starts      gainlaw {ours * 1e3:8.1f} ms   curve_fit, 1 start {theirs * 1e3:8.1f} ms"
    )
    print(
        f"  {draws} resamples           gainlaw {many:8.2f} s    curve_fit {10 * few:8.2f} s "
        f"(from a tenth of them)   ratio {10 * few / many:.0f}"
    )
    print(f"  lost                      gainlaw {found.lost} of {draws}   curve_fit {lost} of {len(drawn)}")


def five_parameters(draws: int, starts: int) -> None:
    n, d, y = twin()
    data = {"log_n": n, "log_d": d}
    options = {"law": "chinchilla", "loss": "huber", "delta": DELTA}
    gl.fit_curve(data, y, **options).bootstrap(10, kind="pairs")
    ours, fit = timed(lambda: gl.fit_curve(data, y, **options))
    many, found = timed(lambda: fit.bootstrap(draws, kind="pairs"), repeats=2)
    picked = np.random.default_rng(2).choice(len(GRID), starts, replace=False)

    def grid() -> list[float]:
        reached = []
        for k in picked:
            with np.errstate(all="ignore"):
                reached.append(minimize(huber, np.array(GRID[k]), args=(n, d, y), method="L-BFGS-B").fun)
        return reached

    theirs, reached = timed(grid, repeats=1)
    best = fit.optimum.objective
    whole = theirs * len(GRID) / starts
    print("five parameters (twin of Chinchilla, Huber), 240 points")
    print(f"  point fit                 gainlaw {ours:8.2f} s    grid of {len(GRID)} L-BFGS starts {whole:8.0f} s "
          f"(from {starts} of them)   ratio {whole / ours:.0f}")  # fmt: skip
    above = np.array(reached) / best - 1.0
    print(f"  objective above the best  gainlaw {0.0:.1e}   grid: least {above.min():.1e}, "
          f"{np.mean(above < 1e-6):.0%} of starts within 1e-6")  # fmt: skip
    print(f"  {draws} resamples           gainlaw {many:8.2f} s, {found.lost} lost")


def main() -> None:
    """Print the two tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=4000)
    parser.add_argument("--starts", type=int, default=60, help="L-BFGS starts taken from the grid")
    arguments = parser.parse_args()
    three_parameters(arguments.draws)
    five_parameters(arguments.draws, arguments.starts)


if __name__ == "__main__":
    main()
