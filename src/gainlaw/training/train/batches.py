"""Which examples go through the model together: buckets of like length, within a budget of tokens."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

__all__ = ["epoch_batches", "micro_batches", "sorted_batches"]

Int = np.ndarray
_WINDOW = 50


def epoch_batches(lengths: Int, batch_size: int, seed: int, epoch: int) -> list[Int]:
    """Return the batches of one epoch, each of examples of like length, in random order.

    Examples are shuffled, cut into windows of 50 batches, sorted by length within each, and cut into batches,
    whose order is shuffled: a batch is padded little and is still as good as random.

    Parameters
    ----------
    lengths : ndarray of int, shape (n,)
        Tokens of each example.
    batch_size : int
        Examples in a batch; the last one of an epoch may have fewer.
    seed, epoch : int
        The same two give the same batches.

    Returns
    -------
    list of ndarray of int
        Positions of the examples.

    Examples
    --------
    >>> batches = epoch_batches(np.array([3, 9, 4, 8, 5]), 2, seed=0, epoch=0)
    >>> sorted(np.concatenate(batches).tolist()), len(batches)
    ([0, 1, 2, 3, 4], 3)
    """
    rng = np.random.default_rng([seed, epoch])
    order = rng.permutation(len(lengths))
    batches: list[Int] = []
    for start in range(0, len(order), _WINDOW * batch_size):
        window = order[start : start + _WINDOW * batch_size]
        window = window[np.argsort(lengths[window], kind="stable")]
        # The short batch, if there is one, is the last of the last window, whatever its lengths.
        batches += [window[at : at + batch_size] for at in range(0, len(window), batch_size)]
    return [batches[i] for i in rng.permutation(len(batches))]


def micro_batches(rows: Int, lengths: Int, tokens: int, parts: int = 1) -> list[Int]:
    """Cut one batch into pieces that hold at most `tokens` tokens, padding included.

    Parameters
    ----------
    rows : ndarray of int
        Positions of the examples of the batch.
    lengths : ndarray of int, shape (n,)
        Tokens of each example (of all its sequences, for a choice).
    tokens : int
        The budget; an example that is longer goes alone.
    parts : int
        Where these are fewer pieces than this, the batch is cut into about as many, the largest as small as can be.

    Returns
    -------
    list of ndarray of int
        Together the rows of the batch.

    Examples
    --------
    >>> [part.tolist() for part in micro_batches(np.arange(5), np.array([2, 9, 2, 2, 4]), 64, 2)]
    [[1], [4, 0, 2, 3]]
    """
    rows = rows[np.argsort(-lengths[rows], kind="stable")]
    pieces = _cut(rows, lengths, tokens)
    if len(pieces) >= parts:
        return pieces
    low, high = 0, tokens  # the smallest budget that gives no more than so many pieces is above the first
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if len(_cut(rows, lengths, middle)) <= parts else (middle, high)
    return _cut(rows, lengths, high)


def _cut(rows: Int, lengths: Int, tokens: int) -> list[Int]:
    pieces, start = [], 0
    while start < len(rows):
        fits = max(1, int(tokens // max(int(lengths[rows[start]]), 1)))
        pieces.append(rows[start : start + fits])
        start += fits
    return pieces


def sorted_batches(lengths: Int, tokens: int) -> Iterator[Int]:
    """Yield all examples from the longest to the shortest, in batches of at most `tokens` tokens with padding.

    `lengths`, shape (n,), are the tokens of each example; positions of examples are yielded.
    """
    yield from micro_batches(np.arange(len(lengths)), lengths, tokens)
