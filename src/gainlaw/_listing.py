"""What belongs to a directory: the record in it lists that, and whatever else lies there is somebody else's."""

from __future__ import annotations

import fnmatch
import json
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from gainlaw.errors import InputError, Problem

__all__ = ["FILES", "FIT", "STUDY", "Kind", "listed_files", "owned_files"]


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of directory that the package writes.

    Parameters
    ----------
    record : str
        The file that lists, under ``files``, what belongs to the directory.
    what : str
        What to call it in messages.
    inside : str
        A pattern of directories inside it that are of the same kind and belong to it.
    shared : bool
        Whether it may be put into a directory that holds other things.
    """

    record: str
    what: str
    inside: str = ""
    shared: bool = False


FIT = Kind("fit.json", "a fit", inside="scale_*")
"""A fit directory; its record is written with it."""

FILES = Kind("files.json", "an output of gainlaw", shared=True)
"""Files of a report or of curves; their record is made when they are put in place."""

STUDY = Kind("study.json", "a study")
"""A folder of steps, each whole or not there; its record says what was asked."""


def listed_files(folder: Path, record: str) -> dict[str, str]:
    """Return the files that the record of a directory lists, with their SHA-256.

    Raises
    ------
    InputError
        If the record cannot be read, or lists anything but names inside the directory.
    """
    if not (folder / record).is_file():  # reading a pipe would never end
        raise InputError(Problem(f"{folder / record} is no regular file"), source=str(folder))
    try:
        files = json.loads((folder / record).read_text("utf-8"))["files"]
        names = dict(files.items())
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise InputError(
            Problem(f"{folder / record} cannot be read: {type(error).__name__}: {error}"), source=str(folder)
        ) from None
    wrong = [
        Problem(f"{record} lists {name!r}, which is no file of this directory", hint="do not use it")
        for name, digest in names.items()
        if not isinstance(digest, str) or not _inside(name)
    ]
    if wrong:
        raise InputError(wrong, source=str(folder))
    return names


def owned_files(folder: Path, kind: Kind) -> set[str]:
    """Return the files that belong to a directory by its record, those of inner directories of its kind included.

    Raises
    ------
    InputError
        If a record cannot be read.
    """
    if not (folder / kind.record).is_file():
        return set()
    owned = {kind.record, *listed_files(folder, kind.record)}
    if kind.inside:
        for inner in folder.iterdir():
            if fnmatch.fnmatch(inner.name, kind.inside) and (inner / kind.record).is_file():
                owned |= {f"{inner.name}/{name}" for name in owned_files(inner, kind)}
    return owned


def _inside(name: Any) -> bool:
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and "\0" not in name
