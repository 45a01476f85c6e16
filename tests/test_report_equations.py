"""The equations that reports print are those of the laws: both forms of them, evaluated."""

from __future__ import annotations

import math
import re
import xml.etree.ElementTree as ET
from types import SimpleNamespace

import numpy as np
import pytest

from gainlaw.laws import hierarchical, hierarchical_law, law, shaped
from gainlaw.laws.placed import PlacedLaw, place
from gainlaw.report.words import equation_latex, equation_mathml, shape_words

VALUES = {"exponent": 0.7, "midpoint": 0.3, "steepness": 1.4}
ENDS = (-0.5, 1.5)


def fit_of(law: PlacedLaw) -> SimpleNamespace:
    terms = [SimpleNamespace(slope=law.has_slope), SimpleNamespace(slope=False)]
    return SimpleNamespace(spec=SimpleNamespace(law=law, terms=terms, residual=True))


def scaled(name: str) -> PlacedLaw:
    return place(hierarchical_law(name), np.array(ENDS))


def python_of_mathml(element: ET.Element) -> str:
    """Return presentation MathML as an expression in Python; things side by side are multiplied."""
    parts = [python_of_mathml(child) for child in element]
    if element.tag in ("mi", "mn", "mo"):
        return {"−": "-"}.get(element.text or "", element.text or "")
    if element.tag == "mfrac":
        return f"(({parts[0]})/({parts[1]}))"
    if element.tag == "msup":
        return f"(({parts[0]})**({parts[1]}))"
    if element.tag == "msub":
        return f"{parts[0]}_{parts[1]}"
    out = ""
    for part in parts:
        product = re.search(r"[\w)]$", out) and re.match(r"[\w(]", part) and not re.search(r"\b(s|h)$", out)
        call = part == "(" and re.search(r"\b(s|h)$", out)
        out += part if not product or call or out.endswith("ln") else f"*{part}"
    return out


def python_of_latex(text: str) -> str:
    """Return LaTeX as an expression in Python."""
    text = text.replace(r"\,", " ").replace(r"x_{\max}", "x_max").replace(r"x_{\min}", "x_min")
    text = text.replace(r"\ln 10", " ln10")
    while r"\frac" in text:
        text = re.sub(
            r"\\frac\{((?:[^{}]|\{[^{}]*\})*)\}\{((?:[^{}]|\{[^{}]*\})*)\}", r"((\1)/(\2))", text, count=1
        )
    text = re.sub(r"(\w+)\^\{([^{}]*)\}", r"(\1**(\2))", text)
    return re.sub(r"(?<=[\w)]) +(?=[\w(])", "*", re.sub(r"(?<=\bk) \(", "*(", text))


def value_of(law: PlacedLaw, forms: dict[str, str], x: float) -> float:
    """Return the printed h at x."""
    known = {each.symbol: VALUES[each.name] for each in law.parameters}
    x_min, x_max = ENDS

    def call(name: str):
        def function(x: float) -> float:
            scope = {"e": math.e, "ln10": math.log(10), "R": x_max - x_min, "x_min": x_min, "x_max": x_max}
            scope["c"] = law.centre
            scope |= known | {"x": x} | ({"s": call("s")} if name == "h" and "s" in forms else {})
            return float(eval(forms[name], {"__builtins__": {}}, scope))

        return function

    # Laws without a range of their own count sizes from their centre.
    return call("h")(x if law.x_range is not None else x - law.centre)


CURVED = [name for name in shaped() if law(name).form.definitions]


@pytest.mark.parametrize("name", CURVED)
def test_the_printed_shape_is_that_of_the_law(name):
    placed = scaled(name)
    psi = np.array([VALUES[each.name] for each in placed.parameters])
    root = [ET.fromstring(f"<mrow>{each.mathml}</mrow>") for each in placed.definitions]
    mathml = {each.name: python_of_mathml(tree) for each, tree in zip(placed.definitions, root, strict=True)}
    latex = {each.name: python_of_latex(each.latex) for each in placed.definitions}
    for x in (-1.0, -0.2, 0.0, 0.4, 2.0):
        exact = float(placed.shape(np.asarray(x), psi))
        assert value_of(placed, mathml, x) == pytest.approx(exact, abs=1e-12), mathml
        assert value_of(placed, latex, x) == pytest.approx(exact, abs=1e-12), latex


@pytest.mark.parametrize("name", hierarchical())
def test_group_effects_multiply_what_the_slope_multiplies(name):
    placed = scaled(name)
    latex, mathml = equation_latex(fit_of(placed)), equation_mathml(fit_of(placed))
    ET.fromstring(f"<div>{mathml}</div>")
    text = re.sub(r"<[^>]*>", "", mathml)
    form = placed.form
    h = None if not form.has_slope else "x_i" if form.straight else "h(x_i)"
    if h is None:
        assert "beta" not in latex
        assert "v_" not in latex
        assert "log" not in latex + text
        assert shape_words(fit_of(placed)) == ""
        return
    assert rf"\beta\,{h}" in latex
    assert rf"v_{{t[i]}}\,{h}" in latex
    plain = h.replace("_", "")
    assert f"β{plain}" in text
    assert f"vt[i]{plain}" in text
    assert ("h(x)=" in text) == (not form.straight) == ("h(x) = " in latex)
    for each in placed.parameters:
        assert f"; {each.symbol} {each.description}" in shape_words(fit_of(placed))
