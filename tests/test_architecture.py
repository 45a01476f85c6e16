"""The shape of the package: imports point down, modules stay short, everything public is documented."""

from __future__ import annotations

import ast
import functools
import inspect
import re
import subprocess
import sys
from pathlib import Path

import pytest
from analysis.step import read_floors

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "src" / "gainlaw"
MODULES = sorted(PACKAGE.rglob("*.py"))

#: The floors of the package, top first. A part may import the parts below it and its neighbours.
FLOORS = read_floors()

#: Thin methods that hand over to a part above, from inside a function or for type checkers only.
HAND_OVERS: set[tuple[str, str]] = {
    ("fitting", "figures"),
}

#: Imported by the function that needs them, never when a module is loaded.
HEAVY = {"torch", "transformers", "tokenizers", "safetensors", "peft", "datasets"}
HEAVY |= {"pymc", "pytensor", "nutpie", "numba", "arviz", "arviz_stats", "arviz_base"}
HEAVY |= {"matplotlib", "seaborn", "statsmodels", "jinja2", "rich"}

#: Modules that are nothing but work for a heavy package; whoever needs them imports them late.
ENGINE_ROOM = {
    "curves/kernels/losses.py",
    "curves/kernels/newton.py",
    "curves/kernels/tape.py",
    "figures/common/style.py",
    "model/binomial/sites.py",
    "model/binomial/kernels.py",
    "model/binomial/marginal_kernels.py",
    "model/binomial/quadrature.py",
    "model/gaussian/row_kernels.py",
    "model/gaussian/kernels.py",
    "model/gaussian/linear_system.py",
    "model/gaussian/packed.py",
    "model/engines/pymc_model.py",
    "model/engines/ops.py",
    "model/gaussian/reduced_kernels.py",
    "model/gaussian/triangular.py",
    "training/train/heads.py",
    "training/train/loop.py",
    "training/train/objectives.py",
    "training/jobs/evaluate.py",
    "training/jobs/rank.py",
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
    """Return each module that `path` imports, and whether it does so when it is loaded."""
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
                found.append((child.module or "", at_load))
                if child.module == "gainlaw":
                    found.extend((f"gainlaw.{alias.name}", at_load) for alias in child.names)
            visit(child, at_load and not later)

    visit(tree, True)
    return tuple(found)


def part_imports(path: Path) -> set[tuple[str, bool]]:
    parts = {name for floor in FLOORS for name in floor}
    split = ((name.split("."), at_load) for name, at_load in imports_of(path))
    return {(n[1], at_load) for n, at_load in split if n[0] == "gainlaw" and len(n) > 1 and n[1] in parts}


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
    for target, at_load in part_imports(path):
        if RANK[target] > RANK[part]:
            assert not at_load, f"{path} imports {target}, which is above it, when it is loaded"
            assert (part, target) in HAND_OVERS, f"{path} imports {target}, which is above it"


def test_the_runner_and_the_statistics_never_import_each_other() -> None:
    plain = {
        "units",
        "errors",
        "options",
        "tasks",
        "_compiled",
        "_directory",
        "_io",
        "_provenance",
        "_threads",
    }
    for path in MODULES:
        targets = {target for target, _ in part_imports(path)} - {part_of(path)}
        if part_of(path) == "training":
            assert targets <= plain, f"{path} imports {targets - plain}"
        elif part_of(path) != "cli":
            assert "training" not in targets, f"{path} imports the runner"


def test_parts_do_not_import_each_other_in_a_circle() -> None:
    below = {
        part: {
            target
            for path in MODULES
            if part_of(path) == part
            for target, _ in part_imports(path)
            if target != part and (part, target) not in HAND_OVERS
        }
        for part in RANK
    }
    settled: set[str] = set()
    while len(settled) < len(below):
        ready = {part for part, targets in below.items() if part not in settled and targets <= settled}
        assert ready, f"a circle among {sorted(set(below) - settled)}"
        settled |= ready


def test_no_hand_over_is_listed_in_vain() -> None:
    used = {(part_of(path), target) for path in MODULES for target, _ in part_imports(path)}
    assert used >= HAND_OVERS


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
