"""Where compiled code is kept: beside the package or at home, else in a temporary place, else nowhere."""

from __future__ import annotations

import os
import stat
import sys
import tempfile
import warnings
from pathlib import Path

__all__ = ["KERNELS", "place_caches", "writable"]

#: Where numba keeps the kernels beside their source.
KERNELS = Path(__file__).parent / "model" / "gaussian" / "__pycache__"


def place_caches() -> None:
    """Make sure that numba, PyTensor and matplotlib find a place for what they keep, or do without.

    Call it before they are imported. By themselves they look beside the source or in the home directory, and fail where
    both are read-only, as in a container without a home. What the environment says already stays.
    """
    # Without a home, "~" stays as it is, and numba would make a folder of that name.
    home = Path(os.path.expanduser("~"))  # noqa: PTH111
    if home.is_absolute() and writable(home / ".cache"):
        return
    needed = {"MPLCONFIGDIR": "matplotlib", "PYTENSOR_FLAGS": "pytensor"}
    needed |= {} if writable(KERNELS) else {"NUMBA_CACHE_DIR": "numba"}
    needed = {name: folder for name, folder in needed.items() if not os.environ.get(name)}
    place = _temporary() if needed else None
    if place is not None:
        for name, folder in needed.items():
            prefix = "base_compiledir=" if name == "PYTENSOR_FLAGS" else ""
            os.environ[name] = f"{prefix}{place / folder}"
        if "numba" in sys.modules and "NUMBA_CACHE_DIR" in needed:
            sys.modules["numba"].config.CACHE_DIR = os.environ["NUMBA_CACHE_DIR"]
        warnings.warn(
            f"without a home that can be written to, compiled code is kept in {place}", stacklevel=2
        )
    elif "NUMBA_CACHE_DIR" in needed:
        from numba.core.dispatcher import Dispatcher

        Dispatcher.enable_caching = lambda self: None  # type: ignore[method-assign]
        warnings.warn("no place to keep compiled code: every command compiles it anew", stacklevel=2)


def writable(folder: Path) -> bool:
    """Return whether files can be made in a folder, or the folder itself where it is missing."""
    there = next(each for each in (folder, *folder.parents) if each.exists())
    return there.is_dir() and os.access(there, os.W_OK | os.X_OK)


def _temporary() -> Path | None:
    """Return a folder for temporary files that nobody else can write to, the same for every command of a user."""
    try:
        place = Path(tempfile.gettempdir()) / f"gainlaw-{os.getuid()}"
        place.mkdir(mode=0o700, exist_ok=True)
        found = place.lstat()
        private = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid() and not found.st_mode & 0o022
        return place if private else Path(tempfile.mkdtemp(prefix="gainlaw-"))
    except OSError:
        return None
