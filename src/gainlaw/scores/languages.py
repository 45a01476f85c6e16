"""Languages: which one a code means, and their names, families, genera and corpus sizes."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cache
from typing import TYPE_CHECKING

from gainlaw._io import data_path

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "UNLISTED",
    "describe_languages",
    "is_language",
    "language_called",
    "language_variants",
    "load_languages",
    "unify_languages",
]

UNLISTED = " (unlisted)"
"""How the family of a language ends that the table does not list: it is a family of its own."""

_SAME = {"nb": "no", "fil": "tl"}
_QUALIFIERS = {"standard", "modern", "north", "northern", "eastern", "western", "tosk", "mandarin"}
_LOCALES = {"ar-sa", "et-ee", "fr-ca", "ko-kr", "ms-my", "pt-br", "sl-si", "sv-se", "zh-tw"}


@cache
def _table() -> pd.DataFrame:
    import pandas as pd

    # "no" (Norwegian) and "nan" must stay text, so only an empty cell is missing
    return pd.read_csv(data_path("languages.csv"), keep_default_na=False, na_values=[""])


def load_languages() -> pd.DataFrame:
    """Return the packaged language table, one row a language: all that have an ISO 639-3 code.

    Returns
    -------
    pandas.DataFrame
        Columns ``language`` (the code used in evaluations, ISO 639-1 where there is one), ``name``,
        ``iso639_3``, ``glottocode``, ``family`` (Glottolog top level; an isolate or a sign language is a family
        of its own), ``genus`` (WALS: its own, or the one genus that WALS knows of its nearest relatives),
        ``macroarea``, ``latitude``, ``longitude``. For the 65 languages of the packaged scores, which come first,
        also ``script``, corpus sizes (``cc100_gib``, ``mc4_tokens_b``, ``roots_bytes``, ``xp3_size_kib``, ...) and
        the benchmarks that hold the language (``in_xnli``, ...). A missing number is NaN; 0 in ``roots_*`` and
        ``xp3_*`` means that the corpus does not list the language.

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


@cache
def _rows() -> dict[str, int]:
    table = _table()
    rows = {str(code): i for i, code in enumerate(table["iso639_3"])}
    return rows | {str(code): i for i, code in enumerate(table["language"])}


@cache
def _row_of(subtag: str) -> int | None:
    """Return the row of the language that a primary subtag means, also one that is no longer used."""
    from langcodes.data_dicts import (
        LANGUAGE_ALPHA3_BIBLIOGRAPHIC,
        LANGUAGE_REPLACEMENTS,
        NORMALIZED_MACROLANGUAGES,
    )

    rows = _rows()
    older = {three: two for two, three in LANGUAGE_ALPHA3_BIBLIOGRAPHIC.items()}
    for names in (_SAME, older, LANGUAGE_REPLACEMENTS, NORMALIZED_MACROLANGUAGES):
        if subtag in rows:
            return rows[subtag]
        subtag = str(names.get(subtag, subtag)).split("-")[0]
        subtag = _SAME.get(subtag, subtag)
    return rows.get(subtag)


@cache
def _identify(code: str) -> tuple[int, str, str, str] | None:
    """Return what a code means: a row of the table, and script, region and variant with their defaults filled in.

    None where the language is not listed, or the code names two of them: ``en-ar`` is a pair, not the English of
    Argentina, whose region is written in capitals.
    """
    from langcodes import Language
    from langcodes.data_dicts import MACROLANGUAGES

    first, *rest = code.strip().replace("_", "-").split("-")
    language = first.casefold()
    if rest and re.fullmatch("[a-z]{3}", rest[0].casefold()):  # zh-yue, zh-min-nan
        extended = rest[-1] if [part.casefold() for part in rest] == ["min", "nan"] else rest[0]
        if MACROLANGUAGES.get(extended.casefold()) != language:
            return None
        language, rest = extended.casefold(), [] if extended is rest[-1] else rest[1:]
    row = _row_of(language)
    if row is None:
        return None
    script, region, variant = "", "", ""
    for part in rest:
        plain = part.casefold()
        if re.fullmatch("[a-z]{4}", plain) and not (script or region or variant):
            script = plain.title()
        elif re.fullmatch(r"[a-z]{2}|\d{3}", plain) and not (region or variant):
            pair = part.islower() == first.islower() and plain != language and _row_of(plain) is not None
            if pair and f"{language}-{plain}" not in _LOCALES:
                return None
            region = "" if plain in {"xx", "zz"} else plain.upper()
        elif re.fullmatch(r"[a-z\d]{5,8}|\d[a-z\d]{3}", plain) and not variant:
            variant = plain
        else:
            return None
    tag = str(_table()["language"].iloc[row])
    full = Language.make(language=tag, script=script or None, territory=region or None).maximize()
    return row, full.script or "", full.territory or "", variant


def is_language(code: str) -> bool:
    """Return whether a code means one listed language, perhaps with script, region or variant.

    Examples
    --------
    >>> is_language("swh_Latn"), is_language("iw"), is_language("easy"), is_language("en-ar")
    (True, True, False, False)
    """
    return bool(code.strip()) and _identify(code) is not None


@cache
def _called() -> dict[str, str]:
    names: dict[str, str] = {}
    table = _table()
    for code, name in zip(table["language"], table["name"], strict=True):
        names.setdefault(str(name).casefold(), str(code))
    # The languages of the packaged scores are called by one word of their name too.
    common = table[table["script"].notna()]
    for code, name in zip(common["language"], common["name"], strict=True):
        for word in set(str(name).casefold().split()) - _QUALIFIERS:
            names.setdefault(word, str(code))
    return names | {"persian": "fa", "mandarin": "zh"}


def language_called(name: str) -> str:
    """Return the code of the language that has a name in English, or an empty string.

    Parameters
    ----------
    name : str
        A name, in any case: that of the table, or of a common language without what tells it from others.

    Examples
    --------
    >>> language_called("Swahili"), language_called("Modern Greek"), language_called("Culturally Sensitive")
    ('sw', 'el', '')
    """
    words = name.casefold().replace("_", " ").split()
    told = [word for word in words if word not in _QUALIFIERS]
    known = _called()
    return known.get(" ".join(words), "") or known.get(" ".join(told), "")


def unify_languages(codes: Iterable[str], known: Iterable[str] = ()) -> dict[str, str]:
    """Find codes that mean the same language in the same script, region and variant, and one name for each.

    Parameters
    ----------
    codes : iterable of str
        Codes as a table has them.
    known : iterable of str, optional
        Codes to be preferred as names: those of the table that `codes` go with.

    Returns
    -------
    dict of str to str
        Codes that are renamed, with their new name: the shortest of the spellings.

    Examples
    --------
    >>> unify_languages(["eng", "en", "eng_Latn", "en-US", "zho_Hant", "zh"])
    {'eng': 'en', 'eng_Latn': 'en', 'en-US': 'en'}
    """
    preferred = {found: code for code in known if (found := _identify(code)) is not None}
    spellings: dict[tuple[int, str, str, str], list[str]] = {}
    distinct = list(dict.fromkeys(codes))
    for code in distinct:
        found = _identify(code)
        if found is not None:
            spellings.setdefault(found, []).append(code)
    names = {
        code: preferred.get(found, min(same, key=lambda each: (len(each), each)))
        for found, same in spellings.items()
        for code in same
    }
    return {code: names[code] for code in distinct if code in names and names[code] != code}


def language_variants(codes: Iterable[str]) -> list[tuple[str, ...]]:
    """Return the codes of one language that stand for several scripts, regions or variants of it.

    Examples
    --------
    >>> language_variants(["zho_Hans", "zho_Hant", "sw"])
    [('zho_Hans', 'zho_Hant')]
    """
    groups: dict[int, list[str]] = {}
    for code in sorted(set(codes)):
        found = _identify(code)
        if found is not None:
            groups.setdefault(found[0], []).append(code)
    return [tuple(group) for group in groups.values() if len(group) > 1]


def describe_languages(codes: Iterable[str]) -> pd.DataFrame:
    """Describe language codes, one row a code in the order given.

    ISO 639-1, -2 and -3 codes are known, with script (``zho_Hans``), region (``pt_BR``) or variant, codes that are no
    longer used (``iw``), and macrolanguages for the language that stands for them (``est`` and ``ekk``, ``no`` and
    ``nob``), without regard to case. A pair of languages (``en-ar``) is none.

    Parameters
    ----------
    codes : iterable of str
        Language codes; unknown ones are kept.

    Returns
    -------
    pandas.DataFrame
        Columns ``language`` (the code given), ``language_name`` (the code itself when unknown),
        ``language_family`` and ``genus`` (of its own when unknown: ``"xx (unlisted)"``), ``known`` (bool) and
        ``seen_in_pretraining`` (bool or missing: whether ROOTS, the corpus of BLOOM, lists the language).

    Examples
    --------
    >>> describe_languages(["sw", "xx"])[["language_name", "language_family", "known"]].values.tolist()
    [['Swahili', 'Atlantic-Congo', True], ['xx', 'xx (unlisted)', False]]
    """
    import pandas as pd

    table = _table()
    records: list[tuple[object, ...]] = []
    for code in codes:
        found = _identify(str(code))
        if found is None:
            own = f"{code}{UNLISTED}"
            records.append((code, code, own, own, False, pd.NA))
            continue
        row = table.iloc[found[0]]
        genus = row["genus"] if row["genus"] == row["genus"] else row["name"]
        seen = pd.NA if row["roots_bytes"] != row["roots_bytes"] else bool(row["roots_bytes"] > 0)
        records.append((code, row["name"], row["family"], genus, True, seen))
    columns = ["language", "language_name", "language_family", "genus", "known", "seen_in_pretraining"]
    return pd.DataFrame(records, columns=columns).astype(
        dict.fromkeys(columns[:4], "str") | {"known": "bool", "seen_in_pretraining": "boolean"}
    )
