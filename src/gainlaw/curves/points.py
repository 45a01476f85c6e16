"""The points of one curve: a number at each checkpoint, with what is known of its error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.numbers import read_numbers
from gainlaw.scores.gains.table import Gains
from gainlaw.sizes import decades, read_sizes

__all__ = [
    "CurvePoints",
    "checkpoint_points",
    "points_from_arrays",
    "read_variables",
    "score_points",
    "size_variables",
]

Float = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False)
class CurvePoints:
    """What a curve is fitted to.

    Parameters
    ----------
    variables : mapping of str to ndarray, shape (n,)
        What the curve depends on; of sizes both ``N`` (parameters) and ``x`` (decades from 1e9).
    y : ndarray, shape (n,)
        The numbers.
    groups : ndarray of str, shape (n,)
        The checkpoint of each point: what is resampled and left out together.
    unit : str
        Unit of the numbers.
    covariance : ndarray, shape (n, n) or (n,), or None
        Known sampling covariance; of independent errors their variances alone.
    trials : ndarray, shape (n,), or None
        Items behind each count, where the numbers are counts.
    name : str
        What the curve is of.
    scatter : tuple of ndarray
        Size and number of every cell behind the points, for figures; empty where the points are all there is.
    weight : ndarray, shape (n,), or None
        Factors of the points' losses; with squares, one over variances up to a scale that is estimated.
    columns : mapping of str to str
        Of points from a table, what every variable and ``y`` were read from, such as ``log(params)``.
    logged : bool
        Whether the numbers are natural logarithms of what was measured.
    """

    variables: Mapping[str, Float]
    y: Float
    groups: NDArray[Any]
    unit: str = ""
    covariance: Float | None = None
    trials: Float | None = None
    name: str = ""
    scatter: tuple[Float, Float] = (np.zeros(0), np.zeros(0))
    weight: Float | None = None
    columns: Mapping[str, str] = field(default_factory=dict)
    logged: bool = False

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.y)

    @property
    def variance(self) -> Float | None:
        """The known sampling variances, shape (n,)."""
        known = self.covariance
        return known if known is None or known.ndim == 1 else np.diag(known)

    @property
    def measured(self) -> str:
        """What was measured, in words: the `label` without the logarithm that was taken of it."""
        return self.label.removeprefix("log(").removesuffix(")") if self.logged else self.label

    @property
    def label(self) -> str:
        """What the numbers are, in a word or two."""
        if self.columns:
            return self.columns["y"]
        return f"gain ({self.unit})" if self.unit else "value"

    @property
    def words(self) -> str:
        """What every variable was read from, of points from a table."""
        return ", ".join(f"{name} = {column}" for name, column in self.columns.items() if name != column)

    @property
    def place(self) -> str:
        """The word for a distinct place on the axes."""
        return "size" if "N" in self.variables and len(self.variables) == len({"N", "x"}) else "place"

    @property
    def replicate(self) -> str:
        """The word for what is resampled and left out together."""
        return "run" if self.columns else "checkpoint"

    @property
    def n_groups(self) -> int:
        """Number of distinct checkpoints."""
        return len(np.unique(self.groups))

    @property
    def n_sizes(self) -> int:
        """Number of distinct places on the axes."""
        stacked = np.stack([np.round(each, 12) for each in self.variables.values()])
        return len(np.unique(stacked, axis=1).T)


def points_from_arrays(
    sizes: ArrayLike | Mapping[str, ArrayLike],
    y: ArrayLike,
    *,
    se: ArrayLike | None = None,
    covariance: ArrayLike | None = None,
    weights: ArrayLike | None = None,
    trials: ArrayLike | None = None,
    groups: Sequence[object] | None = None,
    unit: str = "",
    name: str = "",
) -> CurvePoints:
    """Return points from arrays.

    Parameters
    ----------
    sizes : array of float or mapping of str to array
        Model sizes in parameters; or the variables of the law by name.
    y : array of float, shape (n,)
        The numbers; counts of successes where `trials` is given.
    se : array of float, optional
        Known standard errors.
    covariance : array of float, shape (n, n), optional
        Their known covariance, instead of `se`.
    weights : array of float, optional
        Factors of the points' losses, all positive, instead of known errors.
    trials : array of float, optional
        Items behind each count.
    groups : sequence, optional
        The checkpoint of each point; every point its own by default.
    unit, name : str
        Words for tables.

    Raises
    ------
    InputError
        If shapes do not agree or numbers are not finite.
    """
    values = read_numbers(y, "y")
    if values.ndim != 1 or not len(values):
        raise InputError(Problem(f"y has the shape {values.shape}; a curve needs one number for each point"))
    n = len(values)
    variables = read_variables(sizes)
    given = {**variables, "y": values}
    errors = items = known = weight = None
    rival = {"se": se, "a covariance": covariance, "weights": weights}
    both = [word for word, value in rival.items() if value is not None]
    if len(both) > 1:
        raise InputError(Problem(f"both {' and '.join(both)} of the points", hint="give one of them"))
    if se is not None:
        given["se"] = errors = read_numbers(se, "se")
    if weights is not None:
        given["weights"] = weight = read_numbers(weights, "weights")
    if trials is not None:
        items = read_numbers(trials, "trials")
        given["trials"] = items = np.full(n, items) if items.ndim == 0 else items
    wrong = [key for key, each in given.items() if each.shape != (n,)]
    if wrong:
        raise InputError(Problem(f"{', '.join(wrong)}: shape differs from that of y, ({n},)"))
    bad = [
        f"{key} ({_places(~np.isfinite(each))})" for key, each in given.items() if not np.isfinite(each).all()
    ]
    if bad:
        hint = "leave out points that are missing or masked"
        raise InputError(Problem(f"{', '.join(bad)}: values that are not finite numbers", hint=hint))
    if covariance is not None:
        known = read_numbers(covariance, "covariance")
        if known.shape != (n, n) or not np.isfinite(known).all():
            raise InputError(
                Problem(f"covariance must be finite and of the shape ({n}, {n}), not {known.shape}")
            )
        if np.abs(known - known.T).max() > 1e-9 * np.abs(known).max():
            raise InputError(Problem("the covariance of the points is not symmetric"))
    elif errors is not None:
        if not (errors > 0).all():
            raise InputError(
                Problem(f"se must have one positive number for each point ({_places(errors <= 0)})")
            )
        known = errors**2
    if weight is not None and not (weight > 0).all():
        raise InputError(
            Problem(f"weights must have one positive number for each point ({_places(weight <= 0)})")
        )
    if items is not None and not ((values >= 0) & (values <= items) & (items > 0)).all():
        raise InputError(Problem("counts must lie between 0 and the number of trials"))
    if groups is not None and (isinstance(groups, str) or not isinstance(groups, Iterable)):
        raise InputError(Problem("groups is a list with the checkpoint of each point"))
    labels = np.array([str(each) for each in (range(n) if groups is None else groups)])
    if labels.shape != (n,):
        raise InputError(Problem(f"groups has {len(labels)} entries for {n} points"))
    return CurvePoints(variables, values, labels, unit, known, items, name, weight=weight)


def _places(bad: NDArray[np.bool_]) -> str:
    """Return which points are at fault, counted from 1, the first few of them."""
    rows = (np.flatnonzero(bad) + 1).tolist()
    return f"point{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:8]))}" + (
        ", ..." if len(rows) > 8 else ""
    )


def read_variables(sizes: ArrayLike | Mapping[str, ArrayLike]) -> dict[str, Float]:
    """Return the variables of a law from model sizes, or by name; sizes may be text such as ``"7B"``.

    Raises
    ------
    InputError
        If they are no numbers, or not of one length.
    """
    if not isinstance(sizes, Mapping):
        return size_variables(np.atleast_1d(read_sizes(sizes)))
    named = {
        str(key): np.atleast_1d(read_sizes(each, "N") if key == "N" else read_numbers(each, str(key)))
        for key, each in sizes.items()
    }
    if not named:
        raise InputError(Problem("no variables", hint="model sizes, or the law's variables by name"))
    lengths = {each.shape for each in named.values()}
    if len(lengths) > 1 or any(each.ndim != 1 for each in named.values()):
        shapes = ", ".join(f"{key} {each.shape}" for key, each in named.items())
        raise InputError(Problem(f"variables must be lists of one length: {shapes}"))
    return named


def size_variables(params: Float) -> dict[str, Float]:
    """Return the variables that model sizes are: ``N`` itself and ``x`` = log10(N / 1e9)."""
    if not (np.isnan(params) | (params > 0)).all():
        raise InputError(Problem("sizes must be positive numbers of parameters"))
    return {"N": params, "x": decades(params)}


def checkpoint_points(gains: Gains, by: Sequence[str] = ()) -> dict[str, CurvePoints]:
    """Return one curve for each group: the mean gain of every checkpoint, with its sampling covariance.

    A mean gives every task the same weight, and every cell within a task. Checkpoints are the replicates of a
    statement about size, so that a curve has one point for each.

    Parameters
    ----------
    gains : Gains
        Gains with model sizes.
    by : sequence of str
        Columns that tell curves apart; all gains are one curve by default.

    Raises
    ------
    InputError
        If a column is missing, or a curve would mix intermediate tasks.

    Examples
    --------
    >>> import gainlaw as gl
    >>> curves = checkpoint_points(gl.load_dataset("bloomz", intermediates="xP3").gains(), ["task"])
    >>> {name: len(points) for name, points in curves.items()}
    {'xcopa': 6, 'xnli': 6, 'xstory_cloze': 6, 'xwinograd': 6}
    """
    frame = gains.frame
    missing = [column for column in by if column not in frame]
    if missing:
        raise InputError(Problem(f"no column {', '.join(missing)} to tell curves apart by"))
    if "params" not in frame:
        raise InputError(Problem("gains without params have no curve"))
    if "intermediate" not in by and "intermediate" in frame and frame["intermediate"].nunique() > 1:
        names = ", ".join(sorted(frame["intermediate"].astype(str).unique()))
        raise InputError(
            Problem(
                f"{frame['intermediate'].nunique()} intermediate tasks ({names}) would be mixed in one curve",
                hint="choose one (--where intermediate=...), or tell them apart (--by intermediate)",
            )
        )
    usable = frame["gain"].notna().to_numpy()
    labels = (
        frame[list(by)].astype(str).agg(" / ".join, axis=1)
        if by
        else frame["gain"].map(lambda _: "all gains")
    )
    curves = {}
    for name in sorted(labels[usable].unique()):
        rows = np.flatnonzero((labels == name).to_numpy() & usable)
        curves[name] = _curve(gains, rows, name)
    return curves


def _curve(gains: Gains, rows: NDArray[np.int64], name: str) -> CurvePoints:
    """Return the means of some rows' checkpoints."""
    frame = gains.frame.iloc[rows]
    names, place = np.unique(frame["checkpoint"].astype(str).to_numpy(), return_inverse=True)
    task = np.zeros(len(frame), dtype=np.int64)
    if "task" in frame:
        task = np.unique(frame["task"].astype(str).to_numpy(), return_inverse=True)[1]
    _, cell, count = np.unique(place * (task.max() + 1) + task, return_inverse=True, return_counts=True)
    # Every task of a checkpoint weighs the same, and every row within a task.
    share = 1.0 / count[cell]
    share /= np.bincount(place, share)[place]
    first = np.unique(place, return_index=True)[1]
    params = frame["params"].to_numpy(dtype=float)[first]
    order = np.argsort(params, kind="stable")
    y = np.bincount(place, share * frame["gain"].to_numpy(dtype=float))
    covariance = _covariance(gains, rows, place, share)
    if covariance is not None:
        covariance = covariance[order] if covariance.ndim == 1 else covariance[np.ix_(order, order)]
    return CurvePoints(
        {"N": params[order], "x": decades(params[order])},
        y[order],
        names[order],
        gains.unit,
        covariance,
        None,
        name,
        (frame["params"].to_numpy(dtype=float), frame["gain"].to_numpy(dtype=float)),
    )


def _covariance(
    gains: Gains, rows: NDArray[np.int64], place: NDArray[np.int64], share: Float
) -> Float | None:
    """Return the covariance of weighted sums of rows, their variances where no two sums are correlated."""
    inside = np.zeros(gains.covariance.size, dtype=bool)
    inside[rows] = True
    own = gains.covariance.subset(inside)
    variance = np.bincount(place, share**2 * own.variance)
    pairs = []
    for block, cov in own.blocks:
        weight = share[block]
        one, two = np.meshgrid(place[block], place[block], indexing="ij")
        pairs.append(
            (one.ravel(), two.ravel(), ((cov - np.diag(np.diag(cov))) * np.outer(weight, weight)).ravel())
        )
    if not np.isfinite(variance).all():
        return None
    if not pairs:
        return variance
    one, two, value = (np.concatenate(each) for each in zip(*pairs, strict=True))
    same = one == two
    np.add.at(variance, one[same], value[same])
    if not value[~same].any():
        return variance
    whole = np.diag(variance)
    np.add.at(whole, (one[~same], two[~same]), value[~same])
    return whole


def score_points(gains: Gains) -> CurvePoints:
    """Return the mean scores before and after intermediate training, for the law ``two_curve``.

    Parameters
    ----------
    gains : Gains
        Gains that keep the scores they came from.

    Returns
    -------
    CurvePoints
        Two points a checkpoint, in per cent: ``z`` is 0 for the baseline and 1 for the intermediate model.

    Raises
    ------
    InputError
        If the scores are not there.

    Examples
    --------
    >>> import gainlaw as gl
    >>> points = score_points(gl.load_dataset("bloomz", tasks="xnli", intermediates="xP3").gains())
    >>> fit = gl.fit_curve(points, law="two_curve")
    >>> ends = [fit.predict({"x": [1.0], "z": [z]})["gain"].iloc[0] for z in (0.0, 1.0)]
    >>> bool(ends[1] > ends[0])
    True
    """
    columns = {"baseline_score": 0.0, "intermediate_score": 1.0}
    missing = [column for column in columns if column not in gains.frame or gains.frame[column].isna().all()]
    if missing:
        raise InputError(Problem(f"gains without {' and '.join(missing)} cannot give the scores behind them"))
    x, y, z, groups = [], [], [], []
    for column, side in columns.items():
        scores = replace(gains, frame=gains.frame.assign(gain=100.0 * gains.frame[column].astype(float)))
        points = next(iter(checkpoint_points(scores).values()))
        x.append(points.variables["x"])
        y.append(points.y)
        z.append(np.full(len(points), side))
        groups.append(points.groups)
    variables = {"x": np.concatenate(x), "z": np.concatenate(z)}
    return CurvePoints(variables, np.concatenate(y), np.concatenate(groups), "points", name="scores")
