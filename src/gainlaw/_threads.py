"""Linear algebra on small matrices: one thread is fastest, and gives the same bytes everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["one_blas_thread"]


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
