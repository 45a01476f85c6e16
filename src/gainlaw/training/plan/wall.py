"""How long units take side by side, each after those that it reads."""

from __future__ import annotations

import heapq
from collections.abc import Mapping

from gainlaw.units.unit import Unit

__all__ = ["wall_hours"]


def wall_hours(
    units: Mapping[str, Unit],
    hours: Mapping[str, float],
    size: Mapping[str, float],
    workers: int,
    takes: Mapping[str, int] | None = None,
) -> float:
    """Return the hours until the last unit is done, begun as the runner begins them: the largest first.

    Parameters
    ----------
    units : mapping of str to Unit
        By name, each after those that it reads.
    hours : mapping of str to float
        How long one worker would take for each; a unit that is not among them is done already.
    size : mapping of str to float
        Of the units that can be begun, the one with the largest is.
    workers : int
        Workers side by side.
    takes : mapping of str to int, optional
        How many of them a unit takes, which share its hours; one that takes more than there are takes them all in turn.

    Returns
    -------
    float

    Examples
    --------
    >>> from gainlaw.units.unit import make_unit
    >>> a, b = make_unit("a", {}, code="1", name="a"), make_unit("b", {}, code="1", name="b")
    >>> c = make_unit("c", {}, {"model": a}, code="1", name="c")
    >>> named = {"a": a, "b": b, "c": c}
    >>> [wall_hours(named, {"a": 1.0, "b": 2.0, "c": 1.0}, dict.fromkeys(named, 1.0), n) for n in (1, 2)]
    [4.0, 2.0]
    >>> wall_hours(named, {"a": 1.0, "b": 2.0, "c": 1.0}, {"b": 9.0}, 2, {"b": 2})
    3.0
    """
    order = {name: number for number, name in enumerate(units)}
    waits = {name: {p for p in units[name].parents.values() if p in hours} for name in units if name in hours}
    readers: dict[str, list[str]] = {}
    for name, parents in waits.items():
        for parent in parents:
            readers.setdefault(parent, []).append(name)
    ready = [(-size.get(name, 0.0), order[name], name) for name, parents in waits.items() if not parents]
    heapq.heapify(ready)
    running: list[tuple[float, int, str]] = []
    now, free = 0.0, workers
    taken = {name: min(workers, (takes or {}).get(name, 1)) for name in hours}
    while ready or running:
        while ready and taken[ready[0][2]] <= free:  # those behind a large one wait with it
            _, number, name = heapq.heappop(ready)
            free -= taken[name]
            heapq.heappush(running, (now + hours[name] / taken[name], number, name))
        now, _, done = heapq.heappop(running)
        free += taken[done]
        for name in readers.get(done, ()):
            waits[name].discard(done)
            if not waits[name]:
                heapq.heappush(ready, (-size.get(name, 0.0), order[name], name))
    return now
