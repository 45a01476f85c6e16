"""Draw what docs/gallery.md shows: its blocks run one after the other, and what each ends with is put behind it.

A figure goes to the picture that follows the block, with its description; a table takes the place of the one that does.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

from gainlaw.figures.common.style import PaperFigure, style

PAGE = Path(__file__).with_suffix(".md")
SHOWN = re.compile(
    r"(?P<block>```python\n(?P<code>.*?)```\n\n)(?P<shown>!\[[^\n]*\]\((?P<picture>[^)]+)\)|\|.*?\n(?=\n))",
    re.DOTALL,
)


def results(text: str) -> Iterator[tuple[re.Match[str], object]]:
    """Run the blocks of a page in one namespace and give what each one's last line is."""
    names: dict[str, object] = {}
    for match in SHOWN.finditer(text):
        *lines, last = ast.parse(match["code"]).body
        assert isinstance(last, ast.Expr), match["code"]
        exec(compile(ast.Module(lines, []), PAGE.name, "exec"), names)
        yield match, eval(compile(ast.Expression(last.value), PAGE.name, "eval"), names)


def shown(match: re.Match[str], result: object) -> str:
    """Return the words behind a block: a picture with its description, or a table."""
    if isinstance(result, PaperFigure):
        return f"![{result.alt}]({match['picture']})"
    return next(part for part in result.to_markdown().split("\n\n") if part.startswith("|")).strip() + "\n"


def main() -> None:
    """Write the pictures and the page anew."""
    text = PAGE.read_text(encoding="utf-8")
    new, end = [], 0
    for match, result in results(text):
        if isinstance(result, PaperFigure):
            with style():
                result.savefig(PAGE.parent / match["picture"], dpi=150, metadata={"Software": None})
        new += [text[end : match.end("block")], shown(match, result)]
        end = match.end()
    PAGE.write_text("".join([*new, text[end:]]), encoding="utf-8")


if __name__ == "__main__":
    main()
