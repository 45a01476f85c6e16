"""The report: one page that stands alone, numbers that agree with the tables, a paper that compiles."""

from __future__ import annotations

import multiprocessing
import re
import shutil
import subprocess
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import binom

import gainlaw as gl
from gainlaw.claims.chance import Chances
from gainlaw.claims.evaluate import Probability
from gainlaw.claims.verdict import Companion, Verdict, verdicts_frame
from gainlaw.errors import GainlawError, InputError
from gainlaw.figures.common.arrange import arrange_fits
from gainlaw.figures.forest import alike
from gainlaw.fitting.checks.predictive import predictive_data
from gainlaw.formats import MINUS, format_interval, format_number
from gainlaw.report.answer import answer
from gainlaw.report.artists import hire
from gainlaw.report.exhibits import LONGEST_FIRST, basis_of, read_exhibits
from gainlaw.report.limits import limits_of
from gainlaw.report.write import Report, draw_figures, write_report
from gainlaw.tables.estimates import estimates_table, gain_at_table, slopes_table

SIZES = (5e8, 1e9, 3e9, 1e10, 3e10)


def small_evaluations():
    """Return scores of a toy study: two tasks, four languages of three families, five sizes, a growing gain.

    No probability of a slope lies near the threshold, where tens of thousands of draws would be taken to decide.
    """
    rng = np.random.default_rng(7)
    rows = []
    for size in SIZES:
        for task, chance in (("xnli", 1 / 3), ("xcopa", 0.5)):
            for language in ("de", "fr", "sw", "tr"):
                before = chance + 0.05
                after = before + 0.02 + 0.1 * np.log10(size / SIZES[0]) + rng.normal(0, 0.01)
                for name, share in (("none", before), ("mnli <&> sift", after)):
                    tail = "" if name == "none" else "-mnli"
                    rows.append(
                        {
                            "model_family": "toy_family",
                            "model": f"toy-{size:.0e}{tail}",
                            "params": int(size),
                            "base_model": "" if name == "none" else f"toy-{size:.0e}",
                            "intermediate": name,
                            "task": task,
                            "language": language,
                            "n_correct": int(rng.binomial(1000, share)),
                            "n_examples": 1000,
                        }
                    )
    return gl.evaluations_from_frame(pd.DataFrame(rows), source="toy_study")


@pytest.fixture(scope="module")
def fit():
    return gl.fit(small_evaluations().gains(scale="points"), draws=600, tune=400, chains=4, seed=1)


@pytest.fixture(scope="module")
def twin():
    return gl.fit(small_evaluations().gains(scale="normalized"), draws=600, tune=400, chains=4, seed=1)


@pytest.fixture(scope="module")
def verdicts() -> list[Verdict]:
    companion = Companion("REML, Kenward-Roger", "ok", 5.0, 1.0, 3.2, 0.9, 1.0)
    judged = Verdict(
        name="shrinks", claim="slope < 0", verdict="refuted", probability=0.001, probability_points=0.001,
        estimate=5.0, ci_low=2.0, ci_high=8.0, text="the gain shrinks <with> scale", companion=companion,
    )  # fmt: skip
    untested = Verdict(name="squad", claim="gain(560M)[intermediate=squad] > 8", verdict="untested",
                       reason="rows with intermediate = squad_v1 & XLM-R")  # fmt: skip
    return [judged, untested]


@pytest.fixture(scope="module")
def report(fit, twin, verdicts, tmp_path_factory) -> Report:
    fits = {"linear law": fit, "linear law, normalized": twin}
    return write_report(
        fits, tmp_path_factory.mktemp("report"), verdicts=verdicts, title="A 100% <toy> study_1"
    )


class Page(HTMLParser):
    """What the tests ask of the page: tags that close, ids, links, and the text of the lead."""

    VOID = ("meta", "link", "br", "img", "hr", "input")

    def __init__(self, html: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self.lead: list[str] = []
        self.headings: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if "p" in self.open and dict(self.seen_of("p")[-1]).get("class") == "lead":
            self.lead.append(data)
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)

    def seen_of(self, tag: str) -> list[dict[str, str | None]]:
        return [attrs for name, attrs in self.seen if name == tag]


@pytest.fixture(scope="module")
def html(report) -> str:
    return report.path.read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(html) -> Page:
    return Page(html)


def test_the_page_closes_its_tags_and_its_ids_are_unique(page):
    assert page.open == []
    ids = [attrs["id"] for _, attrs in page.seen if "id" in attrs]
    assert len(ids) == len(set(ids))
    targets = {attrs["href"][1:] for _, attrs in page.seen if str(attrs.get("href", "")).startswith("#")}
    assert targets <= set(ids)
    described = {
        attrs[key]
        for _, attrs in page.seen
        for key in ("aria-describedby", "aria-labelledby")
        if key in attrs
    }
    assert described <= set(ids)


def test_the_page_stands_alone(html, page):
    assert not re.search(r"https?:|//[a-z]", html)
    assert not {tag for tag, _ in page.seen} & {"link", "iframe", "img"}
    # One script runs; the others are data of figures.
    assert [attrs for attrs in page.seen_of("script") if attrs != {"type": "application/json"}] == [{}]
    (policy,) = (attrs for attrs in page.seen_of("meta") if "http-equiv" in attrs)
    assert str(policy["content"]).startswith("default-src 'none'; ")
    assert not re.search(r"fetch\(|XMLHttpRequest|import\(|sendBeacon|WebSocket", html)
    assert not re.search(r"@import|url\((?!#)", html)


def test_what_repeats_a_figure_or_is_long_is_folded(html):
    def folded(table: str) -> bool:
        before = html[: html.index(f'id="tab-{table}"')]
        inside = before[before.rindex("<section") :]
        return inside.count("<details") > inside.count("</details>")

    assert all(folded(name) for name in ("sds", "influence-table", "estimates", "priors"))
    assert not any(folded(name) for name in ("claims", "data", "forest-task"))
    assert 'id="tab-slopes-task"' not in html  # the forest has its numbers


def test_groups_that_say_the_same_are_not_drawn():
    rows = pd.DataFrame(
        {"level": "language", "mean": np.linspace(1.0, 1.2, 10), "ci_low": -1.0, "ci_high": 3.0}
    )
    assert alike(rows, "language")
    assert not alike(rows.iloc[:4], "language")
    assert not alike(rows.assign(mean=np.linspace(0.0, 2.0, 10)), "language")


def test_the_page_can_be_found_around_in(page):
    assert page.headings[1:] == [
        "The answer", "Claims", "Results", "Why the interval is wide", "Data", "Method", "One curve a task",
        "Diagnostics", "Priors and sensitivity", "Every estimate", "How to reproduce and cite",
    ]  # fmt: skip
    assert page.seen_of("html")[0]["lang"] == "en"
    pictures = [attrs for attrs in page.seen_of("svg") if attrs.get("aria-hidden") != "true"]
    assert len(pictures) >= 8
    assert all(len(attrs["aria-label"]) > 40 and attrs["role"] == "img" for attrs in pictures)


def test_tables_and_figures_are_numbered_in_the_order_of_the_page(html):
    for kind in ("Table", "Figure"):
        numbers = [int(number) for number in re.findall(rf"<b>{kind} (\d+)\.</b>", html)]
        assert numbers == list(range(1, len(numbers) + 1))
    assert "<b>Table #</b>" not in html


def test_the_title_and_the_names_of_the_user_are_escaped(html):
    assert "A 100% &lt;toy&gt; study_1" in html
    assert "mnli &lt;&amp;&gt; sift" in html
    assert "the gain shrinks &lt;with&gt; scale" in html


def test_the_numbers_of_the_first_paragraph_are_those_of_the_tables(fit, twin, report, page):
    lead = "".join(page.lead)
    assert lead.startswith(report.answer.headline)
    table = slopes_table(fit, "task").frame.set_index("level")
    for level in ("overall", "population"):
        row = table.loc[level]
        shown = format_number(row["mean"], 1, MINUS), format_interval(row["ci_low"], row["ci_high"], 1, MINUS)
        assert " ".join(shown) in lead
    other = slopes_table(twin, "task").frame.set_index("level").loc["overall"]
    assert format_interval(other["ci_low"], other["ci_high"], 1, MINUS) in lead
    assert "40 gains from 5 checkpoints at 5 sizes" in lead
    written = pd.read_csv(report.path.parent / "tables" / "slopes_task.csv").set_index("level")
    assert written.loc["overall", "mean"] == report.answer.values["slope_overall_mean"]


def test_the_gains_of_the_second_paragraph_are_those_of_the_tables(fit, report):
    row = gain_at_table(fit, "task").frame.set_index("level").loc["overall"]
    text = " ".join(report.answer.more)
    for size in ("1B", "10B"):
        assert format_interval(row[f"low_{size}"], row[f"high_{size}"], 1, MINUS) in text


def with_chances(monkeypatch, **by_scale: float) -> None:
    """Let the slope be positive with these probabilities, by scale."""

    def of(self, claim, threshold):
        positive = by_scale[self.posterior.scale]
        return Probability(positive if claim.op == ">" else 1.0 - positive, 0.001, 0.0)

    monkeypatch.setattr(Chances, "of", of)


@pytest.mark.parametrize(
    ("positive", "word"),
    [
        (0.99, "grows with"),
        (0.01, "shrinks with"),
        (0.6, "do not settle"),
        (0.976, "do not settle"),  # two errors do not tell it from the threshold
    ],
)
def test_the_headline_follows_the_probability(fit, monkeypatch, positive, word):
    with_chances(monkeypatch, points=positive)
    assert word in answer(fit).headline


@pytest.mark.parametrize(
    ("points", "normalized", "headline", "sentence"),
    [
        (0.99, 0.99, "grows with model size.", "the same direction"),
        (0.99, 0.01, "grows with model size in percentage points and shrinks in", "scale-dependent"),
        (
            0.99,
            0.7,
            "in percentage points; in chance-corrected points the direction is not settled",
            "same way",
        ),
        (
            0.7,
            0.99,
            "in chance-corrected points; in percentage points the direction is",
            "that scale alone",
        ),
        (0.99, 0.3, "do not settle", "lean in opposite directions"),
        (0.6, 0.3, "do not settle", "open on that scale too"),
    ],
)
def test_the_answer_says_what_two_scales_come_to(
    fit, twin, monkeypatch, points, normalized, headline, sentence
):
    with_chances(monkeypatch, points=points, normalized=normalized)
    found = answer(fit, twin)
    assert headline in found.headline
    assert any(sentence in each for each in found.sentences)
    assert ("scale-dependent" in found.text) == (points > 0.9 and normalized < 0.1)


def test_the_answer_and_the_claims_have_the_same_probability(fit):
    assert (
        answer(fit).values["slope_overall_p_positive"] == gl.assess(fit, "slope > 0", both=False).probability
    )


@pytest.fixture(scope="module")
def drawn(fit, twin, tmp_path_factory) -> Path:
    """The figures of the report, drawn again: for its bytes, and for tests that ask for words, files or errors."""
    fits = {"linear law": fit, "linear law, normalized": twin}
    return draw_figures(fits, tmp_path_factory.mktemp("drawn"))


def test_failed_diagnostics_are_told_on_top(fit, drawn, tmp_path):
    checks = tuple(
        replace(check, passed=False) if check.name == "ess" else check for check in fit.diagnostics.checks
    )
    failed = replace(fit, diagnostics=replace(fit.diagnostics, status="failed", checks=checks))
    report = write_report(failed, tmp_path, figures=drawn)
    html = report.path.read_text(encoding="utf-8")
    assert not report.answer.trusted
    assert report.answer.text.startswith("Diagnostics failed")
    assert html.index('class="banner"') < html.index('id="answer"')
    assert 'class="status failed"' in html
    assert "must not be trusted" in (tmp_path / "paper.tex").read_text(encoding="utf-8")


def test_every_table_and_figure_is_a_file_of_its_own(report):
    folder = report.path.parent
    tables = {path.stem for path in (folder / "tables").iterdir()}
    figures = {path.stem for path in (folder / "figures").iterdir()}
    assert {
        "data",
        "checkpoints",
        "gains",
        "slopes_task",
        "claims",
        "priors",
        "diagnostics",
        "estimates",
    } <= tables
    assert {"gain_curve", "forest_task", "forest_language_family", "slope", "scales", "predictive"} <= figures
    assert {path.suffix for path in (folder / "tables").iterdir()} == {".tex", ".csv", ".md"}
    assert {path.suffix for path in (folder / "figures").iterdir()} == {".pdf", ".png", ".svg", ".csv"}
    found = sorted(path for path in folder.rglob("*") if path.is_file())
    assert sorted(report.files) == found


def test_figures_drawn_before_and_drawn_again_give_the_same_bytes(
    fit, twin, verdicts, report, drawn, tmp_path
):
    fits = {"linear law": fit, "linear law, normalized": twin}
    again = write_report(
        fits, tmp_path, verdicts=verdicts_frame(verdicts), title="A 100% <toy> study_1", figures=drawn
    )
    assert [path.name for path in again.files] == [path.name for path in report.files]
    for first, second in zip(report.files, again.files, strict=True):
        assert first.read_bytes() == second.read_bytes(), first.name


def test_several_processes_draw_the_same_figures(fit, twin, drawn):
    basis = basis_of(arrange_fits({"linear law": fit, "linear law, normalized": twin}))
    with hire(1) as artists:
        artists.begin(basis)
        assert artists.lines[0].poll(120)  # so that the other process has drawn them all
        assert artists.finish(basis) == read_exhibits(drawn)


def test_artists_tell_how_far_they_are(fit, monkeypatch, tmp_path):
    monkeypatch.setattr("gainlaw.report.exhibits.draw_kind", lambda *_: [])
    seen = []
    with hire(0) as artists:
        draw_figures(fit, tmp_path, artists=replace(artists, progress=lambda *at: seen.append(at)))
    assert seen == [(k, len(LONGEST_FIRST)) for k in range(len(LONGEST_FIRST))]


def test_a_killed_artist_is_told(fit):
    basis = basis_of(arrange_fits(fit))
    with hire(1) as artists:
        artists.taken.value = len(LONGEST_FIRST)
        multiprocessing.active_children()[0].kill()
        with pytest.raises(GainlawError, match="killed"):
            artists.finish(basis)


def test_a_folder_without_the_figures_is_refused(fit, drawn, tmp_path):
    partial = shutil.copytree(drawn, tmp_path / "drawn")
    (partial / "slope.svg").unlink()
    for folder in (partial, tmp_path / "nowhere"):
        with pytest.raises(gl.InputError, match="holds no figures of a report"):
            write_report(fit, tmp_path / "report", figures=folder)
    assert not (tmp_path / "report").exists()
    (partial / "exhibits.json").write_text('{"name": "x"}', encoding="utf-8")
    with pytest.raises(gl.InputError, match="holds no figures of a report"):
        write_report(fit, tmp_path / "report", figures=partial)


def test_a_report_that_fails_leaves_what_was_there(fit, drawn, tmp_path, monkeypatch):
    write_report(fit, tmp_path, figures=drawn)
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    monkeypatch.setattr("gainlaw.report.paper.render_paper", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_report(fit, tmp_path, title="another", figures=drawn)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_the_paper_compiles(report):
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    for _ in range(2):
        done = subprocess.run(
            ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "paper.tex"],
            cwd=report.path.parent,
            capture_output=True,
            check=False,
        )
        log = done.stdout.decode(errors="replace")
        assert done.returncode == 0, log[-2000:]
    assert "undefined references" not in log
    wide = [float(width) for width in re.findall(r"Overfull \\hbox \(([\d.]+)pt", log)]
    assert max(wide, default=0) < 3
    for name in ("aux", "log", "out", "pdf"):
        (report.path.parent / f"paper.{name}").unlink(missing_ok=True)


def test_the_paper_uses_a_figure_once_and_names_what_it_leaves_to_files(report):
    text = (report.path.parent / "paper.tex").read_text(encoding="utf-8")
    used = re.findall(r"\\includegraphics\{figures/(\w+)\.pdf\}", text)
    assert len(used) == len(set(used))
    left = {path.stem for path in report.files if path.suffix == ".pdf"} - set(used)
    # What only the page has: one curve a task, priors, many rows, and the figures on the other scale.
    assert {name for name in left if not re.search("_(normalized|log_odds|points)$", name)} <= {
        "curves", "priors_figure", "forest_language",
    }  # fmt: skip
    shown = re.findall(r"\\input\{tables/(\w+)\.tex\}", text)
    beside = text.split("Beside this paper")[1].split("report.html")[0].replace("\\_", "_")
    made = {path.stem for path in report.files if path.parent.name == "tables" and path.suffix == ".tex"}
    assert made == set(shown) | {name for name in made if name in beside}


def test_claims_that_lack_rows_say_what_is_missing(html):
    assert "rows with intermediate = squad_v1 &amp; XLM-R" in html
    assert "1 refuted" in html


def test_estimates_of_every_kind_have_words(fit):
    frame = estimates_table(fit).frame
    crossings = frame.loc[frame["estimand"] == "crossing", "shown"]
    assert all(re.fullmatch(r"[<>]? ?[\d.]+[KMBT]|–", text) for text in crossings)
    assert "sd of checkpoint × task" in set(frame["row"]) or "sd of checkpoint" in set(frame["row"])


@pytest.mark.usefixtures("svg_alone")
def test_a_study_without_sizes_has_a_report_too(tmp_path):
    schools = pd.DataFrame(
        {
            "task": [f"school_{letter}" for letter in "ABCDEFGH"],
            "gain": [28.0, 8.0, -3.0, 7.0, -1.0, 1.0, 18.0, 12.0],
            "se": [15.0, 10.0, 16.0, 11.0, 9.0, 11.0, 10.0, 18.0],
        }
    )
    constant = gl.fit(
        gl.gains_from_frame(schools, scale="points"), law="constant", draws=400, tune=300, chains=2
    )
    report = write_report(constant, tmp_path)
    assert report.answer.direction == "constant"
    html = report.path.read_text(encoding="utf-8")
    assert Page(html).open == []
    row = constant.estimates.query("estimand == 'gain' and level == 'overall'").iloc[0]
    assert format_interval(row["ci_low"], row["ci_high"], 1, MINUS) in html
    assert (tmp_path / "figures" / "forest_task.pdf").exists()
    assert not (tmp_path / "figures" / "slope.pdf").exists()


def test_fits_are_told_apart_by_their_part(fit, twin):
    arranged = arrange_fits([fit, twin])
    assert arranged.main is fit
    assert arranged.twin is twin
    assert arrange_fits({"a": fit, "b": fit}).others == {"b": fit}
    with pytest.raises(InputError, match="at least one fit"):
        arrange_fits([])


@pytest.mark.usefixtures("svg_alone")
def test_intervals_are_called_what_they_are(monkeypatch, tmp_path):
    """At 80% nothing says 95% but the posterior predictive check, whose level is its own."""
    from matplotlib.text import Text

    from gainlaw.report import exhibits

    said: dict[str, str] = {}
    drawn = exhibits._exhibit

    def collect(drawing):
        words = [text.get_text() for text in drawing.figure.findobj(Text)]
        said[drawing.name] = " ".join([drawing.caption, drawing.figure.alt, *words])
        return drawn(drawing)

    monkeypatch.setattr(exhibits, "_exhibit", collect)
    gains = small_evaluations().gains(scale="points")
    fit, bent, other = (
        gl.fit(gains if scale is None else gains.to_scale(scale), law=law, draws=300, ci_prob=0.8)
        for law, scale in (("linear", None), ("offset_power", None), ("linear", "normalized"))
    )
    fits = {"linear law": fit, "offset power law": bent, "linear law, normalized": other}
    claims = tmp_path / "claims.toml"
    claims.write_text('ci_prob = 0.8\n[[claim]]\nname = "shrinks"\nclaim = "slope < 0"\n')
    report = write_report(fits, tmp_path / "out", verdicts=gl.assess_file(fit, claims))
    assert {
        "slope",
        "gain_curve",
        "forest_task",
        "priors_figure",
        "influence",
        "width",
        "curves",
        "scales",
    } <= set(said)
    own_level = {"predictive"}
    for name, words in said.items():
        assert ("95%" in words) == (name in own_level), (name, words)
    assert sum("80%" in words for words in said.values()) >= 8
    page = report.path.read_text(encoding="utf-8")
    shown = re.sub(r"<svg.*?</svg>|<style.*?</style>", "", page, flags=re.S)
    paper = (report.path.parent / "paper.tex").read_text(encoding="utf-8")
    tables = "".join(path.read_text() for path in (report.path.parent / "tables").glob("*.[mt][de]*"))
    for text in (shown, paper, tables):
        kept = [line for line in re.split(r"(?<=[.:;])\s|\n", text) if re.search(r"\b95 ?\\?%", line)]
        assert all("replic" in line for line in kept), kept
        assert re.search(r"80\\?% (interval|bands?)", text)
    slope = fit.draws["posterior"]
    low, high = np.quantile(np.asarray(slope["tau_checkpoint"]).ravel(), [0.1, 0.9])
    row = gl.tables.sds_table(fit).frame.set_index("variable").loc["tau_checkpoint"]
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((low, high))


@pytest.fixture(scope="module")
def bent_study():
    """A gain that levels off at once, which the linear law does not describe; both laws, and no size at all."""
    rng = np.random.default_rng(3)
    rows = [
        {
            "params": size, "checkpoint": f"m{size:.0e}", "task": task, "language": language, "se": 0.5,
            "gain": 12.0 * (1.0 - (size / 1e8) ** -0.7) + rng.normal(0, 0.5),
        }
        for size in (1e8, 2e8, 4e8, 1e9, 4e9, 2e10, 1e11)
        for task in ("xnli", "xcopa")
        for language in ("de", "sw", "tr")
    ]  # fmt: skip
    gains = gl.gains_from_frame(pd.DataFrame(rows), scale="points")
    return {law: gl.fit(gains, law=law, draws=300) for law in ("linear", "offset_power", "constant")}


def test_the_answer_and_the_comparison_of_laws_agree(bent_study):
    table = gl.compare(bent_study)
    assert table["law"].iloc[0] == "offset_power"
    line, bend = bent_study["linear"], bent_study["offset_power"]
    (law, *_) = limits_of(line, {"bent": bend, "flat": bent_study["constant"]})
    gap = float(table["log_evidence"].max() - table.set_index("law").loc["linear", "log_evidence"])
    assert law.startswith("This is the answer of the linear law, but the evidence prefers, by a factor of")
    factor = f"about {float(f'{np.exp(gap):.0e}'):,.0f}" if gap > np.log(1000) else f"{np.exp(gap):.0f}"
    assert f"by a factor of {factor}, the offset power law" in law
    assert "one slope hides a bend" in law
    row = bend.estimates.query("estimand == 'slope' and level == 'overall'").iloc[0]
    assert f"over the sizes observed is {row['mean']:.1f} [" in law
    (law, *_) = limits_of(bend, {"line": line})
    assert (
        law
        == "This is the answer of the offset power law; neither evidence nor prediction prefers another (linear law)."
    )
    (law, *_) = limits_of(line)
    assert law == "This is the answer of the linear law; no other law was compared."
    assert limits_of(bent_study["constant"], {"line": line}) == ()


@pytest.mark.usefixtures("svg_alone")
def test_the_answer_says_what_the_law_misses(bent_study, monkeypatch, tmp_path):
    fit = bent_study["linear"]
    check = predictive_data(fit)

    def missing(number):
        off = np.where(np.arange(len(check)) < number, 1.0, -0.001)
        altered = check.assign(observed=check["high95"] + off)
        monkeypatch.setattr("gainlaw.fitting.checks.predictive.predictive_data", lambda fit: altered)
        return limits_of(fit)[-1]

    # As many as chance brings in one study of twenty, or fewer, are no fault of the law.
    usual = int(binom.isf(0.05, len(check), 0.05))
    assert "It does not fit everywhere" not in missing(usual)
    said = missing(usual + 1)
    assert said.startswith("It does not fit everywhere.")
    assert f"Of {len(check)} statistics of the checkpoints, {usual + 1} lie outside" in said
    assert f"of {check['checkpoint'].iloc[0]} (above)" in said
    report = write_report({"line": fit, "bend": bent_study["offset_power"]}, tmp_path)
    assert said in report.answer.text
    assert "one slope hides a bend" in report.answer.text
    assert "one slope hides a bend" in report.path.read_text(encoding="utf-8")
    assert "one slope hides a bend" in (tmp_path / "paper.tex").read_text(encoding="utf-8")


def test_what_travels_with_the_data_stands_in_page_and_paper(fit, drawn, tmp_path):
    from gainlaw.notes import Note

    note = Note("unpaired", "rows without a baseline & 50% of a_b; left out of the gains", (3, 7))
    report = write_report(replace(fit, gains=replace(fit.gains, notes=(note,))), tmp_path, figures=drawn)
    page = report.path.read_text(encoding="utf-8")
    assert "2 rows: rows without a baseline &amp; 50% of a_b; left out of the gains (lines 3, 7)" in page
    paper = (tmp_path / "paper.tex").read_text(encoding="utf-8")
    assert (
        r"\item 2 rows: rows without a baseline \& 50\% of a\_b; left out of the gains (lines 3, 7)" in paper
    )
