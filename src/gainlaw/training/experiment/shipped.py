"""Experiments by name: those that come with the package, a file, or the record of an earlier run."""

from __future__ import annotations

import difflib
import json
from pathlib import Path

from gainlaw._io import packaged
from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.schema import Experiment, parse_experiment, read_experiment

__all__ = ["list_shipped", "open_experiment", "shipped_folder"]


def shipped_folder() -> Path:
    """Return where the experiments lie: in the wheel, or in ``runners/`` of a checkout.

    Raises
    ------
    InputError
        If the installation lacks them.
    """
    try:
        return packaged("runners", "ladder.toml").parent
    except FileNotFoundError as error:
        raise InputError("the installation of gainlaw lacks its experiments; install it again") from error


def list_shipped() -> tuple[str, ...]:
    """Return the names of the experiments that come with the package.

    Examples
    --------
    >>> "ladder" in list_shipped()
    True
    """
    return tuple(sorted(path.stem for path in shipped_folder().glob("*.toml")))


def open_experiment(name: str) -> Experiment:
    """Return an experiment by name, from a file, or from the record of a run.

    Parameters
    ----------
    name : str
        A shipped experiment, a ``.toml`` file, or the ``run.json`` of a run.

    Raises
    ------
    InputError
        If there is no such experiment, or it has faults.

    Examples
    --------
    >>> open_experiment("ladder").protocol
    'finetune'
    """
    if not name:
        raise InputError("give the name of an experiment, or a .toml file")
    path = Path(name)
    if path.suffix == ".json" and path.is_file():
        return _from_record(path)
    known = list_shipped()
    if name in known and not path.is_file():  # a folder of that name is where its results lie
        return read_experiment(shipped_folder() / f"{name}.toml")
    if path.exists() or path.suffix:
        return read_experiment(path)
    near = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {near[0]}?" if near else f"shipped are {', '.join(known)}; or give a .toml file"
    raise InputError(Problem(f"there is no experiment {name!r}", hint=hint))


def _from_record(path: Path) -> Experiment:
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        text, folder = record["experiment"], Path(record["folder"])
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source=str(path)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        text, folder = None, Path()
    if not isinstance(text, str):
        raise InputError("not the record of a run (run.json)", source=str(path))
    return parse_experiment(text, folder, str(path))
