"""The experiment file: checkpoints x intermediates x targets x languages x seeds, and how each is trained."""

from __future__ import annotations

import difflib
import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from gainlaw._io import sha256_bytes
from gainlaw.errors import InputError, Problem

__all__ = [
    "Budget",
    "Checkpoint",
    "Compute",
    "Experiment",
    "Intermediate",
    "Lora",
    "Pretraining",
    "Prompt",
    "Target",
    "Training",
    "parse_experiment",
    "read_experiment",
]

Name = Annotated[str, Field(min_length=1, pattern=r"^[\w.+-]+$")]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1)]
Seed = Annotated[int, Field(ge=0, lt=2**31)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Lora(_Table):
    """Low-rank adapters instead of all weights (Hu et al. 2021, arXiv 2106.09685)."""

    rank: Count = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0


class Settings(_Table):
    """How a phase is trained; what is left out comes from the table above it, at last from the phase."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    batch_size: Count | None = None
    epochs: Annotated[float, Field(gt=0)] | None = None
    steps: Count | None = None
    warmup: Fraction | None = None
    schedule: Literal["linear", "cosine", "constant"] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    clip: Annotated[float, Field(gt=0)] | None = None
    max_length: Annotated[int, Field(ge=8)] | None = None
    micro_batch_tokens: Annotated[int, Field(ge=64)] | None = None
    precision: Literal["auto", "fp32", "bf16"] | None = None
    gradient_checkpointing: bool | None = None
    patience: Annotated[int, Field(ge=0)] | None = None
    checks: Count | None = None
    mask_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    lora: Lora | Literal[False] | None = None

    @model_validator(mode="after")
    def _one_length(self) -> Settings:
        if self.epochs is not None and self.steps is not None:
            raise ValueError("give epochs or steps, not both")
        return self


class Training(Settings):
    """Settings of all phases, and of one."""

    pretrain: Settings | None = None
    intermediate: Settings | None = None
    finetune: Settings | None = None


class Checkpoint(_Table):
    """A pretrained model: a hub name, a local path, or a configuration to start from scratch."""

    name: Name
    model_family: Annotated[str, Field(min_length=1)]
    hub: str | None = None
    revision: str | None = None
    path: str | None = None
    config: dict[str, Any] | None = None
    base_model: Name | None = None
    intermediate: Name | None = None
    params: Count | None = None
    pretrain: bool = True
    training: Training = Training()

    @model_validator(mode="after")
    def _one_origin(self) -> Checkpoint:
        given = [k for k in ("hub", "path", "config") if getattr(self, k) is not None]
        if len(given) != 1:
            had = f"has {' and '.join(given)}" if given else "has none"
            raise ValueError(f"a checkpoint needs exactly one of hub, path, config; {self.name} {had}")
        if self.revision is not None and self.hub is None:
            raise ValueError("revision goes with hub")
        if (self.base_model is None) != (self.intermediate is None):
            raise ValueError(
                "base_model and intermediate go together: they mark a checkpoint that already had its "
                "intermediate training"
            )
        return self


class Pretraining(_Table):
    """Masked language modelling from scratch, for the checkpoints that have a configuration."""

    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    corpus: Annotated[list[str], Field(min_length=1)] | None = None
    tokenizer: str | None = None


class WorldTable(_Table):
    """The synthetic world; see `gainlaw.training.world.WorldSettings`."""

    seed: Seed = 0
    antonyms: Annotated[int, Field(ge=2)] = 16
    verb_groups: Annotated[int, Field(ge=2)] = 16
    per_family: Annotated[int, Field(ge=1, le=9)] = 4
    documents: Count = 60_000
    parallel: Fraction = 0.15
    mixed: Fraction = 0.10
    train: Count = 8_000
    validation: Count = 500
    test: Count = 500

    @model_validator(mode="after")
    def _shares(self) -> WorldTable:
        if self.parallel + self.mixed > 1:
            raise ValueError("parallel and mixed are shares of the documents; together they exceed 1")
        return self


class Prompt(_Table):
    """A prompt of a target: a text with the fields of an item in braces, and the answers."""

    name: Name
    text: Annotated[str, Field(min_length=1)]
    answers: list[str] | None = None


class Intermediate(_Table):
    """An English intermediate training, on one task or several."""

    name: Name
    tasks: list[Name] = []
    method: Literal["supervised", "prompt_consistency"] = "supervised"
    sampling: Literal["proportional", "temperature"] = "proportional"
    temperature: Annotated[float, Field(ge=1)] = 2.0
    examples: Count | None = None
    mlm: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mlm_corpus: Annotated[list[str], Field(min_length=1)] | None = None
    data: dict[str, str] = {}
    language: Name = "en"
    split: Literal["train", "validation", "test"] = "train"
    prompts: Annotated[list[Prompt | Name], Field(min_length=2)] | None = None
    training: Settings = Settings()

    @model_validator(mode="after")
    def _has_tasks(self) -> Intermediate:
        if self.name == "none":
            raise ValueError("the name none belongs to the baseline, which needs no entry")
        if not self.tasks:
            raise ValueError("tasks names at least one task")
        if len(set(self.tasks)) < len(self.tasks):
            raise ValueError("tasks names a task twice")
        foreign = sorted(set(self.data) - set(self.tasks))
        if foreign:
            raise ValueError(f"data names {', '.join(foreign)}, which tasks does not")
        if self.method == "supervised" and (self.split != "train" or self.prompts is not None):
            raise ValueError('split and prompts go with method = "prompt_consistency"')
        if self.method == "prompt_consistency" and len(self.tasks) > 1:
            raise ValueError("prompt_consistency takes one task")
        if self.mlm_corpus is not None and not self.mlm:
            raise ValueError("mlm_corpus goes with mlm, the share of steps that continue masked-LM training")
        return self


class Target(_Table):
    """A task that is fine-tuned in English (or prompted) and scored in every language."""

    task: Name
    train: Annotated[list[Name], Field(min_length=1)] | None = None
    languages: Annotated[list[Name], Field(min_length=1)] | None = None
    split: Literal["validation", "test"] | None = None
    examples: Count | None = None
    limit: Count | None = None
    prompts: Annotated[list[Prompt | Name], Field(min_length=1)] | None = None
    training: Settings = Settings()


class Compute(_Table):
    """What it runs on. Only ``device`` and ``threads`` can change a result."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Count | None = None
    threads: Count = 1
    snapshot_seconds: Annotated[float, Field(gt=0)] = 300.0


class Budget(_Table):
    """What may be spent; a run whose plan exceeds it does not start."""

    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    disk_gb: Annotated[float, Field(gt=0)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    throughput_tflops: Annotated[float, Field(gt=0)] = 300.0
    utilisation: Annotated[float, Field(gt=0, le=1)] = 0.35


class Experiment(_Table):
    """An experiment, as its file states it.

    Attributes
    ----------
    name, title : str
        Its name, and a line about it.
    protocol : {"finetune", "prompted"}
        Fine-tuned on English and scored zero-shot, or scored from prompts without fine-tuning.
    seeds : list of int
        Seeds of intermediate training and fine-tuning.
    checkpoints, intermediates, targets : list
        What is crossed. The baseline (no intermediate) is always run.
    training : Training
        Settings of all checkpoints, with tables for one phase.
    pretraining : Pretraining or None
        For checkpoints from scratch.
    world : WorldTable or None
        The synthetic world, when its tasks or its corpus are used.
    data : dict of str to str
        Task to folder with its local files, relative to the experiment file.
    compute, budget : Compute, Budget
        What it runs on, and what may be spent.
    folder : Path
        Where the file lies; relative paths start there.
    sha256 : str
        Of the file's text.
    """

    name: Name
    title: str = ""
    protocol: Literal["finetune", "prompted"] = "finetune"
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    checkpoints: Annotated[list[Checkpoint], Field(min_length=1)]
    intermediates: list[Intermediate] = []
    targets: Annotated[list[Target], Field(min_length=1)]
    training: Training = Training()
    pretraining: Pretraining | None = None
    world: WorldTable | None = None
    data: dict[str, str] = {}
    compute: Compute = Compute()
    budget: Budget = Budget()
    folder: Annotated[Path, Field(strict=False)] = Path()
    text: str = Field("", repr=False)

    @property
    def sha256(self) -> str:
        """Of the file's text."""
        return sha256_bytes(self.text.encode())


def read_experiment(path: str | os.PathLike[str]) -> Experiment:
    """Read and validate an experiment file.

    Parameters
    ----------
    path : path-like
        A TOML file.

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        With every fault of the file at once, each naming its key: TOML that does not parse, unknown or
        missing keys, values outside what is allowed, names that nothing defines, local paths that are not
        there.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "tiny.toml"
    >>> _ = file.write_text('''name = "tiny"
    ... checkpoints = [{name = "xlmr", model_family = "XLM-R", hub = "FacebookAI/xlm-roberta-base"}]
    ... targets = [{task = "xcopa", languages = ["sw", "tr"]}]''')
    >>> read_experiment(file).checkpoints[0].name
    'xlmr'
    """
    file = Path(path)
    try:
        text = file.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise InputError("there is no such file; an experiment is a .toml file", source=str(path)) from None
    except (UnicodeDecodeError, IsADirectoryError):
        raise InputError("not a text file; an experiment is TOML in UTF-8", source=str(path)) from None
    return parse_experiment(text, file.resolve().parent, str(path))


def parse_experiment(text: str, folder: Path, source: str) -> Experiment:
    """Validate the text of an experiment file.

    Parameters
    ----------
    text : str
        TOML.
    folder : Path
        Where relative paths start.
    source : str
        What messages call it.

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        As `read_experiment` does.
    """
    try:
        table = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise InputError(f"not valid TOML: {error}", source=source) from None
    problems = [Problem("not a key of an experiment file", key) for key in ("folder", "text") if key in table]
    if problems:
        raise InputError(problems, source=source)
    try:
        experiment = Experiment.model_validate(table | {"folder": folder, "text": text})
    except ValidationError as error:
        raise InputError([_problem(each, table) for each in error.errors()], source=source) from None
    from gainlaw.training.crosschecks import find_faults

    faults = find_faults(experiment)
    if faults:
        raise InputError(faults, source=source)
    return experiment


_KINDS = {
    "int_type": "not a whole number",
    "float_type": "not a number",
    "string_type": "not a text",
    "bool_type": "neither true nor false",
    "list_type": "not a list",
    "dict_type": "not a table",
    "model_type": "not a table",
    "missing": "the key is missing",
}


def _problem(error: Any, table: dict[str, Any]) -> Problem:
    """Return a fault that pydantic found in the words of the house."""
    place = [
        p
        for p in error["loc"]
        if not re.fullmatch(r"[A-Z]\w*|literal\[.*\]|constrained-.*|function-.*|str", str(p))
    ]
    key = "".join(f"[{p + 1}]" if isinstance(p, int) else f".{p}" for p in place).lstrip(".") or "the file"
    kind, context = error["type"], error.get("ctx", {})
    if kind == "extra_forbidden":
        known = sorted(_fields_at(place[:-1]))
        near = difflib.get_close_matches(str(place[-1]), known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"allowed: {', '.join(known)}"
        return Problem("no such key", key, hint=hint)
    if kind == "value_error":
        return Problem(str(context["error"]), key)
    if kind == "literal_error":
        return Problem(f"{error['input']!r} is not allowed", key, hint=f"allowed: {context['expected']}")
    if kind == "string_pattern_mismatch":
        hint = "letters, digits and . _ + - only: it becomes part of file names and tables"
        return Problem(f"{error['input']!r} is not a name", key, hint=hint)
    if kind in _KINDS:
        what = _KINDS[kind]
        return Problem(what if kind == "missing" else f"{error['input']!r} is {what}", key)
    return Problem(f"{error['input']!r}: {error['msg'][0].lower()}{error['msg'][1:]}", key)


def _fields_at(place: list[Any]) -> set[str]:
    """Return the keys that the table at a place may have."""
    model: Any = Experiment
    for part in place:
        if isinstance(part, int):
            continue
        model = _model_in(model.model_fields[part].annotation)
    return set(model.model_fields) - {"folder", "text"}


def _model_in(annotation: Any) -> Any:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    for inner in getattr(annotation, "__args__", ()):
        found = _model_in(inner)
        if found is not None:
            return found
    return None
