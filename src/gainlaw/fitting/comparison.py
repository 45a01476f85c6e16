"""Predictive comparison of fits: whole checkpoints are left out, because they are the replicates."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from gainlaw.errors import InputError, Problem
from gainlaw.fitting.influence import PARETO_K_LIMIT

if TYPE_CHECKING:
    from gainlaw.fitting.core import Fit

__all__ = ["compare"]


def compare(fits: Mapping[str, Fit] | Sequence[Fit]) -> pd.DataFrame:
    """Compare fits of the same gains by leave-one-checkpoint-out predictive density.

    Parameters
    ----------
    fits : mapping of str to Fit, or sequence of Fit
        Two or more fits of the same rows on the same scale. In a sequence they are named by law and terms left out.

    Returns
    -------
    DataFrame
        model, elpd (sum over checkpoints of the log predictive density of each, given the others), se, elpd_diff
        (to the best), se_diff, checkpoints, pareto_k_max, status; best first. With few checkpoints the standard
        errors are rough: a difference below two of them says nothing.

    Raises
    ------
    InputError
        If the fits differ in rows, scale or checkpoints.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gl.compare({"linear": linear, "offset power": curved})  # doctest: +SKIP
    """
    named = dict(fits) if isinstance(fits, Mapping) else _names(fits)
    problems = []
    if len(named) < 2:
        problems.append(Problem("one fit cannot be compared", hint="give two or more"))
    reference = next(iter(named.values()), None)
    for name, each in named.items():
        assert reference is not None
        assert each.diagnostics is not None
        if each.diagnostics.influence.empty:
            problems.append(
                Problem(f"{name} has fewer than three checkpoints", hint="nothing can be left out")
            )
        elif each.scale != reference.scale:
            problems.append(
                Problem(f"{name} is on the scale {each.scale}, the first fit on {reference.scale}")
            )
        elif not _same_rows(each, reference):
            problems.append(
                Problem(f"{name} was fitted to other rows than the first fit", hint="use the same gains")
            )
    if problems:
        raise InputError(problems, source="compare")
    pointwise = {
        name: each.diagnostics.influence.set_index("checkpoint")["elpd"]
        for name, each in named.items()
        if each.diagnostics is not None
    }
    totals = {name: float(values.sum()) for name, values in pointwise.items()}
    best = max(totals, key=lambda name: totals[name])
    rows = []
    for name, values in pointwise.items():
        each = named[name]
        assert each.diagnostics is not None
        n = len(values)
        difference = (values - pointwise[best]).to_numpy()
        pareto_k = float(each.diagnostics.influence["pareto_k"].max())
        rows.append(
            {
                "model": name,
                "law": each.spec.law.name,
                "elpd": totals[name],
                "se": float(np.sqrt(n) * values.std(ddof=1)),
                "elpd_diff": float(difference.sum()),
                "se_diff": float(np.sqrt(n) * difference.std(ddof=1)),
                "checkpoints": n,
                "pareto_k_max": pareto_k,
                "status": "ok" if pareto_k <= PARETO_K_LIMIT else "unreliable (pareto_k)",
            }
        )
    return pd.DataFrame(rows).sort_values("elpd", ascending=False, ignore_index=True)


def _names(fits: Sequence[Fit]) -> dict[str, Fit]:
    names: dict[str, Fit] = {}
    for each in fits:
        base = each.path.name if each.path is not None else each.spec.law.name
        name, count = base, 2
        while name in names:
            name, count = f"{base} ({count})", count + 1
        names[name] = each
    return names


def _same_rows(first: Fit, second: Fit) -> bool:
    a, b = first.gains.frame["gain"].to_numpy(), second.gains.frame["gain"].to_numpy()
    return len(a) == len(b) and bool(np.allclose(np.sort(a), np.sort(b), rtol=0, atol=1e-9))
