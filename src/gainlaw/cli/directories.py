"""Output directories that appear whole or not at all."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gainlaw.errors import InputError, Problem

__all__ = ["new_directory"]


@contextmanager
def new_directory(target: Path, *, overwrite: bool, marker: str) -> Iterator[Path]:
    """Give a temporary sibling of `target` that takes its name when the block ends well.

    Parameters
    ----------
    target : Path
        The directory wanted. An empty one may be there.
    overwrite : bool
        Whether a directory that holds `marker` may be replaced. Any other directory is never removed.
    marker : str
        The file by which a directory of this kind is known.

    Yields
    ------
    Path
        An empty directory beside `target`, to be written instead of it.

    Raises
    ------
    InputError
        If `target` is in the way.

    Examples
    --------
    >>> parent = Path(tempfile.mkdtemp())
    >>> with new_directory(parent / "fit", overwrite=False, marker="fit.json") as directory:
    ...     _ = (directory / "fit.json").write_text("{}")
    >>> [path.name for path in parent.rglob("*")]
    ['fit', 'fit.json']
    """
    _refuse(target, overwrite, marker)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{target.name}-", dir=target.parent))
    temporary.chmod(0o755)
    try:
        yield temporary
        old = None
        if target.exists():
            old = Path(tempfile.mkdtemp(prefix=f".{target.name}-old-", dir=target.parent))
            target.rename(old / target.name)
        temporary.rename(target)
        if old is not None:
            shutil.rmtree(old)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _refuse(target: Path, overwrite: bool, marker: str) -> None:
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(Problem(f"{target} is a file", "--output", hint="name a directory"))
    if not any(target.iterdir()):
        return
    if not (target / marker).is_file():
        hint = "name another directory, or empty this one"
        raise InputError(Problem(f"{target} is there, not empty, and has no {marker}", "--output", hint=hint))
    if not overwrite:
        raise InputError(
            Problem(f"{target} is there already", "--output", hint="give --overwrite to replace it")
        )
