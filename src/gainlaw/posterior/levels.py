"""The curve of the gain at a level, in the unit in which a fit is read."""

from __future__ import annotations

from collections.abc import Mapping

from gainlaw.posterior.curves import Curve, line_at
from gainlaw.posterior.record import Posterior
from gainlaw.posterior.score_curves import points_curve

__all__ = ["curve_at", "gain_curve"]


def gain_curve(posterior: Posterior, level: str | None = None, *, prior: bool = False, **group: str) -> Curve:
    """Return the posterior curve of the gain at a level.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    level : {"population", "overall"}, optional
        ``population`` is the mean of the hierarchy: what a new task in a new family would show on average.
        ``overall`` (the default) is the average over the groups observed, each task and language counting the same.
    prior : bool
        Use prior draws in place of posterior draws.
    **group : str
        Groups to fix, e.g. ``task="xnli"``, ``language_family="Turkic"``; the rest is averaged as in ``overall``.

    Raises
    ------
    InputError
        For a level or a group that the fit does not have.

    Examples
    --------
    >>> gain_curve(fit, task="xnli").slope().mean()  # doctest: +SKIP
    5.1
    """
    return curve_at(posterior, group, level, prior=prior)


def curve_at(
    posterior: Posterior, selection: Mapping[str, str], level: str | None = None, *, prior: bool = False
) -> Curve:
    """Return the curve of a selection of groups given as a mapping, see `gain_curve`.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    selection : mapping of str to str
        Groups to fix, by column.
    level : {"population", "overall"}, optional
        The level when no group is fixed.
    prior : bool
        Use prior draws.

    Raises
    ------
    InputError
        For a level or a group that the fit does not have.
    """
    make = points_curve if posterior.reads_points else line_at
    return make(posterior, selection, level, prior=prior)
