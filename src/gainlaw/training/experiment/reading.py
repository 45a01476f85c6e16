"""Experiments read: from a file, by the name of one that comes with the package, or from the record of a run."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Collection
from dataclasses import replace
from pathlib import Path

from gainlaw._io import packaged, parse_toml, read_toml
from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.crosschecks import find_faults
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.experiment.selection import select
from gainlaw.training.experiment.validation import in_one_line, read_tables

__all__ = ["list_shipped", "open_experiment", "parse_experiment", "read_experiment", "shipped_folder"]


def read_experiment(path: str | os.PathLike[str]) -> Experiment:
    """Read and validate an experiment file.

    Parameters
    ----------
    path : path-like
        A TOML file.

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        With every fault of the file at once, each naming its key: TOML that does not parse, unknown or
        missing keys, values outside what is allowed, names that nothing defines, local paths that are not
        there.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp()) / "tiny.toml"
    >>> _ = file.write_text('''name = "tiny"
    ... checkpoints = [{name = "xlmr", model_family = "XLM-R", hub = "FacebookAI/xlm-roberta-base"}]
    ... targets = [{task = "xcopa", languages = ["sw", "tr"]}]''')
    >>> read_experiment(file).checkpoints[0].name
    'xlmr'
    """
    file = Path(path)
    return parse_experiment(read_toml(path, "an experiment"), file.resolve().parent, str(path))


def parse_experiment(text: str, folder: Path, source: str) -> Experiment:
    """Validate the text of an experiment file.

    Parameters
    ----------
    text : str
        TOML.
    folder : Path
        Where relative paths start.
    source : str
        What messages call it.

    Returns
    -------
    Experiment

    Raises
    ------
    InputError
        As `read_experiment` does.
    """
    draft = read_tables(parse_toml(text, source), folder, text)
    problems = [in_one_line(problem) for problem in (*draft.problems, *find_faults(draft))]
    if problems:
        raise InputError([replace(problem, kind="key") for problem in problems], source=source)
    return draft.experiment


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


def open_experiment(name: str, only: Collection[str] = (), without: Collection[str] = ()) -> Experiment:
    """Return an experiment by name, from a file, or from the record of a run.

    Parameters
    ----------
    name : str
        A shipped experiment, a ``.toml`` file, or the ``run.json`` of a run.
    only, without : collection of str
        What part of it, see `gainlaw.training.experiment.selection.select`.

    Raises
    ------
    InputError
        If there is no such experiment, it has faults, or no such part.

    Examples
    --------
    >>> open_experiment("ladder").protocol
    'finetune'
    """
    return select(_open(name), only, without)


def _open(name: str) -> Experiment:
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
        part = record.get("only", ()), record.get("without", ())
        commits = dict(record.get("commits", {}))
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror or error}", source=str(path)) from None
    except (ValueError, KeyError, TypeError, RecursionError):
        text, folder, part, commits = None, Path(), ((), ()), {}
    if not isinstance(text, str):
        raise InputError("not the record of a run (run.json)", source=str(path))
    found = select(parse_experiment(text, folder, str(path)), *part)
    return found.model_copy(update={"commits": commits})
