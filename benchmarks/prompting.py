"""Rank classification with each prompt read once, as a ratio to reading it again for every answer.

Random models on the CPU; the ratio is what counts. Both ways batch by length within the same number of tokens, and
give the same log-likelihoods.

    python benchmarks/prompting.py
"""

from __future__ import annotations

import importlib.util
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
import transformers as hf

from gainlaw.training.prompting.ranking import rank_items
from gainlaw.training.prompting.templates import Request

BUDGET = 2048
REPEATS = 3
#: Words of a prompt, number of answers, words of an answer: inference, two endings, four endings, ten words.
SHAPES = ((60, 3, 1), (40, 2, 10), (80, 4, 15), (60, 10, 1))


def tiny() -> Any:
    """Return the module with the tokenizers that the tests use."""
    path = Path(__file__).resolve().parents[1] / "tests" / "data" / "harness" / "tiny.py"
    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def models() -> dict[str, Any]:
    """Return models of about ten million weights, each with its tokenizer."""
    torch.manual_seed(0)
    make = tiny()
    shape: dict[str, Any] = {"pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2}
    gpt2 = hf.GPT2Config(vocab_size=360, n_positions=1024, n_embd=384, n_layer=6, n_head=6, **shape)
    bloom = hf.BloomConfig(vocab_size=360, hidden_size=384, n_layer=6, n_head=6, **shape)
    t5 = hf.T5Config(
        vocab_size=200, d_model=384, d_kv=64, d_ff=1024, num_layers=6, num_heads=6, pad_token_id=0,
        eos_token_id=1, decoder_start_token_id=0,
    )  # fmt: skip
    return {
        "gpt2": (hf.GPT2LMHeadModel(gpt2).eval(), make.load_tokenizer("gpt2")),
        "bloom": (hf.BloomForCausalLM(bloom).eval(), make.load_tokenizer("bloom")),
        "t5": (hf.T5ForConditionalGeneration(t5).eval(), make.load_tokenizer("t5")),
    }


def requests(words: int, answers: int, length: int, count: int = 16) -> list[Request]:
    """Return prompts of about `words` words with `answers` answers of `length` words."""
    rng = np.random.default_rng(0)
    known = "the road rained glass fell table river night yes no book kitchen bag shelf".split()  # noqa: SIM905
    found = []
    for _ in range(count):
        prompt = " ".join(rng.choice(known, rng.integers(words // 2, 2 * words)))
        options = tuple(" ".join([str(k), *rng.choice(known, length)]) for k in range(answers))
        found.append(Request(prompt, options))
    return found


def again(model: Any, tokenizer: Any, asked: list[Request]) -> list[np.ndarray]:
    """Return the log-likelihoods from one pass over the prompts for every answer."""
    limits: dict[str, Any] = {"token_budget": BUDGET, "max_length": 1024}
    if not model.config.is_encoder_decoder:
        return [each.log_likelihood for each in rank_items(model, tokenizer, asked, reuse=False, **limits)]
    passes = [
        rank_items(
            model, tokenizer, [Request(each.prompt, (each.continuations[k],)) for each in asked], **limits
        )
        for k in range(len(asked[0].continuations))
    ]
    return [np.concatenate([each.log_likelihood for each in row]) for row in zip(*passes, strict=True)]


def once(model: Any, tokenizer: Any, asked: list[Request]) -> list[np.ndarray]:
    """Return the log-likelihoods from one pass over the prompts."""
    ranked = rank_items(model, tokenizer, asked, token_budget=BUDGET, max_length=1024)
    return [each.log_likelihood for each in ranked]


def fastest(way: Any, *given: Any) -> tuple[float, np.ndarray]:
    """Return the shortest wall time in seconds, and the log-likelihoods."""
    times = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        found = way(*given)
        times.append(time.perf_counter() - start)
    return min(times), np.concatenate(found)


def main() -> None:
    """Print the table."""
    torch.set_num_threads(1)
    print(
        f"{'model':8}{'prompt':>8}{'answers':>9}{'words':>7}{'again, s':>10}{'once, s':>9}{'ratio':>7}{'apart':>9}"
    )
    for name, (model, tokenizer) in models().items():
        for shape in SHAPES:
            asked = requests(*shape)
            slow, there = fastest(again, model, tokenizer, asked)
            fast, here = fastest(once, model, tokenizer, asked)
            row = f"{name:8}{shape[0]:8}{shape[1]:9}{shape[2]:7}{slow:10.2f}{fast:9.2f}{slow / fast:7.1f}"
            print(f"{row}{float(np.abs(here - there).max()):9.0e}")


if __name__ == "__main__":
    main()
