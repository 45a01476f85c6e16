"""The grammar of claims: what is read, how it is written back, and how mistakes are shown."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gainlaw.claims.grammar.forms import equivalence_form, linear_form, measure
from gainlaw.claims.grammar.parse import ESTIMANDS, parse_claim
from gainlaw.claims.grammar.syntax import (
    Apply,
    Binary,
    Claim,
    Estimand,
    Negate,
    Number,
    Selector,
    format_number,
    ordered_group,
    walk_terms,
)
from gainlaw.errors import InputError
from gainlaw.options import SCORE_ESTIMANDS

CANONICAL = {
    "slope < 0": "slope < 0",
    "gain(10e9)<1": "gain(10B) < 1",
    "gain(1.3e10) >= .5": "gain(13B) >= 0.5",
    "slope[task=xnli] < slope[task=xcopa]": "slope[task=xnli] < slope[task=xcopa]",
    "abs( gain(1e9) ) < 1": "abs(gain(1B)) < 1",
    "gain[intermediate=P3](10B) < gain(10B)[intermediate=xP3]": (
        "gain(10B)[intermediate=P3] < gain(10B)[intermediate=xP3]"
    ),
    "ratio(1e9, 10e9) > 1": "ratio(1B, 10B) > 1",
    "crossing(1) < 10e9": "crossing(1) < 10B",
    "crossing(-1.5) < 10e9": "crossing(-1.5) < 10B",
    "slope[population] < 0": "slope[population] < 0",
    "slope[overall] < 0": "slope < 0",
    "slope[language=sw, task=xnli] < 0": "slope[task=xnli, language=sw] < 0",
    'slope[language_family="Mixed Zoque (north)"] < 0': 'slope[language_family="Mixed Zoque (north)"] < 0',
    "slope[language_family=Indo-European] < 0": "slope[language_family=Indo-European] < 0",
    "effect[covariate=unseen] < 0": "effect[covariate=unseen] < 0",
    "-slope * 2 + (1 - gain(560M)) > -(3 - 1)": "-slope * 2 + (1 - gain(560M)) > -(3 - 1)",
    "((slope)) < (0)": "slope < 0",
    "slope − 1 ≤ 0": "slope - 1 <= 0",
    "gain(1e9) / (2 / 3) < 1": "gain(1B) / (2 / 3) < 1",
    "max(slope[task=a], slope[task=b]) < 0": "max(slope[task=a], slope[task=b]) < 0",
}


@pytest.mark.parametrize(("text", "canonical"), CANONICAL.items())
def test_canonical_form(text, canonical):
    claim = parse_claim(text)
    assert str(claim) == canonical
    assert parse_claim(canonical) == claim


numbers = st.one_of(
    st.floats(min_value=0, max_value=1e18, allow_nan=False, allow_infinity=False),
    st.integers(0, 10**12).map(float),
    st.sampled_from([560e6, 1.1e9, 7.1e9, 10e9, 176e9, 0.5, 1e-7]),
).map(abs)
sizes = numbers.map(lambda value: value + 1.0)
values = st.text(min_size=1, max_size=8).filter(lambda text: text == text.replace("−", "-"))
values = values.filter(lambda text: "≤" not in text and "≥" not in text)
columns = st.sampled_from(["task", "language_family", "language", "intermediate", "model_family"])
selectors = st.one_of(
    st.just(Selector("population")),
    st.dictionaries(columns, values, max_size=3).map(
        lambda group: Selector("overall", ordered_group(tuple(group.items())))
    ),
)
estimands = st.one_of(
    st.builds(lambda s: Estimand("slope", (), s), selectors),
    st.builds(lambda n, s: Estimand("gain", (n,), s), sizes, selectors),
    st.builds(lambda n, s: Estimand("ratio", (n, 2 * n), s), sizes, selectors),
    st.builds(lambda t, s: Estimand("crossing", (t,), s), numbers, selectors),
    st.builds(lambda v: Estimand("effect", (), Selector("overall", (("covariate", v),))), values),
)
expressions = st.recursive(
    st.one_of(numbers.map(Number), estimands),
    lambda inner: st.one_of(
        inner.map(Negate),
        st.builds(Binary, st.sampled_from("+-*"), inner, inner),
        inner.map(lambda arg: Apply("abs", (arg,))),
        st.lists(inner, min_size=2, max_size=3).map(lambda args: Apply("min", tuple(args))),
    ),
    max_leaves=8,
)


@given(expressions, st.sampled_from(["<", ">", "<=", ">="]), estimands)
def test_text_reads_back_as_the_same_tree(left, op, right):
    claim = Claim(left, op, right)
    assert parse_claim(str(claim)) == claim


@given(numbers)
def test_number_text_is_exact(value):
    assert parse_claim(f"slope < {format_number(value)}").right == Number(value)


@given(st.text(max_size=30))
def test_any_text_is_read_or_refused_with_a_message(text):
    message = ""
    try:
        found = bool(parse_claim(text).terms())
    except InputError as error:
        found, message = False, str(error)
    assert found or "^" in message


MISTAKES = {
    "": (0, "empty"),
    "slope": (5, "compares nothing"),
    "slope = 0": (6, "equality"),
    "slop < 0": (0, "did you mean 'slope'"),
    "gain < 1": (5, "expected '('"),
    "gain() < 1": (5, "expected a number"),
    "gain(10q) < 1": (5, "not a number"),
    "gain(0) < 1": (0, "number of parameters is > 0"),
    "gain(1e9, 2e9) < 1": (0, "takes 1 number"),
    "ratio(1e9, 1e9) < 1": (0, "two different sizes"),
    "slope[task] < 0": (6, "stands alone"),
    "slope[task=a, task=b] < 0": (14, "given twice"),
    "slope[task=a][language=b] < 0": (13, "second selector"),
    "slope[population, overall] < 0": (18, "two levels"),
    "slope[population, task=a] < 0": (25, "population fixes no group"),
    "slope[taks=a] < 0": (6, "did you mean 'task'"),
    "slope[prompt=a] < 0": (6, "columns: task, language_family"),
    'slope[task="x] < 0': (11, "never closed"),
    "slope[task=xnli < 0": (16, "expected ']'"),
    "slope(1e9) < 0": (5, "takes no arguments"),
    "slope[covariate=x] < 0": (0, "belongs to effect"),
    "effect < 0": (0, "needs a covariate"),
    "1 < 2": (0, "names no estimand"),
    "-1 < slope < 1": (11, "one comparison"),
    "slope < 0 and gain(1e9) > 0": (10, "not part of the comparison"),
    "slope / (1 - 1) < 0": (8, "division by zero"),
    "abs(slope, 1) < 1": (0, "one expression"),
    "max(slope) < 1": (0, "at least 2"),
    "slope < 1e999": (8, "too large"),
    "slope < $": (8, "found '$'"),
    "(" * 200 + "slope" + ")" * 200 + " < 0": (60, "nested"),
}


@pytest.mark.parametrize(("text", "fault"), MISTAKES.items())
def test_mistakes_are_marked_where_they_are(text, fault):
    place, words = fault
    with pytest.raises(InputError) as error:
        parse_claim(text)
    message = str(error.value)
    assert words in message
    assert message.splitlines()[-1].index("^") - 4 == place


def test_not_text():
    with pytest.raises(InputError, match="a claim is text, not int"):
        parse_claim(3)


@pytest.mark.parametrize(
    ("text", "kind", "bound"),
    [
        ("slope < 0", "gain", False),
        ("slope[task=xnli] < slope[task=xcopa]", "gain", False),
        ("2 * slope < gain(1e9)", "gain", False),
        ("gain(10e9) < 1", "gain", True),
        ("abs(gain(1e9)) < 1", "gain", True),
        ("abs(gain(1e9)) < 0", "gain", False),
        ("gain(1e9) - 1 < gain(2e9)", "gain", True),
        ("ratio(1e9, 10e9) > 1", "ratio", False),
        ("gain(1e9) / gain(2e9) > 1", "ratio", False),
        ("crossing(1) < 10e9", "size", True),
        ("crossing(0) < 10e9", "size", False),
        ("crossing(0)[task=a] < 2 * crossing(0)[task=b]", "size", False),
        ("effect[covariate=unseen] < 0", "gain", False),
        ("max(slope[task=a], slope[task=b]) < 0", "gain", False),
        ("slope * slope > 0", "mixed", False),
    ],
)
def test_unit_and_scale(text, kind, bound):
    found = measure(parse_claim(text))
    assert (found.kind, found.bound) == (kind, bound)


@pytest.mark.parametrize("text", ["crossing(0) < slope", "ratio(1e9, 2e9) + gain(1e9) > 0"])
def test_units_that_do_not_go_together(text):
    with pytest.raises(InputError, match="different kinds"):
        measure(parse_claim(text))


def test_linear_form_collects_terms():
    form = linear_form(parse_claim("2 * (slope - gain(1e9) / 4) < -slope + 3").difference)
    assert {str(term): weight for term, weight in form.weights} == {"slope": 3.0, "gain(1B)": -0.5}
    assert form.constant == -3.0


def test_terms_that_cancel_leave_the_form():
    assert linear_form(parse_claim("slope - slope < gain(1e9)").difference).weights == (
        (Estimand("gain", (1e9,)), -1.0),
    )


@pytest.mark.parametrize(
    "text", ["ratio(1e9, 2e9) > 1", "slope * slope > 1", "1 / slope > 1", "abs(slope) < 1"]
)
def test_not_linear(text):
    assert linear_form(parse_claim(text).difference) is None


def test_equivalence():
    form, width = equivalence_form(parse_claim("2 > abs(gain(1e9) - 8)"))
    assert (form.constant, width) == (-8.0, 2.0)
    assert equivalence_form(parse_claim("abs(slope) > 1")) is None
    assert equivalence_form(parse_claim("abs(slope) < gain(1e9)")) is None


def test_select_fills_only_open_keys():
    claim = parse_claim("slope < slope[task=xcopa] + abs(-gain(1e9)[population])").select("task", "xnli")
    assert str(claim) == "slope[task=xnli] < slope[task=xcopa] + abs(-gain(1B)[population])"


def test_terms_are_listed_once_in_order():
    claim = parse_claim("slope - gain(1e9) < max(slope, 0)")
    assert [term.name for term in claim.terms()] == ["slope", "gain"]
    assert len(list(walk_terms(claim.difference))) == 3
    assert set(ESTIMANDS) == {"slope", "gain", "ratio", "crossing", "effect", *SCORE_ESTIMANDS}
