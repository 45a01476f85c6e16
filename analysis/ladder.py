"""The study of the ladder: models pretrained from scratch on a synthetic world, analysed like published ones."""

from __future__ import annotations

from pathlib import Path

from analysis.step import Steps

__all__ = ["ladder_steps"]

DATA = Path(__file__).resolve().parent.parent / "data"
TITLE = "A synthetic world: the gain of intermediate-task training in models pretrained from scratch"
SOURCE = "gainlaw's ladder: models pretrained from scratch on a made-up world in nine made-up languages"
PREFACE = (
    "This is a synthetic world: a made-up English, and eight made-up languages that share no word with it, tell models "
    "of thousands to millions of parameters of a few kinds of events, their causes and effects; what holds here need "
    "not hold elsewhere."
)


def ladder_steps(scores: Path | None = None) -> Steps:
    """Return the steps of the study, each after those it reads from.

    Parameters
    ----------
    scores : Path, optional
        The ``evaluations.csv`` of a run; by default the packaged scores.
    """
    steps = Steps()
    folder = None if scores is None else scores.parent
    given = {
        "scores": scores or DATA / "ladder.csv",
        "predictions": DATA / "ladder_predictions.parquet"
        if folder is None
        else folder / "predictions.parquet",
    }
    dataset = {} if folder else {"dataset": "ladder"}
    data = steps.add(
        "ladder_prepare",
        "analysis.steps.prepare",
        "data",
        given,
        dataset | {"where": {"model_family": "ladder"}},
        floor="scores",
    )
    control = steps.add(
        "ladder_control",
        "analysis.steps.control",
        "control",
        given | {"alignment": folder / "alignment.csv" if folder else DATA / "ladder_alignment.csv"},
        dataset | {"control": "no pretraining"},
        floor="tables",
    )
    siqa = steps.fit(
        "fit_ladder_siqa", "fits/siqa", data, law="linear", source=SOURCE, intermediates=["siqa"]
    )
    twin = steps.other_scale("fit_ladder_log_odds", siqa)
    all_fits = {"siqa": siqa, "twin": twin}
    shown = {"fits": {"siqa": "points", "twin": "log-odds"}}
    claims = steps.add(
        "ladder_claims",
        "analysis.steps.claims",
        "claims.csv",
        {"claims": Path(__file__).parent / "ladder_claims.toml", **all_fits},
        {"fits": {"siqa": "intermediate siqa"}},
        floor="claims",
    )
    drawn = steps.add("ladder_figures", "analysis.steps.figures", "drawn", all_fits, shown)
    steps.add(
        "ladder_report",
        "analysis.steps.report",
        "answer.txt",
        {**all_fits, "claims": claims, "figures": drawn, "control": control},
        {**shown, "title": TITLE, "preface": PREFACE},
    )
    return steps
