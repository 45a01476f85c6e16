"""The page: sections and blocks of a report, rendered as one self-contained HTML file."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import gainlaw
from gainlaw.formats import MINUS, format_interval, format_number, format_probability
from gainlaw.notes import count_of
from gainlaw.report.content import Content, Verdicts
from gainlaw.report.exhibits import Exhibit
from gainlaw.report.outline import answering, outline, stands_aside
from gainlaw.report.pictures import forest, picture
from gainlaw.report.references import REFERENCES, bibtex
from gainlaw.report.words import (
    data_words,
    diagnostics_words,
    dropped_words,
    equation_mathml,
    group_words,
    likelihood_words,
    shape_words,
    term_words,
)
from gainlaw.scales import SCALES
from gainlaw.tables import claims_by_group

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord
    from gainlaw.report.across import Together
    from gainlaw.report.answer import Answer
    from gainlaw.tables.table import Table

__all__ = ["render_page"]


# Chapters by what a reader wants first; those after the bar are folded.
_ORDER = (
    "ground",
    "claims",
    "results",
    "width",
    "others",
    "data",
    "|",
    "method",
    "curves",
    "beside",
    "diagnostics",
    "priors",
)
# Figures of the page that have rows: they hold the numbers of the table of slopes, too.
_FOREST = "forest_"


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page: an id, a title, its blocks, each a piece of finished HTML, and whether it is folded."""

    id: str
    title: str
    blocks: tuple[str, ...] = field(default=())
    folded: bool = False


def render_page(content: Content, verdicts: Verdicts, title: str) -> str:
    """Return the report as one HTML page: no address outside it; nothing is loaded, which its policy forbids too.

    Parameters
    ----------
    content : Content
        Tables, figures and the answer.
    verdicts : sequence of Verdict or pandas.DataFrame
        The judged claims.
    title : str
        The title of the page.
    """
    from jinja2 import Environment, PackageLoader, StrictUndefined
    from markupsafe import Markup

    environment = Environment(
        loader=PackageLoader("gainlaw.report", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=False,
    )
    templates = files("gainlaw.report").joinpath("templates")
    css, script = (templates.joinpath(f"report.{kind}").read_text(encoding="utf-8") for kind in ("css", "js"))
    page = environment.get_template("report.html.j2").render(
        title=title,
        subtitle=data_words(content.fits.main)
        if content.across is None
        else f"In detail: {data_words(content.fits.main)}",
        answer=content.answer,
        failures=diagnostics_words(_named(content)),
        sections=[section for section in _sections(content, verdicts) if section.blocks],
        css=Markup(css),
        script=Markup(script),
        version=gainlaw.__version__,
        render=Markup,
    )
    return _numbered(page)


def _named(content: Content) -> dict[str, FitRecord]:
    fits = {SCALES[content.fits.main.scale].title: content.fits.main}
    if content.fits.twin is not None:
        fits[SCALES[content.fits.twin.scale].title] = content.fits.twin
    return fits | dict(content.fits.others)


def _sections(content: Content, verdicts: Verdicts) -> list[Section]:
    show, main = _Show(content), content.fits.main
    before = {"method": _method(main)}
    after = {
        "data": [_list("Notes on the data", [str(note) for note in main.gains.notes])],
        "claims": [show.any("untested")],
    }
    chapters = {chapter.id: chapter for chapter in outline(content, verdicts)}
    sections = [
        Section(
            "answer",
            "The answer" if content.across is None else "The answer of one study",
            _some([_lead(content), _facts(content), *(show.any(name) for name in answering(content))]),
        )
    ]
    if content.across is not None:
        together = [_told(content.across), *(show.any(name) for name in chapters["across"].names)]
        sections.insert(0, Section("across", chapters["across"].title, _some(together)))
    for name in (name for name in _ORDER if name in chapters):
        chapter, failed = chapters[name], name == "diagnostics" and main.status != "ok"
        words = _paragraph(chapter.words, "banner" if failed else "")
        shown = [show.any(each) for each in chapter.names]
        blocks = [words, *before.get(name, []), *shown, *after.get(name, [])]
        folded = _ORDER.index(name) > _ORDER.index("|") and not failed
        sections.append(Section(name, chapter.title, _some(blocks), folded))
    details = [
        show.any("slopes_language"),
        show.any("gain_at_language"),
        show.any("estimates"),
    ]
    sections.append(Section("estimates", "Every estimate", _some(details), folded=True))
    sections.append(Section("cite", "How to reproduce and cite", _some(_cite(content)), folded=True))
    return sections


def _numbered(page: str) -> str:
    """Give tables and figures their numbers, in the order in which they stand on the page."""
    for kind in ("Table", "Figure"):
        numbers = itertools.count(1)
        page = re.sub(f"<b>{kind} #</b>", lambda _, k=kind, n=numbers: f"<b>{k} {next(n)}.</b>", page)  # type: ignore[misc]
    return page


@dataclass(frozen=True, slots=True)
class _Show:
    """The tables and figures of a report by name, as HTML; their numbers come last (`_numbered`)."""

    content: Content

    def any(self, name: str) -> str:
        """Return the table or figure of that name, or nothing where the report has none."""
        if name in self.content.figures:
            return self.figure(self.content.figures[name])
        if name not in self.content.tables or name.replace("slopes_", _FOREST) in self.content.figures:
            return ""
        table = self.content.tables[name]
        return self.claims(table) if name == "claims" else self.table(table)

    def claims(self, table: Table) -> str:
        """Return the table of claims; in a long one, a claim made for each of many groups is folded by itself."""
        single, grouped = claims_by_group(table)
        if not grouped:
            return self.table(table)
        shown = [self.shown(single)] if len(single.frame) else []
        for place, (stem, rows) in enumerate(grouped.items(), 1):
            title = group_words(stem, rows)
            part = replace(table, name=f"claims_{place}", frame=rows, caption=f"{title}.", notes=())
            shown.append(_details(escape(title), self.shown(part)))
        return "\n".join(shown)

    def shown(self, table: Table) -> str:
        """Return a table with room for its number."""
        caption = escape(table.caption)
        return table.to_html().replace(f">{caption}</caption>", f"><b>Table #</b> {caption}</caption>", 1)

    def table(self, table: Table) -> str:
        """Return a table with room for its number, folded where it is long or a figure shows the same."""
        shown = self.shown(table)
        if not stands_aside(self.content, table.name):
            return shown
        # The caption says it in full; what is folded says what it is.
        what = escape(table.caption).split(". ")[0].rstrip(".")
        return _details(f"{what} ({count_of(len(table.frame), 'row')})", shown)

    def figure(self, exhibit: Exhibit) -> str:
        """Return a figure; one that is another on the other scale stands with that one."""
        if exhibit.instead_of:
            return ""
        fits = [fit for fit in (self.content.fits.main, self.content.fits.twin) if fit is not None]
        if exhibit.name.startswith(_FOREST):
            digits = {fit.scale: fit.spec.decimals() for fit in fits}
            first = next(name for name in self.content.figures if name.startswith(_FOREST))
            table = self.content.tables.get(exhibit.before)
            return forest(exhibit, table, digits, noted=exhibit.name == first)
        others = (each for each in self.content.figures.values() if each.instead_of == exhibit.name)
        return picture(exhibit, next(others, None), [fit.scale for fit in fits])


def _some(blocks: Iterable[str]) -> tuple[str, ...]:
    return tuple(block for block in blocks if block)


def _paragraph(text: str, kind: str = "") -> str:
    if not text:
        return ""
    attribute = f' class="{kind}"' if kind else ""
    return f"<p{attribute}>{escape(text)}</p>"


def _list(title: str, lines: Sequence[str]) -> str:
    if not lines:
        return ""
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f"<h3>{escape(title)}</h3>\n<ul>{items}</ul>"


def _details(title: str, inner: str) -> str:
    return f"<details><summary>{title}</summary>\n{inner}</details>" if inner else ""


def _lead(content: Content) -> str:
    before = _paragraph(content.answer.preface, "preface")
    return f"{before}\n{_told(content.answer)}\n{_paragraph(' '.join(content.answer.more))}"


def _told(said: Answer | Together) -> str:
    """Return a headline with the sentences that follow it, and the limits of what they say."""
    rest = escape(" ".join(said.sentences))
    lead = f'<p class="lead"><span class="headline">{escape(said.headline)}</span> {rest}</p>'
    return f"{lead}\n{_paragraph(' '.join(said.limits), 'limits')}"


def _facts(content: Content) -> str:
    values, main = content.answer.values, content.fits.main
    facts = []
    for name, title, fit in (
        ("slope_overall", "Slope, groups observed", main),
        ("slope_population", "Slope, population", main),
        (
            f"slope_overall_{content.fits.twin.scale}" if content.fits.twin else "",
            "Slope, other scale",
            content.fits.twin or main,
        ),
        ("gain_overall", "Gain, groups observed", main),
        ("gain_population", "Gain, population", main),
    ):
        if f"{name}_mean" not in values:
            continue
        digits = fit.spec.decimals()
        mean = format_number(values[f"{name}_mean"], digits, MINUS)
        interval = format_interval(values[f"{name}_ci_low"], values[f"{name}_ci_high"], digits, MINUS)
        unit = SCALES[fit.scale].per_decade if name.startswith("slope") else fit.unit
        share = format_probability(values[f"{name}_p_positive"])
        facts.append((title, mean, f"{interval} {unit}; P(> 0) {share}"))
    replicates = count_of(main.n_checkpoints, "checkpoint").split(" ", 1)
    facts.append(("Replicates", replicates[0], f"{replicates[1]} at {count_of(main.n_sizes, 'size')}"))
    inner = "".join(
        f"<div><dt>{escape(title)}</dt><dd>{escape(value)}<small>{escape(small)}</small></dd></div>"
        for title, value, small in facts
    )
    return f'<dl class="facts">{inner}</dl>'


def _method(fit: FitRecord) -> list[str]:
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in term_words(fit))
    law = fit.spec.law
    shape = escape(shape_words(fit)).replace("N_c", "<i>N</i><sub>c</sub>")
    return [
        _paragraph(
            "The gain of every combination of checkpoint, intermediate training, task and language "
            f"follows the {law.title} law ({law.description}) in the number of parameters "
            "N:"
        ),
        f'<div class="equation" role="region" aria-label="The model" tabindex="0">{equation_mathml(fit)}</div>',
        f"<p>with <i>a</i> the gain at {escape(law.centre_words)}{shape}. The <i>u</i> and <i>v</i> "
        "are deviations of the groups of each term, normal around zero with standard deviations learned "
        "from the data (partial pooling); <i>e</i> is the sampling error, whose covariance is known. The "
        "terms:</p>",
        f'<dl class="terms">{terms}</dl>' if terms else "",
        _paragraph(likelihood_words(fit)),
        _paragraph(
            "Overall is the average over the groups observed, each with the same weight. Population is "
            "the mean of the hierarchy: what new tasks and language families would show on average."
        ),
        _list("Left out because the data cannot identify it", dropped_words(fit)),
    ]


def _engine(record: Mapping[str, Any]) -> str:
    """Return which engine computed the posterior, and why another was asked for in vain."""
    used, fallback = record["engine"]["used"], record["engine"]["fallback"]
    return f"{used} (exact was tried first: {fallback})" if fallback else str(used)


def _cite(content: Content) -> list[str]:
    record: Mapping[str, Any] = content.fits.main.record
    items = [f"<dt>gainlaw</dt><dd>{escape(gainlaw.__version__)}</dd>"]
    used, git = record["arguments"]["resolved"], record["git"]
    dirty = " (with uncommitted changes)" if git and git["dirty"] else ""
    commit = {"commit": f"{git['commit']}{dirty}"} if git else {}
    facts = {
        "engine": _engine(record),
        "draws": f"{used['chains'] * used['draws']:,}",
        "seed": used["seed"],
        **commit,
        "Python": record["python"],
    }
    items += [f'<dt>{title}</dt><dd class="hash">{escape(str(value))}</dd>' for title, value in facts.items()]
    if content.fits.main.gains.sha256:
        items.append(
            f'<dt>SHA-256 of the data</dt><dd class="hash"><code>{content.fits.main.gains.sha256}</code></dd>'
        )
    text = ", ".join(f"{name} {number}" for name, number in record["packages"].items())
    items.append(f"<dt>libraries</dt><dd>{escape(text)}</dd>")
    references = "".join(f'<li id="ref-{key}">{escape(text)}</li>' for key, text in REFERENCES)
    return [
        f'<dl class="terms">{"".join(items)}</dl>',
        f"<pre><code>{escape(bibtex())}</code></pre>",
        f"<h3>References</h3>\n<ul>{references}</ul>",
    ]
