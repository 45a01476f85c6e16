"""The processes over which a unit is spread: what each does of a batch, and what they must agree on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import torch

__all__ = ["Ranks", "ranks_here"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Ranks:
    """One of the processes that do a unit together; alone by default.

    All of them do the same things in the same order: whatever one runs through the model, or adds up, the others do at
    the same time.

    Attributes
    ----------
    rank, size : int
        Which one, and how many there are.
    device : str
        What it computes on.
    """

    rank: int = 0
    size: int = 1
    device: str = "cpu"

    @property
    def leads(self) -> bool:
        """Whether it is the one that writes and logs."""
        return self.rank == 0

    def turns(self, pieces: Sequence[T]) -> list[tuple[int, T, bool]]:
        """Return what this process runs through the model, in step with the others.

        Parameters
        ----------
        pieces : sequence
            What all of them have to do together.

        Returns
        -------
        list of (int, piece, bool)
            Position, piece, and whether it counts: where pieces run out, a process does the last one once more, for
            nothing, since the others need its part of the weights meanwhile.

        Examples
        --------
        >>> Ranks(1, 2).turns(["a", "b", "c"])
        [(1, 'b', True), (2, 'c', False)]
        """
        last = len(pieces) - 1
        places = range(self.rank, -(-len(pieces) // self.size) * self.size, self.size)
        return [(min(at, last), pieces[min(at, last)], at <= last) for at in places]

    def added(self, values: torch.Tensor) -> torch.Tensor:
        """Return the sums of the values of all processes."""
        if self.size > 1:
            import torch.distributed as dist

            values = values.to(self.device)
            dist.all_reduce(values)
        return values

    def agreed(self, *flags: bool) -> tuple[bool, ...]:
        """Return what the leading process was told."""
        if self.size == 1:
            return flags
        import torch
        import torch.distributed as dist

        values = torch.tensor(flags, dtype=torch.int32, device=self.device)
        dist.broadcast(values, 0)
        return tuple(bool(value) for value in values.tolist())

    def wait(self) -> None:
        """Wait until all have come here."""
        if self.size > 1:
            import torch.distributed as dist

            dist.barrier()


def ranks_here() -> Ranks:
    """Return which of the processes of a unit this one is."""
    import torch
    import torch.distributed as dist

    if not (dist.is_available() and dist.is_initialized()) or dist.get_world_size() == 1:
        return Ranks()
    device = f"cuda:{torch.cuda.current_device()}" if dist.get_backend() != "gloo" else "cpu"
    return Ranks(dist.get_rank(), dist.get_world_size(), device)
