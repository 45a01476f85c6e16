"""Claims fixed before the scores exist: a small file beside theirs, and what it says when they are judged.

The file ``CLAIMS.registered.json`` lists every registration of a file of claims: the SHA-256 of its bytes, the time,
versions and commit. It proves nothing to who does not trust the clock; committed or sent to others it does.
"""

from __future__ import annotations

import json
import os
import platform
import stat
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from gainlaw import __version__
from gainlaw._io import sha256_file, write_text_atomic
from gainlaw._provenance import git_state
from gainlaw.claims.grammar.file import read_claims
from gainlaw.errors import InputError

if TYPE_CHECKING:
    from gainlaw.fitting.record import FitRecord

__all__ = ["Registration", "register", "registrations", "registry_path", "standing"]


@dataclass(frozen=True, slots=True)
class Registration:
    """One registration of a file of claims.

    Parameters
    ----------
    sha256 : str
        Of the file's bytes.
    time : str
        When, in UTC (ISO 8601, whole seconds).
    claims : int
        How many claims it had.
    gainlaw, python : str
        Versions.
    git : dict or None
        Commit and dirty flag of the working directory's repository.
    """

    sha256: str
    time: str
    claims: int
    gainlaw: str
    python: str
    git: dict[str, Any] | None = None

    @property
    def when(self) -> str:
        """The time as people read it.

        Examples
        --------
        >>> Registration("", "2026-01-02T03:04:05+00:00", 1, "", "").when
        '2026-01-02 03:04 UTC'
        """
        return _when(datetime.fromisoformat(self.time))


def registry_path(claims: str | os.PathLike[str]) -> Path:
    """Return where the registrations of a file of claims lie.

    Examples
    --------
    >>> registry_path("study/claims.toml").name
    'claims.registered.json'
    """
    path = Path(claims)
    return path.with_name(f"{path.stem}.registered.json")


def register(claims: str | os.PathLike[str]) -> tuple[Registration, bool]:
    """Register a file of claims as it stands.

    An earlier registration of the same bytes stays what it is. Of other bytes it stays too, and a new one is added: the
    file of registrations is never overwritten.

    Parameters
    ----------
    claims : path-like
        The file of claims.

    Returns
    -------
    registration : Registration
        The first one of these bytes.
    new : bool
        Whether it was made now.

    Raises
    ------
    InputError
        If the file of claims cannot be judged, or the file of registrations cannot be read.
    """
    listed = read_claims(claims)
    digest = sha256_file(claims)
    known = registrations(claims)
    found = next((each for each in known if each.sha256 == digest), None)
    if found is not None:
        return found, False
    now = datetime.now(UTC).replace(microsecond=0).isoformat()
    made = Registration(digest, now, len(listed.entries), __version__, platform.python_version(), git_state())
    entries = [asdict(each) for each in (*known, made)]
    write_text_atomic(
        registry_path(claims), json.dumps({"version": 1, "registrations": entries}, indent=2) + "\n"
    )
    return made, True


def registrations(claims: str | os.PathLike[str]) -> tuple[Registration, ...]:
    """Return the registrations of a file of claims, the first one first; none where it was never registered.

    Raises
    ------
    InputError
        If their file cannot be read.
    """
    path = registry_path(claims)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = tuple(Registration(**each) for each in content["registrations"])
        if content["version"] != 1 or any(
            datetime.fromisoformat(each.time).tzinfo is None or len(each.sha256) != 64 for each in found
        ):
            raise ValueError
    except FileNotFoundError:
        return ()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", str(path)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        raise InputError("not the registrations of a file of claims, or damaged", str(path)) from None
    return found


def standing(claims: str | os.PathLike[str], fits: Sequence[FitRecord]) -> str:
    """Return whether claims were registered before the data, and are unchanged, in words.

    Parameters
    ----------
    claims : path-like
        The file of claims.
    fits : sequence of Fit
        The fits that they are judged on. Their data are as old as the oldest of their files that is still there: their
        tables, where these are unchanged, and the files of results that scores were imported from. Where none is, how
        old they are is not known.

    Raises
    ------
    InputError
        If the file of registrations cannot be read.
    """
    known = registrations(claims)
    if not known:
        return "not registered"
    digest = sha256_file(claims)
    found = next((each for each in known if each.sha256 == digest), None)
    if found is None:
        return f"changed after they were registered ({known[-1].when})"
    written = _oldest(fits)
    if written is None:
        order = "whether before the data is not known: no file of scores is at hand"
    elif datetime.fromisoformat(found.time) <= written:
        order = f"before the file of scores was written ({_when(written)})"
    else:
        order = f"after the file of scores was written ({_when(written)})"
    changed = (
        f"changed after the first registration ({known[0].when}), then " if found is not known[0] else ""
    )
    return f"{changed}registered {found.when}, {order}, and unchanged since"


def _oldest(fits: Sequence[FitRecord]) -> datetime | None:
    times: list[float] = []
    for fit in fits:
        scores, table = fit.gains.evaluations, Path(fit.gains.source)
        if fit.gains.sha256 and table.is_file() and sha256_file(table) == fit.gains.sha256:
            times.append(table.stat().st_mtime)
        if scores is not None and "source" in scores.frame:
            times += filter(None, map(_written, scores.frame["source"].unique()))
    return datetime.fromtimestamp(min(times), UTC) if times else None


def _written(name: str) -> float | None:
    """Return when a file of results was written; None where the name is that of no file at hand."""
    try:
        found = Path(name).stat()
    except (OSError, ValueError):
        return None
    return found.st_mtime if stat.S_ISREG(found.st_mode) else None


def _when(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
