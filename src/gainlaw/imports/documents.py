"""Files of any kind, opened: what is in them is judged by their first bytes, not by their names."""

from __future__ import annotations

import gzip
import io
import json
import os
import sys
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from fnmatch import fnmatch
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from gainlaw.errors import InputError, Problem

__all__ = ["Document", "UnreadableError", "find_documents", "json_lines", "list_files", "open_document"]

Kind = Literal["json", "lines", "parquet", "zip", "page", "text"]

_HEAD = 65536
_GZIP = b"\x1f\x8b"
_STDIN = "-"
_UNSOUND = (OSError, EOFError, zlib.error)


class UnreadableError(Exception):
    """A file, or a part of one, that is no results; it is left out, and the reason is told."""


@dataclass(frozen=True)
class Document:
    """A file whose content has been looked at.

    Attributes
    ----------
    path : Path or None
        Where it lies; None for standard input.
    name : str
        What it is called in messages.
    kind : {"json", "lines", "parquet", "zip", "page", "text"}
        One JSON value, one in each line, Parquet, a zip archive (a spreadsheet is one), a page with a header of
        settings, or any other text.
    given : bool
        Whether the caller named it, and not only its folder.
    head : bytes
        How it begins, unpacked: enough to see what it is without reading all of a large file.
    neighbours : frozenset of str
        The names of the files in its folder.
    """

    path: Path | None
    name: str
    kind: Kind
    given: bool
    head: bytes = b""
    neighbours: frozenset[str] = frozenset()
    stream: bytes | None = None

    @cached_property
    def data(self) -> bytes:
        """The content, unpacked."""
        if self.stream is not None:
            data = self.stream
        else:
            assert self.path is not None
            data = self.path.read_bytes()
        return _unpacked(data)

    @cached_property
    def value(self) -> Any:
        """The JSON value that the file holds."""
        return read_json(self.data)

    @cached_property
    def first(self) -> Any:
        """The JSON value of the first line that is not blank, or None."""
        return next((value for _, value in self.lines()), None)

    @property
    def first_line(self) -> str:
        """The first line of text."""
        return self.head.partition(b"\n")[0].decode("utf-8-sig", errors="replace")

    @cached_property
    def text(self) -> str:
        """The content as text."""
        try:
            return self.data.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise UnreadableError("the file is no text in UTF-8") from None

    @cached_property
    def archive(self) -> zipfile.ZipFile:
        """The content as an archive."""
        try:
            return zipfile.ZipFile(io.BytesIO(self.data))
        except (zipfile.BadZipFile, OSError) as error:
            raise UnreadableError(f"the file is no sound zip archive: {error}") from None

    def lines(self) -> Iterator[tuple[int, Any]]:
        """Give the JSON value of each line with its number, one at a time."""
        if self.stream is not None or self.path is None:
            yield from json_lines(io.BytesIO(self.data))
            return
        with _opened(self.path) as file:
            yield from json_lines(file)


def _unpacked(data: bytes) -> bytes:
    try:
        return gzip.decompress(data) if data.startswith(_GZIP) else data
    except (*_UNSOUND, ValueError) as error:
        raise UnreadableError(f"the file is no sound gzip: {error}") from None


def _opened(path: Path) -> Any:
    with path.open("rb") as file:
        packed = file.read(2) == _GZIP
    return gzip.open(path, "rb") if packed else path.open("rb")


def json_lines(file: Iterable[bytes]) -> Iterator[tuple[int, Any]]:
    """Give the JSON value of each line that is not blank, with its number.

    Raises
    ------
    UnreadableError
        At the first line that holds none.

    Examples
    --------
    >>> list(json_lines([b'{"a": 1}', b"", b"2"]))
    [(1, {'a': 1}), (3, 2)]
    """
    number = 0
    try:
        for number, line in enumerate(file, start=1):
            if line.strip():
                yield number, json.loads(line)
    except (ValueError, RecursionError):
        raise UnreadableError(f"line {number} is no JSON") from None
    except _UNSOUND as error:
        raise UnreadableError(f"the file cannot be read after line {number}: {error}") from None


def read_json(data: bytes) -> Any:
    """Return the JSON value in `data`.

    Raises
    ------
    UnreadableError
        If there is none; the reason says in which line.

    Examples
    --------
    >>> read_json(b"[1, NaN]")
    [1, nan]
    """
    try:
        return json.loads(data)
    except UnicodeDecodeError:
        raise UnreadableError("the file is no text in UTF-8") from None
    except json.JSONDecodeError as error:
        raise UnreadableError(f"the file is no JSON: {error.msg}, line {error.lineno}") from None
    except (ValueError, RecursionError) as error:
        raise UnreadableError(f"the file is no JSON: {error}") from None


def _kind_of(head: bytes, suffix: str) -> Kind | None:
    """Return what a file is by its first bytes; None for what is neither text nor a known format."""
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"PK"):
        return "zip"
    if b"\x00" in head:
        return None
    start = head.removeprefix(b"\xef\xbb\xbf").lstrip()
    if start[:1] in (b"{", b"["):
        line, more, rest = start.partition(b"\n")
        if suffix in {".jsonl", ".ndjson"} or (more and rest.lstrip()[:1] == b"{" and _is_json(line)):
            return "lines"
        return "json"
    return "page" if start.startswith(b"---") and suffix != ".csv" else "text"


def _is_json(line: bytes) -> bool:
    try:
        json.loads(line)
    except ValueError:
        return False
    return True


def open_document(
    path: Path, name: str, *, given: bool, neighbours: frozenset[str] = frozenset()
) -> Document:
    """Look at a file.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        What to call it.
    given : bool
        Whether the caller named it.
    neighbours : frozenset of str
        The names of the files in its folder.

    Raises
    ------
    UnreadableError
        If it cannot be opened, is empty, or is of no kind that holds results.
    """
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD)
        if head.startswith(_GZIP):
            with gzip.open(path, "rb") as unpacked:
                head = unpacked.read(_HEAD)
    except _UNSOUND as error:
        raise UnreadableError(
            f"the file cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None
    return _document(path, name, head, given, neighbours=neighbours)


def _document(
    path: Path | None,
    name: str,
    head: bytes,
    given: bool,
    data: bytes | None = None,
    neighbours: frozenset[str] = frozenset(),
) -> Document:
    if not head.strip():
        raise UnreadableError("the file is empty")
    plain = Path(name.removesuffix(".gz")).suffix.lower()
    kind = _kind_of(head, plain)
    if kind is None:
        raise UnreadableError("the file is neither text nor a table")
    return Document(path, name, kind, given, head, neighbours, data)


def find_documents(
    paths: Sequence[str | os.PathLike[str]],
    exclude: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Iterator[Document | tuple[str, str]]:
    """Give the files named, and all those in the folders named, in the order of their names.

    Parameters
    ----------
    paths : sequence of path-like
        Files and folders; ``-`` is standard input.
    exclude : sequence of str
        Patterns of names or paths to pass over, with ``*`` and ``?``.
    progress : callable, optional
        Called with the number of files that are looked at and of all.

    Yields
    ------
    Document, or (str, str)
        A file that may hold results, or the name of one that cannot, and why.

    Raises
    ------
    InputError
        If a path does not exist, or a pattern fits no file.
    """
    missing = [str(path) for path in paths if str(path) != _STDIN and not Path(path).exists()]
    if missing:
        raise InputError([Problem(f"{name}: there is no such file or folder") for name in missing])
    seen: set[str] = set()
    unused = set(exclude)
    folders: dict[str, frozenset[str]] = {}
    named = {os.path.realpath(path) for path in paths if Path(path).is_file()}
    files = [path for given in paths for path in list_files(given)]
    for number, path in enumerate(files):
        if progress is not None:
            progress(number, len(files))
        if str(path) == _STDIN:
            data = sys.stdin.buffer.read()
            try:
                data = _unpacked(data)
                yield _document(None, "standard input", data[:_HEAD], True, data)
            except UnreadableError as error:
                yield "standard input", str(error)
            continue
        real = os.path.realpath(path)
        if real in seen:
            continue
        seen.add(real)
        fits = [each for each in exclude if fnmatch(str(path), each) or fnmatch(path.name, each)]
        if fits:
            unused -= set(fits)
            continue
        folder = os.path.dirname(real)  # noqa: PTH120
        if folder not in folders:
            folders[folder] = frozenset(os.listdir(folder))  # noqa: PTH208
        try:
            yield open_document(path, str(path), given=real in named, neighbours=folders[folder])
        except UnreadableError as error:
            yield str(path), str(error)
    if unused:
        raise InputError(
            [Problem(f"no file is called {each!r}, to be passed over") for each in sorted(unused)]
        )


def list_files(given: str | os.PathLike[str]) -> Iterator[Path]:
    """Give the files in a folder, or the file itself; names that begin with a point are passed over.

    Parameters
    ----------
    given : path-like
        A file or a folder; what is not there is given as it is.
    """
    path = Path(given)
    if str(given) == _STDIN or not path.is_dir():
        yield path
        return
    for folder, folders, files in os.walk(path):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        for name in sorted(files):
            inner = Path(folder) / name
            if not name.startswith(".") and inner.is_file():
                yield inner
