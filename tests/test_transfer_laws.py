"""Laws of transfer: known parameters recovered from tables of runs, and what their designs can tell."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.curves.fit import CurveFit
from gainlaw.figures.curves import plot_curves
from gainlaw.figures.surface import plot_laws
from gainlaw.laws import LAWS
from gainlaw.laws.expression import parse
from gainlaw.laws.numeric import values_of

SIZES, DATA = np.geomspace(1e8, 1e10, 4), np.geomspace(1e5, 1e8, 6)
SHARES = np.array([0.05, 0.1, 0.2, 0.4, 0.6, 0.8, 1.0])

# Of each law: its true parameters, the columns of a table with their values, and the noise of what is fitted.
STUDIES: dict[str, tuple[list[float], dict[str, np.ndarray], float]] = {
    # Text to Python of Hernandez et al. (2021), arXiv 2102.01293: 1.9e4, 0.18, 0.38.
    "data_transferred": ([np.log(1.9e4), 0.18, 0.38], {"finetuning_tokens": DATA, "params": SIZES}, 0.1),
    "finetuning": ([0.8, 3.0, 0.1, 0.08], {"params": SIZES, "finetuning_tokens": DATA}, 0.006),
    "downstream_score": ([-6.0, 0.8, 1.5], {"pretraining_tokens": np.geomspace(1e8, 1e12, 16)}, 0.2),
    "language_mixture": (
        [1.2, 5.0, 0.3, 0.3, 0.6, 1.2], {"params": np.geomspace(1e8, 1e10, 6), "share": SHARES}, 0.01,
    ),
}  # fmt: skip


def table(name: str, seed: int) -> pd.DataFrame:
    """Return a table of simulated runs, one at every combination of the columns' values."""
    truth, columns, sd = STUDIES[name]
    law = LAWS[name]
    cells = dict(zip(columns, (each.ravel() for each in np.meshgrid(*columns.values())), strict=True))
    variables = {
        variable: each if variable == "p" else np.log(each)
        for variable, each in zip(law.variables, cells.values(), strict=True)
    }
    graph = parse(law.formula, law.variables)
    named = dict(zip((each.name for each in law.parameters), truth, strict=True))
    y = values_of(graph, {**named, **variables})
    y = y + sd * np.random.default_rng(seed).standard_normal(len(y))
    return pd.DataFrame({**cells, "result": np.exp(y) if law.response == "log" else y})


def fitted(name: str, seed: int) -> CurveFit:
    frame = table(name, seed)
    return gl.fit_curve(frame, "result", x=list(STUDIES[name][1])[::-1], law=name, starts=8)


@pytest.mark.parametrize("name", sorted(STUDIES))
def test_known_parameters_are_recovered_from_a_table(name: str) -> None:
    """Columns are told by their names, whatever their order; 99.9% intervals hold the truth."""
    fit = fitted(name, 1)
    assert fit.status == "ok"
    theta = fit.law.searched(np.array(STUDIES[name][0]))
    away = np.abs(fit.optimum.theta - theta) / np.sqrt(np.diag(fit.covariance))
    assert (away < 3.6).all()


@pytest.mark.calibration
@pytest.mark.parametrize("name", sorted(STUDIES))
def test_intervals_of_transfer_laws_cover(name: str) -> None:
    truth = STUDIES[name][0]
    inside = np.array(
        [
            (each["low"].to_numpy() <= truth) & (truth <= each["high"].to_numpy())
            for each in (fitted(name, seed).estimates for seed in range(200))
        ]
    )
    print(name, dict(zip((each.name for each in LAWS[name].parameters), inside.mean(axis=0), strict=True)))
    assert (inside.mean(axis=0) > 0.9).all()


def test_data_along_a_line_tell_no_exponents_apart() -> None:
    """Fine-tuning data in proportion to size: size and data say the same, and the fit says so."""
    rng = np.random.default_rng(0)
    params = np.geomspace(1e8, 1e10, 12)
    frame = pd.DataFrame({"params": params, "finetuning_tokens": 0.01 * params})
    frame["data"] = np.exp(9.0 + 0.5 * np.log(params) + 0.1 * rng.standard_normal(12))
    fit = gl.fit_curve(frame, "data", x=["params", "finetuning_tokens"], law="data_transferred")
    assert any(each.check in ("condition", "optimum") for each in fit.findings)


def test_a_language_by_itself_has_all_parameters_of_the_model() -> None:
    fit = fitted("language_mixture", 2)
    alone = fit.predict({"log_n": [np.log(1e9)], "p": [1.0]})["gain"].iloc[0]
    values = fit.values
    assert alone == pytest.approx(values["e"] + np.exp(values["b"] - values["alpha"] * np.log(1e9)))
    half = fit.derived.set_index("parameter").loc["f_half"]
    assert half["low"] < 0.5 + 0.3 * 0.5**1.8 < half["high"]


def test_laws_in_several_variables_are_drawn_where_they_have_a_meaning() -> None:
    drawn = plot_laws([fitted("language_mixture", 1)]).plot_data
    lines = drawn[drawn["layer"] == "line"]
    assert lines["line"].nunique() == 6
    assert (lines["share"].min(), lines["share"].max()) == (0.05, 1.0)
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({name: 10 ** rng.uniform(6, 9, 30) for name in ("params", "finetuning_tokens")})
    frame["loss"] = 1.0 + 2.0 / frame["params"] ** 0.1 / frame["finetuning_tokens"] ** 0.05
    surface = plot_laws([gl.fit_curve(frame, "loss", x=["params", "finetuning_tokens"], law="finetuning")])
    assert surface.plot_data["layer"].unique().tolist() == ["surface", "point"]
    assert "points lie above the law" in surface.alt


def test_a_curve_of_a_table_is_drawn_with_the_names_of_its_columns() -> None:
    frame = pd.DataFrame({"tokens": np.geomspace(1e8, 1e10, 8), "loss": np.linspace(4.0, 3.0, 8)})
    drawn = plot_curves([gl.fit_curve(frame, "loss", x="tokens")])
    assert drawn.alt.startswith("loss against tokens")
    assert drawn.axes[0].get_ylabel() == "loss"
    assert drawn.axes[0].get_ylim()[0] > 2.5
