"""The notebooks run from top to bottom, and their two forms hold the same cells."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import jupytext
import nbformat
import pytest
from matplotlib import pyplot as plt

import gainlaw as gl

NOTEBOOKS = Path(__file__).resolve().parents[1] / "notebooks"
SCRIPTS = sorted(NOTEBOOKS.glob("*.py"))

#: Few draws and few rows of the packaged scores: the cells are run, the text beside them is not checked.
DRAWS = "150"
ROWS = {
    "bloomz": {"language": ["en", "es", "zh", "sw", "ru", "id", "tr", "th", "vi", "qu"]},
    "open_llm": {"model_family": ["Qwen1.5", "Yi-1.5", "Pythia"]},
}

#: A notebook with its pictures, in bytes: what everybody who clones the repository loads.
LARGEST = 500_000


def cells(notebook: nbformat.NotebookNode) -> list[tuple[str, str]]:
    return [(cell.cell_type, cell.source.strip()) for cell in notebook.cells]


def show(value: Any) -> str | bytes | None:
    """Return what a notebook would show of the value at the end of a cell, as the richest form it has."""
    for form in ("_repr_png_", "_repr_html_"):
        if hasattr(value, form):
            return getattr(value, form)()
    return None if value is None else repr(value)


def run(script: Path) -> list[str | bytes]:
    """Run the cells in this process, each as a notebook does, and return what they show."""
    names: dict[str, Any] = {"__name__": "__main__"}
    shown = []
    for cell in jupytext.read(script).cells:
        if cell.cell_type != "code":
            continue
        body = ast.parse(cell.source).body
        last = body.pop() if isinstance(body[-1], ast.Expr) else None
        exec(compile(ast.Module(body, []), script.name, "exec"), names)
        if last is not None:
            shown.append(show(eval(compile(ast.Expression(last.value), script.name, "eval"), names)))
    return [each for each in shown if each is not None]


def load_few(name: str, **options: Any) -> gl.Evaluations:
    """Load packaged scores, of the large tables a part."""
    return whole_dataset(name, **options).select(**ROWS.get(name, {}))


whole_dataset = gl.load_dataset


def test_there_are_notebooks() -> None:
    assert SCRIPTS


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_both_forms_hold_the_same_cells(script: Path) -> None:
    paired = script.with_suffix(".ipynb")
    assert cells(jupytext.read(script)) == cells(nbformat.read(paired, as_version=4))
    assert jupytext.read(script).metadata["jupytext"]["formats"] == "ipynb,py:percent"
    assert paired.stat().st_size <= LARGEST


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_committed_outputs_are_whole(script: Path) -> None:
    notebook = nbformat.read(script.with_suffix(".ipynb"), as_version=4)
    nbformat.validate(notebook)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert all(cell.execution_count for cell in code)
    outputs = [output for cell in code for output in cell.outputs]
    assert not [
        output for output in outputs if output.output_type == "error" or output.get("name") == "stderr"
    ]
    assert sum("image/png" in output.get("data", {}) for output in outputs) >= 2


@pytest.mark.slow
@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.stem)
def test_notebook_runs(script: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("GAINLAW_NOTEBOOK_DRAWS", DRAWS)
    monkeypatch.setattr(gl, "load_dataset", load_few)
    monkeypatch.chdir(tmp_path)
    shown = run(script)
    plt.close("all")
    assert sum(isinstance(each, bytes) and each.startswith(b"\x89PNG") for each in shown) >= 2
    assert not list(tmp_path.iterdir())  # what a notebook writes goes to a folder for temporary files
