"""The commits of what an experiment takes from the hub: looked up once, kept with the run, and part of every key."""

from __future__ import annotations

import json
import re
from contextlib import suppress
from pathlib import Path
from typing import Any, Literal

from gainlaw._io import write_text_atomic
from gainlaw.errors import InputError, Problem
from gainlaw.training.experiment.schema import Experiment
from gainlaw.training.items.registry import find_task
from gainlaw.training.phases.load import model_key
from gainlaw.units.store import dump_json

__all__ = ["keep_commits", "known_commits", "look_up"]

_FILE = "commits.json"
_COMMIT = re.compile(r"[0-9a-f]{40}")
_SECONDS = 20.0
Kind = Literal["model", "dataset"]


def known_commits(experiment: Experiment, folder: Path | None) -> Experiment:
    """Return an experiment with the commits that its run in a folder keeps; nobody is asked."""
    found: dict[str, str] = {}
    if folder is not None:
        with suppress(OSError, ValueError):
            found = dict(json.loads((folder / _FILE).read_text(encoding="utf-8")))
    return experiment.model_copy(update={"commits": experiment.commits | found})


def look_up(experiment: Experiment) -> Experiment:
    """Return an experiment with the commits of all that it takes from the hub.

    Parameters
    ----------
    experiment : Experiment
        What it knows already stays as it is.

    Raises
    ------
    InputError
        With everything whose commit neither the hub tells nor the cache on this machine.
    """
    wanted: dict[str, tuple[Kind, str, str | None]] = {}
    for checkpoint in experiment.checkpoints:
        if checkpoint.hub is not None:
            wanted[model_key(checkpoint)] = ("model", checkpoint.hub, checkpoint.revision)
    for name in _hub_tasks(experiment):
        hub = find_task(name, experiment.own_tasks).hub
        for source in () if hub is None else hub.sources:
            wanted[source.key] = ("dataset", source.name, source.revision)
    found, problems = dict(experiment.commits), []
    for key, (kind, name, revision) in wanted.items():
        if key not in found:
            commit = _commit(kind, name, revision)
            if isinstance(commit, Problem):
                problems.append(commit)
            else:
                found[key] = commit
    if problems:
        raise InputError(problems, source=experiment.name)
    return experiment.model_copy(update={"commits": found})


def keep_commits(experiment: Experiment, folder: Path) -> None:
    """Write the commits of an experiment into the folder of its run, for the next one to go on with the same."""
    if experiment.commits:
        write_text_atomic(folder / _FILE, dump_json(dict(experiment.commits)))


def _hub_tasks(experiment: Experiment) -> list[str]:
    """Return the tasks whose items come from the hub."""
    used = [(name, each.data.get(name)) for each in experiment.intermediates for name in each.tasks]
    for target in experiment.targets:
        trained = (
            ()
            if experiment.protocol == "prompted"
            else target.train or find_task(target.task, experiment.own_tasks).english_side
        )
        used += [(name, None) for name in (target.task, *trained)]
    names = [
        find_task(name, experiment.own_tasks).name
        for name, own in used
        if not (own or experiment.data.get(name))
    ]
    return list(dict.fromkeys(names))


def _commit(kind: Kind, name: str, revision: str | None) -> str | Problem:
    """Return the commit that a branch is now, by the hub; out of its reach, by what was fetched before."""
    from huggingface_hub import HfApi, constants

    if _COMMIT.fullmatch(revision or ""):
        return str(revision)
    api = HfApi()
    ask: Any = api.model_info if kind == "model" else api.dataset_info
    try:
        return str(ask(name, revision=revision, timeout=_SECONDS).sha)
    except Exception as error:  # the hub and the network each raise their own
        why = next(iter(str(error).splitlines()), type(error).__name__)
    place = (
        Path(constants.HF_HUB_CACHE) / f"{kind}s--{name.replace('/', '--')}" / "refs" / (revision or "main")
    )
    with suppress(OSError):
        return place.read_text(encoding="utf-8").strip()
    what = f"the hub tells no commit of {name}{f' ({revision})' if revision else ''}: {why}"
    hint = "give local files" if kind == "dataset" else "give a folder with the model as path"
    return Problem(what, hint=f"check the connection (what was fetched once works offline), or {hint}")
