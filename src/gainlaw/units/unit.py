"""A unit of work: what is done, what determines its result, and the units it reads; its key is their hash."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from gainlaw._io import sha256_bytes

__all__ = ["Unit", "make_unit"]


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of work.

    Attributes
    ----------
    kind : str
        What is done: those who declare units know how.
    key : str
        SHA-256 in hexadecimal of everything that determines the result: kind, code, `spec`, keys of the parents,
        versions of libraries.
    name : str
        Where its result is in a store: a path relative to it.
    spec : mapping
        Plain data: settings, seeds, hashes of data.
    parents : mapping of str to str
        Role to the name of the unit in it.
    aside : mapping
        Plain data that it needs and that determines nothing, such as where files lie whose hashes are in `spec`.
    label : str
        What it does, for a reader.
    """

    kind: str
    key: str
    name: str
    spec: Mapping[str, Any]
    parents: Mapping[str, str] = field(default_factory=dict)
    aside: Mapping[str, Any] = field(default_factory=dict)
    label: str = ""

    def record(self) -> dict[str, Any]:
        """Return the unit as plain data; ``Unit(**record)`` is the unit again."""
        return asdict(self)


def make_unit(
    kind: str,
    spec: Mapping[str, Any],
    parents: Mapping[str, Unit] | None = None,
    *,
    code: str,
    libraries: Mapping[str, str] | None = None,
    aside: Mapping[str, Any] | None = None,
    label: str = "",
    name: str = "",
) -> Unit:
    """Return a unit with its key.

    Parameters
    ----------
    kind : str
        What is done.
    spec : mapping
        What determines the result beside code and parents; plain data.
    parents : mapping of str to Unit, optional
        The units it reads, by role.
    code : str
        The version of the code that makes the result, see `gainlaw.units.versions`.
    libraries : mapping, optional
        Versions of the packages that can change the result.
    aside : mapping, optional
        What it needs and what determines nothing.
    label : str
        For a reader.
    name : str, optional
        Where its result is; by default its kind and its key, so that every result has a place of its own.

    Returns
    -------
    Unit

    Examples
    --------
    >>> a, b = make_unit("count", {"upto": 3}, code="1"), make_unit("count", {"upto": 4}, code="1")
    >>> a.key == make_unit("count", {"upto": 3}, code="1", label="other words").key, a.key == b.key
    (True, False)
    >>> make_unit("add", {}, {"first": a, "second": b}, code="1", name="sums/all").name
    'sums/all'
    """
    parents = parents or {}
    determined = {
        "kind": kind,
        "code": code,
        "spec": dict(spec),
        "parents": {role: unit.key for role, unit in parents.items()},
        "libraries": dict(libraries or {}),
    }
    key = sha256_bytes(json.dumps(determined, sort_keys=True, ensure_ascii=False).encode())
    names = {role: unit.name for role, unit in parents.items()}
    return Unit(kind, key, name or f"{kind}-{key[:20]}", dict(spec), names, dict(aside or {}), label)
