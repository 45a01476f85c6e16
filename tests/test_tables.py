"""Tables: what is shown, what is written, and that LaTeX and HTML take it."""

from __future__ import annotations

import html
import io
import re
import shutil
import subprocess
import sys
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from great_tables import GT

from gainlaw.claims.decision import VERDICTS
from gainlaw.claims.verdict import Verdict
from gainlaw.errors import InputError
from gainlaw.formats import format_interval, format_number, format_probability, parameter_title
from gainlaw.scores.gains.cells.reading import gains_from_frame
from gainlaw.sizes import format_params
from gainlaw.tables.data import checkpoints_table, data_table, gains_table
from gainlaw.tables.html import slug
from gainlaw.tables.latex import LONG, escape_latex
from gainlaw.tables.markdown import escape_markdown
from gainlaw.tables.record import Column
from gainlaw.tables.table import Table
from gainlaw.tables.verdicts import claims_table

PREAMBLE = r"""\documentclass{article}
\usepackage[utf8]{inputenc}
\usepackage{array,booktabs,longtable,siunitx}
\begin{document}
"""

NASTY = [
    "a_b & 50% #1 {x} \\ ~ ^ $",
    "τ ≥ 0 – “q” ‘s’ — × → ✓",
    "Ünïcødé ŁŁ ğ Ĥ ẑ ḥ ę đ þ",
    "中文 العربية 🎉",
    "a--b ,, '' \"x\" `y` <a> |b|",
    "[bracket] *star*\nnew line",
]


def nasty_table(rows: int = 6) -> Table:
    frame = pd.DataFrame(
        {
            "block": list("aabbcc"),
            "text": NASTY,
            "value": [1.23, -12.3, np.nan, -0.04, 5, 100.2],
            "low": [-1.0, 2, np.nan, 3, 4, -50],
            "high": [2.0, 3, 1, 4, 5, 6],
            "p": [0.5, 1, 0, 0.001, np.nan, 0.99],
            "count": [1, 5304, 3, 4, np.nan, 7],
            "params": [5.6e8, 1.1e9, 1e10, 176e9, np.nan, 1e12],
            "verdict": ["ok", "failed", "scale-dependent", "", "refuted", "supported"],
        }
    )
    frame = pd.concat([frame] * (rows // 6), ignore_index=True)
    columns = (
        Column("text", "Text_ & more"),
        Column("text", "Code", "code", width=0.2),
        Column("verdict", "Verdict", "status"),
        Column("value", "Value", "number"),
        Column("low", "95% interval", "interval", high="high"),
        Column("p", "P(x > 0)", "probability"),
        Column("count", "Count", "count"),
        Column("params", "Size", "params"),
    )
    return Table("nasty", "A nasty_caption: 100% of τ & co.", frame, columns, ("5% & a note.",), "block")


def compile_latex(body: str, folder) -> str:
    if shutil.which("pdflatex") is None:
        pytest.skip("pdflatex is not installed")
    (folder / "doc.tex").write_text(PREAMBLE + body + r"\end{document}", encoding="utf-8")
    done = subprocess.run(
        ["pdflatex", "-interaction=nonstopmode", "-halt-on-error", "doc.tex"],
        cwd=folder,
        capture_output=True,
        check=False,
    )
    log = done.stdout.decode(errors="replace")
    assert done.returncode == 0, log[-2000:]
    return log


@pytest.mark.parametrize(
    ("value", "digits", "shown"),
    [
        (6.649, 1, "6.6"),
        (-0.04, 1, "0.0"),
        (-0.06, 1, "-0.1"),
        (np.nan, 1, "–"),
        (np.inf, 2, "–"),
        (3, 0, "3"),
        (123456.7, 1, "123456.7"),
        (397859228061021184.0, 2, "3.98e17"),
        (-1.25e6, 0, "-1.25e6"),
    ],
)
def test_numbers_are_written_with_fixed_decimals_and_no_signed_zero(value, digits, shown):
    assert format_number(value, digits) == shown


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (0.5, "0.500"),
        (1.0, "> 0.999"),
        (0.9996, "> 0.999"),
        (0.9994, "0.999"),
        (0.0, "< 0.001"),
        (np.nan, "–"),
    ],
)
def test_probabilities_are_never_shown_as_certain(value, shown):
    assert format_probability(value) == shown


@pytest.mark.parametrize(
    ("params", "shown"),
    [
        (5.6e8, "560M"),
        (1.1e9, "1.1B"),
        (1e9, "1B"),
        (999.9e6, "1B"),
        (1.76e11, "176B"),
        (13_015_864_320, "13B"),
    ],
)
def test_sizes_are_written_as_people_say_them(params, shown):
    assert format_params(params) == shown


def test_an_interval_with_a_missing_end_is_missing():
    assert format_interval(1.0, np.nan) == "–"
    assert format_interval(-1.25, 3, 2) == "[-1.25, 3.00]"


def test_parameters_have_words():
    assert parameter_title("tau_checkpoint_language_family") == "checkpoint × family"
    assert parameter_title("rho_task") == "task, correlation"


@pytest.mark.parametrize("text", NASTY)
def test_escaped_latex_has_no_bare_special_character(text):
    plain = re.sub(r"\\[a-zA-Z]+|\\[&%$#_{}]", "", escape_latex(text))
    assert not set(plain) & set("&%$#_~^\\")
    assert plain.count("{") == plain.count("}")
    assert plain.isascii() or not re.search(r"[^\x00-\u024f]", plain)


def test_every_unicode_block_of_text_compiles(tmp_path):
    ranges = [
        (0x20, 0x250),
        (0x370, 0x400),
        (0x400, 0x460),
        (0x1E00, 0x1F00),
        (0x2000, 0x2300),
        (0x1F600, 0x1F610),
    ]
    letters = "".join(chr(code) for low, high in ranges for code in range(low, high))
    lines = [escape_latex(letters[start : start + 40]) for start in range(0, len(letters), 40)]
    log = compile_latex("\n\n".join(lines), tmp_path)
    assert "Missing character" not in log


def test_tables_of_nasty_text_compile_floating_bare_and_long(tmp_path):
    short, long = nasty_table(), nasty_table(6 * (LONG // 6 + 1))
    assert r"\begin{longtable}" in long.to_latex()
    assert r"\begin{longtable}" not in short.to_latex()
    rows = pd.DataFrame({"text": ["several words in a row " * 4] * (LONG // 3)})
    wrapped = Table("wrapped", "Rows of several lines.", rows, (Column("text", "Text", width=0.2),))
    assert r"\begin{longtable}" in wrapped.to_latex()
    compile_latex(short.to_latex() + short.to_latex(floating=False) + long.to_latex(), tmp_path)


def test_latex_has_booktabs_siunitx_and_a_rule_between_blocks():
    latex = nasty_table().to_latex()
    assert r"\toprule" in latex
    assert r"\bottomrule" in latex
    assert latex.count(r"\midrule") == 3
    assert r"\label{tab:nasty}" in latex
    assert "S[table-format=-3.1]" in latex
    assert "S[table-format=4]" in latex
    assert r"{[}\num{-1.0}, \num{2.0}{]}" in latex
    assert "{--}" in latex


def test_siunitx_columns_are_wide_enough_for_every_number():
    table = nasty_table()
    latex = table.to_latex()
    sign, whole, digits = re.search(r"table-format=(-?)(\d+)\.(\d+)", latex).groups()
    for value in table.frame["value"].dropna():
        text = format_number(value, int(digits))
        assert len(text.lstrip("-").split(".")[0]) <= int(whole)
        assert sign or not text.startswith("-")


def test_a_number_beyond_a_million_has_an_exponent_in_every_form_and_does_not_widen_its_column():
    frame = pd.DataFrame({"error": [0.5, 397859228061021184.0], "n": [3, 1234567]})
    table = Table("wide", "Wide.", frame, (Column("error", "Error", "number", 2), Column("n", "n", "count")))
    latex = table.to_latex()
    assert r"{\num{3.98e17}} & 1234567" in latex
    assert "S[table-format=1.2]S[table-format=7]" in latex
    assert "| 3.98e17 | 1,234,567 |" in table.to_markdown()


def test_csv_is_the_whole_frame_at_full_precision():
    frame = pd.DataFrame({"a": [1 / 3, np.nan], "hidden": [np.pi, 1e-300]})
    table = Table("full", "Full.", frame, (Column("a", "A", "number"),))
    back = pd.read_csv(io.StringIO(table.to_csv()))
    pd.testing.assert_frame_equal(back, frame, check_exact=True)


def test_markdown_lines_have_the_same_number_of_cells():
    lines = [line for line in nasty_table().to_markdown().splitlines() if line.startswith("|")]
    cells = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
    assert cells == {9}
    assert escape_markdown("x<y|z") == r"x\<y\|z"


class Reader(HTMLParser):
    """Check that tags close in order, and collect what they carry."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[tuple[str, dict]] = []

    def handle_starttag(self, tag, attrs):
        self.seen.append((tag, dict(attrs)))
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag


def test_html_is_escaped_closed_and_has_caption_and_scopes():
    html = nasty_table().to_html()
    reader = Reader()
    reader.feed(html)
    assert reader.open == []
    scopes = [attrs.get("scope") for tag, attrs in reader.seen if tag == "th"]
    assert scopes.count("col") == 8
    assert scopes.count("row") == 6
    assert "<caption" in html
    assert "&lt;a&gt;" in html
    assert "<a>" not in html
    assert 'class="status scale-dependent"' in html
    ids = [attrs["id"] for _, attrs in reader.seen if "id" in attrs]
    assert len(ids) == len(set(ids))


def test_write_leaves_three_files(tmp_path):
    paths = nasty_table().write(tmp_path / "tables")
    assert [path.name for path in paths] == ["nasty.tex", "nasty.csv", "nasty.md"]
    assert sorted(tmp_path.joinpath("tables").iterdir()) == sorted(paths)


def test_a_table_names_every_fault_at_once():
    with pytest.raises(InputError) as caught:
        Table("Bad name", "", pd.DataFrame({"a": [1]}), (Column("b", "B"), Column("c", "C", high="d")))
    text = str(caught.value)
    for word in ("Bad name", "'b'", "'c'", "'d'"):
        assert word in text


def small_gains(**extra):
    rows = [
        {
            "task": task,
            "language": language,
            "params": params,
            "base_model": f"m{params}",
            "gain": gain,
            "se": 1.0,
        }
        for task, language, params, gain in [
            ("xnli", "de", 1e9, 1.0),
            ("xnli", "fr", 1e9, 3.0),
            ("xnli", "de", 1e10, 5.0),
            ("xcopa", "et", 1e9, -1.0),
            ("xcopa", "et", 1e10, 0.5),
        ]
    ]
    return gains_from_frame(pd.DataFrame(rows).assign(**extra), scale="points")


def test_gains_table_is_the_plain_mean_by_task_and_size():
    table = gains_table(small_gains())
    frame = table.frame.set_index("task")
    assert frame.loc["XNLI", ["gain_1B", "gain_10B"]].tolist() == [2.0, 5.0]
    assert frame.loc["XCOPA", ["gain_1B", "gain_10B"]].tolist() == [-1.0, 0.5]
    assert frame["languages"].tolist() == [1, 2]


def test_sizes_that_read_alike_have_a_column_each_and_many_sizes_are_put_together():
    frame = pd.DataFrame({"task": "t", "gain": [1.0, 3.0], "se": 1.0, "params": [2.611e9, 2.614e9]})
    table = gains_table(gains_from_frame(frame))
    assert list(table.frame.columns[1:]) == ["gain_2.611B", "gain_2.614B"]
    assert "{2.611B} & {2.614B}" in table.to_latex()
    sizes = np.geomspace(1.1e8, 9e10, 40).round()
    table = gains_table(
        gains_from_frame(pd.DataFrame({"task": "t", "gain": np.arange(40.0), "se": 1.0, "params": sizes}))
    )
    assert [column.title for column in table.columns[1:]] == [
        "100M to 300M", "300M to 1B", "1B to 3B", "3B to 10B", "10B to 30B", "30B to 100B"
    ]  # fmt: skip
    assert table.frame.loc[0, "gain_1B to 3B"] == np.arange(40.0)[(sizes >= 1e9) & (sizes < 3e9)].mean()


def test_checkpoints_and_data_tables_count_what_is_there():
    gains = small_gains()
    checkpoints = checkpoints_table(gains).frame
    assert checkpoints["params"].tolist() == [1e9, 1e10]
    assert checkpoints["rows"].tolist() == [3, 2]
    data = data_table(gains).frame.set_index("task")
    assert data.loc["XNLI", "languages"] == 2
    assert data["rows"].sum() == 5


def test_a_gains_table_without_sizes_still_has_its_tables():
    gains = gains_from_frame(pd.DataFrame({"task": ["a", "b"], "gain": [1.0, 2.0], "se": [1.0, 1.0]}))
    assert gains_table(gains).frame["gain"].tolist() == [1.0, 2.0]
    assert len(data_table(gains).frame) == 2
    assert len(checkpoints_table(gains).frame) == 1


def one_of_each() -> list[Verdict]:
    """Return a verdict of every kind, on one scale or two."""
    return [
        Verdict(name=f"claim {word}", claim="slope < 0", verdict=word, reason="no rows")
        if word == "untested"
        else Verdict(
            name=f"claim {word}", claim="slope < 0", verdict=word, probability=0.98, probability_points=0.98,
            mcse=0.002, estimate=-1.0, ci_low=-2.0, ci_high=0.0, ci_prob=0.8, note=f"why {word}",
        )
        for word in VERDICTS
    ]  # fmt: skip


def test_every_exhibit_of_verdicts_knows_every_word():
    from importlib.resources import files

    from gainlaw.cli.printing import _STATUS_STYLES
    from gainlaw.report.words import claims_words

    css = files("gainlaw.report").joinpath("templates/report.css").read_text(encoding="utf-8")
    table = claims_table(one_of_each())
    forms = {
        "csv": table.to_csv(),
        "markdown": table.to_markdown(),
        "latex": table.to_latex(),
        "html": table.to_html(),
        "words": claims_words(table.frame),
    }
    for word, meaning in VERDICTS.items():
        assert word in _STATUS_STYLES, word
        assert f".status.{slug(word)}" in css, word
        assert f'class="status {slug(word)}"' in forms["html"], word
        for name, text in forms.items():
            assert word in text, (word, name)
        for name in ("markdown", "latex", "html"):
            assert meaning in forms[name], (meaning, name)
            assert ("no rows" if word == "untested" else f"why {word}") in forms[name], (word, name)
    assert "80% interval" in forms["html"]
    assert "95%" not in forms["html"]
    assert "Monte Carlo error of at most 0.002" in forms["html"]
    assert set(_STATUS_STYLES) - {"failed"} == set(VERDICTS)


def test_differences_of_sizes_are_written_as_sizes():
    verdict = Verdict(
        name="a", claim="crossing(0) < 10B", verdict="supported", probability=0.99, unit="parameters",
        estimate=-9.671e9, ci_low=-9.97e9, ci_high=float("inf"),
    )  # fmt: skip
    assert claims_table([verdict]).cells()[0][5:7] == ["-9.67B", "[-9.97B, > 1000T]"]


def test_several_fits_stand_side_by_side() -> None:
    import gainlaw as gl

    gains = gl.load_dataset("bloomz", intermediates="xP3").select(task=["xcopa", "xwinograd"]).gains()
    fits = {"linear": gl.fit(gains, draws=200), "log-odds & <co>": gl.fit(gains, scale="log_odds", draws=200)}
    table = gl.table(fits)
    rows = table.frame.set_index(["level", "group"])
    for number, fit in enumerate(fits.values(), 1):
        own = fit.estimates.query("estimand == 'slope'").set_index(["level", "group"])
        for key in (("task", "task=xcopa"), ("overall", ""), ("population", "")):
            assert rows.loc[key, f"mean_{number}"] == own.loc[key, "mean"]
    assert [column.title for column in table.columns] == ["Task", *fits]
    assert "points per decade, log-odds per decade" in table.caption
    assert r"log-odds \& " in table.to_latex()
    assert "log-odds &amp; &lt;co&gt;" in table.to_html()
    assert table.to_markdown().count("\n| ") == 2 + 4
    at = gl.table(list(fits.values()), "gain_at")
    assert at.cells()[0][0] == "XCOPA at 1B"
    sds = gl.table(list(fits.values()), "sds")
    assert len(sds) == len({name for fit in fits.values() for name in fit.spec.priors if name[:4] == "tau_"})
    great = table.to_great_tables()
    page = great.as_raw_html()
    for word in ("log-odds &amp; &lt;co&gt;", *(cell for row in table.cells(minus="−") for cell in row)):
        assert word in page
    assert isinstance(great.tab_options(table_font_size="12px"), GT)
    with pytest.raises(InputError, match="the table priors is one of a single fit"):
        gl.table(fits, "priors")
    with pytest.raises(InputError, match="at least one fit"):
        gl.table([])


def test_great_tables_is_asked_for_where_it_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "great_tables", None)
    table = Table("t", "T.", pd.DataFrame({"a": ["x"]}), (Column("a", "A"),))
    with pytest.raises(InputError, match="great_tables is not installed") as caught:
        table.to_great_tables()
    assert "pip install great-tables" in str(caught.value.problems[0].hint)
    assert table.to_markdown()


def test_tables_have_the_names_that_are_offered() -> None:
    import gainlaw as gl
    from gainlaw.options import TableName, choices
    from gainlaw.tables.named import TABLES

    assert tuple(TABLES) == choices(TableName)
    fit = gl.fit(gl.load_dataset("bloomz", intermediates="xP3").select(task=["xcopa"]).gains(), draws=200)
    for name in TABLES:
        if name not in ("effects", "laws", "multipliers", "abilities"):
            shown = gl.table(fit, name)
            assert len(shown)
            page = shown.to_great_tables().as_raw_html()
            assert page.count("<tr>") == len(shown)
            assert all(cell in html.unescape(page) for row in shown.cells(minus="−") for cell in row)
    with pytest.raises(InputError, match="nothing for the table effects"):
        gl.table(fit, "effects")
    with pytest.raises(InputError, match="the table sds has no level"):
        gl.table(fit, "sds", level="task")
    with pytest.raises(InputError, match="table is 'pie'; allowed: slopes"):
        fit.table("pie")
