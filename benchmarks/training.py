"""Time training and evaluation side by side with what people would use instead, in one run: ratios.

``make bench-training``. The same small BERT, the same texts (from the synthetic world, with lengths spread as in real
data), the same batch size, AdamW and precision, one thread:

- training: gainlaw's loop, and transformers' Trainer with its sampling by length (its fastest);
- evaluation: gainlaw's sorted batches within a budget of tokens, and a plain loop over padded batches of 32.
"""

from __future__ import annotations

import argparse
import tempfile
import time
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

EXAMPLES, BATCH, LENGTH = 3_000, 32, 192


def items(count: int, seed: int) -> list[Any]:
    """Return inference items whose texts have between 5 and 180 words, most of them short."""
    from gainlaw.training.items.items import ClassItem
    from gainlaw.training.world.corpus import WorldSettings, documents, make_world_and_languages

    settings = WorldSettings(documents=count * 8)
    texts = [" ".join(pair) for pair in documents(make_world_and_languages(settings), settings)]
    rng = np.random.default_rng(seed)
    made = []
    for number in range(count):
        words = int(np.clip(rng.lognormal(3.3, 0.6), 5, 180))
        start = int(rng.integers(0, len(texts) - 20))
        text = " ".join(texts[start : start + 20]).split()[:words]
        half = max(1, int(words * rng.uniform(0.4, 0.7)))
        made.append(ClassItem(str(number), " ".join(text[:half]), " ".join(text[half:]) or ".", number % 3))
    return made


def tokenizer() -> Any:
    """Return the tokenizer of the world."""
    from gainlaw.training.jobs.world import world_tokenizer
    from gainlaw.training.train.backbones import load_tokenizer
    from gainlaw.training.world.corpus import WorldSettings, make_world_and_languages

    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "tokenizer.json"
        world_tokenizer(make_world_and_languages(WorldSettings())).save(str(file))
        return load_tokenizer(file)


def config(words: Any) -> Any:
    """Return the configuration of the small BERT."""
    from gainlaw.training.jobs.load import scratch_config

    values = {
        "model_type": "bert",
        "hidden_size": 128,
        "num_hidden_layers": 4,
        "num_attention_heads": 4,
        "intermediate_size": 512,
        "max_position_embeddings": LENGTH,
        "hidden_dropout_prob": 0.0,
        "attention_probs_dropout_prob": 0.0,
    }
    return scratch_config(values, words)


def ours(data: list[Any], words: Any) -> tuple[float, Any, Any]:
    """Return examples a second of gainlaw's loop, and the model and data for evaluation."""
    from gainlaw.training.experiment.recipes import DEFAULTS
    from gainlaw.training.train.backbones import make_model
    from gainlaw.training.train.data import encode
    from gainlaw.training.train.heads import HeadShape, TaskModel
    from gainlaw.training.train.loop import train
    from gainlaw.training.train.objectives import Supervised

    recipe = replace(
        DEFAULTS["finetune"], epochs=1.0, batch_size=BATCH, max_length=LENGTH, micro_batch_tokens=16_384
    )
    model = TaskModel(make_model(config(words), "encoder", 0), {"t": HeadShape("classification", 3)}, 0)
    with tempfile.TemporaryDirectory() as folder:
        start = time.perf_counter()  # tokenising counts
        encoded = encode(data, "classification", words, LENGTH)
        train(Supervised(model, {"t": encoded}, BATCH, 0, 0), recipe, seed=0, folder=Path(folder))
        return len(data) / (time.perf_counter() - start), model, encoded


def theirs(data: list[Any], words: Any) -> float:
    """Return examples a second of transformers' Trainer with batches of like length."""
    from datasets import Dataset, disable_progress_bars
    from transformers import (
        AutoModelForSequenceClassification,
        DataCollatorWithPadding,
        Trainer,
        TrainingArguments,
    )

    disable_progress_bars()
    settings = config(words)
    settings.num_labels = 3
    model = AutoModelForSequenceClassification.from_config(settings)
    start = time.perf_counter()
    table = Dataset.from_dict(
        {"a": [i.first for i in data], "b": [i.second for i in data], "labels": [i.label for i in data]}
    )
    table = table.map(
        lambda rows: words(rows["a"], rows["b"], truncation=True, max_length=LENGTH),
        batched=True,
        remove_columns=["a", "b"],
    )
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            output_dir=folder,
            num_train_epochs=1,
            per_device_train_batch_size=BATCH,
            train_sampling_strategy="group_by_length",
            learning_rate=2e-5,
            optim="adamw_torch_fused",
            report_to="none",
            save_strategy="no",
            logging_strategy="no",
            disable_tqdm=True,
            use_cpu=True,
            dataloader_pin_memory=False,
        )
        Trainer(model, arguments, train_dataset=table, data_collator=DataCollatorWithPadding(words)).train()
        return len(data) / (time.perf_counter() - start)


def evaluations(model: Any, encoded: Any) -> tuple[float, float]:
    """Return examples a second of gainlaw's evaluation, and of a loop over padded batches in the order given."""
    import torch

    from gainlaw.training.jobs.evaluate import predict
    from gainlaw.training.train.objectives import task_batch

    start = time.perf_counter()
    sorted_answers = predict(model, "t", encoded, 0, 8192, "cpu", "fp32").answers
    fast = len(encoded) / (time.perf_counter() - start)
    start = time.perf_counter()
    answers = []
    with torch.inference_mode():
        for first in range(0, len(encoded), BATCH):
            batch = task_batch(encoded, np.arange(first, min(first + BATCH, len(encoded))), 0)
            answers.append(model("t", batch).argmax(-1).numpy())
    plain = len(encoded) / (time.perf_counter() - start)
    same = float((np.concatenate(answers) == sorted_answers).mean())
    assert same > 0.999, f"the two evaluations agree on {same:.2%} of the answers only"
    return fast, plain


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--examples", type=int, default=EXAMPLES)
    parser.add_argument("--repeats", type=int, default=3)
    options = parser.parse_args()
    from gainlaw.training.jobs.job import prepare_process

    prepare_process(1)
    warnings.filterwarnings("ignore")
    words, data = tokenizer(), items(options.examples, 0)
    _, model, encoded = ours(data[:200], words)  # the first run loads libraries
    mine, other, fast, plain = [], [], [], []
    for _ in range(options.repeats):  # in turns, so that both meet the same machine
        rate, model, encoded = ours(data, words)
        mine.append(rate)
        other.append(theirs(data, words))
        pair = evaluations(model, encoded)
        fast.append(pair[0])
        plain.append(pair[1])
    print(
        f"{options.examples} examples of {encoded.lengths.mean():.0f} tokens "
        f"(longest {encoded.lengths.max()}), batch {BATCH}"
    )
    print(f"{'':34}{'examples/s':>12}{'ratio':>8}")
    for name, rates, against in (
        ("training: gainlaw", mine, other),
        ("training: Trainer, group_by_length", other, other),
        ("evaluation: gainlaw", fast, plain),
        ("evaluation: padded batches", plain, plain),
    ):
        ratio = np.median(np.array(rates) / np.array(against))
        print(f"{name:34}{np.median(rates):12.0f}{ratio:8.2f}")


if __name__ == "__main__":
    main()
