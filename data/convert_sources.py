"""Make the packaged score tables from the long tables that were read out of the public repositories.

    python data/convert_sources.py FOLDER

FOLDER holds ``xmtf_bloomz_mt0_zero_shot.csv``, ``lm_eval_harness_baselines_zero_shot.csv``,
``encoder_baselines_readme_tables.csv`` and ``languages.csv``. Nothing in the package needs them: the tables
made here are packaged, and SOURCES.md says where each number comes from.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pandas as pd

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
    (HERE / "languages.csv").write_bytes((folder / "languages.csv").read_bytes())
    names = sorted(p.name for p in HERE.glob("*.csv"))
    sums = [f"{hashlib.sha256((HERE / name).read_bytes()).hexdigest()}  {name}\n" for name in names]
    (HERE / "SHA256SUMS").write_text("".join(sums))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
