"""Units of work: each is a phase, what determines its result, and the units it reads; its key is their hash."""

from __future__ import annotations

import ast
import importlib.util
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from gainlaw._io import sha256_bytes

__all__ = [
    "PHASES",
    "Unit",
    "code_version",
    "installed_versions",
    "library_versions",
    "make_unit",
    "modules_version",
]

_MODELS = ("backbones", "adapters", "phases.sources")
_SCORES = (*_MODELS, "data", "batches", "heads", "objectives", "loop")
_CORE = (*_SCORES, "masking", "sampling", "snapshots", "recipes", "execute", "phases.load")
_PROMPTS = (
    *(
        f"prompting.{name}"
        for name in ("stated", "templates", "encoding", "likelihood", "ranking", "agreement")
    ),
)
PHASES: Mapping[str, tuple[str, ...]] = {
    "world": ("world.meaning", "world.languages", "world.corpus", "phases.world"),
    "load": ("phases.load", *_MODELS),
    "pretrain": ("phases.pretrain", *_CORE),
    "intermediate": ("phases.supervised", "phases.pretrain", "phases.evaluate", *_CORE),
    "consistency": (
        "phases.consistency",
        *_PROMPTS,
        "prompting.consistency",
        "prompting.distillation",
        *_MODELS,
        "execute",
    ),
    "finetune": ("phases.supervised", "phases.pretrain", "phases.evaluate", *_CORE),
    "evaluate": ("phases.evaluate", *_SCORES),
    "rank": ("phases.rank", *_PROMPTS, "prompting.protocol", *_MODELS, "loop"),
}
"""The phases, each with the modules below ``gainlaw.training`` that decide its result.

The readers of its tasks come on top, see `modules_version`."""

_LIBRARIES = ("torch", "transformers", "tokenizers", "peft")


@dataclass(frozen=True, slots=True)
class Unit:
    """One unit of work.

    Attributes
    ----------
    phase : str
        A key of `PHASES`.
    key : str
        SHA-256 in hexadecimal of everything that determines the result: phase, code, `spec`, keys of the
        parents, and, where weights are computed, libraries, device and threads.
    spec : mapping
        Plain data: settings, seeds, hashes of data.
    parents : mapping of str to str
        Role (``backbone``, ``model``, ``world``, ``tokenizer``) to the folder name of the unit in it.
    where : mapping of str to str
        Where local inputs lie; not part of the key, which has their hashes.
    label : str
        What it does, for a reader.
    """

    phase: str
    key: str
    spec: Mapping[str, Any]
    parents: Mapping[str, str] = field(default_factory=dict)
    where: Mapping[str, str] = field(default_factory=dict)
    label: str = ""

    @property
    def name(self) -> str:
        """The name of its folder."""
        return f"{self.phase}-{self.key[:20]}"

    def record(self) -> dict[str, Any]:
        """Return the unit as plain data."""
        return {
            "phase": self.phase,
            "key": self.key,
            "label": self.label,
            "spec": dict(self.spec),
            "parents": dict(self.parents),
            "where": dict(self.where),
        }

    @classmethod
    def from_record(cls, record: Mapping[str, Any]) -> Unit:
        """Return the unit that `record` came from."""
        return cls(**{name: record[name] for name in ("phase", "key", "spec", "parents", "where", "label")})


def make_unit(
    phase: str,
    spec: Mapping[str, Any],
    parents: Mapping[str, Unit] | None = None,
    *,
    where: Mapping[str, str] | None = None,
    machine: Mapping[str, Any] | None = None,
    label: str = "",
) -> Unit:
    """Return a unit with its key.

    Parameters
    ----------
    phase : str
        A key of `PHASES`.
    spec : mapping
        What determines the result beside code and parents; plain data.
    parents : mapping of str to Unit, optional
        The units it reads, by role.
    where : mapping of str to str, optional
        Where local inputs lie.
    machine : mapping, optional
        Device and threads, where they can change the result.
    label : str
        For a reader.

    Returns
    -------
    Unit

    Examples
    --------
    >>> a, b = make_unit("world", {"seed": 0}), make_unit("world", {"seed": 1})
    >>> a.key == make_unit("world", {"seed": 0}, label="other words").key, a.key == b.key
    (True, False)
    """
    parents = parents or {}
    spec = dict(spec) if machine is None else {**spec, "machine": dict(machine)}
    determined = {
        "phase": phase,
        "code": code_version(phase),
        "spec": spec,
        "parents": {role: unit.key for role, unit in parents.items()},
        "libraries": library_versions() if machine is not None else None,
    }
    key = sha256_bytes(json.dumps(determined, sort_keys=True, ensure_ascii=False).encode())
    names = {role: unit.name for role, unit in parents.items()}
    return Unit(phase, key, spec, names, where or {}, label)


def installed_versions(names: Iterable[str]) -> dict[str, str]:
    """Return the versions of packages; an absent one is left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


@cache
def library_versions() -> dict[str, str]:
    """Return the versions of the libraries that compute weights, without the mark of a build."""
    return {name: known.split("+")[0] for name, known in installed_versions(_LIBRARIES).items()}


@cache
def code_version(phase: str) -> str:
    """Return a hash of the code of a phase, without its comments and docstrings.

    Parameters
    ----------
    phase : str
        A key of `PHASES`.

    Returns
    -------
    str
        Words about the code may change without making results stale; the code may not.
    """
    return modules_version(PHASES[phase])


def modules_version(names: Iterable[str]) -> str:
    """Return a hash of the code of some modules below ``gainlaw.training``, as `code_version` does.

    Parameters
    ----------
    names : iterable of str
        Such as ``tasks.nli``; order and repetition do not count.

    Returns
    -------
    str
    """
    pieces = [f"{name}\n{_code_of(name)}" for name in sorted(set(names))]
    return sha256_bytes("\n".join(pieces).encode())[:16]


@cache
def _code_of(name: str) -> str:
    found = importlib.util.find_spec(f"gainlaw.training.{name}")
    assert found is not None
    assert found.origin is not None
    tree = ast.parse(Path(found.origin).read_text(encoding="utf-8"))
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list) and body and _is_text(body[0]):
            node.body = body[1:] or [ast.Pass()]  # type: ignore[attr-defined]
    return ast.unparse(tree)


def _is_text(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Expr)
        and isinstance(node.value, ast.Constant)
        and isinstance(node.value.value, str)
    )
