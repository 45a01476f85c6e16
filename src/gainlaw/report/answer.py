"""The answer in words: sentences whose numbers are those of the estimates table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import pandas as pd

from gainlaw.claims.chance import Chances
from gainlaw.claims.decision import DEFAULT_THRESHOLD, Decision, decide
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.figures.common.arrange import estimate_row
from gainlaw.formats import MINUS, format_interval, format_number, format_probability, percent
from gainlaw.notes import count_of
from gainlaw.posterior.shares import MOSTLY_PRIOR
from gainlaw.scales import SCALES
from gainlaw.sizes import format_params
from gainlaw.tables.estimates import group_title

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["Answer", "Direction", "answer", "numbers"]

Direction = Literal["grows", "shrinks", "unsettled", "constant"]


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer to the question of a study.

    Parameters
    ----------
    headline : str
        One sentence.
    sentences : tuple of str
        The sentences that follow it, with the numbers: slope, population, the other scale, replicates.
    more : tuple of str
        A second paragraph: the gain at two sizes, the tasks with the lowest and the highest slope.
    direction : {"grows", "shrinks", "unsettled", "constant"}
        Whether the gain changes with size, over the groups observed, on the scale of the fit.
    trusted : bool
        False when the diagnostics of a fit behind it failed.
    values : mapping of str to float
        The numbers in the sentences, at full precision, by name.
    limits : tuple of str
        Which law the answer speaks for, whether another predicts better, and what it misses.
    preface : str
        What stands before it: what kind of data it is about, or what keeps these from being evidence.
    """

    headline: str
    sentences: tuple[str, ...]
    more: tuple[str, ...]
    direction: Direction
    trusted: bool
    values: Mapping[str, float] = field(default_factory=dict)
    limits: tuple[str, ...] = ()
    preface: str = ""

    @property
    def text(self) -> str:
        """The whole answer as one paragraph."""
        return " ".join([self.preface, self.headline, *self.sentences, *self.limits, *self.more]).strip()


def answer(fit: FitRecord, twin: FitRecord | None = None) -> Answer:
    """Return the answer that a fit gives, and whether the other scale agrees.

    Parameters
    ----------
    fit : Fit
        The main fit.
    twin : Fit, optional
        The same study on the other scale.

    Examples
    --------
    >>> import gainlaw as gl
    >>> fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").gains())  # doctest: +SKIP
    >>> answer(fit).headline  # doctest: +SKIP
    'On the tasks and languages observed, the gain of intermediate training grows with model size.'
    """
    trusted = fit.status == "ok" and (twin is None or twin.status == "ok")
    slope = estimate_row(fit, "slope", "overall")
    if slope is None:
        return _constant(fit, trusted)
    values: dict[str, float] = {}
    chances = Chances(fit)
    slope = _sharpened(slope, chances, "slope")
    population = estimate_row(fit, "slope", "population")
    sentences = [_slope_sentence(fit, slope, values)]
    if population is not None:
        population = _sharpened(population, chances, "slope[population]")
        sentences.append(_population_sentence(fit, population, values))
    rows: dict[str, pd.Series] = {fit.scale: slope}
    other = None if twin is None else estimate_row(twin, "slope", "overall")
    if twin is not None and other is not None:
        rows[twin.scale] = _sharpened(other, Chances(twin), "slope")
    decision = _decided(rows)
    if twin is not None and other is not None:
        sentences.append(_twin_sentence(twin, rows[twin.scale], decision, values))
    sentences.append(_replicate_sentence(fit))
    headline = _headline(decision, list(rows))
    if not trusted:
        headline = f"Diagnostics failed, so do not trust the numbers below. {headline}"
    more = [_gain_sentence(fit, values), _task_sentence(fit, values)]
    return Answer(headline, _kept(sentences), _kept(more), _DIRECTIONS[decision.words[0]], trusted, values)


def _kept(sentences: list[str]) -> tuple[str, ...]:
    return tuple(sentence for sentence in sentences if sentence)


# So few checkpoints say little about a slope.
_FEW = 3


def _mostly_prior(row: pd.Series) -> bool:
    return bool(row["prior_share"] >= MOSTLY_PRIOR)


#: What a verdict on "the slope is positive" says of the gain.
_DIRECTIONS: dict[str, Direction] = {
    "supported": "grows",
    "refuted": "shrinks",
    "inconclusive": "unsettled",
}


def _sharpened(row: pd.Series, chances: Chances, name: str) -> pd.Series:
    """Return a row of the estimates with the probabilities of its sign as claims have them, and their error."""
    found, below = (chances.of(parse_claim(f"{name} {sign} 0"), DEFAULT_THRESHOLD) for sign in "><")
    sharp = {"p_positive": found.value, "p_negative": below.value, "mcse": max(found.mcse, below.mcse)}
    return pd.Series(row.to_dict() | sharp)


def _decided(rows: Mapping[str, pd.Series]) -> Decision:
    """Return what the slopes on one or two scales come to; one that is mostly its prior is not asked."""
    # A slope that may be none at all is not known to be negative where it is hardly positive.
    likely = {scale: _likelier(row["p_positive"], 1.0 - row["p_negative"]) for scale, row in rows.items()}
    asked = [(scale, likely[scale], row["mcse"]) for scale, row in rows.items() if not _mostly_prior(row)]
    if not asked or asked[0][0] != next(iter(rows)):
        return Decision("inconclusive", ("inconclusive",), "", "")
    return decide(asked, DEFAULT_THRESHOLD)


def _likelier(positive: float, not_negative: float) -> float:
    """Return the probability of growth that says as much of the likelier direction as is known."""
    return positive if positive >= 1.0 - not_negative else not_negative


def _headline(decision: Decision, scales: Sequence[str]) -> str:
    """Return the answer in one sentence."""
    seen = "On the tasks and languages observed, the gain of intermediate training"
    words = [_DIRECTIONS[word] for word in decision.words]
    if decision.word in ("supported", "refuted"):
        return f"{seen} {words[0]} with model size."
    on = [f"in {SCALES[scale].title}" for scale in scales]
    if decision.word == "scale-dependent":
        return f"{seen} {words[0]} with model size {on[0]} and {words[1]} {on[1]}: the answer is scale-dependent."
    if decision.decided_on:
        sure = scales.index(decision.decided_on)
        return (
            f"{seen} {words[sure]} with model size {on[sure]}; {on[1 - sure]} the direction is not settled."
        )
    tail = ": the two scales lean in opposite directions" if len(set(words)) > 1 else ""
    return f"These data do not settle whether the gain of intermediate training grows or shrinks with model size{tail}."


def numbers(row: pd.Series, fit: FitRecord) -> str:
    """Return mean and interval of an estimate with the decimals of the fit."""
    digits = fit.spec.decimals()
    mean = format_number(row["mean"], digits, MINUS)
    return f"{mean} {format_interval(row['ci_low'], row['ci_high'], digits, MINUS)}"


def _keep(values: dict[str, float], name: str, row: pd.Series) -> None:
    values |= {f"{name}_{key}": float(row[key]) for key in ("mean", "ci_low", "ci_high", "p_positive")}


def _slope_sentence(fit: FitRecord, slope: pd.Series, values: dict[str, float]) -> str:
    _keep(values, "slope_overall", slope)
    prob = percent(slope["ci_prob"])
    likely, word = max((slope["p_positive"], "grows"), (slope["p_negative"], "shrinks"))
    return (
        f"The slope is {numbers(slope, fit)} {SCALES[fit.scale].per_decade} of parameters (mean and "
        f"{prob} interval; a decade is a factor of ten), with probability "
        f"{format_probability(float(likely))} that the gain {word}."
        + (
            " Do not lean on these numbers: they are mostly what the priors say"
            + (
                f", since {count_of(fit.n_sizes, 'size')} and {count_of(fit.n_checkpoints, 'checkpoint')} say little "
                "about a slope."
                if fit.n_checkpoints <= _FEW
                else "."
            )
            if _mostly_prior(slope)
            else ""
        )
    )


def _population_sentence(fit: FitRecord, row: pd.Series, values: dict[str, float]) -> str:
    _keep(values, "slope_population", row)
    likely, word = max((row["p_positive"], "positive"), (row["p_negative"], "negative"))
    return (
        f"For new tasks and language families, on average, it is {numbers(row, fit)} (probability "
        f"{format_probability(float(likely))} that it is {word}): a wider question, hence a wider interval."
        + (
            " That interval is mostly what the priors say about groups that nobody has seen."
            if _mostly_prior(row)
            else ""
        )
    )


def _gain_sentence(fit: FitRecord, values: dict[str, float]) -> str:
    rows = fit.estimates
    rows = rows[(rows["estimand"] == "gain") & (rows["level"] == "overall")].dropna(subset=["params"])
    sizes = fit.gains.frame["params"]
    rows = rows[rows["params"].between(sizes.min() * 0.999, sizes.max() * 1.001)].sort_values("params")
    if len(rows) < 2:
        return ""
    first, last = rows.iloc[0], rows.iloc[-1]
    _keep(values, "gain_first", first)
    _keep(values, "gain_last", last)
    return (
        f"The expected gain is {numbers(first, fit)} {fit.unit} at {format_params(first['params'])} "
        f"parameters and {numbers(last, fit)} at {format_params(last['params'])}."
        + (
            " These levels are mostly what the priors say."
            if _mostly_prior(first) or _mostly_prior(last)
            else ""
        )
    )


def _task_sentence(fit: FitRecord, values: dict[str, float]) -> str:
    rows = fit.estimates
    rows = rows[(rows["estimand"] == "slope") & (rows["level"] == "task")].sort_values("mean")
    if len(rows) < 2:
        return ""
    low, high = rows.iloc[0], rows.iloc[-1]
    _keep(values, "slope_task_low", low)
    _keep(values, "slope_task_high", high)
    return (
        f"By task the slope runs from {numbers(low, fit)} ({group_title('task', low['group'])}) to "
        f"{numbers(high, fit)} ({group_title('task', high['group'])})."
    )


def _twin_sentence(twin: FitRecord, row: pd.Series, decision: Decision, values: dict[str, float]) -> str:
    _keep(values, f"slope_overall_{twin.scale}", row)
    main, other = (_DIRECTIONS[word] for word in (decision.words[0], decision.words[-1]))
    likely, word = max((row["p_positive"], "grows"), (row["p_negative"], "shrinks"))
    if _mostly_prior(row):
        verdict = "which is mostly what the priors say"
    elif main == other:
        verdict = (
            "which leaves the direction open on that scale too"
            if main == "unsettled"
            else "the same direction"
        )
    elif decision.word == "scale-dependent":
        verdict = "the opposite direction: the finding is scale-dependent"
    elif decision.word == "inconclusive":
        verdict = "so that the two scales lean in opposite directions and only one of them decides"
    elif other == "unsettled":
        verdict = "which leans the same way and does not settle the direction on that scale"
    else:
        verdict = "which settles the direction on that scale alone"
    return (
        f"On {SCALES[twin.scale].title} the slope is {numbers(row, twin)} (probability "
        f"{format_probability(float(likely))} that the gain {word}), {verdict}."
    )


def _replicate_sentence(fit: FitRecord) -> str:
    return (
        f"This rests on {count_of(fit.n_rows, 'gain')} from {count_of(fit.n_checkpoints, 'checkpoint')} at "
        f"{count_of(fit.n_sizes, 'size')}; the checkpoint, not the language, is the replicate of a statement "
        "about scale."
    )


def _constant(fit: FitRecord, trusted: bool) -> Answer:
    row = estimate_row(fit, "gain", "overall")
    head = "This fit has no slope: it says how large the gain is, not how it changes with model size."
    if not trusted:
        head = f"Diagnostics failed, so do not trust the numbers below. {head}"
    if row is None:
        return Answer(head, (), (), "constant", trusted)
    values: dict[str, float] = {}
    _keep(values, "gain_overall", row)
    sentences = [f"The expected gain is {numbers(row, fit)} {fit.unit} over the groups observed."]
    population = estimate_row(fit, "gain", "population")
    if population is not None:
        _keep(values, "gain_population", population)
        sentences.append(f"For new groups, on average, it is {numbers(population, fit)}.")
    return Answer(head, tuple(sentences), (), "constant", trusted, values)
