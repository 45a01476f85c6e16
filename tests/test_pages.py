"""What the pages show runs: their commands and their Python, one page after the other as a reader would."""

from __future__ import annotations

import importlib.util
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

import gainlaw as gl
from conftest import Cli, write_effects, write_scores
from result_files import write_ladder

ROOT = Path(__file__).resolve().parents[1]
DOCS = ROOT / "docs"
SHOWN = re.compile(r"^```(console|python|r|yaml)(?: ([\w.-]+))?\n(.*?)^```", re.MULTILINE | re.DOTALL)

#: Commands that take minutes, network or a machine: what runs them.
ELSEWHERE = {
    r"make ": "test_packaging.py",
    r"gainlaw (run|plan|work|status|retry|gc)|gainlaw gains ladder": "test_training_cli.py",
    r"gainlaw cancel": "test_slurm.py",
    r"gainlaw \w+ (fits/flan|dataset:flan)": "test_two_curve.py",
    r"gainlaw \w+ fits/ability": "test_ability.py",
    r"gainlaw \w+ (fits/average|dataset:bloomz --law average)": "test_averages.py",
    r"gainlaw study": "test_study.py",
    r"gainlaw import table.xlsx": "test_import_sources.py",
    r"gainlaw curve svg_extracted_data.csv": "test_curve_reference.py",
}

#: Fewer draws than the page has, and fewer rows of the packaged scores: what is shown is the same, sooner.
SHORT = {"fit": ["--draws", "300", "--tune", "200"], "curve": ["--draws", "200"]}
FEW = ["--where", "task=xnli,xcopa", "--where", "language=sw,vi"]
PACKAGED = 'evals = gl.load_dataset("bloomz", intermediates="xP3")'
FEWER = '.select(task=["xnli", "xcopa"], language=["sw", "vi"])'

#: Pages with Python that has a test of its own.
OWN = {"gallery.md": "test_gallery.py", "extending.md": "test_extending.py"}


def shown(page: Path) -> list[tuple[str, str, str]]:
    return [match.groups("") for match in SHOWN.finditer(page.read_text(encoding="utf-8"))]


PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a folder with the files that the pages speak of, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    own_scores(tmp_path)
    effects = pd.read_csv(write_effects(tmp_path / "effects.csv"))
    pd.DataFrame(np.diag(effects["se"] ** 2)).to_csv("V.csv", index=False, header=False)
    write_items(tmp_path)
    write_runs(tmp_path)
    write_models(tmp_path)
    for path in sorted(write_ladder(tmp_path / "made").rglob("*.json*")):
        renamed = Path("results", *(part.replace("-chat", "-instruct") for part in path.parts[-2:]))
        renamed.parent.mkdir(parents=True, exist_ok=True)
        renamed.write_text(path.read_text(encoding="utf-8").replace("-chat", "-instruct"), encoding="utf-8")
    for page in (ROOT / "README.md", DOCS / "how-to.md", DOCS / "design.md"):
        for block in re.findall(r"```toml\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.DOTALL):
            name = "claims.toml" if "[[claim]]" in block else "study.toml"
            Path(name).write_text(block, encoding="utf-8")
    return tmp_path


def own_scores(folder: Path) -> None:
    """Write scores with the names of tasks and training that the pages have."""
    path = write_scores(folder / "scores.csv")
    text = path.read_text(encoding="utf-8").replace("pawsx", "xnli").replace("mnli", "xP3")
    path.write_text(text, encoding="utf-8")


def write_items(folder: Path) -> None:
    """Write the answers behind the scores, item by item."""
    scores = pd.read_csv(folder / "scores.csv")
    rows = [
        {"model": row.model, "task": row.task, "language": row.language, "example": str(item),
         "intermediate": row.intermediate, "correct": int(item < row.n_correct)}
        for row in scores.itertuples()
        for item in range(row.n_examples)
    ]  # fmt: skip
    pd.DataFrame(rows).to_parquet(folder / "items.parquet")


def write_runs(folder: Path) -> None:
    """Write training runs of a known law, under the names of both examples of docs/curves.md."""
    rng = np.random.default_rng(5)
    rows = []
    for run, (size, tokens) in enumerate(
        (n, d) for n in (1e8, 3e8, 1e9, 3e9, 1e10) for d in (2e9, 1e10, 5e10, 2e11)
    ):
        loss = 1.7 + 400 / size**0.34 + 410 / tokens**0.28 + rng.normal(0, 0.003)
        score = 0.25 + 0.65 / (1 + np.exp(3 * (loss - 2.4))) + rng.normal(0, 0.005)
        rows.append(("ab"[run % 2], f"r{run}", size, tokens, 6 * size * tokens, size, loss, score))
    names = ["family", "run", "params", "tokens", "Training FLOP", "Model Size", "loss", "accuracy"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "runs.csv", index=False)


def write_models(folder: Path) -> None:
    """Write scores of published models, made of one ability that grows with compute in each family."""
    rng = np.random.default_rng(6)
    rows = []
    for family, slope in (("red", 0.2), ("blue", 0.15), ("green", 0.1)):
        for flops in np.geomspace(1e21, 1e24, 5):
            ability = slope * np.log(flops / 1e22) + 0.02 * rng.standard_normal()
            scores = 0.4 + ability * np.array([0.5, 0.4, 0.3, 0.6]) + 0.01 * rng.standard_normal(4)
            agent = 1 / (1 + np.exp(-6 * (ability - 0.2)))
            rows.append((family, f"{family} {flops:.0e}", flops, *scores, agent))
    names = ["family", "model", "flops", "mmlu", "arc", "hellaswag", "gsm8k", "agent"]
    pd.DataFrame(rows, columns=names).to_csv(folder / "models.csv", index=False)


def outcome(cli: Cli, line: str) -> tuple[int, str]:
    """Run one line that a page shows, with fewer draws and rows; an answer that must not be trusted is one too."""
    if "|" in line:
        quick = re.sub(r"gainlaw fit", f"gainlaw fit --overwrite {shlex.join(SHORT['fit'])}", line)
        command = quick.replace("gainlaw ", f"{shlex.quote(sys.executable)} -m gainlaw.cli ")
        done = subprocess.run(command, shell=True, capture_output=True, text=True, check=False)
        return done.returncode, done.stderr
    _, name, *words = shlex.split(line, comments=True)
    words += SHORT.get(name, [])
    if "dataset:bloomz" in words and name != "check" and not any(word.startswith("task=") for word in words):
        words += FEW
    if name == "fit" and Path(words[words.index("-o") + 1]).exists():
        words.append("--overwrite")
    found = cli(name, *words)
    return found.code, found.err + found.out


def elsewhere(line: str) -> bool:
    """Return whether a line is run by another test, which there is."""
    tests = [test for pattern, test in ELSEWHERE.items() if re.match(pattern, line)]
    assert all((ROOT / "tests" / test).exists() for test in tests)
    return bool(tests)


@pytest.mark.slow
@pytest.mark.usefixtures("svg_alone")
@pytest.mark.parametrize("page", [page for page in PAGES if page.name not in OWN], ids=lambda page: page.stem)
def test_what_a_page_shows_runs(page: Path, folder: Path, cli: Cli) -> None:
    names = {
        "gl": gl,
        "frame": pd.read_csv(folder / "runs.csv"),
        "models": pd.read_csv(folder / "models.csv"),
    }
    for kind, of, block in shown(page):
        if kind == "console":
            lines = [line[2:] for line in block.splitlines() if line.startswith("$ ")]
            assert lines, block
            for line in lines:
                if not elsewhere(line):
                    code, told = outcome(cli, line)
                    assert code in (0, 1), (line, told)
                    if line.startswith("gainlaw import results/ -o scores.csv"):
                        own_scores(folder)  # which have the tasks that the lines below ask for
        elif kind == "yaml":
            assert yaml.safe_load(block)
        elif kind == "r":
            run_r(of, block)
        elif not of or importlib.util.find_spec(of):
            quick = block.replace("draws=1000", "draws=10, tune=10").replace(PACKAGED, PACKAGED + FEWER)
            exec(compile(quick, page.name, "exec"), names)


def run_r(package: str, block: str) -> None:
    """Run a block of R where R and the package are; brms would compile a model for minutes."""
    rscript = shutil.which("Rscript")
    if rscript is None or package == "brms":
        return
    probe = subprocess.run([rscript, "-e", f"library({package})"], capture_output=True, check=False)
    if probe.returncode == 0:
        done = subprocess.run([rscript, "-e", block], capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr


def test_pages_with_a_test_of_their_own_have_one() -> None:
    for page, test in OWN.items():
        assert (DOCS / page).exists()
        assert (ROOT / "tests" / test).exists()


def test_every_block_of_a_page_is_of_a_kind_that_is_looked_at() -> None:
    """What is shown but not run is data, settings, a tree of files or a diff that a test applies."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        kinds = set(re.findall(r"^```([^\s`]+)", text, re.MULTILINE))
        looked_at = {
            "console",
            "python",
            "r",
            "yaml",
            "toml",
            "csv",
            "json",
            "diff",
            "text",
            "mermaid",
            "floors",
        }
        assert not {kind for kind in kinds if not kind.startswith("{")} - looked_at, page.name
