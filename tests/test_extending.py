"""docs/extending.md is true: its recipes, followed to the letter in a copy of the package, work at the cost stated."""

from __future__ import annotations

import importlib
import importlib.util
import json
import os
import re
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


def follow(checkout: Path, recipe: Recipe) -> None:
    """Write and change the files of a recipe; those that are no part of the package lie in a folder of their own."""
    for block in recipe.blocks:
        path = checkout / block.role if "/" in block.role else work_of(checkout, recipe) / block.role
        if block.language == "diff":
            path.write_text(changed(path.read_text(encoding="utf-8"), block.text), encoding="utf-8")
        elif block.role and block.role != "check":
            assert not (ROOT / block.role).exists(), f"{block.role} is there already"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(block.text, encoding="utf-8")


def work_of(checkout: Path, recipe: Recipe) -> Path:
    return checkout / "work" / recipe.name


def commands(text: str) -> list[tuple[str, list[str]]]:
    """Return the commands of a console block, and the lines shown below each."""
    parts = [part.splitlines() for part in text.split("$ gainlaw ")[1:]]
    return [(command, shown) for command, *shown in parts]


def jobs(recipe: Recipe) -> list[tuple[str, str]]:
    """Return what a recipe tries, in its order: commands, and Python that must not fail."""
    found = []
    for block in recipe.blocks:
        if block.language == "console":
            found += [("command", command) for command, _ in commands(block.text)]
        elif block.role == "check":
            found.append(("check", block.text))
    return found


@dataclass(frozen=True)
class Followed:
    """A copy of the package in which every recipe was followed, and what came of its jobs."""

    checkout: Path
    said: dict[str, list[str]]
    trained: str


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Followed:
    """Follow all recipes in a copy of the package beside its data, with the compiled kernels that it has already."""
    checkout = tmp_path_factory.mktemp("checkout")
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__"))
    for folder, kept in compiled_kernels().items():
        shutil.copytree(kept, checkout / "src" / folder / "__pycache__")
    for name in ("data", "runners", "pyproject.toml"):
        (checkout / name).symlink_to(ROOT / name)
    asked = []
    for recipe in RECIPES.values():
        work_of(checkout, recipe).mkdir(parents=True)
        follow(checkout, recipe)
        asked += [(str(work_of(checkout, recipe)), *job) for job in jobs(recipe)]
    if importlib.util.find_spec("torch"):
        asked.append((str(write_proverbs(checkout / "work" / "trained")), "training", ""))
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(map(str, (checkout / "src", ROOT / "tests")))}
    environment.pop("NUMBA_CACHE_DIR", None)  # numba looks beside the source then
    done = subprocess.run(
        [sys.executable, str(ROOT / "tests" / "extended.py")], input=json.dumps(asked), env=environment,
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = iter(json.loads(done.stdout.splitlines()[-1]))
    said = {name: [next(found) for _ in jobs(recipe)] for name, recipe in RECIPES.items()}
    return Followed(checkout, said, next(found, ""))


@pytest.mark.parametrize("name", RECIPES)
def test_recipe_works_and_costs_what_it_says(name: str, followed: Followed) -> None:
    recipe = RECIPES[name]
    assert len(recipe.touched) == recipe.cost
    tried = jobs(recipe)
    assert tried
    shown = iter(
        lines for block in recipe.blocks if block.language == "console" for _, lines in commands(block.text)
    )
    for (kind, text), said in zip(tried, followed.said[name], strict=True):
        if kind == "check":
            assert said == "", said
            continue
        for line in next(shown):
            assert " ".join(line.split()) in " ".join(said.split()), (text, said)
    new = [str(followed.checkout / path) for path in sorted(recipe.touched)]
    for command in (["check"], ["format", "--check"]):
        words = [*command, "--config", str(ROOT / "pyproject.toml"), "--no-cache", *new]
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *words], cwd=followed.checkout, capture_output=True, check=False
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


def write_proverbs(work: Path) -> Path:
    """Write items and an experiment of the task; return the folder."""
    (work / "files").mkdir(parents=True)
    item = {"saying": "A rolling stone", "ending1": "gathers", "ending2": "stays"}
    for name in ("train.en", "validation.en", "test.en", "test.de", "test.sw"):
        lines = [json.dumps(item | {"id": str(n), "label": n % 2}) for n in range(6)]
        (work / "files" / f"{name}.jsonl").write_text("\n".join(lines) + "\n", encoding="utf-8")
    (work / "tiny.toml").write_text(TINY, encoding="utf-8")
    return work


def test_the_task_is_trained_and_scored(followed: Followed) -> None:
    if not followed.trained:
        pytest.skip("torch is not installed")
    expected = [[model, "proverbs", language, 6] for model in ("m", "m+nli") for language in ("en", "sw")]
    assert sorted(json.loads(followed.trained)) == expected
