"""A fit, and what is done with it: predictions, figures, files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from functools import wraps
from inspect import signature
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from gainlaw.fitting import core, storage
from gainlaw.fitting.prediction import predict
from gainlaw.fitting.record import FitRecord

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Fit", "fit", "load_fit"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Fit(FitRecord):
    """A hierarchical law fitted to gains.

    The parameters are those of `FitRecord`.
    """

    def _repr_html_(self) -> str:
        from gainlaw.faces import notebook_html
        from gainlaw.figures.common.arrange import levels
        from gainlaw.formats import MINUS
        from gainlaw.tables.estimates import gain_at_table, slopes_table

        for estimand, make in (("slope", slopes_table), ("gain", gain_at_table)):
            for level in levels(self, estimand)[:1]:
                table = make(self, level)
                head, rows = [column.title for column in table.columns], table.cells(MINUS)
                notes = (table.caption, *table.notes)
                return notebook_html(self.headline, head, rows, notes=notes, alert=self.alert)
        return notebook_html(self.headline, notes=[self.answer], alert=self.alert)

    def predict(
        self,
        params: float | str | Sequence[float | str],
        *,
        new: Sequence[str] = (),
        level: str | None = None,
        ci_prob: float = 0.95,
        seed: int = 0,
        **group: str,
    ) -> pd.DataFrame:
        """Predict the gain at given sizes, see `gainlaw.fitting.prediction.predict`.

        Examples
        --------
        >>> fit.predict(params=13e9, task="xnli")  # doctest: +SKIP
        """
        return predict(self, params, new=new, level=level, ci_prob=ci_prob, seed=seed, **group)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the fit directory, see `gainlaw.fitting.storage.save_fit`."""
        return storage.save_fit(self, Path(path), overwrite=overwrite)

    def plot_forest(self, level: str = "task", **options: Any) -> Figure:
        """Draw a forest plot of a level, see `gainlaw.figures.forest`."""
        from gainlaw.figures.forest import plot_forest

        return plot_forest(self, level=level, **options)

    def plot_gain(self, **options: Any) -> Figure:
        """Draw gain against size with posterior bands, see `gainlaw.figures.gain_curve`."""
        from gainlaw.figures.gain_curve import plot_gain

        return plot_gain(self, **options)


def _whole[**Asked](make: Callable[Asked, FitRecord]) -> Callable[Asked, Fit]:
    """Return what makes a fit from what makes its record: the same arguments, the same text."""

    @wraps(make)
    def made(*args: Asked.args, **options: Asked.kwargs) -> Fit:
        record = make(*args, **options)
        return Fit(**{each.name: getattr(record, each.name) for each in fields(record)})

    made.__signature__ = signature(make).replace(return_annotation="Fit")  # type: ignore[attr-defined]
    return made


fit = _whole(core.fit)
load_fit = _whole(storage.load_fit)
