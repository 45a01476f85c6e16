"""Do one unit: read its request, run its phase, give its folder the final name.

``python -m gainlaw.training.units.execute UNITS NAME`` does so as a process of its own.
"""

from __future__ import annotations

import importlib
import os
import sys
import time
from pathlib import Path

from gainlaw._io import write_text_atomic
from gainlaw.errors import GainlawError
from gainlaw.training.units.store import Store, dump_json

__all__ = ["execute", "prepare_process"]

_TRAINED = {"pretrain", "intermediate", "finetune"}


def prepare_process(threads: int) -> None:
    """Make the computations of this process repeatable: its threads, and deterministic kernels on the CPU.

    Parameters
    ----------
    threads : int
        Threads of one computation; another number rounds differently.
    """
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    os.environ.setdefault("TOKENIZERS_PARALLELISM", "false")
    import torch

    torch.set_num_threads(threads)
    if not torch.cuda.is_available():
        torch.use_deterministic_algorithms(True)


def execute(root: Path, name: str, device: str, snapshot_seconds: float) -> float:
    """Do a unit that was requested; return the seconds it took, 0 when it was finished already.

    Parameters
    ----------
    root : Path
        The folder of units.
    name : str
        The unit's folder.
    device : str
        ``cpu`` or ``cuda``.
    snapshot_seconds : float
        Time between snapshots.

    Raises
    ------
    GainlawError
        If the unit cannot be done, with the reason.
    """
    store = Store(root)
    start = time.monotonic()
    with store.work(name) as part:
        if part is None:
            return 0.0
        unit = store.read(name)
        missing = [parent for parent in unit.parents.values() if not store.has(parent)]
        if missing:
            raise GainlawError(f"{name} reads {', '.join(missing)}, which is not finished")
        module = {"intermediate": "supervised", "finetune": "supervised"}.get(unit.phase, unit.phase)
        run = importlib.import_module(f"gainlaw.training.phases.{module}").run
        if unit.phase == "world":
            run(unit.spec, part)
        elif unit.phase == "load":
            run(unit, store, part)
        elif unit.phase in _TRAINED | {"consistency"}:
            run(unit, store, part, device, snapshot_seconds)
        else:
            run(unit, store, part, device)
        seconds = time.monotonic() - start
        write_text_atomic(part / "timing.json", dump_json({"seconds": round(seconds, 3)}))
    return seconds


def main() -> None:
    """Do the unit named on the command line."""
    root, name = Path(sys.argv[1]), sys.argv[2]
    unit = Store(root).read(name)
    machine = unit.spec.get("machine") or {"device": "cpu", "threads": 1}
    prepare_process(machine["threads"])
    execute(root, name, machine["device"], 300.0)


if __name__ == "__main__":
    main()
