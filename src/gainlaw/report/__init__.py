"""The report: one self-contained page, the paper, and every table and figure as files of their own."""

from __future__ import annotations

from gainlaw.report.answer import Answer, answer
from gainlaw.report.write import Report, draw_figures, write_report

__all__ = ["Answer", "Report", "answer", "draw_figures", "write_report"]
