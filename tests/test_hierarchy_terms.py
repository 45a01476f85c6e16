"""Terms, priors and the model matrix: what the data identify, and what is said of the rest."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl
from gainlaw.errors import InputError
from gainlaw.laws import law
from gainlaw.model.spec.priors import Prior, override_priors, prior
from gainlaw.model.spec.problem import build_problem, specify
from gainlaw.model.spec.terms import choose_terms


def study(
    tasks: int = 3,
    languages: tuple[str, ...] = ("en", "de", "zh"),
    sizes: tuple[float, ...] = (1e8, 1e9, 1e10),
):
    rows = [
        {"task": f"t{t}", "language": k, "params": n, "base_model": f"m{n:g}", "gain": 1.0 + t + i, "se": 0.5}
        for t in range(tasks)
        for i, k in enumerate(languages)
        for n in sizes
    ]
    return gl.gains_from_frame(pd.DataFrame(rows))


def names(gains) -> list[str]:
    return [term.name for term in specify(gains, law("linear")).terms]


def reasons(gains) -> dict[str, str]:
    return {each.name: each.reason for each in specify(gains, law("linear")).dropped}


def test_bloomz_has_the_terms_of_the_design() -> None:
    spec = specify(gl.load_dataset("bloomz").gains(), law("linear"))
    assert [term.name for term in spec.terms] == [
        "task",
        "language_family",
        "language",
        "intermediate",
        "task_language",
        "smooth",
        "checkpoint",
        "run",
        "checkpoint_task",
        "checkpoint_language_family",
    ]
    assert {each.name for each in spec.dropped} == {
        "model_family",
        "task correlation",
        "intermediate correlation",
    }
    assert [term.name for term in spec.terms if term.correlated] == ["language_family", "language"]


def test_one_task_drops_out_and_says_so() -> None:
    gains = study(tasks=1)
    assert "task" not in names(gains)
    assert reasons(gains)["task"] == "only one group (t0)"


def test_a_language_per_family_is_one_term() -> None:
    gains = study(languages=("zh", "sw", "tr"))
    assert "language" not in names(gains)
    assert "exactly as language_family" in reasons(gains)["language"]


def test_one_checkpoint_per_row_is_the_residual() -> None:
    frame = pd.DataFrame(
        {"params": [1e8, 1e9, 1e10], "base_model": list("abc"), "gain": [1.0, 2, 3], "se": 0.1}
    )
    spec = specify(gl.gains_from_frame(frame), law("linear"))
    assert spec.terms == ()
    assert spec.residual
    assert "it is the residual" in {each.name: each.reason for each in spec.dropped}["checkpoint"]


def test_a_kind_that_numbers_the_rows_takes_the_residuals_place() -> None:
    frame = pd.DataFrame({"task": list("abcdefgh"), "gain": np.arange(8.0), "se": 1.0})
    spec = specify(gl.gains_from_frame(frame), law("constant"))
    assert [term.name for term in spec.terms] == ["task"]
    assert not spec.residual
    assert "tau_residual" not in spec.priors


def test_unknown_terms_are_named_with_those_there_are() -> None:
    gains = study()
    with pytest.raises(InputError, match=r"no term 'tasks'.*task_language"):
        choose_terms(gains.frame, np.zeros(len(gains)), has_slope=True, include=["tasks"])


@pytest.mark.parametrize(
    ("name", "needs"),
    [("linear", "at least 2 distinct sizes"), ("offset_power", "at least 3 distinct sizes")],
)
def test_too_few_sizes_are_refused(name: str, needs: str) -> None:
    gains = study(sizes=(1e9,) if name == "linear" else (1e9, 1e10))
    with pytest.raises(InputError, match=needs):
        specify(gains, law(name))


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("missing", None, "no such column"),
        ("label", "text", "must be numeric"),
        ("same", 1.0, "same value in every row"),
        ("hole", np.nan, "missing or infinite"),
    ],
)
def test_bad_covariates_are_refused(column: str, value: object, message: str) -> None:
    gains = study()
    frame = gains.frame.copy()
    if column != "missing":
        frame[column] = value
    if column == "hole":
        frame.loc[0, column] = 1.0
    with pytest.raises(InputError, match=message):
        specify(gl.gains_from_frame(frame), law("linear"), covariates=[column])


@pytest.mark.parametrize(
    "text",
    ["halfnormal(5)", "normal(-1, 2.5)", "halfcauchy(5)", "halfstudent_t(3, 2)", "exponential(2)", "lkj(2)"],
)
def test_priors_are_read_as_they_are_written(text: str) -> None:
    assert str(prior(text)) == text


@pytest.mark.parametrize(
    "text", ["normal", "gamma(1, 2)", "halfnormal(-1)", "halfnormal(1, 2)", "normal(0, x)", ""]
)
def test_bad_priors_are_refused(text: str) -> None:
    with pytest.raises(InputError):
        prior(text)


@pytest.mark.parametrize(
    "text", ["halfnormal(5)", "halfcauchy(5)", "halfstudent_t(3, 2)", "exponential(2)", "normal(1, 2)"]
)
def test_prior_draws_follow_the_density(text: str) -> None:
    from scipy import integrate

    each = prior(text)
    draws = each.sample(200_000, np.random.default_rng(1))
    low, high = (-np.inf, 2.5) if text.startswith("normal") else (0.0, 2.5)
    below = integrate.quad(lambda t: float(np.exp(each.log_density(np.array(t)))), max(low, -40.0), high)[0]
    # Monte-Carlo sd of a proportion of 200,000 draws is at most 0.0011.
    assert np.mean(draws <= high) == pytest.approx(below, abs=0.005)


def test_priors_that_do_not_fit_their_parameter_are_all_named() -> None:
    defaults = {"slope": Prior("normal", (0.0, 1.0)), "tau_task": Prior("halfnormal", (1.0,))}
    with pytest.raises(InputError) as caught:
        override_priors(
            defaults, {"slope": "halfnormal(1)", "tau_task": "normal(0, 1)", "tau_tsk": "halfnormal(1)"}
        )
    assert len(caught.value.problems) == 3


def test_priors_scale_with_the_unit() -> None:
    evals = gl.load_dataset("bloomz")
    points = specify(evals.gains(scale="points"), law("linear")).priors
    log_odds = specify(evals.gains(scale="log_odds"), law("linear")).priors
    assert log_odds["tau_task"].scale == pytest.approx(points["tau_task"].scale / 10)


def test_rows_of_one_baseline_are_rotated_to_independence() -> None:
    gains = gl.load_dataset("bloomz").gains()
    problem = build_problem(gains, specify(gains, law("linear")))
    assert len(gains.covariance.blocks) > 0
    # Rotating keeps the quadratic form of the data in the sampling covariance.
    centred = problem.y - problem.spec.priors["intercept"].arguments[0]
    direct = centred @ np.linalg.solve(gains.covariance.matrix(), centred)
    assert np.sum(problem.rows.rotate(centred) ** 2 / problem.rows.variance) == pytest.approx(
        direct, rel=1e-9
    )


@pytest.mark.parametrize(
    "text",
    [
        "normal(0, 1e-300)",
        "normal(1e300, 1)",
        "normal(nan, 1)",
        "halfnormal(0)",
        "halfnormal(inf)",
        "lkj(-1)",
    ],
)
def test_priors_beyond_double_precision_are_refused(text: str) -> None:
    with pytest.raises(InputError, match="a number between"):
        prior(text)
