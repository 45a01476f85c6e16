"""The compiled kernels with every index checked: in a process of their own, compiled anew."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

import gainlaw as gl

HERE = Path(__file__).parent
CHECKED = os.environ.get("NUMBA_BOUNDSCHECK") == "1"
KNOWN, EXACT = "test_known_covariance.py::test", "test_exact.py::test"
CHOSEN = (
    f"{KNOWN}_likelihood_and_moments_equal_the_dense_ones[linear-any]",
    f"{KNOWN}_likelihood_and_moments_equal_the_dense_ones[logistic-nearly all rows]",
    f"{KNOWN}_likelihood_and_moments_equal_the_dense_ones[linear-within checkpoints]",
    f"{KNOWN}_draws_and_gradient_are_those_of_the_dense_model[one baseline for all sizes-default]",
    f"{KNOWN}_leaving_a_checkpoint_out_equals_a_fit_without_it[any-default]",
    f"{KNOWN}_tables_give_the_same_likelihood[any]",
    f"{KNOWN}_counts_of_one_baseline_for_all_sizes",
    f"{EXACT}_tables_without_the_replicates_give_the_same_likelihood_moments_and_draws[checkpoints]",
    f"{EXACT}_tables_without_the_replicates_give_the_same_likelihood_moments_and_draws[no replicates]",
    f"{EXACT}_tables_without_the_replicates_give_the_same_likelihood_moments_and_draws[shared baselines]",
    "test_kernels.py::test_binomial_gradient_agrees_with_finite_differences[three intermediates]",
    "test_kernel_bounds.py::test_indices_are_checked_in_that_process",
    "test_kernel_bounds.py::test_a_curve",
)
"""At least one test of every kernel."""


@pytest.mark.skipif(CHECKED, reason="this is that process")
def test_no_kernel_reaches_outside_its_arrays(tmp_path: Path) -> None:
    environment = {
        **os.environ,
        "NUMBA_BOUNDSCHECK": "1",
        "NUMBA_CACHE_DIR": str(tmp_path),
        "OMP_NUM_THREADS": "1",
    }
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-x", *CHOSEN]
    done = subprocess.run(command, cwd=HERE, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-2000:]
    assert f"{len(CHOSEN)} passed" in done.stdout


@pytest.mark.skipif(not CHECKED, reason="in the process of the test above only")
def test_indices_are_checked_in_that_process() -> None:
    @numba.njit
    def reach(values: np.ndarray, at: int) -> float:
        return float(values[at])

    with pytest.raises(IndexError):
        reach(np.zeros(3), 3)


@pytest.mark.skipif(not CHECKED, reason="in the process of the test above only")
@pytest.mark.filterwarnings("default")
def test_a_curve() -> None:
    sizes = np.geomspace(1e8, 1e11, 9)
    y = 3.0 + 2.0 * (sizes / 1e9) ** -0.3
    fit = gl.fit_curve(sizes, y, law="offset_power")
    assert np.abs(fit.residuals).max() < 1e-3
