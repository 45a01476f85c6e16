"""Figures: one plot a module. ``plot_x(fit)`` is ``draw_x(x_data(fit))``: the numbers, then the drawing of them.

A figure is a `gainlaw.figures.common.style.PaperFigure`: sized for print, described in words (`alt`), and with all that
is drawn in `plot_data`. Those that stand in a report say so by a function ``exhibits``, see
`gainlaw.figures.common.exhibit`.
"""
