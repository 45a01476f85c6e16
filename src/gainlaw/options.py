"""The closed sets of option values, and the one function that checks a value against its set."""

from __future__ import annotations

from typing import Literal, get_args

from gainlaw.errors import InputError, Problem

__all__ = [
    "ABILITY_ESTIMANDS",
    "DEFAULT_LAW",
    "DEFAULT_SECOND_LAW",
    "SCORE_ESTIMANDS",
    "SIZE_ESTIMANDS",
    "Baselines",
    "Engine",
    "ExportForm",
    "FigureName",
    "Level",
    "ParamsUnit",
    "TableName",
    "Unit",
    "choices",
    "require_choice",
]

DEFAULT_LAW = "linear"
DEFAULT_SECOND_LAW = "loss_accuracy"
"""The law of a score against the loss that a first law predicts."""
ABILITY_ESTIMANDS = ("size_effect", "ability_effect", "peak_ability")
"""Estimands of laws with ability alone."""
SIZE_ESTIMANDS = ("crossing", "peak", "size_multiplier")
"""Estimands that spread over orders of magnitude, and whose sign says nothing."""
SCORE_ESTIMANDS = ("peak", "size_multiplier", *ABILITY_ESTIMANDS)
"""Estimands of laws of scores alone."""
Unit = Literal["fraction", "points"]
ParamsUnit = Literal["1", "K", "M", "B"]
Engine = Literal["exact", "nuts"]
Baselines = Literal["free", "hierarchical"]
Level = Literal[
    "population",
    "overall",
    "task",
    "language_family",
    "language",
    "intermediate",
    "model_family",
    "covariate",
]
ExportForm = Literal["stan", "bambi", "brms"]
FigureName = Literal["gain", "forest", "slope", "funnel", "influence", "predictive", "priors", "two_curves"]
"""The figures of one fit, see `gainlaw.figures.named`."""
TableName = Literal[
    "slopes",
    "gain_at",
    "multipliers",
    "abilities",
    "sds",
    "heterogeneity",
    "effects",
    "estimates",
    "laws",
    "diagnostics",
    "influence",
    "priors",
    "sensitivity",
    "data",
    "checkpoints",
    "gains",
]
"""The tables of one fit, see `gainlaw.tables.named`."""


def choices(alias: object) -> tuple[str, ...]:
    """Return the allowed values of a ``Literal`` alias, in their order.

    Examples
    --------
    >>> choices(Engine)
    ('exact', 'nuts')
    """
    return tuple(str(value) for value in get_args(alias))


def require_choice(value: str, alias: object, option: str) -> str:
    """Return `value` if the ``Literal`` `alias` allows it.

    Parameters
    ----------
    value : str
        What was given.
    alias : typing.Literal
        The set of allowed values.
    option : str
        The option's name, for the message.

    Raises
    ------
    InputError
        If `value` is not allowed; the message lists what is.

    Examples
    --------
    >>> require_choice("nuts", Engine, "engine")
    'nuts'
    """
    allowed = choices(alias)
    if value in allowed:
        return value
    raise InputError(Problem(f"{option} is {value!r}", hint=f"allowed: {', '.join(allowed)}"))
