"""``gainlaw doctor``: whether the installation is sound, and what it computes with."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from gainlaw.cli.guard import UNTRUSTED
from gainlaw.cli.printing import console, show_json, warn

__all__ = ["doctor"]


def doctor(
    form: Annotated[Literal["table", "json"], typer.Option("--format", help="How to print it.")] = "table",
) -> None:
    """Say which versions, engines, threads and graphics card there are, and where compiled code is kept.

    Exits 1 where something is missing that a fit needs.
    """
    from gainlaw.cli.installation import examine

    found = examine()
    if form == "json":
        show_json(found)
    else:
        out = console()
        for title, facts in found.items():
            if title == "problems":
                continue
            out.print(title, style="bold")
            for name, value in facts.items():
                out.print(f"  {name:14} {value}", soft_wrap=False)
    for problem in found["problems"]:
        warn(problem)
    if found["problems"]:
        raise typer.Exit(UNTRUSTED)
