"""Reading what people give us: bytes -> text cells -> numbers, each fault with its column and lines."""

from gainlaw._input.cells import (
    Faults,
    check_names,
    group_codes,
    parse_free,
    parse_numbers,
    parse_text,
)
from gainlaw._input.digits import half_units
from gainlaw._input.files import read_raw
from gainlaw._input.frames import RawTable, raw_from_frame
from gainlaw._input.names import show_name

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
