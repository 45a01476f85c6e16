"""The steps of the paper as units of work: what determines each, and how it is done."""

from __future__ import annotations

import importlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

from gainlaw.errors import GainlawError
from gainlaw.units.store import NamedStore, Store
from gainlaw.units.unit import Unit, make_unit
from gainlaw.units.versions import code_version, content_version, installed_versions

__all__ = ["Steps", "do", "read_floors", "store_at"]

ROOT = Path(__file__).resolve().parent.parent

#: Parts of the package that no number of the paper goes through.
_APART = {"training", "units"}

_LIBRARIES = (
    *("numpy", "scipy", "pandas", "xarray", "numba", "pymc", "pytensor", "nutpie", "statsmodels"),
    *("arviz", "arviz-base", "arviz-stats", "matplotlib", "seaborn", "jinja2"),
)


@cache
def read_floors() -> tuple[tuple[str, ...], ...]:
    """Return the floors of the package, top first, as ARCHITECTURE.md lists them."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    shown = re.search(r"```floors\n(.*?)```", text, flags=re.DOTALL)
    assert shown is not None
    return tuple(tuple(part.strip() for part in line.split(",")) for line in shown[1].splitlines())


@dataclass(frozen=True, slots=True)
class Steps:
    """The steps of a study, each a module with ``run(inputs, output, **parameters)`` that may return a line.

    Attributes
    ----------
    units : dict of str to Unit
        The steps by the name of what they make, each after those it reads.
    """

    units: dict[str, Unit] = field(default_factory=dict)

    def add(
        self,
        label: str,
        module: str,
        output: str,
        inputs: Mapping[str, Path | Unit],
        parameters: Mapping[str, Any] | None = None,
        *,
        floor: str = "report",
    ) -> Unit:
        """Add a step and return it.

        Parameters
        ----------
        label : str
            Its name on the screen.
        module : str
            What does it.
        output : str
            The file or folder that it makes.
        inputs : mapping of str to Path or Unit
            The files and folders, and the steps, that it reads, by the name under which ``run`` gets their places.
        parameters : mapping, optional
            Passed to ``run``; plain values.
        floor : str
            The highest part of the package that it uses: it is done anew when a part at or below that changed.
        """
        files = {role: path for role, path in inputs.items() if isinstance(path, Path)}
        unit = make_unit(
            module,
            {
                "parameters": dict(parameters or {}),
                "files": {role: content_version(path) for role, path in files.items()},
            },
            {role: step for role, step in inputs.items() if isinstance(step, Unit)},
            code=f"{code_version([module])} {_package_version(floor)}",
            libraries=installed_versions(_LIBRARIES),
            aside={role: str(path) for role, path in files.items()},
            label=label,
            name=output,
        )
        self.units[unit.name] = unit
        return unit

    def fit(self, label: str, output: str, data: Unit, **parameters: Any) -> Unit:
        """Add the fit of a law to prepared data; the parameters are those of `analysis.steps.fit`."""
        return self.add(label, "analysis.steps.fit", output, {"data": data}, parameters, floor="fitting")

    def other_scale(self, label: str, fit: Unit) -> Unit:
        """Add a fit again on the other scale, which lies inside of it."""
        output = f"{fit.name}/scale_log_odds"
        return self.add(label, "analysis.steps.other_scale", output, {"fit": fit}, floor="fitting")


def do(unit: Unit, store: Store, output: Path) -> str | None:
    """Do a step; whatever goes wrong is told, and ends only the steps that read it."""
    inputs = {role: Path(place) for role, place in unit.aside.items()}
    inputs |= {role: store.path(name) for role, name in unit.parents.items()}
    try:
        said: str | None = importlib.import_module(unit.kind).run(inputs, output, **unit.spec["parameters"])
    except Exception as error:
        raise GainlawError(str(error)) from error
    return said


def store_at(out: Path) -> NamedStore:
    """Return the store of a study: a fit on another scale may be made inside of a fit at any time."""
    return NamedStore(out, _own_names)


def _own_names(place: Path) -> list[str]:
    return [each.name for each in place.iterdir() if not each.name.lstrip(".").startswith("scale_")]


@cache
def _package_version(floor: str) -> str:
    """Return a hash of the package's files up to and with the floor of a part; they are too many to be parsed."""
    import gainlaw

    root = Path(gainlaw.__file__).parent
    floors = read_floors()
    level = next(number for number, parts in enumerate(floors) if floor in parts)
    parts = sorted({part for below in floors[level:] for part in below} - _APART)
    return content_version(*(_place(root, part) for part in parts), root=root)


def _place(root: Path, part: str) -> Path:
    return root / part if (root / part).is_dir() else root / f"{part}.py"
