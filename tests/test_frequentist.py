"""Mixed models with known sampling covariance, small-sample tests and CR2, against published numbers.

Sources of the data and numbers:

- BCG vaccine trials: Colditz et al. 1994, doi:10.1001/jama.1994.03510330076038; log risk ratios and REML
  results of metafor 3.8 (Viechtbauer 2010, doi:10.18637/jss.v036.i03).
- School calendars: Konstantopoulos 2011, doi:10.1002/jrsm.35; results of the metafor manual, page ``robust``.
- Periodontal disease: Berkey et al. 1998, Statistics in Medicine 17(22), 2537-2550; same page.
- Wind tunnel: Goos and Jones 2011, Optimal Design of Experiments, chapter 10, doi:10.1002/9781119974017;
  results of lmerTest with ddf = "Kenward-Roger", kept in the tests of MixedModelsSmallSample.jl.
"""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from gainlaw.errors import InputError
from gainlaw.frequentist.mixed import fit_mixed
from gainlaw.frequentist.reml import Model, dense_point, kenward_roger_parts, low_rank_point
from gainlaw.frequentist.robust import cr2_test
from gainlaw.frequentist.small_sample import contrast_test, holm, kenward_roger_covariance

BCG = np.array(
    [
        (44, -0.889311333920205, 0.325584765003961),
        (55, -1.58538865720143, 0.194581121398144),
        (42, -1.34807314829969, 0.415367965367965),
        (52, -1.44155119002131, 0.0200100319022476),
        (13, -0.217547322211296, 0.0512101721696309),
        (44, -0.786115585818864, 0.00690561845590876),
        (19, -1.62089822359839, 0.223017247572315),
        (13, 0.0119523335238405, 0.00396157929781773),
        (27, -0.469417648738149, 0.056434210463249),
        (42, -1.37134480347278, 0.0730247936130289),
        (18, -0.339358828338391, 0.0124122139715597),
        (33, 0.445913400571379, 0.532505845200153),
        (33, -0.0173139482168798, 0.0714046596839863),
    ]
)

CALENDARS = np.array(
    [
        *[(11, -0.18, 0.118), (11, -0.22, 0.118), (11, 0.23, 0.144), (11, -0.30, 0.144), (12, 0.13, 0.014)],
        *[(12, -0.26, 0.014), (12, 0.19, 0.015), (12, 0.32, 0.024), (18, 0.45, 0.023), (18, 0.38, 0.043)],
        *[(18, 0.29, 0.012), (27, 0.16, 0.020), (27, 0.65, 0.004), (27, 0.36, 0.004), (27, 0.60, 0.007)],
        *[(56, 0.08, 0.019), (56, 0.04, 0.007), (56, 0.19, 0.005), (56, -0.06, 0.004), (58, -0.18, 0.020)],
        *[(58, 0.00, 0.018), (58, 0.00, 0.019), (58, -0.28, 0.022), (58, -0.04, 0.020), (58, -0.30, 0.021)],
        *[(58, 0.07, 0.006), (58, 0.00, 0.007), (58, 0.05, 0.007), (58, -0.08, 0.007), (58, -0.09, 0.007)],
        *[(71, 0.30, 0.015), (71, 0.98, 0.011), (71, 1.19, 0.010), (86, -0.07, 0.001), (86, -0.05, 0.001)],
        *[(86, -0.01, 0.001), (86, 0.02, 0.001), (86, -0.03, 0.001), (86, 0.00, 0.001), (86, 0.01, 0.001)],
        *[(86, -0.10, 0.001), (91, 0.50, 0.010), (91, 0.66, 0.011), (91, 0.20, 0.010), (91, 0.00, 0.009)],
        *[(91, 0.05, 0.013), (91, 0.07, 0.013), (108, -0.52, 0.031), (108, 0.70, 0.031), (108, -0.03, 0.030)],
        *[
            (108, 0.27, 0.030),
            (108, -0.34, 0.030),
            (644, 0.12, 0.087),
            (644, 0.61, 0.082),
            (644, 0.04, 0.067),
        ],
        (644, -0.05, 0.067),
    ]
)

WIND = {
    "plot": np.repeat(np.arange(10), 5),
    "front": np.repeat([-1, 0, 1, -1, 0, 0, 1, -1, 0, 1], 5),
    "rear": np.repeat([-1, -1, -1, 0, 0, 0, 0, 1, 1, 1], 5),
    "yaw": np.array(
        [
            *[-1, 1, 0, 1, -1, 1, 0, 1, 0, -1, 1, 1, -1, -1, 0, -1, 0, 1, 0, -1, 0, 1, 0, -1, 0],
            *[1, 0, 0, 0, -1, 0, 1, 0, 0, -1, -1, 1, 0, 1, -1, -1, 0, 0, 0, 1, -1, 1, -1, 1, 0],
        ]
    ),
    "grill": np.array(
        [
            *[-1, 1, 0, -1, 1, 1, 0, -1, 1, 0, -1, 1, -1, 1, 0, 0, 1, 0, -1, 1, -1, 0, 0, 1, 0],
            *[0, 0, 0, 0, -1, -1, 1, 0, 1, 0, -1, -1, 0, 1, 1, 0, -1, 0, 1, 1, 1, -1, -1, 0, 1],
        ]
    ),
    "efficiency": np.array(
        [
            *[0.873, 0.969, 0.959, 0.821, 1.019, 0.921, 0.923, 0.821, 0.958, 0.914, 0.705, 0.861, 0.756],
            *[0.861, 0.78, 0.999, 1.06, 0.91, 0.854, 1.082, 0.841, 0.885, 0.905, 1.025, 0.936, 0.844],
            *[0.891, 0.902, 0.871, 0.833, 0.786, 0.879, 0.86, 0.905, 0.87, 0.98, 0.907, 1.045, 1.094],
            *[1.159, 1.0, 0.901, 0.99, 1.059, 1.025, 0.991, 0.828, 0.853, 0.923, 0.997],
        ]
    ),
}

# estimate, Kenward-Roger standard error, degrees of freedom
WIND_KENWARD_ROGER = {
    "1": (0.91139440160864, 0.0117343909957533, 4.20781866263252),
    "front": (-0.0608676456198351, 0.00790252466237933, 3.97508982010344),
    "rear": (0.0521560288514079, 0.00790249549858014, 3.97506130894856),
    "yaw": (-0.0247187506311142, 0.00273521252920664, 31.0296697097974),
    "grill": (0.0745425356341077, 0.00271095555221704, 31.1891004403826),
    "front*front": (-0.00745494829407444, 0.0127485224766989, 4.07123877546587),
    "rear*rear": (0.0290960375043564, 0.0127426829931741, 4.06406054799071),
    "yaw*yaw": (-0.0074877586597704, 0.00470047193033454, 31.210431763566),
    "grill*grill": (-0.00642156275393734, 0.0048079149733978, 31.1096438691671),
    "front*rear": (0.00424874581039393, 0.0096728169204061, 3.96572847282672),
    "front*yaw": (0.0105840572262534, 0.00326351871109691, 31.0248763828408),
    "front*grill": (-0.011065249207608, 0.00320213101032878, 31.0729877321666),
    "rear*yaw": (-0.00153678429629072, 0.00327097299542467, 31.0321512321987),
    "rear*grill": (0.00782470473158315, 0.00321179055316301, 31.1141213473838),
    "yaw*grill": (-2.50837921244678e-05, 0.00328527374873104, 31.3828734464315),
}


def indicator(labels):
    return (np.asarray(labels)[:, None] == np.unique(labels)).astype(float)


def dense(y, X, V):
    """Restricted log-likelihood, coefficients and covariance by the textbook formulas."""
    inverse = np.linalg.inv(V)
    covariance = np.linalg.inv(X.T @ inverse @ X)
    beta = covariance @ X.T @ inverse @ y
    resid = y - X @ beta
    loglik = -0.5 * (
        (len(y) - X.shape[1]) * np.log(2 * np.pi)
        + np.linalg.slogdet(V)[1]
        + np.linalg.slogdet(X.T @ inverse @ X)[1]
        - np.linalg.slogdet(X.T @ X)[1]
        + resid @ inverse @ resid
    )
    return loglik, beta, covariance


class Rotated:
    """A covariance known only through its rotation, as a gains table keeps it."""

    def __init__(self, S):
        self.values, self.vectors = np.linalg.eigh(S)

    def rotation(self):
        return self.values, lambda a: self.vectors.T @ a


def simulated(rng, n_groups=8, size=6):
    """Two random factors, a covariate, and a known covariance with blocks of three."""
    n = n_groups * size
    group = np.repeat(np.arange(n_groups), size)
    item = np.tile(np.arange(size), n_groups)
    x = rng.normal(size=n)
    X = np.column_stack([np.ones(n), x])
    S = np.kron(np.eye(n // 3), 0.1 * np.eye(3) + 0.05)
    y = 2 + 0.5 * x + rng.normal(size=n_groups)[group] + 0.7 * rng.normal(size=size)[item]
    y += np.linalg.cholesky(S) @ rng.normal(size=n) + 0.6 * rng.normal(size=n)
    return y, X, [indicator(group), indicator(item)], S


# --- REML ---------------------------------------------------------------------------------------------------


def test_bcg_intercept_only():
    fit = fit_mixed(BCG[:, 1], np.ones(13), S=BCG[:, 2])
    assert fit.status == "ok"
    np.testing.assert_allclose(fit.variances, 0.31324333, rtol=1e-5)
    np.testing.assert_allclose(fit.beta, -0.71453235, rtol=1e-6)
    np.testing.assert_allclose(fit.covariance[0, 0] ** 0.5, 0.17978153, rtol=1e-6)
    np.testing.assert_allclose(fit.loglik, -12.202371, rtol=1e-7)
    np.testing.assert_allclose(np.linalg.inv(fit.information) ** 0.5, 0.16642578, rtol=1e-5)


def test_bcg_on_latitude():
    fit = fit_mixed(BCG[:, 1], np.column_stack([np.ones(13), BCG[:, 0]]), S=BCG[:, 2])
    # metafor stops at a change of 1e-5 in tau2, so its digits agree to that only
    np.testing.assert_allclose(fit.beta, [0.25146429, -0.029101661], rtol=5e-5)
    np.testing.assert_allclose(np.sqrt(np.diag(fit.covariance)), [0.24910367, 0.0071955548], rtol=5e-5)
    np.testing.assert_allclose(fit.variances, 0.076354695, atol=1e-5)
    np.testing.assert_allclose(fit.loglik, -8.0873201, rtol=1e-7)
    assert fit.loglik >= -8.08732011
    assert abs(fit.score[0]) < 1e-6


def test_three_levels():
    district, y, v = CALENDARS.T
    fit = fit_mixed(y, np.ones(56), [indicator(district)], S=v)
    assert np.round(fit.variances, 4).tolist() == [0.0651, 0.0327]
    assert round(float(fit.beta[0]), 4) == 0.1847
    assert round(float(fit.covariance[0, 0]) ** 0.5, 4) == 0.0846
    assert round(fit.loglik, 4) == -7.9587


def test_agrees_with_statsmodels_on_nested_data():
    import pandas as pd
    from statsmodels.regression.mixed_linear_model import MixedLM

    rng = np.random.default_rng(3)
    school = np.repeat(np.arange(12), 8)
    room = np.repeat(np.arange(48), 2)
    x = rng.normal(size=96)
    y = 1 + 2 * x + 1.5 * rng.normal(size=12)[school] + rng.normal(size=48)[room] + 0.5 * rng.normal(size=96)
    frame = pd.DataFrame({"y": y, "x": x, "school": school, "room": room})
    theirs = MixedLM.from_formula(
        "y ~ x", frame, groups="school", re_formula="1", vc_formula={"room": "0 + C(room)"}
    ).fit(reml=True)
    ours = fit_mixed(y, np.column_stack([np.ones(96), x]), [indicator(school), indicator(room)])
    variances = [float(theirs.cov_re.iloc[0, 0]), float(theirs.vcomp[0]), float(theirs.scale)]
    np.testing.assert_allclose(ours.variances, variances, rtol=2e-3)
    np.testing.assert_allclose(ours.beta, theirs.fe_params.to_numpy(), rtol=1e-4)
    np.testing.assert_allclose(np.sqrt(np.diag(ours.covariance)), theirs.bse_fe.to_numpy(), rtol=3e-3)


@pytest.mark.parametrize("form", ["matrix", "rotation"])
def test_likelihood_and_its_parts_against_dense_formulas(form):
    y, X, Z, S = simulated(np.random.default_rng(1))
    fit = fit_mixed(y, X, Z, S=S if form == "matrix" else Rotated(S))
    parts = [*[block @ block.T for block in Z], np.eye(len(y))]
    V = S + sum(t * part for t, part in zip(fit.variances, parts, strict=True))
    loglik, beta, covariance = dense(y, X, V)
    np.testing.assert_allclose(fit.loglik, loglik, rtol=1e-9)
    np.testing.assert_allclose(fit.beta, beta, rtol=1e-8)
    np.testing.assert_allclose(fit.covariance, covariance, rtol=1e-8)
    inverse = np.linalg.inv(V)
    P = inverse - inverse @ X @ covariance @ X.T @ inverse
    for k, part_k in enumerate(parts):
        np.testing.assert_allclose(fit.score[k], 0.0, atol=1e-5)
        np.testing.assert_allclose(fit.p_matrices[k], -X.T @ inverse @ part_k @ inverse @ X, rtol=1e-7)
        for m, part_m in enumerate(parts):
            np.testing.assert_allclose(
                fit.information[k, m], 0.5 * np.trace(P @ part_k @ P @ part_m), rtol=1e-7
            )
            np.testing.assert_allclose(
                fit.q_matrices[k, m],
                X.T @ inverse @ part_k @ inverse @ part_m @ inverse @ X,
                rtol=1e-6,
                atol=1e-9,
            )


def test_both_forms_of_the_likelihood_agree():
    y, X, Z, S = simulated(np.random.default_rng(16), n_groups=80)
    a = np.column_stack([*Z, X, y])
    model = Model(a, np.diag(S), (slice(0, 80), slice(80, 86)), 86, 2, residual=True)
    assert not model.dense
    theta = np.array([0.7, 0.0, 0.3])
    one, other = dense_point(model, theta), low_rank_point(model, theta)
    np.testing.assert_allclose(one.loglik, other.loglik, rtol=1e-10)
    np.testing.assert_allclose(one.score, other.score, rtol=1e-8, atol=1e-8)
    np.testing.assert_allclose(one.information, other.information, rtol=1e-8)
    np.testing.assert_allclose(one.phi, other.phi, rtol=1e-8)
    np.testing.assert_allclose(one.beta, other.beta, rtol=1e-8)
    parts = kenward_roger_parts(model, theta)
    V = np.diag(np.diag(S) + 0.3) + 0.7 * Z[0] @ Z[0].T
    inverse = np.linalg.inv(V)
    each = [Z[0] @ Z[0].T, Z[1] @ Z[1].T, np.eye(len(y))]
    for k in range(3):
        np.testing.assert_allclose(parts.p_matrices[k], -X.T @ inverse @ each[k] @ inverse @ X, rtol=1e-8)
        for m in range(3):
            exact = X.T @ inverse @ each[k] @ inverse @ each[m] @ inverse @ X
            np.testing.assert_allclose(parts.q_matrices[k, m], exact, rtol=1e-7, atol=1e-8)


def test_score_is_the_gradient():
    y, X, Z, S = simulated(np.random.default_rng(17))
    model = Model(np.column_stack([*Z, X, y]), np.diag(S), (slice(0, 8), slice(8, 14)), 14, 2, residual=True)
    theta = np.array([0.5, 0.2, 0.4])
    score = dense_point(model, theta).score
    for k in range(3):
        step = 1e-5 * np.eye(3)[k]
        slope = (dense_point(model, theta + step).loglik - dense_point(model, theta - step).loglik) / 2e-5
        assert score[k] == pytest.approx(slope, rel=1e-6)


def test_estimate_is_the_maximum():
    y, X, Z, S = simulated(np.random.default_rng(2))
    fit = fit_mixed(y, X, Z, S=S)
    parts = [*[block @ block.T for block in Z], np.eye(len(y))]
    for k in range(3):
        for factor in (0.97, 1.03):
            moved = fit.variances * np.where(np.arange(3) == k, factor, 1.0)
            V = S + sum(t * part for t, part in zip(moved, parts, strict=True))
            assert dense(y, X, V)[0] < fit.loglik


def test_units_do_not_matter():
    y, X, Z, S = simulated(np.random.default_rng(4))
    one, other = fit_mixed(y, X, Z, S=S), fit_mixed(1e4 * y, X, Z, S=1e8 * S)
    np.testing.assert_allclose(other.variances, 1e8 * one.variances, rtol=1e-6)
    tests = [contrast_test(fit, [0, 1.0]) for fit in (one, other)]
    np.testing.assert_allclose(tests[0].df, tests[1].df, rtol=1e-5)
    np.testing.assert_allclose(tests[0].statistic, tests[1].statistic, rtol=1e-6)


def test_known_covariance_changes_the_answer():
    y, X, Z, S = simulated(np.random.default_rng(5))
    with_blocks = fit_mixed(y, X, Z, S=S)
    without = fit_mixed(y, X, Z, S=np.diag(S))
    assert abs(with_blocks.beta[1] - without.beta[1]) > 1e-4


# --- Kenward-Roger and Satterthwaite ------------------------------------------------------------------------


def test_kenward_roger_wind_tunnel():
    columns = []
    for name in WIND_KENWARD_ROGER:
        column = np.ones(50)
        for factor in name.split("*"):
            column = column * (1.0 if factor == "1" else WIND[factor])
        columns.append(column)
    fit = fit_mixed(WIND["efficiency"], np.column_stack(columns), [indicator(WIND["plot"])])
    for k, expected in enumerate(WIND_KENWARD_ROGER.values()):
        test = contrast_test(fit, np.eye(15)[k])
        np.testing.assert_allclose([test.estimate, test.se, test.df], expected, rtol=1e-7, atol=1e-12)
        plain = contrast_test(fit, np.eye(15)[k], method="satterthwaite")
        assert plain.se < test.se
        assert plain.df == pytest.approx(test.df)


def test_balanced_split_plot_has_the_exact_answer():
    rng = np.random.default_rng(6)
    plots, levels = 5, 4
    plot = np.repeat(np.arange(2 * plots), levels)
    whole = np.repeat([0.0, 1.0], plots * levels)
    sub = np.tile(np.arange(levels), 2 * plots)
    y = rng.normal(size=2 * plots)[plot] + 0.5 * rng.normal(size=len(plot)) + whole + 0.3 * sub
    X = np.column_stack([1 - whole, whole, *[(sub == k) * 1.0 - (sub == 0) for k in range(1, levels)]])
    X = np.column_stack([X, *[X[:, j] * (2 * whole - 1) for j in range(2, 5)]])
    fit = fit_mixed(y, X, [indicator(plot)])
    assert fit.status == "ok"
    means = y.reshape(2, plots, levels).mean(axis=2)
    exact = stats.ttest_ind(means[1], means[0])
    for method in ("kenward-roger", "satterthwaite"):
        test = contrast_test(fit, [-1, 1, 0, 0, 0, 0, 0, 0], method=method)
        assert test.df == pytest.approx(2 * (plots - 1), rel=1e-6)
        assert test.statistic == pytest.approx(exact.statistic, rel=1e-6)
        assert test.p_two_sided == pytest.approx(exact.pvalue, rel=1e-5)
        assert test.p_greater + test.p_less == pytest.approx(1.0)
        assert contrast_test(fit, np.eye(8)[2], method=method).df == pytest.approx(
            (levels - 1) * 2 * (plots - 1), rel=1e-6
        )
    np.testing.assert_allclose(kenward_roger_covariance(fit), fit.covariance, rtol=1e-6, atol=1e-12)


def test_slope_between_few_checkpoints_is_the_regression_of_their_means():
    rng = np.random.default_rng(8)
    x = np.log10([0.56, 1.1, 1.7, 3.0, 7.1, 176.0])
    point = np.repeat(np.arange(6), 20)
    y = 3 + 2 * x[point] + 2 * rng.normal(size=6)[point] + rng.normal(size=120)
    fit = fit_mixed(y, np.column_stack([np.ones(120), x[point]]), [indicator(point)])
    test = contrast_test(fit, [0, 1.0])
    means = stats.linregress(x, y.reshape(6, 20).mean(axis=1))
    assert test.df == pytest.approx(4.0, rel=1e-6)
    assert test.se == pytest.approx(means.stderr, rel=1e-6)
    assert test.p_two_sided == pytest.approx(means.pvalue, rel=1e-5)


def test_null_value_shifts_the_statistic():
    fit = fit_mixed(BCG[:, 1], np.ones(13), S=BCG[:, 2])
    test = contrast_test(fit, [1.0], null=-0.5)
    assert test.statistic == pytest.approx((test.estimate + 0.5) / test.se)
    assert test.p_less == pytest.approx(stats.t.cdf(test.statistic, test.df))


def test_tests_keep_their_level():
    """400 studies without a slope: six checkpoints, known sampling noise; 5% tests reject in 5%."""
    rng = np.random.default_rng(11)
    x = np.log10([0.56, 1.1, 1.7, 3.0, 7.1, 176.0])
    point = np.repeat(np.arange(6), 6)
    X, Z, S = np.column_stack([np.ones(36), x[point]]), [indicator(point)], np.full(36, 1.0)
    rejected = np.zeros(2)
    for _ in range(400):
        y = rng.normal(size=6)[point] + rng.normal(size=36)
        rejected[0] += contrast_test(fit_mixed(y, X, Z, S=S, residual=False), [0, 1.0]).p_two_sided < 0.05
        rejected[1] += cr2_test(y, X, point, [0, 1.0]).p_two_sided < 0.05
    assert (rejected / 400 > 0.02).all()
    assert (rejected / 400 < 0.08).all()


# --- CR2 ----------------------------------------------------------------------------------------------------


def test_cr2_school_calendars():
    district, y, v = CALENDARS.T
    Z = indicator(district)
    fit = fit_mixed(y, np.ones(56), [Z], S=v)
    V = np.diag(v + fit.variances[1]) + fit.variances[0] * Z @ Z.T
    test = cr2_test(y, np.ones(56), district, [1.0], working=V)
    assert (round(test.estimate, 4), round(test.se, 4)) == (0.1847, 0.0845)
    assert (round(test.statistic, 4), round(test.df, 2)) == (2.1870, 9.86)
    assert round(test.p_two_sided, 4) == 0.0540
    assert (test.status, test.n_clusters) == ("ok", 11)


def test_cr2_periodontal_disease():
    y = np.array([0.47, -0.32, 0.20, -0.60, 0.40, -0.12, 0.26, -0.31, 0.56, -0.39])
    sampling = [(75, 30, 77), (57, 9, 8), (21, 7, 14), (29, 9, 15), (148, 72, 304)]
    between = 0.6088 * (0.0327 * 0.0117) ** 0.5
    V = np.zeros((10, 10))
    for k, (a, b, c) in enumerate(np.array(sampling) / 1e4):
        V[2 * k : 2 * k + 2, 2 * k : 2 * k + 2] = [[a + 0.0117, b + between], [b + between, c + 0.0327]]
    X = np.column_stack([np.tile([0.0, 1.0], 5), np.tile([1.0, 0.0], 5)])
    trial = np.repeat(np.arange(5), 2)
    loss, depth = (cr2_test(y, X, trial, c, working=V) for c in ([1.0, 0.0], [0.0, 1.0]))
    # the variances are known to four digits only
    assert [loss.estimate, loss.se, loss.statistic, loss.df] == pytest.approx(
        [-0.3392, 0.0892, -3.8031, 3.81], rel=1e-3
    )
    assert [depth.estimate, depth.se, depth.statistic, depth.df] == pytest.approx(
        [0.3534, 0.0582, 6.0776, 3.79], rel=2e-3
    )
    assert loss.status == "df below 4"


def test_cr2_is_welch_without_clusters():
    """Two groups, every row its own cluster: HC2 is the unequal-variance t test (Imbens and Kolesar 2016)."""
    rng = np.random.default_rng(9)
    one, two = rng.normal(size=7), rng.normal(size=12) * 3 + 1
    y = np.concatenate([one, two])
    X = np.column_stack([np.ones(19), np.repeat([0.0, 1.0], [7, 12])])
    test = cr2_test(y, X, np.arange(19), [0, 1.0])
    assert test.se == pytest.approx((one.var(ddof=1) / 7 + two.var(ddof=1) / 12) ** 0.5)


def test_cr2_unbiased_under_the_working_covariance():
    """E[variance estimate] = true variance of the contrast, exactly, by averaging over signed errors."""
    rng = np.random.default_rng(10)
    cluster = np.array([0] * 3 + [1] * 5 + [2] * 2 + [3] * 4)
    X = np.column_stack([np.ones(14), rng.normal(size=14), cluster - 1.0])
    Z = indicator(cluster)
    V = np.eye(14) + 0.8 * Z @ Z.T
    c = np.array([0.0, 1.0, 0.5])
    W = np.linalg.inv(V)
    truth = c @ np.linalg.inv(X.T @ W @ X) @ c
    root = np.linalg.cholesky(V)
    # the estimate is quadratic in y: its mean is the sum over the columns of the root of V
    total = sum(cr2_test(root[:, k], X, cluster, c, working=V).se ** 2 for k in range(14))
    assert total == pytest.approx(truth, rel=1e-9)


def test_cr2_with_cluster_fixed_effects():
    """A slope within clusters under cluster dummies equals the slope on the demeaned data."""
    rng = np.random.default_rng(12)
    cluster = np.repeat(np.arange(6), 5)
    x = rng.normal(size=30)
    y = 2 * x + cluster + rng.normal(size=30)
    full = cr2_test(y, np.column_stack([indicator(cluster), x]), cluster, np.eye(7)[6])
    demeaned = x - indicator(cluster) @ (indicator(cluster).T @ x / 5)
    within = cr2_test(y, demeaned[:, None], cluster, [1.0])
    assert full.estimate == pytest.approx(within.estimate)
    assert full.se > 0
    assert np.isfinite(full.df)


# --- what the data cannot tell ------------------------------------------------------------------------------


def test_two_sizes_leave_no_degrees_of_freedom():
    point = np.repeat([0, 1], 10)
    y = np.random.default_rng(13).normal(size=20) + 3 * point
    X = np.column_stack([np.ones(20), point])
    fit = fit_mixed(y, X, [indicator(point)])
    assert fit.variances[0] == 0.0
    test = contrast_test(fit, [0, 1.0])
    assert test.status == "no df"
    assert np.isfinite(test.estimate)
    assert np.isnan([test.df, test.statistic, test.p_two_sided, test.p_less, test.p_greater]).all()
    working = np.diag(np.full(20, 0.3)) + 5.0 * indicator(point) @ indicator(point).T
    for V in (None, working):
        robust = cr2_test(y, X, point, [0, 1.0], working=V)
        assert robust.status == "no df"
    assert np.isnan([robust.se, robust.df, robust.p_two_sided]).all()


def test_variance_at_zero_is_said():
    y = np.array([28.0, 8, -3, 7, -1, 1, 18, 12])
    se = np.array([15.0, 10, 16, 11, 9, 11, 10, 18])
    fit = fit_mixed(y, np.ones(8), S=se**2)
    assert (fit.status, fit.variances[0]) == ("boundary", 0.0)
    test = contrast_test(fit, [1.0])
    assert test.status == "boundary"
    assert np.isfinite(test.df)
    assert test.se >= fit.covariance[0, 0] ** 0.5


def test_collinear_design_is_singular():
    X = np.column_stack([np.ones(13), BCG[:, 0], 2 * BCG[:, 0]])
    fit = fit_mixed(BCG[:, 1], X, S=BCG[:, 2])
    assert fit.status == "singular"
    assert np.isnan(fit.beta).all()
    assert contrast_test(fit, [0, 1.0, 0]).status == "singular"
    assert cr2_test(BCG[:, 1], X, np.arange(13), [0, 1.0, 0]).status == "singular"


def test_twin_blocks_share_a_variance_but_not_the_test():
    """Two identical random blocks: each variance is not identified, the contrast's error is."""
    y, X, Z, S = simulated(np.random.default_rng(14))
    once = contrast_test(fit_mixed(y, X, Z, S=S), [1.0, 0])
    twice = contrast_test(fit_mixed(y, X, [Z[0], Z[0], Z[1]], S=S), [1.0, 0])
    assert twice.se == pytest.approx(once.se, rel=1e-4)
    assert twice.df == pytest.approx(once.df, rel=1e-3)


def test_one_cluster_is_too_few():
    test = cr2_test([1.0, 2.0, 3.0], np.ones(3), ["a", "a", "a"], [1.0])
    assert (test.status, test.estimate) == ("too few clusters", 2.0)
    assert np.isnan(test.se)


def test_a_perfect_fit_has_no_test():
    x = np.arange(6.0)
    X = np.column_stack([np.ones(6), x])
    assert cr2_test(1 + 2 * x, X, [0, 0, 1, 1, 2, 2], [0, 1.0]).status == "no df"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"X": np.ones((5, 1))}, "X has shape"),
        ({"S": np.ones(4)}, "S has shape"),
        ({"S": -np.ones(6)}, "are >= 0"),
        ({"S": np.full(6, np.nan)}, "finite"),
        ({"S": -np.eye(6)}, "negative eigenvalue"),
        ({"y": np.array([1.0, np.nan, 3, 4, 5, 6])}, "must be finite"),
        ({"residual": False}, "needs a residual"),
    ],
)
def test_wrong_input(arguments, message):
    given = {"y": np.arange(6.0), "X": np.ones((6, 1)), **arguments}
    with pytest.raises(InputError, match=message):
        fit_mixed(given.pop("y"), given.pop("X"), **given)


def test_wrong_contrast():
    with pytest.raises(InputError, match="2 weights"):
        contrast_test(fit_mixed(BCG[:, 1], np.ones(13), S=BCG[:, 2]), [1.0, 0.0])
    with pytest.raises(InputError, match="shapes do not agree"):
        cr2_test(np.ones(4), np.ones((4, 1)), np.arange(3), [1.0])


# --- Holm ---------------------------------------------------------------------------------------------------


def test_holm_rejects_step_by_step():
    """By its definition: the smallest p times the number of tests, the next times one fewer, never falling."""
    p = np.random.default_rng(15).uniform(size=12) ** 3
    order = np.argsort(p)
    steps = np.maximum.accumulate(p[order] * np.arange(12, 0, -1))
    np.testing.assert_allclose(holm(p)[order], np.minimum(steps, 1.0))


def test_holm_counts_only_real_tests():
    assert holm([0.01, np.nan, 0.02]).tolist()[0] == 0.02
    assert np.isnan(holm([np.nan, np.nan])).all()
    assert holm([]).shape == (0,)
