"""The shape of the package: imports point down, modules stay short, everything public is documented."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import subprocess
import sys
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import pytest
from analysis.step import read_floors

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "gainlaw"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: The floors of the package, top first. A part may import the parts below it and its neighbours.
FLOORS = read_floors()

#: Imported by the function that needs them, never when a module is loaded.
HEAVY = {"torch", "transformers", "tokenizers", "safetensors", "peft", "datasets"}
HEAVY |= {"pymc", "pytensor", "nutpie", "numba", "arviz", "arviz_stats", "arviz_base"}
HEAVY |= {"matplotlib", "seaborn", "statsmodels", "jinja2", "rich"}

#: Modules that are nothing but work for a heavy package; whoever needs them imports them late.
ENGINE_ROOM = {
    "curves/kernels/losses.py",
    "curves/kernels/newton.py",
    "curves/kernels/steps.py",
    "curves/kernels/tape.py",
    "figures/common/style.py",
    "model/binomial/sites.py",
    "model/binomial/kernels.py",
    "model/binomial/marginal_kernels.py",
    "model/binomial/quadrature.py",
    "model/gaussian/row_kernels.py",
    "model/gaussian/kernels.py",
    "model/gaussian/left_out.py",
    "model/gaussian/linear_system.py",
    "model/gaussian/packed.py",
    "model/engines/pymc_model.py",
    "model/engines/density.py",
    "model/gaussian/reduced_kernels.py",
    "model/gaussian/triangular.py",
    "training/train/heads.py",
    "training/train/loop.py",
    "training/train/objectives.py",
    "training/jobs/align.py",
    "training/jobs/evaluate.py",
    "training/jobs/rank.py",
    "training/jobs/retrieve.py",
    "training/jobs/supervised.py",
    "training/prompting/distillation.py",
    "training/prompting/likelihood.py",
}


LONGEST_MODULE = 450


def part_of(path: Path) -> str:
    """Return the part of the package a module belongs to: its folder, or its own name."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


@functools.cache
def imports_of(path: Path) -> tuple[tuple[str, bool], ...]:
    """Return all that `path` imports, names by their full one, and whether it does so when it is loaded."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found: list[tuple[str, bool]] = []

    def visit(node: ast.AST, at_load: bool) -> None:
        for child in ast.iter_child_nodes(node):
            later = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) or (
                isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test)
            )
            if isinstance(child, ast.Import):
                found.extend((alias.name, at_load) for alias in child.names)
            elif isinstance(child, ast.ImportFrom):
                assert child.level == 0, f"{path}: imports are absolute"
                assert child.module is not None
                found.append((child.module, at_load))
                found.extend((f"{child.module}.{alias.name}", at_load) for alias in child.names)
            visit(child, at_load and not later)

    visit(tree, True)
    return tuple(found)


def module_imports(package: Path) -> dict[str, set[str]]:
    """Return which modules of a package each of them imports, now, later or for types.

    The package itself is left out: it hands every name over when it is asked for, and depends on all of them.
    """
    paths = {
        ".".join(path.relative_to(package.parent).with_suffix("").parts).removesuffix(".__init__"): path
        for path in package.rglob("*.py")
        if path != package / "__init__.py"
    }
    return {
        name: {target for target, _ in imports_of(path) if target in paths} - {name}
        for name, path in paths.items()
    }


def part_imports(path: Path) -> set[str]:
    split = (name.split(".") for name, _ in imports_of(path))
    return {n[1] for n in split if n[0] == "gainlaw" and len(n) > 1 and n[1] in RANK}


RANK = {part: len(FLOORS) - height for height, floor in enumerate(FLOORS) for part in floor}


def test_every_part_has_a_floor() -> None:
    parts = {part_of(path) for path in MODULES} - {"__init__"}
    assert parts == set(RANK)


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_imports_point_down(path: Path) -> None:
    part = part_of(path)
    if part == "__init__":
        assert not {name for name, at_load in imports_of(path) if at_load and name.startswith("gainlaw")}
        return
    above = {target for target in part_imports(path) if RANK[target] > RANK[part]}
    assert not above, f"{path} imports {above}, above it"


def test_the_runner_and_the_statistics_never_import_each_other() -> None:
    plain = {
        "units",
        "errors",
        "options",
        "tasks",
        "_compiled",
        "_directory",
        "_io",
        "_listing",
        "_provenance",
        "_threads",
    }
    for path in MODULES:
        targets = part_imports(path) - {part_of(path)}
        if part_of(path) == "training":
            assert targets <= plain, f"{path} imports {targets - plain}"
        elif part_of(path) != "cli":
            assert "training" not in targets, f"{path} imports the runner"


def test_parts_do_not_import_each_other_in_a_circle() -> None:
    below: dict[str, set[str]] = {part: set() for part in RANK}
    for path in MODULES:
        if part_of(path) in below:
            below[part_of(path)] |= part_imports(path) - {part_of(path)}
    TopologicalSorter(below).prepare()


def test_modules_do_not_import_each_other_in_a_circle() -> None:
    """Imports inside functions and for types count: they are dependences like any other."""
    imports = module_imports(PACKAGE)
    assert "gainlaw.figures.forest" in imports["gainlaw.fits"]
    TopologicalSorter(imports).prepare()


@pytest.mark.parametrize(
    "text",
    [
        "from planted.rooms.below import thing",
        "def verb():\n    from planted.rooms import below",
        "from typing import TYPE_CHECKING\nif TYPE_CHECKING:\n    import planted.rooms.below",
    ],
)
def test_a_planted_circle_of_modules_is_found(tmp_path: Path, text: str) -> None:
    room = tmp_path / "planted" / "rooms"
    room.mkdir(parents=True)
    for folder in (room, room.parent):
        (folder / "__init__.py").write_text("from planted.above import verb\n" if folder != room else "")
    (room / "below.py").write_text("from planted.middle import thing\n")
    (room.parent / "above.py").write_text("from planted.rooms import below\n")
    (room.parent / "middle.py").write_text("import math\n")
    TopologicalSorter(module_imports(room.parent)).prepare()
    imports_of.cache_clear()
    (room.parent / "middle.py").write_text(text)
    with pytest.raises(CycleError) as found:
        TopologicalSorter(module_imports(room.parent)).prepare()
    assert set(found.value.args[1]) == {"planted.middle", "planted.rooms.below"}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_heavy_packages_are_imported_late(path: Path) -> None:
    if str(path.relative_to(PACKAGE)) in ENGINE_ROOM:
        return
    assert not {name for name, at_load in imports_of(path) if at_load and name.split(".")[0] in HEAVY}


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_modules_are_short_and_described(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    tree = ast.parse(text)
    assert ast.get_docstring(tree), f"{path} has no docstring"
    for node in _public(tree.body):
        assert ast.get_docstring(node), f"{path}: {node.name} has no docstring"
        for method in _public(node.body) if isinstance(node, ast.ClassDef) else ():
            assert ast.get_docstring(method), f"{path}: {node.name}.{method.name} has no docstring"


def _public(body: list[ast.stmt]) -> list[ast.FunctionDef | ast.ClassDef]:
    """Return the public functions and classes of a body."""
    return [
        node
        for node in body
        if isinstance(node, ast.FunctionDef | ast.ClassDef)
        and not node.name.startswith("_")
        and not any(ast.unparse(each) == "overload" for each in node.decorator_list)
    ]


def test_public_names_exist_and_show_an_example() -> None:
    import gainlaw

    for name in gainlaw.__all__:
        value = getattr(gainlaw, name)
        if inspect.isfunction(value):
            assert ">>>" in (value.__doc__ or ""), f"gainlaw.{name} has no example"


def test_importing_gainlaw_stays_light() -> None:
    code = "import gainlaw, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert not loaded & (HEAVY | {"scipy", "pandas", "typer"})


def test_command_line_starts_without_numerical_packages() -> None:
    code = "import gainlaw.cli, sys; print(*sorted({name.split('.')[0] for name in sys.modules}))"
    loaded = set(
        subprocess.run(
            [sys.executable, "-c", code], capture_output=True, text=True, check=True
        ).stdout.split()
    )
    assert not loaded & (HEAVY | {"numpy", "scipy", "pandas", "xarray"})


def test_the_map_names_what_is_there() -> None:
    """Every place that ARCHITECTURE.md sends a reader to exists, and defines the names that it gives."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| [^|]+ \| ([^|]+) \|$", text.partition("## One fact")[2], flags=re.MULTILINE)[1:]
    assert len(rows) > 10
    for row in rows:
        for path, names in re.findall(r"`([\w/]+\.\w+)`(?:: ((?:`\w+`(?:, (?=`\w+`(?:,|$| )))?)+))?", row):
            source = (PACKAGE / path).read_text(encoding="utf-8")
            for name in re.findall(r"`(\w+)`", names):
                assert re.search(rf"^(?:def )?{name}\b", source, flags=re.MULTILINE), f"{path}: {name}"
    drawn = set(re.findall(r"\b(\w+)/", text.partition("```mermaid")[2].partition("```")[0]))
    rooms = {path.name for path in PACKAGE.rglob("*") if path.is_dir()}
    assert drawn <= rooms
