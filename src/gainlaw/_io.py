"""Files: atomic writes, checksums, TOML that users write, and where the packaged data lies."""

from __future__ import annotations

import contextlib
import csv
import errno
import fcntl
import hashlib
import io
import os
import re
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from gainlaw.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "TEMPORARY",
    "atomic_path",
    "beside",
    "csv_text",
    "data_path",
    "parse_toml",
    "read_toml",
    "sha256_bytes",
    "sha256_file",
    "sync",
    "take",
    "umask",
    "without_formulas",
    "write_bytes_atomic",
    "write_frame_atomic",
    "write_text_atomic",
]


_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_NUMBER = re.compile(r"[-+]?[\d.]+(e[-+]?\d+)?")

TEMPORARY = re.compile(r"\..+\.gainlaw-(new|old|lock)", re.DOTALL)
"""The names of everything that is only there while something is written."""


def beside(path: Path, kind: Literal["new", "old", "lock"]) -> Path:
    """Return the hidden sibling of a path that is used while it is written."""
    return path.with_name(f".{path.name}.gainlaw-{kind}")


def take(path: Path, *, wait: bool = False) -> int | None:
    """Create or open a file that one process alone may hold, and return its descriptor.

    The system lets go of it when the holder ends in whatever way, so that what a dead process left is no obstacle.

    Parameters
    ----------
    path : Path
        The file.
    wait : bool
        Wait for the holder instead of giving up.

    Returns
    -------
    int or None
        None where another process, or another part of this one, holds the file.
    """
    while True:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX if wait else fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(handle)
            return None
        except OSError as error:
            # Some network file systems know no locks: there, a single writer is all that can be asked for.
            if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.EINVAL):
                os.close(handle)
                raise
        except BaseException:
            os.close(handle)
            raise
        # The last holder may have renamed or removed the file between our opening and our holding it.
        with contextlib.suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), path.stat()):
                return handle
        os.close(handle)


def sync(path: Path) -> None:
    """Bring a file, or the names in a directory, to the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    except OSError as error:
        # Not every file system can do this for a directory.
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EBADF):
            raise
    finally:
        os.close(handle)


@contextmanager
def atomic_path(path: str | os.PathLike[str]) -> Iterator[Path]:
    """Give a hidden sibling of `path` to write, which takes its name once it is on the disk.

    Nobody ever sees half a file: when the block raises, as it does on a full disk, `path` is as it was. Missing parent
    folders are made.

    Parameters
    ----------
    path : path-like
        The file to write. Of a symbolic link, the file that it points to is replaced.

    Yields
    ------
    pathlib.Path
        An empty file in the same folder, to be written instead of `path`.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "a.txt"
    >>> with atomic_path(target) as temporary:
    ...     _ = temporary.write_text("done")
    >>> target.read_text(), len(list(target.parent.iterdir()))
    ('done', 1)
    """
    target = Path(os.path.realpath(path))
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = beside(target, "new")
    handle = take(temporary)
    if handle is None:  # somebody else is writing the same file: the last one to finish stays
        handle, name = tempfile.mkstemp(prefix=f".{target.name}.", suffix=".gainlaw-new", dir=target.parent)
        temporary = Path(name)
    try:
        os.ftruncate(handle, 0)
        yield temporary
        temporary.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o666 & ~umask())
        sync(temporary)
        temporary.replace(target)
    except BaseException as error:
        temporary.unlink(missing_ok=True)
        if isinstance(error, OSError) and error.errno is not None:
            error.filename = str(path)  # what people know it by
        raise
    finally:
        os.close(handle)


def write_bytes_atomic(path: str | os.PathLike[str], data: bytes | memoryview) -> Path:
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


def umask() -> int:
    """Return the permissions that this process takes away from what it makes."""
    mask = os.umask(0o022)
    os.umask(mask)
    return mask


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


def write_frame_atomic(frame: pd.DataFrame, path: str | os.PathLike[str], *, safe: bool = False) -> Path:
    """Write a table without its index as CSV (UTF-8) or, for ``.parquet``, as Parquet; return the path.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    path : path-like
        The file to write; its suffix decides the format.
    safe : bool
        Prefix the cells of a CSV file that a spreadsheet would run, see `csv_text`.
    """
    if Path(path).suffix.lower() in {".parquet", ".pq"}:
        buffer = io.BytesIO()
        frame.to_parquet(buffer, index=False)
        return write_bytes_atomic(path, buffer.getbuffer())
    return write_text_atomic(path, csv_text(frame, safe=safe))


def csv_text(frame: pd.DataFrame, *, safe: bool = False) -> str:
    r"""Return a table without its index as CSV; missing values are empty.

    Parameters
    ----------
    frame : pandas.DataFrame
        The table.
    safe : bool
        Put an apostrophe before text that begins with ``= + - @``, a tab or a carriage return: a spreadsheet takes
        such cells for formulas and runs them. Numbers stay as they are.

    Examples
    --------
    >>> import pandas as pd
    >>> csv_text(pd.DataFrame({"task": ["=1+1", "xnli"], "gain": [-1.5, 2.0]}), safe=True)
    "task,gain\n'=1+1,-1.5\nxnli,2.0\n"
    """
    if safe:
        frame = frame.rename(columns=_no_formula)
        for name in frame.columns[[dtype.kind not in "biufcmM" for dtype in frame.dtypes]]:
            frame[name] = frame[name].map(_no_formula)
    return frame.to_csv(index=False, lineterminator="\n")


def without_formulas(text: str) -> str:
    r"""Return CSV text with an apostrophe before the cells that a spreadsheet would run, as `csv_text` does.

    Examples
    --------
    >>> without_formulas("task,gain\n=1+1,-1.5\n")
    "task,gain\n'=1+1,-1.5\n"
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    for row in csv.reader(io.StringIO(text)):
        writer.writerow([cell if _NUMBER.fullmatch(cell) else _no_formula(cell) for cell in row])
    return out.getvalue()


def _no_formula(cell: object) -> object:
    return f"'{cell}" if isinstance(cell, str) and cell.startswith(_FORMULA) else cell


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


def read_toml(path: str | os.PathLike[str], what: str) -> str:
    """Return the text of a TOML file.

    Parameters
    ----------
    path : path-like
        The file.
    what : str
        What it should hold, with its article, such as ``"an experiment"``.

    Raises
    ------
    InputError
        If there is no such file, or it cannot be read as text.
    """
    try:
        return Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise InputError(f"there is no such file; {what} is a .toml file", source=str(path)) from None
    except IsADirectoryError:
        raise InputError(f"a folder; {what} is a .toml file", source=str(path)) from None
    except UnicodeDecodeError:
        raise InputError(f"not a text file; {what} is TOML in UTF-8", source=str(path)) from None
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source=str(path)) from None


def parse_toml(text: str, source: str) -> dict[str, Any]:
    """Return the table that a text holds.

    Parameters
    ----------
    text : str
        TOML.
    source : str
        What messages call it.

    Raises
    ------
    InputError
        If it is no TOML.

    Examples
    --------
    >>> parse_toml("a = 1", "a.toml")
    {'a': 1}
    """
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, tomllib.TOMLDecodeError) else "too deep, or a number too long"
        raise InputError(f"not valid TOML: {why}", source=source) from None


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
    return packaged("data", name)


def packaged(folder: str, name: str) -> Path:
    """Return where a packaged file lies: in the wheel under ``_FOLDER``, or in ``FOLDER/`` of a checkout.

    Raises
    ------
    FileNotFoundError
        If the installation lacks the file.
    """
    package = Path(__file__).resolve().parent
    for place in (package / f"_{folder}", package.parents[1] / folder):
        if (place / name).is_file():
            return place / name
    raise FileNotFoundError(f"the installation of gainlaw lacks its file {name!r}; install it again")
