"""Run the command line with ``python -m gainlaw.cli``."""

from __future__ import annotations

from gainlaw.cli.app import main

if __name__ == "__main__":
    main()
