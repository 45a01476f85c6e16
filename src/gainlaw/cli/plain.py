"""The help of commands in plain words: what a value is, not which type of Python holds it."""

from __future__ import annotations

import re
from typing import Any

from typer.core import TyperArgument, TyperCommand, TyperOption

__all__ = ["PlainCommand"]

_WORDS = {
    "str": "TEXT",
    "int": "NUMBER",
    "float": "NUMBER",
    "int range": "NUMBER",
    "float range": "NUMBER",
    "path": "PATH",
    "file": "FILE",
    "directory": "DIR",
}


class PlainCommand(TyperCommand):
    """A command whose help says TEXT, NUMBER, PATH or the choices, where typer says types."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        """Return the words of the usage line: what must be given stands bare, what may in brackets."""
        return [re.sub(r"^\{(.*?)\}", r"\1", piece) for piece in super().collect_usage_pieces(ctx)]

    def format_options(self, ctx: Any, formatter: Any) -> None:
        """Write the arguments and options; what an argument is stands in its own words."""
        for each in self.get_params(ctx):
            if isinstance(each, TyperArgument):
                each.display_type_rich = lambda ctx: None  # type: ignore[method-assign]
            elif isinstance(each, TyperOption) and each.metavar is None and not each.is_flag:
                each.metavar = plain(each.display_type(ctx))
        super().format_options(ctx, formatter)


def plain(label: str) -> str:
    """Return what typer says of a value in plain words.

    Examples
    --------
    >>> plain("<list[str]>"), plain("<int>"), plain("<exact|nuts>"), plain("<list[slope|gain]>")
    ('TEXT', 'NUMBER', '[exact|nuts]', '[slope|gain]')
    """
    inner = re.sub(r"^list\[(.*)\]$", r"\1", label.strip("<>"))
    return _WORDS.get(inner, f"[{inner}]")
