"""The reference grid where most of it was never observed: what is counted, and where it is said."""

from __future__ import annotations

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.fitting.checks.diagnostics import cells_check, speaks
from gainlaw.laws import law
from gainlaw.model.spec.problem import specify
from gainlaw.posterior.grid import grid_cells
from gainlaw.posterior.levels import gain_curve
from gainlaw.report.write import write_report

SIZES = (1e8, 1e9, 1e10, 1e11)
LANGUAGES = ("en", "de", "ru", "hi", "sw", "yo", "ta", "id", "vi", "th", "tr", "fi")
REMARK = "Of the 72 combinations of 6 tasks and 12 languages, "


def effects(partners: int, n_tasks: int = 6, seed: int = 1) -> gl.Gains:
    """Return gains of tasks that were each seen in so many neighbouring languages, the first task in one."""
    rng = np.random.default_rng(seed)
    tasks, languages = rng.normal(-1.0, 1.0, n_tasks), rng.normal(0.0, 1.0, len(LANGUAGES))
    rows = [
        {
            "params": size,
            "checkpoint": f"m-{size:g}",
            "task": f"t{task}",
            "language": LANGUAGES[(2 * task + k) % len(LANGUAGES)],
            "se": 0.3,
            "gain": 5.0
            + np.log10(size / 1e9) * (tasks[task] + languages[(2 * task + k) % len(LANGUAGES)])
            + rng.normal(0.0, 0.3),
        }
        for task in range(n_tasks)
        for k in range(partners if task or partners == len(LANGUAGES) else 1)
        for size in SIZES
    ]
    return gl.gains_from_frame(pd.DataFrame(rows))


def unfitted(gains: gl.Gains, **options: object) -> SimpleNamespace:
    """Return what a fit holds before it has draws."""
    return SimpleNamespace(gains=gains, spec=specify(gains, law("linear"), **options))


@pytest.fixture(scope="module")
def sparse() -> gl.Fit:
    return gl.fit(effects(4), draws=300, chains=2, seed=1)


@pytest.mark.usefixtures("undrawn")
def test_a_grid_of_which_most_was_never_observed_is_told_everywhere(sparse: gl.Fit, tmp_path) -> None:
    (note,) = (check for check in sparse.diagnostics.checks if check.name == "cells")
    assert note.text.startswith(f"{REMARK}21 were observed, the fewest with task t0 (1 of 12) and language")
    assert "additivity" in note.text
    assert note.passed is None
    assert speaks(note)
    assert note.value == pytest.approx(1.0 - 21 / 72)
    sparse.save(tmp_path / "fit")
    kept = json.loads((tmp_path / "fit" / "diagnostics.json").read_text(encoding="utf-8"))
    assert note.text in [check["text"] for check in kept["checks"]]
    assert note.text in set(gl.tables.diagnostics_table(sparse).frame["text"])
    report = write_report({"fit": sparse}, tmp_path / "report")
    assert note.text in report.answer.text
    for name in ("paper.tex", report.path.name):
        assert "72 combinations of 6 tasks and 12 languages" in (tmp_path / "report" / name).read_text(
            encoding="utf-8"
        )


def test_a_law_without_a_slope_averages_over_the_grid_too() -> None:
    from gainlaw.report.limits import limits_of

    (said,) = limits_of(gl.fit(effects(4), law="constant", draws=300, chains=2, seed=1))
    assert said.startswith(REMARK)


def test_the_slope_of_a_task_seen_in_one_language_is_less_certain_than_in_that_language(
    sparse: gl.Fit,
) -> None:
    # What the task adds cannot be told from what its one language does, but for the other tasks in it.
    alone = gain_curve(sparse, task="t0", language=LANGUAGES[0]).slope().std()
    assert gain_curve(sparse, task="t0").slope().std() > 1.1 * alone
    often = [gain_curve(sparse, task=f"t{task}").slope().std() for task in range(1, 6)]
    assert gain_curve(sparse, task="t0").slope().std() > max(often)


def test_nothing_is_said_where_half_of_the_grid_was_observed() -> None:
    for partners, seen in ((len(LANGUAGES), 72), (7, 36)):
        fit = unfitted(effects(partners))
        (cells,) = grid_cells(fit.spec, fit.gains)
        assert (cells.seen, cells.total) == (seen, 72)
        assert cells_check(fit) == ()


def test_factors_without_effects_of_their_own_are_no_part_of_the_grid() -> None:
    assert cells_check(unfitted(effects(4), exclude=["task", "task_language"])) == ()
    # Every task in a language of its own: one effect for both, and every group of it was seen.
    frame = effects(1).frame[["params", "checkpoint", "task", "language", "gain", "se"]]
    assert grid_cells(*(lambda fit: (fit.spec, fit.gains))(unfitted(gl.gains_from_frame(frame)))) == ()
    # Without languages of their own, families are what is averaged over.
    fit = unfitted(effects(4), exclude=["language", "task_language"])
    (cells,) = grid_cells(fit.spec, fit.gains)
    assert cells.columns == ("task", "language_family")


def test_the_packaged_scores_have_tasks_in_languages_of_their_own() -> None:
    fit = unfitted(gl.load_dataset("bloomz", intermediates="xP3").gains())
    (note,) = cells_check(fit)
    frame = fit.gains.frame
    seen = len(frame[["task", "language"]].drop_duplicates())
    total = frame["task"].nunique() * frame["language"].nunique()
    assert (seen, total) == (42, 104)
    assert note.text.startswith("Of the 104 combinations of 4 tasks and 26 languages, 42 were observed, ")
    assert "task xwinograd (6 of 26)" in note.text
    # One task alone has no grid.
    assert cells_check(unfitted(gl.load_dataset("bloomz", tasks=["xnli"]).gains())) == ()
