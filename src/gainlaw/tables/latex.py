r"""LaTeX: escaping that always compiles under pdflatex, and tables with booktabs and siunitx."""

from __future__ import annotations

import math
import re
import unicodedata
from typing import TYPE_CHECKING

from gainlaw.formats import MISSING, format_number, format_probability

if TYPE_CHECKING:
    from gainlaw.tables.record import Column, TableRecord

__all__ = ["escape_latex", "render_latex"]

# Cells of these kinds are set from the right as they are; the numbers in them go through siunitx.
_RIGHT = {"interval", "estimate", "general", "params", "right"}
_NUMBER = re.compile(r"-?\d+(\.\d+)?(e[+-]?\d+)?")

#: Tables of more printed lines than this are a longtable.
LONG = 40
#: Letters that fit into a line as wide as the text.
_LETTERS = {"normalsize": 80, "small": 90, "footnotesize": 100, "scriptsize": 115}

_SPECIAL = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "%": r"\%",
    "_": r"\_",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "<": r"\ensuremath{<}",
    ">": r"\ensuremath{>}",
    "|": r"\textbar{}",
    "[": "{[}",
    "]": "{]}",
    "*": "{*}",
    '"': r"\textquotedblright{}",
    "`": r"\textasciigrave{}",
    "\u2212": r"\ensuremath{-}",
    "×": r"\ensuremath{\times}",
    "·": r"\ensuremath{\cdot}",
    "±": r"\ensuremath{\pm}",
    "≤": r"\ensuremath{\leq}",
    "≥": r"\ensuremath{\geq}",
    "≠": r"\ensuremath{\neq}",
    "≈": r"\ensuremath{\approx}",
    "→": r"\ensuremath{\rightarrow}",
    "←": r"\ensuremath{\leftarrow}",
    "∞": r"\ensuremath{\infty}",
    "√": r"\ensuremath{\surd}",
    "²": r"\textsuperscript{2}",
    "³": r"\textsuperscript{3}",
    "°": r"\textdegree{}",
    "«": r"\textquotedblleft{}",
    "»": r"\textquotedblright{}",
    "đ": "d",
    "Đ": "D",
    "ð": "d",
    "Ð": "D",
    "þ": "th",
    "Þ": "Th",
    "ŋ": "ng",
    "Ŋ": "Ng",
    "‘": r"\textquoteleft{}",
    "’": r"\textquoteright{}",
    "“": r"\textquotedblleft{}",
    "”": r"\textquotedblright{}",
    "…": r"\dots{}",
    "†": r"\dag{}",
    "‡": r"\ddag{}",
    "•": r"\textbullet{}",
    "✓": r"\ensuremath{\surd}",
    "\u00a0": "~",
    "\u2009": r"\,",
    "\n": " ",
    "\t": " ",
}

_DASHES = {"–": r"\textendash{}", "—": r"\textemdash{}"}

# Signs that TeX fonts join: two hyphens are a dash, two commas a quotation mark.
_LIGATURES = re.compile(r"-{2,}|,{2,}|'{2,}")

_GREEK = {
    "α": "alpha",
    "β": "beta",
    "γ": "gamma",
    "δ": "delta",
    "ε": "varepsilon",
    "ζ": "zeta",
    "η": "eta",
    "θ": "theta",
    "κ": "kappa",
    "λ": "lambda",
    "μ": "mu",
    "ν": "nu",
    "ξ": "xi",
    "π": "pi",
    "ρ": "rho",
    "σ": "sigma",
    "τ": "tau",
    "φ": "varphi",
    "χ": "chi",
    "ψ": "psi",
    "ω": "omega",
    "Γ": "Gamma",
    "Δ": "Delta",
    "Θ": "Theta",
    "Λ": "Lambda",
    "Σ": "Sigma",
    "Φ": "Phi",
    "Ψ": "Psi",
    "Ω": "Omega",
}

# Latin letters that every TeX font sets from utf8 input; others lose their marks or become their code.
_LATIN = set(range(0xC0, 0x180)) - {
    0x108, 0x109, 0x10A, 0x10B, 0x114, 0x115, 0x11C, 0x11D, 0x120, 0x121, 0x124, 0x125, 0x126, 0x127,
    0x12C, 0x12D, 0x134, 0x135, 0x138, 0x13F, 0x140, 0x149, 0x14E, 0x14F, 0x15C, 0x15D, 0x166, 0x167,
    0x174, 0x175, 0x176, 0x177, 0x17F, 0xD7, 0xF7, 0x104, 0x105, 0x118, 0x119, 0x12E, 0x12F, 0x172, 0x173,
    0x122, 0x123, 0x136, 0x137, 0x13B, 0x13C, 0x145, 0x146, 0x156, 0x157, 0x132, 0x133, 0x13D, 0x13E,
}  # fmt: skip


# The packages of fragments, each by what gives away that it is needed.
_PACKAGES = {
    "array": r"\arraybackslash",
    "booktabs": r"\toprule",
    "longtable": r"\begin{longtable}",
    "siunitx": "S[table-format",
}


def escape_latex(text: str) -> str:
    r"""Return plain text as LaTeX that prints it under pdflatex, whatever it holds.

    The ten special characters are escaped; common signs and Greek letters become commands; Latin letters
    with marks stay; a letter that the fonts do not have loses its marks, and a sign with no near form is
    written as its code point.

    Parameters
    ----------
    text : str
        Plain text, any Unicode.

    Returns
    -------
    str
        LaTeX for text mode, one line.

    Examples
    --------
    >>> print(escape_latex("xstory_cloze & 5% of τ"))
    xstory\_cloze \& 5\% of \ensuremath{\tau}
    """
    escaped = "".join(_escape_character(character) for character in text.strip())
    return _LIGATURES.sub(lambda match: "{}".join(match[0]), escaped)


def _escape_character(character: str) -> str:
    if character in _SPECIAL:
        return _SPECIAL[character]
    if character in _DASHES:
        return _DASHES[character]
    if character in _GREEK:
        return rf"\ensuremath{{\{_GREEK[character]}}}"
    code = ord(character)
    if 0x20 <= code < 0x7F or code in _LATIN:
        return character
    if unicodedata.category(character) in {"Cc", "Cf", "Mn"}:
        return ""
    plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
    if plain.strip():
        return "".join(_SPECIAL.get(letter, letter) for letter in plain)
    return " " if character.isspace() else f"{{[}}U+{code:04X}{{]}}"


def render_latex(table: TableRecord, *, floating: bool = True) -> str:
    r"""Return a `Table` as LaTeX source (`Table.to_latex`); its first line says which packages it needs."""
    source = _source(table, floating)
    needed = [name for name, mark in _PACKAGES.items() if mark in source]
    return f"% Packages: {', '.join(needed)}\n{source}"


def _source(table: TableRecord, floating: bool) -> str:
    long = _printed_lines(table) > LONG
    spec = "".join(_column_spec(table, column) for column in table.columns)
    head = [_heading(column) for column in table.columns]
    body = _body(table)
    caption = rf"\caption{{{escape_latex(table.caption)}}}"
    label = rf"\label{{{table.label}}}"
    notes = [r"\par\smallskip\noindent", *_notes(table)] if table.notes else []
    narrow = [r"\setlength{\tabcolsep}{4pt}"] if table.size in {"footnotesize", "scriptsize"} else []
    if long:
        lines = [rf"\begingroup\{table.size}", *narrow, rf"\begin{{longtable}}{{@{{}}{spec}@{{}}}}"]
        lines += [rf"{caption}{label} \\"] if floating else []
        lines += [r"\toprule", " & ".join(head) + r" \\", r"\midrule", r"\endfirsthead"]
        lines += [r"\toprule", " & ".join(head) + r" \\", r"\midrule", r"\endhead"]
        lines += [r"\bottomrule", r"\endfoot", *body, r"\end{longtable}", *notes, r"\endgroup"]
        return "\n".join(lines) + "\n"
    tabular = [rf"\begin{{tabular}}{{@{{}}{spec}@{{}}}}", r"\toprule", " & ".join(head) + r" \\", r"\midrule"]
    tabular += [*body, r"\bottomrule", r"\end{tabular}"]
    if not floating:
        return "\n".join(tabular) + "\n"
    lines = [r"\begin{table}[htbp]", r"\centering", caption, label, rf"\{table.size}", *narrow]
    lines += [*tabular, *notes]
    return "\n".join([*lines, r"\end{table}"]) + "\n"


def _notes(table: TableRecord) -> list[str]:
    words = " ".join(escape_latex(note) for note in table.notes)
    return [rf"\begin{{minipage}}{{\linewidth}}\footnotesize {words}\end{{minipage}}"]


def _heading(column: Column) -> str:
    text = escape_latex(column.title)
    if column.width is not None or column.left:
        return text
    return rf"\multicolumn{{1}}{{r}}{{{text}}}" if column.kind in _RIGHT else f"{{{text}}}"


def _printed_lines(table: TableRecord) -> int:
    """Return about how many lines a table takes, wrapped text included."""
    letters = _LETTERS[table.size]
    wrapped = [(column, column.width * letters) for column in table.columns if column.width is not None]
    return sum(
        max([1, *(math.ceil(len(str(row[column.key] or "")) / room) for column, room in wrapped)])
        for row in table.rows()
    )


def _column_spec(table: TableRecord, column: Column) -> str:
    if column.width is not None:
        return rf">{{\raggedright\arraybackslash}}p{{{column.width:g}\linewidth}}"
    if column.left:
        return "l"
    if column.kind in _RIGHT:
        return "r"
    return f"S[table-format={_table_format(table, column)}]"


def _table_format(table: TableRecord, column: Column) -> str:
    """Return siunitx's table-format: the room that the widest number of the column takes."""
    digits = 0 if column.kind == "count" else column.decimals
    shown = [_number(column, float(value)) for value in table.frame[column.key] if not _missing(value)]
    shown = [text for text in shown if "num" not in text]
    whole = max((len(text.lstrip("-").split(".")[0]) for text in shown), default=1)
    sign = "-" if any(text.startswith("-") for text in shown) else ""
    return f"{sign}{whole}.{digits}" if digits else f"{sign}{whole}"


def _breakable(code: str) -> str:
    """Let a long expression break after its brackets, commas and signs."""
    return re.sub(r"(\{\]\}|\\_|[(,=)])", r"\1\\allowbreak{}", code)


def _missing(value: object) -> bool:
    return value is None or not math.isfinite(float(value))  # type: ignore[arg-type]


def _body(table: TableRecord) -> list[str]:
    breaks = table.breaks()
    lines = []
    for position, row in enumerate(table.rows()):
        if position in breaks:
            lines.append(r"\midrule")
        lines.append(" & ".join(_cell(column, row) for column in table.columns) + r" \\")
    return lines


def _cell(column: Column, row: dict[str, object]) -> str:
    if column.left:
        shown = column.show(row)
        text = escape_latex(shown)
        if column.kind == "code" and shown != MISSING:
            return rf"\texttt{{{_breakable(text) if column.width else text}}}"
        return text
    if column.kind in _RIGHT:
        shown = escape_latex(column.show(row))
        return shown if column.kind in {"params", "right"} else _NUMBER.sub(r"\\num{\g<0>}", shown)
    value = row[column.key]
    if _missing(value):
        return "{--}"
    number = float(value)  # type: ignore[arg-type]
    if column.kind == "probability":
        text = format_probability(number, column.decimals)
        return f"{{{escape_latex(text)}}}" if text[0] in "<>" else text
    return _number(column, number)


def _number(column: Column, number: float) -> str:
    """Return a number for a column that siunitx aligns; one with an exponent stands beside the alignment."""
    if column.kind == "count":
        return f"{round(number)}"
    text = format_number(number, column.decimals)
    return rf"{{\num{{{text}}}}}" if "e" in text else text
