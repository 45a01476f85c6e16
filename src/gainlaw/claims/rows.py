"""Which rows a claim needs, and what of them a fit lacks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from gainlaw.claims.grammar.syntax import Claim
from gainlaw.notes import count_of
from gainlaw.options import ABILITY_ESTIMANDS, SCORE_ESTIMANDS

if TYPE_CHECKING:
    import pandas as pd

    from gainlaw.fitting.record import FitRecord

__all__ = ["NEED_COLUMNS", "Needs", "Where", "count_replicates", "missing_rows"]

NEED_COLUMNS = {
    "tasks": "task",
    "languages": "language",
    "language_families": "language_family",
    "intermediates": "intermediate",
    "model_families": "model_family",
    "base_models": "base_model",
}
"""Keys of ``needs`` that list values, and the columns that must have them."""

SHAPES = ("slope", "ratio", "crossing", "peak", "size_multiplier", "size_effect")
"""Estimands that take two sizes at least."""

Where = tuple[tuple[str, tuple[str, ...]], ...]


@dataclass(frozen=True, slots=True)
class Needs:
    """The rows that a claim needs before it can be judged.

    Parameters
    ----------
    tasks, languages, language_families, intermediates, model_families, base_models : tuple of str
        Values of which every one must be there.
    covariates : tuple of str
        Covariates that the fit must have.
    min_sizes, min_checkpoints : int
        Least number of distinct sizes and checkpoints.
    """

    tasks: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()
    language_families: tuple[str, ...] = ()
    intermediates: tuple[str, ...] = ()
    model_families: tuple[str, ...] = ()
    base_models: tuple[str, ...] = ()
    covariates: tuple[str, ...] = ()
    min_sizes: int = 0
    min_checkpoints: int = 0


def missing_rows(
    fit: FitRecord, claim: Claim, needs: Needs | None = None, where: Where = ()
) -> tuple[str, ...]:
    """Return what a fit lacks for a claim, in words; nothing when the claim can be judged on it.

    Parameters
    ----------
    fit : Fit
        The fit.
    claim : Claim
        The claim; the groups it names must be among the rows.
    needs : Needs, optional
        What else the claim needs.
    where : tuple of (column, values)
        Which rows the claim is about. The fit must have such rows and must not mix them with others, unless
        every estimand of the claim names its group in that column.
    """
    needs = needs or Needs()
    frame = fit.gains.frame
    out: list[str] = []
    for column, wanted in where:
        out += _where(frame, claim, column, wanted)
        kept = frame[column].astype(str).isin(wanted) if column in frame.columns else None
        if kept is not None and kept.any():
            frame = frame[kept]
    for key, column in NEED_COLUMNS.items():
        out += _values(frame, column, getattr(needs, key))
    named: dict[str, list[str]] = {}
    for term in claim.terms():
        for key, value in term.selector.group:
            if key != "covariate":
                named.setdefault(key, []).append(value)
    for column, values in named.items():
        out += _values(frame, column, tuple(dict.fromkeys(values)))
    out += _cells(frame, claim)
    out += _terms(fit, claim)
    out += _covariates(fit, claim, needs)
    out += _sizes(fit, claim, needs, frame)
    return tuple(dict.fromkeys(out))


def count_replicates(fit: FitRecord, claim: Claim) -> tuple[int, int, str]:
    """Return the checkpoints and sizes behind a claim, and a note where a group it names was seen on fewer.

    Parameters
    ----------
    fit : Fit
        The fit.
    claim : Claim
        The claim.

    Returns
    -------
    n_checkpoints, n_sizes : int
        The fewest behind any group that the claim names; those of the fit when it names none.
    note : str
        Which groups were seen on fewer checkpoints than the fit has; empty where none was.
    """
    frame = fit.gains.frame
    checkpoints, sizes, notes = fit.n_checkpoints, fit.n_sizes, []
    named = dict.fromkeys(item for term in claim.terms() for item in term.selector.group)
    for key, value in named:
        if key == "covariate" or key not in frame.columns:
            continue
        rows = frame[frame[key].astype(str) == value]
        count = int(rows["checkpoint"].nunique())
        if count < fit.n_checkpoints:
            notes.append(f"{key}={value} was seen on {count} of {fit.n_checkpoints} checkpoints")
        checkpoints = min(checkpoints, count)
        sizes = min(sizes, int(rows["params"].nunique()))
    return checkpoints, sizes, "; ".join(notes)


def _where(frame: pd.DataFrame, claim: Claim, column: str, wanted: tuple[str, ...]) -> list[str]:
    names = " or ".join(wanted)
    if column not in frame.columns:
        return [f"rows with {column} = {names} (there is no column {column})"]
    present = set(frame[column].astype(str))
    if not present & set(wanted):
        return [f"rows with {column} = {names} (there: {_list(sorted(present))})"]
    others = sorted(present - set(wanted))
    picked = all(dict(term.selector.group).get(column) in wanted for term in claim.terms())
    if others and not picked:
        return [f"a fit on rows with {column} = {names} alone (this one mixes in {_list(others)})"]
    return []


def _values(frame: pd.DataFrame, column: str, wanted: tuple[str, ...]) -> list[str]:
    if not wanted:
        return []
    if column not in frame.columns:
        return [f"column {column} (needed: {', '.join(wanted)})"]
    present = set(frame[column].astype(str))
    absent = [value for value in wanted if value not in present]
    if not absent:
        return []
    there = _list(sorted(present)) if present else "none"
    return [f"rows with {column} = {', '.join(absent)} (there: {there})"]


def _cells(frame: pd.DataFrame, claim: Claim) -> list[str]:
    """Return which groups were each observed but never together, and which at too few sizes for what is claimed."""
    out = []
    for term in claim.terms():
        group = [item for item in term.selector.group if item[0] in frame.columns]
        rows = frame
        for column, value in group:
            rows = rows[rows[column].astype(str) == value]
        alone = all((frame[column].astype(str) == value).any() for column, value in group)
        names = " and ".join(f"{column} = {value}" for column, value in group)
        if len(group) > 1 and alone and rows.empty:
            out.append(f"rows with {names} together (each was observed, the two never)")
        elif group and term.name in SHAPES and not rows.empty and "params" in rows.columns:
            sizes = int(rows["params"].nunique())
            if sizes < 2 <= frame["params"].nunique():
                out.append(f"2 model sizes among the rows with {names} (there: {sizes})")
    return out


def _terms(fit: FitRecord, claim: Claim) -> list[str]:
    """Return which terms, or slopes of terms, the model lacks for the groups that a claim names."""
    from gainlaw.posterior.grid import SELECTABLE, why_absent, why_no_slope

    out = []
    for term in claim.terms():
        for column in (key for key, _ in term.selector.group if key in SELECTABLE):
            out.append(why_absent(fit.spec, fit.gains, column))
            if term.name == "slope" and not out[-1]:
                out.append(why_no_slope(fit.spec, fit.gains, column))
    return [f"a fit that tells them apart ({reason})" for reason in out if reason]


def _covariates(fit: FitRecord, claim: Claim, needs: Needs) -> list[str]:
    named = [dict(t.selector.group)["covariate"] for t in claim.terms() if t.name == "effect"]
    wanted = dict.fromkeys([*needs.covariates, *named])
    return [f"a fit with the covariate {name}" for name in wanted if name not in fit.spec.covariates]


def _sizes(fit: FitRecord, claim: Claim, needs: Needs, frame: pd.DataFrame) -> list[str]:
    out = []
    shapes = any(term.name in SHAPES for term in claim.terms())
    if shapes and not fit.spec.law.has_slope:
        out.append(f"a fit with a slope (the law of this one is {fit.spec.law.name})")
    sizes = int(frame["params"].nunique()) if "params" in frame.columns else 0
    named, law = {term.name for term in claim.terms()}, fit.spec.law
    if named & set(ABILITY_ESTIMANDS) and not law.form.lift:
        out.append(f"a fit of the law ability (the law of this one is {law.name})")
    elif named & set(SCORE_ESTIMANDS) and not law.form.scores:
        out.append(f"a fit of the law two_curve (the law of this one is {law.name})")
    least = max(needs.min_sizes, 2 if shapes else 0)
    if sizes < least:
        out.append(f"{count_of(least, 'model size')} (there: {sizes})")
    checkpoints = int(frame["checkpoint"].nunique()) if "checkpoint" in frame.columns else 0
    if checkpoints < needs.min_checkpoints:
        out.append(f"{count_of(needs.min_checkpoints, 'checkpoint')} (there: {checkpoints})")
    return out


def _list(values: tuple[str, ...] | list[str], limit: int = 6) -> str:
    shown = ", ".join(str(value) for value in list(values)[:limit])
    return f"{shown} and {len(values) - limit} more" if len(values) > limit else shown
