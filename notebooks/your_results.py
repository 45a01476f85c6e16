# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Your own results folder
#
# Friday, 6 pm. The cluster has left a folder of JSON files behind, your advisor wants to know on Monday whether the gain
# shrinks with scale. This notebook goes from the folder to the verdict. Replace the made-up folder by yours.

# %%
import json
import math
import os
import tempfile
from pathlib import Path

import numpy as np

import gainlaw as gl

# The tests run this notebook with few draws; what the text says was written for the default.
DRAWS = int(os.environ.get("GAINLAW_NOTEBOOK_DRAWS", "1000"))

# %% [markdown]
# ## A folder to try with
#
# Four models of a series called `tern`, each before and after instruction training, evaluated with the
# lm-evaluation-harness: one `results_*.json` a model, and the answers to the items in `samples_*.jsonl`. The scores are drawn at
# random: the training adds 10 points at 400M, and 2.5 points fewer for every factor of ten.

# %%
LANGUAGES, ITEMS, TIME = ("en", "de", "sw", "hi", "tr", "vi"), 400, "2025-03-01T18-00-00.000001"


def write_model(folder: Path, model: str, right: dict[str, np.ndarray]) -> None:
    """Write what the harness leaves of one model: its accuracies, and its answers."""
    folder.mkdir(parents=True)
    share = {task: float(each.mean()) for task, each in right.items()}
    content = {
        "results": {
            task: {"acc,none": p, "acc_stderr,none": math.sqrt(p * (1 - p) / (ITEMS - 1))}
            for task, p in share.items()
        },
        "versions": dict.fromkeys(right, 1.0),
        "n-shot": dict.fromkeys(right, 0),
        "n-samples": {task: {"original": ITEMS, "effective": ITEMS} for task in right},
        "config": {"model": "hf", "model_args": f"pretrained={model}"},
        "model_name": model,
    }
    (folder / f"results_{TIME}.json").write_text(json.dumps(content))
    for task, each in right.items():
        items = [
            {
                "doc_id": i,
                "doc": {"premise": f"item {i}"},
                "doc_hash": f"hash {i}",
                "target": "0",
                "resps": [["-1.0"]],
                "filter": "none",
                "acc": float(answer),
            }
            for i, answer in enumerate(each)
        ]
        (folder / f"samples_{task}_{TIME}.jsonl").write_text(
            "".join(json.dumps(item) + "\n" for item in items)
        )


rng = np.random.default_rng(7)
home, place = Path.cwd(), tempfile.TemporaryDirectory()
os.chdir(place.name)
results = Path("results")
for step, size in enumerate(("400m", "1b", "4b", "12b")):
    own = rng.normal(0, 0.008)  # what is peculiar to this checkpoint, in all its languages
    before, after = {}, {}
    for language in LANGUAGES:
        level = 0.42 + 0.05 * step + rng.normal(0, 0.02)
        gain = 0.10 - 0.025 * math.log10(float(size[:-1]) / (400 if size[-1] == "m" else 0.4)) + own
        ease = rng.random(ITEMS)  # both models find the same items hard
        before[f"xnli_{language}"] = ease < level
        after[f"xnli_{language}"] = (ease < level + gain) ^ (rng.random(ITEMS) < 0.03)
    write_model(results / f"org__tern-{size}", f"org/tern-{size}", before)
    write_model(results / f"org__tern-{size}-instruct", f"org/tern-{size}-instruct", after)
sorted(path.name for path in results.iterdir())

# %% [markdown]
# ## Which model is compared with which?
#
# gainlaw never guesses that. Ask without saying, and it tells what would fit the names:

# %%
try:
    gl.import_results(results)
except gl.InputError as error:
    print(error)

# %% [markdown]
# So say it. What stands in braces is any text, the same on both sides.

# %%
evals = gl.import_results(results, pair="{base}-instruct={base}")
evals.check()

# %% [markdown]
# Read the notes before going on. Here: sizes were taken from the names. Is `12b` really 12B? If not, `params={"tern-12b": 11.8e9}`.
# Notes travel with the data into every fit and report.
#
# ## The gains, and a gift
#
# Because the answers to the items were kept, both models of a pair can be compared item by item. They mostly agree, so the
# standard error of a gain is smaller than that of two independent scores:

# %%
gains = evals.gains()
unpaired = evals.gains(variance="unpaired")
print(f"typical standard error: {gains.frame['se'].median():.2f} points paired, "
      f"{unpaired.frame['se'].median():.2f} as if independent")  # fmt: skip
gains

# %% [markdown]
# Keep `samples_*.jsonl`. It is the cheapest way to get more data.
#
# ## The fit

# %%
fit = gl.fit(gains, draws=DRAWS, seed=1)
fit

# %%
fit.plot()

# %% [markdown]
# Twenty-four gains, but four diamonds: four checkpoints. The band knows that.

# %%
fit.plot("forest", level="language")

# %% [markdown]
# ## The verdict
#
# Written as you would say it to your advisor.

# %%
gl.assess(fit, ["slope < 0", "gain(1B) > 5", "gain(12B) > 5"])

# %% [markdown]
# The gain shrinks, and at 1B it is above five points. At 12B: *inconclusive*, which is not "no". Four sizes with one checkpoint
# each hardly settle a slope; another draw of the same four checkpoints might have ended otherwise. What would help is more
# sizes, or a second seed, not more languages (`plan_a_study`). The interval says how far you are:

# %%
slope = fit.estimates.query("estimand == 'slope' and level == 'overall'").iloc[0]
print(
    f"slope {slope['mean']:.1f} [{slope['ci_low']:.1f}, {slope['ci_high']:.1f}] points per decade; made with -2.5"
)

# %% [markdown]
# ## Take it home
#
# LaTeX for the paper; a directory that can be read again next year; and the same in the shell.

# %%
print(fit.table("gain_at", level="language").to_latex()[:600], "...")

# %%
saved = fit.save("fits/tern")
sorted(path.name for path in saved.iterdir())

# %% [markdown]
# ```console
# $ gainlaw import results/ -o scores --pair '{base}-instruct={base}'
# $ gainlaw fit scores -o fits/tern
# $ gainlaw report fits/tern -o report
# ```

# %%
os.chdir(home)
place.cleanup()
