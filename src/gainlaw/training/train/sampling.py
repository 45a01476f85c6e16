"""Which task's batch comes when, in training on several tasks."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from gainlaw.training.train.batches import epoch_batches

__all__ = ["epoch_plan", "shares"]


def shares(sizes: Sequence[int], temperature: float) -> np.ndarray:
    r"""Return the share of each task among the batches.

    .. math:: p_i \propto n_i^{1/T}

    Parameters
    ----------
    sizes : sequence of int
        Examples of each task.
    temperature : float
        1 is proportional to size; the larger, the more even.

    Returns
    -------
    ndarray of float, shape (tasks,)

    Examples
    --------
    >>> shares([900, 100], 1.0).tolist(), shares([900, 100], 2.0).tolist()
    ([0.9, 0.1], [0.75, 0.25])
    """
    weights = np.asarray(sizes, dtype=float) ** (1.0 / temperature)
    return weights / weights.sum()


def epoch_plan(
    lengths: Sequence[np.ndarray],
    batch_size: int,
    temperature: float,
    seed: int,
    epoch: int,
    extra: tuple[int, float] | None = None,
) -> list[tuple[int, np.ndarray]]:
    """Return the batches of an epoch over several tasks, in random order.

    An epoch has as many batches of tasks as all their examples fill. With temperature 1 each example comes once;
    else each task gets its share of the batches, going through its examples as often as that takes.

    Parameters
    ----------
    lengths : sequence of ndarray of int
        Tokens of each example, a task each.
    batch_size : int
        Examples in a batch.
    temperature : float
        See `shares`.
    seed, epoch : int
        The same two give the same plan.
    extra : tuple of (int, float), optional
        A source, by its place in `lengths`, that is no task: it gets that share of all batches, added to those
        of the tasks.

    Returns
    -------
    list of (int, ndarray of int)
        Source and positions of its examples.

    Examples
    --------
    >>> plan = epoch_plan([np.full(60, 5), np.full(20, 5)], 10, 1.0, 0, 0)
    >>> [sum(source == i for source, _ in plan) for i in (0, 1)]
    [6, 2]
    """
    sources = [i for i in range(len(lengths)) if extra is None or i != extra[0]]
    whole = {i: -(-len(lengths[i]) // batch_size) for i in sources}
    total = sum(whole.values())
    counts = dict(whole)
    if temperature != 1.0 and len(sources) > 1:
        part = shares([len(lengths[i]) for i in sources], temperature)
        counts = {i: max(1, round(total * p)) for i, p in zip(sources, part, strict=True)}
    if extra is not None:
        source, share = extra
        counts[source] = round(sum(counts.values()) * share / (1 - share))
        whole[source] = -(-len(lengths[source]) // batch_size)
    plan: list[tuple[int, np.ndarray]] = []
    for i, count in counts.items():
        # Passes go on from one epoch to the next, so that a small share sees all examples in time.
        start = epoch * count
        for place in range(start, start + count):
            again, at = divmod(place, whole[i])
            if at == 0 or place == start:
                batches = epoch_batches(lengths[i], batch_size, seed + 7919 * i, again)
            plan.append((i, batches[at]))
    order = np.random.default_rng([seed, epoch, 1]).permutation(len(plan))
    return [plan[i] for i in order]
