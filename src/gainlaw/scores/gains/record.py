"""The record of gains: gains, their standard errors, and the covariance of the rows that share a baseline."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Self

import numpy as np

from gainlaw.errors import InputError, Problem
from gainlaw.faces import notebook_html
from gainlaw.formats import decimals, format_number
from gainlaw.notes import Note, count_of, sort_notes
from gainlaw.scales import SCALES, Scale
from gainlaw.scores.evaluations.record import EvaluationsRecord
from gainlaw.scores.gains.cells.checks import SIZES_HINT, several_sizes
from gainlaw.scores.gains.covariance import BlockCovariance
from gainlaw.scores.gains.findings import find_gain_notes
from gainlaw.scores.gains.spread import gain_spread, prior_unit
from gainlaw.scores.metrics import metric_facts

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["IDENTITY", "GainsRecord", "order_columns"]

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


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class GainsRecord:
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
    evaluations : EvaluationsRecord or None
        The scores behind the gains.
    notes : tuple of Note
        What was mended, dropped or assumed, in these rows and in the scores behind them; warnings first.
    lines : numpy.ndarray of int, shape (rows,), or None
        The line of `source` that each row stands on, for messages; None where it is not known.
    """

    frame: pd.DataFrame
    scale: Scale
    covariance: BlockCovariance
    source: str = ""
    sha256: str | None = None
    evaluations: EvaluationsRecord | None = None
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

    def __repr__(self) -> str:
        """Say in a line what there is: a notebook shows the frame where that is asked for."""
        known = [
            count_of(self.frame[column].nunique(), word)
            for column, word in (("task", "task"), ("language", "language"))
            if column in self.frame
        ]
        sizes = count_of(self.frame["params"].nunique(), "size")
        known = [f"{count_of(self.frame['checkpoint'].nunique(), 'checkpoint')} of {sizes}", *known]
        return (
            f"<{type(self).__name__} {self.source!r} in {self.unit}: {count_of(len(self), 'gain')}; "
            f"{', '.join(known)}>"
        )

    def _repr_html_(self) -> str:
        task = self.frame["task"] if "task" in self.frame else np.full(len(self), "all")
        digits = self.decimals()
        rows = [
            (
                str(name),
                str(len(part)),
                str(part["checkpoint"].nunique()),
                format_number(part["gain"].mean(), digits),
                format_number(part["se"].median(), digits),
            )
            for name, part in self.frame.groupby(task, sort=True)
        ]
        head = ("Task", "Gains", "Checkpoints", f"Mean gain ({self.unit})", "Median s.e.")
        return notebook_html(repr(self)[1:-1], head, rows, notes=map(str, self.notes))

    def __len__(self) -> int:
        """Return the number of contrasts."""
        return len(self.frame)

    def head(self, n: int = 5) -> pd.DataFrame:
        """Return the first rows of the frame."""
        return self.frame.head(n)

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

    def missing_scale(self, scale: Scale) -> str:
        """Return why these gains do not exist on a scale, whatever is known of them; empty where they do.

        Parameters
        ----------
        scale : {"points", "log_odds", "normalized", "error_reduction"}
            The scale asked about.

        Examples
        --------
        >>> import pandas as pd
        >>> from gainlaw.scores.gains.cells.reading import gains_from_frame
        >>> effects = pd.DataFrame({"metric": ["mcc"], "gain": [2.8], "se": [1.5]})
        >>> gains_from_frame(effects).missing_scale("log_odds")
        'mcc is no share of items answered rightly'
        """
        reasons = (metric.missing_scale(scale) for metric in metric_facts(self.frame).metrics)
        return "; ".join(reason for reason in reasons if reason)

    def subset(self, mask: np.ndarray | pd.Series) -> Self:
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
