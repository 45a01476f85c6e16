"""The page and the figure of the engine benchmark."""

from __future__ import annotations

import platform
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from engines_fits import CHAINS, DRAWS, ENGINES, TUNE, TUNE_GAINLAW
from engines_score import Row
from engines_studies import FIXED, SD, make_study

HEADS = (
    *(
        "engine",
        "compile, s",
        "again, s",
        "fit, s",
        "time / exact",
        "smallest ess",
        "ess per s",
        "exact / this",
    ),
    *("divergences", "largest rhat", "mean off by, sd", "sd ratio"),
)


@dataclass(frozen=True, slots=True)
class About:
    """What the page says of the run.

    Parameters
    ----------
    command : str
        What made the page.
    cores : int
        Cores of the machine.
    load : tuple of float
        The lowest and highest load average between the fits.
    versions : mapping of str to str
        Installed versions.
    references : mapping
        The reference of every study.
    """

    command: str
    cores: int
    load: tuple[float, float]
    versions: Mapping[str, str]
    references: Mapping[str, Mapping[str, Any]]


def page(rows: Sequence[Row], about: About) -> str:
    """Return the page in Markdown."""
    software = ", ".join(f"{name} {number}" for name, number in about.versions.items())
    lines = [
        "# Engines side by side",
        "",
        f"Written by `{about.command}`, one engine after the other in one run on one machine:",
        f"{about.cores} cores ({_processor()}), load average {about.load[0]:.1f} to {about.load[1]:.1f}. Python",
        f"{platform.python_version()}, {software}.",
        "",
        *_MODEL,
        *_COLUMNS,
    ]
    for key in dict.fromkeys(row.table for row in rows):
        lines += ["", *_table(key, rows, about.references)]
    lines += ["", "![Effective draws per second by engine](img/engines.svg)", "", *_REMARKS]
    return "\n".join(lines) + "\n"


_MODEL = (
    "All engines fit the same model to the same gains, with the same priors:",
    "",
    r"$$y_i \sim N\bigl(\mu_0 + \mu_1 x_i + \textstyle\sum_t (u_{t,g(i)} + v_{t,g(i)} x_i) + w_{\mathrm{run}(i)},\;",
    r"\mathrm{se}_i^2 + \tau^2\bigr), \quad x = \log_{10}(N / 10^9),$$",
    "",
    "a gain in log-odds with its known standard error, intercepts $u$ and slopes $v$ of tasks, language families and",
    f"languages, independent of each other, run effects $w$ in the large study; $\\mu$ normal(0, {FIXED}), every",
    f"standard deviation half-normal({SD}). The studies are simulated by `benchmarks/engines_studies.py`.",
    "",
    "- **gainlaw `exact`** integrates the effects out and weights independent draws of the standard deviations;",
    "  **gainlaw `nuts`** samples the standard deviations with the effects integrated out.",
    "- **PyMC**, **bambi** and **NumPyro** sample everything by NUTS: the model as their users write it, effects",
    "  non-centred, the residual folded into the sd of the gain (in bambi by a family of its own), NumPyro in double",
    "  precision with a device for each chain. *PyMC, nutpie* is what `pm.sample` picks by itself where nutpie is",
    "  installed; bambi picks PyMC's own sampler. *Centred* has tasks centred at the population's line, languages at",
    "  their family's and runs at 0, which an expert would try where groups have many rows.",
    f"- {CHAINS} chains of {DRAWS:,} draws, after {TUNE:,} tuning steps each ({TUNE_GAINLAW} in gainlaw `nuts`); all",
    "  cores may be used. The plain samplers' target acceptance is their default, 0.8, except in the small study: it",
    "  leaves divergences there (second table), and their own advice is to raise it.",
)

_COLUMNS = (
    "",
    "Imports are not timed. **Compile**: gainlaw's is what a first fit takes beyond a second one; PyMC and bambi: all",
    "that is not sampling, building the model included; NumPyro: what JAX says. Every engine starts with empty",
    "caches. **Again**: the same in a later process, with the caches of the first. gainlaw's compiled code fits every",
    "study, so its first number is paid once an installation, its second once a process; the others compile every",
    "model anew. **Fit**: from the table to the draws, without that. **Smallest ess**: bulk ess, the least over both",
    "fixed effects and all standard deviations; for `exact`, which has independent draws and no chains, the effective",
    "number behind its weights, which counts for every quantity. **Mean off by** and **sd ratio**: the largest",
    "distance of a mean from that of a long reference run, in sds, and the range of sds relative to the reference's.",
    "The reference is a Metropolis chain on the standard deviations that shares no code with any engine",
    "(`benchmarks/engines_reference.py`). A sound run of 1,000 effective draws is off by up to about 0.1 sd, and by 7%",
    "in the sds. Numbers are medians over the fits made (up to three seeds, as long as they take little time); compile",
    "is that of the first.",
)

_REMARKS = (
    "Filled: the fit alone. Open: with the compilation of a later process.",
    "",
    "## What this does and does not show",
    "",
    "- It is one family of models, the one that gainlaw is made for: Gaussian given the standard deviations. PyMC,",
    "  bambi and NumPyro are there for every other model as well.",
    "- Times are of one machine and move with its load; the ratios move too, though less.",
    "- A sampler with divergences or an rhat above 1.01 has not finished: its ess per second flatters it. A longer",
    "  run, a higher target acceptance or other coordinates may mend it; each costs a look at the fit and a rerun.",
    "- NUTS on a GPU, or many short chains on many cores, would change the times of NumPyro, not the divergences.",
    "- Compilation is most of the wait in a small study. For a single fit, look at the open marks.",
)


def _table(key: str, rows: Sequence[Row], references: Mapping[str, Mapping[str, Any]]) -> list[str]:
    name, _, default = key.partition(", ")
    base = next((row for row in rows if row.table == name and row.task.engine == "exact" and row.fits), None)
    rows = [row for row in rows if row.table == key]
    study, reference = make_study(name), references[name]
    accept = next((row.task.accept for row in rows if not ENGINES[row.task.engine].gainlaw), 0.8)
    if default:
        text = [f"### The {name} study at the samplers' default target acceptance, {accept:g}", ""]
    else:
        text = [
            f"## The {name} study",
            "",
            f"{study.describe()}. Target acceptance of the plain samplers: {accept:g}"
            + ("." if accept != 0.8 else ", their default."),
            f"Reference: {reference['draws']:,} draws, smallest ess {reference['ess']:,}, largest rhat "
            f"{reference['rhat']:.3f}.",
            "",
        ]
    text += ["| " + " | ".join(HEADS) + " |", "|---" + "|---:" * (len(HEADS) - 1) + "|"]
    for row in rows:
        cells = _cells(row, base) if row.fits else [row.why, *[""] * (len(HEADS) - 2)]
        text.append("| " + " | ".join([ENGINES[row.task.engine].label, *cells]) + " |")
    if base is not None and not default:
        text += ["", f"Pareto k of the weights of `exact`: {base['k']:.2f} (they fail at 0.7)."]
    return text


def _cells(row: Row, base: Row | None) -> list[str]:
    ratios = ["", ""]
    if base is not None:
        ratios = [
            _short(row["seconds"] / base["seconds"]),
            _short(base["ess_per_second"] / row["ess_per_second"]),
        ]
    no_chains = np.isnan(row["rhat"])
    return [
        _short(row["compile"]),
        _short(row["again"]),
        _short(row["seconds"]),
        ratios[0],
        f"{row['ess']:,.0f}",
        _short(row["ess_per_second"]),
        ratios[1],
        "none possible" if no_chains else f"{row['divergences']:.0f}",
        "no chains" if no_chains else f"{row['rhat']:.3f}",
        f"{row['shift']:.2f}",
        f"{row['sd_low']:.2f} to {row['sd_high']:.2f}",
    ]


def _short(value: float) -> str:
    """Return a number with two significant digits, or as a whole number from 10."""
    if not np.isfinite(value):
        return ""
    digits = 0 if value >= 9.95 else 1 if value >= 0.995 else 2
    return f"{value:,.{digits}f}"


def _processor() -> str:
    path = Path("/proc/cpuinfo")
    if path.exists():
        for line in path.read_text(encoding="utf-8").splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or platform.machine()


def draw(rows: Sequence[Row], path: Path) -> None:
    """Draw effective draws per second by engine, a panel a study, and write it as SVG."""
    from gainlaw.figures.common.style import (
        ACCENT,
        DOUBLE,
        INK,
        WARM,
        figure_bytes,
        finish,
        new_figure,
        style,
    )

    kept = [row for row in rows if ", " not in row.table]
    studies = list(dict.fromkeys(row.table for row in kept))
    engines = list(dict.fromkeys(row.task.engine for row in kept))
    if not studies:
        return
    drawn = []
    with style():
        figure, grid = new_figure(
            DOUBLE, 0.75 + 0.24 * len(engines), 1, len(studies), sharey=True, sharex=True
        )
        for axes, study in zip(grid[0], studies, strict=True):
            axes.set_title(f"{study} study, {len(make_study(study).frame):,} pairs")
            axes.set_xscale("log")
            axes.xaxis.grid(visible=True)
            for height, name in enumerate(reversed(engines)):
                row = next(row for row in kept if row.table == study and row.task.engine == name)
                if not row.fits:
                    axes.annotate(
                        row.why.partition(":")[0], (0.02, height), xycoords=("axes fraction", "data"), fontsize=7,
                        va="center", color="#4D4D4D",
                    )  # fmt: skip
                    continue
                color = ACCENT if ENGINES[name].gainlaw else WARM
                alone, whole = row["ess_per_second"], row["ess"] / (row["seconds"] + row["again"])
                axes.plot([whole, alone], [height, height], color=color, linewidth=0.8, alpha=0.5)
                axes.plot(whole, height, "o", markersize=5, color="white", markeredgecolor=color)
                axes.plot(alone, height, "o", markersize=5, color=color, markeredgecolor="white")
                axes.annotate(
                    _short(alone), (alone, height), xytext=(5, 0), textcoords="offset points", fontsize=7,
                    va="center_baseline", color=INK,
                )  # fmt: skip
                drawn.append({"study": study, "engine": name, "alone": alone, "with_compilation": whole})
            axes.set_ylim(-0.6, len(engines) - 0.4)
            axes.margins(x=0.12)
            axes.tick_params(axis="y", length=0)
            axes.set_xlabel("effective draws per second")
        labels = [ENGINES[name].label.replace("`", "") for name in reversed(engines)]
        grid[0][0].set_yticks(range(len(engines)), labels)
    alt = "Effective draws per second by engine, on a logarithmic axis, without and with compilation."
    finish(figure, {"engine": pd.DataFrame(drawn)}, alt)
    path.write_bytes(figure_bytes(figure, "svg"))
