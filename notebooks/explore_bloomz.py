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
# # From BLOOM to BLOOMZ: does the gain change with size?
#
# BLOOMZ is BLOOM after multitask training on xP3, published at six sizes from 560M to 176B parameters
# ([Muennighoff et al. 2022](https://arxiv.org/abs/2211.01786)). For every size we know the zero-shot accuracy before and
# after on XNLI, XCOPA, XStoryCloze and XWinograd, in up to fifteen languages. The difference is the **gain**.
#
# This notebook looks at the posterior of a hierarchical law of that gain: what the priors were, what the curves say, which
# checkpoint pulls, and whether the answer survives a change of scale.

# %%
import os

import arviz as az
import seaborn as sns

import gainlaw as gl
from gainlaw.figures.scales import plot_scales
from gainlaw.figures.scores import plot_scores
from gainlaw.fitting.companion import other_scale_fit

# The tests run this notebook with few draws; what the text says was written for the default.
DRAWS = int(os.environ.get("GAINLAW_NOTEBOOK_DRAWS", "1000"))
SHORT = ["params", "kind", "mean", "ci_low", "ci_high", "p_positive"]

# %% [markdown]
# ## The scores
#
# English prompts, the median of five templates, xP3 only. Lines are means over the languages, bands hold the middle half of
# them; the dashed line is chance.

# %%
evals = gl.load_dataset("bloomz", intermediates="xP3")
gains = evals.gains(scale="points")
plot_scores(gains)

# %% [markdown]
# Two things to see before any model. The baselines hardly leave chance under these prompts, at any size. And every size is
# *one* checkpoint: its 42 cells share whatever happened in its training. The mean gains, without a model:

# %%
gains.frame.pivot_table(index="task", columns="params", values="gain").round(1)

# %% [markdown]
# ## The fit
#
# $$\text{gain}_i = \mu_0 + \mu_1 x_i + \text{task} + \text{family} + \text{language} + \text{checkpoint}
# + \text{checkpoint} \times \text{task} + \ldots + \varepsilon_i + e_i,\qquad x = \log_{10}(N / N_c)$$
#
# $N_c$ is the centre of the sizes. Kinds (tasks, families, languages) have intercepts and slopes of their own; checkpoints, the replicates, have intercepts; $e$
# has the known sampling error.

# %%
fit = gl.fit(gains, law="linear", draws=DRAWS, seed=1)
fit

# %% [markdown]
# The headline ends with the state of the diagnostics. Every check, with its limit:

# %%
fit.table("diagnostics")

# %% [markdown]
# ## Where does the variance of a gain come from?
#
# `tau²` is what a term adds to the variance of a gain in squared points, `I²` its share.

# %%
fit.table("heterogeneity")

# %% [markdown]
# ## Priors
#
# In points, printed, replaceable.

# %%
fit.priors

# %% [markdown]
# Where the posterior looks like the prior, the data said little: four tasks know their own spread within a factor of a few, and
# six checkpoints theirs hardly better. The residual, with 252 cells behind it, is known well.

# %%
fit.plot("priors")

# %% [markdown]
# The posterior is a tree of arrays that ArviZ reads, here and from `posterior.nc` in a saved fit:

# %%
az.summary(fit.draws, var_names=["tau_task_slope", "tau_checkpoint", "tau_checkpoint_task", "tau_residual"])

# %% [markdown]
# Do they trade against each other? Hardly; each leans on zero, as six checkpoints allow:

# %%
names = ["tau_checkpoint", "tau_checkpoint_task", "tau_smooth"]
draws = az.extract(fit.draws, var_names=names).to_dataframe()[names]
pairs = sns.pairplot(draws, kind="hist", diag_kind="kde", corner=True, height=1.6)

# %% [markdown]
# What if we had believed something else to begin with? `priors_and_sensitivity` asks that.

# %% [markdown]
# ## The curves
#
# Bands hold 50% and 95% of the posterior of the mean curve; grey dots are languages, diamonds the mean of a checkpoint.

# %%
fit.plot()

# %% [markdown]
# Slope per factor of ten in parameters, by task and by language family. The two rows below the groups answer different
# questions: *overall* is the average over the groups here, *population* is what a new task in a new family would show.

# %%
fit.plot("forest", level="task")

# %%
fit.plot("forest", level="language_family")

# %% [markdown]
# ## Points or log-odds?
#
# A gain that is constant in log-odds looks as if it grew when the baselines leave chance, and as if it shrank when they near
# the ceiling. So the same question is asked on chance-corrected log-odds, with the binomial counts as data.

# %%
other = other_scale_fit(fit)
plot_scales(fit, other, level="task")

# %%
gl.assess(fit, ["slope < 0", "gain(10B) < 1", "slope[task=xnli] < slope[task=xcopa]"], other=other)

# %% [markdown]
# ## One checkpoint left out
#
# Six checkpoints carry the slope. Leave each out in turn:

# %%
fit.plot("influence")

# %% [markdown]
# The largest one pulls most: it sits alone, more than a decade above the next. Hide it, and let the other five foretell it.

# %%
small = gl.fit(gains.subset(gains.frame["params"] < 1e11), law="linear", draws=DRAWS, seed=1)
small.predict("176B")[SHORT].round(2)

# %%
seen = gains.frame.query("params > 1e11").groupby("task")["gain"].mean().mean()
print(f"seen at 176B, mean of the four tasks: {seen:.1f} points")

# %% [markdown]
# The interval is honest about the distance, and wide.
#
# ## What to expect at 13B
#
# For the mean curve, and for the next checkpoint of that size.

# %%
fit.predict("13B")[SHORT].round(2)

# %% [markdown]
# For some tasks alone:

# %%
fit.predict("13B", task=["xnli", "xcopa"])[["group", *SHORT]].round(2)
