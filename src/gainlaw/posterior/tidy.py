"""Draws as one long frame, a row for every draw of every parameter."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.posterior.record import Posterior

if TYPE_CHECKING:
    import xarray as xr

__all__ = ["tidy_draws"]


def tidy_draws(posterior: Posterior, parameters: Sequence[str] = (), *, prior: bool = False) -> pd.DataFrame:
    """Return the draws of parameters as a long frame.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    parameters : sequence of str
        Names of parameters or terms (``mu``, ``tau_task``, ``task``, ...); all where none is named.
    prior : bool
        Use prior draws in place of posterior draws.

    Returns
    -------
    DataFrame
        ``parameter``, ``group`` (empty where a parameter has none), ``coefficient`` (``intercept`` or ``slope``, empty
        where it is neither), ``chain``, ``draw`` and ``value``, in the unit of the scale.

    Raises
    ------
    InputError
        For a parameter that the model does not have.
    """
    data = posterior.draws["prior" if prior else "posterior"].to_dataset()
    known = [str(name) for name in data.data_vars]
    absent = [name for name in parameters if name not in known]
    if absent:
        raise InputError(Problem(f"the model has no {', '.join(absent)}", hint=f"it has: {', '.join(known)}"))
    parts = [_long(name, data[name]) for name in parameters or known]
    return pd.concat(parts, ignore_index=True)[
        ["parameter", "group", "coefficient", "chain", "draw", "value"]
    ]


def _long(name: str, values: xr.DataArray) -> pd.DataFrame:
    """Return the draws of one parameter, whose first two dimensions are chains and draws."""
    labels: dict[bool, list[str]] = {False: [""], True: [""]}
    for dim in values.dims[2:]:
        labels[str(dim).startswith("coef")] = [str(label) for label in values[dim].to_numpy()]
    levels = [[name], range(values.shape[0]), range(values.shape[1]), labels[False], labels[True]]
    index = pd.MultiIndex.from_product(levels, names=["parameter", "chain", "draw", "group", "coefficient"])
    return pd.DataFrame({"value": values.to_numpy().ravel()}, index=index).reset_index()
