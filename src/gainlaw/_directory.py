"""Directories that appear whole or not at all, beside what is there until then; two writers never meet in one.

Everything is written into a hidden sibling of the target. When it is complete and on the disk, the two change places in
one step, so that whoever looks, and whoever pulls the plug, finds the old directory or the new one. A record in the
directory lists what belongs to it; whatever else lies there is carried over, and nothing that no record lists is ever
removed. A lock beside the target keeps a second writer out; the system opens it when its holder dies.
"""

from __future__ import annotations

import contextlib
import ctypes
import datetime as dt
import errno
import json
import os
import shutil
import socket
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from gainlaw._io import TEMPORARY, beside, sha256_file, sync, take, umask, write_text_atomic
from gainlaw._listing import FILES, FIT, Kind, owned_files
from gainlaw.errors import InputError, Problem

__all__ = [
    "check_directory_target",
    "check_file_target",
    "locked",
    "new_directory",
]

_MOST_FOREIGN = 10_000
_EXCHANGE = 2
_AT_CWD = -100


@contextmanager
def new_directory(
    path: str | os.PathLike[str], kind: Kind, *, overwrite: bool = False, names: Collection[str] = ()
) -> Iterator[Path]:
    """Give a directory to fill, which takes the name `path` when the block ends well.

    Whether it may be written, and whether anybody else is writing it, is found out before the block begins. When the
    block raises, everything is as it was.

    Parameters
    ----------
    path : path-like
        The directory. Of a symbolic link, what it points to.
    kind : Kind
        What is written.
    overwrite : bool
        Replace what a record of this kind lists; other files stay. Without it, only a directory that is empty, or not
        there, is written, or one whose kind is shared and which holds none of the same names.
    names : collection of str
        Files that will be written, as far as they are known before the work.

    Yields
    ------
    pathlib.Path
        An empty directory on the same file system.

    Raises
    ------
    InputError
        If the directory cannot or may not be written, or another process is writing it.

    Examples
    --------
    >>> import tempfile
    >>> target = Path(tempfile.mkdtemp()) / "out"
    >>> with new_directory(target, FILES) as folder:
    ...     _ = (folder / "a.txt").write_text("done")
    >>> sorted(each.name for each in target.iterdir())
    ['a.txt', 'files.json']
    """
    target = _resolve(path)
    _check_place(target, kind)
    made = _make_parents(target)
    try:
        with locked(target):
            _sweep(target)
            _check_content(target, kind, overwrite, names)
            staging = beside(target, "new")
            staging.mkdir()
            try:
                yield staging
                if kind.shared:
                    _list_files(staging, kind)
                _publish(staging, target, kind)
            finally:
                _remove(staging)
    finally:
        for folder in reversed(made):
            with contextlib.suppress(OSError):
                folder.rmdir()


def check_file_target(path: str | os.PathLike[str]) -> None:
    """Raise an InputError if no file can be written at a path; call it before the work.

    Parameters
    ----------
    path : path-like
        The file that is to be written; missing parent folders will be made.
    """
    target = _resolve(path)
    if target.is_dir():
        raise InputError(Problem(f"{path} is a directory", hint="name a file in it"))
    _check_above(target, "name another file")


def check_directory_target(path: str | os.PathLike[str], kind: Kind) -> None:
    """Raise an InputError if a directory cannot be written into, or holds other things; call it before the work.

    Parameters
    ----------
    path : path-like
        The directory, there or not.
    kind : Kind
        What it is to hold: what it holds already must have the record of that.
    """
    target = _resolve(path)
    if not target.exists():
        _check_above(target, f"name another directory for {kind.what}")
    _check_kind(target, kind)


@contextmanager
def locked(path: str | os.PathLike[str], *, wait: bool = False) -> Iterator[None]:
    """Keep other writers away from a directory inside the block.

    Parameters
    ----------
    path : path-like
        The directory, there or not.
    wait : bool
        Wait for another writer instead of refusing.

    Raises
    ------
    InputError
        If another process is writing it; the message says which.
    """
    target = _resolve(path)
    lock = beside(target, "lock")
    handle = take(lock, wait=wait)
    if handle is None:
        with contextlib.suppress(OSError):
            holder = lock.read_text(encoding="utf-8", errors="replace").strip()
        hint = "wait until it is done, or name another directory"
        raise InputError(Problem(f"{path} is being written by {holder or 'another process'}", hint=hint))
    try:
        now = dt.datetime.now().astimezone().isoformat(" ", "seconds")
        os.ftruncate(handle, 0)
        with contextlib.suppress(OSError):  # a full disk will be noticed where it matters
            os.write(handle, f"process {os.getpid()} on {socket.gethostname()} since {now}\n".encode())
        yield
    finally:
        lock.unlink(missing_ok=True)
        os.close(handle)


def _resolve(path: str | os.PathLike[str]) -> Path:
    target = Path(os.path.realpath(path))
    if target.is_symlink():
        raise InputError(Problem(f"{path} is a symbolic link that leads nowhere"))
    return target


def _make_parents(target: Path) -> list[Path]:
    """Make what is missing above a directory; return what was made, outermost first."""
    missing = [folder for folder in target.parents if not folder.exists()][::-1]
    made: list[Path] = []
    try:
        for folder in missing:
            folder.mkdir(exist_ok=True)
            made.append(folder)
    except BaseException:
        for folder in reversed(made):
            folder.rmdir()
        raise
    return made


def _check_place(target: Path, kind: Kind) -> None:
    """Raise an InputError if nothing can take the place of a directory, whatever it holds."""
    hint = f"name another directory for {kind.what}"
    if target.is_mount():
        raise InputError(Problem(f"{target} is the root of a file system", hint="name a directory inside it"))
    here = Path.cwd()
    if here == target or target in here.parents:
        raise InputError(
            Problem(
                f"{target} is where you are, or above it, and would be replaced as a whole",
                hint="name a directory inside it, or run the command from elsewhere",
            )
        )
    _check_above(target, hint)


def _check_above(target: Path, hint: str) -> None:
    above = next(folder for folder in target.parents if folder.exists())
    if not above.is_dir():
        raise InputError(Problem(f"{above} is a file", hint=hint))
    if not os.access(above, os.W_OK | os.X_OK):
        raise InputError(Problem(f"{above} cannot be written to", hint=hint))


def _check_kind(target: Path, kind: Kind) -> None:
    """Raise an InputError if a directory cannot be written into, or holds things but nothing of its kind."""
    hint = f"name another directory for {kind.what}"
    if not target.exists():
        return
    if not target.is_dir():
        raise InputError(Problem(f"{target} is a file", hint=hint))
    if not os.access(target, os.R_OK | os.W_OK | os.X_OK):
        raise InputError(Problem(f"{target} cannot be written to", hint=hint))
    known = kind.shared or (target / kind.record).is_file()
    if not known and any(not TEMPORARY.fullmatch(each.name) for each in target.iterdir()):
        raise InputError(Problem(f"{target} is not empty and not a directory of {kind.what}", hint=hint))


def _check_content(target: Path, kind: Kind, overwrite: bool, names: Collection[str]) -> None:
    """Raise an InputError if what a directory holds may not be replaced or carried over."""
    _check_kind(target, kind)
    if not target.exists():
        return
    if not kind.shared and not overwrite and (target / kind.record).is_file():
        hint = f"name another directory for {kind.what}, or --overwrite"
        raise InputError(Problem(f"{target} holds {kind.what} already", hint=hint))
    foreign = _foreign(target, owned_files(target, kind))
    _refuse_taken(target, [name for name in foreign if name in names])


def _list_files(folder: Path, kind: Kind) -> None:
    files = {
        path.relative_to(folder).as_posix(): sha256_file(path)
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
    write_text_atomic(folder / kind.record, json.dumps({"files": files}, indent=1, ensure_ascii=False) + "\n")


def _publish(staging: Path, target: Path, kind: Kind) -> None:
    """Put a finished directory in place of the old one, with everything that the old one's record does not list."""
    staging.chmod(target.stat().st_mode & 0o777 if target.exists() else 0o777 & ~umask())
    if target.exists():
        _carry(target, staging, owned_files(target, kind))
    for path in [*staging.rglob("*"), staging]:
        if path.is_dir() or path.is_file():
            sync(path)
    old = beside(target, "old")
    if not target.exists() or not any(target.iterdir()):
        staging.replace(target)
    elif _exchange(staging, target):
        staging.replace(old)
    else:  # two steps, with the way back kept
        target.replace(old)
        try:
            staging.replace(target)
        except BaseException:
            old.replace(target)
            raise
    sync(target.parent)
    if old.exists():
        _retire(old, target)


def _foreign(folder: Path, owned: set[str]) -> list[str]:
    """Return what lies in a directory and is not owned: files, links, empty directories, as relative names."""
    found = []
    for place, directories, files in os.walk(folder):
        inside = Path(place).relative_to(folder)
        links = [name for name in directories if (Path(place) / name).is_symlink()]
        directories[:] = [name for name in directories if name not in links and not TEMPORARY.fullmatch(name)]
        for name in [*files, *links]:
            if TEMPORARY.fullmatch(name):
                _refuse_if_held(Path(place) / name)
            elif (inside / name).as_posix() not in owned:
                found.append((inside / name).as_posix())
        if not (files or links or directories) and inside.parts:
            found.append(inside.as_posix())
        if len(found) > _MOST_FOREIGN:
            raise InputError(
                Problem(
                    f"{folder} holds more than {_MOST_FOREIGN:,} other files",
                    hint="name a directory of its own",
                )
            )
    return found


def _refuse_if_held(path: Path) -> None:
    """Raise an InputError if a process is at work on a file or directory inside one that is to be replaced."""
    handle = take(path)
    if handle is None:
        raise InputError(Problem(f"{path.parent} is being written to", hint="wait until that is done"))
    os.close(handle)


def _refuse_taken(folder: Path, names: Sequence[str]) -> None:
    if names:
        what = f"{folder} holds files of the same names that no record lists: {', '.join(names[:5])}"
        raise InputError(Problem(what, hint="move them away, or name another directory"))


def _carry(old: Path, new: Path, owned: set[str]) -> None:
    """Let everything foreign in `old` appear in `new` too: by hard links, or as copies where there are none."""
    foreign = _foreign(old, owned)
    clash = (name for name in foreign if os.path.lexists(new / name) and not (new / name).is_dir())
    _refuse_taken(old, list(clash))
    for name in foreign:
        source, copy = old / name, new / name
        for parent in reversed(PurePosixPath(name).parents[:-1]):
            if not (new / parent).is_dir():
                (new / parent).mkdir()
                shutil.copystat(old / parent, new / parent)
        if source.is_dir() and not source.is_symlink():
            copy.mkdir(exist_ok=True)
            shutil.copystat(source, copy)
            continue
        try:
            os.link(source, copy, follow_symlinks=False)
        except OSError as error:
            if error.errno not in (errno.EPERM, errno.ENOTSUP, errno.EXDEV, errno.EMLINK, errno.EOPNOTSUPP):
                raise
            shutil.copy2(source, copy, follow_symlinks=False)


def _exchange(first: Path, second: Path) -> bool:
    """Let two directories change names in one step; return False where the system cannot."""
    try:
        rename: Callable[..., int] = ctypes.CDLL(None, use_errno=True).renameat2
    except (AttributeError, OSError, TypeError):
        return False
    return rename(_AT_CWD, os.fsencode(first), _AT_CWD, os.fsencode(second), _EXCHANGE) == 0


def _retire(old: Path, target: Path) -> None:
    """Remove a directory that was replaced; what came into it at the last moment goes to the new one."""
    owned = set().union(*(owned_files(old, kind) for kind in (FIT, FILES)))
    for name in _foreign(old, owned):
        if not os.path.lexists(target / name):
            (target / name).parent.mkdir(parents=True, exist_ok=True)
            (old / name).replace(target / name)
    _remove(old)


def _sweep(target: Path) -> None:
    """Put in order what processes that died left for a directory, whose lock is held, and for its siblings."""
    for path in list(target.parent.iterdir()):
        if TEMPORARY.fullmatch(path.name):
            stem, _, kind = path.name[1:].rpartition(".gainlaw-")
            sibling = path.with_name(stem)
            with contextlib.suppress(OSError, InputError):
                if sibling == target:
                    _tidy(path, kind, sibling)
                elif kind == "new" and path.is_file():
                    _unlink_if_free(path)
                else:
                    with locked(sibling):
                        _tidy(path, kind, sibling)


def _tidy(path: Path, kind: str, target: Path) -> None:
    if kind == "new":
        _remove(path)
    elif kind == "old" and target.exists():
        _retire(path, target)
    elif kind == "old":
        path.replace(target)


def _unlink_if_free(path: Path) -> None:
    handle = take(path)
    if handle is not None:
        path.unlink()
        os.close(handle)


def _remove(folder: Path) -> None:
    shutil.rmtree(folder, ignore_errors=True)
