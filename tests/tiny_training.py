"""Tiny tokenizers, models and runs for the tests of training: everything is made here, nothing is downloaded."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.phases.phase import do
from gainlaw.training.runs.graph import UnitGraph, build_graph
from gainlaw.training.runs.results import write_results
from gainlaw.units.execution import Ended, attempt, execute
from gainlaw.units.store import Store
from gainlaw.units.unit import Unit

TEXTS = (
    "It rains on the old bridge of 1912, and the road is wet.",
    "The sun is warm and the road is dry.",
    "Es regnet. Die Straße ist nass, die Brücke ist alt.",
    "Unbelievable bridges are crossing the water; why is it wet?",
    "Where is it warm? What happened as a result? What was the cause?",
    'Ada lent Bo a coat. He said "no, never", and left.',
)


@cache
def wordpiece() -> Any:
    """Return a tokenizer as BERT's: lower case, pieces with ##, [CLS] a [SEP] b [SEP]."""
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.WordPiece(unk_token="[UNK]"))
    made.normalizer = normalizers.BertNormalizer(lowercase=True)
    made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    made.train_from_iterator(
        TEXTS * 3, trainers.WordPieceTrainer(vocab_size=120, special_tokens=special, show_progress=False)
    )
    made.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]",
        pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )
    names = {"pad_token": "[PAD]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
    return PreTrainedTokenizerFast(tokenizer_object=made, unk_token="[UNK]", **names)


@cache
def unigram() -> Any:
    """Return a tokenizer as XLM-R's: pieces that begin with a blank, <s> a </s></s> b </s>."""
    from tokenizers import Tokenizer, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.Unigram())
    made.pre_tokenizer = pre_tokenizers.Metaspace()
    special = ["<s>", "<pad>", "</s>", "<unk>", "<mask>"]
    made.train_from_iterator(
        TEXTS * 3,
        trainers.UnigramTrainer(
            vocab_size=120, special_tokens=special, unk_token="<unk>", show_progress=False
        ),
    )
    made.post_processor = processors.TemplateProcessing(
        single="<s> $A </s>", pair="<s> $A </s> </s> $B </s>", special_tokens=[("<s>", 0), ("</s>", 2)]
    )
    names = {"pad_token": "<pad>", "cls_token": "<s>", "bos_token": "<s>", "sep_token": "</s>"}
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", eos_token="</s>", mask_token="<mask>", **names
    )


@cache
def bytelevel() -> Any:
    """Return a tokenizer as BLOOM's and Qwen's: bytes, no special tokens around a text."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    made = Tokenizer(models.BPE())
    made.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    made.decoder = decoders.ByteLevel()
    made.train_from_iterator(
        TEXTS * 3,
        trainers.BpeTrainer(
            vocab_size=330,
            special_tokens=["<pad>", "</s>"],
            initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
            show_progress=False,
        ),
    )
    made.post_processor = processors.ByteLevel(trim_offsets=False)
    return PreTrainedTokenizerFast(tokenizer_object=made, pad_token="<pad>", eos_token="</s>")


TOKENIZERS: dict[str, Callable[[], Any]] = {
    "wordpiece": wordpiece,
    "unigram": unigram,
    "bytelevel": bytelevel,
}

#: The smallest models of the architectures that the shipped experiments name.
CONFIGS: dict[str, dict[str, Any]] = {
    "bert": {
        "model_type": "bert",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 128,
    },
    "xlmr": {
        "model_type": "xlm-roberta",
        "hidden_size": 16,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": 32,
        "max_position_embeddings": 130,
        "type_vocab_size": 1,
    },
    "mt5": {"model_type": "mt5", "d_model": 16, "d_kv": 8, "d_ff": 32, "num_layers": 2, "num_heads": 2},
    "bloom": {"model_type": "bloom", "hidden_size": 16, "n_layer": 2, "n_head": 2},
    "xglm": {
        "model_type": "xglm",
        "d_model": 16,
        "ffn_dim": 32,
        "num_layers": 2,
        "attention_heads": 2,
        "max_position_embeddings": 128,
    },
    "qwen2": {
        "model_type": "qwen2",
        "hidden_size": 16,
        "intermediate_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 2,
    },
}


def config_of(name: str, tokenizer: Any, **more: Any) -> Any:
    """Return a tiny configuration with the vocabulary of a tokenizer."""
    from gainlaw.training.jobs.load import scratch_config

    return scratch_config(CONFIGS[name] | more, tokenizer)


def toml(value: Any) -> str:
    """Return a value as TOML writes it on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{name} = {toml(each)}" for name, each in value.items()) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return repr(value) if isinstance(value, int | float) else '"' + str(value).replace("\\", "\\\\") + '"'


@contextmanager
def repeatable() -> Iterator[None]:
    """Compute as a worker of the runner does, and leave this process as it was."""
    import torch

    before, threads = torch.are_deterministic_algorithms_enabled(), torch.get_num_threads()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.set_num_threads(threads)
        torch.use_deterministic_algorithms(before)


class WorkersHere:
    """Does units in this process, in place of `gainlaw.units.workers.Workers`.

    A process of its own takes ten times as long to import what a tiny unit needs as to do it.
    """

    def __init__(self, count: int, store: Store, do: Callable[..., Any], devices: Sequence[str] = ()) -> None:
        self.store, self.do = store, do
        self.found: list[Ended] = []

    @property
    def busy(self) -> int:
        return len(self.found)

    def room(self, takes: int = 1) -> bool:
        return not self.found

    def submit(self, unit: Unit, takes: int = 1) -> None:
        self.found.append(attempt(unit, self.store, self.do))

    def ended(self, seconds: float) -> list[Ended]:
        found, self.found = self.found, []
        return found

    def __enter__(self) -> WorkersHere:
        return self

    def __exit__(self, *_: object) -> None:
        pass


def run_here(experiment: Experiment, output: Path, seconds: float = 300.0) -> UnitGraph:
    """Do every unit of an experiment in this process, one after the other, and write its tables."""
    graph, store = build_graph(experiment, "cpu"), Store(output / "units")
    with repeatable():
        for unit in graph.units.values():
            execute(replace(unit, aside={**unit.aside, "snapshot_seconds": seconds}), store, do)
    write_results(graph, store, output, experiment.name)
    return graph
