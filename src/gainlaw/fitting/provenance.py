"""The versioned record of a fit: what was asked, what was run, on what, with what."""

from __future__ import annotations

import json
import platform
from collections.abc import Mapping
from importlib import metadata
from typing import Any

import numpy as np

from gainlaw import __version__
from gainlaw._io import sha256_bytes
from gainlaw._provenance import git_state
from gainlaw.model.spec.problem import ModelSpec
from gainlaw.posterior.record import Posterior

__all__ = ["RECORD_VERSION", "build_record", "describe_model", "plain", "seal"]

RECORD_VERSION = 4

_PACKAGES = ("numpy", "scipy", "pandas", "xarray", "pymc", "pytensor", "nutpie", "numba", "arviz-stats")


def build_record(
    posterior: Posterior,
    *,
    given: Mapping[str, Any],
    resolved: Mapping[str, Any],
    status: str,
    seconds: float,
) -> dict[str, Any]:
    """Return the record of a fit.

    Parameters
    ----------
    posterior : Posterior
        What came out.
    given, resolved : mapping
        Arguments as they were given, and as they were used.
    status : str
        ``ok`` or ``failed``.
    seconds : float
        Wall time of the fit. It stands in the record alone, so that every other file depends on the inputs only.
    """
    gains = posterior.gains
    return {
        "record_version": RECORD_VERSION,
        "gainlaw_version": __version__,
        "status": status,
        "seconds": round(seconds, 2),
        "arguments": {"given": dict(given), "resolved": dict(resolved)},
        "model": describe_model(posterior.spec),
        "data": {
            "source": gains.source,
            "sha256": gains.sha256,
            "rows": posterior.n_rows,
            "checkpoints": posterior.n_checkpoints,
            "sizes": posterior.n_sizes,
            "notes": [note.to_dict() for note in gains.notes],
        },
        "packages": {name: metadata.version(name) for name in _PACKAGES},
        "python": platform.python_version(),
        "git": git_state(),
    }


def seal(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record with the SHA-256 of its own content as its last entry, ``sha256``.

    Examples
    --------
    >>> seal({"a": 1})["sha256"] == seal({"sha256": "other", "a": 1})["sha256"]
    True
    """
    content = {key: value for key, value in record.items() if key != "sha256"}
    text = json.dumps(content, sort_keys=True, ensure_ascii=False, separators=(",", ":"), default=plain)
    return {**content, "sha256": sha256_bytes(text.encode("utf-8", "surrogatepass"))}


def plain(value: Any) -> Any:
    """Return a number of NumPy's as one that JSON knows.

    Raises
    ------
    TypeError
        For anything else.
    """
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"{type(value).__name__} does not belong in a record")


def describe_model(spec: ModelSpec) -> dict[str, Any]:
    """Return what a record says of a model."""
    return {
        "law": spec.law.name,
        "law_record": spec.law.law.record(),
        "formula": spec.law.formula,
        "scale": spec.scale,
        "unit": spec.unit,
        "likelihood": spec.likelihood,
        "terms": [
            {
                "name": term.name,
                "groups": term.n_groups,
                "slope": term.slope,
                "correlated": term.correlated,
                "replicate": term.replicate,
            }
            for term in spec.terms
        ],
        "dropped": [{"name": each.name, "reason": each.reason} for each in spec.dropped],
        "residual": spec.residual,
        "covariates": {name: {"mean": mean, "sd": sd} for name, (mean, sd) in spec.covariate_scaling.items()},
        "prior_unit": spec.prior_unit,
        "priors": {name: str(prior) for name, prior in spec.priors.items()},
    }
