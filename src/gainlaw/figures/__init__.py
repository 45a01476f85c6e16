"""Figures of a study: one plot a module, each with its numbers obtainable as a frame.

Every ``plot_x(fit)`` is ``draw_x(x_data(fit))``: one makes the frame, the other draws it. A figure is a
`PaperFigure`: sized for print, described in words (`alt`), and with everything drawn in `plot_data`.
"""

from __future__ import annotations

from gainlaw.figures.curves import curves_data, draw_curves, plot_curves, plot_ridges
from gainlaw.figures.forest import draw_forest, forest_data, plot_forest
from gainlaw.figures.gain_curve import draw_gain, gain_data, plot_gain
from gainlaw.figures.influence import draw_influence, influence_data, plot_influence
from gainlaw.figures.laws import draw_laws, laws_data, plot_laws
from gainlaw.figures.predictive import draw_predictive, plot_predictive
from gainlaw.figures.priors import draw_priors, plot_priors, priors_data
from gainlaw.figures.scales import draw_scales, plot_scales, scales_data
from gainlaw.figures.scores import draw_scores, plot_scores, scores_data
from gainlaw.figures.slope import draw_slope, plot_slope, slope_data
from gainlaw.figures.style import KINDS, PaperFigure, figure_bytes, inline_svg, save_figure, write_figure
from gainlaw.figures.width import draw_width, width_frame

__all__ = [
    "KINDS",
    "PaperFigure",
    "curves_data",
    "draw_curves",
    "draw_forest",
    "draw_gain",
    "draw_influence",
    "draw_laws",
    "draw_predictive",
    "draw_priors",
    "draw_scales",
    "draw_scores",
    "draw_slope",
    "draw_width",
    "figure_bytes",
    "forest_data",
    "gain_data",
    "influence_data",
    "inline_svg",
    "laws_data",
    "plot_curves",
    "plot_forest",
    "plot_gain",
    "plot_influence",
    "plot_laws",
    "plot_predictive",
    "plot_priors",
    "plot_ridges",
    "plot_scales",
    "plot_scores",
    "plot_slope",
    "priors_data",
    "save_figure",
    "scales_data",
    "scores_data",
    "slope_data",
    "width_frame",
    "write_figure",
]
