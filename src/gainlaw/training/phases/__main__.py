"""Do one unit of a run that was begun, as a process of its own: ``python -m gainlaw.training.phases UNITS NAME``."""

from __future__ import annotations

import sys
from pathlib import Path

from gainlaw.training.phases.phase import do
from gainlaw.units.execution import execute
from gainlaw.units.store import Store

if __name__ == "__main__":
    store = Store(Path(sys.argv[1]))
    execute(store.read(sys.argv[2]), store, do)
