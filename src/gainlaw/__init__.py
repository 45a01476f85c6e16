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
    "Evaluations": "scores.evaluations.table",
    "read_evaluations": "scores.evaluations.table",
    "evaluations_from_frame": "scores.evaluations.table",
    "Gains": "scores.gains.table",
    "compute_gains": "scores.gains.table",
    "gains_from_frame": "scores.gains.cells.reading",
    "read_gains": "scores.gains.cells.reading",
    "read_table": "scores.gains.cells.reading",
    "import_results": "imports.table",
    "check_controls": "scores.controls",
    "load_dataset": "scores.datasets",
    "list_datasets": "scores.datasets",
    "load_languages": "scores.languages",
    "law": "laws",
    "Fit": "fits",
    "fit": "fits",
    "Design": "designs",
    "design": "designs",
    "load_fit": "fits",
    "compare": "fitting.comparison",
    "table": "tables.named",
    "prior": "model.spec.priors",
    "gain_curve": "posterior.levels",
    "fit_curve": "curves.fit",
    "curve_points": "curves.reading",
    "chain": "curves.chained",
    "components": "curves.principal",
    "formula_law": "laws",
    "assess": "claims.assessment",
    "assess_file": "claims.assessment",
    "assess_curve": "claims.curves",
    "parse_claim": "claims.grammar.parse",
    "simulate": "scores.simulate",
    "draw_figures": "report.write",
    "figure_style": "figures.common.sheet",
    "write_report": "report.write",
}

__all__ = ["__version__", *_EXPORTS]

if TYPE_CHECKING:
    from gainlaw.claims.assessment import assess, assess_file
    from gainlaw.claims.curves import assess_curve
    from gainlaw.claims.grammar.parse import parse_claim
    from gainlaw.curves.chained import chain
    from gainlaw.curves.fit import fit_curve
    from gainlaw.curves.principal import components
    from gainlaw.curves.reading import curve_points
    from gainlaw.designs import Design, design
    from gainlaw.errors import DiagnosticsError, GainlawError, InputError
    from gainlaw.figures.common.sheet import figure_style
    from gainlaw.fits import Fit, fit, load_fit
    from gainlaw.fitting.comparison import compare
    from gainlaw.imports.table import import_results
    from gainlaw.laws import law
    from gainlaw.laws.record import formula_law
    from gainlaw.model.spec.priors import prior
    from gainlaw.posterior.levels import gain_curve
    from gainlaw.report.write import draw_figures, write_report
    from gainlaw.scores.controls import check_controls
    from gainlaw.scores.datasets import list_datasets, load_dataset
    from gainlaw.scores.evaluations.table import Evaluations, evaluations_from_frame, read_evaluations
    from gainlaw.scores.gains.cells.reading import gains_from_frame, read_gains, read_table
    from gainlaw.scores.gains.table import Gains, compute_gains
    from gainlaw.scores.languages import load_languages
    from gainlaw.tables.named import table


def __getattr__(name: str) -> object:
    """Import a public name when it is first asked for, so that ``import gainlaw`` stays quick."""
    if name not in _EXPORTS:
        raise AttributeError(f"module 'gainlaw' has no attribute {name!r}")
    module = importlib.import_module(f"gainlaw.{_EXPORTS[name]}")
    return module if _EXPORTS[name].endswith(f".{name}") else getattr(module, name)


def __dir__() -> list[str]:
    return sorted(__all__)
