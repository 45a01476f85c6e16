"""Laws over families and sizes left out: the closed form, the reference lines, and what is refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.fitting.exploration import kernel_data
from gainlaw.fitting.left_out import _Study, groups_of, predict_left_out, previous_size
from gainlaw.model.gaussian.combinations import left_out_normals
from gainlaw.posterior.tree import hyper_points
from gainlaw.scores.simulate_ladders import Ladders, simulate_ladders


@pytest.fixture(scope="module")
def study() -> Ladders:
    return simulate_ladders(5, n_families=3, decades=(-1.0, 0.0, 1.0), flat=False, floored=False)


@pytest.fixture(scope="module")
def linear(study: Ladders) -> gl.Fit:
    return gl.fit(study.evaluations, draws=200, chains=2)


@pytest.fixture(scope="module")
def curves(study: Ladders) -> gl.Fit:
    return gl.fit(study.evaluations, law="two_curve", draws=500, chains=2)


@pytest.mark.parametrize("name", ["linear", "curves"])
def test_left_out_densities_are_those_of_the_compiled_kernels(
    name: str, request: pytest.FixtureRequest
) -> None:
    """Whole checkpoints left out: by dense inverses here, by eliminated replicates there."""
    fit = request.getfixturevalue(name)
    rows = fit.rows.frame["checkpoint"].astype(str)
    codes, names = pd.factorize(rows)
    points = hyper_points(fit)[:3]
    here = _Study.build(fit).without(points, [np.flatnonzero(codes == k) for k in range(len(names))])
    weights = np.zeros((3, fit.problem.design.n_columns))
    data = kernel_data(fit, _Study.build(fit).summary)
    there = left_out_normals(fit.problem, data, points, weights, codes.astype(np.int64))
    assert there is not None
    np.testing.assert_allclose(np.stack([each.density for each in here], axis=1), there[0], atol=1e-5)


def test_a_refit_without_a_family_says_the_same(study: Ladders, linear: gl.Fit) -> None:
    groups, names = groups_of(linear.gains.frame, "model_family")
    found = predict_left_out(linear, groups)
    rest = study.evaluations.select(model_family=[name for name in names if name != "family1"])
    alone = gl.fit(rest, draws=500, chains=2)
    rows = groups == names.index("family1")
    frame = linear.gains.frame[rows]
    expected = [
        alone.predict(row.params, task=row.task)["mean"].iloc[0]
        for row in frame.drop_duplicates("task").itertuples()
    ]
    first = ~frame["task"].duplicated().to_numpy()
    # 200 points of a few effective hundreds: an error of a tenth of the sds of about 3 points.
    np.testing.assert_allclose(found.mean[rows][first], expected, atol=0.6)


def test_laws_stand_beside_reference_lines(linear: gl.Fit, curves: gl.Fit) -> None:
    table = gl.compare({"line": linear, "curves": curves}, leave="largest").set_index("model")
    assert set(table.index) == {
        "line", "curves", "task means", "task, recipe and family means", "previous size"
    }  # fmt: skip
    assert (table["gains"] == 9).all()
    assert (table["groups"] == 3).all()
    assert table["elpd_diff"].max() == 0.0
    assert table["coverage"].between(0.6, 1.0).all()
    # Gains bend where scores near the ceiling: the law that made them foresees the largest size best.
    assert table.loc["curves", "rmse"] < table.loc["task means", "rmse"]
    family = gl.compare(linear, curves, leave="family")
    assert "previous size" not in set(family["model"])
    assert (family["gains"] == 27).all()


def test_the_previous_size_by_hand() -> None:
    rows = [
        {"params": size, "model_family": family, "base_model": f"{family}{size:g}", "intermediate": "x", "task": "t",
         "language": "en", "gain": gain, "se": 0.5}
        for family, gains in {"a": (1.0, 2.0, 4.0), "b": (0.0, 3.0, 2.0), "c": (5.0, 5.0, 7.0)}.items()
        for size, gain in zip((1e8, 1e9, 1e10), gains, strict=True)
    ]  # fmt: skip
    gains = gl.gains_from_frame(pd.DataFrame(rows), unit="points")
    groups, names = groups_of(gains.frame, "largest")
    found = previous_size(gains, groups)
    assert found is not None
    last = gains.frame["params"].to_numpy() == 1e10
    assert names == ["a", "b", "c"]
    np.testing.assert_allclose(found.mean[last], [2.0, 3.0, 5.0])
    # Steps to other sizes than a's last: 1, 3, -1, 0, 2, less errors of 0.25 + 0.25.
    sd = np.sqrt((1 + 9 + 1 + 0 + 4) / 5 - 0.5 + 0.5)
    assert found.elpd[last][0] == pytest.approx(-0.5 * (2.0 / sd) ** 2 - np.log(sd) - 0.5 * np.log(2 * np.pi))


def test_what_cannot_be_left_out_is_refused(study: Ladders, linear: gl.Fit, curves: gl.Fit) -> None:
    with pytest.raises(InputError, match="there is no column 'study'"):
        gl.compare(linear, curves, leave="study")
    with pytest.raises(InputError, match="three are needed"):
        gl.compare(linear, curves, leave="intermediate")
    other = gl.fit(study.evaluations, scale="log_odds", terms=["task"], draws=200, chains=2)
    with pytest.raises(InputError, match="predicts no points"):
        gl.compare(linear, other, leave="family")
    with pytest.raises(InputError, match="other rows"):
        gl.compare(
            linear, gl.fit(study.evaluations.select(task="task1"), draws=200, chains=2), leave="family"
        )
