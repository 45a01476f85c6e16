"""The page: sections and blocks of a report, rendered as one self-contained HTML file."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from html import escape
from importlib.resources import files
from typing import TYPE_CHECKING, Any

import gainlaw
from gainlaw.figures import figure_svg
from gainlaw.report.content import Content, Exhibit, Verdicts, has_slope, levels
from gainlaw.report.words import (
    REFERENCES,
    bibtex,
    data_words,
    diagnostics_words,
    dropped_words,
    equation_mathml,
    likelihood_words,
    term_words,
    width_words,
)
from gainlaw.tables import claims_frame
from gainlaw.tables.formats import (
    MINUS,
    format_interval,
    format_number,
    format_probability,
    scale_title,
    slope_unit,
)
from gainlaw.tables.html import slug

if TYPE_CHECKING:
    from gainlaw.hierarchy import Fit

__all__ = ["render_page"]


@dataclass(frozen=True, slots=True)
class Section:
    """A section of the page: an id, a title and its blocks, each a piece of finished HTML."""

    id: str
    title: str
    blocks: tuple[str, ...] = field(default=())


def render_page(content: Content, verdicts: Verdicts, title: str) -> str:
    """Return the report as one HTML page: no address outside it, no script.

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
    css = files("gainlaw.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    return environment.get_template("report.html.j2").render(
        title=title,
        subtitle=data_words(content.fits.main),
        answer=content.answer,
        failures=diagnostics_words(_named(content)),
        sections=[section for section in _sections(content, verdicts) if section.blocks],
        css=Markup(css),
        version=gainlaw.__version__,
        render=Markup,
    )


def _named(content: Content) -> dict[str, Fit]:
    fits = {scale_title(content.fits.main.scale): content.fits.main}
    if content.fits.twin is not None:
        fits[scale_title(content.fits.twin.scale)] = content.fits.twin
    return fits | dict(content.fits.others)


def _sections(content: Content, verdicts: Verdicts) -> list[Section]:
    show = _Show(content)
    main = content.fits.main
    by = levels(main) if has_slope(main) else levels(main, "gain")
    results = [show.figure("slope")] if has_slope(main) else []
    for level in by:
        results += [show.figure(f"forest_{level}"), show.table(f"slopes_{level}")]
    results += [show.table(f"gain_at_{level}") for level in levels(main, "gain")]
    results.append(show.figure("scales"))
    others = [name for name in (*content.figures, *content.tables) if name.startswith("other_")]
    return [
        Section("answer", "The answer", _some([_lead(content), _facts(content), show.figure("gain_curve")])),
        Section(
            "data",
            "Data",
            _some(
                [
                    _paragraph(data_words(main)),
                    show.table("data"),
                    show.table("checkpoints"),
                    show.table("gains"),
                    show.figure("scores"),
                    _list("Notes on the data", main.gains.notes),
                ]
            ),
        ),
        Section("method", "Method", _some(_method(main))),
        Section("results", "Results", _some(results)),
        Section(
            "width",
            "Why the interval is wide",
            _some(
                [
                    _paragraph(width_words(content.width, 2 if main.scale == "log_odds" else 1)),
                    show.figure("width"),
                    show.table("sds"),
                    show.figure("influence"),
                    show.table("influence"),
                ]
            ),
        ),
        Section(
            "claims",
            "Claims",
            _some([_counts(verdicts), show.table("claims"), _missing(verdicts), show.table("companions")]),
        ),
        Section(
            "others",
            "Other laws and other intermediate training",
            _some([*(show.any(name) for name in others), show.table("compare")]),
        ),
        Section(
            "diagnostics",
            "Diagnostics",
            _some([_verdict_on(content), show.table("diagnostics"), show.figure("predictive")]),
        ),
        Section(
            "priors",
            "Priors and sensitivity",
            _some([show.table("priors"), show.figure("priors"), show.table("sensitivity")]),
        ),
        Section(
            "estimates", "Every estimate", _some([_details("Show all estimates", show.table("estimates"))])
        ),
        Section("cite", "How to reproduce and cite", _some(_cite(content))),
    ]


class _Show:
    """Tables and figures by name, numbered in the order in which they are asked for."""

    def __init__(self, content: Content) -> None:
        self.content = content
        self.numbers = {"Table": 0, "Figure": 0}

    def _number(self, kind: str) -> str:
        self.numbers[kind] += 1
        return f"{kind} {self.numbers[kind]}"

    def any(self, name: str) -> str:
        """Return a figure or a table."""
        return self.figure(name) if name in self.content.figures else self.table(name)

    def table(self, name: str) -> str:
        """Return a table, or nothing where the report has none of that name."""
        table = self.content.tables.get(name)
        if table is None:
            return ""
        html, caption = table.to_html(), escape(table.caption)
        return html.replace(
            f">{caption}</caption>", f"><b>{self._number('Table')}.</b> {caption}</caption>", 1
        )

    def figure(self, name: str) -> str:
        """Return a figure with its caption, or nothing where the report has none of that name."""
        exhibit: Exhibit | None = self.content.figures.get(name)
        if exhibit is None:
            return ""
        key = f"fig-{slug(name)}"
        label = escape(exhibit.figure.alt, quote=True)
        svg = figure_svg(exhibit.figure, key).replace("<svg ", f'<svg role="img" aria-label="{label}" ', 1)
        width = "half" if exhibit.narrow else "wide"
        caption = f"<figcaption><b>{self._number('Figure')}.</b> {escape(exhibit.caption)}</figcaption>"
        return f'<figure id="{key}" class="{width}">\n{svg}\n{caption}\n</figure>'


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
    return f"<details><summary>{escape(title)}</summary>\n{inner}</details>" if inner else ""


def _lead(content: Content) -> str:
    answer = content.answer
    rest = escape(" ".join(answer.sentences))
    return f'<p class="lead"><span class="headline">{escape(answer.headline)}</span> {rest}</p>'


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
        digits = 2 if fit.scale == "log_odds" else 1
        mean = format_number(values[f"{name}_mean"], digits, MINUS)
        interval = format_interval(values[f"{name}_ci_low"], values[f"{name}_ci_high"], digits, MINUS)
        unit = slope_unit(fit.scale) if name.startswith("slope") else fit.unit
        share = format_probability(values[f"{name}_p_positive"])
        facts.append((title, mean, f"{interval} {unit}; P(> 0) {share}"))
    facts.append(("Replicates", f"{main.n_checkpoints}", f"checkpoints at {main.n_sizes} sizes"))
    inner = "".join(
        f"<div><dt>{escape(title)}</dt><dd>{escape(value)}<small>{escape(small)}</small></dd></div>"
        for title, value, small in facts
    )
    return f'<dl class="facts">{inner}</dl>'


def _method(fit: Fit) -> list[str]:
    terms = "".join(f"<dt>{escape(name)}</dt><dd>{escape(text)}</dd>" for name, text in term_words(fit))
    law = fit.spec.law
    slope = " and β the slope per decade there" if law.has_slope else ""
    exponent = "; b > 0 bends the curve towards its asymptote" if law.has_exponent else ""
    return [
        _paragraph(
            "The gain of every combination of checkpoint, intermediate training, task and language "
            f"follows the {law.name.replace('_', ' ')} law ({law.description}) in the number of parameters "
            "N:"
        ),
        f'<div class="equation">{equation_mathml(fit)}</div>',
        _paragraph(
            f"with a the gain at one billion parameters{slope}{exponent}. The u and v are deviations of "
            "the groups of each term, normal around zero with standard deviations learned from the data "
            "(partial pooling); e is the sampling error, whose covariance is known. The terms:"
        ),
        f'<dl class="terms">{terms}</dl>' if terms else "",
        _paragraph(likelihood_words(fit)),
        _paragraph(
            "Overall is the average over the groups observed, each with the same weight. Population is "
            "the mean of the hierarchy: what new tasks and language families would show on average."
        ),
        _list("Left out because the data cannot identify it", dropped_words(fit)),
    ]


def _verdict_on(content: Content) -> str:
    if content.answer.trusted:
        return _paragraph(
            "All checks passed: the chains agree, they hold enough independent draws for every reported "
            "number, and none of them diverged."
        )
    return '<p class="banner">Checks failed; see the rows marked failed.</p>'


def _counts(verdicts: Verdicts) -> str:
    if not len(verdicts):
        return ""
    counts = claims_frame(verdicts)["verdict"].value_counts()
    parts = [f"{count} {name}" for name, count in counts.items()]
    return _paragraph(f"{len(verdicts)} claims were judged: {', '.join(parts)}.")


def _missing(verdicts: Verdicts) -> str:
    if not len(verdicts):
        return ""
    frame = claims_frame(verdicts)
    kept = frame[frame["missing"].fillna("") != ""]
    lines = [f"{name}: {text}" for name, text in zip(kept["words"], kept["missing"], strict=True)]
    return _list("Untested, and what is missing", lines)


def _cite(content: Content) -> list[str]:
    record: Mapping[str, Any] = content.fits.main.record
    items = [f"<dt>gainlaw</dt><dd>{escape(gainlaw.__version__)}</dd>"]
    for key, title in (("engine", "engine"), ("seed", "seed"), ("git_commit", "commit"), ("created", "made")):
        if record.get(key) not in (None, ""):
            items.append(f'<dt>{title}</dt><dd class="hash">{escape(str(record[key]))}</dd>')
    if content.fits.main.gains.sha256:
        items.append(
            f'<dt>SHA-256 of the data</dt><dd class="hash"><code>{content.fits.main.gains.sha256}</code></dd>'
        )
    versions = record.get("versions")
    if isinstance(versions, Mapping):
        text = ", ".join(f"{name} {number}" for name, number in versions.items())
        items.append(f"<dt>libraries</dt><dd>{escape(text)}</dd>")
    references = "".join(f'<li id="ref-{key}">{escape(text)}</li>' for key, text in REFERENCES)
    return [
        f'<dl class="terms">{"".join(items)}</dl>',
        f"<pre><code>{escape(bibtex())}</code></pre>",
        f"<h3>References</h3>\n<ul>{references}</ul>",
    ]
