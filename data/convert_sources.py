"""Make the packaged score tables from the long tables that were read out of the public repositories.

    python data/convert_sources.py FOLDER

FOLDER holds ``xmtf_bloomz_mt0_zero_shot.csv``, ``lm_eval_harness_baselines_zero_shot.csv``,
``encoder_baselines_readme_tables.csv``, ``languages.csv`` (the languages of the score tables, with corpus sizes),
``glottolog_languages.csv`` and ``glottolog_classification.nex`` (cldf/languages.csv and cldf/classification.nex of
Glottolog) and ``wals_languages.csv`` (cldf/languages.csv of WALS); in a folder ``more`` of it ``flan_t5_palm.csv`` and
``open_llm_base_instruct.csv``. Nothing in the package needs them: the tables made here are packaged, and SOURCES.md
says where each number comes from.
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


# Options to choose from; where guessing is not one in a whole number, the guess rate itself (Suzgun et al. 2022, arXiv
# 2210.09261).
OPTIONS = {
    **dict.fromkeys(
        ("boolean_expressions", "causal_judgement", "formal_fallacies", "hyperbaton", "navigate"), 2
    ),
    **dict.fromkeys(("snarks", "sports_understanding", "web_of_lies", "murder_mysteries"), 2),
    **dict.fromkeys(("disambiguation_qa", "team_allocation"), 3),
    **dict.fromkeys(("logical_deduction_three_objects", "tracking_shuffled_objects_three_objects"), 3),
    **dict.fromkeys(("logical_deduction_five_objects", "tracking_shuffled_objects_five_objects"), 5),
    **dict.fromkeys(("logical_deduction_seven_objects", "tracking_shuffled_objects_seven_objects"), 7),
    **dict.fromkeys(("penguins_in_a_table", "object_placements"), 5),
    **{"temporal_sequences": 4, "salient_translation_error_detection": 6},
}
LISTED = {  # as Open LLM Leaderboard lists the answers
    **{"date_understanding": 6, "movie_recommendation": 6, "ruin_names": 6, "geometric_shapes": 11},
    **{"reasoning_about_colored_objects": 18, "object_counting": 19},
}
GENERATED = {"movie_recommendation": 4, "ruin_names": 4}
GUESSED = {
    **{
        "date_understanding": "0.172",
        "geometric_shapes": "0.116",
        "reasoning_about_colored_objects": "0.119",
    },
    **{"dyck_languages": "0.012"},
}
# What the models were trained on, where its language is published.
ENGLISH_ONLY = {"dolly-15k": "yes", "orca_mini_v3": "yes", "Flan": "no"}


def ladder(table: pd.DataFrame, source: str, options: dict[str, int]) -> pd.DataFrame:
    """Return a table of before and after at several sizes with what its tasks, prompts and recipes are."""
    table = table.fillna("")
    plain = table["task"].str.replace(r"^(bbh|musr)_", "", regex=True)
    classes = [
        str(options.get(name, 4 if bench in ("mmlu", "gpqa") else ""))
        for name, bench in zip(plain, table["benchmark"], strict=True)
    ]
    baseline = table["intermediate"].eq("none")
    recipe = table["base_model"].map(table[~baseline].groupby("base_model")["intermediate"].first())
    return table.assign(
        base_model=table["base_model"].mask(baseline, ""),
        metric="accuracy",
        shots=table["protocol"].str.extract(r"^(\d+)-shot")[0],
        english_only=table["intermediate"].mask(baseline, recipe).map(ENGLISH_ONLY).fillna("unknown"),
        n_classes=classes,
        chance=["" if each else GUESSED.get(name, "0") for each, name in zip(classes, plain, strict=True)],
        source=source,
    )[[*MORE, "source"]]


MORE = [
    *(
        "model_family",
        "model",
        "params",
        "base_model",
        "intermediate",
        "benchmark",
        "task",
        "language",
        "score",
    ),
    *("n_examples", "metric", "protocol", "n_classes", "chance", "shots", "english_only"),
]


def sound(table: pd.DataFrame) -> pd.DataFrame:
    """Leave out what is no measurement of the pair, see SOURCES.md: and only that."""
    llama_chat = table["model"].str.fullmatch(r"llama-2-\d+b-chat")
    smollm = table["model_family"].eq("SmolLM")
    ten_items = table["benchmark"].eq("mmlu") & (
        table["model"].eq("llama-2-7b") | table["base_model"].eq("llama-2-7b")
    )
    return table[~(llama_chat | smollm | ten_items)]


SAME = {"nob": "no", "fil": "tl"}  # one identity with a language that is listed: Norwegian, Tagalog
# Names as the field has them, where Glottolog tells a language from its relatives.
USUAL = {
    **{"ar": "Arabic", "bs": "Bosnian", "el": "Greek", "he": "Hebrew", "hr": "Croatian", "id": "Indonesian"},
    **{"lv": "Latvian", "ms": "Malay", "sq": "Albanian", "sr": "Serbian", "zh": "Chinese"},
}
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
    listed = read(folder, "languages.csv")
    listed["name"] = listed["language"].map(USUAL).fillna(listed["name"])
    write(extend(listed, folder), "languages.csv")
    flan = read(folder / "more", "flan_t5_palm.csv")
    write(ladder(flan, "arXiv:2210.11416", OPTIONS | GENERATED), "flan.csv")
    leaderboard = sound(read(folder / "more", "open_llm_base_instruct.csv"))
    write(ladder(leaderboard, "sloth@6dc6bb3", OPTIONS | LISTED), "open_llm.csv")
    names = sorted(p.name for p in HERE.iterdir() if p.suffix in {".csv", ".json", ".parquet"})
    sums = [f"{hashlib.sha256((HERE / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (HERE / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
