"""How a command reads its input: tables of scores or gains, selections, sizes, fit directories."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gainlaw.cli.guard import UNTRUSTED
from gainlaw.cli.printing import note, warn
from gainlaw.cli.selection import parse_where, select_rows
from gainlaw.errors import InputError, Problem
from gainlaw.notes import count_of
from gainlaw.options import ParamsUnit, Unit

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord
    from gainlaw.scales import Scale
    from gainlaw.scores.evaluations.table import Evaluations
    from gainlaw.scores.gains.table import Gains

__all__ = [
    "DATASET",
    "Covariance",
    "Directory",
    "Metrics",
    "Pool",
    "Predictions",
    "Rename",
    "ScoreUnit",
    "SizeUnit",
    "Table",
    "Where",
    "announce_other_scale",
    "describe_gains",
    "exit_untrusted",
    "open_fit",
    "open_table",
    "parse_metrics",
    "parse_pairs",
    "refuse_same_file",
]

#: How the name of a bundled dataset begins.
DATASET = "dataset:"

Table = Annotated[
    str,
    typer.Argument(
        metavar="EVALS",
        help="Evaluations or gains: a .csv or .parquet file (- is standard input), a folder with evaluations.csv, or "
        "the name of a bundled dataset: dataset:bloomz, or dataset:bloomz:prompts=all,metric=max.",
        show_default=False,
    ),
]
Predictions = Annotated[
    Path | None,
    typer.Option(help="Item-level answers (.parquet or .csv): gains then carry the paired variance."),
]
Covariance = Annotated[
    Path | None,
    typer.Option(
        metavar="V",
        help="The sampling covariance of the gains (.csv, .parquet, .npy): in the order of the rows, or with a first "
        "column of labels that is named as a column of the table.",
    ),
]
Where = Annotated[
    list[str] | None,
    typer.Option(
        metavar="COLUMN=VALUE[,VALUE]",
        help="Keep only these rows; repeat for more conditions. Baseline rows stay. A value with a comma is quoted: "
        'model="a,b".',
    ),
]
Pool = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="One score a model and value of this column, of all its items: benchmark, or task (its languages as one).",
    ),
]
Metrics = Annotated[
    list[str] | None,
    typer.Option(
        "--metric",
        metavar="NAME:KEY=VALUE[,KEY=VALUE]",
        help="What a metric is: share=yes|no, better=up|down, min=, max=, point=; repeat for more.",
    ),
]
ScoreUnit = Annotated[
    Unit | None,
    typer.Option(
        "--unit",
        help="The unit of scores (or gains) and their errors [default: scores fraction, gains points].",
    ),
]
SizeUnit = Annotated[
    ParamsUnit | None,
    typer.Option("--params-unit", help="The unit of the column params: B for billions [default: 1]."),
]
Rename = Annotated[
    list[str] | None,
    typer.Option(
        metavar="OLD=NEW",
        help="Read a column under another name, such as one of your own whose name has a meaning here; repeat for "
        "more.",
    ),
]
Directory = Annotated[Path, typer.Argument(metavar="DIR", help="A fit directory.", show_default=False)]


def open_table(
    source: str,
    *,
    predictions: Path | None = None,
    where: Sequence[str] | None = None,
    rename: Sequence[str] | None = None,
    metrics: Sequence[str] | None = None,
    covariance: Path | None = None,
    unit: Unit | None = None,
    params_unit: ParamsUnit | None = None,
) -> Evaluations | Gains:
    """Read the table that a command was given.

    Parameters
    ----------
    source : str
        A path, ``dataset:NAME``, ``dataset:NAME:OPTION=VALUE,...`` with the options of
        `gainlaw.load_dataset`, or the name of a bundled dataset where no file has that name.
    predictions : Path, optional
        Item-level answers that go with a table of scores.
    where : sequence of str, optional
        Conditions as `parse_where` reads them.
    rename : sequence of str, optional
        ``OLD=NEW``: columns to be read under another name.
    metrics : sequence of str, optional
        What metrics are, as `parse_metrics` reads it.
    covariance : Path, optional
        The sampling covariance of a table of gains.
    unit, params_unit : str, optional
        Units, as in `gainlaw.read_table`.

    Returns
    -------
    Evaluations or Gains
        Whichever the columns say it is.

    Raises
    ------
    InputError
        If there is no such table, or it has faults.

    Examples
    --------
    >>> open_table("dataset:bloomz", where=["task=xwinograd"]).frame["task"].unique().tolist()
    ['xwinograd']
    """
    conditions = parse_where(where or ())
    declared = parse_metrics(metrics or ())
    names = parse_pairs(rename or (), "--rename", "OLD=NEW")
    table: Evaluations | Gains
    if covariance is not None and (source.startswith(DATASET) or predictions is not None):
        hint = "write the gains first (gainlaw gains), then give the covariance of their rows"
        raise InputError(Problem("--covariance goes with a table of gains", hint=hint))
    if source.startswith(DATASET):
        if predictions is not None or declared or unit or params_unit or names:
            what = "a bundled dataset takes no --predictions, --rename, --metric, --unit and --params-unit"
            raise InputError(Problem(what))
        table = _open_dataset(source.removeprefix(DATASET))
    elif predictions is not None:
        from gainlaw.scores.evaluations.table import read_evaluations

        table = read_evaluations(
            source, predictions, rename=names, metrics=declared, unit=unit, params_unit=params_unit
        )
    else:
        from gainlaw.scores.gains.cells.reading import read_table

        table = read_table(
            source,
            rename=names,
            metrics=declared,
            covariance=covariance,
            unit=unit,
            params_unit=params_unit,
        )
    return select_rows(table, conditions) if conditions else table


def _open_dataset(text: str) -> Evaluations:
    from gainlaw.scores.datasets import load_dataset

    name, _, options = text.partition(":")
    pairs = parse_pairs(options.split(",") if options else (), DATASET + name, "OPTION=VALUE")
    known = ("prompts", "metric", "tasks")
    unknown = [option for option in pairs if option not in known]
    if unknown:
        hint = f"a dataset has the options {', '.join(known)}; select rows with --where"
        raise InputError(Problem(f"{DATASET}{name} has no option {', '.join(unknown)}", hint=hint))
    return load_dataset(name, **pairs)  # type: ignore[arg-type]  # the loader checks the values


def parse_metrics(texts: Sequence[str]) -> dict[str, dict[str, str]]:
    """Read what is declared of metrics.

    Examples
    --------
    >>> parse_metrics(["wer:max=100", "mine:share=no,better=down"])
    {'wer': {'max': '100'}, 'mine': {'share': 'no', 'better': 'down'}}
    """
    form = "--metric NAME:share=no,better=down,min=0,max=100"
    declared: dict[str, dict[str, str]] = {}
    for text in texts:
        name, _, said = text.rpartition(":") if "=" in text.rpartition(":")[2] else (text, "", "")
        if not name.strip():
            raise InputError(Problem(f"--metric {text!r} cannot be read", hint=f"write {form}"))
        parts = [part for part in said.split(",") if part.strip()]
        declared[name.strip()] = parse_pairs(parts, f"--metric {name.strip()}", "KEY=VALUE")
    return declared


def parse_pairs(texts: Sequence[str], option: str, form: str) -> dict[str, str]:
    """Read options such as ``tau_task=halfnormal(5)``.

    Examples
    --------
    >>> parse_pairs(["tau_task=halfnormal(5)"], "--prior", "NAME=PRIOR")
    {'tau_task': 'halfnormal(5)'}
    """
    pairs: dict[str, str] = {}
    for text in texts:
        name, mark, value = (part.strip() for part in text.partition("="))
        if not (name and mark and value):
            raise InputError(Problem(f"{option} {text!r} cannot be read", hint=f"write {form}"))
        if name in pairs:
            raise InputError(Problem(f"{option}: {name} is given twice"))
        pairs[name] = value
    return pairs


def refuse_same_file(source: str, output: Path) -> None:
    """Raise an InputError if the output would replace the input."""
    path = Path(source)
    if path.exists() and output.exists() and path.samefile(output):
        raise InputError(Problem("the output would replace the input"))


def describe_gains(gains: Gains) -> str:
    """Return a sentence about a table of gains: rows, scale, checkpoints, sizes, shared baselines.

    Examples
    --------
    >>> describe_gains(open_table("dataset:bloomz").gains())
    '420 gains on points, 6 checkpoints of 6 sizes, 84 blocks of rows share a baseline'
    """
    frame = gains.frame
    parts = [f"{count_of(len(frame), 'gain')} on {gains.scale}"]
    checkpoints = frame.loc[frame["checkpoint"].ne(""), "checkpoint"].nunique()
    sizes = frame["params"].nunique()
    if checkpoints:
        parts.append(f"{count_of(checkpoints, 'checkpoint')} of {count_of(sizes, 'size')}")
    blocks = len(gains.covariance.blocks)
    if blocks:
        common = "share a baseline" if gains.shares_baselines else "have errors in common"
        parts.append(f"{count_of(blocks, 'block')} of rows {common}")
    return ", ".join(parts)


def open_fit(directory: Path) -> FitRecord:
    """Read a fit directory; where its diagnostics failed, say so on standard error.

    Parameters
    ----------
    directory : Path
        What ``gainlaw fit`` wrote.

    Raises
    ------
    InputError
        If it is not a fit directory.
    """
    from gainlaw.fitting.storage import load_fit

    fit = load_fit(directory)
    if fit.status != "ok":
        warn(f"{directory}: diagnostics failed; do not trust these numbers (gainlaw summary shows which)")
    return fit


def announce_other_scale(fits: Sequence[FitRecord]) -> None:
    """Say on standard error that a fit on the other scale has to be made first, which takes a while."""
    import os

    from gainlaw.fitting.companion import companion_path, other_scale

    for fit in fits:
        companion = companion_path(fit)
        if companion is not None and not companion.exists() and _on_scale(fit, other_scale(fit)):
            kept = "it is kept there" if os.access(companion.parent, os.W_OK) else "it cannot be kept there"
            note(f"fitting {fit.path} on {other_scale(fit)} too; {kept}")


def _on_scale(fit: FitRecord, scale: Scale) -> bool:
    """Return whether the gains of a fit exist on a scale."""
    try:
        fit.gains.to_scale(scale)
    except InputError:
        return False
    return True


def exit_untrusted(fits: Sequence[FitRecord]) -> None:
    """End with exit code 1 if the diagnostics of any fit failed."""
    if any(fit.status != "ok" for fit in fits):
        raise typer.Exit(UNTRUSTED)
