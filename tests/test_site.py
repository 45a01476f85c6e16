"""The documentation site: built without a warning, complete, whole offline."""

from __future__ import annotations

import re
import subprocess
import sys
from collections import defaultdict
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest

import gainlaw as gl

ROOT = Path(__file__).resolve().parents[1]


class Page(HTMLParser):
    """The anchors and links of a page, what it has the browser load, and how often each element stands in it."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.loaded: set[str] = set()
        self.elements: dict[str, int] = defaultdict(int)
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self.elements[tag] += 1
        self.anchors.add(given.get("id", ""))
        self.links |= {given["href"]} if tag == "a" and "href" in given else set()
        self.loaded |= {given[name] for name in ("src", "href") if tag != "a" and name in given}


read = cache(Page)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `make docs` does: a page outside the navigation or a link that leads nowhere fails it."""
    folder = tmp_path_factory.mktemp("site")
    options = ["-q", "-E", "-W", "--keep-going", "-d", str(folder / "doctrees")]
    command = [sys.executable, "-m", "sphinx", *options, str(ROOT / "docs"), str(folder / "site")]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    return folder / "site"


def test_every_page_is_there(site: Path) -> None:
    pages = [
        path.relative_to(ROOT / "docs")
        for path in (ROOT / "docs").rglob("*")
        if path.suffix in {".md", ".rst"}
    ]
    assert len(pages) > 20
    front = read(site / "index.html").links
    for page in pages:
        assert (site / page.with_suffix(".html")).exists(), page
        assert len(page.parts) > 1 or page.stem == "index" or f"{page.stem}.html" in front, (
            f"{page} is not in the navigation"
        )


def test_links_and_anchors_lead_somewhere(site: Path) -> None:
    lost = []
    for path in site.rglob("*.html"):
        for link in read(path).links:
            name, _, anchor = unquote(link).partition("#")
            if re.match(r"[a-z]+:", link):
                continue
            target = (path.parent / name).resolve() if name else path
            if not target.exists() or (
                anchor and target.suffix == ".html" and anchor not in read(target).anchors
            ):
                lost.append(f"{path.relative_to(site)}: {link}")
    assert not lost


def test_the_reference_has_every_public_name(site: Path) -> None:
    anchors = set().union(*(read(path).anchors for path in (site / "api").glob("*.html")))
    modules = {"simulate": "simulate.simulate_study"}
    names = {modules.get(name, name) for name in gl.__all__ if name != "__version__"}
    assert not {name for name in names if f"gainlaw.{name}" not in anchors}


def test_nothing_is_asked_of_the_network(site: Path) -> None:
    for path in site.rglob("*.html"):
        assert not [name for name in read(path).loaded if re.match(r"(https?:)?//", name)], path
    for path in site.rglob("*.css"):
        assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", path.read_text(encoding="utf-8")), path


def test_equations_are_drawn_without_a_script(site: Path) -> None:
    page = re.sub(
        r"```.*?```|`[^`]*`", "", (ROOT / "docs" / "method.md").read_text(encoding="utf-8"), flags=re.DOTALL
    )
    equations = re.findall(r"\$\$.+?\$\$|\$.+?\$", page, flags=re.DOTALL)
    assert read(site / "method.html").elements["math"] == len(equations) > 50


def test_search_works_from_a_file(site: Path) -> None:
    """The index is a script, which a page opened from a disk may load; it knows words of pages and docstrings."""
    index = (site / "searchindex.js").read_text(encoding="utf-8")
    assert index.startswith("Search.setIndex(")
    assert '"checkpoint"' in index
    assert "fit_curve" in index
