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
# # Plan a study
#
# You have a GPU budget and a question: *does the gain shrink with scale?* Before anything is trained, one can know what the
# answer will look like, and whether the money is better spent on sizes, seeds, tasks or languages. The answer is seldom the one
# that people buy.

# %%
import os

import pandas as pd

import gainlaw as gl

# The tests run this notebook with few draws; what the text says was written for the default.
DRAWS = int(os.environ.get("GAINLAW_NOTEBOOK_DRAWS", "1000"))

# %% [markdown]
# ## The study that everybody plans
#
# Four sizes of one family, three tasks, four languages, one seed. We hope for a slope of -5 points per decade.

# %%
plan = {
    "name": "four sizes",
    "sizes": ["300M", "1B", "3B", "10B"],
    "tasks": ["xnli", "xcopa", "pawsx"],
    "languages": ["en", "de", "sw", "tr"],
    "items": 1000,
    "slope": -5.0,
    "slope_sd": 2.5,
    "costs": {"unit": "GPU-hours", "runs": {"1B": 2.0, "10B": 25.0}, "per_1000_items": 0.01},
    "grid": {"sizes": [4, 8], "seeds": [1, 3]},
}
first = gl.design(plan, seed=1)
first

# %%
first.plot()

# %% [markdown]
# Left: the power, by the slope that is true. At -5 it is a few per cent: the study would almost surely end *inconclusive*, whatever
# the truth. Not because the items are few: the checkpoints are.

# %%
pd.Series(first.verdicts).round(3)

# %% [markdown]
# Middle: more seeds help little, more sizes help more. Right: what one more of each would do. A small checkpoint at the end of the
# range does most and costs next to nothing, because a slope is read off the *ends*.
#
# ## Many languages instead?
#
# Tempting: languages cost only evaluation. Five times the rows:

# %%
twenty = gl.design(
    {**plan, "name": "twenty languages", "languages": 20, "language_families": 8, "grid": {"sizes": [4]}},
    seed=1,
)
twenty

# %% [markdown]
# Hardly narrower. Twenty languages scored on four checkpoints are still four experiments on scale.
#
# ## Where the numbers come from
#
# The width depends on how much checkpoints, tasks and languages differ. Without better knowledge the spreads come from the packaged
# ladders. A pilot of your own knows better: hand a fit to `fit=`, and its uncertainty goes into the plan. Here the pilot is
# BLOOM to BLOOMZ.

# %%
FEWER = ["language", "task_language", "checkpoint_language_family"]  # terms left out to be quick
pilot = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains(), draws=DRAWS, seed=1, exclude=FEWER)
pilot.plot("priors")

# %% [markdown]
# ## A wider range
#
# The same budget, spent from the ends: 30M to 10B, small models being nearly free.

# %%
wide = {
    **plan,
    "name": "wide range",
    "sizes": ["30M", "100M", "300M", "1B", "3B", "10B"],
    "grid": {"sizes": [6]},
}
plans = {
    "four sizes": first,
    "twenty languages": twenty,
    "wide range": gl.design(wide, seed=1),
    "wide range, as the pilot": gl.design(wide, fit=pilot, seed=1),
}
pd.DataFrame(
    {
        name: {
            "power": each.power,
            "assurance": each.assurance,
            "width": each.width,
            "cost": each.cost,
        }
        for name, each in plans.items()
    }
).T.round(2)

# %% [markdown]
# *Width* is that of the 95% interval, in points per decade; *assurance* is the power averaged over the slopes that we think
# possible; *cost* is in GPU-hours. The wide range buys most for its price. Whether its power is enough is for you to say. If not,
# this is the moment to ask a smaller question, or to find more checkpoints, and not after the training.
#
# ## Write it down
#
# A plan is a small TOML file for `gainlaw design STUDY.toml`, with the same keys. Put it beside the file of claims, before the
# scores exist: then nobody has to trust your memory of what you expected.
