"""The page of a report in a browser: nothing is loaded or runs that should not, all can be read, reached and used.

Needs Chromium (or Chrome) and, for the rules of accessibility, axe-core: `make setup-browser`.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import chromium
import gainlaw as gl
from conftest import draw_svg_alone

AXE = Path(__file__).parent / "browser" / "node_modules" / "axe-core" / "axe.min.js"
WIDTHS, THEMES = (1400, 390), ("light", "dark")

#: Everything that is folded is opened.
OPEN = "document.querySelectorAll('details').forEach((each) => { each.open = true; });"

#: Names that break out of a page, its scripts or its attributes where they are not escaped.
TASKS = ("</script><script>window.hacked = 1</script>", "<img src=x onerror='window.hacked = 2'>")
LANGUAGES = ('de" onmouseover="window.hacked = 3', "עברית & العربية", "🦜' ‮drow", "sw")
INTERMEDIATE = "mnli'\"]]>${window.hacked = 4}"


@pytest.fixture(scope="module")
def tab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[chromium.Tab]:
    browser = chromium.find()
    if browser is None:
        pytest.skip(f"no browser: none of {', '.join(chromium.NAMES)} is on the path")
    with chromium.start(browser, tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Write the report of a small study with names that nobody should have, on both scales."""
    rng = np.random.default_rng(3)
    rows = []
    for size, task, language in itertools.product((3e8, 1e9, 3e9, 1e10), TASKS, LANGUAGES):
        before = 0.55 + 0.05 * rng.normal()
        for name, share in (("none", before), (INTERMEDIATE, before + 0.03 + 0.05 * np.log10(size / 3e8))):
            base = "" if name == "none" else f"m{size:.0e}"
            model = f"m{size:.0e}{'' if name == 'none' else '-x'}"
            count = rng.binomial(800, share)
            rows.append(("<b>F</b>", model, int(size), base, name, task, language, count, 800, 0.5))
    names = "model_family model params base_model intermediate task language n_correct n_examples chance"
    scores = gl.evaluations_from_frame(pd.DataFrame(rows, columns=names.split()), source="<i>a</i>.csv")
    fits = [gl.fit(scores.gains(scale=scale), draws=300, seed=1) for scale in ("points", "normalized")]
    claims = tmp_path_factory.mktemp("claims") / "claims.toml"
    claims.write_text(
        '[[claim]]\nname = "grows"\nclaim = "slope > 0"\ntext = "<u>{group}</u> grows"\nfor_each = "task"\n'
        '[[claim]]\nname = "squad"\nclaim = "gain(1B)[intermediate=squad] > 8"\n',
        encoding="utf-8",
    )
    verdicts = gl.assess_file(fits, claims)
    out = tmp_path_factory.mktemp("report")
    with pytest.MonkeyPatch.context() as patch:
        draw_svg_alone(patch)  # which is what the page holds
        title = "<script>window.hacked = 5</script> & co"
        return gl.write_report(fits, out, verdicts=verdicts, title=title).path


@pytest.mark.parametrize("width", WIDTHS)
def test_nothing_runs_loads_or_overflows(tab: chromium.Tab, page: Path, width: int) -> None:
    tab.open(page, width)
    found = tab.run(
        OPEN
        + """
        const wide = [...document.querySelectorAll("main *")].filter((each) =>
          !each.closest(".table-box, .plot, pre, .equation, svg")
          && each.getBoundingClientRect().right > innerWidth + 1)
          .map((each) => each.tagName + "." + each.className);
        const scripts = document.querySelectorAll("main script:not([type]), img, u").length;
        return { hacked: window.hacked ?? null, wide, scripts,
          inner: innerWidth, scroll: document.documentElement.scrollWidth, names: document.body.innerText };"""
    )
    assert (found["hacked"], found["scripts"]) == (None, 0)
    assert tab.requests() == [page.as_uri()]
    # What a page's policy denies, and what fails in its script, stands in the log and the console.
    assert [told for name, told in tab.seen if name in ("Log.entryAdded", "Runtime.exceptionThrown")] == []
    assert found["inner"] == width
    assert (found["wide"], found["scroll"]) == ([], width)
    for name in (*TASKS, *LANGUAGES, INTERMEDIATE):
        assert " ".join(name.split()) in " ".join(found["names"].split()), name


def test_the_page_is_light(page: Path) -> None:
    assert page.stat().st_size < 2_500_000


@pytest.mark.parametrize("theme", THEMES)
@pytest.mark.parametrize("width", WIDTHS)
def test_axe_finds_nothing(tab: chromium.Tab, page: Path, width: int, theme: str) -> None:
    if not AXE.exists():
        pytest.skip("axe-core is not installed: make setup-browser")
    tab.open(page, width, theme)
    tab.ask("Runtime.evaluate", expression=AXE.read_text(encoding="utf-8"))
    found = tab.run(
        OPEN
        + """
        const { violations, passes } = await axe.run();
        return { passes: passes.length, violations: violations.map((each) => [each.id, each.impact,
          each.nodes.slice(0, 3).map((node) => node.html.slice(0, 200))]) };""",
    )
    assert found["passes"] > 20
    assert found["violations"] == []


def test_points_say_which_cell_they_are(tab: chromium.Tab, page: Path) -> None:
    tab.open(page)
    found = tab.run(
        """const plot = document.querySelector("#fig-gain-curve .plot"), tip = plot.querySelector(".tip");
        const { spots } = JSON.parse(plot.querySelector("script").textContent);
        const box = plot.querySelector("svg").getBoundingClientRect();
        const words = [];
        const marks = [...plot.querySelectorAll("svg use")].map((each) => each.getBoundingClientRect());
        let away = 0;
        for (const [x, y, said] of spots) {
          const at = { clientX: box.left + x * box.width, clientY: box.top + y * box.height, bubbles: true };
          plot.dispatchEvent(new PointerEvent("pointermove", at));
          words.push([said, tip.textContent, plot.classList.contains("asked")]);
          away = Math.max(away, Math.min(...marks.map((mark) =>
            Math.hypot(mark.left + mark.width / 2 - at.clientX, mark.top + mark.height / 2 - at.clientY))));
        }
        plot.dispatchEvent(new PointerEvent("pointerleave"));
        const left = plot.classList.contains("asked"), keys = [];
        for (const key of ["ArrowRight", "ArrowRight", "ArrowLeft", "End", "Home", "Escape"]) {
          plot.dispatchEvent(new KeyboardEvent("keydown", { key, bubbles: true }));
          keys.push(plot.classList.contains("asked") ? tip.textContent : null);
        }
        return { words, left, keys, away };""",
    )
    assert len(found["words"]) == 32 + 8  # every cell, and every checkpoint in each of two panels
    assert found["away"] < 1.5  # pixels from the mark that was drawn
    assert all(asked for *_, asked in found["words"])
    # Points on top of each other say the one above.
    assert sum(own == said for own, said, _ in found["words"]) > 30
    assert any("mean of 4 gains" in own for own, *_ in found["words"])
    assert any(LANGUAGES[1] in own and " ± " in own and "(300M)" in own for own, *_ in found["words"])
    assert not found["left"]
    first, second, back, last, home, gone = found["keys"]
    assert first == back == home != second
    assert "10B" in last
    assert gone is None


def test_forests_sort_and_scales_switch(tab: chromium.Tab, page: Path) -> None:
    tab.open(page)
    found = tab.run(
        """const forest = document.querySelector("#fig-forest-language");
        const rows = () => [...forest.querySelectorAll("tbody tr")];
        const names = () => rows().map((row) => row.cells[0].textContent);
        const shown = () => [...forest.querySelectorAll("thead th.bar")].filter((each) => !each.hidden)
          .map((each) => each.textContent);
        const numbers = () => rows().map((row) => [...row.cells].filter((each) => !each.hidden
          && each.textContent.includes("["))[0].textContent);
        const before = names(), scale = [shown(), numbers()];
        forest.querySelector("thead button").click();
        const sorted = names();
        [...forest.querySelectorAll(".tools [aria-pressed]")][1].click();
        const other = [shown(), numbers()];
        const figure = document.querySelector("#fig-gain-curve");
        [...figure.querySelectorAll(".tools [aria-pressed]")][1].click();
        const saved = [], make = URL.createObjectURL;
        URL.createObjectURL = (blob) => { saved.push(blob); return make.call(URL, blob); };
        forest.querySelectorAll(".tools > button").forEach((each) => each.click());
        figure.querySelectorAll(".tools > button").forEach((each) => each.click());
        const files = await Promise.all(saved.map(async (blob) => [blob.type, await blob.text()]));
        const drawn = files.filter(([type]) => type.includes("svg")).map(([, text]) =>
          new DOMParser().parseFromString(text, "image/svg+xml").querySelectorAll("parsererror").length);
        const hidden = [...figure.querySelectorAll(".plot")].map((each) => each.hidden);
        return { before, sorted, scale, other, hidden, files, drawn };""",
    )
    assert sorted(found["before"]) == sorted(found["sorted"])
    assert found["before"] != found["sorted"]
    assert "Slope, points per decade" in found["scale"][0][0]
    assert "chance-corrected" in found["other"][0][0]
    assert found["scale"][1] != found["other"][1]
    assert found["hidden"] == [True, False]
    kinds = [kind for kind, _ in found["files"]]
    assert kinds == ["text/csv", "image/svg+xml", "image/svg+xml", "text/csv"]
    assert found["drawn"] == [0, 0]
    folder = page.parent / "figures"
    assert found["files"][3][1] == (folder / "gain_curve_normalized.csv").read_text(encoding="utf-8")
    assert len(pd.read_csv(folder / "gain_curve_normalized.csv").query("layer == 'cell'")) == 32


def test_it_prints_on_few_pages(tab: chromium.Tab, page: Path) -> None:
    tab.open(page)
    assert 3 < len(re.findall(rb"/Type\s*/Page\b(?!s)", tab.pdf())) <= 12
