"""How long the command line takes to start, as a ratio to a bare interpreter on the same machine.

Run with ``make bench``. Each command is timed several times and the fastest run counts.
"""

from __future__ import annotations

import subprocess
import sys
import time

COMMANDS = {
    "python -c pass": ["-c", "pass"],
    "import gainlaw": ["-c", "import gainlaw"],
    "gainlaw --help": ["-m", "gainlaw.cli", "--help"],
    "gainlaw check dataset:bloomz": ["-m", "gainlaw.cli", "check", "dataset:bloomz"],
}
REPEATS = 7


def fastest(arguments: list[str], repeats: int = REPEATS) -> float:
    """Return the shortest wall time of a command, in seconds."""
    times = []
    for _ in range(repeats):
        start = time.perf_counter()
        subprocess.run([sys.executable, *arguments], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    return min(times)


def main() -> None:
    """Print the table."""
    times = {name: fastest(arguments) for name, arguments in COMMANDS.items()}
    bare = times["python -c pass"]
    print(f"{'':32}{'seconds':>9}{'ratio':>9}")
    for name, seconds in times.items():
        print(f"{name:32}{seconds:9.3f}{seconds / bare:9.1f}")


if __name__ == "__main__":
    main()
