"""How one phase of one model is trained: the settings of an experiment file, resolved."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import Any, Literal

from gainlaw.training.experiment.schema import Checkpoint, Experiment, Lora, Settings

__all__ = ["DEFAULTS", "Phase", "Recipe", "resolve_recipe"]

Phase = Literal["pretrain", "intermediate", "finetune"]


@dataclass(frozen=True, slots=True)
class Recipe:
    """Everything that decides how a phase is trained.

    Attributes
    ----------
    learning_rate : float
        The largest one.
    batch_size : int
        Examples in a step, whatever the micro-batches are.
    epochs : float or None
        Passes over the data; None where `steps` is given.
    steps : int or None
        Steps; None where `epochs` is given.
    warmup : float
        Share of the steps in which the learning rate rises.
    schedule : {"linear", "cosine", "constant"}
        How it falls after that.
    weight_decay, clip : float
        Of AdamW, and the largest norm of a gradient.
    max_length : int
        Longest input, in tokens; longer ones are cut.
    micro_batch_tokens : int
        Tokens, padding included, that go through the model at once.
    precision : {"auto", "fp32", "bf16"}
        ``auto`` is bf16 autocast on a GPU that has it, fp32 elsewhere. Weights are kept in fp32.
    gradient_checkpointing : bool
        Whether activations are computed again in the backward pass.
    patience : int
        Early stop after that many checks on the English validation split without improvement; 0 never stops
        and keeps the last weights. Otherwise the best weights are kept.
    checks : int
        Checks on the validation split in an epoch, when `patience` is not 0.
    mask_rate : float
        Share of tokens to predict in masked language modelling.
    contrast : float
        Weight of the contrastive loss of parallel sentences in pretraining; 0 is none.
    contrast_pairs : int
        Sentences with their translations in a step: each is told from the translations of the others.
    contrast_temperature : float
        What their cosines are divided by.
    pooling : {"usual", "first", "mean", "last"}
        Which state stands for a sequence; ``usual`` is what its architecture has.
    freeze : {"nothing", "embeddings"}
        What labelled examples leave as pretraining made it.
    lora : Lora or None
        Low-rank adapters; None trains all weights.
    """

    learning_rate: float
    batch_size: int
    epochs: float | None
    steps: int | None
    warmup: float
    schedule: str
    weight_decay: float
    clip: float
    max_length: int
    micro_batch_tokens: int
    precision: str
    gradient_checkpointing: bool
    patience: int
    checks: int
    mask_rate: float
    contrast: float
    contrast_pairs: int
    contrast_temperature: float
    pooling: str
    freeze: str
    lora: Lora | None

    def record(self) -> dict[str, Any]:
        """Return the values as plain data."""
        values = {name: value for name, value in asdict(self).items() if name != "lora"}
        return values | {"lora": None if self.lora is None else self.lora.model_dump()}

    @classmethod
    def from_record(cls, record: dict[str, Any]) -> Recipe:
        """Return the recipe that `record` came from."""
        lora = record["lora"]
        return cls(**(record | {"lora": None if lora is None else Lora(**lora)}))


_COMMON = Recipe(
    learning_rate=2e-5,
    batch_size=32,
    epochs=3.0,
    steps=None,
    warmup=0.1,
    schedule="linear",
    weight_decay=0.01,
    clip=1.0,
    max_length=128,
    micro_batch_tokens=8192,
    precision="auto",
    gradient_checkpointing=False,
    patience=0,
    checks=1,
    mask_rate=0.15,
    contrast=0.0,
    contrast_pairs=32,
    contrast_temperature=0.1,
    pooling="usual",
    freeze="nothing",
    lora=None,
)
DEFAULTS: dict[Phase, Recipe] = {
    "pretrain": replace(_COMMON, learning_rate=1e-3, batch_size=128, epochs=None, steps=1000),
    "intermediate": _COMMON,
    "finetune": _COMMON,
}
"""What holds where an experiment says nothing."""


def resolve_recipe(
    experiment: Experiment, phase: Phase, checkpoint: Checkpoint, own: Settings | None = None
) -> Recipe:
    """Resolve the settings of a phase: the last table that says something wins.

    In order: the defaults of the phase, ``[training]``, ``[training.PHASE]``, the table of the intermediate or
    target, the checkpoint's ``training`` and its ``training.PHASE``: a size knows best what it bears.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    phase : {"pretrain", "intermediate", "finetune"}
        Which phase.
    checkpoint : Checkpoint
        Of which model.
    own : Settings, optional
        The table of the intermediate or target.

    Returns
    -------
    Recipe

    Examples
    --------
    >>> from gainlaw.training.experiment.schema import Target, Training
    >>> checkpoint = Checkpoint(name="m", model_family="M", hub="m", training=Training(learning_rate=1e-4))
    >>> target = Target(task="xcopa", training=Settings(epochs=2.0))
    >>> experiment = Experiment(name="e", checkpoints=[checkpoint], targets=[target])
    >>> recipe = resolve_recipe(experiment, "finetune", checkpoint, target.training)
    >>> recipe.learning_rate, recipe.epochs, recipe.batch_size
    (0.0001, 2.0, 32)
    """
    layers: list[Settings | None] = [
        experiment.training,
        getattr(experiment.training, phase),
        own,
        checkpoint.training,
        getattr(checkpoint.training, phase),
    ]
    values = _fields(DEFAULTS[phase])
    for layer in layers:
        if layer is None:
            continue
        given = {name: value for name, value in vars(layer).items() if value is not None and name in values}
        if "epochs" in given:
            values["steps"] = None
        if "steps" in given:
            values["epochs"] = None
        values.update(given)
    values["lora"] = values["lora"] or None
    return Recipe(**values)


def _fields(recipe: Recipe) -> dict[str, Any]:
    return {name: getattr(recipe, name) for name in Recipe.__slots__}
