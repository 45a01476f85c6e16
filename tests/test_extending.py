"""docs/extending.md is true: each recipe, followed to the letter in a copy of the package, works at the cost stated."""

from __future__ import annotations

import importlib
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest
from numba.core.dispatcher import Dispatcher

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "extending.md"


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, what it is (a path, "check", or nothing), and its text."""

    language: str
    role: str
    text: str


@dataclass(frozen=True)
class Recipe:
    """A section of the page: what it says that it costs, and its blocks."""

    name: str
    cost: int
    blocks: tuple[Block, ...]

    @property
    def touched(self) -> set[str]:
        """The modules that it writes or changes."""
        return {
            block.role
            for block in self.blocks
            if block.role.startswith("src/") and block.role.endswith(".py")
        }


def recipes() -> dict[str, Recipe]:
    text = PAGE.read_text(encoding="utf-8")
    costs = dict(re.findall(r"^\| \[(.+?)\]\(#.+?\) \| (\d+)", text, flags=re.MULTILINE))
    found = {}
    for section in text.split("\n## ")[1:]:
        name, _, body = section.partition("\n")
        blocks = re.findall(r"^```(\w+)(?: (\S+))?\n(.*?)^```", body, flags=re.DOTALL | re.MULTILINE)
        found[name.lower()] = Recipe(name, int(costs[name.lower()]), tuple(Block(*each) for each in blocks))
    assert found.keys() == costs.keys()
    return found


RECIPES = recipes()


def changed(text: str, diff: str) -> str:
    """Return a text with the hunks of a diff applied; the lines around a change say where it goes."""
    for hunk in re.split(r"^@@.*\n", diff, flags=re.MULTILINE):
        lines = hunk.splitlines(keepends=True)
        before = "".join(line[1:] for line in lines if line[0] in " -")
        after = "".join(line[1:] for line in lines if line[0] in " +")
        assert text.count(before) == 1, f"not in the file, or not only once:\n{before}"
        text = text.replace(before, after)
    return text


@cache
def compiled_kernels() -> dict[Path, Path]:
    """Return where numba keeps the compiled kernels of each folder of the package that has some."""
    found = {}
    for path in (ROOT / "src").rglob("*.py"):
        if "@numba.njit" in path.read_text(encoding="utf-8"):
            inside = path.relative_to(ROOT / "src")
            module = vars(importlib.import_module(".".join(inside.with_suffix("").parts)))
            kernel = next(
                each
                for each in module.values()
                if isinstance(each, Dispatcher) and each.__module__ == module["__name__"]
            )
            kept = Path(kernel.stats.cache_path)
            found |= {inside.parent: kept} if kept.is_dir() else {}
    return found


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A copy of the package beside its data, with the compiled kernels that it has already."""
    shutil.copytree(ROOT / "src", tmp_path / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for folder, kept in compiled_kernels().items():
        shutil.copytree(kept, tmp_path / "src" / folder / "__pycache__")
    for name in ("data", "runners", "pyproject.toml"):
        (tmp_path / name).symlink_to(ROOT / name)
    return tmp_path


def run(checkout: Path, *words: str) -> subprocess.CompletedProcess[str]:
    work = checkout / "work"
    work.mkdir(exist_ok=True)
    places = os.pathsep.join(map(str, (checkout / "src", ROOT / "tests")))
    environment = os.environ | {"PYTHONPATH": places, "COLUMNS": "120"}
    environment.pop("NUMBA_CACHE_DIR", None)  # numba looks beside the source then
    return subprocess.run(
        [sys.executable, *words], cwd=work, env=environment, capture_output=True, text=True, check=False
    )


def follow(checkout: Path, recipe: Recipe) -> None:
    """Write and change the files of a recipe."""
    for block in recipe.blocks:
        path = checkout / (block.role if "/" in block.role else f"work/{block.role}")
        if block.language == "diff":
            path.write_text(changed(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
        elif block.role and block.role != "check":
            assert not (ROOT / block.role).exists(), f"{block.role} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def check_console(checkout: Path, text: str) -> None:
    """Run the commands of a console block; every line shown below one is in what it prints."""
    for part in text.split("$ gainlaw ")[1:]:
        command, *shown = part.splitlines()
        done = run(checkout, "-m", "gainlaw.cli", *shlex.split(command))
        said = " ".join((done.stdout + done.stderr).split())
        assert "Traceback" not in said
        for line in shown:
            assert " ".join(line.split()) in said, done.stdout + done.stderr


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_works_and_costs_what_it_says(name: str, checkout: Path) -> None:
    recipe = RECIPES[name]
    follow(checkout, recipe)
    assert len(recipe.touched) == recipe.cost
    checks = [block for block in recipe.blocks if block.role == "check" or block.language == "console"]
    assert checks
    for block in checks:
        if block.language == "console":
            check_console(checkout, block.text)
        else:
            done = run(checkout, "-W", "error", "-c", block.text)
            assert done.returncode == 0, done.stderr
    new = [str(checkout / path) for path in sorted(recipe.touched)]
    for command in (["check"], ["format", "--check"]):
        done = run(
            checkout, "-m", "ruff", *command, "--config", str(ROOT / "pyproject.toml"), "--no-cache", *new
        )
        assert done.returncode == 0, done.stdout


# The task of the page, trained and scored on a few items.

TINY = """
name = "tiny"
[data]
proverbs = "files"
[world]
documents = 20
train = 20
validation = 2
test = 2
per_family = 1
[training]
steps = 2
max_length = 32
[[checkpoints]]
name = "m"
model_family = "M"
pretrain = false
config = { model_type = "bert", hidden_size = 16, num_hidden_layers = 1, num_attention_heads = 2 }
[[intermediates]]
name = "nli"
tasks = ["world_nli"]
[[targets]]
task = "proverbs"
languages = ["en", "sw"]
"""
TRY_TASK = """
import json, sys
from pathlib import Path

import gainlaw as gl
from gainlaw.training.experiment.reading import read_experiment
from tiny_training import run_here

folder = Path(sys.argv[1])
run_here(read_experiment(folder / "tiny.toml"), folder / "run")
evals = gl.read_evaluations(folder / "run").frame
columns = ["model", "task", "language", "n_examples"]
print(json.dumps(evals[columns].to_numpy().tolist()))
"""


def test_the_task_is_trained_and_scored(checkout: Path) -> None:
    pytest.importorskip("torch")
    follow(checkout, RECIPES["a task"])
    work = checkout / "work"
    (work / "files").mkdir()
    item = {"saying": "A rolling stone", "ending1": "gathers", "ending2": "stays"}
    for name in ("train.en", "validation.en", "test.en", "test.de", "test.sw"):
        lines = [json.dumps(item | {"id": str(n), "label": n % 2}) for n in range(6)]
        (work / "files" / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "tiny.toml").write_text(TINY, encoding="utf-8")
    done = run(checkout, "-c", TRY_TASK, ".")
    assert done.returncode == 0, done.stderr
    expected = [[model, "proverbs", language, 6] for model in ("m", "m+nli") for language in ("en", "sw")]
    assert sorted(json.loads(done.stdout)) == expected
