"""What the cells of a gains table may hold: numbers in range, labels that tell rows apart, checkpoints of one size."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from gainlaw.scores.metrics import metric_facts
from gainlaw.scores.reading.cells import check_names, parse_text

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.reading.cells import TableFaults

__all__ = [
    "LABELS",
    "NUMBERS",
    "SIZES_HINT",
    "check_labels",
    "check_numbers",
    "checkpoint_labels",
    "number_names",
    "several_sizes",
]

LABELS = (
    *("model_family", "base_model", "model", "intermediate", "checkpoint", "task", "language"),
    *("language_name", "language_family", "genus", "prompt", "split", "metric", "protocol", "variance"),
)
_FRACTIONS = ("baseline_score", "intermediate_score", "chance")
_COUNTS = ("n_baseline", "n_intermediate", "k_baseline", "k_intermediate")
_COMPLETE = ("task", "language", "intermediate", "base_model", "model_family", "language_family")
SIZES_HINT = (
    "a checkpoint is one pretrained model of one size; a column of training steps needs another name: "
    "--rename checkpoint=step"
)
NUMBERS = (
    "params",
    "gain",
    "se",
    "seed",
    *_FRACTIONS,
    *_COUNTS,
    "block",
    "baseline_se",
    "correlation",
    "row",
    "baseline_row",
)


def number_names(column: pd.Series, faults: TableFaults) -> pd.Series:
    """Return the numbers of blocks whose names are text: 0, 1, ... in the order of the rows.

    Parameters
    ----------
    column : pandas.Series
        The blocks as given. A column with a number in it stays as it is; blank cells are missing in either case.
    faults : TableFaults
        Where names go that cannot be told apart.

    Examples
    --------
    >>> import pandas as pd
    >>> from gainlaw.scores.reading.cells import TableFaults
    >>> trials = pd.Series(["Hart 1977", "", "TPT Madras", "Hart 1977"])
    >>> number_names(trials, TableFaults(np.arange(2, 6), "effects.csv")).tolist()
    [0.0, nan, 1.0, 0.0]
    """
    import pandas as pd

    names = parse_text(column)
    named = names.ne("")
    if not named.any() or pd.to_numeric(names, errors="coerce").notna().any():
        return column
    check_names(names, "block", faults)
    codes = pd.Series(np.nan, index=column.index)
    codes[named] = pd.factorize(names[named])[0].astype(float)
    return codes


def check_numbers(frame: pd.DataFrame, bad: dict[str, np.ndarray], faults: TableFaults) -> None:
    """Report numbers that are missing or out of range.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed gains, NaN where missing.
    bad : dict of str to numpy.ndarray of bool
        Where a cell was no number, by column; reported already.
    faults : TableFaults
        Where what is wrong goes.
    """

    def where(mask: pd.Series) -> np.ndarray:
        return mask.fillna(False).to_numpy(bool)

    for name in ("gain", "se"):
        faults.add("no value", column=name, where=where(frame[name].isna()) & ~bad[name])
    hint = "the standard error of the gain, above 0; a gain without one cannot be weighed"
    faults.add("zero or negative", column="se", where=where(frame["se"] <= 0), hint=hint)
    if "params" in frame:
        missing = where(frame["params"].isna()) & ~bad["params"]
        if not missing.all():
            faults.add("no value, though other rows have one", column="params", where=missing)
        hint = "the number of parameters as a whole number above 0"
        faults.add("zero or negative", column="params", where=where(frame["params"] <= 0), hint=hint)
        faults.add("not a whole number", column="params", where=where(frame["params"] % 1 > 0), hint=hint)
        faults.add("1e15 or above", column="params", where=where(frame["params"] >= 1e15), hint=hint)
    facts = metric_facts(frame)
    for name in _FRACTIONS:
        if name in frame:
            floor, ceiling = facts.of_rows("low"), facts.of_rows("high")
            value = frame[name].to_numpy(float)
            outside = (value < floor) | (value > ceiling)
            for a, b in sorted(set(zip(floor[outside].tolist(), ceiling[outside].tolist(), strict=True))):
                hint = "write a fraction" if b == 1 else "write it in the unit of its metric"
                mine = outside & (floor == a) & (ceiling == b)
                faults.add(f"outside {a:g} to {b:g}", column=name, where=mine, hint=hint)
    for name in _COUNTS:
        if name in frame:
            low = frame[name] < (1 if name.startswith("n_") else 0)
            faults.add("too small for a count", column=name, where=where(low))
            faults.add("not a whole number", column=name, where=where(frame[name] % 1 > 0))
    for side in ("baseline", "intermediate"):
        if f"k_{side}" in frame and f"n_{side}" in frame:
            above = where(frame[f"k_{side}"] > frame[f"n_{side}"])
            faults.add("more correct answers than examples", column=f"k_{side}", where=above)
    for name in ("seed", "block", "row", "baseline_row"):
        if name in frame:
            faults.add("not a whole number", column=name, where=where(frame[name] % 1 > 0))
    if "baseline_se" in frame:
        faults.add("negative", column="baseline_se", where=where(frame["baseline_se"] < 0))
        above = where(frame["baseline_se"] > frame["se"] * (1 + 1e-9))
        if "variance" in frame:
            above = above & ~frame["variance"].eq("paired").to_numpy(bool)
        faults.add("above se, of which it is a part", column="baseline_se", where=above)


def check_labels(frame: pd.DataFrame, faults: TableFaults) -> None:
    """Report labels that are missing, that clash, or that do not tell the rows apart.

    Parameters
    ----------
    frame : pandas.DataFrame
        Parsed gains.
    faults : TableFaults
        Where what is wrong goes.
    """
    if "intermediate" in frame:
        hint = "a gains table holds contrasts; scores belong in an evaluations table"
        none = frame["intermediate"].str.casefold().eq("none").to_numpy()
        faults.add("a baseline row", column="intermediate", where=none, hint=hint)
    for name in LABELS:
        if name not in frame or name == "variance":
            continue
        blank = frame[name].eq("").to_numpy()
        if not blank.all() and name in _COMPLETE:
            faults.add("no value, though other rows have one", column=name, where=blank)
        check_names(frame[name], name, faults, lines=name == "prompt")
    for by, column, remedy in (("base_model", "params", None), ("checkpoint", "checkpoint", SIZES_HINT)):
        if {by, "params"} <= set(frame):
            faults.add(
                f"a {by} has several sizes", column=column, where=several_sizes(frame, by), hint=remedy
            )
    if "language" in frame:
        for name in {"language_family", "genus"} & set(frame):
            known = frame[name].where(frame[name].ne(""))
            where = known.groupby(frame["language"]).transform("nunique").gt(1).to_numpy(bool)
            faults.add("a language has several values", column=name, where=where)
    labels = [c for c in ("base_model", "intermediate", "task", "language") if c in frame]
    if len(labels) < 4:
        return
    keys = [*labels, *(c for c in ("model", "seed", "prompt", "split", "metric", "protocol") if c in frame)]
    twice = frame.duplicated(keys, keep=False).to_numpy()
    hint = "tell them apart by seed, prompt, split, metric or protocol, or keep one"
    faults.add(
        "several rows of the same base_model, intermediate, task, language and keys",
        column="gain",
        where=twice,
        hint=hint,
    )


def several_sizes(frame: pd.DataFrame, by: str = "checkpoint") -> np.ndarray:
    """Return the rows whose checkpoint (or base model) has more than one size.

    Parameters
    ----------
    frame : pandas.DataFrame
        Gains with ``params``.
    by : str
        The column of labels; blank ones are nobody's.

    Returns
    -------
    numpy.ndarray of bool, shape (rows,)
    """
    named = frame[by].ne("") & frame[by].notna()
    return (named & frame.groupby(by)["params"].transform("nunique").gt(1)).to_numpy(bool)


def checkpoint_labels(frame: pd.DataFrame) -> pd.Series:
    """Return the replicate of each row: its ``checkpoint``, else ``base_model``, else ``model_family:params``.

    Parameters
    ----------
    frame : pandas.DataFrame
        Gains with ``params`` (NaN where unknown).
    """
    import pandas as pd

    label = pd.Series([""] * len(frame), dtype="str")
    if frame["params"].notna().all():
        size = frame["params"].map(lambda n: f"{n:.0f}").astype("str")
        family = frame.get("model_family", label)
        label = size.where(family.eq(""), family + ":" + size).astype("str")
    if "base_model" in frame:
        label = frame["base_model"].where(frame["base_model"].ne(""), label)
    if "checkpoint" in frame:
        label = frame["checkpoint"].where(frame["checkpoint"].ne(""), label)
    return label
