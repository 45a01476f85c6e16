"""The studies of the engine benchmark and the one model that every engine fits to them."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Float = NDArray[np.float64]

# Priors, in log-odds: every fixed effect normal(0, FIXED), every standard deviation half-normal(SD).
FIXED = 0.5
SD = 0.25

# The truth of every simulated study, in log-odds.
BASELINE = {"intercept": 0.9, "slope": 0.5, "task": 0.6, "task_slope": 0.2, "language": 0.4, "cell": 0.3}
BASELINE |= {"run": 0.10, "pair": 0.10}
GAIN = {"intercept": 0.25, "slope": -0.15, "task": 0.15, "task_slope": 0.08, "language_family": 0.08}
GAIN |= {"language_family_slope": 0.04, "language": 0.08, "language_slope": 0.04, "run": 0.06, "pair": 0.05}


@dataclass(frozen=True, slots=True)
class Design:
    """How large a study is.

    Parameters
    ----------
    sizes : tuple of float
        Parameters of the checkpoints, in 1e9.
    languages_of_task : tuple of int
        In how many languages each task is scored.
    languages, families, seeds : int
        Languages, families among them, and runs of every task on every checkpoint.
    seed : int
        Seed of the simulation.
    """

    sizes: tuple[float, ...]
    languages_of_task: tuple[int, ...]
    languages: int
    families: int
    seeds: int
    seed: int


@dataclass(frozen=True, slots=True)
class Term:
    """A grouping term: a column of the table, and whether its groups differ in slope too."""

    name: str
    slope: bool


@dataclass(frozen=True, slots=True, eq=False)
class Study:
    """A simulated study.

    Parameters
    ----------
    name : str
        Its name.
    frame : DataFrame
        One row a pair of scores: params, base_model, task, language, language_family, seed, run, gain, se, scale.
    terms : tuple of Term
        The grouping terms of the model.
    """

    name: str
    frame: pd.DataFrame
    terms: tuple[Term, ...]

    @property
    def x(self) -> Float:
        """Decades from 1e9 parameters."""
        return np.log10(self.frame["params"].to_numpy(dtype=float) / 1e9)

    @property
    def gain(self) -> Float:
        """Gains in log-odds."""
        return self.frame["gain"].to_numpy()

    @property
    def se(self) -> Float:
        """Their known standard errors."""
        return self.frame["se"].to_numpy()

    def codes(self, term: Term) -> NDArray[np.int64]:
        """Return the group of every row, counted from 0."""
        return pd.factorize(self.frame[term.name], sort=True)[0].astype(np.int64)

    def groups(self, term: Term) -> int:
        """Return the number of groups."""
        return int(self.frame[term.name].nunique())

    @property
    def sds(self) -> dict[str, tuple[Term, bool]]:
        """The standard deviations by name: the term, and whether it is that of its slopes."""
        named: dict[str, tuple[Term, bool]] = {}
        for term in self.terms:
            named[f"tau_{term.name}"] = (term, False)
            if term.slope:
                named[f"tau_{term.name}_slope"] = (term, True)
        return named

    @property
    def quantities(self) -> tuple[str, ...]:
        """What every engine reports: both fixed effects and every standard deviation."""
        return ("intercept", "slope", *self.sds, "tau_residual")

    @property
    def checksum(self) -> str:
        """A hash of the data and the model, to know a stored reference by."""
        numbers = np.round(np.stack([self.gain, self.se]), 9).tobytes()
        return hashlib.sha256(numbers + repr((self.terms, FIXED, SD)).encode()).hexdigest()[:16]

    def describe(self) -> str:
        """Return the size of the study in words."""
        counts = ", ".join(f"{self.groups(term):,} {_PLURAL[term.name]}" for term in self.terms)
        sizes = self.frame["params"].nunique()
        return f"{len(self.frame):,} pairs: {counts}, {sizes} sizes"


_PLURAL = {"task": "tasks", "language_family": "language families", "language": "languages", "run": "runs"}
_KINDS = (Term("task", True), Term("language_family", True), Term("language", True))
_LARGE_COUNTS = tuple(int(np.floor(count + 0.5)) for count in np.linspace(15, 30, 15))
DESIGNS = {
    "small": Design((0.07, 0.16, 0.41, 1.0, 2.8), (11, 15), languages=15, families=8, seeds=1, seed=1),
    "large": Design(
        (0.07, 0.16, 0.41, 0.56, 1.1, 1.7, 3.0, 7.1),
        _LARGE_COUNTS,
        languages=50,
        families=20,
        seeds=3,
        seed=1,
    ),
    "tiny": Design((0.1, 0.5, 2.0), (6, 6), languages=6, families=3, seeds=1, seed=1),
    "tiny with runs": Design((0.1, 0.5, 2.0), (6, 6), languages=6, families=3, seeds=2, seed=1),
}
STUDIES = ("small", "large")


def make_study(name: str) -> Study:
    """Simulate the study of that name.

    Two binomial counts a pair, before and after the intermediate training; the gain is the difference of their
    empirical log-odds (half an item added to either side), its standard error that of the delta method.
    """
    design = DESIGNS[name]
    rng = np.random.default_rng(design.seed)
    frame = _layout(design, rng)
    x = np.log10(frame["params"].to_numpy() / 1e9)

    def effect(column: str, sd: float) -> Float:
        codes, groups = pd.factorize(frame[column], sort=True)
        return rng.normal(0.0, sd, len(groups))[codes]

    b, g = BASELINE, GAIN
    base = b["intercept"] + b["slope"] * x + effect("task", b["task"]) + x * effect("task", b["task_slope"])
    base += effect("language", b["language"]) + effect("cell", b["cell"])
    gain = g["intercept"] + g["slope"] * x
    for column in ("task", "language_family", "language"):
        gain += effect(column, g[column]) + x * effect(column, g[f"{column}_slope"])
    if design.seeds > 1:
        base += effect("run", b["run"])
        gain += effect("run", g["run"])
    base += rng.normal(0.0, b["pair"], len(frame))
    gain += rng.normal(0.0, g["pair"], len(frame))
    n = frame["n_examples"].to_numpy()
    shares = [(rng.binomial(n, 1.0 / (1.0 + np.exp(-eta))) + 0.5) / (n + 1.0) for eta in (base, base + gain)]
    before, after = (np.log(share / (1.0 - share)) for share in shares)
    variance = sum(1.0 / ((n + 1.0) * share * (1.0 - share)) for share in shares)
    frame = frame.assign(gain=after - before, se=np.sqrt(variance), scale="log_odds")
    terms = (*_KINDS, Term("run", False)) if design.seeds > 1 else _KINDS
    return Study(name, frame.drop(columns="cell"), terms)


def _layout(design: Design, rng: np.random.Generator) -> pd.DataFrame:
    """Return the rows of a study without their scores.

    Every family has a language; the others fall on families of uneven sizes. A run trains one checkpoint on one task
    with a seed of its own and is scored in all languages of that task.
    """
    shares = rng.dirichlet(np.full(design.families, 0.6))
    others = rng.choice(design.families, design.languages - design.families, p=shares)
    family = np.concatenate([np.arange(design.families), others])
    rows = []
    for task, count in enumerate(design.languages_of_task):
        languages = np.sort(rng.choice(design.languages, count, replace=False))
        examples = np.exp(rng.uniform(np.log(500), np.log(5000), count)).astype(int)
        for model, size in enumerate(design.sizes):
            for seed in range(design.seeds):
                for language, n in zip(languages, examples, strict=True):
                    rows.append((task, language, family[language], model, size * 1e9, seed, n))
    frame = pd.DataFrame(rows, columns=["t", "l", "f", "m", "params", "s", "n_examples"])
    labels = {
        "base_model": "m" + frame["m"].astype(str),
        "task": "t" + frame["t"].astype(str).str.zfill(2),
        "language": "l" + frame["l"].astype(str).str.zfill(2),
        "language_family": "f" + frame["f"].astype(str).str.zfill(2),
        "seed": frame["t"] * design.seeds + frame["s"],
    }
    frame = frame[["params", "n_examples"]].assign(**labels)
    frame["run"] = frame["base_model"] + " " + frame["seed"].astype(str)
    frame["cell"] = frame["task"] + " " + frame["language"]
    return frame
