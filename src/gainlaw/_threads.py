"""Threads: one for BLAS on small matrices, all cores for independent draws."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

__all__ = ["cores", "fill_in_threads", "in_threads", "one_blas_thread", "pieces"]

_MOST_THREADS = 8


@contextmanager
def one_blas_thread() -> Iterator[None]:
    """Keep BLAS to one thread inside the block.

    The matrices here have one to five hundred rows: threads that wait for each other cost more than they save, up
    to a hundredfold on a busy machine.
    """
    # NumPy and SciPy must have loaded their libraries before the limit can reach them.
    import scipy.linalg  # noqa: F401
    from threadpoolctl import threadpool_limits

    with threadpool_limits(1):
        yield


def in_threads(
    function: Callable[[slice], NDArray[np.float64]], size: int, *, least: int = 16
) -> NDArray[np.float64]:
    """Return ``function(slice(0, size))``, computed in parts by several threads and concatenated.

    Parameters
    ----------
    function : callable
        Takes a slice of rows and returns an array to put after those of earlier rows. It must compute every row by
        itself and release the interpreter's lock, so that the result does not depend on the number of threads.
    size : int
        The number of rows.
    least : int
        A thread is worth its while for so many rows.
    """
    parts = _in_parts(function, size, least)
    return parts[0] if len(parts) == 1 else np.concatenate(parts)


def fill_in_threads(function: Callable[[slice], None], size: int, *, least: int = 16) -> None:
    """Call a function that writes its rows into an array of its own, see `in_threads`."""
    _in_parts(function, size, least)


def pieces(inside: slice, size: int) -> Iterator[slice]:
    """Cut a slice into slices of `size`, the last of what is left."""
    for first in range(inside.start, inside.stop, size):
        yield slice(first, min(first + size, inside.stop))


def _in_parts(function: Callable[[slice], Any], size: int, least: int) -> list[Any]:
    workers = min(cores(), _MOST_THREADS, max(size // least, 1))
    if workers == 1:
        return [function(slice(0, size))]
    from concurrent.futures import ThreadPoolExecutor

    edges = np.linspace(0, size, workers + 1).astype(int)
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(function, [slice(a, b) for a, b in itertools.pairwise(edges)]))


def cores() -> int:
    """Return how many cores may be used: no more than ``OMP_NUM_THREADS``, which clusters and parents set."""
    found = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    asked = os.environ.get("OMP_NUM_THREADS", "")
    return max(min(found, int(asked)), 1) if asked.isdecimal() else found
