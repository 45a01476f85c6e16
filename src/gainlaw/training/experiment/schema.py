"""The experiment file: checkpoints x intermediates x targets x languages x seeds, and how each is trained."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Discriminator, Field, Tag

from gainlaw._io import sha256_bytes
from gainlaw.tasks import plain_name
from gainlaw.training.phases.registry import METHODS, PROTOCOLS

__all__ = [
    "Budget",
    "Checkpoint",
    "Compute",
    "Experiment",
    "Intermediate",
    "Lora",
    "Pretraining",
    "Product",
    "Prompt",
    "Settings",
    "Slurm",
    "Sweep",
    "Target",
    "Training",
    "WorldTable",
]

_MOST = 2**31 - 1


def _plain_tasks(table: dict[str, str]) -> dict[str, str]:
    plain: dict[str, str] = {}
    for name, folder in table.items():
        if plain_name(name) in plain:
            raise ValueError(f"{name} and another key are names of the task {plain_name(name)}")
        plain[plain_name(name)] = folder
    return plain


if TYPE_CHECKING:
    MethodName = str
    ProtocolName = str
else:
    MethodName = Literal[*METHODS]
    ProtocolName = Literal[*PROTOCOLS]
Name = Annotated[str, Field(pattern=r"^\w[\w.+-]*$")]
Task = Annotated[str, Field(min_length=1), AfterValidator(plain_name)]
Text = Annotated[str, Field(min_length=1)]
HubName = Annotated[str, Field(pattern=r"^\w[\w.-]*(/\w[\w.-]*)?$")]
Folders = Annotated[dict[str, Text], AfterValidator(_plain_tasks)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Count = Annotated[int, Field(ge=1, le=_MOST)]
Seed = Annotated[int, Field(ge=0, le=_MOST)]


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)


Product = Literal["query", "key", "value", "output", "feed_forward"]


class Lora(_Table):
    """Low-rank adapters instead of all weights (Hu et al. 2021, arXiv 2106.09685).

    ``targets`` are the products of every layer that get one, by what they do and not by what an architecture calls
    them: one rule for all sizes.
    """

    rank: Count = 16
    alpha: Annotated[float, Field(gt=0)] = 32.0
    dropout: Annotated[float, Field(ge=0, lt=1)] = 0.0
    targets: Annotated[list[Product], Field(min_length=1)] = ["query", "value"]


def _adapters_given(value: Any) -> str | None:
    """Return which of the two forms of ``lora`` a value is; None is neither."""
    return "@false" if value is False else "@table" if isinstance(value, dict | Lora) else None


Adapters = Annotated[
    Annotated[Lora, Tag("@table")] | Annotated[Literal[False], Tag("@false")],
    Discriminator(_adapters_given, custom_error_type="lora_form", custom_error_message="neither form"),
]


class Settings(_Table):
    """How a phase is trained; what is left out comes from the table above it, at last from the phase."""

    learning_rate: Annotated[float, Field(gt=0, le=1)] | None = None
    batch_size: Count | None = None
    epochs: Annotated[float, Field(gt=0, le=10_000)] | None = None
    steps: Count | None = None
    warmup: Fraction | None = None
    schedule: Literal["linear", "cosine", "constant"] | None = None
    weight_decay: Annotated[float, Field(ge=0)] | None = None
    clip: Annotated[float, Field(gt=0)] | None = None
    max_length: Annotated[int, Field(ge=8, le=_MOST)] | None = None
    micro_batch_tokens: Annotated[int, Field(ge=64, le=_MOST)] | None = None
    precision: Literal["auto", "fp32", "bf16"] | None = None
    gradient_checkpointing: bool | None = None
    patience: Annotated[int, Field(ge=0, le=_MOST)] | None = None
    checks: Count | None = None
    mask_rate: Annotated[float, Field(gt=0, lt=1)] | None = None
    contrast: Annotated[float, Field(ge=0)] | None = None
    contrast_pairs: Annotated[int, Field(ge=2, le=_MOST)] | None = None
    contrast_temperature: Annotated[float, Field(gt=0)] | None = None
    pooling: Literal["usual", "first", "mean", "last"] | None = None
    freeze: Literal["nothing", "embeddings"] | None = None
    lora: Adapters | None = None


class Training(Settings):
    """Settings of all phases, and of one."""

    pretrain: Settings | None = None
    intermediate: Settings | None = None
    finetune: Settings | None = None


class Checkpoint(_Table):
    """A pretrained model: a hub name, a local path, or a configuration to start from scratch.

    ``shards`` are the processes, each with a GPU of its own where there are GPUs, over which a training of all its
    weights is spread. Their number rounds differently and changes nothing else.
    """

    name: Name
    model_family: Text
    hub: HubName | None = None
    revision: Text | None = None
    path: Text | None = None
    config: dict[str, Any] | None = None
    base_model: Name | None = None
    intermediate: Name | None = None
    params: Annotated[int, Field(ge=1, le=10**15)] | None = None
    pretrain: bool = True
    seeds: Annotated[list[Seed], Field(min_length=1)] | None = None
    shards: Annotated[int, Field(ge=1, le=1024)] = 1
    training: Training = Training()


class Pretraining(_Table):
    """Masked language modelling from scratch, for the checkpoints that have a configuration."""

    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    corpus: Annotated[list[Text], Field(min_length=1)] | None = None
    parallel: Annotated[list[Text], Field(min_length=1)] | None = None
    tokenizer: Text | None = None


class WorldTable(_Table):
    """The synthetic world; see `gainlaw.training.world.corpus.WorldSettings`."""

    seed: Seed = 0
    antonyms: Annotated[int, Field(ge=4, le=256)] = 8
    verb_groups: Annotated[int, Field(ge=4, le=256)] = 8
    per_family: Annotated[int, Field(ge=1, le=9)] = 2
    documents: Count = 80_000
    parallel: Fraction = 0.4
    mixed: Fraction = 0.3
    train: Count = 8_000
    validation: Count = 500
    test: Count = 500
    probes: Count = 200


class Prompt(_Table):
    """A prompt of a target: a text with the fields of an item in braces, and the answers."""

    name: Name
    text: Text
    answers: list[str] | None = None


def _prompt_given(value: Any) -> str | None:
    """Return which of the two forms of a prompt a value is; None is neither."""
    return "@name" if isinstance(value, str) else "@table" if isinstance(value, dict | Prompt) else None


NamedOrStated = Annotated[
    Annotated[Prompt, Tag("@table")] | Annotated[Text, Tag("@name")],
    Discriminator(_prompt_given, custom_error_type="prompt_form", custom_error_message="neither form"),
]


class Intermediate(_Table):
    """An English intermediate training, on one task or several."""

    name: Name
    tasks: Annotated[list[Task], Field(min_length=1)]
    method: MethodName = "supervised"
    sampling: Literal["proportional", "temperature"] = "proportional"
    temperature: Annotated[float, Field(ge=1)] = 2.0
    examples: Count | None = None
    mlm: Annotated[float, Field(ge=0, lt=1)] = 0.0
    mlm_corpus: Annotated[list[Text], Field(min_length=1)] | None = None
    data: Folders = {}
    language: Text = "en"
    split: Literal["train", "validation", "test"] = "train"
    prompts: Annotated[list[NamedOrStated], Field(min_length=2)] | None = None
    training: Settings = Settings()


class Target(_Table):
    """A task that is fine-tuned in English (or prompted) and scored in every language."""

    task: Task
    train: Annotated[list[Task], Field(min_length=1)] | None = None
    languages: Annotated[list[Text], Field(min_length=1)] | None = None
    split: Literal["validation", "test"] | None = None
    examples: Count | None = None
    limit: Count | None = None
    layer: Annotated[int, Field(ge=0, le=1000)] | None = None
    prompts: Annotated[list[NamedOrStated], Field(min_length=1)] | None = None
    training: Settings = Settings()


class Compute(_Table):
    """What it runs on. Only ``device`` and ``threads`` can change a result."""

    device: Literal["auto", "cpu", "cuda"] = "auto"
    workers: Count | None = None
    threads: Count = 1
    snapshot_seconds: Annotated[float, Field(gt=0)] = 300.0


class Sweep(_Table):
    """A search for the learning rate, on English development items, for each model and what it is trained on."""

    factors: Annotated[list[Annotated[float, Field(gt=0, le=1000)]], Field(min_length=2)] = [0.3, 1.0, 3.0]
    phases: Annotated[list[Literal["intermediate", "finetune"]], Field(min_length=1)] = [
        "intermediate",
        "finetune",
    ]
    seed: Seed = 0


class Slurm(_Table):
    """A class of identical jobs under Slurm, each of which works on what is left."""

    name: Name = "workers"
    jobs: Count = 1
    gpus: Annotated[int, Field(ge=0, le=1024)] = 0
    cpus: Count | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    minutes: Count = 60
    notice_seconds: Count = 120
    partition: Text | None = None
    account: Text | None = None
    qos: Text | None = None
    constraint: Text | None = None
    setup: list[Text] = []
    max_params: Annotated[int, Field(ge=1, le=10**15)] | None = None


class Budget(_Table):
    """What may be spent; a run whose plan exceeds it does not start."""

    gpu_hours: Annotated[float, Field(gt=0)] | None = None
    disk_gb: Annotated[float, Field(gt=0)] | None = None
    memory_gb: Annotated[float, Field(gt=0)] | None = None
    throughput_tflops: Annotated[float, Field(ge=1e-6)] = 300.0
    utilisation: Annotated[float, Field(ge=1e-6, le=1)] = 0.35


class Experiment(_Table):
    """An experiment, as its file states it.

    Attributes
    ----------
    name, title : str
        Its name, and a line about it.
    protocol : str
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
    tasks : list of str
        Task files, relative to the experiment file, that declare tasks of its own.
    data : dict of str to str
        Task to folder with its local files, relative to the experiment file; of a declared task the folder of its
        file by default.
    compute, budget : Compute, Budget
        What it runs on, and what may be spent.
    sweep : Sweep or None
        Whether, and how, learning rates are searched for.
    slurm : list of Slurm
        The classes of jobs of ``gainlaw run --on slurm``.
    folder : Path
        Where the file lies; relative paths start there.
    text : str
        The file's.
    only, without : tuple of str
        What part of the file it is, see `gainlaw.training.experiment.selection.select`.
    own_tasks : dict of str to dict
        The tables of its task files, by the name of the task.
    commits : dict of str to str
        The commits of models and data sets of the hub, where they are known.
    sha256 : str
        Of the file's text, and of what part it is.
    """

    name: Name
    title: str = ""
    protocol: ProtocolName = "finetune"
    seeds: Annotated[list[Seed], Field(min_length=1)] = [0]
    checkpoints: Annotated[list[Checkpoint], Field(min_length=1)]
    intermediates: list[Intermediate] = []
    targets: Annotated[list[Target], Field(min_length=1)]
    training: Training = Training()
    pretraining: Pretraining | None = None
    world: WorldTable | None = None
    tasks: Annotated[list[Text], Field(min_length=1)] | None = None
    data: Folders = {}
    compute: Compute = Compute()
    budget: Budget = Budget()
    sweep: Sweep | None = None
    slurm: list[Slurm] = []
    folder: Annotated[Path, Field(strict=False)] = Path()
    text: str = Field("", repr=False)
    only: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    own_tasks: dict[str, dict[str, Any]] = {}
    commits: dict[str, str] = {}

    def seeds_of(self, checkpoint: Checkpoint) -> list[int]:
        """Return the pretraining seeds of a checkpoint from scratch, each a model of its own; none for another."""
        if checkpoint.config is None or self.pretraining is None:
            return []
        return checkpoint.seeds or self.pretraining.seeds

    @property
    def sha256(self) -> str:
        """Of the file's text, and of what part it is."""
        part = f"\0{self.only}\0{self.without}" if self.only or self.without else ""
        return sha256_bytes(f"{self.text}{part}".encode())
