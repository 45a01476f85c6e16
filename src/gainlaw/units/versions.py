"""What determines a result beside settings: the code of modules, the content of files, the versions of packages."""

from __future__ import annotations

import ast
import importlib.util
from collections.abc import Iterable
from fnmatch import fnmatch
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from gainlaw._io import sha256_bytes, sha256_file

__all__ = ["code_version", "content_version", "installed_versions"]


def code_version(modules: Iterable[str]) -> str:
    """Return a hash of the code of modules, without its comments and docstrings.

    Words about the code may change without making results stale; the code may not.

    Parameters
    ----------
    modules : iterable of str
        Such as ``gainlaw.units.store``; order and repetition do not count.

    Returns
    -------
    str
    """
    return sha256_bytes("\n".join(f"{name}\n{_code_of(name)}" for name in sorted(set(modules))).encode())[:16]


def content_version(*paths: Path, root: Path | None = None, beside: Iterable[str] = ()) -> str:
    """Return a hash of files, and of the files in folders, with their names; when they were written does not count.

    Parameters
    ----------
    *paths : Path
        Files and folders. What is not there has no content.
    root : Path, optional
        Names are relative to it; by default to each folder, and a file has none.
    beside : iterable of str
        Patterns of names that do not count in folders; hidden ones never do.

    Returns
    -------
    str
    """
    hidden = (".*", "__pycache__", *beside)
    lines = []
    for path in paths:
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            inside = file.relative_to(path).parts
            if file.is_file() and not any(fnmatch(part, each) for part in inside for each in hidden):
                name = file.relative_to(root or path).as_posix()
                lines.append(f"{name}\0{sha256_file(file)}")
    return sha256_bytes("\n".join(lines).encode())


@cache
def installed_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Return the versions of packages, without the mark of a build; an absent one is left out."""
    found = {}
    for name in names:
        try:
            found[name] = version(name).split("+")[0]
        except PackageNotFoundError:
            continue
    return found


@cache
def _code_of(module: str) -> str:
    found = importlib.util.find_spec(module)
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
