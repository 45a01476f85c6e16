"""The study of the ladder: models pretrained from scratch on a synthetic world, analysed like published ones."""

from __future__ import annotations

from pathlib import Path

from analysis.step import Steps
from gainlaw.units.unit import Unit

__all__ = ["NAME", "ladder_data", "ladder_fit", "ladder_steps"]

DATA = Path(__file__).resolve().parent.parent / "data"
NAME = "Ladder: models from scratch on a synthetic world"
TITLE = "A synthetic world: the gain of intermediate-task training in models pretrained from scratch"
SOURCE = "gainlaw's ladder: models pretrained from scratch on a made-up world in 17 made-up languages"
PREFACE = (
    "This is a synthetic world: its languages are made up, its models have thousands of parameters, and what holds "
    "here need not hold elsewhere."
)


def ladder_data(steps: Steps, place: str = "", scores: Path | None = None) -> Unit:
    """Add the step that prepares the scores, those packaged or the ``evaluations.csv`` of a run, and return it."""
    given = {"scores": DATA / "ladder.csv", "predictions": DATA / "ladder_predictions.parquet"}
    if scores is not None:
        given = {"scores": scores, "predictions": scores.parent / "predictions.parquet"}
    dataset = {} if scores is not None else {"dataset": "ladder"}
    return steps.add(
        "ladder_prepare",
        "analysis.steps.prepare",
        f"{place}data",
        given,
        dataset | {"where": {"model_family": "ladder"}},
        floor="scores",
    )


def ladder_fit(steps: Steps, data: Unit, intermediate: str, place: str = "") -> Unit:
    """Add the fit of one intermediate task, and return it."""
    return steps.fit(
        f"fit_ladder_{intermediate}",
        f"{place}fits/{intermediate}",
        data,
        law="linear",
        source=SOURCE,
        intermediates=[intermediate],
    )


def ladder_steps(scores: Path | None = None) -> Steps:
    """Return the steps of the study, each after those it reads from.

    Parameters
    ----------
    scores : Path, optional
        The ``evaluations.csv`` of a run; by default the packaged scores.
    """
    steps = Steps()
    data = ladder_data(steps, scores=scores)
    nli, siqa = ladder_fit(steps, data, "nli"), ladder_fit(steps, data, "siqa")
    twin = steps.other_scale("fit_ladder_log_odds", nli)
    all_fits = {"nli": nli, "siqa": siqa, "twin": twin}
    shown = {
        "fits": {"nli": "intermediate nli", "twin": "intermediate nli, log-odds"},
        "beside": {"siqa": "The other intermediate task, siqa"},
    }
    claims = steps.add(
        "ladder_claims",
        "analysis.steps.claims",
        "claims.csv",
        {"claims": Path(__file__).parent / "ladder_claims.toml", **all_fits},
        {"fits": {"nli": "intermediate nli", "siqa": "intermediate siqa"}},
        floor="claims",
    )
    drawn = steps.add("ladder_figures", "analysis.steps.figures", "drawn", all_fits, shown)
    steps.add(
        "ladder_report",
        "analysis.steps.report",
        "answer.txt",
        {**all_fits, "claims": claims, "figures": drawn},
        {**shown, "title": TITLE, "preface": PREFACE},
    )
    return steps
