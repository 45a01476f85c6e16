"""The columns of an evaluations table and what each may hold."""

from __future__ import annotations

__all__ = [
    "BASELINE",
    "CANONICAL",
    "COMPUTED",
    "DERIVED",
    "KEYS",
    "NAMES",
    "NUMBERS",
    "REQUIRED",
]

BASELINE = "none"
"""The value of ``intermediate`` on a baseline row."""

REQUIRED = ("model_family", "model", "params", "base_model", "intermediate", "task", "language")
"""Columns every file has; ``base_model`` may be blank on baseline rows."""

NAMES = ("model_family", "model", "base_model", "intermediate", "task", "language")
OPTIONAL_NAMES = ("prompt", "split", "metric", "protocol", "source")

NUMBERS = ("params", "score", "n_correct", "n_examples", "stderr", "seed", "n_classes", "chance")
"""Columns of numbers; a missing one is NaN."""

KEYS = ("seed", "prompt", "split", "metric", "protocol")
"""Columns that, with the base model, the task and the language, say which rows are compared."""

DERIVED = ("language_name", "language_family", "genus", "row")
"""Columns that the reader adds."""

COMPUTED = (
    *("checkpoint", "gain", "se", "scale", "variance", "block", "baseline_se", "correlation"),
    *("baseline_score", "intermediate_score", "n_baseline", "n_intermediate", "k_baseline", "k_intermediate"),
    *("row", "baseline_row"),
)
"""Columns that only a table of gains has, with a meaning there: one of these names in a table of scores is the user's
own, and is left out of the gains."""

CANONICAL = (
    "model_family",
    "model",
    "params",
    "base_model",
    "intermediate",
    "task",
    "language",
    "score",
    "n_correct",
    "n_examples",
    "stderr",
    *KEYS,
    "n_classes",
    "chance",
    "source",
    *DERIVED,
)
"""The order of the columns of ``Evaluations.frame``; columns of the user's own follow."""
