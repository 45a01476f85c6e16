"""A study before it is run, and what is done with it: figure, table."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError, Problem
from gainlaw.power.components import Components, default_components, fitted_components
from gainlaw.power.reading import Request, read_request
from gainlaw.power.record import DesignRecord, Progress, plan_study
from gainlaw.power.study import Costs

if TYPE_CHECKING:
    from gainlaw.figures.common.style import PaperFigure
    from gainlaw.fitting.record import FitRecord
    from gainlaw.tables.table import Table

__all__ = ["Design", "design"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Design(DesignRecord):
    """A planned study and its outlook; the parameters are those of `DesignRecord`."""

    def _repr_html_(self) -> str:
        from gainlaw.faces import notebook_html
        from gainlaw.formats import MINUS

        table = self.table()
        head, rows = [column.title for column in table.columns], table.cells(MINUS)
        headline, *rest = repr(self).splitlines()
        return notebook_html(headline[1:-1], head, rows, notes=(*rest, table.caption, *table.notes))

    def plot(self) -> PaperFigure:
        """Draw the power, the interval over sizes and seeds, and what to add: `gainlaw.figures.design.plot_design`."""
        from gainlaw.figures.design import plot_design

        return plot_design(self)

    def table(self) -> Table:
        """Return what the plan and its alternatives come to, see `gainlaw.tables.design.design_table`."""
        from gainlaw.tables.design import design_table

        return design_table(self)


def design(
    study: str | os.PathLike[str] | Mapping[str, Any] | Request,
    *,
    fit: FitRecord | None = None,
    costs: Costs | None = None,
    seed: int = 0,
    progress: Progress | None = None,
) -> Design:
    """Work out the power of a planned study, the width of its interval, and what to add for the cost.

    Parameters
    ----------
    study : path-like, mapping or Request
        The plan: a TOML file, or what one would hold, see `gainlaw.power.reading`.
    fit : Fit, optional
        A fit on points whose variance components are taken, with their uncertainty; in place of the plan's ``fit``.
    costs : Costs, optional
        What parts of the study cost, in place of the plan's ``costs``.
    seed : int
        Seed of the simulated studies: the same seed gives the same numbers.
    progress : callable, optional
        Called with (done, total) designs.

    Returns
    -------
    Design

    Raises
    ------
    InputError
        For a plan that cannot be used, with all its faults; a fit on another scale; costs that only a command knows.

    Examples
    --------
    >>> import gainlaw as gl
    >>> plan = {"sizes": ["100M", "1B", "10B"], "tasks": 2, "languages": 4, "grid": {"sizes": [3], "seeds": [1]}}
    >>> found = gl.design(plan)
    >>> 0.0 < found.power < found.assurance < 0.5
    True
    """
    request = study if isinstance(study, Request) else read_request(study)
    if request.experiment and costs is None:
        hint = "run `gainlaw design`, or give costs="
        problem = Problem(
            "only the command asks the runner what it costs", "costs.experiment", hint=hint, kind="key"
        )
        raise InputError(problem)
    made = plan_study(
        request.study,
        _components_of(request, fit),
        costs or request.costs,
        sizes=request.sizes,
        seeds=request.seeds,
        seed=seed,
        progress=progress,
    )
    return Design(**{each.name: getattr(made, each.name) for each in fields(made)})


def _components_of(request: Request, fit: FitRecord | None = None) -> Components:
    """Return the variance components of a plan: of a fit, or the packaged defaults, with those given in their place.

    Raises
    ------
    InputError
        If there is no such fit, or it is not on points.
    """
    if fit is None and request.fit is not None:
        from gainlaw.fitting.storage import load_fit

        fit = load_fit(request.fit)
    if fit is None:
        found = default_components()
    elif fit.scale != "points":
        raise InputError(Problem(f"the fit is on {fit.scale}", "fit", hint="plans are in points", kind="key"))
    else:
        found = fitted_components(fit)
    return found.replaced(request.components)
