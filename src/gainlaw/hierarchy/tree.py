r"""Languages along their tree: family, genus and language as one term with a known covariance.

Deviations that drift at an equal pace along the branches of a tree (Brownian motion; Felsenstein 1985, doi
10.1086/284325) have the covariance :math:`\tau^2 C`, with :math:`C_{ij}` the share of the way from the root that two
languages go together. With three branches of equal length this is 1 for a language with itself, 2/3 within a genus,
1/3 within a family and 0 beyond. It is the covariance of independent steps at the nodes, so that a language's
deviation is the sum of its family's, its genus's and its own step, each of variance :math:`\tau^2 / 3`.
"""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

__all__ = ["DEPTH", "language_tree"]

DEPTH = 3
"""Branches from the root to a language."""


def language_tree(frame: pd.DataFrame) -> tuple[tuple[str, ...], NDArray[np.int64]]:
    """Return the nodes of the tree and every row's path along them.

    Parameters
    ----------
    frame : DataFrame
        Gains with ``language`` and ``language_family``; a column ``genus`` is used where there is one, else the genus
        of the packaged language table (WALS; languages it does not list are a genus of their own).

    Returns
    -------
    nodes : tuple of str
        Families, then genera, then languages, as ``family | genus | language``.
    path : ndarray of int, shape (n, 3)
        The family, the genus and the language of every row, as places among the nodes.

    Examples
    --------
    >>> frame = pd.DataFrame({"language": ["de", "en", "ru"], "language_family": "Indo-European"})
    >>> nodes, path = language_tree(frame)
    >>> nodes[:3]
    ('Indo-European', 'Indo-European | Germanic', 'Indo-European | Slavic')
    >>> path.tolist()
    [[0, 1, 3], [0, 1, 4], [0, 2, 5]]
    """
    from gainlaw.languages import describe_languages

    language, family = (
        frame[name].astype(str).to_numpy(dtype=object) for name in ("language", "language_family")
    )
    if "genus" in frame.columns:
        genus = frame["genus"].astype(str).to_numpy(dtype=object)
    else:
        codes = sorted(set(language))
        known = describe_languages(codes)
        by_code = dict(zip(codes, known["genus"], strict=True))
        genus = np.array([by_code[code] for code in language], dtype=object)
    own = np.isin(genus, ["", "nan"])
    genus = np.where(own, language, genus)
    labels = [family, family + " | " + genus, family + " | " + genus + " | " + language]
    nodes: list[str] = []
    path = np.empty((len(frame), DEPTH), dtype=np.int64)
    for level, label in enumerate(labels):
        index, groups = pd.factorize(label, sort=True)
        path[:, level] = len(nodes) + index
        nodes.extend(str(group) for group in groups)
    return tuple(nodes), path
