"""Files: atomic writes, checksums, and where the packaged data lies. Imports nothing from the package."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "atomic_path",
    "data_path",
    "sha256_bytes",
    "sha256_file",
    "write_bytes_atomic",
    "write_frame_atomic",
    "write_text_atomic",
]


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a temporary sibling of `path` that takes its name when the block ends well.

    When the block raises, the temporary file is removed and `path` is as it was: nobody ever sees a
    half-written file. Missing parent folders are made.

    Parameters
    ----------
    path : path-like
        The file to write.

    Yields
    ------
    pathlib.Path
        A file with the same suffix in the same folder, to be written instead of `path`.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("done")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('done', 1)
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{target.stem}-", suffix=target.suffix, dir=target.parent)
    os.close(handle)
    temporary = Path(name)
    try:
        yield temporary
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~_umask())
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)


def _umask() -> int:
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


def write_bytes_atomic(path: str | os.PathLike[str], data: bytes) -> Path:
    """Write `data` to `path` whole or not at all; return the path.

    Parameters
    ----------
    path : path-like
        The file to write.
    data : bytes
        Its content.
    """
    with atomic_path(path) as temporary:
        temporary.write_bytes(data)
    return Path(path)


def write_text_atomic(path: str | os.PathLike[str], text: str) -> Path:
    """Write `text` (UTF-8, newlines as they are) to `path` whole or not at all; return the path.

    Parameters
    ----------
    path : path-like
        The file to write.
    text : str
        Its content.
    """
    return write_bytes_atomic(path, text.encode("utf-8"))


def write_frame_atomic(frame: pd.DataFrame, path: str | os.PathLike[str]) -> Path:
    """Write a table without its index as CSV (UTF-8) or, for ``.parquet``, as Parquet; return the path.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    path : path-like
        The file to write; its suffix decides the format.
    """
    with atomic_path(path) as temporary:
        if Path(path).suffix.lower() in {".parquet", ".pq"}:
            frame.to_parquet(temporary, index=False)
        else:
            frame.to_csv(temporary, index=False, encoding="utf-8", lineterminator="\n")
    return Path(path)


def sha256_bytes(data: bytes) -> str:
    """Return the SHA-256 of `data` in hexadecimal.

    Examples
    --------
    >>> sha256_bytes(b"")[:12]
    'e3b0c44298fc'
    """
    return hashlib.sha256(data).hexdigest()


def sha256_file(path: str | os.PathLike[str]) -> str:
    """Return the SHA-256 of a file's bytes in hexadecimal.

    Parameters
    ----------
    path : path-like
        The file to read.
    """
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def data_path(name: str) -> Path:
    """Return where a packaged data file lies: in the wheel, or in ``data/`` of a checkout.

    Parameters
    ----------
    name : str
        The file's name, such as ``languages.csv``.

    Raises
    ------
    FileNotFoundError
        If the installation lacks the file.
    """
    package = Path(__file__).resolve().parent
    for folder in (package / "_data", package.parents[1] / "data"):
        if (folder / name).is_file():
            return folder / name
    raise FileNotFoundError(f"the installation of gainlaw lacks its data file {name!r}; install it again")
