"""What a report shows: every table and figure of a set of fits, made once and used by page and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw import tables as make
from gainlaw.figures.common.arrange import Fits, has_slope, levels, wider_fit
from gainlaw.report.across import Across, Together, across_tables, across_words
from gainlaw.report.answer import Answer, answer
from gainlaw.report.artists import Artists
from gainlaw.report.exhibits import Exhibit, basis_of, draw_exhibits
from gainlaw.report.limits import limits_of
from gainlaw.tasks import task_title

if TYPE_CHECKING:
    from gainlaw.claims.verdict import Verdict
    from gainlaw.fitting.record import FitRecord
    from gainlaw.tables.table import Table

__all__ = ["Content", "Verdicts", "collect"]

type Verdicts = Sequence[Verdict] | pd.DataFrame


@dataclass(frozen=True, slots=True)
class Content:
    """Everything that a report shows.

    Parameters
    ----------
    fits : Fits
        The fits.
    answer : Answer
        The first paragraph.
    tables : mapping of str to Table
        By name, in the order in which they are shown.
    figures : mapping of str to Exhibit
        By name.
    width : pandas.DataFrame
        The slope's interval by what is the replicate (`gainlaw.figures.width.width_data`); empty without a slope.
    curve_words : mapping of str to str
        By curve, which law of one curve describes it best, and what the sizes cannot tell.
    beside : mapping of str to Answer
        By the name of another study, what it answers.
    across : Together or None
        What several studies together say.
    ground : tuple of str
        The names of the tables that say what has to hold for the answer to mean something.
    """

    fits: Fits
    answer: Answer
    tables: Mapping[str, Table]
    figures: Mapping[str, Exhibit]
    width: pd.DataFrame
    curve_words: Mapping[str, str]
    beside: Mapping[str, Answer]
    across: Together | None = None
    ground: tuple[str, ...] = ()

    def has(self, name: str) -> bool:
        """Return whether there is a table or a figure of that name."""
        return name in self.tables or name in self.figures


def collect(
    fits: Fits,
    verdicts: Verdicts = (),
    comparison: pd.DataFrame | None = None,
    beside: Mapping[str, FitRecord] | None = None,
    figures: Sequence[Exhibit] | Artists | None = None,
    across: Across | None = None,
    preface: str = "",
    ground: Sequence[Table] = (),
) -> Content:
    """Make every table and figure of a report.

    Parameters
    ----------
    fits : Fits
        The fits.
    verdicts : sequence of Verdict or pandas.DataFrame
        The judged claims.
    comparison : pandas.DataFrame, optional
        What `gainlaw.compare` returned.
    beside : mapping of str to Fit, optional
        Fits of other studies.
    figures : sequence of Exhibit or Artists, optional
        The figures, where they are drawn already, or processes that draw them beside this one.
    across : Across, optional
        Fits of several studies together.
    preface : str
        What stands before the answer.
    ground : sequence of Table
        What has to hold for the answer to mean something.
    """
    basis = basis_of(fits, beside, across)
    if isinstance(figures, Artists):
        figures.begin(basis)
    tables = [
        *([] if across is None else across_tables(across)),
        *_tables(fits, verdicts, comparison),
        *_others(fits),
        *([] if basis.study is None else [make.curve_laws_table(basis.study)]),
        *_beside(beside or {}),
        *ground,
    ]
    words = {} if basis.study is None else basis.study.words
    limits = limits_of(fits.main, fits.others, comparison)
    said = replace(answer(fits.main, fits.twin), limits=limits, preface=preface)
    if isinstance(figures, Artists):
        exhibits: Sequence[Exhibit] = figures.finish(basis)
    else:
        exhibits = draw_exhibits(basis) if figures is None else figures
    return Content(
        fits,
        said,
        {table.name: table for table in tables},
        {exhibit.name: exhibit for exhibit in exhibits},
        basis.width,
        {task_title(name): text for name, text in words.items()},
        {name: answer(fit, None) for name, fit in (beside or {}).items()},
        None if across is None else across_words(across),
        tuple(table.name for table in ground),
    )


def _tables(fits: Fits, verdicts: Verdicts, comparison: pd.DataFrame | None) -> list[Table]:
    main = fits.main
    tables: list[Table | None] = [
        make.data_table(main.gains),
        make.checkpoints_table(main.gains),
        make.gains_table(main.gains),
    ]
    if has_slope(main):
        tables += [make.slopes_table(main, level) for level in levels(main)]
    tables += [make.gain_at_table(main, level) for level in levels(main, "gain")]
    tables += [make.multipliers_table(main, level) for level in levels(main, "size_multiplier")]
    tables += [make.abilities_table(main, level) for level in levels(main, "size_effect")]
    tables += [make.effects_table(main), make.sds_table(main)]
    if main.law.members:
        tables.append(make.laws_table(main))
    if len(verdicts):
        judged = [main] if fits.twin is None else [main, fits.twin]
        frame = make.claims_frame(verdicts)
        claims = make.claims_table(frame[frame["verdict"] != "untested"], judged)
        alone, grouped = make.claims_by_group(claims)
        tables += [
            claims,
            alone if grouped and len(alone.frame) else None,
            make.companions_table(frame, judged),
            make.untested_table(frame),
        ]
    if comparison is not None and len(comparison):
        tables.append(make.compare_table(comparison))
    tables += [make.diagnostics_table(main), make.priors_table(main), make.sensitivity_table(main)]
    if has_slope(main) and len(main.diagnostics.influence):
        tables.append(replace(make.influence_table(main), name="influence_table"))
    tables.append(make.estimates_table(main))
    return [table for table in tables if table is not None and len(table.frame)]


def _others(fits: Fits) -> list[Table]:
    """Show the gains of other intermediate trainings."""
    wider = wider_fit(fits)
    if wider is None:
        return []
    return [
        replace(make.gain_at_table(wider, "intermediate"), name="other_gain_at_intermediate"),
        replace(make.gains_table(wider.gains), name="other_gains"),
    ]


def _beside(fits: Mapping[str, FitRecord]) -> list[Table]:
    """Show the slopes of every fit of another study."""
    tables: list[Table] = []
    for number, (name, fit) in enumerate(fits.items(), 1):
        if not has_slope(fit):
            continue
        level = next((level for level in ("language_family", "task") if level in levels(fit)), "")
        if level:
            table = make.slopes_table(fit, level)
            words = f"{name}. {table.caption}"
            tables.append(replace(table, name=f"beside_slopes_{number}", caption=words))
    return tables
