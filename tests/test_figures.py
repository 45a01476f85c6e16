"""Figures: what is drawn is what the numbers say, at the size of print, with the same bytes each time."""

from __future__ import annotations

import re
import subprocess
import sys
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pandas as pd
import pytest
from matplotlib.text import Text

from gainlaw.errors import InputError
from gainlaw.figures.common import fonts, style
from gainlaw.figures.common.arrange import panels_of
from gainlaw.figures.common.sheet import figure_style
from gainlaw.figures.common.style import (
    COLORS,
    DOUBLE,
    KINDS,
    SINGLE,
    PaperFigure,
    figure_bytes,
    finish,
    inline_svg,
    new_figure,
    save_figure,
)
from gainlaw.figures.forest import draw_forest
from gainlaw.figures.gain_curve import band_frame, draw_gain
from gainlaw.figures.influence import draw_influence
from gainlaw.figures.laws import draw_laws
from gainlaw.figures.predictive import draw_predictive
from gainlaw.figures.priors import draw_priors, priors_frame
from gainlaw.figures.scales import draw_scales
from gainlaw.figures.scores import draw_scores
from gainlaw.figures.slope import draw_slope
from gainlaw.figures.width import draw_width, width_frame
from gainlaw.fitting.checks.predictive import predictive_frame

SIZES = np.array([5.6e8, 1.1e9, 1.7e9, 3e9, 7.1e9, 1.76e11])
NAMES = ["bloom-560m", "bloom-1b1", "bloom-1b7", "bloom-3b", "bloom-7b1", "bloom"]
TASKS = {"xnli": 5.0, "xcopa": 4.0, "xstory_cloze": 12.0, "xwinograd": 4.0}


def cells(seed: int = 0) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    rows = [
        {"panel": task, "params": size, "checkpoint": name, "language": f"l{i}", "se": 1.0,
         "gain": slope * np.log10(size / 1e9) + rng.normal(0, 3)}
        for task, slope in TASKS.items()
        for size, name in zip(SIZES, NAMES, strict=True)
        for i in range(5)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def bands() -> pd.DataFrame:
    rng = np.random.default_rng(1)
    grid = np.geomspace(SIZES[0], SIZES[-1], 20)
    return pd.concat(
        band_frame(
            task, grid, rng.normal(0, 2, (500, 1)) + rng.normal(slope, 2, (500, 1)) * np.log10(grid / 1e9)
        )
        for task, slope in TASKS.items()
    )


def forest_rows(count: int = 3) -> pd.DataFrame:
    labels = [*(f"family {i}" for i in range(count)), "overall", "population"]
    level = [*["language_family"] * count, "overall", "population"]
    mean = np.linspace(8, 4, count + 2)
    return pd.DataFrame(
        {
            "level": level,
            "group": [*labels[:count], "", ""],
            "label": labels,
            "mean": mean,
            "low50": mean - 1,
            "high50": mean + 1,
            "ci_low": mean - 3,
            "ci_high": mean + 3,
            "ci_prob": 0.95,
            "p_positive": 0.99,
            "n_languages": 4,
            "n_checkpoints": 6,
            "n_rows": 24,
        }
    )


def influence_rows() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "checkpoint": NAMES,
            "params": SIZES,
            "slope_mean": np.linspace(5, 7, 6),
            "slope_ci_low": 2.0,
            "slope_ci_high": 10.0,
            "shift": np.linspace(-1, 1, 6),
            "pareto_k": [0.1, 0.2, 0.3, 0.4, 0.5, 0.9],
        }
    )


def predictive_rows() -> pd.DataFrame:
    data = cells()
    rng = np.random.default_rng(2)
    replicated = data["gain"].to_numpy() + rng.normal(0, 3, (300, len(data)))
    names = data["checkpoint"].to_numpy(dtype=object)
    return predictive_frame(data["gain"].to_numpy(), replicated, names, data["params"].to_numpy())


def prior_rows() -> pd.DataFrame:
    rng = np.random.default_rng(3)
    names = ["tau_task", "tau_task_slope", "tau_checkpoint", "tau_residual"]
    wide = {name: np.abs(rng.normal(0, 5, 1000)) for name in names}
    return priors_frame(wide, {name: rng.gamma(3, 1, 1000) for name in names})


def score_rows() -> pd.DataFrame:
    rows = [
        {"task": task, "language": f"l{k}", "params": size, "stage": stage, "score": score + rise * i + 2 * k,
         "chance": 33.3, "metric": "accuracy", "unit": "%"}
        for stage, score, rise in (("baseline", 40.0, 1), ("after intermediate training", 45.0, 4))
        for task in TASKS
        for i, size in enumerate(SIZES)
        for k in range(5)
    ]  # fmt: skip
    return pd.DataFrame(rows)


def slope_draws() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(4)
    return {"overall": rng.normal(6, 2, 4000), "population": rng.normal(6, 4, 4000)}


def laws() -> PaperFigure:
    line = bands()
    line = line[line["panel"].isin(["xnli", "xcopa"])]
    return draw_laws(line, pd.DataFrame({"params": SIZES, "gain": np.arange(6.0), "checkpoint": NAMES}))


#: Tasks as a harness calls them.
LONG = dict(
    zip(
        TASKS,
        ("mmlu_high_school_european_history", "mmlu_college_computer_science", "ARC-Easy", "a" * 20),
        strict=True,
    )
)

WIDTHS = width_frame([("languages", "l", 6.6, 5.4, 8.0), ("checkpoints", "c", 6.3, 2.0, 11.0)])

FIGURES = {
    "gain_curve": lambda: draw_gain(bands(), cells()),
    "gain_curve_long": lambda: draw_gain(bands().replace(LONG), cells().replace(LONG)),
    "scores_long": lambda: draw_scores(score_rows().replace(LONG)),
    "forest": lambda: draw_forest(forest_rows()),
    "forest_long": lambda: draw_forest(forest_rows(26)),
    "slope": lambda: draw_slope(slope_draws(), rope=(-1, 1)),
    "predictive": lambda: draw_predictive(predictive_rows()),
    "influence": lambda: draw_influence(
        influence_rows(), {"mean": 6.0, "ci_low": 2.0, "ci_high": 10.0, "ci_prob": 0.95}
    ),
    "priors": lambda: draw_priors(prior_rows()),
    "scales": lambda: draw_scales(
        pd.concat([forest_rows().assign(scale="points"), forest_rows().assign(scale="log_odds")])
    ),
    "width": lambda: draw_width(WIDTHS),
    "scores": lambda: draw_scores(score_rows()),
    "laws": laws,
}


@pytest.fixture(scope="module", params=sorted(FIGURES))
def figure(request) -> PaperFigure:
    return FIGURES[request.param]()


def visible_texts(figure: PaperFigure) -> list[Text]:
    figure.draw_without_rendering()
    return [
        text
        for text in figure.findobj(Text)
        if text.get_visible() and text.get_text().strip() and (text.axes is None or text.axes.get_visible())
    ]


def test_figures_are_sized_for_the_page_and_legible(figure):
    assert figure.get_figwidth() in {SINGLE, DOUBLE}
    assert figure.get_figheight() < 9
    assert min(text.get_fontsize() for text in visible_texts(figure)) >= 7


def test_no_text_is_parsed_as_mathematics(figure):
    parsed = [text for text in visible_texts(figure) if text.get_parse_math()]
    assert not parsed, [text.get_text() for text in parsed]


def test_vector_files_are_well_formed(figure):
    svg = figure_bytes(figure, "svg")
    ElementTree.fromstring(svg)
    ElementTree.fromstring(inline_svg(svg, "a"))


def drawn_texts(figure: PaperFigure) -> list[Text]:
    """Return the texts that are printed: of tick labels only those of ticks inside the limits."""
    texts = visible_texts(figure)
    axes = [axis for panel in figure.axes for axis in (panel.xaxis, panel.yaxis)]
    kept = {id(tick.label1) for axis in axes for tick in axis._update_ticks()}
    pooled = {id(tick.label1) for axis in axes for tick in (*axis.majorTicks, *axis.minorTicks)}
    return [text for text in texts if id(text) in kept or id(text) not in pooled]


def test_no_text_leaves_the_figure_or_covers_another(figure):
    renderer = figure.canvas.get_renderer()
    boxes = [(text.get_text(), text.get_window_extent(renderer)) for text in drawn_texts(figure)]
    width, height = figure.canvas.get_width_height()
    for name, box in boxes:
        assert box.x0 >= -0.5, name
        assert box.y0 >= -0.5, name
        assert box.x1 <= width + 0.5, name
        assert box.y1 <= height + 0.5, name
    for i, (name, box) in enumerate(boxes):
        for other, rival in boxes[i + 1 :]:
            across = min(box.x1, rival.x1) - max(box.x0, rival.x0)
            along = min(box.y1, rival.y1) - max(box.y0, rival.y0)
            assert min(across, along) < 1.5, (name, other)


def test_every_figure_has_its_numbers_and_its_words(figure):
    assert len(figure.plot_data) > 0
    assert "layer" in figure.plot_data
    assert len(figure.alt) > 40
    assert "nan" not in figure.alt


@pytest.mark.parametrize("kind", ["pdf", "png", "svg"])
def test_files_have_the_same_bytes_each_time(kind):
    first, second = figure_bytes(FIGURES["gain_curve"](), kind), figure_bytes(FIGURES["gain_curve"](), kind)
    assert first == second
    assert not re.search(rb"20\d\d-\d\d-\d\d|D:20\d\d", first)


def test_files_are_written_in_three_formats_and_fonts_are_embedded(tmp_path):
    paths = save_figure(FIGURES["width"](), tmp_path / "deep" / "width")
    assert [path.suffix for path in paths] == [".pdf", ".png", ".svg"]
    assert b"FontFile2" in paths[0].read_bytes()
    assert paths[1].read_bytes()[1:4] == b"PNG"
    assert sorted(tmp_path.joinpath("deep").iterdir()) == sorted(paths)


@pytest.mark.parametrize("name", ["$$", "a$b$c", "$a_b^c$", r"$\frac$", "<b>&", "--> <!--", "100%"])
@pytest.mark.parametrize("kind", ["svg", "pdf", "png"])
def test_names_are_drawn_as_they_are(name, kind):
    rows = forest_rows().assign(label=lambda frame: frame["label"].where(frame.index > 0, name))
    figure = draw_forest(rows)
    assert name in {text.get_text() for text in figure.findobj(Text)}
    data = figure_bytes(figure, kind)
    if kind == "svg":
        ElementTree.fromstring(data)
        ElementTree.fromstring(inline_svg(data, "a"))


def test_inline_svg_has_its_own_ids_and_no_address():
    one, two = (inline_svg(figure_bytes(FIGURES["forest"](), "svg"), prefix) for prefix in ("a", "b"))
    ids = [re.findall(r'\bid="([^"]+)"', svg) for svg in (one, two)]
    assert not set(ids[0]) & set(ids[1])
    assert len(ids[0]) == len(set(ids[0]))
    assert set(re.findall(r'href="#([^"]+)"', one)) <= set(ids[0])
    assert set(re.findall(r"url\(#([^)]+)\)", one)) <= set(ids[0])
    assert "http" not in one


def test_drawing_leaves_the_settings_of_matplotlib_alone():
    before = dict(mpl.rcParams)
    figure_bytes(FIGURES["slope"](), "png")
    assert dict(mpl.rcParams) == before


def test_figures_need_no_pyplot():
    code = "import sys, gainlaw.report.exhibits; print('matplotlib.pyplot' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"


def test_bands_are_quantiles_of_the_draws():
    draws = np.arange(101.0)[:, None] * np.ones((1, 2))
    band = band_frame("x", np.array([1e9, 1e10]), draws)
    assert band[["ci_low", "low50", "mean", "high50", "ci_high"]].iloc[0].tolist() == pytest.approx(
        [2.5, 25, 50, 75, 97.5]
    )


def test_gain_curve_draws_every_cell_and_the_means_of_the_checkpoints():
    data = cells()
    figure = draw_gain(bands(), data)
    assert [axes.get_title(loc="left") for axes in figure.axes] == [
        "XNLI",
        "XCOPA",
        "XStoryCloze",
        "XWinograd",
    ]
    for axes, task in zip(figure.axes, TASKS, strict=True):
        dots, diamonds = axes.collections[-2:]
        mine = data[data["panel"] == task]
        np.testing.assert_allclose(np.sort(dots.get_offsets()[:, 1]), np.sort(mine["gain"]))
        means = mine.groupby("params")["gain"].mean()
        np.testing.assert_allclose(np.sort(diamonds.get_offsets()[:, 1]), np.sort(means))
        assert axes.get_xscale() == "log"
        labels = [label.get_text() for label in axes.get_xticklabels()]
        assert {"1B", "10B", "100B"} <= set(labels) or not any(labels)
    assert set(figure.plot_data["layer"]) == {"band", "cell", "checkpoint"}


def test_of_many_tasks_those_with_most_rows_have_a_panel():
    tasks = pd.Series([f"task{number:02}" for number in range(40) for _ in range(1 + number // 30)])
    shown, words = panels_of(tasks)
    assert shown == [
        *(f"task{number:02}" for number in (0, 1)),
        *(f"task{number}" for number in range(30, 40)),
    ]
    assert words == " (of 40 tasks the 12 with most rows)"


def test_forest_draws_the_intervals_of_its_rows_and_marks_the_means():
    rows = forest_rows()
    figure = draw_forest(rows)
    axes, side = figure.axes
    drawn = [tuple(line.get_xdata()) for line in axes.lines if len(line.get_xdata()) == 2]
    for row in rows.to_dict("records"):
        assert (row["ci_low"], row["ci_high"]) in drawn
        assert (row["low50"], row["high50"]) in drawn
    colors = {line.get_color() for line in axes.lines}
    assert {COLORS[0], COLORS[1]} <= colors
    texts = [text.get_text() for text in side.texts]
    assert "8.0 [5.0, 11.0]" in texts
    assert texts.count("6") == len(rows)


@pytest.mark.parametrize("weight", ["", "-Bold"])
def test_the_small_fonts_are_cuts_of_dejavu_sans(weight: str) -> None:
    from fontTools.pens.recordingPen import DecomposingRecordingPen
    from fontTools.ttLib import TTFont

    whole = TTFont(Path(mpl.get_data_path()) / "fonts/ttf" / f"DejaVuSans{weight}.ttf")
    small = TTFont(Path(style.__file__).parent / "fonts" / f"gainlawSans{weight}.ttf")
    ours, theirs = small.getBestCmap(), whole.getBestCmap()
    assert set(map(ord, "azAZ09äéßłžΩβ−–…×≥↑ ")) <= set(ours)
    for code, name in ours.items():
        assert small["hmtx"][name] == whole["hmtx"][theirs[code]]
        drawn = [DecomposingRecordingPen(font.getGlyphSet()) for font in (small, whole)]
        small.getGlyphSet()[name].draw(drawn[0])
        whole.getGlyphSet()[theirs[code]].draw(drawn[1])
        assert drawn[0].value == drawn[1].value


def test_characters_beyond_the_small_fonts_come_from_the_whole_ones() -> None:
    def fonts(text: str) -> set[bytes]:
        with style.style():
            figure, grid = style.new_figure(SINGLE, 1.0)
            grid[0, 0].set_axis_off()
            figure.text(0.1, 0.5, text)
        return set(re.findall(rb"/BaseFont /[A-Z]+\+(\w+)", figure_bytes(figure, "pdf")))

    assert fonts("xnli") == {b"gainlawSans"}
    assert fonts("xnli русский") == {b"gainlawSans", b"DejaVuSans"}


def test_scores_draw_means_and_the_middle_half_of_the_languages():
    rows = score_rows()
    figure = draw_scores(rows)
    for axes, task in zip(figure.axes, sorted(TASKS), strict=True):
        mine = rows[rows["task"] == task].groupby(["stage", "params"])["score"]
        drawn = {tuple(np.round(line.get_ydata(), 6)) for line in axes.lines}
        halves = [set(np.round(band.get_paths()[0].vertices[:, 1], 6)) for band in axes.collections]
        for stage in ("baseline", "after intermediate training"):
            assert tuple(mine.mean()[stage].round(6)) in drawn
            middle = {*mine.quantile(0.25)[stage].round(6), *mine.quantile(0.75)[stage].round(6)}
            assert middle in halves


def test_slope_shares_add_up_and_are_those_of_the_draws():
    draws = slope_draws()
    shares = draw_slope(draws, rope=(-1, 1)).plot_data.query("layer == 'share'").set_index("level")
    np.testing.assert_allclose(shares[["below", "inside", "above"]].sum(axis=1), 1)
    assert shares.loc["overall", "above"] == np.mean(draws["overall"] > 1)


def test_slope_density_integrates_to_one():
    density = draw_slope(slope_draws(), rope=(-1, 1)).plot_data.query(
        "layer == 'density' and level == 'overall'"
    )
    assert np.trapezoid(density["density"], density["slope"]) == pytest.approx(1, abs=0.01)


def test_predictive_check_compares_with_replications_of_the_same_checkpoint():
    rows = predictive_rows().query("statistic == 'mean'").set_index("checkpoint")
    expected = cells().groupby("checkpoint")["gain"].mean()
    np.testing.assert_allclose(rows["observed"], expected.loc[rows.index])
    assert (rows["low95"] < rows["observed"]).all()
    assert (rows["observed"] < rows["high95"]).all()
    assert rows["params"].is_monotonic_increasing


def test_influence_marks_an_unreliable_checkpoint():
    figure = FIGURES["influence"]()
    bold = [text.get_text() for text in figure.axes[1].texts if text.get_fontweight() == "bold"]
    assert bold == ["0.90"]
    assert any("0.7" in text.get_text() for text in figure.legends[0].get_texts())


def test_width_is_told_against_the_first_interval():
    assert WIDTHS["ratio"].tolist() == pytest.approx([1, 9 / 2.6])
    texts = [text.get_text() for text in draw_width(WIDTHS).axes[1].texts]
    assert "3.5× as wide" in texts


def test_colours_differ_in_lightness_for_readers_without_colour():
    def luminance(color: str) -> float:
        red, green, blue = (int(color[i : i + 2], 16) / 255 for i in (1, 3, 5))
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue

    assert abs(luminance(COLORS[0]) - luminance(COLORS[1])) > 0.05


@pytest.mark.parametrize("sizes", [(1e8, 1e11), (1.1e9, 4e9), (7e9, 7.9e9), (1e6, 1e12), (7e9, 7e9)])
@pytest.mark.parametrize("count", [5, 7])
def test_panels_keep_the_labels_of_their_sizes(sizes, count):
    """However many panels and however narrow the range: the lowest of every column has labels, which do not touch."""
    grid = np.geomspace(*sizes, 5)
    names = [f"task{k}" for k in range(count)]
    lines = pd.concat([band_frame(name, grid, np.zeros((4, 1)) + np.arange(5.0)) for name in names])
    dots = pd.DataFrame({"panel": np.repeat(names, 5), "params": np.tile(grid, count), "gain": 1.0})
    figure = draw_gain(lines, dots)
    panels = [axes for axes in figure.axes if axes.get_visible()]
    assert len(panels) == count
    for place, axes in enumerate(panels):
        shown = [label for label in axes.get_xticklabels() if label.get_visible() and label.get_text()]
        if place + 4 < count:
            assert not shown
            continue
        assert len(shown) >= 2
        boxes = [label.get_window_extent() for label in shown]
        assert all(first.x1 < second.x0 for first, second in pairwise(boxes))


def test_letters_come_from_any_font_and_what_none_has_is_said(monkeypatch):
    def figure_of(name):
        with style.style():
            figure, axes = new_figure(SINGLE, 2.0)
            axes[0, 0].set_title(name)
            axes[0, 0].set_yticks([0.5], [name])
            return finish(figure, {}, "A figure.")

    monkeypatch.setitem(style._RC, "font.family", ["gainlaw Sans"])
    monkeypatch.setattr(fonts, "_OTHERS", ("DejaVu Sans", "no such font"))
    assert figure_of("xnli").lacking == ""
    found = figure_of("العربية")
    assert (found.lacking, found.alt) == ("", "A figure.")
    absent = figure_of("العربية \N{PARROT}")
    assert absent.lacking == "No font of this machine has 1 character (\N{PARROT}); boxes stand there."
    assert absent.alt == f"A figure. {absent.lacking}"
    for kind in KINDS:  # without a warning
        assert figure_bytes(absent, kind)


def test_spots_lie_where_the_points_are_drawn():
    figure = draw_gain(bands(), cells())
    spots = {words: (x, y) for x, y, words in figure.spots}
    drawn = cells()
    assert len(figure.spots) == len(drawn) + len(TASKS) * len(SIZES)
    row = drawn[(drawn["panel"] == "xcopa") & (drawn["language"] == "l3")].iloc[2]
    axes = figure.axes[1]
    x, y = axes.transData.transform((row["params"], row["gain"])) / (figure.bbox.width, figure.bbox.height)
    gain = f"{row['gain']:.1f}".replace("-", "\N{MINUS SIGN}")
    said = f"l3, bloom-1b7 (1.7B): {gain} ± 1.0"
    assert spots[said] == pytest.approx((x, 1 - y), abs=1e-3)


def test_a_style_sheet_is_drawn_by_and_what_is_wrong_with_it_is_said(tmp_path):
    def drawn():
        return draw_forest(forest_rows())

    plain = drawn()
    file = tmp_path / "mine.mplstyle"
    file.write_text('# mine\nfont.size: 12  # larger\nytick.labelsize: 12\naxes.labelcolor: "#aa0000"\n')
    with figure_style(file), figure_style({"font.size": 11}):
        large = drawn()
    after = drawn()
    assert [figure.axes[0].get_yticklabels()[0].get_fontsize() for figure in (plain, large, after)] == [
        7,
        12,
        7,
    ]
    assert large.axes[0].xaxis.label.get_color() == "#aa0000"
    assert dict(large.sheet)["font.size"] == 11
    assert figure_bytes(plain, "svg") == figure_bytes(after, "svg") != figure_bytes(large, "svg")
    file.write_text("font.size 9\nnope: 1\ntext.usetex: True\nfont.size: big\n", encoding="utf-8")
    with pytest.raises(InputError) as found, figure_style(file):
        pass
    told = str(found.value)
    said = (
        "line 1: 'font.size 9' is no",
        "line 2: there is no setting 'nope'",
        "text.usetex is not",
        "be 'big'",
    )
    for words in said:
        assert words in told
    with pytest.raises(InputError, match="cannot be read"), figure_style(tmp_path / "absent"):
        pass
