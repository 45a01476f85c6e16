"""What a task file says: what a task is, where its items lie, and what the columns mean."""

from __future__ import annotations

import string
from collections.abc import Iterable, Mapping
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from gainlaw.errors import InputError, Problem
from gainlaw.tasks import TASKS

__all__ = ["TaskTable", "classes_of", "default_metric", "read_declaration", "splits_of", "stated"]

Split = Literal["train", "validation", "test"]
Text = Annotated[str, Field(min_length=1)]
_NEEDED = {
    "classification": ("first", "label"),
    "choice": ("options", "label"),
    "span": (),
    "tagging": (),
    "retrieval": ("first", "second"),
}
_USED = {
    "classification": ("first", "second", "label"),
    "choice": ("context", "question", "options", "label"),
    "span": ("context", "question", "answers"),
    "tagging": ("words", "tags"),
    "retrieval": ("first", "second"),
}
_METRICS = {
    "classification": ("accuracy",),
    "choice": ("accuracy",),
    "span": ("token_f1", "exact_match"),
    "tagging": ("accuracy", "micro_f1"),
    "retrieval": ("accuracy",),
}


def _as_list(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


def _pattern(text: str) -> str:
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(text) if field is not None}
    except ValueError as error:
        raise ValueError(f"{text!r} has a brace out of place ({error})") from None
    if fields - {"language", "name"}:
        raise ValueError(
            f"{text!r} may have {{language}} and {{name}}, its name in the files, and nothing else"
        )
    if text.startswith(("/", "~")):
        raise ValueError(
            f"{text!r} starts at the folder of the task; another folder goes in the experiment's data"
        )
    return text


def _patterns(value: str | list[str]) -> list[str]:
    return [_pattern(each) for each in _as_list(value)]


Pattern = Annotated[Text, AfterValidator(_pattern)]
Patterns = Annotated[Text | Annotated[list[Text], Field(min_length=1)], AfterValidator(_patterns)]


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


class HubTable(_Strict):
    """Where the hub has a task; labels that have names there are read by these."""

    name: Annotated[str, Field(pattern=r"^\w[\w.-]*/\w[\w.-]*$")]
    config: Pattern | None = None
    revision: Text | None = None
    splits: Annotated[dict[Split, Text], Field(min_length=1)]


class TaskTable(_Strict):
    """A task as a file declares it; docs/runner.md says what each key means."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    kind: Literal["classification", "choice", "span", "tagging", "retrieval"]
    languages: Annotated[list[Text], Field(min_length=1)]
    title: str = ""
    files: dict[Split, Patterns] = {}
    targets: dict[Split, Patterns] = {}
    hub: HubTable | None = None
    format: Literal["csv", "tsv", "jsonl", "json", "conll", "conllu", "lines"] | None = None
    names: dict[str, Text] = {}
    columns: dict[str, Text | list[Text]] = {}
    id_prefix: Pattern | None = None
    word_prefix: Pattern | None = None
    classes: list[Text] = []
    labels: dict[str, Text] = {}
    drop: list[str] = []
    merged: dict[str, Text] = {}
    n_options: Annotated[int, Field(ge=2)] | None = None
    counted_from: Literal[0, 1, "A", "text"] = 0
    unanswerable: bool = False
    entities: bool = False
    metric: Text | None = None
    chance: Annotated[float, Field(ge=0, lt=1)] | None = None
    train: list[Text] = []
    evaluation_split: Literal["validation", "test"] | None = None
    licence: str = ""
    citation: str = ""
    notes: list[str] = []
    sizes: dict[Split, Annotated[list[float], Field(min_length=3, max_length=3)]] = {}

    @property
    def label_numbers(self) -> dict[str, int]:
        """What files may write for a label, in lower case -> its number."""
        own = {name.casefold(): number for number, name in enumerate(self.classes)}
        return own | {text.casefold(): own[name.casefold()] for text, name in self.labels.items()}

    def fill(self, pattern: str | None, language: str) -> str:
        """Return a pattern with a language in it; empty for none."""
        return (
            ""
            if pattern is None
            else pattern.format(language=language, name=self.names.get(language, language))
        )


def read_declaration(values: Mapping[str, Any], source: str) -> TaskTable:
    """Return the table of a task file.

    Parameters
    ----------
    values : mapping
        The file, read as TOML.
    source : str
        What messages call it.

    Raises
    ------
    InputError
        With everything that is wrong with it, each with its key.
    """
    try:
        table = TaskTable.model_validate(dict(values))
    except ValidationError as error:
        problems = []
        for each in error.errors(include_url=False):
            key = ".".join(str(part) for part in each["loc"] if not set("[-(") & set(str(part)))
            what, hint = str(each["msg"]).removeprefix("Value error, "), None
            if each["type"] == "extra_forbidden":
                what, hint = "no such key", f"there are: {', '.join(TaskTable.model_fields)}"
            problems.append(Problem(f"{what[:1].lower()}{what[1:]}", key, hint=hint, kind="key"))
        raise InputError(problems, source=source) from None
    problems = [Problem(p.message, p.column, hint=p.hint, kind="key") for p in _faults(table)]
    if problems:
        raise InputError(problems, source=source)
    return table


def _faults(table: TaskTable) -> Iterable[Problem]:
    """Yield what does not go together."""
    kind = table.kind
    if not table.files and table.hub is None:
        yield Problem("nothing says where the items are", "files", hint="give files, or a table hub, or both")
    for split in table.targets:
        if split not in table.files:
            yield Problem("has no files beside it", f"targets.{split}")
    if table.targets and (kind != "retrieval" or table.format != "lines"):
        yield Problem('goes with kind = "retrieval" and format = "lines"', "targets")
    if table.format == "lines" and set(table.targets) != set(table.files):
        yield Problem("files of lines come in pairs: the other side goes in targets", "files")
    of_columns = table.format not in ("lines", "conll", "conllu")
    missing = [role for role in _NEEDED[kind] if role not in table.columns] if of_columns else []
    if missing:
        yield Problem(f"does not say which column is {', '.join(missing)}", "columns")
    if kind == "choice" and not {"context", "question"} & table.columns.keys():
        yield Problem("names neither context nor question", "columns")
    for role, column in table.columns.items():
        if role not in (*_USED[kind], "id", "language"):
            used = ", ".join((*_USED[kind], "id", "language"))
            yield Problem(f"a {kind} task has no use for it", f"columns.{role}", hint=f"it uses {used}")
        elif isinstance(column, list) and role != "options":
            yield Problem("one column, not several", f"columns.{role}")
    yield from _class_faults(table)
    unused = [language for language in table.names if language not in table.languages and language != "en"]
    if unused:
        yield Problem(f"{', '.join(unused)} not among the languages", "names")
    goes = {"n_options": "choice", "counted_from": "choice", "unanswerable": "span", "entities": "tagging"}
    for key, wanted in (goes | {"word_prefix": "tagging"}).items():
        if key in table.model_fields_set and kind != wanted:
            yield Problem(f'goes with kind = "{wanted}"', key)
    if table.metric is not None and table.metric not in _METRICS[kind]:
        yield Problem(
            f"no score of {kind} here is called {table.metric!r}", "metric", hint=", ".join(_METRICS[kind])
        )
    if table.entities and table.metric != "micro_f1":
        yield Problem("entities are scored by their F1", "metric", hint='say metric = "micro_f1"')
    if kind == "retrieval" and table.train:
        yield Problem("nothing is fine-tuned for retrieval", "train")
    splits = splits_of(table)
    if table.evaluation_split is not None and table.evaluation_split not in splits:
        yield Problem(f"there is no {table.evaluation_split} split", "evaluation_split")
    if set(splits) == {"train"} and table.evaluation_split is None and kind == "retrieval":
        yield Problem("retrieval needs a split to score", "files")
    known = TASKS.get(table.name)
    if known is not None and known.n_classes is not None and known.n_classes != classes_of(table):
        yield Problem(f"{known.title} is known with {known.n_classes} answers to choose from", "name")


def _class_faults(table: TaskTable) -> Iterable[Problem]:
    if table.kind != "classification":
        for key in ("classes", "labels", "drop", "merged"):
            if getattr(table, key):
                yield Problem('goes with kind = "classification"', key)
        return
    plain = [each.casefold() for each in table.classes]
    if len(set(plain)) < 2 or len(set(plain)) < len(plain):
        yield Problem("two classes or more, each once, in the order of their numbers", "classes")
    for key in ("labels", "merged"):
        for text, name in getattr(table, key).items():
            if name.casefold() not in plain:
                yield Problem(f"{name!r} is no class", f"{key}.{text}", hint=", ".join(table.classes))
    for text, name in table.merged.items():
        if text.casefold() not in plain or name in table.merged or text == name:
            yield Problem("a class is scored as another one that is scored as itself", f"merged.{text}")


def splits_of(table: TaskTable) -> list[str]:
    """Return the splits that there are."""
    there = set(table.files) | set(table.hub.splits if table.hub is not None else ())
    return [split for split in ("train", "validation", "test") if split in there]


def classes_of(table: TaskTable) -> int | None:
    """Return the number of answers to choose from, where there is one number."""
    if table.kind == "classification":
        return len(table.classes) - len(table.merged)
    if table.kind != "choice":
        return None
    options = table.columns.get("options")
    return len(options) if isinstance(options, list) else table.n_options


def stated(table: TaskTable) -> dict[str, Any]:
    """Return what of a declaration goes into the keys of units: not what is for readers only."""
    readers = {"title", "licence", "citation", "notes", "sizes"}
    return table.model_dump(mode="json", exclude=readers, exclude_defaults=True)


def default_metric(kind: str) -> str:
    """Return the usual metric of a kind of task."""
    return _METRICS[kind][0]
