"""Files of claims: ``CLAIMS.toml``.

::

    threshold = 0.975                       # a scale supports a claim from here, and refutes it at 1 - this
    ci_prob = 0.95
    rope = { points = 1.0, log_odds = 0.1 } # half widths of practical equivalence

    [[claim]]
    name = "shrinks"
    claim = "slope < 0"
    text = "The gain shrinks with scale."
    where = { intermediate = ["xP3"] }      # the rows it is about
    needs = { tasks = ["xnli", "xcopa"], min_sizes = 3 }

Other keys of a claim: ``threshold``, ``rope`` (a number or a table), ``scale`` (judge on this scale only),
``log_odds`` (what the claim says on log-odds, where its numbers differ), ``for_each`` (one verdict a group of
this column; ``{group}`` in the text is the group), ``source``. Keys of ``needs``: ``tasks``, ``languages``,
``language_families``, ``intermediates``, ``model_families``, ``base_models``, ``covariates``, ``min_sizes``,
``min_checkpoints``.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from gainlaw.claims.decision import DEFAULT_THRESHOLD
from gainlaw.claims.grammar.certain import refuse_certain
from gainlaw.claims.grammar.forms import linear_form, measure
from gainlaw.claims.grammar.parse import parse_claim
from gainlaw.claims.grammar.syntax import Claim
from gainlaw.claims.rows import NEED_COLUMNS, Needs, Where
from gainlaw.claims.verdict import DEFAULT_ROPE
from gainlaw.errors import InputError, Problem
from gainlaw.options import choices
from gainlaw.scales import Scale

__all__ = ["ClaimEntry", "ClaimFile", "read_claims"]

FOR_EACH = ("task", "language_family", "language", "intermediate", "model_family")
TOP_KEYS = ("version", "threshold", "ci_prob", "rope", "claim")
CLAIM_KEYS = (
    *("name", "claim", "text", "source", "scale", "log_odds", "threshold", "rope"),
    *("for_each", "needs", "where"),
)


@dataclass(frozen=True, slots=True)
class ClaimEntry:
    """One claim of a file.

    Parameters
    ----------
    name : str
        Unique in the file.
    claim : Claim
        What is claimed.
    text, source : str
        In plain words, and where it comes from.
    scale : str or None
        The only scale to judge on; None leaves it to the claim.
    log_odds : Claim or None
        What the claim says on log-odds.
    threshold : float
        Probability from which a scale supports it.
    rope : tuple of (str, float)
        Half width of practical equivalence by scale.
    for_each : str or None
        Judge it for every group of this column.
    needs : Needs
        The rows it needs.
    where : tuple of (str, tuple of str)
        The rows it is about: column and allowed values.
    """

    name: str
    claim: Claim
    text: str
    source: str
    scale: Scale | None
    log_odds: Claim | None
    threshold: float
    rope: tuple[tuple[str, float], ...]
    for_each: str | None
    needs: Needs
    where: Where


@dataclass(frozen=True, slots=True)
class ClaimFile:
    """A file of claims.

    Parameters
    ----------
    entries : tuple of ClaimEntry
        The claims in the order of the file.
    ci_prob : float
        Probability of the intervals.
    source : str
        The file.
    """

    entries: tuple[ClaimEntry, ...]
    ci_prob: float
    source: str


def read_claims(path: str | os.PathLike[str]) -> ClaimFile:
    """Read a file of claims and check every key of it.

    Parameters
    ----------
    path : path-like
        A TOML file; its form stands at the top of this module.

    Returns
    -------
    ClaimFile
        The claims.

    Raises
    ------
    InputError
        If there is no such file, it is no TOML, or anything in it is wrong: unknown keys, claims that cannot
        be read, thresholds out of range, names given twice. All faults are reported together.
    """
    target = Path(path)
    try:
        with target.open("rb") as handle:
            data = tomllib.load(handle)
    except FileNotFoundError:
        raise InputError("there is no such file", source=str(path)) from None
    except IsADirectoryError:
        raise InputError("this is a folder, not a file of claims", source=str(path)) from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InputError(Problem(f"not a TOML file: {error}"), source=str(path)) from None
    return _Reader(str(path)).read(data)


class _Reader:
    """Collects the faults of one file while it is read."""

    def __init__(self, source: str) -> None:
        self.source = source
        self.problems: list[Problem] = []

    def fault(self, where: str, message: str, hint: str | None = None) -> None:
        self.problems.append(Problem(f"{where}{message}", hint=hint))

    def read(self, data: Mapping[str, Any]) -> ClaimFile:
        self.unknown("", data, TOP_KEYS)
        if data.get("version", 1) != 1:
            self.fault("", f"version is {data['version']!r}", "this release reads version 1")
        threshold = self.fraction("", data, "threshold", DEFAULT_THRESHOLD, 0.5)
        ci_prob = self.fraction("", data, "ci_prob", 0.95, 0.0)
        rope = self.rope("", data)
        listed = data.get("claim")
        if not isinstance(listed, list) or not listed or not all(isinstance(c, dict) for c in listed):
            self.fault("", "there are no claims", "write each claim as a [[claim]] table")
            listed = []
        entries, names = [], set()
        for number, table in enumerate(listed, start=1):
            name = table.get("name")
            good = isinstance(name, str) and bool(name.strip())
            where = f"claim {name!r}: " if good else f"claim {number}: "
            if not good:
                self.fault(where, "it has no name", 'add name = "..."')
            elif name in names:
                self.fault(where, "the name is given twice")
            names.add(name)
            entry = self.entry(where, str(name), table, threshold, rope)
            if entry is not None:
                entries.append(entry)
        if self.problems:
            raise InputError(self.problems, source=self.source)
        return ClaimFile(tuple(entries), ci_prob, self.source)

    def entry(
        self,
        where: str,
        name: str,
        table: Mapping[str, Any],
        threshold: float,
        rope: tuple[tuple[str, float], ...],
    ) -> ClaimEntry | None:
        self.unknown(where, table, CLAIM_KEYS)
        claim = self.claim(where, table, "claim", required=True)
        twin = self.claim(where, table, "log_odds")
        scale = table.get("scale")
        if scale is not None and scale not in choices(Scale):
            self.fault(where, f"scale is {scale!r}", f"allowed: {', '.join(choices(Scale))}")
        for_each = table.get("for_each")
        if for_each is not None and for_each not in FOR_EACH:
            self.fault(where, f"for_each is {for_each!r}", f"allowed: {', '.join(FOR_EACH)}")
        elif for_each is not None and claim is not None:
            fixed = [str(term) for term in claim.terms() if for_each in dict(term.selector.group)]
            if len(fixed) == len(claim.terms()):
                self.fault(
                    where, f"for_each is {for_each!r}, but every estimand names its {for_each} already"
                )
        own = self.fraction(where, table, "threshold", threshold, 0.5)
        width = self.rope(where, table) if "rope" in table else rope
        if "rope" not in table and claim is not None and not self.takes_rope(claim):
            width = ()
        needs = self.needs(where, table)
        rows = self.where(where, table)
        words = [self.text(where, table, key) for key in ("text", "source")]
        if claim is None:
            return None
        return ClaimEntry(
            name,
            claim,
            words[0],
            words[1],
            cast("Scale | None", scale),
            twin,
            own,
            width,
            for_each,
            needs,
            rows,
        )

    def takes_rope(self, claim: Claim) -> bool:
        try:
            return measure(claim).kind == "gain" and linear_form(claim.difference) is not None
        except InputError:
            return False

    def unknown(self, where: str, table: Mapping[str, Any], allowed: tuple[str, ...]) -> None:
        for key in table:
            if key not in allowed:
                self.fault(where, f"unknown key {key!r}", f"allowed: {', '.join(allowed)}")

    def text(self, where: str, table: Mapping[str, Any], key: str) -> str:
        value = table.get(key, "")
        if not isinstance(value, str):
            self.fault(where, f"{key} is {value!r}", "write text")
            return ""
        return " ".join(value.split())

    def claim(
        self, where: str, table: Mapping[str, Any], key: str, *, required: bool = False
    ) -> Claim | None:
        if key not in table:
            if required:
                self.fault(where, "it claims nothing", 'add claim = "slope < 0" or the like')
            return None
        try:
            claim = parse_claim(table[key])
            measure(claim)
            refuse_certain(claim)
        except InputError as error:
            for problem in error.problems:
                self.fault(f"{where}{key}: ", problem.message, problem.hint)
            return None
        return claim

    def fraction(self, where: str, table: Mapping[str, Any], key: str, default: float, above: float) -> float:
        value = table.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float) or not above < value < 1:
            self.fault(where, f"{key} is {value!r}", f"a probability between {above:g} and 1")
            return default
        return float(value)

    def rope(self, where: str, table: Mapping[str, Any]) -> tuple[tuple[str, float], ...]:
        value = table.get("rope", DEFAULT_ROPE)
        if not isinstance(value, dict):
            scale = table.get("scale", "points")
            value = {scale if scale in choices(Scale) else "points": value}
        out = []
        for scale, width in value.items():
            if scale not in choices(Scale):
                self.fault(where, f"rope names the scale {scale!r}", f"allowed: {', '.join(choices(Scale))}")
            elif (
                isinstance(width, bool) or not isinstance(width, int | float) or not 0 <= width < float("inf")
            ):
                self.fault(where, f"rope is {width!r}", "a half width >= 0")
            else:
                out.append((str(scale), float(width)))
        return tuple(out)

    def needs(self, where: str, table: Mapping[str, Any]) -> Needs:
        given = table.get("needs", {})
        lists = (*NEED_COLUMNS, "covariates")
        counts = ("min_sizes", "min_checkpoints")
        if not isinstance(given, dict):
            self.fault(where, f"needs is {given!r}", 'write a table: needs = { tasks = ["xnli"] }')
            return Needs()
        self.unknown(f"{where}needs: ", given, (*lists, *counts))
        found: dict[str, Any] = {}
        for key in lists:
            if key in given:
                found[key] = self.strings(f"{where}needs: ", key, given[key])
        for key in counts:
            value = given.get(key, 0)
            if isinstance(value, bool) or not isinstance(value, int) or value < 0:
                self.fault(f"{where}needs: ", f"{key} is {value!r}", "a whole number >= 0")
            else:
                found[key] = value
        return Needs(**found)

    def where(self, where: str, table: Mapping[str, Any]) -> Where:
        given = table.get("where", {})
        if not isinstance(given, dict):
            self.fault(where, f"where is {given!r}", 'write a table: where = { intermediate = ["xP3"] }')
            return ()
        return tuple((key, self.strings(f"{where}where: ", key, value)) for key, value in given.items())

    def strings(self, where: str, key: str, value: Any) -> tuple[str, ...]:
        values = [value] if isinstance(value, str) else value
        if not isinstance(values, list) or not values or not all(isinstance(v, str) and v for v in values):
            self.fault(where, f"{key} is {value!r}", 'write a list of texts: ["xnli", "xcopa"]')
            return ()
        return tuple(values)
