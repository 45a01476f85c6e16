"""The languages of cross-lingual benchmarks: names, families, genera and corpus sizes."""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from gainlaw._io import data_path

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["UNLISTED", "describe_languages", "load_languages"]

UNLISTED = "unlisted"
"""The family and genus of a language code that the table does not list."""


@cache
def _table() -> pd.DataFrame:
    import pandas as pd

    # "no" (Norwegian) and "nan" must stay text, so only an empty cell is missing
    return pd.read_csv(data_path("languages.csv"), keep_default_na=False, na_values=[""])


def load_languages() -> pd.DataFrame:
    """Return the packaged language table, one row a language.

    Returns
    -------
    pandas.DataFrame
        Columns ``language`` (the code used in evaluations, ISO 639-1 where there is one), ``name``,
        ``iso639_3``, ``glottocode``, ``family`` (Glottolog top level), ``genus`` (WALS), ``macroarea``,
        ``latitude``, ``longitude``, ``script``, corpus sizes (``cc100_gib``, ``mc4_tokens_b``,
        ``roots_bytes``, ``xp3_size_kib``, ...) and the benchmarks that hold the language (``in_xnli``, ...).
        A missing number is NaN; 0 in ``roots_*`` and ``xp3_*`` means that the corpus does not list the
        language.

    Notes
    -----
    Glottolog 5.1 [1]_ and WALS Online [2]_, both CC BY 4.0; ``data/SOURCES.md`` has the rest.

    References
    ----------
    .. [1] Hammarstrom et al., Glottolog 5.1, doi:10.5281/zenodo.10804357.
    .. [2] Dryer and Haspelmath (eds.), WALS Online, doi:10.5281/zenodo.13950591.

    Examples
    --------
    >>> table = load_languages().set_index("language")
    >>> table.loc["tr", ["name", "family"]].tolist()
    ['Turkish', 'Turkic']
    """
    return _table().copy()


def describe_languages(codes: Iterable[str]) -> pd.DataFrame:
    """Describe language codes, one row a code in the order given.

    A code is looked up as it is, then as ISO 639-3, then by its first part (``zh-Hans``, ``pt_BR``), without
    regard to case.

    Parameters
    ----------
    codes : iterable of str
        Language codes; unknown ones are kept.

    Returns
    -------
    pandas.DataFrame
        Columns ``language`` (the code given), ``language_name`` (the code itself when unknown),
        ``language_family`` and ``genus`` (``"unlisted"`` when unknown), ``known`` (bool) and
        ``seen_in_pretraining`` (bool or missing: whether ROOTS, the corpus of BLOOM, lists the language).

    Examples
    --------
    >>> describe_languages(["sw", "xx"])[["language_name", "language_family", "known"]].values.tolist()
    [['Swahili', 'Atlantic-Congo', True], ['xx', 'unlisted', False]]
    """
    import pandas as pd

    table = _table()
    rows = {str(code).casefold(): i for i, code in enumerate(table["iso639_3"])}
    rows |= {str(code).casefold(): i for i, code in enumerate(table["language"])}
    records: list[tuple[object, ...]] = []
    for code in codes:
        plain = str(code).strip().casefold()
        found = rows.get(plain, rows.get(plain.replace("_", "-").split("-")[0]))
        if found is None:
            records.append((code, code, UNLISTED, UNLISTED, False, pd.NA))
        else:
            row = table.iloc[found]
            records.append(
                (code, row["name"], row["family"], row["genus"], True, bool(row["roots_bytes"] > 0))
            )
    columns = ["language", "language_name", "language_family", "genus", "known", "seen_in_pretraining"]
    return pd.DataFrame(records, columns=columns).astype(
        dict.fromkeys(columns[:4], "str") | {"known": "bool", "seen_in_pretraining": "boolean"}
    )
