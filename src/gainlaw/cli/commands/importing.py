"""``gainlaw import``: the results of other programs to a table of scores."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from gainlaw.cli.printing import note, print_warnings
from gainlaw.cli.sources import Rename, parse_pairs
from gainlaw.errors import InputError, Problem
from gainlaw.notes import count_of

__all__ = ["import_"]


def import_(
    paths: Annotated[
        list[str],
        typer.Argument(
            metavar="PATH...",
            help="Files and folders of results; what a file is, its content says. - is standard input.",
            show_default=False,
        ),
    ],
    output: Annotated[
        Path,
        typer.Option(
            "--output",
            "-o",
            metavar="EVALS",
            help="The .csv or .parquet file to write, or a folder, which also gets the answers to the items.",
            show_default=False,
        ),
    ],
    pair: Annotated[
        list[str] | None,
        typer.Option(
            metavar="AFTER=BASELINE",
            help="Which model is compared with which, such as '{base}-instruct={base}'; repeat for more.",
        ),
    ] = None,
    pairs: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Pairs as a table with the columns intermediate, baseline (and name)."
        ),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODEL=SIZE|FILE",
            help="The size of a model that neither files nor its name say (560M), or a table model,params.",
        ),
    ] = None,
    family: Annotated[
        list[str] | None,
        typer.Option(metavar="MODEL=FAMILY", help="The series of a baseline model [default: by its name]."),
    ] = None,
    task: Annotated[
        list[str] | None,
        typer.Option(
            "--map",
            metavar="NAME=TASK[:LANGUAGE]",
            help="What a task or column is: 'Swahili=xnli:sw', 'arc_{language}=arc', '{language}=xnli'.",
        ),
    ] = None,
    metric: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME", help="The metric to take where a file has several; repeat for second choices."
        ),
    ] = None,
    language: Annotated[
        str, typer.Option(help="The language of tasks whose names say none [default: en, with a warning].")
    ] = "",
    n_examples: Annotated[
        list[str] | None,
        typer.Option(metavar="[TASK[:LANGUAGE]=]N", help="Items scored, where the files do not say."),
    ] = None,
    across: Annotated[
        list[str] | None,
        typer.Option(
            metavar="WHAT",
            help="What may differ between a model and its baseline: shots, chat_template, task_version, prompt, split; "
            "repeat for more.",
        ),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option(metavar="PATTERN", help="Files to pass over, with * and ?; repeat for more."),
    ] = None,
    rename: Rename = None,
    percent: Annotated[bool, typer.Option("--percent", help="Tables hold scores in per cent.")] = False,
    gold: Annotated[
        Path | None,
        typer.Option(
            metavar="FOLDER", help="The right answers to predictions of XTREME: TASK/test-LANGUAGE.tsv in it."
        ),
    ] = None,
) -> None:
    """Make a table of scores of the results of other programs, with the baseline of every model.

    Reads what evaluation programs and leaderboards write. What was read, left out and why is told on standard error.
    Without pairs it suggests some, and writes nothing.
    """
    from gainlaw._directory import check_file_target
    from gainlaw.imports.table import import_results
    from gainlaw.scores.evaluations.pairing import pair_rows

    folder = output.suffix.lower() not in {".csv", ".parquet", ".pq"}
    if not folder:
        check_file_target(output)
    evaluations = import_results(
        paths,
        pair=pair or (),
        pairs=pairs,
        params=_sizes(params or ()),
        families=parse_pairs(family or (), "--family", "MODEL=FAMILY"),
        tasks=task or (),
        metrics=metric or (),
        language=language,
        n_examples=_numbers(n_examples or ()),
        across=tuple(across or ()),
        exclude=exclude or (),
        rename=parse_pairs(rename or (), "--rename", "OLD=NEW"),
        percent=percent,
        gold=gold,
    )
    stale = [
        name for name in ("predictions.parquet", "predictions.csv") if folder and (output / name).exists()
    ]
    if stale and (evaluations.predictions is None or stale[0] != "predictions.parquet"):
        hint = "remove it, or name another folder"
        raise InputError(Problem(f"{output} holds answers of other scores ({stale[0]})", hint=hint))
    print_warnings(evaluations.notes, remarks=True)
    written = evaluations.write(output)
    answers = ""
    if evaluations.predictions is not None:
        kept = f"and {len(evaluations.predictions)} answers to items"
        answers = (
            kept
            if folder
            else f"(the files hold answers to items too: name a folder to keep them, -o {output.stem})"
        )
    paired = len(pair_rows(evaluations.frame).intermediate)
    note(
        f"{written}: {count_of(len(evaluations), 'score')}, {paired} of them with a baseline {answers}".rstrip()
    )


def _sizes(texts: Sequence[str]) -> dict[str, str]:
    """Return the sizes given, each as ``MODEL=SIZE`` or in the rows of a table."""
    sizes: dict[str, str] = {}
    for text in texts:
        if "=" in text:
            sizes |= parse_pairs([text], "--params", "MODEL=SIZE or a table with the columns model, params")
        else:
            sizes |= _sizes_in(text)
    return sizes


def _sizes_in(path: str) -> dict[str, str]:
    from gainlaw.scores.reading.files import read_raw

    raw = read_raw(path)
    missing = [name for name in ("model", "params") if name not in raw.frame]
    if missing:
        raise InputError([Problem("the column is missing", name, (1,)) for name in missing], path)
    return {
        str(model): str(size) for model, size in zip(raw.frame["model"], raw.frame["params"], strict=True)
    }


def _numbers(texts: Sequence[str]) -> dict[str, float]:
    from gainlaw.imports.measures import number_of

    numbers: dict[str, float] = {}
    for text in texts:
        name, _, value = text.rpartition("=")
        number = number_of(value)
        if number != number:
            hint = "write --n-examples 5010, --n-examples xnli=5010 or --n-examples xnli:sw=5010"
            raise InputError(Problem(f"--n-examples {text!r} cannot be read", hint=hint))
        numbers[name.strip()] = number
    return numbers
