r"""Languages along their tree: one term with a known covariance, that of families and genera or one handed in.

Deviations that drift at an equal pace along the branches of a tree (Brownian motion; Felsenstein 1985, doi
10.1086/284325) have the covariance :math:`\tau^2 C`, with :math:`C_{ij}` the length of the way from the root that two
languages go together. It is the covariance of independent steps along the branches: with :math:`\ell_b` the length
of branch ``b``, a language's deviation is :math:`\tau \sum_b \sqrt{\ell_b}\, z_b` over the branches that lead to it.
The tree of families and genera has three branches of equal length, so that :math:`C` is 1 for a language with itself,
2/3 within a genus, 1/3 within a family and 0 beyond. Any other covariance is written alike, :math:`C = L L'`. All are
scaled to a mean of 1 over the languages of the data, so that :math:`\tau` is the standard deviation of a language.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from gainlaw.errors import InputError, Problem

__all__ = ["LanguageTree", "Relations", "is_star", "language_tree", "padded_steps", "read_relations"]

Float = NDArray[np.float64]
Int = NDArray[np.int64]

_MATRICES = (".csv", ".parquet")
# How far a covariance may be from symmetric, and from positive semidefinite, relative to its largest entry.
_ROUNDING = 1e-6


@dataclass(frozen=True, slots=True, eq=False)
class Relations:
    """How languages are related, as handed in.

    Parameters
    ----------
    languages : tuple of str
        Their names.
    nodes : tuple of str
        Names of the independent steps.
    steps : ndarray, shape (languages, nodes)
        What each step adds to each language: the covariance is ``steps @ steps.T``.
    record : dict
        What it was read from, for the record of a fit: ``newick``, or ``languages`` and ``covariance``.
    """

    languages: tuple[str, ...]
    nodes: tuple[str, ...]
    steps: Float
    record: dict[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class LanguageTree:
    """The languages of some rows and the steps that lead to them.

    Parameters
    ----------
    languages : tuple of str
        The languages, sorted.
    nodes : tuple of str
        The steps.
    index : ndarray of int, shape (n,)
        The language of every row.
    loading : ndarray, shape (languages, nodes)
        The weight of every step in every language's deviation; its squares have a mean of 1 a language.
    """

    languages: tuple[str, ...]
    nodes: tuple[str, ...]
    index: Int
    loading: Float


def read_relations(given: object) -> Relations | bool:
    """Return how languages are related.

    Parameters
    ----------
    given : bool, path, DataFrame, mapping or Relations
        True for the tree of families and genera, False for none; a file with a tree in Newick's format, or a ``.csv``
        or ``.parquet`` file with a covariance (or similarity) matrix: names of languages in its first column and as
        the names of the others; such a matrix as a frame indexed by the names; or the `Relations.record` of one.

    Raises
    ------
    InputError
        For what is no tree and no covariance.

    Examples
    --------
    >>> tree = read_relations({"newick": "((de:1,nl:1):1,tr:2);"})
    >>> (tree.steps @ tree.steps.T).round(6).tolist()
    [[2.0, 1.0, 0.0], [1.0, 2.0, 0.0], [0.0, 0.0, 2.0]]
    """
    if isinstance(given, bool | Relations):
        return given
    if isinstance(given, pd.DataFrame):
        return _of_covariance(
            [str(name) for name in given.index], list(map(str, given.columns)), given.to_numpy(), "tree"
        )
    if isinstance(given, Mapping):
        if "newick" in given:
            return _of_newick(str(given["newick"]), "tree")
        names = [str(name) for name in given["languages"]]
        return _of_covariance(names, names, given["covariance"], "tree")
    if not isinstance(given, str | Path):
        hint = "True, a file, or a frame with a covariance"
        raise InputError(Problem(f"a tree cannot be {type(given).__name__}", hint=hint))
    path = Path(given)
    try:
        found = _matrix_of(path) if path.suffix.lower() in _MATRICES else path.read_text("utf-8-sig")
    except (OSError, ValueError) as error:
        raise InputError(Problem(f"it cannot be read: {error}"), source=str(path)) from None
    if isinstance(found, str):
        return _of_newick(found, str(path))
    return _of_covariance(list(found.index), list(found.columns), found.to_numpy(), str(path))


def language_tree(frame: pd.DataFrame, relations: Relations | None = None) -> LanguageTree:
    """Return the languages of some rows and the steps that lead to them.

    Parameters
    ----------
    frame : DataFrame
        Gains with ``language``, and ``language_family`` for the tree of families and genera; that takes a column
        ``genus`` where there is one, else the genus of the packaged language table (WALS; languages it does not list
        are a genus of their own).
    relations : Relations, optional
        How the languages are related, in place of families and genera.

    Raises
    ------
    InputError
        If languages of the rows are not among the relations, by name.

    Examples
    --------
    >>> frame = pd.DataFrame({"language": ["de", "en", "ru"], "language_family": "Indo-European"})
    >>> tree = language_tree(frame)
    >>> tree.nodes[:3]
    ('Indo-European', 'Indo-European | Germanic', 'Indo-European | Slavic')
    >>> (3 * tree.loading @ tree.loading.T).round().tolist()
    [[3.0, 2.0, 1.0], [2.0, 3.0, 1.0], [1.0, 1.0, 3.0]]
    """
    index, found = pd.factorize(frame["language"].astype(str), sort=True)
    languages = tuple(str(name) for name in found)
    if relations is None:
        nodes, steps = _families(frame, index, languages)
    else:
        place = {name: k for k, name in enumerate(relations.languages)}
        missing = [name for name in languages if name not in place]
        if missing:
            what = f"languages of the table that the tree has not: {', '.join(missing)}"
            hint = f"it has {', '.join(relations.languages[:12])}; name them as in the column language, or add them"
            raise InputError(Problem(what, "language", hint=hint))
        steps = relations.steps[[place[name] for name in languages]]
        used = (steps != 0).any(axis=0)
        nodes, steps = (
            tuple(name for name, use in zip(relations.nodes, used, strict=True) if use),
            steps[:, used],
        )
    size = (steps**2).sum(axis=1)
    if not (size > 0).all():
        roots = [name for name, own in zip(languages, size, strict=True) if not own > 0]
        what = f"languages that never leave the root of the tree: {', '.join(roots)}"
        raise InputError(Problem(what, "language", hint="give the branches that lead to them a length"))
    return LanguageTree(languages, nodes, index.astype(np.int64), steps / np.sqrt(size.mean()))


def is_star(loading: Float) -> bool:
    """Return whether languages are unrelated and vary alike: their covariance is then that of a plain term."""
    covariance = loading @ loading.T
    return bool(
        np.abs(covariance - covariance.trace() / len(covariance) * np.eye(len(covariance))).max() < 1e-9
    )


def padded_steps(loading: Float) -> tuple[Int, Float]:
    """Return the steps of every language and their weights, shapes (languages, depth), padded with weights of 0."""
    depth = int((loading != 0).sum(axis=1).max())
    order = np.argsort(loading == 0, axis=1, kind="stable")[:, :depth]
    return order.astype(np.int64), np.take_along_axis(loading, order, axis=1)


def _families(frame: pd.DataFrame, index: Int, languages: Sequence[str]) -> tuple[tuple[str, ...], Float]:
    from gainlaw.scores.languages import describe_languages

    first = np.unique(index, return_index=True)[1]
    language = np.array(languages, dtype=object)
    family = frame["language_family"].astype(str).to_numpy(dtype=object)[first]
    if "genus" in frame.columns:
        genus = frame["genus"].astype(str).to_numpy(dtype=object)[first]
    else:
        genus = describe_languages(list(languages))["genus"].astype(str).to_numpy(dtype=object)
    genus = np.where(np.isin(genus, ["", "nan"]), language, genus)
    nodes: list[str] = []
    parts = []
    for label in (family, family + " | " + genus, family + " | " + genus + " | " + language):
        step, names = pd.factorize(label, sort=True)
        nodes.extend(str(name) for name in names)
        parts.append((step[:, None] == np.arange(len(names))).astype(float))
    return tuple(nodes), np.concatenate(parts, axis=1)


def _matrix_of(path: Path) -> pd.DataFrame:
    """Return a matrix as text, whose first column (in a Parquet file, or its index) names the rows."""
    if path.suffix.lower() == ".csv":
        # No name is a missing value: a language may be called nan.
        table = pd.read_csv(path, index_col=0, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    else:
        table = pd.read_parquet(path)
        if isinstance(table.index, pd.RangeIndex):
            table = table.set_index(table.columns[0])
    return table.rename(index=str, columns=str)


def _of_newick(text: str, source: str) -> Relations:
    import newick

    try:
        trees = newick.loads(text)
        lengths = {id(node): float(node.length) for tree in trees for node in tree.walk()}
    except (ValueError, RecursionError) as error:
        hint = "for example ((de:1,nl:1):1,tr:2);"
        raise InputError(
            Problem(f"it is no tree in Newick's format: {error}", hint=hint), source=source
        ) from None
    if len(trees) != 1:
        raise InputError(Problem(f"it holds {len(trees)} trees", hint="one tree a file"), source=source)
    root = trees[0]
    inner = [node for node in root.walk() if node is not root]
    told = [":" in re.sub(r"'[^']*'|\[[^\]]*\]", "", node.newick).rpartition(")")[2] for node in inner]
    if any(told) and not all(told):
        bare = [
            node.unquoted_name or "(without a name)" for node, own in zip(inner, told, strict=True) if not own
        ]
        what = f"some branches have a length and others not: {', '.join(bare[:12])}"
        raise InputError(Problem(what, hint="give all of them one, or none (all are then 1)"), source=source)
    branch = {id(node): lengths[id(node)] if any(told) else 1.0 for node in inner}
    if not all(np.isfinite(value) and value >= 0 for value in branch.values()):
        raise InputError(Problem("lengths of branches must be 0 or above"), source=source)
    names = [str(node.unquoted_name or "") for node in inner]
    twice = sorted({name for name in names if name and names.count(name) > 1})
    if twice:
        raise InputError(Problem(f"names that stand twice: {', '.join(twice)}"), source=source)
    place = {id(node): k for k, node in enumerate(inner)}
    steps = np.zeros((len(inner), len(inner)))
    for k, node in enumerate(inner):
        at = node
        while at is not root:
            steps[k, place[id(at)]] = np.sqrt(branch[id(at)])
            at = at.ancestor
    named = [k for k, name in enumerate(names) if name]
    nodes = tuple(name or f"branch {k}" for k, name in enumerate(names))
    return Relations(tuple(names[k] for k in named), nodes, steps[named], {"newick": text.strip()})


def _of_covariance(rows: list[str], columns: list[str], values: Any, source: str) -> Relations:
    problems: list[Problem] = []
    for what, names in (("rows", rows), ("columns", columns)):
        twice = sorted({name for name in names if names.count(name) > 1})
        if twice:
            problems.append(Problem(f"{what} that stand twice: {', '.join(twice)}"))
    if apart := sorted(set(rows) ^ set(columns)):
        hint = "the first column names the languages, and so do the other columns"
        problems.append(
            Problem(f"rows and columns name different languages: {', '.join(apart[:12])}", hint=hint)
        )
    if problems:
        raise InputError(problems, source=source)
    cells = pd.DataFrame(values, index=rows, columns=columns)[rows]
    numbers = cells.apply(pd.to_numeric, errors="coerce").to_numpy(dtype=float)
    wrong = [f"{rows[i]}, {rows[j]}" for i, j in np.argwhere(~np.isfinite(numbers))[:12]]
    if wrong:
        raise InputError(Problem(f"no finite number at {'; '.join(wrong)}"), source=source)
    largest = float(np.abs(numbers).max(initial=0.0))
    uneven = [
        f"{rows[i]}, {rows[j]}"
        for i, j in np.argwhere(np.abs(numbers - numbers.T) > _ROUNDING * largest)
        if i < j
    ]
    if uneven:
        problems.append(Problem(f"it is not symmetric: {'; '.join(uneven[:12])}"))
    flat = [name for name, own in zip(rows, np.diag(numbers), strict=True) if not own > 0]
    if flat:
        hint = "on the diagonal stand variances (1 for similarities); distances are no covariance"
        problems.append(Problem(f"no positive variance for {', '.join(flat[:12])}", hint=hint))
    if problems:
        raise InputError(problems, source=source)
    numbers = (numbers + numbers.T) / 2.0
    size, axes = np.linalg.eigh(numbers)
    if size[0] < -_ROUNDING * size[-1]:
        what = f"it is no covariance: its least eigenvalue is {size[0]:.3g}, its largest {size[-1]:.3g}"
        hint = "similarities must be those of points in a space: try exp(-distance)"
        raise InputError(Problem(what, hint=hint), source=source)
    kept = size > 1e-12 * size[-1]
    nodes = tuple(f"axis {k}" for k in range(1, int(kept.sum()) + 1))
    record = {"languages": rows, "covariance": numbers.tolist()}
    return Relations(tuple(rows), nodes, axes[:, kept] * np.sqrt(size[kept]), record)
