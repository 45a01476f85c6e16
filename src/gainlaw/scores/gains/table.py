"""Gains, and how they are made from evaluations, put on another scale, and written."""

from __future__ import annotations

import os
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from gainlaw._io import write_frame_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.notes import sort_notes
from gainlaw.options import require_choice
from gainlaw.scales import Scale
from gainlaw.scores.evaluations.record import EvaluationsRecord
from gainlaw.scores.gains.cells.given import attach_covariance
from gainlaw.scores.gains.compute import Variance, pair_gains
from gainlaw.scores.gains.findings import unsized_notes
from gainlaw.scores.gains.record import GainsRecord
from gainlaw.scores.gains.rescale import rescale

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["Gains", "compute_gains", "covariance_path"]


def covariance_path(path: str | os.PathLike[str]) -> Path:
    """Return where the covariance of a gains file lies: ``PATH.cov.parquet``."""
    return Path(f"{path}.cov.parquet")


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Gains(GainsRecord):
    """Gains of intermediate training with their sampling covariance.

    The attributes are those of `GainsRecord`.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gains = gl.load_dataset("bloomz").gains(scale="points")
    >>> len(gains), gains.unit, len(gains.covariance.blocks)
    (420, 'points', 84)
    """

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
        return attach_covariance(self, covariance)

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
        there = rescale(self, scale)
        others = [note for note in there.notes if note.kind != "unsized"]
        notes = sort_notes([*others, *unsized_notes(there.frame, there.lines)])
        return _gains(replace(there, notes=notes))

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


def compute_gains(evals: EvaluationsRecord, scale: Scale = "points", variance: Variance = "auto") -> Gains:
    """Return the gain of every row with an intermediate over its baseline row.

    Parameters
    ----------
    evals : Evaluations
        The scores.
    scale : {"points", "log_odds", "normalized", "error_reduction"}, default "points"
        ``points`` are percentage points; ``normalized`` divides them by ``1 - chance``;
        ``error_reduction`` is the share of the baseline's errors removed, in %; ``log_odds`` is the
        difference of chance-corrected log-odds, of accuracies moved off the edges (for the table: the
        hierarchical model takes the counts).
    variance : {"auto", "paired", "unpaired"}, default "auto"
        ``paired`` takes the items that both models answered (McNemar) and needs predictions; ``unpaired``
        adds the two binomial variances, which is conservative when both answer the same items; ``auto`` is
        paired where the items are kept and the same, unpaired elsewhere.

    Returns
    -------
    Gains
        One row a pair, with the sampling covariance of the rows that share a baseline.

    Raises
    ------
    InputError
        If nothing pairs, a scale needs a guess rate that is not known, or ``variance="paired"`` lacks items.

    Notes
    -----
    See `gainlaw.scores.gains.compute.pair_gains` for the covariance.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gains = gl.compute_gains(gl.load_dataset("bloomz"))
    >>> xnli = gains.frame.query("task == 'xnli' and intermediate == 'xP3'")
    >>> xnli.groupby("params")["gain"].mean().round(1).tolist()
    [5.9, 4.0, 9.5, 10.4, 13.1, 18.5]
    """
    return _gains(pair_gains(evals, scale, variance))


def _gains(record: GainsRecord) -> Gains:
    return Gains(*(getattr(record, each.name) for each in fields(record)))
