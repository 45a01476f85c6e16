"""The pages say what the code does: commands and options exist, links lead somewhere, examples can be read."""

from __future__ import annotations

import ast
import re
import shlex
import tomllib
from pathlib import Path

import pytest

import gainlaw as gl
from conftest import Cli

ROOT = Path(__file__).resolve().parents[1]
PAGES = [
    ROOT / "README.md",
    ROOT / "ARCHITECTURE.md",
    ROOT / "CHANGELOG.md",
    ROOT / "CONTRIBUTING.md",
    *sorted((ROOT / "docs").glob("*.md")),
]


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text(encoding="utf-8")):
        if not target.startswith("http"):
            assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_commands_and_options_exist(page: Path, cli: Cli) -> None:
    if page.name == "extending.md":
        pytest.skip("its commands do not exist yet; test_extending.py adds and runs them")
    text = page.read_text(encoding="utf-8")
    lines = re.findall(r"^\$ gainlaw (.+)$", text, flags=re.MULTILINE)
    for line in lines:
        command, *words = shlex.split(line)
        shown = cli(command, "--help")
        assert shown.code == 0, line
        for word in words:
            if word.startswith("-"):
                assert re.search(rf"(?<![\w-]){re.escape(word)}(?![\w-])", shown.out), line


def test_options_of_the_tables_exist(cli: Cli) -> None:
    page = (ROOT / "docs" / "how-to.md").read_text(encoding="utf-8")
    table = page[page.index("## Change the model") : page.index("`gainlaw compare")]
    known = cli("fit", "--help").out
    options = set(re.findall(r"`(--[\w-]+)", table))
    assert len(options) > 8
    assert not {option for option in options if option not in known}


def test_claims_in_the_pages_can_be_judged() -> None:
    found = 0
    for page in PAGES:
        for block in blocks(page, "toml"):
            for claim in tomllib.loads(block).get("claim", []):
                gl.parse_claim(claim["claim"])
                found += 1
    assert found >= 4


def test_python_in_the_readme_uses_what_there_is() -> None:
    (block,) = blocks(ROOT / "README.md", "python")
    for node in ast.walk(ast.parse(block)):
        if isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
            owner = {"gl": gl, "fit": gl.Fit}.get(node.value.id)
            assert owner is None or hasattr(owner, node.attr), node.attr


def test_the_picture_of_the_readme_is_small() -> None:
    (name,) = re.findall(r"!\[[^\]]+\]\(([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert 10_000 < (ROOT / name).stat().st_size < 200_000
