"""The study of the ladder: models pretrained from scratch on a synthetic world, analysed like published ones."""

from __future__ import annotations

from pathlib import Path

from analysis.runner import Step

__all__ = ["NAME", "ladder_steps"]

ROOT = Path(__file__).resolve().parent.parent
NAME = "Ladder: models from scratch on a synthetic world"
TITLE = "A synthetic world: the gain of intermediate-task training in models pretrained from scratch"
SOURCE = "gainlaw's ladder: models pretrained from scratch on a made-up world in 17 made-up languages"
PREFACE = (
    "This is a synthetic world: its languages are made up, its models have thousands of parameters, and what holds "
    "here need not hold elsewhere."
)


def ladder_steps(out: Path, scores: Path | None = None) -> list[Step]:
    """Return the steps of the study, each after those it reads from.

    Parameters
    ----------
    out : Path
        Where everything goes.
    scores : Path, optional
        The ``evaluations.csv`` of a run; by default the packaged scores.
    """
    data, fits = out / "data", out / "fits"
    nli, siqa = fits / "nli", fits / "siqa"
    twin = nli / "scale_log_odds"
    dataset = {} if scores is not None else {"dataset": "ladder"}
    packaged = {
        "scores": ROOT / "data" / "ladder.csv",
        "predictions": ROOT / "data" / "ladder_predictions.parquet",
    }
    given = (
        packaged
        if scores is None
        else {"scores": scores, "predictions": scores.parent / "predictions.parquet"}
    )
    common = {"law": "linear", "source": SOURCE}
    all_fits = {"nli": nli, "siqa": siqa, "twin": twin}
    shown = {
        "fits": {"nli": "intermediate nli", "twin": "intermediate nli, log-odds"},
        "beside": {"siqa": "The other intermediate task, siqa"},
    }
    return [
        Step(
            "ladder_prepare",
            "analysis.steps.prepare",
            data,
            given,
            dataset | {"where": {"model_family": "ladder"}},
            floor="scores",
        ),
        Step(
            "fit_ladder_nli",
            "analysis.steps.fit",
            nli,
            {"data": data},
            common | {"intermediates": ["nli"]},
            floor="fitting",
        ),
        Step(
            "fit_ladder_siqa",
            "analysis.steps.fit",
            siqa,
            {"data": data},
            common | {"intermediates": ["siqa"]},
            floor="fitting",
        ),
        Step("fit_ladder_log_odds", "analysis.steps.other_scale", twin, {"fit": nli}, floor="fitting"),
        Step(
            "ladder_claims",
            "analysis.steps.claims",
            out / "claims.csv",
            {"claims": Path(__file__).parent / "ladder_claims.toml", "nli": nli, "siqa": siqa, "twin": twin},
            {"fits": {"nli": "intermediate nli", "siqa": "intermediate siqa"}},
            floor="claims",
        ),
        Step("ladder_figures", "analysis.steps.figures", out / "drawn", all_fits, shown),
        Step(
            "ladder_report",
            "analysis.steps.report",
            out / "answer.txt",
            {**all_fits, "claims": out / "claims.csv", "figures": out / "drawn"},
            {**shown, "title": TITLE, "preface": PREFACE},
        ),
    ]
