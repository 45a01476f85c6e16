"""The figures of a report, drawn: bytes with their captions, which can be kept in a folder and read back."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from gainlaw import figures as plots
from gainlaw import tables as make
from gainlaw.errors import InputError
from gainlaw.formats import level_title, percent
from gainlaw.report.answer import estimate_row
from gainlaw.report.arrange import Fits, has_slope, law_title, levels, wider_fit
from gainlaw.scales import SCALES
from gainlaw.scores.metrics import spoken_metric

if TYPE_CHECKING:
    from gainlaw.curves.study import CurveStudy
    from gainlaw.figures.style import PaperFigure
    from gainlaw.fitting.core import Fit

__all__ = ["Basis", "Exhibit", "basis_of", "draw_exhibits", "read_exhibits", "write_exhibits"]

# Sizes below which a curve by itself says nothing.
_CURVE_SIZES = 4
_LIST = "exhibits.json"


@dataclass(frozen=True, slots=True)
class Exhibit:
    """A figure of the report.

    Parameters
    ----------
    name : str
        File stem.
    caption : str
        Plain text.
    alt : str
        What readers are told who do not see it.
    inches : float
        Its width.
    files : mapping of str to bytes
        The figure by format, see `gainlaw.figures.KINDS`.
    """

    name: str
    caption: str
    alt: str
    inches: float
    files: Mapping[str, bytes]

    @property
    def narrow(self) -> bool:
        """Whether the figure fits one column."""
        return self.inches < 4


@dataclass(frozen=True, slots=True)
class Basis:
    """What both figures and words of a report are made from.

    Parameters
    ----------
    width : pandas.DataFrame
        The slope's interval by what is the replicate (`gainlaw.figures.width_frame`); empty without a slope.
    study : CurveStudy or None
        Laws of one curve for the mean gains of each task's checkpoints, where there are sizes enough.
    """

    width: pd.DataFrame
    study: CurveStudy | None


def basis_of(fit: Fit) -> Basis:
    """Return what figures and words of a fit are made from."""
    return Basis(_width(fit), _study(fit))


def draw_exhibits(
    fits: Fits, basis: Basis | None = None, beside: Mapping[str, Fit] | None = None
) -> list[Exhibit]:
    """Draw every figure of a report.

    Parameters
    ----------
    fits : Fits
        The fits.
    basis : Basis, optional
        That of the main fit, where it is known already.
    beside : mapping of str to Fit, optional
        Fits of other studies.
    """
    found = basis_of(fits.main) if basis is None else basis
    return [
        *_main(fits, found.width),
        *_others(fits),
        *_curves(found.study),
        *_beside(beside or {}),
    ]


def write_exhibits(exhibits: Sequence[Exhibit], folder: str | Path) -> None:
    """Keep figures in a folder; the list of them is written last."""
    from gainlaw._io import write_text_atomic

    place = Path(folder)
    for exhibit in exhibits:
        plots.write_figure(exhibit.files, place / exhibit.name)
    listed = [
        {"name": each.name, "caption": each.caption, "alt": each.alt, "inches": each.inches}
        for each in exhibits
    ]
    write_text_atomic(place / _LIST, json.dumps(listed, indent=1, ensure_ascii=False) + "\n")


def read_exhibits(folder: str | Path) -> list[Exhibit]:
    """Read figures that `write_exhibits` kept.

    Parameters
    ----------
    folder : str or Path
        The folder.

    Raises
    ------
    InputError
        If it does not hold what `write_exhibits` leaves.
    """
    place = Path(folder)
    try:
        listed = json.loads((place / _LIST).read_text(encoding="utf-8"))
        return [
            Exhibit(
                **each, files={kind: (place / f"{each['name']}.{kind}").read_bytes() for kind in plots.KINDS}
            )
            for each in listed
        ]
    except (OSError, ValueError, TypeError, KeyError) as error:
        raise InputError(f"{place} holds no figures of a report: {error}") from error


def _drawn(name: str, figure: PaperFigure, caption: str) -> Exhibit:
    files = {kind: plots.figure_bytes(figure, kind) for kind in plots.KINDS}
    return Exhibit(name, caption, figure.alt, float(figure.get_figwidth()), files)


def _study(fit: Fit) -> CurveStudy | None:
    from gainlaw.curves.study import fit_curves

    frame = fit.gains.frame
    if frame["params"].isna().any() or fit.n_sizes < _CURVE_SIZES or "task" not in frame:
        return None
    try:
        return fit_curves(fit.gains, by=["task"], ci_prob=fit.ci_prob)
    except InputError:
        return None


def _width(fit: Fit) -> pd.DataFrame:
    from gainlaw.figures.width import width_frame
    from gainlaw.scores.gains.bootstrap import language_bootstrap_slope

    overall, population = (estimate_row(fit, "slope", level) for level in ("overall", "population"))
    if overall is None or population is None:
        return pd.DataFrame()
    try:
        only = language_bootstrap_slope(fit.gains, ci_prob=fit.ci_prob)
    except InputError:
        return pd.DataFrame()
    rows = [("languages only", "language", only.estimate, only.ci_low, only.ci_high)]
    for label, replicate, row in (
        ("these tasks, other checkpoints", "checkpoint", overall),
        ("other tasks and families too", "checkpoint, task and family", population),
    ):
        rows.append((label, replicate, float(row["mean"]), float(row["ci_low"]), float(row["ci_high"])))
    return width_frame(rows, fit.ci_prob)


def _main(fits: Fits, width: pd.DataFrame) -> list[Exhibit]:
    main, unit, wide = fits.main, SCALES[fits.main.scale].per_decade, percent(fits.main.ci_prob)
    sized = main.gains.frame["params"].notna().all() and main.n_sizes > 1
    exhibits = []
    scores = plots.plot_scores(main.gains) if sized else None
    if scores is not None:
        name, _ = spoken_metric(main.gains.frame)
        caption = (
            f"Mean {name} before and after intermediate training, over the languages of each task; the bands hold "
            "the middle half of them."
        )
        exhibits.append(_drawn("scores", scores, caption))
    if has_slope(main):
        by = "task" if "task" in levels(main) else None
        caption = (
            f"Gain against model size{' by task' if by else ''} with the posterior of the law (mean, 50% and "
            f"{wide} bands). Dots are single languages, diamonds the mean of a checkpoint."
        )
        exhibits.append(_drawn("gain_curve", plots.plot_gain(main, by), caption))
        caption = (
            "Posterior of the slope over the groups observed (top) and for the population (bottom). Grey: "
            f"the region of practical equivalence; bar: {wide} interval; dot: mean."
        )
        exhibits.append(_drawn("slope", plots.plot_slope(main), caption))
        for level in levels(main):
            caption = (
                f"Slope ({unit}) by {level_title(level)}: mean, 50% and {wide} interval. Orange: over "
                "all groups observed, and the population mean."
            )
            exhibits.append(_drawn(f"forest_{level}", plots.plot_forest(main, level), caption))
    else:
        for level in levels(main, "gain"):
            caption = f"Gain ({main.unit}) by {level_title(level)}: mean, 50% and {wide} interval."
            exhibits.append(_drawn(f"forest_{level}", plots.plot_forest(main, level, "gain"), caption))
    if fits.twin is not None and has_slope(main):
        caption = (
            "The same slopes on two scales. Where they decide for opposite directions the finding is "
            "scale-dependent."
        )
        exhibits.append(_drawn("scales", plots.plot_scales(main, fits.twin), caption))
    if len(width):
        caption = (
            "One slope, three questions: what is taken as the replicate decides how wide the interval is."
        )
        exhibits.append(
            _drawn("width", plots.draw_width(width, unit=unit, digits=main.spec.decimals()), caption)
        )
    if has_slope(main) and len(make.diagnostics_of(main).influence):
        caption = f"Overall slope with each checkpoint left out. Grey: mean and {wide} interval on all data."
        exhibits.append(_drawn("influence", plots.plot_influence(main), caption))
    if main.n_checkpoints:
        caption = "Observed mean and spread of the gains of each checkpoint beside what the model replicates."
        exhibits.append(_drawn("predictive", plots.plot_predictive(main), caption))
    caption = f"Prior and posterior of the standard deviations: median, 50% and {wide} interval."
    exhibits.append(_drawn("priors_figure", plots.plot_priors(main), caption))
    return exhibits


def _others(fits: Fits) -> list[Exhibit]:
    """Show the fits beside the main one: other laws in one panel, other intermediate trainings by curve."""
    main = fits.main
    exhibits: list[Exhibit] = []
    laws = {
        law_title(fit): fit
        for fit in (main, *fits.others.values())
        if fit.scale == main.scale and fit.n_rows == main.n_rows and has_slope(fit)
    }
    if len(laws) > 1:
        caption = (
            "The same gains under several laws: mean over the groups observed with its "
            f"{percent(main.ci_prob)} band."
        )
        exhibits.append(_drawn("other_laws", plots.plot_laws(laws), caption))
    wider = wider_fit(fits)
    if wider is not None:
        caption = "Gain against model size by intermediate training. Dots are single languages and tasks."
        exhibits.append(_drawn("other_intermediate", plots.plot_gain(wider, "intermediate"), caption))
    return exhibits


def _curves(study: CurveStudy | None) -> list[Exhibit]:
    if study is None:
        return []
    best = [study.best(name) for name in study.curves]
    prob = best[0].ci_prob
    caption = (
        f"The law that describes each task's checkpoint means best, with {percent(prob)} bands of the mean and of a "
        "new checkpoint (delta method), the same law fitted without the largest size, and residuals."
    )
    return [_drawn("curves", plots.plot_curves(best), caption)]


def _beside(fits: Mapping[str, Fit]) -> list[Exhibit]:
    """Show a curve of every fit of another study."""
    exhibits: list[Exhibit] = []
    for number, (name, fit) in enumerate(fits.items(), 1):
        if has_slope(fit):
            by = "task" if "task" in levels(fit) else None
            caption = f"{name}: gain against model size{' by task' if by else ''}. Dots are single languages."
            exhibits.append(_drawn(f"beside_{number}", plots.plot_gain(fit, by), caption))
    return exhibits
