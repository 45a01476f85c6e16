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
# # Priors, and how much they matter
#
# A reviewer will ask: *is that the data, or your prior?* This notebook has four ways to answer, from a glance to a refit.
# The example is BLOOM to BLOOMZ: 252 gains, but only six checkpoints and four tasks, so that some numbers are known well
# and others hardly.

# %%
import os

import arviz as az
import numpy as np
import pandas as pd

import gainlaw as gl
from gainlaw.figures.common.style import ACCENT, DOUBLE, GREY, WARM, new_figure, params_axis, style

# The tests run this notebook with few draws; what the text says was written for the default.
DRAWS = int(os.environ.get("GAINLAW_NOTEBOOK_DRAWS", "1000"))
# Fewer terms than the default, to be quick: the question here is the priors of tasks, checkpoints and the slope.
FEWER = ["language", "task_language", "checkpoint_language_family"]

gains = gl.load_dataset("bloomz", intermediates="xP3").gains()
fit = gl.fit(gains, draws=DRAWS, seed=1, exclude=FEWER)
fit

# %% [markdown]
# ## 1. What did we assume?
#
# `fit.priors` is a dictionary. It prints in the unit of the gains, and what you change goes back by `gl.fit(..., priors=)`.

# %%
fit.priors

# %% [markdown]
# Numbers such as `halfnormal(10)` say little by themselves. What curves do they believe in? Each grey line is a law drawn from the
# prior, before any score was seen; blue are draws of the posterior.

# %%
sizes = np.geomspace(gains.frame["params"].min(), gains.frame["params"].max(), 40)
centre = np.log10(sizes).mean()


def lines(prior: bool, n: int = 60) -> np.ndarray:
    """Return curves of the mean of the hierarchy, one a draw: intercept at the centre of the sizes, and slope."""
    draws = fit.tidy_draws("mu", prior=prior).pivot_table(
        index=["chain", "draw"], columns="coefficient", values="value"
    )
    some = draws.sample(n, random_state=1)
    return some["intercept"].to_numpy()[:, None] + some["slope"].to_numpy()[:, None] * (
        np.log10(sizes) - centre
    )


with style():
    figure, axes = new_figure(DOUBLE, 2.6)
    panel = axes[0, 0]
    panel.plot(sizes, lines(prior=True).T, color=GREY, alpha=0.35, linewidth=0.7)
    panel.plot(sizes, lines(prior=False).T, color=ACCENT, alpha=0.35, linewidth=0.7)
    panel.axhline(0, color="black", linewidth=0.6)
    params_axis(panel, sizes)
    panel.set(
        ylabel="gain (points)", ylim=(-100, 100), title="Laws believed in before (grey) and after (blue)"
    )
figure

# %% [markdown]
# Before the data the model thinks gains of plus and minus 50 points possible, growing or shrinking: wide, but not absurd.
# That is the check. If your prior curves all grow, you have already written the conclusion.
#
# ## 2. How far did the data move it?
#
# Where blue lies on grey, the data said little.

# %%
fit.plot("priors")

# %% [markdown]
# Two hundred and fifty cells know the residual. Four tasks know the spread between tasks within a factor of seven.
#
# The same in one number for every estimate: `prior_share` is how much wider it would get if the priors did. At 0 the data
# speak; towards 1 you read your own prior. gainlaw marks those that are mostly prior, and refuses verdicts on them.

# %%
shown = ["level", "group", "mean", "ci_low", "ci_high", "prior_share", "status"]
slopes = fit.estimates.query("estimand == 'slope' and level in ['overall', 'population', 'task']")
slopes[shown].sort_values("prior_share").round(2)

# %% [markdown]
# ## 3. Power-scaling: a little more prior, a little less
#
# Raise the prior to the power 0.8 and 1.25 and see whether the slope moves; no refit needed, the draws are reweighted
# ([Kallioinen et al. 2024](https://doi.org/10.1007/s11222-023-10366-5)).

# %%
fit.table("sensitivity")

# %% [markdown]
# ArviZ computes the same kind of number for any parameter, because `fit.draws` keeps the prior and the likelihood of every draw:

# %%
az.psense_summary(fit.draws, var_names=["mu"])

# %% [markdown]
# ## 4. Refit with a prior that a critic would choose
#
# The strongest answer. Four critics:
#
# - *I do not believe in slopes*: slope ~ normal(0, 2) points per decade;
# - *let the data speak*: slope ~ normal(0, 60);
# - *tasks are all alike*: the slopes of tasks differ by a point or so;
# - *checkpoints are all alike*: nothing peculiar to a checkpoint, and no smooth departure from the line.

# %%
critics = {
    "default": {},
    "sceptic of slopes": {"slope": "normal(0, 2)"},
    "anything goes": {"slope": "normal(0, 60)"},
    "tasks alike": {"tau_task_slope": "halfnormal(1)"},
    "checkpoints alike": {"tau_checkpoint": "halfnormal(0.2)", "tau_smooth": "halfnormal(0.2)", "tau_checkpoint_task": "halfnormal(0.2)"},
}  # fmt: skip
fits = {
    name: gl.fit(gains, draws=DRAWS, seed=1, exclude=FEWER, priors=priors) for name, priors in critics.items()
}
rows = pd.concat(
    [
        each.estimates.query("estimand == 'slope' and level in ['overall', 'population']").assign(critic=name)
        for name, each in fits.items()
    ]
)
with style():
    figure, axes = new_figure(DOUBLE, 1.9, 1, 2, sharex=True, sharey=True)
    for panel, level in zip(axes[0], ("overall", "population"), strict=True):
        part = rows[rows["level"] == level]
        places = np.arange(len(part))[::-1]
        colors = [ACCENT if name == "default" else WARM for name in part["critic"]]
        panel.axvline(0, color="black", linewidth=0.6)
        panel.hlines(places, part["ci_low"], part["ci_high"], color=colors, linewidth=1.6)
        panel.scatter(part["mean"], places, color=colors, s=18, zorder=3)
        panel.set_yticks(places, part["critic"])
        panel.set(title=f"Slope, {level}", xlabel="points per decade")
figure

# %%
gl.table(fits, "slopes")

# %% [markdown]
# Read it from left to right. **Overall**, the average over the four tasks that we have: a sceptic shrinks it, but it stays
# where it was for everybody else. **Population**, a new task in a new family: it has four tasks to go by, and the sceptic's
# prior wins; so does that of *tasks alike*, which makes the same data look settled. Say so, or do not quote it.
#
# And look at the last critic. Pretending that checkpoints are all alike does not move the slope, it *narrows* it: six replicates
# become two hundred. No data can forbid that prior for you; it is simply wrong for trained models. This is the one prior to
# defend, and it should be wide.
#
# ## What goes into the paper
#
# One sentence and one table: "The average slope over the tasks observed ranges from *a* to *b* points per decade under the
# priors of Table 3, with probability above *p* that it is positive under each; the slope for new tasks depends on the prior."

# %%
overall = rows[rows["level"] == "overall"].set_index("critic")
print(f"from {overall['mean'].min():.1f} to {overall['mean'].max():.1f} points per decade; "
      f"P(> 0) at least {overall['p_positive'].min():.2f}")  # fmt: skip
