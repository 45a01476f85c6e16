"""The packaged data: as published, unchanged, and loaded as the documentation says."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw._io import data_path, sha256_file
from gainlaw.errors import InputError
from gainlaw.scores.datasets import DATASETS, load_dataset_table

SIZES = [560_000_000, 1_100_000_000, 1_700_000_000, 3_000_000_000, 7_100_000_000, 176_000_000_000]
# English prompts, median of five, BLOOM -> BLOOMZ (xP3), mean over languages, points
RAW_MEANS = {
    "xnli": [5.9, 4.0, 9.5, 10.4, 13.1, 18.5],
    "xcopa": [-1.6, 1.4, 0.6, 4.5, 3.6, 10.0],
    "xstory_cloze": [2.3, 3.0, 12.8, 19.4, 22.8, 31.3],
    "xwinograd": [1.0, 0.6, -0.2, 2.0, 4.1, 12.3],
}
LANGUAGES = {"xnli": 15, "xcopa": 11, "xstory_cloze": 10, "xwinograd": 6}


def test_checksums() -> None:
    sums = data_path("SHA256SUMS").read_text().splitlines()
    listed = dict(reversed(line.split("  ")) for line in sums)
    assert {name: sha256_file(data_path(name)) for name in listed} == listed
    packaged = {dataset.file for dataset in DATASETS.values()} | {
        "languages.csv",
        "ladder_alignment.csv",
        "ladder_run.json",
    }
    packaged |= {dataset.predictions for dataset in DATASETS.values() if dataset.predictions}
    assert set(listed) == packaged
    folder = data_path("SHA256SUMS").parent
    assert {p.name for kind in ("csv", "parquet", "json") for p in folder.glob(f"*.{kind}")} == packaged


def test_sources_name_every_file() -> None:
    text = data_path("SOURCES.md").read_text()
    for dataset in DATASETS.values():
        assert dataset.file in text
        assert dataset.licence.split(" ")[0] in text
    assert "languages.csv" in text


def test_list_of_datasets() -> None:
    table = gl.list_datasets()
    assert table["name"].tolist() == list(DATASETS)
    assert {"title", "rows", "licence", "citation"} <= set(table)
    for name, rows in zip(table["name"], table["rows"], strict=True):
        assert len(load_dataset_table(name)) == rows
    with pytest.raises(InputError, match="there are: bloomz"):
        gl.load_dataset("blooms")


@pytest.mark.parametrize("task", RAW_MEANS)
def test_raw_means(task: str) -> None:
    gains = gl.load_dataset("bloomz").gains().frame.query("task == @task and intermediate == 'xP3'")
    assert gains.groupby("params")["language"].nunique().tolist() == [LANGUAGES[task]] * 6
    means = gains.groupby("params")["gain"].mean()
    assert means.index.tolist() == SIZES
    assert means.round(1).tolist() == RAW_MEANS[task]


def test_default_selection() -> None:
    evals = gl.load_dataset("bloomz")
    frame = evals.frame
    assert frame["prompt"].unique().tolist() == ["en"]
    assert frame["metric"].unique().tolist() == ["accuracy_median_of_5_prompts"]
    sizes = frame.groupby("intermediate")["params"].nunique().to_dict()
    assert sizes == {"none": 6, "xP3": 6, "P3": 2, "xP3mt": 2}
    assert len(evals.gains()) == 42 * 10
    assert evals.source == "bloomz"
    assert evals.sha256 == sha256_file(data_path("bloomz.csv"))
    seen = frame.groupby("language")["seen_in_pretraining"].first()
    assert sorted(seen[seen == 0].index) == [
        "bg",
        "de",
        "el",
        "et",
        "ht",
        "it",
        "ja",
        "my",
        "qu",
        "ru",
        "th",
        "tr",
    ]


def test_rows_are_lines_of_the_packaged_file() -> None:
    frame = gl.load_dataset("bloomz").frame
    lines = data_path("bloomz.csv").read_text().splitlines()
    for row in frame.iloc[[0, 100, 671]].itertuples():
        cells = lines[row.row - 1].split(",")
        assert (cells[1], cells[5], cells[6], float(cells[7])) == (
            row.model,
            row.task,
            row.language,
            row.score,
        )


def test_scores_are_counts_to_the_printed_digits() -> None:
    frame = gl.load_dataset("bloomz", all_rows=True).frame
    assert (frame["score"] - frame["n_correct"] / frame["n_examples"]).abs().max() <= 0.5e-4 + 1e-12


def test_other_selections() -> None:
    translated = gl.load_dataset("bloomz", prompts="machine-translated", metric="max").frame
    assert translated["prompt"].unique().tolist() == ["machine-translated"]
    assert translated["metric"].unique().tolist() == ["accuracy_max_of_5_prompts"]
    both = gl.load_dataset("bloomz", prompts=["en", "human-translated"], tasks="xnli")
    pairs = both.gains().frame
    assert set(pairs["prompt"]) == {"en", "human-translated"}
    assert not pairs.duplicated(["model", "language", "prompt"]).any()
    english = gl.load_dataset("bloomz", tasks="all").frame
    assert english["task"].nunique() == 12
    assert set(gl.load_dataset("bloomz", intermediates="P3").frame["intermediate"]) == {"none", "P3"}
    assert len(gl.load_dataset("bloomz", all_rows=True)) == 3148
    with pytest.raises(InputError, match="allowed: en, human-translated"):
        gl.load_dataset("bloomz", prompts="de")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="allowed: median, max, all"):
        gl.load_dataset("bloomz", metric="mean")  # type: ignore[arg-type]
    with pytest.raises(InputError, match="there are: "):
        gl.load_dataset("bloomz", tasks="squad")
    with pytest.raises(InputError, match="there are: P3, none, xP3"):
        gl.load_dataset("bloomz", intermediates="P4")


def test_prompts_of_different_languages_are_never_compared() -> None:
    evals = gl.load_dataset("bloomz", all_rows=True)
    gains = evals.gains().frame
    lines = evals.frame.set_index("row")
    for column in ("prompt", "metric", "task", "language", "split"):
        top, base = lines.loc[gains["row"], column], lines.loc[gains["baseline_row"], column]
        assert (top.to_numpy() == base.to_numpy()).all()


def test_context_tables() -> None:
    harness = gl.load_dataset("harness_baselines").frame
    assert len(harness) == 700
    assert set(harness["task"]) == {"xnli", "xcopa", "pawsx", "xstory_cloze", "xwinograd"}
    binomial = (harness["score"] * (1 - harness["score"]) / (harness["n_examples"] - 1)) ** 0.5
    assert ((harness["stderr"] / binomial) - 1).abs().max() < 0.01
    encoder = gl.load_dataset("encoder_baselines").frame
    assert set(encoder["task"]) == {"xnli"}
    averages = load_dataset_table("encoder_baselines").query("language == 'avg'")
    stilts = averages[averages["intermediate"] != "none"].set_index("task")["score"]
    plain = averages[averages["model"] == "XLM-R"].set_index("task")["score"]
    difference = (100 * (stilts - plain)).round(1).to_dict()
    assert difference == {
        "xnli": 1.2,
        "pawsx": 1.3,
        "wikiann_ner": -0.7,
        "xquad": 0.6,
        "mlqa": 0.7,
        "tydiqa_goldp": 10.9,
    }
    assert len(gl.load_dataset("mt0")) == 462


def test_datasets_by_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(gl.read_table("bloomz")) == 672
    monkeypatch.chdir(tmp_path)
    gl.load_dataset("bloomz", tasks="xcopa").write("bloomz.csv")
    assert len(gl.read_table("bloomz.csv")) == 176
    with pytest.raises(InputError, match="does not exist"):
        gl.read_table("blooms")


@pytest.mark.skipif("GAINLAW_REFERENCE_DATA" not in os.environ, reason="GAINLAW_REFERENCE_DATA is not set")
def test_packaged_tables_hold_every_published_row() -> None:
    folder = Path(os.environ["GAINLAW_REFERENCE_DATA"])
    if not (folder / "xmtf_bloomz_mt0_zero_shot.csv").is_file():
        folder = folder.parent
    for source, names in {
        "xmtf_bloomz_mt0_zero_shot.csv": ["bloomz", "mt0"],
        "lm_eval_harness_baselines_zero_shot.csv": ["harness_baselines"],
        "encoder_baselines_readme_tables.csv": ["encoder_baselines"],
    }.items():
        published = pd.read_csv(folder / source)
        packaged = pd.concat([load_dataset_table(name) for name in names])
        keys = ["model", "task", "language", "score"]
        assert sorted(map(tuple, published[keys].astype(str).to_numpy())) == sorted(
            map(tuple, packaged[keys].astype(str).to_numpy())
        )


@pytest.fixture(scope="module")
def ladder() -> gl.Evaluations:
    return gl.load_dataset("ladder")


@pytest.fixture(scope="module")
def ladder_gains(ladder: gl.Evaluations) -> gl.Gains:
    return ladder.gains()


def test_the_ladder_has_items_and_a_record(ladder: gl.Evaluations, ladder_gains: gl.Gains) -> None:
    evals, gains = ladder, ladder_gains
    assert evals.frame.groupby("model_family")["model"].nunique().to_dict() == {
        "ladder": 40,
        "no pretraining": 40,
    }
    assert evals.frame["language"].nunique() == 9
    assert evals.predictions is not None
    assert len(evals.predictions) == 500 * len(evals)
    assert gains.frame["variance"].eq("paired").all()
    assert set(gains.frame["language_family"]) == {"Anglic", "Romar", "Ural", "Semar", "Isolate"}
    only = gl.load_dataset("ladder", intermediates="siqa", tasks="world_nli")
    assert set(only.frame["intermediate"]) == {"none", "siqa"}
    assert only.predictions is not None
    assert len(only.predictions) == 500 * len(only)


def test_the_ladder_is_what_its_record_says(ladder: gl.Evaluations) -> None:
    import json
    import tomllib

    record = json.loads(data_path("ladder_run.json").read_text(encoding="utf-8"))
    assert record["status"] == "done"
    assert record["outputs"]["evaluations.csv"] == sha256_file(data_path("ladder.csv"))
    assert record["outputs"]["predictions.parquet"] == sha256_file(data_path("ladder_predictions.parquet"))
    assert record["outputs"]["alignment.csv"] == sha256_file(data_path("ladder_alignment.csv"))
    asked = tomllib.loads(record["experiment"])
    frame = ladder.frame
    assert {name.split("-s")[0] for name in frame["model"]} == set(record["only"])
    assert set(record["only"]) < {checkpoint["name"] for checkpoint in asked["checkpoints"]}
    assert not [text for text in (record["folder"],) if text.startswith("/")]
    file = data_path("ladder.csv").parent.parent / "runners/ladder_full.toml"
    assert record["experiment"] == file.read_text("utf-8")


def test_the_ladder_spans_three_decades_with_three_seeds_of_pretraining_at_each_size(
    ladder: gl.Evaluations,
) -> None:
    import json
    import tomllib

    record = json.loads(data_path("ladder_run.json").read_text(encoding="utf-8"))
    checkpoints = tomllib.loads(record["experiment"])["checkpoints"]
    width = {each["name"]: each["config"]["hidden_size"] for each in checkpoints}
    frame = ladder.frame.query("model_family == 'ladder' and intermediate == 'none'")
    name = frame["model"].str.split("-s").str[0]
    # 64 positions and two kinds of segments are embeddings too.
    size = frame["params_non_embedding"].astype(float) - 66 * name.map(width)
    seeds = frame.groupby(size)["model"].nunique()
    assert (seeds >= 3).all()
    assert len(seeds) == 6
    assert seeds.index.max() / seeds.index.min() >= 1000


def test_the_ladder_passes_its_controls(ladder: gl.Evaluations) -> None:
    check = gl.check_controls(ladder, "no pretraining")
    assert check.passed, check.words
    alignment = pd.read_csv(data_path("ladder_alignment.csv"))
    assert len(alignment) == 2 * 20 * 8
    shares = alignment.groupby("model_family")[["word_retrieval", "sentence_retrieval"]].mean()
    assert (shares.loc["ladder"] > 0.5).all()
    assert (shares.loc["no pretraining"] < 0.05).all()


def test_intermediate_training_helps_english_in_the_ladder(ladder_gains: gl.Gains) -> None:
    frame = ladder_gains.frame.query("model_family == 'ladder' and language == 'en'")
    means = frame.groupby("task")["gain"].mean()
    assert (means > 5).all()  # the same skill, more data


@pytest.mark.parametrize("name", ["flan", "open_llm"])
def test_ladders_are_counts_of_the_items_they_say(name: str) -> None:
    table = load_dataset_table(name)
    assert not table.duplicated(["model", "task", "language"]).any()
    evals = gl.load_dataset(name)
    assert len(evals) == len(table)
    # Some of 256 items are printed as their sixth digit rounded from a 5.
    assert "not_k_of_n" not in {note.kind for note in evals.notes}
    assert len(evals.gains(scale="log_odds")) == len(table[table["intermediate"] != "none"])
    assert set(evals.select(english_only="unknown" if name == "open_llm" else "no").frame["shots"]) >= {3}


def test_flan_means_are_those_of_the_paper() -> None:
    frame = gl.load_dataset("flan").gains().frame
    bbh = frame[frame["benchmark"] == "bbh"].groupby("model")["gain"].agg(["mean", "size"])
    # Differences of averages that are printed with one digit.
    printed = {"Flan-T5-Small": 2.1, "Flan-T5-Base": 3.5, "Flan-T5-Large": 9.8, "Flan-T5-XXL": 15.8}
    assert bbh[bbh["size"] == 27]["mean"].to_dict() == pytest.approx(printed, abs=0.1)
    means = (
        100
        * frame[frame["model"] == "Flan-PaLM-540B"]
        .groupby("benchmark")[["baseline_score", "intermediate_score"]]
        .mean()
    ).round(1)
    assert means.loc["tydiqa"].tolist() == [52.9, 67.8]
    assert means.loc["mgsm"].tolist() == [45.9, 57.0]


def test_what_is_no_measurement_is_left_out() -> None:
    table = load_dataset_table("open_llm")
    bbh = table[table["benchmark"] == "bbh"].pivot_table(index="task", columns="model", values="score")
    same = (bbh.to_numpy()[:, :, None] == bbh.to_numpy()[:, None, :]).mean(axis=0)
    assert same[np.triu_indices(len(same), 1)].max() < 0.5  # constant answers agree at every size
    tenths = (10 * table["score"]).round(9) % 1 == 0
    assert tenths.groupby([table["model"], table["benchmark"]]).mean().max() < 0.4  # ten items a task
    assert not table["model"].str.contains("llama-2-.*-chat|smollm").any()
