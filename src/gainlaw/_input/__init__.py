"""Reading what people give us: bytes -> text cells -> numbers, each fault with its column and lines."""

from gainlaw._input.cells import (
    Faults,
    group_codes,
    parse_free,
    parse_numbers,
    parse_text,
    spelling_clashes,
)
from gainlaw._input.files import RawTable, raw_from_frame, read_raw

__all__ = [
    "Faults",
    "RawTable",
    "group_codes",
    "parse_free",
    "parse_numbers",
    "parse_text",
    "raw_from_frame",
    "read_raw",
    "spelling_clashes",
]
