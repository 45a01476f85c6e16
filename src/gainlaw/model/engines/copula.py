r"""A proposal with the margins of weighted points, and the correlations of their normal scores.

Posteriors of standard deviations are skewed, cut off at zero and long-tailed, each in its own way; what is left when
every margin has been made normal is close to a normal law. A margin is a histogram of the weighted points smoothed by
a normal kernel, with a share of a uniform law over its cells; the density is

.. math::

    q(u) = \varphi_R(z) \prod_k f_k(u_k) / \varphi(z_k), \qquad z_k = \Phi^{-1}(F_k(u_k)),

a Gaussian copula (Joe 2014, Dependence Modeling with Copulas, section 2.6, ISBN 978-1466583221).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Copula", "copula"]

Float = NDArray[np.float64]

# Cells of a margin's histogram.
_CELLS = 128
# They reach so far beyond the points, as a share of the sd.
_BEYOND = 1.0
# Width of the kernel by Silverman's rule for normal margins, times this.
_NARROWER = 0.8
# Share of the mass spread evenly over the cells: the kernel has no tail.
_EVEN = 0.01
# Correlations of normal scores are drawn towards zero by this share, as their estimates are noisy.
_SHRINK = 0.02


@dataclass(frozen=True, slots=True, eq=False)
class Copula:
    """Margins of even density in cells, tied by the correlations of their normal scores.

    Parameters
    ----------
    edges : ndarray, shape (k, cells + 1)
        Edges of the cells of every coordinate.
    below : ndarray, shape (k, cells + 1)
        The distribution function there, from 0 to 1.
    factor : ndarray, shape (k, k)
        Lower triangular factor of the correlations.
    """

    edges: Float
    below: Float
    factor: Float

    def sample(self, uniforms: Float) -> Float:
        """Map uniform numbers in (0, 1), shape (n, k), to points."""
        from scipy.special import ndtr, ndtri

        scores = ndtri(np.clip(uniforms, 1e-15, 1.0 - 1e-15)) @ self.factor.T
        shares = ndtr(scores)
        return np.column_stack(
            [
                np.interp(u, below, edges)
                for u, below, edges in zip(shares.T, self.below, self.edges, strict=True)
            ]
        )

    def log_density(self, points: Float) -> Float:
        """Return the log density at points, shape (n,); -inf outside the cells."""
        from scipy.linalg import solve_triangular
        from scipy.special import ndtri

        scores, total = np.empty_like(points), np.zeros(len(points))
        for k, (edges, below) in enumerate(zip(self.edges, self.below, strict=True)):
            width = edges[1] - edges[0]
            cell = np.floor((points[:, k] - edges[0]) / width)
            inside = (cell >= 0) & (cell < _CELLS)
            at = np.clip(cell, 0, _CELLS - 1).astype(np.int64)
            mass = below[at + 1] - below[at]
            total += np.where(inside, np.log(mass / width), -np.inf)
            share = below[at] + mass * (points[:, k] - edges[at]) / width
            scores[:, k] = ndtri(np.clip(share, 1e-15, 1.0 - 1e-15))
        whitened = solve_triangular(self.factor, scores.T, lower=True, check_finite=False)
        total += 0.5 * (np.sum(scores**2, axis=1) - np.sum(whitened**2, axis=0))
        return total - np.log(np.diag(self.factor)).sum()


def copula(points: Float, weights: Float, lower: Float, upper: Float) -> Copula:
    """Return the proposal that weighted points describe.

    Parameters
    ----------
    points : ndarray, shape (n, k)
        Points.
    weights : ndarray, shape (n,)
        Their weights, of sum one.
    lower, upper : ndarray, shape (k,)
        Bounds of the coordinates, infinite where there is none.
    """
    from scipy.special import ndtri

    dimensions = points.shape[1]
    edges, below = np.empty((dimensions, _CELLS + 1)), np.empty((dimensions, _CELLS + 1))
    scores = np.empty_like(points)
    worth = 1.0 / np.sum(weights**2)
    carried = weights > 1e-3 * weights.max()
    for k, values in enumerate(points.T):
        mean = weights @ values
        sd = np.sqrt(weights @ (values - mean) ** 2)
        low = max(values[carried].min() - _BEYOND * sd, lower[k])
        high = min(values[carried].max() + _BEYOND * sd, upper[k])
        edges[k] = np.linspace(low, high, _CELLS + 1)
        below[k] = _margin(values, weights, edges[k], _NARROWER * 1.06 * sd * worth**-0.2)
        share = np.interp(values, edges[k], below[k])
        scores[:, k] = ndtri(np.clip(share, 1e-6, 1.0 - 1e-6))
    scores -= weights @ scores
    covariance = scores.T @ (scores * weights[:, None])
    sds = np.sqrt(np.diag(covariance))
    correlation = (1.0 - _SHRINK) * covariance / np.outer(sds, sds)
    np.fill_diagonal(correlation, 1.0)
    return Copula(edges, below, np.linalg.cholesky(correlation))


def _margin(values: Float, weights: Float, edges: Float, width: float) -> Float:
    """Return the distribution function at the edges of cells; the kernel is mirrored at both ends."""
    counts, _ = np.histogram(values, bins=edges, weights=weights)
    cell = edges[1] - edges[0]
    reach = min(int(np.ceil(4.0 * width / cell)), len(counts))
    kernel = np.exp(-0.5 * (np.arange(-reach, reach + 1) * cell / width) ** 2)
    smooth = np.convolve(np.pad(counts, reach, mode="symmetric"), kernel / kernel.sum(), mode="valid")
    mass = (1.0 - _EVEN) * smooth / smooth.sum() + _EVEN / len(smooth)
    below = np.concatenate([[0.0], np.cumsum(mass)])
    return below / below[-1]
