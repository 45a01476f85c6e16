"""Which code made a result: the commit of the repository at hand, and packages. Imports nothing from the package."""

from __future__ import annotations

import subprocess
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path
from typing import Any

__all__ = ["git_state", "required_packages"]


def git_state() -> dict[str, Any] | None:
    """Return commit and dirty flag of the working directory's repository, None outside one."""
    try:
        commit = subprocess.run(
            ["git", "rev-parse", "HEAD"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            cwd=Path.cwd(),
        ).stdout.strip()
        dirty = subprocess.run(
            ["git", "status", "--porcelain"],
            capture_output=True,
            text=True,
            check=True,
            timeout=10,
            cwd=Path.cwd(),
        ).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return None
    return {"commit": commit, "dirty": bool(dirty)}


def required_packages() -> tuple[str, ...]:
    """Return the packages that the statistics need, as the installation itself lists them."""
    try:
        listed = requires("gainlaw") or []
    except PackageNotFoundError:
        listed = []
    plain = [text.partition(";")[0] for text in listed if "extra ==" not in text]
    return tuple(
        sorted({text.partition(">")[0].partition("=")[0].partition("[")[0].strip() for text in plain})
    )
