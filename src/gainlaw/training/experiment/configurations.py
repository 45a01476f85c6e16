"""The configurations of an experiment's models: where they are, and whether transformers can make them."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.known import known_config
from gainlaw.training.experiment.recipes import DEFAULTS, Phase
from gainlaw.training.experiment.schema import Checkpoint, Experiment, Settings, WorldTable
from gainlaw.training.experiment.validation import Draft, guess, show
from gainlaw.training.plan.architectures import ARCHITECTURES, read_widths, require_torch

if TYPE_CHECKING:
    from gainlaw.training.plan.shapes import Part

__all__ = [
    "MASKED_TYPES",
    "configuration_faults",
    "configuration_of",
    "counted_role",
    "known_configuration",
    "length_faults",
    "longest_input",
    "model_type_of",
    "vocabulary_of",
]

MASKED_TYPES = ("bert", "roberta", "xlm-roberta", "xlm-roberta-xl")
"""Architectures that can be pretrained here, or go on with masked language modelling."""

#: The largest number of a configuration that is no typing error, and of parts that are made one by one.
_LARGEST, _MOST_PARTS = 10**7, 1000
#: Architectures with learned positions, and whether they are counted from behind the padding id.
_LEARNED = {
    **dict.fromkeys(
        ("bert", "distilbert", "electra", "albert", "rembert", "gpt2", "opt", "bart", "mbart"), False
    ),
    **dict.fromkeys(("roberta", "xlm-roberta", "xlm-roberta-xl", "camembert"), True),
}


def configuration_of(experiment: Experiment, checkpoint: Checkpoint) -> dict[str, Any] | None:
    """Return the configuration of a checkpoint, if it can be had without a network.

    Parameters
    ----------
    experiment : Experiment
        The experiment.
    checkpoint : Checkpoint
        One of its checkpoints.

    Returns
    -------
    dict or None
        Of a checkpoint from scratch with the vocabulary and the special tokens of its tokenizer filled in.

    Raises
    ------
    InputError
        If its ``config.json`` is not one, or the tokenizer cannot be read.
    """
    if checkpoint.config is not None:
        size, padding = vocabulary_of(experiment)
        filled = {"vocab_size": size, "pad_token_id": padding, "bos_token_id": None, "eos_token_id": None}
        return filled | checkpoint.config
    if checkpoint.hub is not None:
        return known_config(checkpoint.hub)
    file = _place(experiment, checkpoint.path or "") / "config.json"
    if not file.is_file():
        return None
    try:
        values = json.loads(file.read_text(encoding="utf-8"))
    except (ValueError, RecursionError):
        values = None
    if not isinstance(values, dict) or not isinstance(values.get("model_type"), str):
        raise InputError(f"{file} is no configuration of a model: it has no model_type")
    return values


def _place(experiment: Experiment, place: str) -> Path:
    try:
        return experiment.folder / Path(place).expanduser()
    except RuntimeError as error:  # a home of nobody
        raise InputError(f"{place!r} is no path: {error}") from None


def vocabulary_of(experiment: Experiment) -> tuple[int, int]:
    """Return the number of tokens of the tokenizer of models from scratch, and the id of padding.

    Raises
    ------
    InputError
        If the file of the tokenizer is none.
    """
    if experiment.pretraining is not None and experiment.pretraining.tokenizer is not None:
        return _tokenizer_size(_place(experiment, experiment.pretraining.tokenizer))
    assert experiment.world is not None
    return _world_size(experiment.world)


@lru_cache(maxsize=16)
def _world_size(world: WorldTable) -> tuple[int, int]:
    from gainlaw.training.jobs.world import world_tokenizer
    from gainlaw.training.world.corpus import WorldSettings, make_world_and_languages

    made = world_tokenizer(make_world_and_languages(WorldSettings(**world.model_dump())))
    return made.get_vocab_size(), made.token_to_id("[PAD]")


def _tokenizer_size(path: Path) -> tuple[int, int]:
    from gainlaw.training.train.backbones import load_tokenizer

    hint = "a tokenizer.json, as the package tokenizers saves one"
    if path.suffix != ".json":
        raise InputError(Problem("the name does not end in .json", hint=hint))
    try:
        made = load_tokenizer(path)
    except Exception as error:  # the reader of tokenizers raises bare Exceptions
        raise InputError(Problem(f"not a tokenizer: {_first_line(error)}", hint=hint)) from None
    return len(made), int(made.pad_token_id)


def _first_line(error: Exception) -> str:
    text = str(error).strip() or type(error).__name__
    return text.splitlines()[0][:200]


def counted_role(experiment: Experiment, config: Mapping[str, Any]) -> Part:
    """Return which part of a model is counted, in the words of `gainlaw.training.plan.shapes`."""
    if experiment.protocol != "prompted":
        return "encoder"
    return "full" if _serves(config["model_type"], "SEQ_TO_SEQ_CAUSAL_LM") else "causal"


#: What transformers has of the kinds of architectures that are written out here.
_SERVES = {
    "encoder": {"MASKED_LM", "CAUSAL_LM"},
    "decoder": {"CAUSAL_LM"},
    "encoder-decoder": {"SEQ_TO_SEQ_CAUSAL_LM", "TEXT_ENCODING"},
}


def _serves(kind: str, model: str) -> bool:
    """Return whether transformers has a model of a kind for a model type."""
    written = ARCHITECTURES.get(kind)
    if written is not None:
        return model in _SERVES[written.kind]
    require_torch(kind)
    return kind in _names(model)


def _names(kind: str) -> frozenset[str]:
    """Return the model types of which transformers has a model of a kind."""
    from transformers.models.auto import modeling_auto

    return frozenset(getattr(modeling_auto, f"MODEL_FOR_{kind}_MAPPING_NAMES"))


def known_configuration(experiment: Experiment, checkpoint: Checkpoint) -> dict[str, Any] | None:
    """Return what `configuration_of` does, or None too where it, or a tokenizer, is at fault."""
    tokenizer = experiment.pretraining is not None and experiment.pretraining.tokenizer is not None
    if checkpoint.config is not None and experiment.world is None and not tokenizer:
        return None
    try:
        values = configuration_of(experiment, checkpoint)
    except InputError:
        return None
    return values if values is not None and isinstance(values.get("model_type"), str) else None


def model_type_of(experiment: Experiment, checkpoint: Checkpoint) -> str | None:
    """Return the architecture of a checkpoint, or None where it is not known here."""
    values = checkpoint.config or known_configuration(experiment, checkpoint) or {}
    kind = values.get("model_type")
    return kind if isinstance(kind, str) else None


def configuration_faults(draft: Draft, checkpoint: Checkpoint, key: str) -> list[Problem]:
    """Return what is wrong with the configuration of a checkpoint, as far as it is known.

    Parameters
    ----------
    draft : Draft
        The experiment.
    checkpoint : Checkpoint
        One of its checkpoints; it has one origin, which is there.
    key : str
        Its key in the file.

    Returns
    -------
    list of Problem
        Keys that the architecture does not have, values that it cannot take, architectures that cannot do what
        is asked of them; else what transformers says when it refuses to make the model.
    """
    if checkpoint.config is not None:
        return _scratch_faults(draft, checkpoint, checkpoint.config, f"{key}.config")
    key = f"{key}.{'path' if checkpoint.hub is None else 'hub'}"
    if checkpoint.hub is not None and draft.experiment.protocol != "prompted":
        return []
    try:
        values = configuration_of(draft.experiment, checkpoint)
    except InputError as error:
        return [Problem(p.message, key, hint=p.hint) for p in error.problems]
    if values is None:
        return []
    found = _unfit(draft, values["model_type"], key)
    if found or checkpoint.hub is not None:
        return found
    return _refusal(values, counted_role(draft.experiment, values), key)


def _scratch_faults(
    draft: Draft, checkpoint: Checkpoint, table: Mapping[str, Any], key: str
) -> list[Problem]:
    """Return the faults of a configuration that stands in the experiment file."""
    found = _table_faults(table, checkpoint.pretrain, key)
    found = found or _unfit(draft, table["model_type"], f"{key}.model_type")
    values = None if found else known_configuration(draft.experiment, checkpoint)
    if values is None:
        return found
    found = _vocabulary_faults(values, vocabulary_of(draft.experiment)[0], key)
    return found or _refusal(values, counted_role(draft.experiment, values), key)


def _table_faults(values: Mapping[str, Any], pretrain: bool, key: str) -> list[Problem]:
    """Return the faults of single keys of a configuration."""
    kind = values.get("model_type")
    if not isinstance(kind, str):
        hint = 'such as config = { model_type = "bert", hidden_size = 64 }'
        what = "the key is missing" if kind is None else f"{show(kind)} is not a text"
        return [Problem(what, f"{key}.model_type", hint=hint)]
    found = [] if read_widths(values) else _key_faults(values, kind, key)
    if (
        pretrain
        and kind not in MASKED_TYPES
        and not any(each.column == f"{key}.model_type" for each in found)
    ):
        hint = f"allowed: {', '.join(MASKED_TYPES)}; or pretrain = false for random weights"
        found.insert(0, Problem(f"{kind!r} cannot be pretrained here", f"{key}.model_type", hint=hint))
    return found


def _key_faults(values: Mapping[str, Any], kind: str, key: str) -> list[Problem]:
    """Return the keys that an architecture of transformers does not have, and values that it cannot take."""
    require_torch(kind)
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    if kind not in CONFIG_MAPPING:
        hint = guess(kind, sorted(CONFIG_MAPPING))
        hint = hint if "did you mean" in hint else f"it knows {', '.join(MASKED_TYPES)} and many others"
        return [Problem(f"transformers has no architecture {kind!r}", f"{key}.model_type", hint=hint)]
    found = []
    architecture = CONFIG_MAPPING[kind]
    defaults = {field.name: field.default for field in fields(architecture)}
    known = sorted({*defaults, *architecture.attribute_map})
    for name, value in values.items():
        place = f"{key}.{name}"
        usual = defaults.get(architecture.attribute_map.get(name, name))
        if name != "model_type" and name not in known:
            found.append(Problem(f"{kind} has no such key", place, hint=guess(name, known)))
        elif not _is_plain(value):
            found.append(
                Problem("neither a text, a number, true or false, nor a list or table of them", place)
            )
        elif _is_count(usual) and _is_number(value) and not name.endswith(("_id", "_ids")):
            most = _MOST_PARTS if re.search("layer|expert|block|group", name) else _LARGEST
            if not 1 <= value <= most:
                hint = "at least 1" if value < 1 else f"at most {most:,}"
                found.append(Problem(f"{show(value)} is out of range", place, hint=hint))
    return found


def _is_count(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 1


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_plain(value: object) -> bool:
    """Return whether JSON can say a value."""
    if isinstance(value, list):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return isinstance(value, str | int) or (isinstance(value, float) and abs(value) < float("inf"))


def _vocabulary_faults(values: Mapping[str, Any], tokens: int, key: str) -> list[Problem]:
    size = values["vocab_size"]
    if not isinstance(size, int):
        return []
    found = []
    if size < tokens:
        hint = "leave it out: it is then that of the tokenizer"
        found.append(
            Problem(f"{size} is less than the {tokens} of the tokenizer", f"{key}.vocab_size", hint=hint)
        )
    for name in ("pad_token_id", "bos_token_id", "eos_token_id"):
        if isinstance(values[name], int) and not 0 <= values[name] < max(size, tokens):
            hint = "leave it out: it is then that of the tokenizer"
            found.append(Problem(f"the vocabulary has no token {values[name]}", f"{key}.{name}", hint=hint))
    return found


def _unfit(draft: Draft, kind: str, key: str) -> list[Problem]:
    """Return whether an architecture cannot do what the protocol asks of it."""
    masked, causal, two = (_serves(kind, each) for each in ("MASKED_LM", "CAUSAL_LM", "SEQ_TO_SEQ_CAUSAL_LM"))
    if not (masked or causal or two):
        return [Problem(f"{kind!r} is no language model for text", key)]
    if "protocol" in draft.doubtful:
        return []
    if draft.experiment.protocol == "prompted" and not two and (masked or not causal):
        hint = "it takes decoders such as bloom, xglm or qwen2, and mt5"
        return [Problem(f"{kind!r} is an encoder, which the prompted protocol cannot use", key, hint=hint)]
    if draft.experiment.protocol == "finetune" and two and not _serves(kind, "TEXT_ENCODING"):
        hint = "it takes encoders, decoders, and of encoder-decoders mt5, t5 and umt5"
        return [Problem(f"{kind!r} has no encoder of its own to fine-tune", key, hint=hint)]
    return []


def _refusal(values: Mapping[str, Any], role: Part, key: str) -> list[Problem]:
    """Return what transformers says when it does not make a model, without any weights."""
    from gainlaw.training.plan.counting import model_shape

    try:
        model_shape(values, role)
    except InputError as error:
        why = error.problems[0].message
    except Exception as error:  # whatever a model's code trips over is the configuration's fault
        why = _first_line(error)
    else:
        return []
    why = re.sub(r"^no \S+ model of this configuration: ", "", why)
    named = re.match(r"Validation error for field '(\w+)': \w+: (?:Field '\w+' )?(.*)", why)
    if named:
        return [Problem(named[2], f"{key}.{named[1]}")]
    return [Problem(f"transformers makes no {values['model_type']} model of it: {why}", key)]


def longest_input(values: Mapping[str, Any]) -> int | None:
    """Return how many tokens a model has learned positions for; None where any length will do.

    Parameters
    ----------
    values : mapping
        A configuration with ``model_type``.

    Examples
    --------
    >>> longest_input({"model_type": "xlm-roberta", "max_position_embeddings": 514, "pad_token_id": 1})
    512
    """
    behind_padding = _LEARNED.get(values["model_type"])
    if behind_padding is None:
        return None
    positions = _value(values, "max_position_embeddings")
    if not isinstance(positions, int):
        return None
    return positions - (_value(values, "pad_token_id") or 0) - 1 if behind_padding else positions


def _value(values: Mapping[str, Any], name: str) -> Any:
    """Return a value of a configuration, or the architecture's default."""
    if name in values:
        return values[name]
    written = ARCHITECTURES.get(values["model_type"])
    if written is not None:
        return written.padding if name == "pad_token_id" else dict(written.keys.values()).get(name)
    from transformers.models.auto.configuration_auto import CONFIG_MAPPING

    architecture = CONFIG_MAPPING[values["model_type"]]
    own = architecture.attribute_map.get(name, name)
    return values.get(own, next((f.default for f in fields(architecture) if f.name == own), None))


def length_faults(draft: Draft, faulty: Iterable[str] = ()) -> list[Problem]:
    """Return where ``max_length`` is more than a model has positions for, once for each place that says so.

    Checkpoints whose configuration is among the `faulty` keys are left out.
    """
    found: dict[tuple[str, int], list[str]] = {}
    known = tuple(faulty)
    for key, checkpoint in draft.checkpoints():
        if any(each.startswith((f"{key}.config", f"{key}.path")) for each in known):
            continue
        values = known_configuration(draft.experiment, checkpoint)
        limit = None if values is None else longest_input(values)
        if limit is None:
            continue
        for length, place in _lengths(draft, checkpoint, key):
            if length > limit:
                names = found.setdefault((place, length), [])
                if f"{checkpoint.name} ({limit})" not in names:
                    names.append(f"{checkpoint.name} ({limit})")
    return [
        Problem(f"{length} tokens are more than there are positions in {', '.join(names)}", place)
        for (place, length), names in found.items()
    ]


def _lengths(draft: Draft, checkpoint: Checkpoint, key: str) -> Iterator[tuple[int, str]]:
    """Yield the longest input of each training of a checkpoint, and the key that says so."""
    experiment = draft.experiment
    phases: list[tuple[Phase, Settings | None, str]] = []
    if checkpoint.config is not None and checkpoint.pretrain:
        phases.append(("pretrain", None, ""))
    if checkpoint.base_model is None:
        phases += [("intermediate", each.training, f"{place}.") for place, each in draft.intermediates()]
    if experiment.protocol == "finetune":
        phases += [("finetune", each.training, f"{place}.") for place, each in draft.targets()]
    for phase, own, place in phases:
        layers = (
            (f"{key}.training.{phase}", getattr(checkpoint.training, phase)),
            (f"{key}.training", checkpoint.training),
            (f"{place}training", own),
            (f"training.{phase}", getattr(experiment.training, phase)),
            ("training", experiment.training),
        )
        stated = ((name, layer.max_length) for name, layer in layers if layer is not None)
        name, length = next(((n, v) for n, v in stated if v is not None), ("training", None))
        yield DEFAULTS[phase].max_length if length is None else length, f"{name}.max_length"
