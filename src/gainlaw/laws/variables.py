"""What the variables of laws are made of: quantities that a table has a column of, and how they enter a formula."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "COMPUTE",
    "FINETUNING",
    "FLOPS_PER_TOKEN",
    "PARAMS",
    "PRETRAINING",
    "TOKENS",
    "Quantity",
    "quantity",
    "source_of",
    "spell",
]

#: Training a dense model of N parameters on D tokens takes about 6 N D floating-point operations (arXiv 2001.08361).
FLOPS_PER_TOKEN = 6.0


@dataclass(frozen=True, slots=True)
class Quantity:
    """A quantity that laws depend on.

    Parameters
    ----------
    name : str
        What it is called in formulas and on the command line: ``n`` behind the variable ``log_n``.
    meaning : str
        What it is, in words.
    columns : tuple of str
        What columns that hold it are often called, in lower case; a column of such a name needs no other word.
    """

    name: str
    meaning: str
    columns: tuple[str, ...] = ()

    def called(self, column: str) -> bool:
        """Return whether a column of this name holds it, going by the name."""
        return _plain(column) in {_plain(each) for each in (self.name, *self.columns)}


def _plain(name: str) -> str:
    return name.casefold().replace("_", "").replace(" ", "").replace("-", "")


PARAMS = Quantity("n", "parameters", ("params", "parameters", "n_params", "num_params", "model_size", "size"))
TOKENS = Quantity("d", "training tokens", ("tokens", "n_tokens", "training_tokens", "train_tokens", "data"))
COMPUTE = Quantity(
    "c", "training compute in FLOP", ("flops", "flop", "training_flop", "training_flops", "compute")
)
FINETUNING = Quantity(
    "df",
    "fine-tuning data",
    ("finetuning_data", "fine_tuning_data", "finetuning_tokens", "fine_tuning_tokens", "finetuning_examples"),
)
PRETRAINING = Quantity(
    "dp",
    "pre-training data",
    ("pretraining_data", "pre_training_data", "pretraining_tokens", "pre_training_tokens"),
)

_KNOWN = {each.name: each for each in (PARAMS, TOKENS, COMPUTE, FINETUNING, PRETRAINING)}


def quantity(name: str) -> Quantity:
    """Return the quantity of a name; one that nothing else is known of is read from the column of that name.

    Examples
    --------
    >>> quantity("n").meaning, quantity("z").columns
    ('parameters', ())
    """
    return _KNOWN.get(name, Quantity(name, name))


def source_of(variable: str) -> tuple[str, str]:
    """Return the quantity behind a variable of a formula, and how it enters.

    Returns
    -------
    name : str
        The quantity.
    transform : {"decades", "log", ""}
        log10 of it over 1e9, its natural logarithm, or the number itself.

    Examples
    --------
    >>> source_of("x"), source_of("log_d"), source_of("z")
    (('n', 'decades'), ('d', 'log'), ('z', ''))
    """
    if variable == "x":
        return PARAMS.name, "decades"
    if variable == "N":
        return PARAMS.name, ""
    if variable.startswith("log_") and len(variable) > len("log_"):
        return variable.removeprefix("log_"), "log"
    return variable, ""


def spell(transform: str, column: str) -> str:
    """Return a transform of a column in words.

    Examples
    --------
    >>> spell("decades", "params"), spell("log", "tokens"), spell("", "z")
    ('log10(params / 1e9)', 'log(tokens)', 'z')
    """
    if transform == "decades":
        return f"log10({column} / 1e9)"
    return f"log({column})" if transform else column
