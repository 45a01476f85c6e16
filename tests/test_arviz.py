"""ArviZ reads the draws of a fit as those of any other model: its summaries, checks, comparisons and figures work."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest

import gainlaw as gl

az = pytest.importorskip("arviz")


@pytest.fixture(scope="module")
def gains() -> gl.Gains:
    rng = np.random.default_rng(5)
    rows = []
    for number, size in enumerate((1e8, 3e8, 1e9, 3e9, 1e10, 3e10)):
        shift = rng.normal(0, 0.5)
        for task, level in (("xnli", 1.0), ("xcopa", 0.0), ("pawsx", -1.0)):
            for language in ("en", "sw", "tr"):
                gain = 4.0 + level + 1.5 * number / 2 + shift + rng.normal(0, 1.0)
                rows.append((size, f"m{number}", task, language, gain, 0.8))
    names = ["params", "base_model", "task", "language", "gain", "se"]
    return gl.gains_from_frame(pd.DataFrame(rows, columns=names))


@pytest.fixture(scope="module")
def fit(gains: gl.Gains) -> gl.Fit:
    return gl.fit(gains, terms=["task", "checkpoint"], draws=500)


@pytest.fixture(autouse=True)
def no_warning_of_single_points() -> Iterator[None]:
    """ArviZ warns of points with a high Pareto k, which a small study may have."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Estimated shape parameter of Pareto")
        yield


def test_groups_have_chains_draws_and_rows(fit: gl.Fit) -> None:
    draws, n = fit.draws, fit.n_rows
    for group in ("posterior", "sample_stats", "log_likelihood", "log_prior"):
        assert dict(draws[group].sizes) | {"chain": 4, "draw": 500} == dict(draws[group].sizes)
        assert draws[group]["draw"].to_numpy().tolist() == list(range(500))
    replicated = draws["posterior_predictive"]["gain"]
    assert replicated.dims == ("chain", "draw", "row")
    assert replicated.shape == (4, 100, n)
    assert draws["observed_data"]["gain"].shape == (n,)


def test_log_prior_is_the_density_of_the_priors(fit: gl.Fit) -> None:
    from scipy import stats

    prior, draws = fit.draws["log_prior"], fit.draws["posterior"]
    assert set(prior.data_vars) == {"mu", *fit.spec.hyper_names}
    slope = fit.priors["slope"]
    by_hand = stats.norm(*slope.arguments).logpdf(draws["mu"].to_numpy()[..., 1])
    np.testing.assert_allclose(prior["mu"].to_numpy()[..., 1], by_hand)
    tau = stats.halfnorm(scale=fit.priors["tau_task"].scale).logpdf(draws["tau_task"].to_numpy())
    np.testing.assert_allclose(prior["tau_task"].to_numpy(), tau)


def test_summary_has_every_parameter(fit: gl.Fit) -> None:
    table = az.summary(fit.draws, var_names=["mu", "tau_task"], round_to="none")
    mean = fit.draws["posterior"]["mu"].mean(("chain", "draw"))
    assert table.loc["mu[slope]", "mean"] == pytest.approx(float(mean.sel(coef="slope")))
    assert len(az.summary(fit.draws)) == sum(each[0, 0].size for each in fit.draws["posterior"].values())


def test_loo_and_compare(fit: gl.Fit, gains: gl.Gains) -> None:
    constant = gl.fit(gains, "constant", terms=["task", "checkpoint"], draws=500)
    loo = az.loo(fit.draws)
    assert loo.n_data_points == fit.n_rows
    assert np.isfinite(loo.elpd)
    by_row = az.compare({"linear": fit.draws, "constant": constant.draws})
    assert set(by_row.index) == {"linear", "constant"}
    by_checkpoint = az.compare({"linear": fit.loo, "constant": constant.loo})
    assert by_checkpoint.index[0] == gl.compare({"linear": fit, "constant": constant})["model"].iloc[0]


def test_power_scaling_agrees_with_ours(fit: gl.Fit) -> None:
    """Rows are independent here, so that the likelihood of a draw is the product of theirs."""
    import xarray as xr

    ours = fit.diagnostics.sensitivity.set_index("component")["distance"]
    slope = gl.gain_curve(fit, level="overall").slope().reshape(4, -1)
    groups = {name: fit.draws[name].to_dataset() for name in ("log_prior", "log_likelihood")}
    tree = xr.DataTree.from_dict({"posterior": xr.Dataset({"slope": (("chain", "draw"), slope)}), **groups})
    found = az.psense_summary(tree, prior_var_names=["mu"], round_to=6).loc["slope"]
    # Both smooth the weights by a Pareto tail, each in its way; a distance counts from 0.05 on.
    assert found["likelihood"] == pytest.approx(ours["likelihood"], rel=0.02, abs=0.002)
    assert found["prior"] == pytest.approx(ours["fixed effects"], rel=0.02, abs=0.002)
    whole = az.psense_summary(fit.draws, var_names=["mu"])
    assert list(whole.index) == ["mu[intercept]", "mu[slope]"]


def test_figures_are_drawn(fit: gl.Fit) -> None:
    import matplotlib.pyplot as plt

    for collection in (
        az.plot_ppc_dist(fit.draws, backend="matplotlib", num_samples=20),
        az.plot_forest(fit.draws, var_names=["task"], backend="matplotlib"),
        az.plot_dist(fit.draws, var_names=["mu"], backend="matplotlib"),
    ):
        assert collection.viz["figure"].item() is not None
    plt.close("all")


def test_a_saved_fit_is_read_by_arviz(fit: gl.Fit, tmp_path) -> None:
    fit.save(tmp_path / "fit")
    tree = az.from_netcdf(tmp_path / "fit" / "posterior.nc")
    assert az.summary(tree, var_names=["mu"]).equals(az.summary(fit.draws, var_names=["mu"]))
    tree.close()
    again = gl.load_fit(tmp_path / "fit")
    assert set(again.draws.children) == set(fit.draws.children)
