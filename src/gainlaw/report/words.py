"""The prose of a report: method, data and diagnostics, from the values of the fit."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import PurePath
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw.formats import MINUS, format_interval, format_number, level_title, parameter_title
from gainlaw.notes import count_of
from gainlaw.sizes import format_params

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord
    from gainlaw.report.answer import Answer

__all__ = [
    "beside_words",
    "check_words",
    "claims_words",
    "curves_words",
    "data_words",
    "diagnostics_words",
    "dropped_words",
    "equation_latex",
    "equation_mathml",
    "group_words",
    "influence_words",
    "likelihood_words",
    "names_of",
    "others_words",
    "predictive_words",
    "priors_words",
    "results_words",
    "shape_words",
    "term_words",
    "width_words",
]

#: Statistics that are named, of those that a fit misses.
_NAMED = 4


_TERMS = {
    "task": "target tasks gain more or less, and more or less per decade",
    "language_family": "language families differ",
    "language_tree": "languages differ, the more the further apart in their tree",
    "language": "languages differ within their family",
    "intermediate": "intermediate tasks or mixtures differ",
    "model_family": "families of models differ",
    "task_language": "a language may suit one task more than another, at every size",
    "task_model_family": "a family of models may be better at one task than at another, at every size",
    "smooth": "checkpoints of neighbouring sizes depart from the law together",
    "checkpoint": "every checkpoint has its own luck, shared by all tasks and languages scored on it",
    "run": "every run of intermediate training has its own luck",
    "checkpoint_task": "a checkpoint may be better at one task, in all its languages",
    "checkpoint_language_family": "a checkpoint may be better at one language family, in all its tasks",
}


def term_words(fit: FitRecord) -> list[tuple[str, str]]:
    """Return the terms of the model with what each stands for and how many groups it has."""
    lines = []
    for term in fit.spec.terms:
        what = _TERMS.get(term.name, "groups differ")
        if term.departure:
            lines.append((parameter_title(term.name), f"{what} (an autoregression over log size)"))
            continue
        own = "an intercept and a slope" if term.slope else "an intercept"
        tied = ", correlated" if term.correlated else ""
        lines.append((parameter_title(term.name), f"{what} ({term.n_groups} groups, each with {own}{tied})"))
    if fit.spec.residual:
        lines.append(("residual", "what is left between single gains beyond their sampling error"))
    return lines


def dropped_words(fit: FitRecord) -> list[str]:
    """Return the terms that the data cannot identify, each with the reason."""
    return [f"{each.name.replace('_', ' ')}: {each.reason}" for each in fit.spec.dropped]


def likelihood_words(fit: FitRecord) -> str:
    """Return how the sampling error enters."""
    if fit.spec.likelihood == "binomial":
        return (
            "The counts of correct answers before and after are binomial; the log-odds of each baseline "
            "above the guess rate is integrated out, so scores near chance or near the ceiling keep their "
            "exact uncertainty."
        )
    counts = fit.gains.frame["variance"].value_counts()
    kinds = [f"{count} {_VARIANCE.get(str(name), str(name))}" for name, count in counts.items()]
    shared = len(fit.gains.covariance.blocks)
    tail = " No two gains share a baseline score."
    if shared and fit.gains.shares_baselines:
        tail = f" Gains share a baseline in {count_of(shared, 'group')}; their covariance is kept."
    elif shared:
        tail = f" Gains have errors in common in {count_of(shared, 'group')}, with the covariance that was given."
    text = "Each gain is normal around its expectation with its known sampling variance"
    return f"{text} ({', '.join(kinds)}).{tail}" if kinds else f"{text}.{tail}"


_VARIANCE = {
    "paired": "from paired items",
    "unpaired": "from independent binomial counts: conservative, as both models answered the same items",
    "given": "as published",
}


def data_words(fit: FitRecord) -> str:
    """Return what went in, in one or two sentences."""
    cells = fit.gains.frame
    parts = [count_of(fit.n_rows, "gain")]
    for column, word in (
        ("task", "target task"),
        ("language", "language"),
        ("language_family", "family"),
    ):
        if column in cells and cells[column].notna().any():
            parts.append(count_of(cells[column].nunique(), word))
    if fit.n_checkpoints:
        parts.append(f"{count_of(fit.n_checkpoints, 'checkpoint')} at {count_of(fit.n_sizes, 'size')}")
    text = ", ".join(parts)
    sizes = cells["params"].dropna()
    if len(sizes):
        text += f" from {format_params(sizes.min())} to {format_params(sizes.max())} parameters"
    names = sorted(cells["intermediate"].dropna().astype(str).unique()) if "intermediate" in cells else []
    trained = f" Intermediate training: {', '.join(names)}." if names else ""
    source = f" Source: {PurePath(fit.gains.source).name}." if fit.gains.source else ""
    return f"{text}.{trained}{source}"


def width_words(width: pd.DataFrame, digits: int) -> str:
    """Return why the interval is as wide as it is, with the numbers of the width figure."""
    if width.empty:
        return ""
    shown = [
        f"{format_number(row['mean'], digits, MINUS)} "
        f"{format_interval(row['ci_low'], row['ci_high'], digits, MINUS)}"
        for row in width.to_dict("records")
    ]
    ratio = [f"{value:.1f}" for value in width["ratio"]]
    return (
        f"Resampling languages alone gives a slope of {shown[0]}. That treats languages as independent "
        "experiments on scale, but all languages of a size are scored on one and the same checkpoint: a "
        "checkpoint that happens to be good or bad moves all of them at once, and resampling languages "
        "never sees it. With the checkpoint as the replicate the slope over the tasks and families "
        f"observed is {shown[1]}, {ratio[1]} times as wide. For the population, where the tasks and "
        f"families too could have been others, it is {shown[2]}, {ratio[2]} times as wide. The narrow "
        "interval answers a question nobody asks: what would happen with the very same checkpoints and "
        "tasks, and other languages."
    )


def results_words(fit: FitRecord, slopes: Mapping[str, pd.DataFrame]) -> str:
    """Return how to read the results.

    Parameters
    ----------
    fit : Fit
        The fit that answers.
    slopes : mapping of str to pandas.DataFrame
        By level, the rows of its table of slopes.
    """
    if not fit.spec.law.has_slope:
        return (
            "Overall averages over the groups observed; population is what new groups would show on average."
        )
    return (
        "The slope is the change of the expected gain when the number of parameters grows tenfold. The "
        "groups' values are pulled towards each other as far as the data support it (partial pooling). "
        "Overall averages over the groups observed, each with the same weight; population is the mean of "
        "the hierarchy, what new tasks and language families would show on average: a different question "
        f"with a wider answer.{_alike_words(fit, slopes)}"
    )


def _alike_words(fit: FitRecord, slopes: Mapping[str, pd.DataFrame]) -> str:
    """Return between which slopes the groups lie that are too alike for a figure."""
    from gainlaw.figures.forest import alike

    found = ""
    for level, rows in slopes.items():
        if alike(rows, level):
            mean, digits = rows.loc[rows["level"] == level, "mean"], fit.spec.decimals()
            found += (
                f" By {level_title(level)} the slopes hardly differ, {format_number(mean.min(), digits, MINUS)} to "
                f"{format_number(mean.max(), digits, MINUS)} over {len(mean)} groups, and are not drawn."
            )
    return found


def priors_words(fit: FitRecord) -> str:
    """Return how to read the priors."""
    return (
        f"Every prior is written in the unit of the gain ({fit.unit}). Where prior and posterior of a "
        "standard deviation look alike, the data say little about it and the prior speaks. Power scaling "
        "shows which results would move if the prior, or the likelihood, counted a little more or less."
    )


def check_words(fit: FitRecord) -> str:
    """Return in one sentence whether the checks passed."""
    if fit.status == "ok" and fit.importance_ess is not None:
        return (
            "All checks passed: the weights of the importance sampler can be trusted and leave enough independent "
            "draws for every reported number."
        )
    if fit.status == "ok":
        return (
            "All checks passed: the chains agree, they hold enough independent draws for every reported "
            "number, and none of them diverged."
        )
    failed = [check.name for check in fit.diagnostics.checks if check.passed is False]
    return f"Checks failed ({names_of(failed)}): the numbers of this fit must not be trusted."


def claims_words(frame: pd.DataFrame) -> str:
    """Return how many claims got which verdict.

    Parameters
    ----------
    frame : pandas.DataFrame
        As `gainlaw.tables.claims_frame` returns it.
    """
    counts = [f"{count} {name}" for name, count in frame["verdict"].value_counts().items()]
    return (
        f"{len(frame)} claims: {names_of(counts)}. A claim about scale must hold in points and in "
        "chance-corrected log-odds, because a constant gain in log-odds looks like a shrinking one in "
        "points when baselines near the ceiling, and like a growing one when they leave chance."
    )


def group_words(stem: str, rows: pd.DataFrame) -> str:
    """Return a claim made for each of many groups with its verdicts counted."""
    counts = [f"{count} {word}" for word, count in rows["verdict"].value_counts().items()]
    return f"{stem}: {names_of(counts)}"


def others_words(names: Sequence[str]) -> str:
    """Return what stands beside the main fit."""
    return f"Fits beside the main one: {names_of(names)}." if names else ""


def beside_words(answers: Mapping[str, Answer]) -> str:
    """Say what other studies answer, each under its name."""
    return " ".join(
        f"{name}: {found.headline} {' '.join(found.sentences)}" for name, found in answers.items()
    )


def curves_words(words: Mapping[str, str]) -> str:
    """Say what one curve a task shows: which law, by how much, and what cannot be told."""
    if not words:
        return ""
    opening = (
        "Each task by itself, one point a checkpoint, without pooling: which law of size would one have chosen? "
        "These curves describe; the answer comes from the hierarchical model, which pools tasks and knows that the "
        "languages of a checkpoint are not experiments on size."
    )
    sentences = {name: text.rstrip(".").split(". ") for name, text in words.items()}
    # What is said of every curve in the same words is said once.
    first = next(iter(sentences.values()))
    shared = [each for each in first if len(words) > 1 and all(each in said for said in sentences.values())]
    own = [
        f"{name}: {'. '.join(each for each in said if each not in shared)}."
        for name, said in sentences.items()
    ]
    return " ".join([opening, *own, *(f"{each}." for each in shared)])


def influence_words(fit: FitRecord) -> str:
    """Return which checkpoint pulls most on the slope, and what the slope is without it."""
    rows = fit.diagnostics.influence
    if rows.empty or not fit.spec.law.has_slope:
        return ""
    digits = fit.spec.decimals()
    row = rows.iloc[int(rows["shift"].abs().to_numpy().argmax())]
    slope = (
        f"{format_number(row['slope_mean'], digits, MINUS)} "
        f"{format_interval(row['slope_ci_low'], row['slope_ci_high'], digits, MINUS)}"
    )
    return (
        f"The checkpoint that pulls most is {row['checkpoint']} ({format_params(row['params'])}): without "
        f"it the slope is {slope}, a shift of {format_number(row['shift'], 1, MINUS)} posterior standard "
        "deviations."
    )


def predictive_words(check: pd.DataFrame) -> str:
    """Return how many observed statistics the replications miss, and which.

    Parameters
    ----------
    check : pandas.DataFrame
        As `gainlaw.fitting.checks.predictive.predictive_data` returns it.
    """
    missed = check[(check["observed"] < check["low95"]) | (check["observed"] > check["high95"])]
    text = (
        f"Of {len(check)} statistics of the checkpoints, {len(missed)} {'lies' if len(missed) == 1 else 'lie'} "
        "outside the 95% interval of their "
    )
    if missed.empty:
        return f"{text}replications."
    words = {"mean": "mean", "sd": "spread"}
    names = [
        f"the {words[row['statistic']]} of {row['checkpoint']} "
        f"({'below' if row['observed'] < row['low95'] else 'above'})"
        for row in missed.to_dict("records")
    ]
    if len(names) > _NAMED:
        names = [*names[:_NAMED], f"{len(names) - _NAMED} more"]
    return f"{text}replications: {names_of(names)}."


def diagnostics_words(fits: Mapping[str, FitRecord]) -> list[str]:
    """Return one sentence for every failed check of any fit; empty when all is well."""
    return [
        f"{name}: {check.text or check.name}"
        for name, fit in fits.items()
        if fit.status != "ok"
        for check in fit.diagnostics.checks
        if check.passed is False
    ]


def shape_words(fit: FitRecord) -> str:
    """Say in plain text what the law's symbols are besides the gain at the centre.

    Returns
    -------
    str
        Continues "with a the gain at ...".
    """
    law = fit.spec.law
    if not law.has_slope:
        return ""
    words = " (N_c), and β the slope per decade there"
    if law.members:
        words = ", h the shape of one of the laws averaged, and β its coefficient"
    elif law.x_range is not None:
        words = (
            " (x = c), and β the average slope per decade over the R decades observed, from the smallest size, x min, "
            "to the largest, x max"
        )
    return words + "".join(f"; {each.symbol} {each.description}" for each in law.parameters)


_OPEN, _CLOSE = ('<mo stretchy="false">(</mo>', '<mo stretchy="false">)</mo>')
_COMMA = '<mo>,</mo><mspace width="1.5em"></mspace>'


def equation_mathml(fit: FitRecord) -> str:
    """Return the model's equation as MathML, which browsers set without any help."""
    law, x = fit.spec.law, "<msub><mi>x</mi><mi>i</mi></msub>"
    h = f"<mi>h</mi>{_OPEN}{x}{_CLOSE}" if law.definitions else x
    line = f"<mo>+</mo><mi>β</mi>{h}" if law.has_slope else ""
    group = "<mrow><mi>t</mi><mo>[</mo><mi>i</mi><mo>]</mo></mrow>"
    own = f"<msub><mi>u</mi>{group}</msub>"
    if any(term.slope for term in fit.spec.terms):
        own = f"<mrow>{_OPEN}{own}<mo>+</mo><msub><mi>v</mi>{group}</msub>{h}{_CLOSE}</mrow>"
    residual = "<mo>+</mo><msub><mi>ε</mi><mi>i</mi></msub>" if fit.spec.residual else ""
    unit = "<msub><mi>N</mi><mi>c</mi></msub>" if _centred(fit) else "<msup><mn>10</mn><mn>9</mn></msup>"
    size = f"<msub><mi>N</mi><mi>i</mi></msub><mo>/</mo>{unit}"
    where = (
        [f"{x}<mo>=</mo><msub><mi>log</mi><mn>10</mn></msub>{_OPEN}{size}{_CLOSE}"] if law.has_slope else []
    )
    where += [
        f"<mi>{each.name}</mi>{_OPEN}<mi>x</mi>{_CLOSE}<mo>=</mo>{each.mathml}" for each in law.definitions
    ]
    equation = (
        f"<msub><mi>g</mi><mi>i</mi></msub><mo>=</mo><mi>a</mi>{line}<mo>+</mo><munder><mo>∑</mo><mi>t</mi></munder>"
        f"{own}{residual}<mo>+</mo><msub><mi>e</mi><mi>i</mi></msub>"
    )
    # Definitions that are more than one have a line of their own.
    lines = [[equation, *where]] if len(where) < 2 else [[equation], where]
    return "".join(f'<math display="block"><mrow>{_COMMA.join(each)}</mrow></math>' for each in lines)


def equation_latex(fit: FitRecord) -> str:
    """Return the model's equation as LaTeX for a display, without its surrounding environment."""
    law = fit.spec.law
    h = "h(x_i)" if law.definitions else "x_i"
    line = rf" + \beta\,{h}" if law.has_slope else ""
    slope = any(term.slope for term in fit.spec.terms)
    own = rf"\bigl(u_{{t[i]}} + v_{{t[i]}}\,{h}\bigr)" if slope else r"u_{t[i]}"
    residual = r" + \varepsilon_i" if fit.spec.residual else ""
    unit = "N_c" if _centred(fit) else "10^9"
    equation = rf"g_i = a{line} + \sum_t {own}{residual} + e_i"
    where = [rf"x_i = \log_{{10}}(N_i / {unit})"] if law.has_slope else []
    where += [f"{each.name}(x) = {each.latex}" for each in law.definitions]
    if len(where) < 2:
        return ", \\qquad ".join([equation, *where])
    definitions = ", \\quad ".join(where)
    return f"\\begin{{gathered}}\n{equation}, \\\\\n{definitions}\n\\end{{gathered}}"


def _centred(fit: FitRecord) -> bool:
    """Whether the law's equation counts sizes from their centre; those with a place of their own count from 1e9."""
    return fit.spec.law.has_slope and fit.spec.law.x_range is None


def names_of(sequence: Sequence[str]) -> str:
    """Join names as in running text.

    Examples
    --------
    >>> names_of(["a", "b", "c"])
    'a, b and c'
    """
    words = list(sequence)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else ""
