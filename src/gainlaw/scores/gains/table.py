"""The Gains record: gains, their standard errors, and the covariance of the rows that share a baseline."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gainlaw._io import write_frame_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.formats import decimals
from gainlaw.notes import Note, sort_notes
from gainlaw.options import require_choice
from gainlaw.scales import SCALES, Scale
from gainlaw.scores.gains.cells.checks import SIZES_HINT, several_sizes
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.findings import find_gain_notes, unsized_notes
from gainlaw.scores.gains.spread import gain_spread, prior_unit
from gainlaw.scores.metrics import metric_facts

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["IDENTITY", "Gains", "covariance_path", "order_columns"]

IDENTITY = (  # what tells the contrasts of one study apart
    *("base_model", "model", "intermediate", "task", "language"),
    *("seed", "prompt", "split", "metric", "protocol"),
)


_ORDER = (
    *("params", "model_family", "base_model", "model", "intermediate", "checkpoint"),
    *("task", "language", "language_name", "language_family", "genus"),
    *("seed", "prompt", "split", "metric", "protocol"),
    *("gain", "se", "scale", "baseline_score", "intermediate_score", "n_baseline", "n_intermediate"),
    *("k_baseline", "k_intermediate", "chance", "variance", "block", "baseline_se", "row", "baseline_row"),
)


def order_columns(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the columns of a gains table in their usual order, the user's own last, rows numbered anew."""
    first = [column for column in _ORDER if column in frame]
    return frame[[*first, *(column for column in frame if column not in first)]].reset_index(drop=True)


def covariance_path(path: str | os.PathLike[str]) -> Path:
    """Return where the covariance of a gains file lies: ``PATH.cov.parquet``."""
    return Path(f"{path}.cov.parquet")


@dataclass(frozen=True, slots=True, eq=False)
class Gains:
    """Gains of intermediate training with their sampling covariance.

    Attributes
    ----------
    frame : pandas.DataFrame
        One row a contrast. Always there: ``params`` (of the baseline checkpoint; NaN in a table without),
        ``checkpoint`` (the label of the replicate: ``base_model``, or ``model_family:params``, or empty),
        ``gain``, ``se`` (in the unit of the scale), ``scale``, ``variance`` (``paired``, ``unpaired`` or
        ``given``), ``block`` (rows with the same number share a baseline), ``baseline_se`` (what the
        baseline's sampling error adds to ``se``, NaN when unknown). Where known: ``model_family,
        base_model, model, intermediate, task, language, language_name, language_family, genus``, the key
        columns, ``baseline_score, intermediate_score`` (fractions), ``n_baseline, n_intermediate,
        k_baseline, k_intermediate`` (counts), ``chance``, ``row`` and ``baseline_row`` (lines of the
        evaluations), and the user's own columns.
    scale : str
        ``points``, ``log_odds``, ``normalized`` or ``error_reduction``. A point is a percentage point of an
        accuracy, 0.01 of most other metrics, 1 of those that go to 100; positive is better.
    covariance : BlockCovariance
        Of the gains' sampling errors, in squared units of the scale.
    source : str
        The file or dataset.
    sha256 : str or None
        Of the file's bytes.
    evaluations : Evaluations or None
        The scores behind the gains.
    notes : tuple of Note
        What was mended, dropped or assumed, in these rows and in the scores behind them; warnings first.
    lines : numpy.ndarray of int, shape (rows,), or None
        The line of `source` that each row stands on, for messages; None where it is not known.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gains = gl.load_dataset("bloomz").gains(scale="points")
    >>> len(gains), gains.unit, len(gains.covariance.blocks)
    (420, 'points', 84)
    """

    frame: pd.DataFrame
    scale: Scale
    covariance: BlockCovariance
    source: str = ""
    sha256: str | None = None
    evaluations: Evaluations | None = None
    notes: tuple[Note, ...] = ()
    lines: np.ndarray | None = None

    def __post_init__(self) -> None:
        """Refuse checkpoints of several sizes: they are the replicates of a law over size."""
        if not {"checkpoint", "params"} <= set(self.frame):
            return
        where = several_sizes(self.frame)
        if where.any():
            labels = self.frame.loc[where, "checkpoint"].unique()
            shown = ", ".join(repr(str(label)) for label in labels[:6])
            problem = Problem(f"{shown} has several sizes", "checkpoint", self.lines_of(where), SIZES_HINT)
            raise InputError(problem, self.source or None)

    def lines_of(self, where: np.ndarray) -> tuple[int, ...]:
        """Return the lines of the rows that a mask, shape (rows,), is True for; none where lines are not known."""
        return () if self.lines is None else tuple(int(line) for line in self.lines[where])

    def __len__(self) -> int:
        """Return the number of contrasts."""
        return len(self.frame)

    @property
    def unit(self) -> str:
        """The unit of the gains, for print."""
        return SCALES[self.scale].unit

    @property
    def prior_unit(self) -> float:
        """What the default priors are multiplied by for these gains, see `spread.prior_unit`."""
        gain, se = (self.frame[name].to_numpy(dtype=float) for name in ("gain", "se"))
        return prior_unit(gain_spread(gain, se), self.scale)

    def decimals(self, base: int | None = None) -> int:
        """Return how many decimals gains are shown with, see `gainlaw.formats.decimals`."""
        return decimals(self.prior_unit, self.scale, base)

    @property
    def shares_baselines(self) -> bool:
        """Whether errors that rows have in common are those of one baseline each, as the rows' own columns say."""
        frame = self.frame
        paired = frame["variance"].eq("paired").to_numpy()
        known = np.isfinite(frame["baseline_se"].to_numpy(float))
        same = [
            np.nan_to_num(frame[name].to_numpy(float, na_value=np.nan), nan=-1.0)
            for name in ("k_baseline", "n_baseline", "chance")
            if name in frame
        ]
        return all(
            paired[rows].any()
            or (known[rows].all() and all((each[rows] == each[rows[0]]).all() for each in same))
            for rows, _ in self.covariance.blocks
        )

    def with_covariance(self, covariance: str | os.PathLike[str] | np.ndarray | pd.DataFrame) -> Gains:
        """Return the same gains with a sampling covariance of your own, whatever rows it connects.

        Parameters
        ----------
        covariance : path-like, ndarray or DataFrame
            A matrix in squared units of the scale: an array or a file (``.npy``, ``.csv``, ``.parquet``), one row and
            one column a gain in their order; or with labels, a frame's index or a file's first column, named as the
            column of the gains that holds them. Labels of no gain are left out.

        Raises
        ------
        InputError
            If it is not a covariance of these gains: its size or labels, its symmetry, a direction of negative
            variance, or a diagonal that is not the square of ``se``.

        Examples
        --------
        >>> import pandas as pd
        >>> import gainlaw as gl
        >>> gains = gl.gains_from_frame(pd.DataFrame({"task": ["a", "b"], "gain": [2.8, 0.8], "se": [2.0, 1.0]}))
        >>> gains.with_covariance(np.array([[4.0, 0.5], [0.5, 1.0]])).covariance.matrix().tolist()
        [[4.0, 0.5], [0.5, 1.0]]
        """
        from gainlaw.scores.gains.cells.given import attach_covariance

        return attach_covariance(self, covariance)

    def missing_scale(self, scale: Scale) -> str:
        """Return why these gains do not exist on a scale, whatever is known of them; empty where they do.

        Parameters
        ----------
        scale : {"points", "log_odds", "normalized", "error_reduction"}
            The scale asked about.

        Examples
        --------
        >>> import pandas as pd
        >>> from gainlaw.scores.gains import gains_from_frame
        >>> effects = pd.DataFrame({"metric": ["mcc"], "gain": [2.8], "se": [1.5]})
        >>> gains_from_frame(effects).missing_scale("log_odds")
        'mcc is no share of items answered rightly'
        """
        reasons = (metric.missing_scale(scale) for metric in metric_facts(self.frame).metrics)
        return "; ".join(reason for reason in reasons if reason)

    def subset(self, mask: np.ndarray | pd.Series) -> Gains:
        """Keep some rows, with their covariance.

        Parameters
        ----------
        mask : array of bool, shape (rows,)
            True for the rows to keep.

        Raises
        ------
        InputError
            If no row is left or the mask has another length.
        """
        keep = np.asarray(mask, bool)
        if keep.shape != (len(self.frame),):
            raise InputError(f"the mask has shape {keep.shape}, the gains have {len(self.frame)} rows")
        if not keep.any():
            raise InputError("no row is left", self.source or None)
        frame = self.frame[keep].reset_index(drop=True)
        standing = [note for note in self.notes if note.standing]
        lines = None if self.lines is None else self.lines[keep]
        notes = sort_notes([*standing, *find_gain_notes(frame, lines)])
        return replace(self, frame=frame, covariance=self.covariance.subset(keep), notes=notes, lines=lines)

    def to_scale(self, scale: Scale) -> Gains:
        """Return the same contrasts on another scale, from the scores behind them.

        Parameters
        ----------
        scale : {"points", "log_odds", "normalized", "error_reduction"}
            The scale wanted.

        Raises
        ------
        InputError
            If the scores, or the guess rate a scale needs, are not known.

        Examples
        --------
        >>> import gainlaw as gl
        >>> gains = gl.load_dataset("bloomz").gains()
        >>> gains.to_scale("log_odds").unit
        'log-odds'
        """
        require_choice(scale, Scale, "scale")
        if scale == self.scale:
            return self
        from gainlaw.scores.gains.rescale import rescale

        there = rescale(self, scale)
        others = [note for note in there.notes if note.kind != "unsized"]
        return replace(there, notes=sort_notes([*others, *unsized_notes(there.frame, there.lines)]))

    def write(self, path: str | os.PathLike[str], *, safe: bool = False) -> Path:
        """Write the table, and ``PATH.cov.parquet`` where its columns cannot tell the covariance.

        Parameters
        ----------
        path : path-like
            A ``.csv`` or ``.parquet`` file.
        safe : bool
            Prefix the cells of a CSV file that a spreadsheet would run, see `gainlaw._io.csv_text`; the names in it are
            then no longer those that were read.

        Returns
        -------
        pathlib.Path
            The table written.
        """
        import pandas as pd

        target = Path(path)
        if target.suffix.lower() not in {".csv", ".parquet", ".pq"}:
            raise InputError(
                Problem(f"gains cannot be written to {str(path)!r}", hint="name it .csv or .parquet")
            )
        frame = self.frame.copy()
        block = frame["block"].to_numpy()
        if any((block[rows] != block[rows[0]]).any() for rows, _ in self.covariance.blocks):
            hint = "give a covariance of your own by with_covariance"
            raise InputError(Problem("rows with errors in common have several numbers", "block", hint=hint))
        for column in ("n_baseline", "n_intermediate", "k_baseline", "k_intermediate", "seed"):
            if column in frame:
                frame[column] = frame[column].astype("Int64")
        side = covariance_path(target)
        rebuilt = frame["baseline_se"].to_numpy()
        known = all(np.isfinite(rebuilt[rows]).all() for rows, _ in self.covariance.blocks)
        if known:
            side.unlink(missing_ok=True)
        else:
            # The diagonal and the gains are there to tell whether the two files belong together.
            rows = np.arange(len(frame))
            own = {
                "i": rows,
                "j": rows,
                "cov": self.covariance.variance,
                "gain": frame["gain"].to_numpy(float),
            }
            parts = [pd.DataFrame(own)]
            for rows, cov in self.covariance.blocks:
                i, j = np.triu_indices(len(rows), 1)
                parts.append(pd.DataFrame({"i": rows[i], "j": rows[j], "cov": cov[i, j]}))
            write_frame_atomic(pd.concat(parts, ignore_index=True), side)
        return write_frame_atomic(frame, target, safe=safe)
