"""What an installation has: versions, engines, threads, a graphics card, and where compiled code is kept."""

from __future__ import annotations

import os
import platform
import sys
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from gainlaw import __version__
from gainlaw._compiled import KERNELS, place_caches, writable
from gainlaw._provenance import required_packages
from gainlaw._threads import cores

__all__ = ["examine"]

#: What an engine needs to run.
_ENGINES = {"exact": ("numba", "scipy"), "nuts": ("numba", "pymc", "pytensor", "nutpie")}
#: What the runner needs; the statistics do without.
_RUNNER = ("torch", "transformers", "tokenizers", "safetensors", "pydantic")


def examine() -> dict[str, Any]:
    """Return what there is, as plain values for JSON; ``problems`` says in words what a fit would lack.

    Examples
    --------
    >>> found = examine()
    >>> sorted(found)
    ['compiled code', 'engines', 'gpu', 'problems', 'threads', 'versions']
    """
    place_caches()
    wanted = [name for name in required_packages() if _version(name) is None]
    problems = [f"the package {name} is missing" for name in wanted]
    engines = {}
    for name, needed in _ENGINES.items():
        absent = [each for each in needed if find_spec(each) is None]
        engines[name] = f"needs {', '.join(absent)}" if absent else "ready"
    absent = [each for each in _RUNNER if find_spec(each) is None]
    engines["runner"] = f"needs {', '.join(absent)}" if absent else "ready"
    compiled = _compiled_code()
    if compiled["writable"] == "no":
        problems.append(
            "no place to keep compiled code: every command compiles it anew (set NUMBA_CACHE_DIR)"
        )
    return {
        "versions": {
            "gainlaw": __version__,
            "python": f"{platform.python_version()} ({sys.executable})",
            "system": platform.platform(),
            **{name: _version(name) or "missing" for name in required_packages()},
        },
        "engines": engines,
        "threads": {
            "used": cores(),
            "processors": os.cpu_count() or 1,
            "OMP_NUM_THREADS": os.environ.get("OMP_NUM_THREADS", "not set"),
        },
        "gpu": _gpu(),
        "compiled code": compiled,
        "problems": problems,
    }


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None


def _gpu() -> dict[str, Any]:
    """Return how many cards the driver knows of, which the runner uses where torch is installed."""
    from gainlaw.training.train.machine import count_gpus

    return {"cards": count_gpus(), "torch": _version("torch") or "not installed; only the runner uses a GPU"}


def _compiled_code() -> dict[str, Any]:
    """Return where numba keeps what it compiled of gainlaw, and how much there is."""
    given = os.environ.get("NUMBA_CACHE_DIR", "")
    folder = Path(given) if given else KERNELS
    root = folder if given else Path(__file__).parents[1]
    files = list(root.rglob("*.nbc")) if root.exists() else []
    return {
        "folder": str(folder),
        "writable": "yes" if writable(folder) else "no",
        "files": len(files),
        "megabytes": round(sum(path.stat().st_size for path in files) / 1e6, 1),
    }
