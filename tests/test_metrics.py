"""Metrics: every one that is registered, and some from outside, from scores to gains on every scale."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest

from gainlaw.errors import InputError
from gainlaw.figures.scores import plot_scores
from gainlaw.options import choices
from gainlaw.scales import Scale
from gainlaw.scores.evaluations.table import evaluations_from_frame
from gainlaw.scores.gains.cells.reading import gains_from_frame
from gainlaw.scores.gains.table import Gains
from gainlaw.scores.metrics import METRICS, Metric, chance, find_metric, metric_of_row
from gainlaw.tables.data import checkpoints_table
from gainlaw.tasks import TASKS
from gainlaw.training.prompting.protocol import METRICS as PROMPTED

CELL = {"model_family": "B", "params": 560_000_000, "task": "xnli", "language": "sw"}
EXACT = 1e-12


def scored(metric: str, before: float, after: float, **columns: object) -> pd.DataFrame:
    """Return a table of one pair, scored `before` and `after`."""
    rows = [
        {**CELL, "model": "b", "base_model": "", "intermediate": "none", "score": before},
        {**CELL, "model": "b-mt", "base_model": "b", "intermediate": "mt", "score": after},
    ]
    return pd.DataFrame(rows).assign(metric=metric, **columns)


@pytest.mark.parametrize(
    ("metric", "scores", "label", "shown"),
    [
        ("acc", (0.3, 0.35), "mean accuracy (%)", (30.0, 35.0)),
        ("mcc", (0.3, 0.35), "mean mcc (points)", (30.0, 35.0)),
        ("bleu", (30.0, 35.0), "mean bleu (points)", (30.0, 35.0)),
    ],
)
def test_scores_are_shown_under_the_name_and_in_the_points_of_their_metric(
    metric: str, scores: tuple[float, float], label: str, shown: tuple[float, float]
) -> None:
    gains = gain_of(scored(metric, *scores, stderr=0.01))
    figure = plot_scores(gains)
    assert figure is not None
    assert figure.get_supylabel() == label
    assert metric == "acc" or "accuracy" not in figure.alt
    table = checkpoints_table(gains)
    assert table.frame[["baseline", "after"]].to_numpy()[0] == pytest.approx(shown)
    unit = label.split()[-1]
    assert {f"Before {unit}", f"After {unit}"} <= {column.title for column in table.columns}


def inside(metric: Metric) -> tuple[float, float]:
    """Return a worse and a better score well within a metric's range."""
    low = metric.low if math.isfinite(metric.low) else metric.best - 2 if math.isfinite(metric.best) else -2.0
    high = metric.high if math.isfinite(metric.high) else low + 4
    pair = low + 0.5 * (high - low), low + 0.7 * (high - low)
    return pair if metric.better == "up" else pair[::-1]


def gain_of(frame: pd.DataFrame, scale: Scale = "points") -> Gains:
    return evaluations_from_frame(frame).gains(scale)


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_every_metric_from_scores_to_gains(metric: Metric) -> None:
    assert find_metric(metric.name) is metric
    assert find_metric(metric.name.upper().replace("_", " ")) is metric
    assert find_metric(f"test_{metric.name},none") is metric
    worse, better = inside(metric)
    stderr = 0.01 * (better - worse) * (1 if metric.better == "up" else -1)
    gains = gain_of(scored(metric.name, worse, better, stderr=stderr))
    row = gains.frame.iloc[0]
    assert row["gain"] == pytest.approx(abs(better - worse) / metric.point, rel=1e-9)
    assert row["se"] == pytest.approx(math.sqrt(2) * stderr / metric.point, rel=1e-9)
    assert row["baseline_se"] == pytest.approx(stderr / metric.point, rel=1e-9)
    assert gain_of(scored(metric.name, better, worse, stderr=stderr)).frame["gain"].item() < 0
    guess = chance("xnli", metric=metric.name)
    if metric.kind != "share":
        assert guess != pytest.approx(1 / 3) or metric.name == "balanced_accuracy"
    for scale in choices(Scale):
        reason = metric.missing_scale(scale)
        assert gains.missing_scale(scale) == reason
        if reason or (scale in {"normalized", "log_odds"} and math.isnan(guess)):
            with pytest.raises(InputError, match=r"metric|n_classes"):
                gains.to_scale(scale)
            continue
        there = gains.to_scale(scale)
        assert np.isfinite(there.frame[["gain", "se"]].to_numpy()).all()
        assert there.frame["gain"].item() > 0
    assert (metric.kind == "share") == (gains.missing_scale("log_odds") == "")
    said = " ".join(map(str, gains.notes))
    assert ("lower is better" in said) == (metric.better == "down")
    assert ("no log-odds scale" in said) == (metric.kind != "share")


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_counts_alone_give_an_error_or_are_refused(metric: Metric) -> None:
    worse, better = inside(metric)
    table = scored(metric.name, worse, better, n_examples=400)
    if metric.kind == "statistic":
        with pytest.raises(InputError, match="'stderr': no value, and the metric is no share of items"):
            evaluations_from_frame(table)
        return
    gains = gain_of(table)
    binomial = [(s - metric.low) * (metric.high - s) / 400 for s in (worse, better)]
    assert gains.frame["se"].item() == pytest.approx(math.sqrt(sum(binomial)) / metric.point, rel=1e-9)
    assert ("the largest error that" in " ".join(map(str, gains.notes))) == (metric.kind == "mean")
    assert gains.frame["k_baseline"].notna().all() == (metric.kind == "share")


@pytest.mark.parametrize("metric", METRICS.values(), ids=lambda metric: metric.name)
def test_scores_outside_the_range_of_their_metric_are_refused(metric: Metric) -> None:
    _worse, better = inside(metric)
    for limit, outside in ((metric.low, metric.low - 0.5), (metric.high, metric.high + 0.5)):
        if math.isfinite(limit):
            with pytest.raises(InputError, match=f"{limit:g}"):
                evaluations_from_frame(scored(metric.name, outside, better, stderr=0.01))


def test_a_metric_from_outside_is_refused_until_it_is_declared() -> None:
    table = scored("embedding_similarity", 0.4, 0.5, stderr=0.02)
    with pytest.raises(InputError, match=r"embedding_similarity.*--metric"):
        evaluations_from_frame(table)
    declared = table.assign(metric_share="no", metric_better="up", metric_max=1)
    assert gain_of(declared).frame["gain"].item() == pytest.approx(10, rel=EXACT)
    turned = table.assign(metric_share="no", metric_better="down")
    gains = gain_of(turned)
    assert gains.frame["gain"].item() == pytest.approx(-0.1, rel=EXACT)  # no range, so a point is one
    again = gains_from_frame(gains.frame)
    assert again.missing_scale("log_odds") == gains.missing_scale("log_odds") != ""
    counted = scored("mine", 0.4, 0.5, n_examples=100, metric_share=True)
    assert gain_of(counted, "log_odds").frame["gain"].item() > 0
    with pytest.raises(InputError, match=r"metric_better.*down"):
        evaluations_from_frame(counted.assign(metric_better="down"))
    with pytest.raises(InputError, match=r"metric_share.*lines 2, 3.*allowed: yes"):
        evaluations_from_frame(counted.assign(metric_share="perhaps"))


def test_declared_ranges_override_the_registry() -> None:
    with pytest.raises(InputError, match=r"above 1 of wer \(12\).*percent"):
        evaluations_from_frame(scored("wer", 12, 10, stderr=0.5))
    gains = gain_of(scored("wer", 12, 10, stderr=0.5, metric_max=100))
    assert gains.frame["gain"].item() == pytest.approx(2, rel=EXACT)
    endless = gain_of(scored("wer", 1.2, 1.1, stderr=0.05, metric_max="inf"))
    assert endless.frame["gain"].item() == pytest.approx(10, rel=1e-9)
    assert metric_of_row("bleu", declared={"metric_max": 1}).point == 0.01


def test_chance_belongs_to_task_and_metric() -> None:
    assert chance("xnli", metric="mcc") == chance("xnli", 3, "matthews_correlation") == 0
    assert math.isnan(chance("xnli", 3, "macro_f1"))
    assert chance("my_task", 4, "acc_norm") == chance("mmlu", metric="exact_match") == 0.25
    assert chance("mgsm") == chance("my_task", 4, "pass@1") == 0
    assert metric_of_row("", "xquad").kind == metric_of_row("f1", "mlqa").kind == "mean"
    gains = gain_of(scored("mcc", 0.385, 0.449, stderr=0.015))
    assert gains.frame["chance"].item() == 0
    assert gains.to_scale("normalized").frame["gain"].item() == pytest.approx(6.4, rel=1e-9)
    given = gain_of(scored("mcc", 0.385, 0.449, stderr=0.015, n_classes=3))
    assert given.frame["chance"].item() == 0


def test_names_are_never_known_by_how_they_begin() -> None:
    for name in ("embedding_similarity", "accent_error", "emotion", "accuracy2", "lossless", "", "f1000"):
        assert find_metric(name) is None
    for name in ("em", "EM", "acc,none", "exact_match,strict-match", "accuracy_max_of_5_prompts", "pass@1"):
        assert find_metric(name).kind == "share"  # type: ignore[union-attr]
    assert all(find_metric(name) is not None for name in PROMPTED)
    assert all(find_metric(task.metric) is not None for task in TASKS.values())


def test_error_reduction_is_of_the_distance_to_the_best() -> None:
    gains = gain_of(scored("wer", 0.4, 0.3, stderr=0.01), "error_reduction")
    assert gains.frame["gain"].item() == pytest.approx(25, rel=EXACT)
    perfect = gain_of(scored("wer", 0.0, 0.1, stderr=0.01), "error_reduction")
    assert np.isfinite(perfect.frame[["gain", "se"]].to_numpy()).all()


def test_a_block_of_gains_where_lower_is_better_has_the_covariance_of_its_baseline() -> None:
    table = scored("loss", 2.0, 1.9, stderr=0.02)
    more = table.iloc[[1]].assign(model="b-nli", intermediate="nli", score=1.8)
    gains = gain_of(pd.concat([table, more], ignore_index=True))
    assert gains.covariance.matrix()[0, 1] == pytest.approx(4.0, rel=1e-9)
    assert gains_from_frame(gains.frame).covariance.matrix() == pytest.approx(
        gains.covariance.matrix(), rel=1e-9
    )


def test_published_effects_of_other_metrics_are_taken_as_given() -> None:
    table = pd.DataFrame(
        {"task": ["a", "b"], "metric": ["wer", "mine"], "gain": [2.0, 1.0], "se": [1.0, 1.0]}
    )
    gains = gains_from_frame(table)
    assert gains.frame["gain"].tolist() == [2, 1]
    assert gains.frame["chance"].isna().all()
    said = " ".join(map(str, gains.notes))
    assert "lower is better" in said
    assert "'mine' is not known" in said


def test_metrics_are_declared_on_every_command_that_reads_a_table(cli, tmp_path) -> None:
    file = tmp_path / "scores.csv"
    scored("mine", 0.4, 0.3, stderr=0.01).to_csv(file, index=False)
    said = ("--metric", "mine:share=no,better=down,min=0,max=inf,point=0.01")
    assert cli("check", file).code == 2
    assert "lower is better" in cli("check", file, *said).out
    out = tmp_path / "gains.csv"
    assert cli("gains", file, *said, "-o", out).code == 0
    assert pd.read_csv(out)["gain"].item() == pytest.approx(10, rel=1e-9)
    fitted = cli("fit", file, *said, "--law", "constant", "--draws", 100, "-o", tmp_path / "fit")
    assert fitted.code in {0, 1}
    assert cli("fit", out, "--law", "constant", "--draws", 100, "-o", tmp_path / "again").code in {0, 1}
    curve = cli("curve", file, *said, "--law", "constant")
    assert "lower is better" in curve.err
    for bad in ("mine:shape=no", "theirs:share=no", "mine:share", ":share=no", "mine:share=no,share=yes"):
        assert cli("check", file, "--metric", bad).code == 2
    assert cli("check", "dataset:bloomz", *said).code == 2


def test_a_declared_name_is_the_metric_of_a_table_without_the_column() -> None:
    table = scored("", 0.4, 0.3, stderr=0.01).drop(columns="metric")
    gains = evaluations_from_frame(table, metrics={"wer": {}}).gains()
    assert gains.frame["gain"].item() == pytest.approx(10, rel=EXACT)
    with pytest.raises(InputError, match="several metrics"):
        evaluations_from_frame(table, metrics={"wer": {}, "cer": {}})
    bare = gains.frame.drop(columns=["metric", "baseline_score", "intermediate_score"])
    again = gains_from_frame(bare, metrics={"mine": {"share": False}})
    assert again.missing_scale("log_odds")


def test_metrics_of_several_kinds_in_one_table_are_warned_of() -> None:
    one, two = scored("accuracy", 0.4, 0.5, stderr=0.01), scored("wer", 0.4, 0.3, stderr=0.01, task="flores")
    notes = evaluations_from_frame(pd.concat([one, two], ignore_index=True)).notes
    assert [note.severity for note in notes if note.kind == "mixed_metric"] == ["warning"]
    like = scored("exact_match", 0.4, 0.5, stderr=0.01, task="mgsm")
    notes = evaluations_from_frame(pd.concat([one, like], ignore_index=True)).notes
    assert [note.severity for note in notes if note.kind == "mixed_metric"] == ["info"]


def test_main_scores_of_embedding_benchmarks_are_known() -> None:
    names = ("cosine_spearman", "ndcg_at_10", "v_measure")
    found = [find_metric(name) for name in names]
    assert [metric and (metric.name, metric.kind, metric.low) for metric in found] == [
        ("spearman", "statistic", -1.0),
        ("ndcg", "mean", 0.0),
        ("v_measure", "statistic", 0.0),
    ]
