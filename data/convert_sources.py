"""Make the packaged score tables from the long tables that were read out of the public repositories.

    python data/convert_sources.py FOLDER

FOLDER holds ``xmtf_bloomz_mt0_zero_shot.csv``, ``lm_eval_harness_baselines_zero_shot.csv``,
``encoder_baselines_readme_tables.csv``, ``languages.csv`` (the languages of the score tables, with corpus sizes),
``glottolog_languages.csv`` and ``glottolog_classification.nex`` (cldf/languages.csv and cldf/classification.nex of
Glottolog) and ``wals_languages.csv`` (cldf/languages.csv of WALS). Nothing in the package needs them: the tables made
here are packaged, and SOURCES.md says where each number comes from.
"""

from __future__ import annotations

import hashlib
import re
import sys
from pathlib import Path

import pandas as pd
from langcodes.data_dicts import LANGUAGE_ALPHA3, NORMALIZED_MACROLANGUAGES

HERE = Path(__file__).resolve().parent
COLUMNS = [
    *("model_family", "model", "params", "base_model", "intermediate", "task", "language", "score"),
    *("n_examples", "stderr", "prompt", "split", "metric", "protocol", "n_classes", "source"),
]
CLASSES = {
    **dict.fromkeys(("xnli", "anli_r1", "anli_r2", "anli_r3", "cb"), 3),
    **dict.fromkeys(("rte", "copa", "xcopa", "pawsx", "winogrande", "xwinograd"), 2),
    **dict.fromkeys(("story_cloze", "xstory_cloze"), 2),
}


def convert(table: pd.DataFrame) -> pd.DataFrame:
    """Rename columns, write ``none`` for baselines, and leave out what is the same in every row."""
    baseline = table["condition"].eq("baseline")
    table = table.assign(
        intermediate=table["intermediate"].mask(baseline, "none"),
        base_model=table["base_model"].mask(baseline, ""),
        prompt=table["prompt_language"],
        n_classes=[str(CLASSES.get(task, "")) for task in table["task"]],
    )
    return table[COLUMNS]


def read(folder: Path, name: str) -> pd.DataFrame:
    """Read a table as text, so that every number stays as it was printed."""
    return pd.read_csv(folder / name, dtype=str, keep_default_na=False)


def write(table: pd.DataFrame, name: str) -> None:
    """Write a table, without columns that are empty throughout."""
    empty = [c for c in table if table[c].eq("").all() and c != "base_model"]
    table.drop(columns=empty).to_csv(HERE / name, index=False, lineterminator="\n")


SAME = {"nob": "no", "fil": "tl"}  # one identity with a language that is listed: Norwegian, Tagalog
NO_FAMILIES = {  # what Glottolog files languages under that have no known relatives, or none at all
    **{"sign1238": "sign language", "unat1236": "unattested", "uncl1493": "unclassified"},
    **{"arti1236": "artificial", "pidg1258": "pidgin", "spee1234": "register", "mixe1287": "mixed"},
}


def ancestors(text: str) -> dict[str, list[str]]:
    """Return the ancestors of every node of the trees, the nearest first."""
    above: dict[str, list[str]] = {}
    for line in text.splitlines():
        if not line.strip().startswith("tree "):
            continue
        stack: list[list[str]] = [[]]
        for opening, closing, name in re.findall(
            r"(\()|(\))|([a-z0-9]{4}\d{4})(?=:|;)", line.split("[&R]")[1]
        ):
            if opening:
                stack.append([])
            elif closing:
                done = stack.pop()
                stack[-1].append("")
                children = done
            elif stack[-1] and stack[-1][-1] == "":
                stack[-1].pop()
                stack[-1] += [*children, name]
                for child in children:
                    above.setdefault(child, []).append(name)
            else:
                stack[-1].append(name)
    return above


def genera(wals: pd.DataFrame, above: dict[str, list[str]]) -> dict[str, str]:
    """Return the WALS genus of every node under which WALS has languages of one genus only."""
    below: dict[str, set[str]] = {}
    for code, genus in zip(wals["Glottocode"], wals["Genus"], strict=True):
        for node in (code, *above.get(code, ())):
            below.setdefault(node, set()).add(genus)
    return {node: next(iter(found)) for node, found in below.items() if node and len(found) == 1}


def extend(base: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Add every language of Glottolog that has an ISO 639-3 code to the languages of the score tables."""
    glottolog = read(folder, "glottolog_languages.csv").set_index("ID", drop=False)
    wals = read(folder, "wals_languages.csv")
    wals = wals[wals["Glottocode"].ne("") & wals["Genus"].ne("")]
    above = ancestors((folder / "glottolog_classification.nex").read_text(encoding="utf-8"))
    genus_of = genera(wals, above)
    own = wals.drop_duplicates("Glottocode").set_index("Glottocode")
    short = {iso: code for code, iso in LANGUAGE_ALPHA3.items() if len(code) == 2}
    levels = glottolog.set_index("ISO639P3code")["Level"].to_dict()
    taken = set(base["language"]) | set(base["iso639_3"])
    rows = []
    stands = ~glottolog["ISO639P3code"].isin(list(NORMALIZED_MACROLANGUAGES))
    order = glottolog.assign(later=stands).sort_values(["later", "ISO639P3code"], kind="stable")
    for row in order.to_dict(orient="records"):
        iso, family = row["ISO639P3code"], row["Family_ID"]
        if not iso or iso in taken or iso in SAME or family == "book1242":
            continue
        whole = NORMALIZED_MACROLANGUAGES.get(iso, "")
        whole_iso = LANGUAGE_ALPHA3.get(whole, whole)
        code = short.get(iso, iso)
        if whole and whole not in taken and levels.get(whole_iso) != "language":
            code = whole
        elif row["Level"] == "family":
            continue  # a macrolanguage that a language stands for
        if code in taken:
            continue
        taken |= {code, iso}
        node = row["Language_ID"] or row["ID"]
        near = next((n for n in (row["ID"], node, *above.get(node, ())) if n in genus_of), "")
        name = row["Name"]
        title = f"{name} (isolate)" if not family else glottolog.loc[family, "Name"]
        title = f"{name} ({NO_FAMILIES[family]})" if family in NO_FAMILIES else title
        known = own.loc[row["ID"]] if row["ID"] in own.index else None
        rows.append(
            {
                "language": code,
                "name": name,
                "iso639_3": iso,
                "glottocode": row["ID"],
                "family": title,
                "family_glottocode": family if family not in NO_FAMILIES else "",
                "wals_code": "" if known is None else known["ID"],
                "wals_family": "" if known is None else known["Family"],
                "genus": genus_of.get(near, ""),
                "macroarea": row["Macroarea"],
                "latitude": _rounded(row["Latitude"]),
                "longitude": _rounded(row["Longitude"]),
                **{column: "0" for column in base if column.startswith("in_")},
            }
        )
    more = pd.DataFrame(rows).sort_values("language")
    whole_table = pd.concat([base, more], ignore_index=True).fillna("")
    for column in ("language", "iso639_3"):
        assert whole_table[column].is_unique, column
    return whole_table


def _rounded(text: str) -> str:
    return f"{float(text):.4f}".rstrip("0").rstrip(".") if text else ""


def main(folder: Path) -> None:
    """Convert every table and write SHA256SUMS."""
    xmtf = convert(read(folder, "xmtf_bloomz_mt0_zero_shot.csv"))
    paired = xmtf["model_family"].eq("BLOOM")
    order = ["task", "language", "prompt", "metric"]
    write(xmtf[paired].sort_values(order, kind="stable"), "bloomz.csv")
    write(xmtf[~paired].sort_values(order, kind="stable"), "mt0.csv")
    harness = read(folder, "lm_eval_harness_baselines_zero_shot.csv")
    commit = harness["url"].str.extract(r"@([0-9a-f]+):(results/.*)")
    harness = harness.assign(source="lm-eval-harness@" + commit[0])
    write(convert(harness), "harness_baselines.csv")
    encoder = read(folder, "encoder_baselines_readme_tables.csv")
    write(convert(encoder), "encoder_baselines.csv")
    write(extend(read(folder, "languages.csv"), folder), "languages.csv")
    names = sorted(p.name for p in HERE.iterdir() if p.suffix in {".csv", ".json", ".parquet"})
    sums = [f"{hashlib.sha256((HERE / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (HERE / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
