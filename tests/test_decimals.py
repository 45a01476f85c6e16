"""Estimates are shown with decimals that go with the gains' spread, chosen in one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from conftest import Cli
from gainlaw.figures.forest import plot_forest
from gainlaw.figures.gain_curve import plot_gain
from gainlaw.figures.influence import plot_influence
from gainlaw.figures.priors import plot_priors
from gainlaw.figures.scales import plot_scales
from gainlaw.figures.slope import plot_slope
from gainlaw.formats import decimals
from gainlaw.report.answer import answer
from gainlaw.tables.checks import influence_table
from gainlaw.tables.covariates import effects_table
from gainlaw.tables.data import checkpoints_table, data_table, gains_table
from gainlaw.tables.estimates import estimates_table, gain_at_table, sds_table, slopes_table
from gainlaw.tables.verdicts import claims_table, companions_table

SOURCE = Path(gl.__file__).parent
INTERVAL = re.compile(r"\[([-\u2212]?[\d.]+), ([-\u2212]?[\d.]+)\]")


def effects(factor: float) -> pd.DataFrame:
    """Return gains of about half of `factor`, which spread by a tenth of it."""
    rng = np.random.default_rng(5)
    rows = []
    for size in (3e8, 1e9, 7e9, 3e10, 7e10):
        luck = rng.normal(0.0, 0.03)
        for task, own in (("a", -0.1), ("b", 0.0), ("c", 0.1)):
            gain = 0.5 + 0.05 * np.log10(size / 1e9) + own + luck + rng.normal(0.0, 0.02)
            rows.append((size, f"m{size:g}", task, gain * factor, 0.02 * factor))
    return pd.DataFrame(rows, columns=["params", "base_model", "task", "gain", "se"])


@pytest.fixture(scope="module")
def small() -> gl.Fit:
    return gl.fit(gl.gains_from_frame(effects(1.0), unit="points"), draws=500, chains=2)


@pytest.mark.parametrize(
    ("scale", "unit", "shown"),
    [
        *(("points", unit, 1) for unit in (1.0, 2.0, 5.0)),
        *(("points", unit, 2) for unit in (0.1, 0.2, 0.5)),
        *(("points", unit, digits) for unit, digits in ((0.02, 3), (1e-5, 6), (10.0, 0), (1e4, 0))),
        *(
            ("log_odds", unit, digits)
            for unit, digits in ((1.0, 2), (5.0, 2), (0.1, 3), (10.0, 1), (100.0, 0))
        ),
        *((scale, unit, 1) for scale in ("normalized", "error_reduction") for unit in (1.0, 5.0)),
    ],
)
def test_decimals_go_with_scale_and_unit(scale: str, unit: float, shown: int) -> None:
    assert decimals(unit, scale) == shown


@pytest.mark.parametrize("intermediates", [None, "xP3", "P3"])
def test_bundled_data_are_shown_as_their_scale_is(intermediates: str | None) -> None:
    gains = gl.load_dataset("bloomz", intermediates=intermediates).gains()
    scales = ("points", "log_odds", "normalized", "error_reduction")
    assert [gains.to_scale(scale).decimals() for scale in scales] == [1, 2, 1, 1]
    assert gains_table(gains).columns[-1].decimals == 1


def test_gains_and_their_fit_have_the_same_decimals(small: gl.Fit) -> None:
    assert small.gains.decimals() == small.spec.decimals() == 3


def tell_apart(text: str, least: int) -> None:
    """Hold every interval in a text to two ends that differ, not all of them nothing."""
    found = INTERVAL.findall(text)
    assert len(found) >= least, text
    for low, high in found:
        assert low != high, text
        assert {float(end.replace("\u2212", "-")) for end in (low, high)} != {0.0}, text


def test_small_gains_are_told_apart_in_every_table(small: gl.Fit) -> None:
    verdicts = [gl.assess(small, claim) for claim in ("gain(1B) < 0.5", "gain[population](1B) > 0.4")]
    tables = (
        *(
            slopes_table(small, "task"),
            gain_at_table(small, "task"),
            sds_table(small),
            influence_table(small),
        ),
        *(estimates_table(small), claims_table(verdicts, [small])),
    )
    for table in tables:
        tell_apart(table.to_markdown(), 2)
        tell_apart(table.to_html(), 2)
    for table in (data_table(small.gains), checkpoints_table(small.gains), gains_table(small.gains)):
        assert table.columns[-1].decimals == 3
    companions = companions_table(verdicts, [small])
    assert companions is not None
    assert {column.key: column.decimals for column in companions.columns}["companion_se"] == 4
    assert effects_table(small).columns[3].decimals == 3


def test_small_gains_are_told_apart_in_words_and_figures(small: gl.Fit) -> None:
    tell_apart(" ".join(answer(small, None).sentences), 2)
    forest = plot_forest(small)
    tell_apart(forest.alt, 5)
    tell_apart(" ".join(text.get_text() for text in forest.axes[1].texts), 5)
    for figure in (plot_gain(small), plot_influence(small), plot_priors(small), plot_slope(small)):
        assert re.search(r"\d\.\d{3,4}\b", figure.alt), figure.alt
    tell_apart(plot_scales(small, small).alt, 5)


def test_small_and_large_gains_at_the_command_line(cli: Cli, tmp_path: Path) -> None:
    for name, factor, pattern in (
        ("small", 1.0, r"\[0\.\d{3}, 0\.\d{3}\]"),
        ("large", 1e4, r"\[\d{4}, \d{4}\]"),
    ):
        file = tmp_path / f"{name}.csv"
        effects(factor).assign(metric="score").to_csv(file, index=False)
        declared = ("--unit", "points", "--metric", "score:share=no,better=up")
        done = cli("fit", file, "-o", tmp_path / name, *declared, "--draws", 500)
        assert done.code in {0, 1}, done.err
        for printed in (done, cli("predict", tmp_path / name, "--params", "1B")):
            assert re.search(pattern, printed.out), printed.out
        assert "0.0, 0.0" not in done.out


def test_nothing_else_chooses_decimals_by_the_scale() -> None:
    found = [
        f"{path.relative_to(SOURCE)}:{node.lineno}"
        for path in sorted(SOURCE.rglob("*.py"))
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.IfExp)
        and "scale" in ast.unparse(node.test)
        and all(
            isinstance(each, ast.Constant) and isinstance(each.value, int)
            for each in (node.body, node.orelse)
        )
    ]
    assert not found, f"decimals of estimates come from gainlaw.formats.decimals: {found}"
