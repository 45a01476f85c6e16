"""Variance components of a planned study: the packaged defaults with their origin, those of a fit, those given."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
from numpy.typing import NDArray

from gainlaw.posterior.record import Posterior

__all__ = ["DEFAULTS", "Components", "default_components", "fitted_components"]

Float = NDArray[np.float64]

ORIGINS: Mapping[str, str] = MappingProxyType(
    {
        "bloomz": "BLOOMZ over BLOOM, six sizes, zero-shot (gl.load_dataset('bloomz'))",
        "ladder": "the ladder of small models that comes with the package (gl.load_dataset('ladder'))",
    }
)
"""Where the defaults come from."""

DEFAULTS: Mapping[str, tuple[float, float]] = MappingProxyType(
    {
        "tau_task": (8.46, 3.40),
        "tau_task_slope": (5.26, 3.53),
        "tau_language_family": (1.41, 3.35),
        "tau_language_family_slope": (1.10, 0.64),
        "tau_language": (5.51, 3.38),
        "tau_language_slope": (2.31, 0.43),
        "tau_intermediate": (3.38, float("nan")),
        "tau_intermediate_slope": (1.35, float("nan")),
        "tau_task_language": (2.44, 0.34),
        "tau_model_family": (float("nan"), 4.06),
        "tau_checkpoint": (1.54, 1.04),
        "tau_run": (0.95, float("nan")),
        "tau_checkpoint_task": (2.30, 3.00),
        "tau_checkpoint_language_family": (0.34, 3.78),
        "tau_residual": (2.07, 5.28),
    }
)
"""Posterior medians of the sds, in points (slopes: points per decade), in the linear law's default fit to the gains of
each packaged ladder: `bloomz`, then `ladder`. A test fits them again. The default of a planned study is their geometric
mean; sds that neither fit has, and correlations, are 0 by default. Departures from the line (``tau_smooth``) are too: a
planned study asks for the power if the law is a line."""

# Points that stand for the posterior of a fit's components: the middles of so many equal parts of its draws.
STRATA = 4


@dataclass(frozen=True, slots=True)
class Components:
    """Standard deviations of what varies between gains, and correlations of intercepts with slopes.

    Parameters
    ----------
    values : tuple of dict of str to float
        Each a set of components that are equally likely to be true: one where they are taken as known.
    origin : str
        Where they come from, in words.
    notes : tuple of str
        What was assumed.
    """

    values: tuple[Mapping[str, float], ...]
    origin: str
    notes: tuple[str, ...] = ()

    def replaced(self, given: Mapping[str, float]) -> Components:
        """Return the same with some components given."""
        if not given:
            return self
        return Components(
            tuple({**each, **given} for each in self.values),
            f"{self.origin}; given: {', '.join(f'{name} = {value:g}' for name, value in given.items())}",
            self.notes,
        )


def default_components() -> Components:
    """Return the packaged defaults.

    Examples
    --------
    >>> round(default_components().values[0]["tau_checkpoint"], 2)
    1.27
    """
    values = {name: float(np.exp(np.nanmean(np.log(both)))) for name, both in DEFAULTS.items()}
    return Components((values,), "geometric means of two packaged ladders, bloomz and ladder")


def fitted_components(posterior: Posterior) -> Components:
    """Return components from the draws of a fit on points, with their uncertainty.

    The draws are put in order of how much of the slope's variance they make, by the sum of squared sds of slopes and
    of checkpoints and runs, and cut into `STRATA` equal parts; the draw in the middle of each stands for it.

    Parameters
    ----------
    posterior : Posterior
        The posterior; a fit is one.
    """
    data = posterior.draws["posterior"]
    names = [str(name) for name in data.data_vars if str(name).startswith(("tau_", "rho_"))]
    draws = {name: data[name].to_numpy().reshape(-1) for name in names}
    matter = [
        values**2
        for name, values in draws.items()
        if name.endswith("_slope") or name in ("tau_checkpoint", "tau_run")
    ]
    order = np.argsort(np.sum(matter, axis=0) if matter else np.zeros(posterior.n_draws), kind="stable")
    parts = np.array_split(order, STRATA)
    # Within a part the other components vary too: their medians there, not those of one draw.
    chosen = [{name: float(np.median(values[part])) for name, values in draws.items()} for part in parts]
    twins = {each.name for each in posterior.spec.dropped if each.twin or "it is the residual" in each.reason}
    lacking = [
        name
        for name in DEFAULTS
        if name not in draws and name.removeprefix("tau_").removesuffix("_slope") not in twins
    ]
    default = default_components().values[0]
    values = tuple({**{name: default[name] for name in lacking}, **each} for each in chosen)
    notes = (f"not in the fit, so the packaged defaults: {', '.join(lacking)}",) if lacking else ()
    return Components(values, f"the fit to {posterior.gains.source}", notes)
