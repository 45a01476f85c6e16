"""The points of one curve: a number at each checkpoint, with what is known of its error."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.gains import Gains
from gainlaw.laws import decades

__all__ = ["CurvePoints", "checkpoint_points", "points_from_arrays", "score_points"]

Float = NDArray[np.float64]

# Beyond this many rows the covariance between rows that share a baseline is not laid out; variances are kept.
_DENSE = 20_000


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
    covariance : ndarray, shape (n, n), or None
        Known sampling covariance.
    trials : ndarray, shape (n,), or None
        Items behind each count, where the numbers are counts.
    name : str
        What the curve is of.
    scatter : tuple of ndarray
        Size and number of every cell behind the points, for figures; empty where the points are all there is.
    """

    variables: Mapping[str, Float]
    y: Float
    groups: NDArray[Any]
    unit: str = ""
    covariance: Float | None = None
    trials: Float | None = None
    name: str = ""
    scatter: tuple[Float, Float] = (np.zeros(0), np.zeros(0))

    def __len__(self) -> int:
        """Return the number of points."""
        return len(self.y)

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
    values = np.asarray(y, dtype=float)
    if values.ndim != 1 or not len(values):
        raise InputError(Problem(f"y has the shape {values.shape}; a curve needs one number for each point"))
    if isinstance(sizes, Mapping):
        variables = {str(key): np.asarray(each, dtype=float) for key, each in sizes.items()}
    else:
        variables = size_variables(np.asarray(sizes, dtype=float))
    n = len(values)
    wrong = [key for key, each in variables.items() if each.shape != (n,)]
    if wrong:
        raise InputError(Problem(f"{', '.join(wrong)}: shape differs from that of y, ({n},)"))
    bad = [key for key, each in {**variables, "y": values}.items() if not np.isfinite(each).all()]
    if bad:
        raise InputError(Problem(f"{', '.join(bad)}: values that are not finite numbers"))
    known = None
    if covariance is not None:
        known = np.asarray(covariance, dtype=float)
        if known.shape != (n, n):
            raise InputError(Problem(f"covariance has the shape {known.shape}, not ({n}, {n})"))
    elif se is not None:
        errors = np.asarray(se, dtype=float)
        if errors.shape != (n,) or not (errors > 0).all():
            raise InputError(Problem("se must have one positive number for each point"))
        known = np.diag(errors**2)
    items = None if trials is None else np.broadcast_to(np.asarray(trials, dtype=float), (n,)).copy()
    if items is not None and not ((values >= 0) & (values <= items)).all():
        raise InputError(Problem("counts must lie between 0 and the number of trials"))
    labels = np.array([str(each) for each in (range(n) if groups is None else groups)])
    if labels.shape != (n,):
        raise InputError(Problem(f"groups has {len(labels)} entries for {n} points"))
    return CurvePoints(variables, values, labels, unit, known, items, name)


def size_variables(params: Float) -> dict[str, Float]:
    """Return the variables that model sizes are: ``N`` itself and ``x`` = log10(N / 1e9)."""
    if not (params > 0).all():
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
    whole = gains.covariance.matrix() if len(frame) <= _DENSE else np.diag(gains.covariance.variance)
    labels = (
        frame[list(by)].astype(str).agg(" / ".join, axis=1)
        if by
        else frame["gain"].map(lambda _: "all gains")
    )
    curves = {}
    for name in sorted(labels[usable].unique()):
        rows = np.flatnonzero((labels == name).to_numpy() & usable)
        curves[name] = _curve(gains, rows, whole, name)
    return curves


def _curve(gains: Gains, rows: NDArray[np.int64], whole: Float, name: str) -> CurvePoints:
    """Return the means of some rows' checkpoints; `whole` is the covariance of all rows."""
    frame = gains.frame.iloc[rows]
    checkpoint = frame["checkpoint"].astype(str).to_numpy()
    names, place = np.unique(checkpoint, return_inverse=True)
    task = frame["task"].astype(str).to_numpy() if "task" in frame else np.full(len(frame), "")
    share = np.zeros((len(names), len(frame)))
    for k in range(len(names)):
        inside = place == k
        tasks, counts = np.unique(task[inside], return_counts=True)
        weight = dict(zip(tasks, 1.0 / (len(tasks) * counts), strict=True))
        share[k, inside] = [weight[each] for each in task[inside]]
    params = np.array([frame["params"].to_numpy(dtype=float)[place == k][0] for k in range(len(names))])
    order = np.argsort(params, kind="stable")
    covariance = share @ whole[np.ix_(rows, rows)] @ share.T
    y = share @ frame["gain"].to_numpy(dtype=float)
    return CurvePoints(
        {"N": params[order], "x": decades(params[order])},
        y[order],
        names[order],
        gains.unit,
        covariance[np.ix_(order, order)] if np.isfinite(covariance).all() else None,
        None,
        name,
        (frame["params"].to_numpy(dtype=float), frame["gain"].to_numpy(dtype=float)),
    )


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
