"""Values out of JSON of which nothing is certain: what is not of the kind that was looked for is not there."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from gainlaw.imports.measures import is_number

__all__ = ["digest", "mapping", "part", "text"]

_ADDRESS = re.compile(r"0x[0-9a-fA-F]+")


def mapping(value: object) -> Mapping[str, Any]:
    """Return a mapping as it is, and an empty one for anything else.

    Examples
    --------
    >>> mapping({"a": 1}), mapping(None)
    ({'a': 1}, {})
    """
    return value if isinstance(value, dict) else {}


def part(value: object, *keys: str) -> Any:
    """Return what lies in mappings inside each other, or None.

    Examples
    --------
    >>> part({"a": {"b": 1}}, "a", "b"), part({"a": 1}, "a", "b")
    (1, None)
    """
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def text(value: object) -> str:
    """Return text or a number as text, and an empty string for anything else.

    Examples
    --------
    >>> text(" a "), text(1.0), text(None), text([1])
    ('a', '1', '', '')
    """
    if is_number(value):
        return f"{value:.12g}"
    return value.strip() if isinstance(value, str) else ""


def digest(value: object) -> str:
    """Return a short digest of words, the same for the same words; blank where there are none.

    Examples
    --------
    >>> digest(["a"]) == digest(["a"]), digest(["a"]) == digest(["b"]), digest([None, ""])
    (True, False, '')
    """
    if not (any(value) if isinstance(value, list) else value):
        return ""
    words = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    return _digest(words)


@lru_cache(maxsize=65536)
def _digest(words: str) -> str:
    return hashlib.sha256(_ADDRESS.sub("", words).encode()).hexdigest()[:12]
