"""Reading what people give us: bytes -> text cells -> numbers, each fault with its column and lines."""

from gainlaw.scores.reading.cells import (
    Faults,
    check_names,
    group_codes,
    parse_free,
    parse_numbers,
    parse_text,
)
from gainlaw.scores.reading.digits import half_units
from gainlaw.scores.reading.files import read_raw
from gainlaw.scores.reading.frames import RawTable, raw_from_frame
from gainlaw.scores.reading.names import show_name

__all__ = [
    "Faults",
    "RawTable",
    "check_names",
    "group_codes",
    "half_units",
    "parse_free",
    "parse_numbers",
    "parse_text",
    "raw_from_frame",
    "read_raw",
    "show_name",
]
