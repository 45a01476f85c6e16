"""The same model on another scale: fitted once, kept in the fit directory, bound to the fit that it accompanies."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

from gainlaw._directory import locked
from gainlaw.errors import InputError, Problem
from gainlaw.fitting.core import Progress, fit
from gainlaw.fitting.record import FitRecord
from gainlaw.fitting.storage import load_fit, read_record, save_fit
from gainlaw.options import SCORE_ESTIMANDS
from gainlaw.posterior.score_curves import points_view
from gainlaw.scales import Scale

__all__ = ["CompanionError", "companion_path", "in_points", "other_scale", "other_scale_fit"]


class CompanionError(InputError):
    """The fit on another scale that is kept in a fit directory does not belong there, or was changed."""


def other_scale_fit(
    base: FitRecord, scale: Scale | None = None, *, anew: bool = False, progress: Progress | None = None
) -> FitRecord | None:
    """Return the same model on the other scale, read from the fit directory or fitted and kept there.

    Parameters
    ----------
    base : Fit
        A fit.
    scale : str, optional
        By default log-odds for a fit on points, points for any other.
    anew : bool
        Fit it, and replace one that is kept, whatever that is.
    progress : callable, optional
        Called with (done, total) draws if it has to be fitted.

    Returns
    -------
    Fit or None
        None when the scores behind the gains are not known, so that no other scale exists.

    Raises
    ------
    CompanionError
        If the fit that is kept belongs to other data, another model or other priors, or was changed since.

    Notes
    -----
    Priors that were given for one scale do not carry over to another: the companion has its scale's defaults. It
    carries the hash of the record of the fit that it accompanies, which in turn covers data, model and priors. In a
    directory that cannot be written, it is made each time.
    """
    wanted = other_scale(base) if scale is None else scale
    if wanted == base.scale:
        return base
    if base.law.form.scores:
        return in_points(base) if wanted == "points" else None
    directory = companion_path(base, wanted)
    if directory is None or not (directory.exists() or os.access(directory.parent, os.W_OK | os.X_OK)):
        return _make(base, wanted, progress)
    if directory.exists() and not anew:
        return _read(base, wanted, directory)
    # Another process may be making the same companion, or replacing the fit itself.
    with locked(directory.parent, wait=True):
        if directory.exists() and not anew:
            return _read(base, wanted, directory)
        made = _make(base, wanted, progress)
        if made is None:
            return None
        if read_record(directory.parent)["sha256"] != base.record["sha256"]:
            raise InputError(Problem(f"{directory.parent} was replaced meanwhile", hint="run this again"))
        save_fit(made, directory, overwrite=anew)
    return replace(made, path=directory)


def in_points[F: FitRecord](base: F) -> F:
    """Return a fit of a law of scores with its gains in points: the same posterior, read as two sigmoids.

    Parameters
    ----------
    base : Fit
        A fit of a law of scores, on log-odds.

    Returns
    -------
    Fit
        Its estimates are those in points and those without a unit.

    Raises
    ------
    InputError
        For any other law.
    """
    if not base.law.form.scores:
        what = f"gains in points by the {base.law.name} law are another fit"
        raise InputError(Problem(what, hint='gl.fit(..., scale="points")'))
    renamed = {"gain_points": "gain", "slope_points": "slope"}
    kept = base.estimates["estimand"].isin([*renamed, *SCORE_ESTIMANDS])
    estimates = base.estimates[kept].replace({"estimand": renamed}).reset_index(drop=True)
    return replace(points_view(base), estimates=estimates)


def companion_path(base: FitRecord, scale: Scale | None = None) -> Path | None:
    """Return where the fit on another scale lies, or would lie; None for a fit that is kept nowhere."""
    return None if base.path is None else base.path / f"scale_{scale or other_scale(base)}"


def other_scale(base: FitRecord) -> Scale:
    """Return the scale on which a fit is judged too."""
    return "log_odds" if base.scale == "points" else "points"


def _read(base: FitRecord, scale: Scale, directory: Path) -> FitRecord:
    hint = "remove it, and it is made anew"
    try:
        found = load_fit(directory)
    except InputError as error:
        problems = [replace(problem, hint=hint) for problem in error.problems]
        raise CompanionError(problems, source=error.source) from None
    if found.record.get("parent") != base.record["sha256"] or found.scale != scale:
        raise CompanionError(Problem(f"{directory} accompanies another fit than {base.path}", hint=hint))
    return found


def _make(base: FitRecord, scale: Scale, progress: Progress | None) -> FitRecord | None:
    try:
        gains = base.gains.to_scale(scale)
    except InputError:
        return None
    used = base.record["arguments"]["resolved"]
    options = {name: value for name, value in used.items() if name not in ("law", "scale")}
    made = fit(gains, law=base.spec.law.law, progress=progress, **options)
    if base.path is None:
        return made
    return replace(made, record={**made.record, "parent": base.record["sha256"]})
