"""``gainlaw predict``: the gain to expect at a size."""

from __future__ import annotations

from typing import Annotated

import typer

from gainlaw.cli.sources import Directory, exit_untrusted, open_fit, parse_size

__all__ = ["predict"]


def predict(
    directory: Directory,
    params: Annotated[list[str], typer.Option(metavar="SIZE", help="13e9 or 13B; repeat for more.")],
) -> None:
    """Print the gain to expect at a number of parameters, with its interval."""
    fit = open_fit(directory)
    fit.predict([parse_size(size) for size in params])
    exit_untrusted([fit])
