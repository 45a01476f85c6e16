"""Result files of other programs, as commands are given them: where they are, and what the caller says of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gainlaw.cli.sources import Rename, parse_pairs
from gainlaw.errors import InputError, Problem

if TYPE_CHECKING:
    from gainlaw.scores.evaluations.table import Evaluations

__all__ = ["GivenResults"]

Paths = Annotated[
    list[str],
    typer.Argument(
        metavar="PATH...",
        help="Files and folders of results; what a file is, its content says. - is standard input.",
        show_default=False,
    ),
]
PairRules = Annotated[
    list[str] | None,
    typer.Option(
        metavar="AFTER=BASELINE",
        help="Which model is compared with which, such as '{base}-instruct={base}'; repeat for more.",
    ),
]
PairFile = Annotated[
    Path | None,
    typer.Option(metavar="FILE", help="Pairs as a table with the columns intermediate, baseline (and name)."),
]
Sizes = Annotated[
    list[str] | None,
    typer.Option(
        metavar="MODEL=SIZE|FILE",
        help="The size of a model that neither files nor its name say (560M), or a table model,params.",
    ),
]
Families = Annotated[
    list[str] | None,
    typer.Option(metavar="MODEL=FAMILY", help="The series of a baseline model [default: by its name]."),
]
TaskRules = Annotated[
    list[str] | None,
    typer.Option(
        "--map",
        metavar="NAME=TASK[:LANGUAGE]",
        help="What a task or column is: 'Swahili=xnli:sw', 'arc_{language}=arc', '{language}=xnli'.",
    ),
]
MetricNames = Annotated[
    list[str] | None,
    typer.Option(
        metavar="NAME", help="The metric to take where a file has several; repeat for second choices."
    ),
]
Language = Annotated[
    str, typer.Option(help="The language of tasks whose names say none [default: en, with a warning].")
]
Numbers = Annotated[
    list[str] | None,
    typer.Option(metavar="[TASK[:LANGUAGE]=]N", help="Items scored, where the files do not say."),
]
Across = Annotated[
    list[str] | None,
    typer.Option(
        metavar="WHAT",
        help="What may differ between a model and its baseline: shots, chat_template, task_version, prompt, split; "
        "repeat for more.",
    ),
]
Exclude = Annotated[
    list[str] | None,
    typer.Option(metavar="PATTERN", help="Files to pass over, with * and ?; repeat for more."),
]
Percent = Annotated[bool, typer.Option("--percent", help="Tables hold scores in per cent.")]
Gold = Annotated[
    Path | None,
    typer.Option(
        metavar="FOLDER", help="The right answers to predictions of XTREME: TASK/test-LANGUAGE.tsv in it."
    ),
]


@dataclass(frozen=True, slots=True)
class GivenResults:
    """The result files that a command was given, and how they are read, see `gainlaw.import_results`."""

    paths: Paths
    pair: PairRules = None
    pairs: PairFile = None
    params: Sizes = None
    family: Families = None
    task: TaskRules = None
    metric: MetricNames = None
    language: Language = ""
    n_examples: Numbers = None
    across: Across = None
    exclude: Exclude = None
    rename: Rename = None
    percent: Percent = False
    gold: Gold = None

    def open(self, progress: Callable[[int, int], None] | None = None) -> Evaluations:
        """Read the results, and pair them."""
        from gainlaw.imports.table import import_results

        return import_results(
            self.paths,
            pair=self.pair or (),
            pairs=self.pairs,
            params=_sizes(self.params or ()),
            families=parse_pairs(self.family or (), "--family", "MODEL=FAMILY"),
            tasks=self.task or (),
            metrics=self.metric or (),
            language=self.language,
            n_examples=_numbers(self.n_examples or ()),
            across=tuple(self.across or ()),
            exclude=self.exclude or (),
            rename=parse_pairs(self.rename or (), "--rename", "OLD=NEW"),
            percent=self.percent,
            gold=self.gold,
            progress=progress,
        )

    def files(self) -> tuple[Path, ...]:
        """Return the files and folders that are read."""
        tables = [text for text in self.params or () if "=" not in text]
        beside = [path for path in (self.pairs, self.gold) if path is not None]
        return (*map(Path, self.paths), *map(Path, tables), *beside)

    def said(self) -> dict[str, Any]:
        """Return what was given as plain data; what was not given is left out."""
        given = {each.name: getattr(self, each.name) for each in fields(self)}
        return {
            name: str(value) if isinstance(value, Path) else value for name, value in given.items() if value
        }


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
