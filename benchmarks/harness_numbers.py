"""Log-likelihoods of tiny models by lm-evaluation-harness, for the tests to hold gainlaw's against.

Writes ``tests/data/harness/numbers.json``, for the models and requests of ``tiny.py`` there. It needs torch,
transformers, tokenizers and lm-eval 0.4.13, and not gainlaw:

    python benchmarks/harness_numbers.py

With ``--tokenizers`` it trains the two tokenizers anew first; their pieces come out in another order each time.
"""

from __future__ import annotations

import importlib.metadata
import json
import sys
from pathlib import Path

FOLDER = Path(__file__).resolve().parents[1] / "tests" / "data" / "harness"
sys.path.insert(0, str(FOLDER))

from tiny import MODELS, REQUESTS, load_tokenizer, make_tokenizers, tiny_model  # noqa: E402


def harness_numbers(kind: str) -> list[list[float]]:
    """Return the log-likelihoods of all requests under one model, by the harness."""
    from lm_eval.api.instance import Instance
    from lm_eval.models.huggingface import HFLM

    backend = "seq2seq" if kind in ("t5", "mt5") else "causal"
    model = HFLM(pretrained=tiny_model(kind), tokenizer=load_tokenizer(kind), backend=backend, batch_size=3)
    asked = [(prompt, f" {answer}") for prompt, answers in REQUESTS for answer in answers]
    found = iter(
        model.loglikelihood([Instance("loglikelihood", {}, each, 0) for each in asked], disable_tqdm=True)
    )
    return [[next(found)[0] for _ in answers] for _, answers in REQUESTS]


def main() -> None:
    """Write the numbers."""
    if "--tokenizers" in sys.argv[1:]:
        make_tokenizers(FOLDER)
    packages = ("lm_eval", "torch", "transformers", "tokenizers", "numpy")
    record = {
        "made_by": "benchmarks/harness_numbers.py",
        "versions": {name: importlib.metadata.version(name) for name in packages},
        "requests": [{"prompt": prompt, "answers": answers} for prompt, answers in REQUESTS],
        "log_likelihoods": {kind: harness_numbers(kind) for kind in MODELS},
    }
    file = FOLDER / "numbers.json"
    file.write_text(json.dumps(record, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {file.name}")


if __name__ == "__main__":
    main()
