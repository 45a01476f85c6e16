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
from gainlaw.options import ExportForm, require_choice

if TYPE_CHECKING:
    import xarray as xr
    from matplotlib.axes import Axes

    from gainlaw.figures.common.style import PaperFigure
    from gainlaw.options import FigureName, TableName
    from gainlaw.tables.table import Table

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

    @property
    def posterior(self) -> xr.DataTree:
        """The tree of draws, `draws`, as ArviZ takes it: groups ``posterior``, ``prior``, ``log_likelihood``, ...

        Examples
        --------
        >>> import arviz as az
        >>> az.summary(fit.posterior, var_names=["mu"])  # doctest: +SKIP
        """
        return self.draws

    def predict(
        self,
        params: float | str | Sequence[float | str],
        *,
        new: Sequence[str] = (),
        level: str | None = None,
        baseline: float | None = None,
        chance: float | None = None,
        ci_prob: float = 0.95,
        seed: int = 0,
        **group: str | Sequence[str],
    ) -> pd.DataFrame:
        """Predict the gain at given sizes, see `gainlaw.fitting.prediction.predict`.

        A law of scores is fitted on log-odds; ``fit.in_points().predict`` gives its gains in points. Of a model whose
        untuned score is known, `baseline`, a fit on log-odds gives them too.

        Examples
        --------
        >>> fit.predict("13B", task=["xnli", "xcopa"])  # doctest: +SKIP
        >>> fit.predict("13B", task="xnli", new=["model_family"], baseline=0.45)  # doctest: +SKIP
        """
        return predict(
            self,
            params,
            new=new,
            level=level,
            baseline=baseline,
            chance=chance,
            ci_prob=ci_prob,
            seed=seed,
            **group,
        )

    def in_points(self) -> Fit:
        """Return a fit of a law of scores with its gains in points, the differences of two sigmoids.

        Estimates, claims and predictions are then in points; nothing is fitted again.

        Raises
        ------
        InputError
            For any other law: its gains in points are a fit of their own.

        Examples
        --------
        >>> gl.fit(evals, law="two_curve").in_points().predict("13B", model_family="T5")  # doctest: +SKIP
        """
        from gainlaw.fitting.companion import in_points

        return in_points(self)

    def save(self, path: str | Path, *, overwrite: bool = False) -> Path:
        """Write the fit directory, see `gainlaw.fitting.storage.save_fit`."""
        return storage.save_fit(self, Path(path), overwrite=overwrite)

    def export(self, form: ExportForm, path: str | Path) -> Path:
        """Write the same model for another program into a folder.

        Parameters
        ----------
        form : {"stan", "bambi", "brms"}
            ``stan``: a program, its data and the names of its parameters. ``bambi``, ``brms``: a script with formula
            and priors, and its data; for independent sampling errors and terms whose groups have no weights.
        path : path-like
            The folder; files of the same names in it are replaced.

        Returns
        -------
        Path
            The folder.

        Raises
        ------
        InputError
            With all that the form cannot say of the model: counts, hierarchical baselines, an estimated shape, ...

        Examples
        --------
        >>> fit.export("stan", "fits/stan")  # doctest: +SKIP
        """
        from gainlaw._io import write_text_atomic
        from gainlaw.model.export.formula import bambi_files, brms_files
        from gainlaw.model.export.stan import stan_files

        require_choice(form, ExportForm, "form")
        if form == "stan":
            files = stan_files(self.problem, self.gains.covariance)
        else:
            files = (bambi_files if form == "bambi" else brms_files)(self.problem, self.gains)
        folder = Path(path)
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            write_text_atomic(folder / name, text)
        return folder

    def plot(self, name: FigureName | None = None, **options: Any) -> PaperFigure | Axes:
        """Draw a figure by its name, see `gainlaw.figures.named.plot`: gain against size where none is named.

        Examples
        --------
        >>> fit.plot()  # doctest: +SKIP
        >>> fit.plot("funnel")  # doctest: +SKIP
        """
        from gainlaw.figures.named import plot

        return plot(self, name, **options)

    def plot_forest(self, level: str = "task", estimand: str = "slope") -> PaperFigure:
        """Draw a forest plot of a level, see `gainlaw.figures.forest.plot_forest`."""
        from gainlaw.figures.forest import plot_forest

        return plot_forest(self, level, estimand)

    def plot_gain(
        self,
        by: str | None = "task",
        *,
        tasks: Sequence[str] | str | None = None,
        ax: Axes | None = None,
        points: int = 60,
    ) -> PaperFigure | Axes:
        """Draw gain against size with posterior bands, see `gainlaw.figures.gain_curve.plot_gain`.

        Parameters
        ----------
        by : {"task", "language_family", "intermediate", "model_family"} or None
            What the panels are; None draws one panel of the overall curve.
        tasks : str or sequence of str, optional
            Draw these tasks alone, where the panels are tasks.
        ax : matplotlib.axes.Axes, optional
            Draw one panel into these axes and return them.
        points : int
            Sizes at which the curve is evaluated.

        Examples
        --------
        >>> fit.plot_gain(tasks=["xnli"], ax=axes)  # doctest: +SKIP
        """
        from gainlaw.figures.gain_curve import plot_gain

        return plot_gain(self, by, tasks=tasks, ax=ax, points=points)

    def table(self, name: TableName | None = None, *, level: str | None = None) -> Table:
        """Return a table by its name, see `gainlaw.table`: slopes by task where none is named."""
        from gainlaw.tables.named import table

        return table(self, name, level=level)

    def heterogeneity(self) -> pd.DataFrame:
        """Return what every term adds to the variance of the gains, see `gainlaw.posterior.heterogeneity`."""
        from gainlaw.posterior.heterogeneity import heterogeneity

        return heterogeneity(self, self.ci_prob)

    def tidy_draws(self, *parameters: str, prior: bool = False) -> pd.DataFrame:
        """Return the draws of some parameters, or of all, as a long frame, see `gainlaw.posterior.tidy.tidy_draws`.

        Examples
        --------
        >>> fit.tidy_draws("task").groupby("group")["value"].mean()  # doctest: +SKIP
        """
        from gainlaw.posterior.tidy import tidy_draws

        return tidy_draws(self, parameters, prior=prior)


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
