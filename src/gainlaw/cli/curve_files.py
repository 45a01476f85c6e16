"""The files that ``gainlaw curve`` writes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from gainlaw.cli.printing import note
from gainlaw.errors import InputError

if TYPE_CHECKING:
    from gainlaw.curves.frontier import Frontier
    from gainlaw.curves.study import CurveStudy
    from gainlaw.tables.table import Table

__all__ = ["write_curves"]


def write_curves(
    study: CurveStudy,
    frontiers: dict[str, Frontier],
    compute: list[float],
    predictions: Table | None,
    output: Path,
    safe_csv: bool,
) -> None:
    """Write tables, words and figures of fitted curves to a new directory.

    Parameters
    ----------
    study : CurveStudy
        The fits.
    frontiers : dict of str to Frontier
        Frontiers by curve, perhaps none.
    compute : list of float
        The compute that they were asked for.
    predictions : Table, optional
        What was predicted.
    output : Path
        The directory.
    safe_csv : bool
        Whether cells that a spreadsheet would run are defused.
    """
    from gainlaw._directory import new_directory
    from gainlaw._io import write_text_atomic
    from gainlaw._listing import FILES
    from gainlaw.figures.common.style import save_figure
    from gainlaw.figures.curves import plot_curves
    from gainlaw.figures.frontier import plot_frontier
    from gainlaw.figures.surface import plot_laws
    from gainlaw.tables.curves import curve_laws_table, curve_parameters_table
    from gainlaw.tables.frontier import frontier_table

    with new_directory(output, FILES, names=("curves.txt",)) as folder:
        tables = [curve_laws_table(study)] if study.comparable else []
        tables += [frontier_table(frontiers, compute)] if frontiers else []
        tables += [predictions] if predictions is not None else []
        for table in (*tables, curve_parameters_table(study)):
            write_text_atomic(folder / f"{table.name}.csv", table.to_csv(safe=safe_csv))
            write_text_atomic(folder / f"{table.name}.tex", table.to_latex())
        words = "".join(f"{name}: {words}\n\n" for name, words in study.words.items())
        write_text_atomic(folder / "curves.txt", words)
        best = [study.best(name) for name in study.curves]
        try:
            drawn = plot_curves(best) if all(each.sized for each in best) else plot_laws(best)
            save_figure(drawn, folder / "curves")
        except InputError as error:
            note(f"no figure of the laws: {error}")
        for place, each in enumerate(frontiers.values()):
            save_figure(plot_frontier(each, compute), folder / f"frontier{place + 1 if place else ''}")
