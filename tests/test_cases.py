"""Tables that people bring: each gives the right result or is refused, through the command line."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl

CASES = Path(__file__).parent / "cases"
FEW = ("--draws", 250, "--seed", 1)


@dataclass(frozen=True)
class Case:
    """What a command must do with a file.

    `says` must all stand in what is printed, one of each tuple at least; `then` gets the folder of outputs
    and that text.
    """

    file: str
    command: str = "gains"
    options: tuple[object, ...] = ()
    code: int = 0
    says: tuple[str | tuple[str, ...], ...] = ()
    then: Callable[[Path, str], None] | None = None
    marks: tuple[pytest.MarkDecorator, ...] = field(default=())

    @property
    def name(self) -> str:
        return f"{self.command}-{self.file}" + (
            "-" + "-".join(map(str, self.options[:2])) if self.options else ""
        )


TODO = (pytest.mark.xfail(strict=True),)


def gains_of(folder: Path) -> pd.DataFrame:
    return pd.read_csv(folder / "gains.csv", keep_default_na=False)


def estimates_of(folder: Path) -> pd.DataFrame:
    table = pd.read_csv(folder / "fit" / "estimates.csv", keep_default_na=False, na_values=[""])
    return table.fillna({"group": ""})


def estimate(folder: Path, estimand: str, level: str, group: str | None = None) -> pd.Series:
    table = estimates_of(folder)
    mask = (table["estimand"] == estimand) & (table["level"] == level)
    if group is not None:
        mask &= table["group"] == f"{level}={group}"
    return table[mask].iloc[0]


def text_was_decoded(folder: Path, printed: str) -> None:
    assert "b'" not in (folder / "fit" / "gains.csv").read_text(encoding="utf-8") + printed


def same_fit_as_text(folder: Path, printed: str) -> None:
    text_was_decoded(folder, printed)
    row = estimate(folder, "slope", "overall")
    assert float(row["mean"]) == pytest.approx(reference_slope(), rel=1e-9)


@cache
def reference_slope() -> float:
    fit = gl.fit(gl.read_gains(CASES / "c10_gains_ref.csv"), draws=250, seed=1)
    return float(fit.summary("overall").set_index("estimand").loc["slope", "mean"])


def kept_or_said(name: str) -> Callable[[Path, str], None]:
    def check(folder: Path, printed: str) -> None:
        theirs = set(pd.read_csv(CASES / f"c15_own_{name}.csv", dtype=str, keep_default_na=False)[name])
        path = folder / "gains.csv"
        kept = (
            path.exists() and name in gains_of(folder) and set(gains_of(folder)[name].astype(str)) <= theirs
        )
        assert kept or f"'{name}'" in printed

    return check


def min_nan_is_a_language(folder: Path, printed: str) -> None:
    assert "nan" in set(gains_of(folder)["language"])


def languages_are_known(folder: Path, printed: str) -> None:
    families = gains_of(folder).groupby("language")["language_family"].first()
    assert not families.str.contains("unlisted").any()
    assert families.filter(regex="^(zho|cmn|zh)").eq("Sino-Tibetan").all()


def chance_is_not_that_of_accuracy(folder: Path, printed: str) -> None:
    gains = pd.read_csv(folder / "gains.csv")
    if "chance" in gains:
        assert not (gains["chance"] > 0.1).any()


def gains_are_positive(folder: Path, printed: str) -> None:
    assert (pd.read_csv(folder / "gains.csv")["gain"] > 0).all()


def effects_agree_but_for_the_unit(folder: Path, printed: str) -> None:
    rows = estimates_of(folder)
    rows = rows[rows["level"] == "covariate"].set_index("estimand")
    unit = {"share": 1.0, "share_pct": 1e2, "share_ppm": 1e6}[
        rows["group"].iloc[0].removeprefix("covariate=")
    ]
    assert float(rows.loc["effect_per_sd", "mean"]) == pytest.approx(2.17, abs=0.05)
    assert unit * float(rows.loc["effect", "mean"]) == pytest.approx(1953.0, abs=40.0)
    assert "Effect of one unit" in printed


def slope_is_about_minus_two(folder: Path, printed: str) -> None:
    row = estimate(folder, "slope", "overall")
    assert float(row["mean"]) == pytest.approx(-2.0, abs=0.5)


def families_have_their_own_slopes(folder: Path, printed: str) -> None:
    alpha = float(estimate(folder, "slope", "model_family", "Alpha")["mean"])
    beta = float(estimate(folder, "slope", "model_family", "Beta")["mean"])
    assert alpha == pytest.approx(-5.0, abs=1.5)
    assert beta == pytest.approx(5.0, abs=1.5)


def checkpoints_stay_the_replicates(folder: Path, printed: str) -> None:
    record = json.loads((folder / "fit" / "fit.json").read_text(encoding="utf-8"))
    assert "checkpoint" in [term["name"] for term in record["model"]["terms"]]
    # Six checkpoints that differ by about 2 points: by REML the standard error of their mean is 0.9.
    assert estimate(folder, "gain", "overall")["sd"] > 0.7
    assert "model_family" not in set(estimates_of(folder)["level"])


def names_are_kept(folder: Path, printed: str) -> None:
    assert "task=$$" in set(estimates_of(folder)["group"])


def pooled_effect(folder: Path, printed: str) -> None:
    row = estimate(folder, "gain", "overall")
    assert row["mean"] == pytest.approx(7.5, abs=0.5)
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((-0.5, 15.6), abs=1.5)  # of few draws
    shown = f"{row['mean']:.1f} [{row['ci_low']:.1f}, {row['ci_high']:.1f}]"
    assert re.search(rf"overall +{re.escape(shown)}", printed)
    table = gl.tables.gain_at_table(gl.load_fit(folder / "fit"), "task")
    assert shown in table.to_markdown()
    assert f"{row['mean']:.1f}" in table.to_latex()


KEPT = ("anchor", "estimand", "group", "index", "level", "paired", "position", "top", "x")
CLASH = ("baseline_score", "block", "checkpoint", "gain", "row", "scale", "variance")

LIST = [
    Case("good.csv"),
    Case("good.csv", "check"),
    Case("good.csv", "fit", FEW),
    Case("z_good.csv.gz", code=2, says=(".csv", ".parquet")),
    Case("z_good.tsv", code=2, says=(".csv", ".parquet")),
    Case("c01_nan_language.csv", says=("'nan'",), then=min_nan_is_a_language),
    Case("c03_multiindex.parquet"),
    Case("c05_params_billions.csv", "check", code=2, says=("params", "--params-unit")),
    Case("c05_params_billions.csv", "fit", FEW, code=2, says=("params", "--params-unit")),
    Case("c05_params_billions.csv", "check", ("--params-unit", "B")),
    Case("c05b_params_millions.csv", "check", code=2, says=("params", "--params-unit")),
    Case("c05b_params_millions.csv", "check", ("--params-unit", "M")),
    Case("c06c_seed_minus1_base.csv", code=2, says=("seed",)),
    Case("c06d_seed7_base.csv", code=2, says=("seed",)),
    Case("c08_stderr_na.csv", "check", code=2, says=("stderr",)),
    Case("c10_gains_ref.csv", "fit", FEW),
    Case("c10_gains_binary.parquet", "fit", FEW, then=same_fit_as_text),
    Case("c11_ref.csv", "fit", ("--law", "constant", *FEW), says=("Expected",), then=pooled_effect),
    Case("c11_duplicate_studies.csv", "check", says=(("repeat", "same"),)),
    Case("c12_gains_fraction_scores.csv", "check", says=("fractions",)),
    Case("c12b_gains_contradict_scores.csv", "check", code=2, says=("gain", "intermediate_score", "line")),
    Case("c12b_gains_contradict_scores.csv", "fit", FEW, code=2, says=("intermediate_score",)),
    Case("c14_gains_variance.csv", "fit", FEW),
    *(Case(f"c15_own_{name}.csv", then=kept_or_said(name)) for name in KEPT),
    *(Case(f"c15_own_{name}.csv", says=("--rename",), then=kept_or_said(name)) for name in CLASH),
    Case("c17_zero_width.csv", "check", code=2, says=("U+200B",)),
    Case("c19_excel_trailing.csv", "check", says=("36 scores", "2 columns without a name")),
    Case("c19b_excel_blank_rows.csv", "check", says=("36 scores",)),
    Case("c21_mcc.csv", then=chance_is_not_that_of_accuracy),
    Case("c21b_f1.csv", then=chance_is_not_that_of_accuracy),
    Case("c21c_mcc_chance0.csv", then=chance_is_not_that_of_accuracy),
    Case("c23_em_prefix.csv", code=2, says=("embedding_similarity",)),
    Case("c25_model_args.csv", "check", ("--where", 'base_model="pretrained=b-560m,dtype=float16"')),
    Case("c27_flores_codes.csv", then=languages_are_known),
    *(
        Case(f"c28_lower_better_{name}.csv", says=(("lower is better", "turned"), name), then=gains_are_positive)
        for name in ("bits_per_byte", "brier_score", "loss", "wer")
    ),
    *(
        Case("c32_small_unit_covariate.csv", "fit", ("--covariate", name, *FEW), says=(name,),
             then=effects_agree_but_for_the_unit)
        for name in ("share", "share_pct", "share_ppm")
    ),
    Case("c33b_list_language_stale_metadata.parquet", "check", code=2, says=("language", "list")),
    Case("c34_stderr0_boundary.csv", "check"),
    Case("c34b_stderr0_boundary_no_n.csv", "check", code=2, says=("stderr",)),
    Case("c35_two_line_header.csv", "check", code=2),
    Case("p01_wide_study.csv", "check"),
    Case("r01_dollar_names.csv", "fit", FEW, then=names_are_kept),
    Case("r02_nul_name.parquet", "check", code=2, says=("U+0000",)),
    Case("s01_blocks_across_sizes.csv", "fit", FEW, then=slope_is_about_minus_two),
    Case("s02_two_families.csv", "fit", FEW, then=families_have_their_own_slopes),
    Case("s03_one_checkpoint_a_family.csv", "fit", ("--law", "constant", *FEW),
         says=("model_family: groups the rows exactly as checkpoint does",), then=checkpoints_stay_the_replicates),
    Case("s04_gains_in_fractions.csv", "check", code=2, says=("--unit",)),
    Case("s04_gains_in_fractions.csv", "fit", FEW, code=2, says=("--unit",)),
    Case("s04_gains_in_fractions.csv", "fit", ("--unit", "fraction", *FEW)),
]  # fmt: skip


def parameters() -> list[object]:
    return [pytest.param(case, id=case.name, marks=case.marks) for case in LIST]


@pytest.mark.parametrize("case", parameters())
def test_case(case: Case, cli, tmp_path: Path) -> None:
    outputs = {"gains": ("-o", tmp_path / "gains.csv"), "fit": ("-o", tmp_path / "fit")}
    outcome = cli(case.command, CASES / case.file, *case.options, *outputs.get(case.command, ()))
    printed = " ".join((outcome.out + outcome.err).replace(str(CASES / case.file), "FILE").split())
    # A fit of few draws may be told not to be trusted; what is right or refused does not depend on it.
    allowed = {0, 1} if case.command == "fit" and case.code == 0 else {case.code}
    assert outcome.code in allowed, printed
    assert "Traceback" not in printed
    for words in case.says:
        assert any(word in printed for word in ((words,) if isinstance(words, str) else words)), printed
    if case.code == 2:
        assert not list(tmp_path.iterdir())
    if case.then is not None:
        case.then(tmp_path, printed)


def test_every_file_has_a_case() -> None:
    files = {path.name for path in CASES.iterdir()} - {"README.md"}
    assert files == {case.file for case in LIST}


def test_baselines_do_not_depend_on_the_order_of_rows(cli, tmp_path: Path) -> None:
    table = pd.read_csv(CASES / "c06c_seed_minus1_base.csv", dtype=str, keep_default_na=False)
    table.iloc[::-1].to_csv(tmp_path / "reversed.csv", index=False)
    first = cli("check", CASES / "c06c_seed_minus1_base.csv")
    second = cli("check", tmp_path / "reversed.csv")
    assert first.code == second.code
    assert np.array_equal(sorted(first.out.split()[1:]), sorted(second.out.split()[1:])) or first.code == 2


@pytest.mark.usefixtures("svg_alone")
def test_names_that_look_like_markup_reach_the_report_as_they_are(cli, tmp_path: Path) -> None:
    names = ("$$", "a_b^c", r"\frac", "<b>&")
    head, *lines = (CASES / "r01_dollar_names.csv").read_text(encoding="utf-8").splitlines()
    table = [
        line.replace("t2", second).replace("$$", first)
        for first, second in (names[:2], names[2:])
        for line in lines
    ]
    (tmp_path / "scores.csv").write_text("\n".join([head, *table, ""]), encoding="utf-8")
    fitted = cli("fit", tmp_path / "scores.csv", "-o", tmp_path / "fit", "--draws", 100, "--chains", 2)
    assert fitted.code in {0, 1}, fitted.err
    report = cli("report", tmp_path / "fit", "-o", tmp_path / "report", "--one-scale")
    assert report.code in {0, 1}, report.err
    rows = pd.read_csv(tmp_path / "report" / "tables" / "slopes_task.csv")["row"]
    assert set(names) <= set(rows)
    page = (tmp_path / "report" / "report.html").read_text(encoding="utf-8")
    summary = cli("summary", tmp_path / "fit", "--level", "task").out
    assert all(name in summary and html.escape(name, quote=False) in page for name in names)
    assert names[-1] not in page
    for path in (tmp_path / "report" / "figures").glob("*.svg"):
        ElementTree.parse(path)
