"""Fits as objects and directories: repeatable, kept whole, refused when damaged; failed fits say so."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.fitting.companion import CompanionError, other_scale_fit
from gainlaw.fitting.provenance import seal
from gainlaw.notes import Note
from gainlaw.scores.simulate import simulate_study

QUICK = {"draws": 300, "tune": 200, "chains": 2}


@pytest.fixture(scope="module")
def study():
    return simulate_study(11, n_tasks=2, n_languages=4, sizes=(1e8, 1e9, 1e10, 1e11))


@pytest.fixture(scope="module")
def fit(study) -> gl.Fit:
    noted = replace(study.evaluations, notes=(Note("said", "said of the scores", (2, 5)),))
    return gl.fit(noted, seed=3, **QUICK)


@pytest.fixture
def directory(fit: gl.Fit, tmp_path: Path) -> Path:
    return fit.save(tmp_path / "fit")


def test_the_same_seed_gives_the_same_bytes(study, fit: gl.Fit, directory: Path, tmp_path: Path) -> None:
    again = gl.fit(study.evaluations, seed=3, **QUICK).save(tmp_path / "again")
    for name in ("estimates.csv", "diagnostics.json", "gains.csv", "evaluations.csv", "posterior.nc"):
        assert (again / name).read_bytes() == (directory / name).read_bytes(), name
    other = gl.fit(study.evaluations, seed=4, **QUICK)
    assert not np.array_equal(other.estimates["mean"], fit.estimates["mean"])


def test_a_fit_survives_its_directory(fit: gl.Fit, directory: Path) -> None:
    loaded = gl.load_fit(directory)
    pd.testing.assert_frame_equal(loaded.estimates, fit.estimates, check_dtype=False)
    pd.testing.assert_frame_equal(loaded.diagnostics.influence, fit.diagnostics.influence, check_dtype=False)
    assert loaded.diagnostics.to_dict()["checks"] == fit.diagnostics.to_dict()["checks"]
    assert {**loaded.record, "sha256": None} == {**fit.record, "sha256": None}
    assert [str(note) for note in loaded.gains.notes] == ["2 rows: said of the scores (lines 2, 5)"]
    assert fit.record["data"]["notes"][0]["count"] == 2
    assert loaded.spec.priors == fit.spec.priors
    pd.testing.assert_frame_equal(loaded.predict(["13B", "560M"]), fit.predict([13e9, 560e6]))
    np.testing.assert_array_equal(gl.gain_curve(loaded).gain("13B"), gl.gain_curve(fit).gain(13e9))
    for wrong in ("large", "0B", -1.0, [], float("nan")):
        with pytest.raises(gl.InputError, match=r"not a number|cannot be a size"):
            loaded.predict(wrong)
        with pytest.raises(gl.InputError, match=r"not a number|cannot be a size"):
            gl.fit(loaded.gains, params=[wrong] if wrong != [] else [])
    assert [t.name for t in loaded.spec.terms] == [t.name for t in fit.spec.terms]
    np.testing.assert_array_equal(gl.gain_curve(loaded).slope(), gl.gain_curve(fit).slope())
    pd.testing.assert_frame_equal(loaded.predict(13e9, task="task1"), fit.predict(13e9, task="task1"))


def test_the_record_tells_what_was_run(fit: gl.Fit) -> None:
    record = fit.record
    assert record["record_version"] == 4
    assert record["data"]["checkpoints"] == 4
    assert record["data"]["sizes"] == 4
    assert record["arguments"]["resolved"]["seed"] == 3
    assert record["packages"]["pymc"]
    assert record["model"]["priors"]["slope"] == f"normal(0, {10 * record['model']['prior_unit']:g})"
    assert json.loads(json.dumps(record)) == record


def test_posterior_has_the_groups_of_the_contract(directory: Path) -> None:
    import xarray as xr

    with xr.open_datatree(directory / "posterior.nc", engine="h5netcdf") as tree:
        assert set(tree.children) == {
            "posterior", "prior", "sample_stats", "log_likelihood", "log_prior", "posterior_predictive",
            "observed_data",
        }  # fmt: skip
        assert tree["posterior"]["task"].dims == ("chain", "draw", "task_group", "coef")


def test_draws_are_read_as_xarray_reads_them(judged: Path, fit: gl.Fit, tmp_path: Path) -> None:
    import xarray as xr

    from gainlaw.fitting.storage import _read_tree

    for place in (judged / "posterior.nc", *judged.glob("scale_*/posterior.nc")):
        with xr.open_datatree(place, engine="h5netcdf") as tree:
            xr.testing.assert_identical(_read_tree(place), tree.load())
    diverging = xr.Dataset({"diverging": (("chain", "draw"), np.array([[True, False]]))})
    xr.DataTree.from_dict({"sample_stats": diverging}).to_netcdf(tmp_path / "x.nc", engine="h5netcdf")
    assert _read_tree(tmp_path / "x.nc")["sample_stats"]["diverging"].dtype == bool


def test_arviz_opens_the_posterior(directory: Path, fit: gl.Fit) -> None:
    import arviz

    with arviz.from_netcdf(directory / "posterior.nc") as tree:
        summary = arviz.summary(tree, var_names=["tau_checkpoint"], kind="stats", round_to="none")
    draws = fit.draws["posterior"]["tau_checkpoint"]
    assert summary["mean"].item() == pytest.approx(float(draws.mean()))


@pytest.mark.parametrize(
    "damage",
    ["no posterior", "changed estimates", "bad json", "newer", "older", "not a directory", "empty directory"],
)
def test_damaged_directories_are_refused(damage: str, directory: Path, tmp_path: Path) -> None:
    target = directory
    if damage == "no posterior":
        (directory / "posterior.nc").unlink()
    elif damage == "changed estimates":
        with (directory / "estimates.csv").open("a") as file:
            file.write("x\n")
    elif damage == "bad json":
        (directory / "fit.json").write_text("{")
    elif damage in ("newer", "older"):
        record = json.loads((directory / "fit.json").read_text())
        version = 99 if damage == "newer" else 1
        (directory / "fit.json").write_text(json.dumps(record | {"record_version": version}))
    elif damage == "not a directory":
        target = directory / "fit.json"
    else:
        target = tmp_path / "empty"
        target.mkdir()
    with pytest.raises(gl.InputError):
        gl.load_fit(target)


def test_nothing_is_overwritten_unasked(fit: gl.Fit, directory: Path, tmp_path: Path) -> None:
    with pytest.raises(gl.InputError, match="holds a fit already"):
        fit.save(directory)
    fit.save(directory, overwrite=True)
    notes = tmp_path / "notes"
    notes.mkdir()
    (notes / "thesis.tex").write_text("years of work")
    with pytest.raises(gl.InputError, match="not a directory of a fit"):
        fit.save(notes, overwrite=True)
    assert (notes / "thesis.tex").read_text() == "years of work"


def test_a_failed_write_leaves_nothing(fit: gl.Fit, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from gainlaw.fitting import storage

    def fail(*arguments: object) -> None:
        raise OSError("disk full")

    monkeypatch.setattr(storage, "_tree_bytes", fail)
    with pytest.raises(OSError, match="disk full"):
        fit.save(tmp_path / "fit")
    assert list(tmp_path.iterdir()) == []


def test_too_few_draws_fail_the_diagnostics(study) -> None:
    bad = gl.fit(study.evaluations, draws=100, tune=100, chains=2)
    assert bad.status == "failed"
    assert bad.record["status"] == "failed"
    assert any(check.name.startswith("ess") for check in bad.diagnostics.failures)


@pytest.mark.parametrize(
    "options",
    [{"draws": 5}, {"chains": 1}, {"tune": 0}, {"seed": -1}, {"ci_prob": 1.0}, {"engine": "advi"}, {"law": "cubic"},
     {"scale": "percent"}, {"terms": ["planet"]}, {"priors": {"slope": "flat()"}}, {"covariates": ["nothing"]},
     {"seed": 10**30}, {"draws": 10**12}, {"chains": 10**6}, {"draws": 10**6, "chains": 4}],
)  # fmt: skip
def test_bad_options_are_refused_before_any_sampling(study, options: dict) -> None:
    with pytest.raises(gl.InputError):
        gl.fit(study.evaluations, **options)


def test_the_other_scale_is_fitted_once_and_kept(directory: Path) -> None:
    loaded = gl.load_fit(directory)
    companion = other_scale_fit(loaded)
    assert companion is not None
    assert companion.scale == "log_odds"
    assert companion.spec.likelihood == "binomial"
    stamp = (directory / "scale_log_odds" / "fit.json").stat().st_mtime_ns
    again = other_scale_fit(gl.load_fit(directory))
    assert (directory / "scale_log_odds" / "fit.json").stat().st_mtime_ns == stamp
    np.testing.assert_array_equal(gl.gain_curve(again).slope(), gl.gain_curve(companion).slope())


@pytest.fixture(scope="module")
def judged(fit: gl.Fit, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a fit directory with its companion."""
    path = fit.save(tmp_path_factory.mktemp("judged") / "fit")
    assert other_scale_fit(gl.load_fit(path)) is not None
    return path


def edit(path: Path) -> None:
    """Change one digit of a file."""
    path.write_text(path.read_text().replace("1", "2", 1))


def reseal(path: Path, **changes: object) -> None:
    """Change a record and its hash with it."""
    record = json.loads((path / "fit.json").read_text())
    (path / "fit.json").write_text(json.dumps(seal(record | changes)))


@pytest.mark.parametrize(
    "damage", ["a changed estimate", "a file away", "no record", "of another fit", "unbound"]
)
def test_a_companion_that_is_not_the_fits_own_is_refused(
    judged: Path, tmp_path: Path, damage: str, study
) -> None:
    path = tmp_path / "fit"
    shutil.copytree(judged, path)
    companion = path / "scale_log_odds"
    if damage == "a changed estimate":
        edit(companion / "estimates.csv")
    elif damage == "a file away":
        (companion / "posterior.nc").unlink()
    elif damage == "no record":
        (companion / "fit.json").unlink()
    elif damage == "of another fit":
        other = gl.fit(study.evaluations, **{**QUICK, "seed": 11}).save(tmp_path / "other")
        shutil.rmtree(companion)
        other_scale_fit(gl.load_fit(other))
        shutil.copytree(other / "scale_log_odds", companion)
    else:
        reseal(companion, parent=None)
    loaded = gl.load_fit(path)
    with pytest.raises(CompanionError, match="remove it, and it is made anew"):
        other_scale_fit(loaded)
    with pytest.raises(gl.InputError, match="remove it, and it is made anew"):
        gl.assess(loaded, "slope < 0")


def test_a_fit_whose_record_was_edited_is_refused(judged: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit"
    shutil.copytree(judged, path)
    record = json.loads((path / "fit.json").read_text())
    record["data"]["rows"] += 1
    (path / "fit.json").write_text(json.dumps(record))
    with pytest.raises(gl.InputError, match=r"fit\.json was changed"):
        gl.load_fit(path)
    reseal(path)
    gl.load_fit(path)
    for files, words in (
        ({}, "does not list"),
        ({**record["files"], "/dev/zero": "00"}, "no file of this directory"),
        ({**record["files"], "pipe": "00"}, "no regular file"),
    ):
        (path / "pipe").unlink(missing_ok=True)
        os.mkfifo(path / "pipe")
        reseal(path, files=files)
        with pytest.raises(gl.InputError, match=words):
            gl.load_fit(path)


def test_a_pipe_for_a_record_is_not_waited_for(judged: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit"
    shutil.copytree(judged, path)
    (path / "fit.json").unlink()
    os.mkfifo(path / "fit.json")
    with pytest.raises(gl.InputError, match="no regular file"):
        gl.load_fit(path)


def test_a_covariance_that_the_record_does_not_list_is_refused(judged: Path, tmp_path: Path) -> None:
    path = tmp_path / "fit"
    shutil.copytree(judged, path)
    pd.DataFrame({"i": [0], "j": [1], "cov": [0.5]}).to_parquet(path / "gains.csv.cov.parquet")
    with pytest.raises(gl.InputError, match="came later than the fit"):
        gl.load_fit(path)


def test_a_file_that_declares_more_than_it_holds_is_refused(judged: Path, tmp_path: Path) -> None:
    import h5py

    path = tmp_path / "fit"
    shutil.copytree(judged, path)
    with h5py.File(path / "posterior.nc", "a") as file:
        file.create_dataset("prior/vast", shape=(200_000, 200_000), dtype="f8", chunks=(100, 100))
    record = json.loads((path / "fit.json").read_text())
    digest = hashlib.sha256((path / "posterior.nc").read_bytes()).hexdigest()
    reseal(path, files=record["files"] | {"posterior.nc": digest})
    with pytest.raises(gl.InputError, match="declares"):
        gl.load_fit(path)


def test_a_fit_that_is_replaced_while_it_is_read_is_read_again(
    judged: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from gainlaw.fitting import storage

    path = tmp_path / "fit"
    shutil.copytree(judged, path)
    load, calls = storage._load, []

    def replaced(where: Path) -> gl.Fit:
        found = load(where)
        if not calls:
            shutil.copytree(judged, tmp_path / "new")
            path.rename(tmp_path / "old")
            (tmp_path / "new").rename(path)
        calls.append(where)
        return found

    monkeypatch.setattr(storage, "_load", replaced)
    gl.load_fit(path)
    assert len(calls) == 2


def test_bare_gains_have_no_other_scale() -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"params": [1e8, 1e9, 1e10] * 4, "task": list("aaabbbcccddd"), "se": 1.0})
    frame["gain"] = 3 - np.log10(frame["params"] / 1e9) + rng.normal(size=12)
    fit = gl.fit(gl.gains_from_frame(frame), **QUICK)
    assert other_scale_fit(fit) is None


def test_progress_reaches_the_end(study) -> None:
    seen: list[tuple[int, int]] = []
    gl.fit(study.evaluations, progress=lambda done, total: seen.append((done, total)), **QUICK)
    assert seen
    assert seen[-1] == (600, 600)
    assert [done for done, _ in seen] == sorted(done for done, _ in seen)


def test_the_offset_power_law_recovers_a_bend() -> None:
    rng = np.random.default_rng(5)
    sizes = np.round(np.logspace(8, 11.5, 12))
    x = np.log10(sizes / 1e9)
    truth = 2.0 + 6.0 * 10.0 ** (-0.6 * x)
    rows = [
        {
            "params": n,
            "base_model": f"m{n:.3g}",
            "task": f"t{t}",
            "gain": g + t + rng.normal(0, 0.3),
            "se": 0.3,
        }
        for t in range(3)
        for n, g in zip(sizes, truth, strict=True)
    ]
    fit = gl.fit(gl.gains_from_frame(pd.DataFrame(rows)), law="offset_power", draws=500, tune=500)
    table = fit.summary("overall").set_index("estimand")
    # The truth for the average task (offsets 0, 1, 2) lies in the intervals.
    assert table.loc["asymptote", "ci_low"] < 3.0 < table.loc["asymptote", "ci_high"]
    exponent = fit.summary("model").set_index("group").loc["exponent"]
    assert exponent["ci_low"] < 0.6 < exponent["ci_high"]
    assert table.loc["slope", "p_negative"] > 0.99


def test_diagnostics_hold_scales_and_predictive_checks(fit: gl.Fit, directory: Path) -> None:
    data = json.loads((directory / "diagnostics.json").read_text())
    assert {row["parameter"] for row in data["scales"]} == {
        name for name in fit.spec.priors if name.startswith(("tau_", "rho_"))
    }
    # Two tasks say next to nothing about how tasks differ.
    verdicts = fit.diagnostics.scales.set_index("parameter")
    assert verdicts.loc["tau_residual", "verdict"] == "informed by the data"
    assert (verdicts["sd_ratio"] < 1.3).all()
    note = next(check for check in fit.diagnostics.checks if check.name == "prior_dominated")
    assert note.passed is None
    assert note.value == (verdicts["verdict"] == "mostly the prior").sum()
    assert len(data["predictive"]) == 2 * fit.n_checkpoints
    inside = [row["low95"] <= row["observed"] <= row["high95"] for row in data["predictive"]]
    assert np.mean(inside) > 0.7
    loaded = gl.load_fit(directory).diagnostics
    pd.testing.assert_frame_equal(loaded.scales, fit.diagnostics.scales, check_dtype=False)
    pd.testing.assert_frame_equal(loaded.predictive, fit.diagnostics.predictive, check_dtype=False)


@pytest.mark.parametrize(
    ("sizes", "expected"),
    [
        ((2e4, 6e4, 2e5), {1e4, 1e5}),
        ((1.4e7, 1e8, 3.4e8), {1e7, 1e8, 1e9, 1e10}),
        ((5.6e8, 7e9, 1.76e11), {1e9, 1e10, 1e11}),
    ],
)
def test_gains_are_given_at_sizes_near_those_observed(sizes: tuple[float, ...], expected: set[float]) -> None:
    rng = np.random.default_rng(0)
    rows = [(f"m{k}", size, task, rng.normal(2, 1), 0.5) for k, size in enumerate(sizes) for task in "abc"]
    frame = pd.DataFrame(rows, columns=["checkpoint", "params", "task", "gain", "se"])
    fit = gl.fit(gl.gains_from_frame(frame), draws=100)
    assert set(fit.estimates["params"].dropna()) == expected
