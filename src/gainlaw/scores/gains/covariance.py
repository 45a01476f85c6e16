"""The sampling covariance of gains: independent rows, and blocks of rows that share a baseline."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from gainlaw.errors import InputError

__all__ = ["BlockCovariance"]


@dataclass(frozen=True, slots=True, eq=False)
class BlockCovariance:
    """A covariance matrix that is diagonal but for a few small blocks.

    Attributes
    ----------
    variance : numpy.ndarray of float, shape (n,)
        The diagonal, in squared units of the gain.
    blocks : tuple of (rows, cov)
        For every set of two or more correlated rows: their positions, shape (m,), increasing, and their
        covariance, shape (m, m), whose diagonal repeats `variance`.

    Examples
    --------
    >>> cov = BlockCovariance(np.array([2.0, 2.0, 3.0]), ((np.array([0, 1]), np.array([[2.0, 1], [1, 2]])),))
    >>> cov.matrix().tolist()
    [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 3.0]]
    """

    variance: np.ndarray
    blocks: tuple[tuple[np.ndarray, np.ndarray], ...] = ()

    @property
    def size(self) -> int:
        """The number of rows."""
        return len(self.variance)

    def matrix(self) -> np.ndarray:
        """Return the dense matrix, shape (n, n)."""
        dense = np.diag(np.asarray(self.variance, float))
        for rows, cov in self.blocks:
            dense[np.ix_(rows, rows)] = cov
        return dense

    def subset(self, mask: np.ndarray) -> BlockCovariance:
        """Return the covariance of the rows kept.

        Parameters
        ----------
        mask : numpy.ndarray of bool, shape (n,)
            True for the rows to keep.
        """
        mask = np.asarray(mask, bool)
        renumber = np.cumsum(mask) - 1
        blocks = []
        for rows, cov in self.blocks:
            kept = mask[rows]
            if kept.sum() > 1:
                blocks.append((renumber[rows[kept]], cov[np.ix_(kept, kept)]))
        return BlockCovariance(self.variance[mask], tuple(blocks))

    def scaled(self, factor: np.ndarray) -> BlockCovariance:
        """Return the covariance after row i is multiplied by ``factor[i]``.

        Parameters
        ----------
        factor : numpy.ndarray of float, shape (n,)
            The factors.
        """
        blocks = tuple((rows, cov * np.outer(factor[rows], factor[rows])) for rows, cov in self.blocks)
        return BlockCovariance(self.variance * factor**2, blocks)

    def rotation(self) -> tuple[np.ndarray, Callable[[np.ndarray], np.ndarray]]:
        """Diagonalise the matrix block by block.

        With S = Q diag(values) Q', the rotated rows ``Q'z`` of a vector z with covariance S are independent
        with variances `values`; a multiple of the identity added to S only adds to `values`.

        Returns
        -------
        values : numpy.ndarray of float, shape (n,)
            The eigenvalues; those of a block stand at its rows.
        apply : callable
            ``apply(Z)`` is ``Q'Z`` for Z of shape (n,) or (n, k).
        """
        values = np.array(self.variance, float)
        factors = []
        for rows, cov in self.blocks:
            eigenvalues, vectors = np.linalg.eigh(cov)
            values[rows] = np.clip(eigenvalues, 0.0, None)
            factors.append((rows, vectors.T))

        def apply(z: np.ndarray) -> np.ndarray:
            rotated = np.array(z, float)
            for rows, vectors in factors:
                rotated[rows] = vectors @ np.asarray(z, float)[rows]
            return rotated

        return values, apply

    def validate(self, tolerance: float = 1e-9) -> BlockCovariance:
        """Return itself if it is a covariance: finite, symmetric, no negative variance in any direction.

        Parameters
        ----------
        tolerance : float, default 1e-9
            How far below 0 an eigenvalue may be, relative to the largest of its block.

        Raises
        ------
        InputError
            If it is not.
        """
        for rows, _ in self.blocks:
            inside = len(rows) > 0 and rows[0] >= 0 and rows[-1] < self.size
            if not inside or not np.issubdtype(rows.dtype, np.integer) or np.any(np.diff(rows) <= 0):
                raise InputError(
                    f"a covariance block has rows {rows[:6].tolist()}, not rising or none of the table's"
                )
        if not np.all(np.isfinite(self.variance)) or np.any(self.variance < 0):
            raise InputError("the sampling variances of the gains must be finite and not negative")
        seen = np.zeros(self.size, bool)
        for rows, cov in self.blocks:
            name = f"the covariance block of rows {rows[:6].tolist()}"
            if seen[rows].any() or cov.shape != (len(rows), len(rows)):
                raise InputError(f"{name} overlaps another or has the wrong shape")
            seen[rows] = True
            scale = float(np.max(np.abs(cov), initial=0.0)) or 1.0
            if not np.all(np.isfinite(cov)) or np.max(np.abs(cov - cov.T)) > tolerance * scale:
                raise InputError(f"{name} is not symmetric and finite")
            if np.max(np.abs(np.diag(cov) - self.variance[rows])) > 1e-8 * scale:
                raise InputError(f"{name} does not have the rows' squared standard errors on its diagonal")
            if np.linalg.eigvalsh(cov)[0] < -tolerance * scale:
                raise InputError(f"{name} is not positive semidefinite")
        return self
