"""Tiny tokenizers and models for the tests of prompting, the same on every machine.

The weights of a model come from the names of its parameters, so that they do not depend on how a version of
transformers starts them. The tokenizers were trained once and lie beside this file.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from transformers import PreTrainedModel, PreTrainedTokenizerFast

FOLDER = Path(__file__).resolve().parent
MODELS = ("gpt2", "bloom", "xglm", "qwen2", "t5", "mt5")
LENGTH = 48
TEXT = (
    "It rained all night and the river rose above the road. Is it true that the road was dry? Yes, no, maybe.",
    "The glass fell from the table. What happened as a result? The glass broke. The table fell asleep.",
    "Wer Regen will, muss Wolken mögen. Mvua ilinyesha usiku kucha. 昨夜下了一整夜的雨。 Всю ночь шёл дождь.",
    "Question: where would you put a book? Answer: on the shelf, in the bag, under the bed, in the kitchen.",
)
# Prompt and answers: shared and different first tokens, one token and many, spaces at the end, nothing at all,
# other scripts, and a prompt that has to be cut.
REQUESTS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("It rained all night. Question: was the road dry? Answer:", ("Yes", "No", "Maybe")),
    (
        "The glass fell from the table. As a result,",
        ("the glass broke.", "the table fell asleep.", "it rained."),
    ),
    ("Is it true that the river rose?  ", ("yes", "no")),
    ("", ("The river rose.", "The road was dry.")),
    ("Where would you put a book?\n", ("on the shelf", "in the bag", "under the bed", "in the kitchen", "a")),
    ("Mvua ilinyesha usiku kucha.", ("Ndiyo, mvua", "Hapana, mvua")),
    ("昨夜下了一整夜的雨。", ("对，雨", "不，路")),
    ("Всю ночь шёл дождь.", ("Да", "Нет, дождь шёл")),
    (" ".join(TEXT[:2]) * 2 + " Answer:", ("the road", "the table fell from the table", "no")),
    ("x", ("y", "yy yyy", "yyyy yyyyy yyyyyy")),
)


def make_tokenizers(folder: Path) -> None:
    """Train and write the two tokenizers: pairs of bytes for causal models, pieces for encoder-decoders."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers

    folder.mkdir(parents=True, exist_ok=True)
    pairs = Tokenizer(models.BPE())
    pairs.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    pairs.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=360,
        initial_alphabet=alphabet,
        special_tokens=["<pad>", "<s>", "</s>"],
        show_progress=False,
    )
    pairs.train_from_iterator(TEXT, trainer)
    pairs.save(str(folder / "pairs.json"))
    pieces = Tokenizer(models.Unigram())
    pieces.normalizer = normalizers.NFKC()
    pieces.pre_tokenizer = pre_tokenizers.Metaspace()
    pieces.decoder = decoders.Metaspace()
    special = ["<pad>", "</s>", "<unk>"]
    unigram = trainers.UnigramTrainer(
        vocab_size=200, special_tokens=special, unk_token="<unk>", show_progress=False
    )
    pieces.train_from_iterator(TEXT, unigram)
    pieces.post_processor = processors.TemplateProcessing(
        single="$A </s>", special_tokens=[("</s>", pieces.token_to_id("</s>"))]
    )
    pieces.save(str(folder / "pieces.json"))


def load_tokenizer(kind: str) -> PreTrainedTokenizerFast:
    """Return the tokenizer of a model; that of XGLM begins every text with a token of its own."""
    from tokenizers import Tokenizer, processors
    from transformers import PreTrainedTokenizerFast

    if kind in ("t5", "mt5"):
        file = str(FOLDER / "pieces.json")
        return PreTrainedTokenizerFast(
            tokenizer_file=file,
            pad_token="<pad>",
            eos_token="</s>",
            unk_token="<unk>",
            model_max_length=LENGTH,
        )
    raw = Tokenizer.from_file(str(FOLDER / "pairs.json"))
    if kind == "xglm":
        raw.post_processor = processors.TemplateProcessing(
            single="<s> $A", special_tokens=[("<s>", raw.token_to_id("<s>"))]
        )
    return PreTrainedTokenizerFast(
        tokenizer_object=raw, pad_token="<pad>", bos_token="<s>", eos_token="</s>", model_max_length=LENGTH
    )


def tiny_model(kind: str) -> PreTrainedModel:
    """Return a model of two layers with made-up weights that are the same everywhere."""
    import torch
    import transformers as hf

    ids: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    if kind == "gpt2":
        config: Any = hf.GPT2Config(vocab_size=360, n_positions=LENGTH, n_embd=32, n_layer=2, n_head=4, **ids)
        model: Any = hf.GPT2LMHeadModel(config)
    elif kind == "bloom":
        # BLOOM's configuration names no longest input: the tokenizer's counts.
        model = hf.BloomForCausalLM(
            hf.BloomConfig(vocab_size=360, hidden_size=32, n_layer=2, n_head=4, **ids)
        )
    elif kind == "xglm":
        config = hf.XGLMConfig(
            vocab_size=360, max_position_embeddings=LENGTH, d_model=32, ffn_dim=64, num_layers=2,
            attention_heads=4, pad_token_id=0, bos_token_id=1, eos_token_id=2,
        )  # fmt: skip
        model = hf.XGLMForCausalLM(config)
    elif kind == "qwen2":
        config = hf.Qwen2Config(
            vocab_size=360, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4,
            num_key_value_heads=2, max_position_embeddings=LENGTH, **ids,
        )  # fmt: skip
        model = hf.Qwen2ForCausalLM(config)
    else:
        shape: dict[str, Any] = {
            "vocab_size": 200, "d_model": 32, "d_kv": 8, "d_ff": 64, "num_layers": 2, "num_heads": 4,
            "pad_token_id": 0, "eos_token_id": 1, "decoder_start_token_id": 0,
        }  # fmt: skip
        if kind == "t5":
            model = hf.T5ForConditionalGeneration(hf.T5Config(**shape))
        else:
            model = hf.MT5ForConditionalGeneration(hf.MT5Config(**shape))
    with torch.no_grad():
        for name, weight in model.named_parameters():
            numbers = np.random.Generator(np.random.PCG64(zlib.crc32(f"{kind}.{name}".encode())))
            values = torch.from_numpy(numbers.random(tuple(weight.shape)) - 0.5)
            if weight.ndim == 1:
                near = 1.0 if "norm" in name or "ln" in name else 0.0
                weight.copy_(near * (not name.endswith("bias")) + 0.2 * values)
            else:
                weight.copy_(values * 2.0 / weight.shape[-1] ** 0.5)
    return model.eval()
