"""Masked language modelling: which tokens are hidden (Devlin et al. 2019, arXiv 1810.04805)."""

from __future__ import annotations

import numpy as np

__all__ = ["mask_tokens"]


def mask_tokens(
    ids: np.ndarray,
    usable: np.ndarray,
    rate: float,
    mask: int,
    vocabulary: int,
    rng: np.random.Generator,
) -> tuple[np.ndarray, np.ndarray]:
    """Hide tokens: of those chosen 80% become the mask, 10% a random token, 10% stay.

    Parameters
    ----------
    ids : ndarray of int64, shape (n, length)
        Tokens.
    usable : ndarray of bool, shape (n, length)
        Where there is a token that may be hidden: neither padding nor a special one.
    rate : float
        Probability that one is chosen.
    mask, vocabulary : int
        Id of the mask token, and number of tokens.
    rng : numpy.random.Generator
        Random numbers.

    Returns
    -------
    ids : ndarray of int64, shape (n, length)
        What the model sees.
    places : ndarray of int, shape (chosen,)
        The chosen places in the flattened table; at least one wherever anything is usable.

    Examples
    --------
    >>> ids = np.arange(5, 25).reshape(2, 10)
    >>> seen, places = mask_tokens(ids, ids > 6, 0.3, 3, 25, np.random.default_rng(0))
    >>> bool((seen.ravel()[:2] == ids.ravel()[:2]).all()), len(places) > 0
    (True, True)
    """
    drawn = rng.random(ids.shape)
    chosen = usable & (drawn < rate)
    if not chosen.any() and usable.any():
        chosen.ravel()[np.argmin(np.where(usable, drawn, 2.0))] = True
    kind = rng.random(ids.shape)
    seen = np.where(chosen & (kind < 0.8), mask, ids)
    other = rng.integers(0, vocabulary, ids.shape)
    seen = np.where(chosen & (kind >= 0.9), other, seen)
    return seen, np.flatnonzero(chosen)
