"""Scaling-law fits of transfer gains.

How does the gain of intermediate-task training change with model size? `gainlaw` computes gains from
evaluation scores, fits hierarchical laws of the gain against log-parameters with the checkpoint as the
replicate, and judges claims such as "the gain shrinks with scale".

Examples
--------
>>> import gainlaw as gl
>>> evals = gl.load_dataset("bloomz")
>>> sorted(evals.frame["task"].unique())
['xcopa', 'xnli', 'xstory_cloze', 'xwinograd']
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

__version__ = "0.1.0"

_EXPORTS = {
    "GainlawError": "errors",
    "InputError": "errors",
    "DiagnosticsError": "errors",
    "Evaluations": "evaluations",
    "read_evaluations": "evaluations",
    "evaluations_from_frame": "evaluations",
    "Gains": "gains",
    "compute_gains": "gains",
    "gains_from_frame": "gains",
    "read_gains": "gains",
    "read_table": "gains",
    "load_dataset": "datasets",
    "list_datasets": "datasets",
    "load_languages": "languages",
    "law": "laws",
    "Fit": "fitting",
    "fit": "fitting",
    "load_fit": "fitting",
    "compare": "fitting",
    "prior": "hierarchy",
    "curve": "estimands",
    "fit_curve": "curves",
    "curve_law": "laws",
    "formula_law": "laws",
    "assess": "claims",
    "assess_file": "claims",
    "assess_curve": "claims",
    "parse_claim": "claims",
    "simulate": "simulate",
    "draw_figures": "report",
    "write_report": "report",
}

__all__ = ["__version__", *_EXPORTS]

if TYPE_CHECKING:
    from gainlaw.claims import assess, assess_curve, assess_file, parse_claim
    from gainlaw.curves import fit_curve
    from gainlaw.datasets import list_datasets, load_dataset
    from gainlaw.errors import DiagnosticsError, GainlawError, InputError
    from gainlaw.estimands import curve
    from gainlaw.evaluations import Evaluations, evaluations_from_frame, read_evaluations
    from gainlaw.fitting import Fit, compare, fit, load_fit
    from gainlaw.gains import Gains, compute_gains, gains_from_frame, read_gains, read_table
    from gainlaw.hierarchy import prior
    from gainlaw.languages import load_languages
    from gainlaw.laws import curve_law, formula_law, law
    from gainlaw.report import draw_figures, write_report


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that ``import gainlaw`` stays quick."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'gainlaw' has no attribute {name!r}")
    module = importlib.import_module(f"gainlaw.{_EXPORTS[name]}")
    return module if name == "simulate" else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
