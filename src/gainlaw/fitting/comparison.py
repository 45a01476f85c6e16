"""Comparison of fits: prediction of whole checkpoints left out, because they are the replicates, and evidence."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem
from gainlaw.fitting.elpd import elpd_difference, elpd_status, same_gains
from gainlaw.fitting.record import FitRecord

__all__ = ["compare", "name_fits"]


def compare(
    fits: FitRecord | Mapping[str, FitRecord] | Sequence[FitRecord],
    *more: FitRecord,
    leave: str | None = None,
) -> pd.DataFrame:
    """Compare fits of the same gains by leave-one-checkpoint-out predictive density, and by their evidence.

    With `leave` families, studies, checkpoints or largest sizes are left out instead, and every law is held against the
    gains in points that it did not see, beside reference lines: see `gainlaw.fitting.across.compare_across`.

    Parameters
    ----------
    fits : mapping of str to Fit, sequence of Fit, or Fit
        Two or more fits of the same rows on the same scale. In a sequence they are named by their directories, or laws.
    *more : Fit
        The others, where `fits` is one of them.
    leave : {"family", "study", "checkpoint", "largest"} or str, optional
        What is left out together: these, or the groups of a column of the gains.

    Returns
    -------
    DataFrame
        model, elpd (sum over checkpoints of the log predictive density of each, given the others), se, elpd_diff
        (to the best), se_diff, checkpoints, pareto_k_max, status, log_evidence, bayes_factor; best elpd first. With
        few checkpoints the standard errors are rough: a difference below two of them says nothing.

        ``log_evidence`` is the log marginal likelihood of all gains, ``bayes_factor`` its ratio to that of the model
        with the largest (which has 1). Both are NaN unless every fit was made by the engine ``exact`` from the same
        gains, sampling errors and counts.

    Raises
    ------
    InputError
        If the fits differ in rows, scale or checkpoints.

    Notes
    -----
    elpd asks how well a model predicts the next checkpoint once it has seen the others; the evidence asks how well it
    predicted all of them from its priors alone. A Bayes factor therefore depends on priors as elpd hardly does: a
    parameter that one model has and the other has not costs evidence in proportion to the width of its prior, however
    many data there are. Compare by it models whose priors you mean.

    Examples
    --------
    >>> import gainlaw as gl
    >>> gl.compare({"linear": linear, "offset power": curved})  # doctest: +SKIP
    >>> gl.compare(linear, curved)  # doctest: +SKIP
    >>> gl.compare(linear, two_curve, leave="family")  # doctest: +SKIP
    """
    if isinstance(fits, FitRecord):
        fits = (fits, *more)
    elif more:
        raise InputError(Problem("give the fits one by one, or all of them in one list or mapping"))
    named = dict(fits) if isinstance(fits, Mapping) else name_fits(fits)
    if leave is not None:
        from gainlaw.fitting.across import compare_across

        return compare_across(named, leave)
    problems = []
    if len(named) < 2:
        problems.append(Problem("one fit cannot be compared", hint="give two or more"))
    reference = next(iter(named.values()), None)
    for name, each in named.items():
        assert reference is not None
        if each.diagnostics.influence.empty:
            problems.append(
                Problem(f"{name} has fewer than three checkpoints", hint="nothing can be left out")
            )
        elif each.scale != reference.scale:
            problems.append(
                Problem(f"{name} is on the scale {each.scale}, the first fit on {reference.scale}")
            )
        elif not same_gains(each.gains, reference.gains):
            problems.append(
                Problem(f"{name} was fitted to other rows than the first fit", hint="use the same gains")
            )
    if problems:
        raise InputError(problems, source="compare")
    pointwise = {
        name: each.diagnostics.influence.set_index("checkpoint")["elpd"] for name, each in named.items()
    }
    best = max(pointwise, key=lambda name: float(pointwise[name].sum()))
    evidence = _evidence(named)
    most = max(evidence.values())
    rows = []
    for name, values in pointwise.items():
        each = named[name]
        pareto_k = float(each.diagnostics.influence["pareto_k"].max())
        rows.append(
            {
                "model": name,
                "law": each.spec.law.name,
                **elpd_difference(values, pointwise[best]),
                "checkpoints": len(values),
                "pareto_k_max": pareto_k,
                "status": elpd_status(pareto_k),
                "log_evidence": evidence[name],
                "bayes_factor": float(np.exp(evidence[name] - most)),
            }
        )
    return pd.DataFrame(rows).sort_values("elpd", ascending=False, ignore_index=True)


def _evidence(fits: Mapping[str, FitRecord]) -> dict[str, float]:
    """Return the log marginal likelihood of every fit, all NaN where they cannot be compared."""
    first = next(iter(fits.values()))
    found = {name: each.draws["sample_stats"].attrs.get("log_evidence") for name, each in fits.items()}
    if any(value is None for value in found.values()) or any(
        not _same_likelihood(each, first) for each in fits.values()
    ):
        return dict.fromkeys(fits, float("nan"))
    return {name: float(value) for name, value in found.items() if value is not None}


def _same_likelihood(first: FitRecord, second: FitRecord) -> bool:
    """Return whether two fits have the same kind of likelihood and the same data in it, in any order of rows."""
    if first.spec.likelihood != second.spec.likelihood:
        return False
    a, b = _likelihood_data(first), _likelihood_data(second)
    return [part.shape for part in a] == [part.shape for part in b] and all(
        np.allclose(x, y, rtol=1e-6, atol=1e-9) for x, y in zip(a, b, strict=True)
    )


def _likelihood_data(fit: FitRecord) -> list[NDArray[np.float64]]:
    """Return what the likelihood is made of: sorted rows, and the sorted covariances of rows that share a baseline."""
    columns = ["gain"]
    if fit.spec.likelihood == "binomial":
        columns = ["k_baseline", "n_baseline", "k_intermediate", "n_intermediate", "chance"]
    covariance = fit.gains.covariance
    rows = fit.gains.frame[columns].to_numpy(dtype=float)
    if fit.spec.likelihood == "gaussian":
        rows = np.column_stack([rows, covariance.variance])
    shared = [block[np.triu_indices(len(block), 1)] for _, block in covariance.blocks]
    order = np.lexsort(np.round(rows, 9).T[::-1])
    return [rows[order], np.sort(np.concatenate([np.zeros(0), *shared]))]


def name_fits(fits: Sequence[FitRecord]) -> dict[str, FitRecord]:
    """Return fits by their names: those of their directories, or of their laws; repeated ones are numbered."""
    names: dict[str, FitRecord] = {}
    for each in fits:
        base = each.path.name if each.path is not None else each.spec.law.name
        name, count = base, 2
        while name in names:
            name, count = f"{base} ({count})", count + 1
        names[name] = each
    return names
