"""Model sizes and numbers from Python: text, masks and missing values are read or refused, never passed over."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.numbers import read_numbers
from gainlaw.sizes import parse_size, read_sizes


def test_sizes_are_read_as_the_shell_reads_them() -> None:
    np.testing.assert_array_equal(read_sizes(["560M", "7B", " 1.3e10 ", "2k"]), [5.6e8, 7e9, 1.3e10, 2e3])
    assert read_sizes("7B") == 7e9
    np.testing.assert_array_equal(read_sizes(np.array([1, 2])), [1.0, 2.0])


def test_masked_and_missing_entries_are_missing() -> None:
    masked = np.ma.masked_array([1.0, -999.0, 3.0], mask=[False, True, False])
    for values in (masked, [1.0, None, 3.0], pd.Series([1, None, 3], dtype="Int64"), [1.0, np.nan, 3.0]):
        np.testing.assert_array_equal(read_numbers(values, "y"), [1.0, np.nan, 3.0])


@pytest.mark.parametrize(
    "values", [[[1], [1, 2]], ["a"], ["7B"], [True], [1j], {"a": 1}, [object()], pd.Series(["x"])]
)
def test_what_is_no_number_is_refused_by_name(values: object) -> None:
    with pytest.raises(gl.InputError, match=r"^y: "):
        read_numbers(values, "y")


@pytest.mark.parametrize("text", ["", "B", "nan", "inf", "7Q", "1e99999999T", "1e400", "0x10"])
def test_what_is_no_size_is_refused(text: str) -> None:
    with pytest.raises(gl.InputError, match="is not a number"):
        parse_size(text)


def test_what_is_read_is_a_writable_array_in_c_order() -> None:
    readonly = np.arange(6.0)
    readonly.setflags(write=False)
    for values in (readonly[::2], pd.Series(readonly), np.asfortranarray(np.eye(3))):
        found = read_numbers(values, "y")
        assert found.flags.c_contiguous
        assert found.flags.writeable
