"""Compiled estimation of a formula's parameters: damped Newton steps with exact second derivatives."""

from __future__ import annotations

import numba
import numpy as np

from gainlaw.curves.kernels.losses import HUBER, SQUARED, point_loss
from gainlaw.curves.kernels.records import Data, Found, Scratch, Search, Step
from gainlaw.curves.kernels.steps import movable, move, solve
from gainlaw.curves.kernels.tape import evaluate, prepare

__all__ = ["curves_at", "fit_many", "fitted"]

# Compiled code is kept by the time of this file alone: whoever changes tape.py, losses.py or steps.py changes this
# line too: 4.

# A gradient this small next to the sum of the sizes of its terms counts as zero.
_CONVERGED = 1e-13
_TRIALS = 40
# Steps after which linear parameters are put at their optimum; nearer to the end Newton's step does it.
_PROJECTED = 3
# Huber's threshold is lowered by this factor at a time; a level above the last is left when the gradient is this small
# or a step gains less than this share.
_LOWERED = 0.15
_ROUGH = 1e-3
_ROUGH_STEPS = 40
# Rounding of a prediction, relative to it.
_ROUNDING = 16.0 * 2.220446049250313e-16


@numba.njit(cache=True, nogil=True)
def _workspace(work, n, p):
    """Return the arrays that an evaluation at n points writes to, and those of the objective's derivatives."""
    scratch = Scratch(
        np.zeros((work.operation.shape[0], n)),
        np.zeros((work.gradient_entries.shape[0], n)),
        np.zeros((work.second_entries.shape[0], n)),
        np.zeros((6, n)),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
        np.zeros(n),
    )
    return scratch, Found(np.zeros(p), np.zeros((p, p)), np.zeros((p, p)), np.zeros(p), np.zeros(p))


@numba.njit(cache=True, nogil=True)
def _objective(work, theta, order, data, scratch, found):
    """Return the objective; with `order` 2 also fill `found`."""
    y, weight, trials, precision, loss, setting = data
    values, gradients, seconds, partial, first, second, bound, fuzz, inner = scratch
    gradient, hessian, gauss, size, error = found
    evaluate(work, theta, order, values, gradients, seconds, partial)
    n, p = y.shape[0], theta.shape[0]
    f = values[-1]
    total = 0.0
    if precision.shape[0]:
        for i in range(n):
            pulled = lost = 0.0
            for j in range(n):
                term = precision[i, j] * np.sqrt(weight[i] * weight[j])
                pulled += term * (f[j] - y[j])
                lost += abs(term * f[j])
            first[i] = pulled
            second[i] = bound[i] = weight[i]
            fuzz[i] = _ROUNDING * lost
            total += 0.5 * pulled * (f[i] - y[i])
    else:
        for i in range(n):
            if weight[i] == 0.0:
                first[i] = second[i] = bound[i] = fuzz[i] = 0.0
                continue
            value, d, dd, above = point_loss(loss, setting, f[i], y[i], trials[i])
            total += weight[i] * value
            first[i], second[i], bound[i] = weight[i] * d, weight[i] * dd, weight[i] * above
            fuzz[i] = _ROUNDING * bound[i] * abs(f[i])
    if not np.isfinite(total):
        return np.inf
    if order < 2:
        return total
    hessian[:] = 0.0
    gauss[:] = 0.0
    for a in range(p):
        row = work.gradient_of[a]
        gradient[a] = size[a] = error[a] = 0.0
        if row < 0:
            continue
        for i in range(n):
            term = first[i] * gradients[row, i]
            gradient[a] += term
            size[a] += abs(term)
            error[a] += fuzz[i] * abs(gradients[row, i])
        if precision.shape[0]:
            for i in range(n):
                pulled = 0.0
                for j in range(n):
                    pulled += precision[i, j] * np.sqrt(weight[j]) * gradients[row, j]
                inner[i] = np.sqrt(weight[i]) * pulled
        for b in range(a + 1):
            other = work.gradient_of[b]
            if other < 0:
                continue
            full = kept = 0.0
            if precision.shape[0]:
                for i in range(n):
                    full += gradients[other, i] * inner[i]
                kept = full
            else:
                for i in range(n):
                    cross = gradients[row, i] * gradients[other, i]
                    full += second[i] * cross
                    kept += bound[i] * cross
            hessian[a, b] = hessian[b, a] = full
            gauss[a, b] = gauss[b, a] = kept
    last = work.operation.shape[0] - 1
    for entry in range(work.second_first[last], work.second_first[last + 1]):
        bend = 0.0
        for i in range(n):
            bend += first[i] * seconds[entry, i]
        a, b = work.second_pairs[entry]
        hessian[a, b] += bend
        if a != b:
            hessian[b, a] += bend
    for a in range(p):
        if not np.isfinite(gradient[a]):
            return np.inf
        for b in range(p):
            if not np.isfinite(hessian[a, b]):
                return np.inf
    return total


@numba.njit(cache=True, nogil=True)
def _project(work, theta, data, search, scratch, found, step):
    """Put the linear parameters at their optimum given the others; return the objective there."""
    total = _objective(work, theta, 2, data, scratch, found)
    if search.linear.shape[0] == 0 or data.loss != SQUARED or not np.isfinite(total):
        return total
    linear = movable(theta, found.gradient, search.linear, search)
    if solve(found.gauss, 0.0, found.gradient, linear, step):
        moved = np.empty_like(theta)
        move(theta, linear, step.x, 1.0, search, moved)
        better = _objective(work, moved, 2, data, scratch, found)
        if better <= total:
            theta[:] = moved
            return better
        return _objective(work, theta, 2, data, scratch, found)
    return total


@numba.njit(cache=True, nogil=True)
def _steepness(found, free, rounded):
    """Return the gradient without units: its largest entry next to the sum of the sizes of its terms.

    With `rounded` less what rounding may account for.
    """
    gradient, size, error = found.gradient, found.size, found.error
    largest = 0.0
    for a in range(free.shape[0]):
        k = free[a]
        left = abs(gradient[k]) - (error[k] if rounded else 0.0)
        if left > 0.0:
            largest = max(largest, left / max(size[k], 1e-300))
    return largest


@numba.njit(cache=True, nogil=True)
def _polish(work, theta, data, free, search, scratch, found, step):
    """Take one whole Newton step if it brings the gradient nearer to zero, where the objective is at its last digit."""
    steepness = _steepness(found, free, False)
    if not solve(found.hessian, 0.0, found.gradient, free, step):
        return False
    before = theta.copy()
    move(before, free, step.x, 1.0, search, theta)
    total = _objective(work, theta, 2, data, scratch, found)
    free = movable(theta, found.gradient, free, search)
    if np.isfinite(total) and _steepness(found, free, False) < 0.9 * steepness:
        return True
    theta[:] = before
    _objective(work, theta, 2, data, scratch, found)
    return False


@numba.njit(cache=True, nogil=True)
def _pull(length, y, f, weight, steps, delta, bend):
    """Return the derivative, along a line, of Huber's loss of predictions that change in proportion to the length."""
    slope = length * bend
    for i in range(y.shape[0]):
        r = f[i] - y[i] + length * steps[i]
        slope += weight[i] * steps[i] * min(max(r, -delta), delta)
    return slope


@numba.njit(cache=True, nogil=True)
def _length(work, data, scratch, free, step, quadratic, damping):
    """Return how far to go along a Newton step ``-x``: to the least of Huber's loss, the predictions taken as linear.

    Newton's step looks no further than the points whose residuals are now below the threshold; the line sees where
    others come and go. `quadratic` is the curvature along the step by the matrix that gave it, undamped.
    """
    y, weight, delta = data.y, data.weight, data.setting[0]
    f, gradients, second, steps = scratch.values[-1], scratch.gradients, scratch.second, scratch.inner
    x, scale = step.x, step.scale
    steps[:] = 0.0
    bend = quadratic
    for a in range(free.shape[0]):
        row = work.gradient_of[free[a]]
        if row >= 0:
            for i in range(y.shape[0]):
                steps[i] -= gradients[row, i] * x[a]
    for i in range(y.shape[0]):
        bend -= second[i] * steps[i] * steps[i]
    bend = max(bend, 0.0)
    for a in range(free.shape[0]):
        bend += damping * scale[free[a]] * x[a] * x[a]
    low, high = 0.0, 1.0
    below, above = _pull(low, y, f, weight, steps, delta, bend), _pull(high, y, f, weight, steps, delta, bend)
    while above < 0.0 and high < 1e12:
        low, below = high, above
        high *= 4.0
        above = _pull(high, y, f, weight, steps, delta, bend)
    if not (below < 0.0 < above):
        return high if above <= 0.0 else 1.0
    for turn in range(60):
        # False position, and every third time the middle, so that a kink does not hold it up.
        middle = 0.5 * (low + high) if turn % 3 == 2 else low + (high - low) * below / (below - above)
        if not (low < middle < high):
            break
        slope = _pull(middle, y, f, weight, steps, delta, bend)
        if slope < 0.0:
            low, below = middle, slope
        else:
            high, above = middle, slope
        if slope == 0.0 or high - low <= 1e-14 * high:
            break
    return high if above <= -below else low


@numba.njit(cache=True, nogil=True)
def _minimise(work, theta, data, search, rough, scratch, found):
    """Damped Newton steps from `theta`, which is moved; return the objective, the steepness, and the steps."""
    p = theta.shape[0]
    gradient, hessian, gauss = found.gradient, found.hessian, found.gauss
    step = Step(np.zeros((p, p)), np.zeros(p), np.ones(p))
    x, scale, moved = step.x, step.scale, np.zeros(p)
    huber = data.loss == HUBER
    total = _project(work, theta, data, search, scratch, found, step)
    damping, steepness, stalled, steps = 1e-3, np.inf, 0, 0
    if not np.isfinite(total):
        return total, steepness, steps
    for turn in range(search.most):
        free = movable(theta, gradient, search.free, search)
        steepness = _steepness(found, free, False)
        if steepness < (_ROUGH if rough else _CONVERGED) or stalled > 6:
            break
        for a in range(free.shape[0]):
            scale[free[a]] = max(gauss[free[a], free[a]], 1e-300)
        steps = turn + 1
        accepted = False
        # Where the Hessian bends down, its step leads to a saddle; the other matrix leads downhill. Huber's loss has
        # none of its own beyond the threshold: damping then stands in for it.
        bent = not solve(hessian, damping if huber else 0.0, gradient, free, step)
        matrix = gauss if bent else hessian
        for _ in range(_TRIALS):
            if solve(matrix, damping, gradient, free, step):
                for a in range(free.shape[0]):
                    # The step is still downhill without what would leave the bounds at once.
                    k = free[a]
                    if (theta[k] <= search.low[k] and x[a] > 0.0) or (
                        theta[k] >= search.high[k] and x[a] < 0.0
                    ):
                        x[a] = 0.0
                length = 1.0
                if huber:
                    quadratic = 0.0
                    for a in range(free.shape[0]):
                        for b in range(free.shape[0]):
                            quadratic += x[a] * hessian[free[a], free[b]] * x[b]
                    length = _length(work, data, scratch, free, step, quadratic, damping)
                if move(theta, free, x, length, search, moved) and length > 1.0:
                    move(theta, free, x, 1.0, search, moved)
                value = _objective(work, moved, 0, data, scratch, found)
                if value < total:
                    accepted = True
                    break
                if huber:
                    # The next step's length is read from the predictions and curvatures at theta.
                    _objective(work, theta, 2, data, scratch, found)
            damping = max(8.0 * damping, 1e-12)
            if damping > 1e20:
                break
        if not accepted:
            if rough or not _polish(work, theta, data, free, search, scratch, found, step):
                break
            stalled += 1
            continue
        theta[:] = moved
        before = total
        if turn < _PROJECTED:
            total = _project(work, theta, data, search, scratch, found, step)
        else:
            total = _objective(work, theta, 2, data, scratch, found)
        gained = before - total
        if rough and gained <= _ROUGH * abs(before):
            break
        stalled = stalled + 1 if gained <= 1e-15 * abs(before) else 0
        damping = max(0.1 * damping, 1e-14)
    return total, _steepness(found, movable(theta, gradient, search.free, search), True), steps


@numba.njit(cache=True, nogil=True)
def _descend(work, theta, data, search, scratch, found):
    """Minimise; Huber's loss from a threshold as large as the residuals are, lowered to the one that is asked for."""
    y, weight, trials, precision, loss, setting = data
    steps = 0
    if loss == HUBER and search.most > 0:
        evaluate(work, theta, 0, scratch.values, scratch.gradients, scratch.seconds, scratch.partial)
        total = heavy = 0.0
        for i in range(y.shape[0]):
            total += weight[i] * abs(scratch.values[-1, i] - y[i])
            heavy += weight[i]
        threshold = total / heavy if heavy > 0.0 and np.isfinite(total) else 0.0
        while threshold > setting[0]:
            level = np.array([threshold, 0.0])
            wide = Data(y, weight, trials, precision, loss, level)
            few = Search(search.linear, search.free, _ROUGH_STEPS, search.low, search.high)
            steps += _minimise(work, theta, wide, few, True, scratch, found)[2]
            threshold *= _LOWERED
    total, steepness, taken = _minimise(work, theta, data, search, False, scratch, found)
    return total, steepness, steps + taken


@numba.njit(cache=True, nogil=True)
def fit_many(work, variables, starts, data, search, theta, report):
    """Fit a formula to many data sets at the same points.

    Parameters
    ----------
    work : Work
        The formula.
    variables : ndarray, shape (v, n)
        Its variables.
    starts : ndarray, shape (1 or fits, p)
        Starting values; a single row serves all.
    data : Data
        The data sets, with `y` and `weight` of shape (1 or fits, n); a single row serves all.
    search : Search
        What is searched for.
    theta, report : ndarray, shape (fits, p), (fits, 4)
        Receive estimates; and objective, steepness (what of the gradient rounding does not account for, next to the
        sum of the sizes of its terms), steps, and the same with what rounding accounts for.
    """
    y, weight, trials, precision, loss, setting = data
    scratch, found = _workspace(work, y.shape[1], starts.shape[1])
    prepare(work, variables, scratch.values, scratch.gradients, scratch.partial)
    for b in range(theta.shape[0]):
        theta[b] = np.minimum(np.maximum(starts[min(b, starts.shape[0] - 1)], search.low), search.high)
        own = Data(
            y[min(b, y.shape[0] - 1)], weight[min(b, weight.shape[0] - 1)], trials, precision, loss, setting
        )
        total, steepness, steps = _descend(work, theta[b], own, search, scratch, found)
        report[b, 0], report[b, 1], report[b, 2] = total, steepness, steps
        free = movable(theta[b], found.gradient, search.free, search)
        report[b, 3] = _steepness(found, free, False)


@numba.njit(cache=True, nogil=True)
def curves_at(work, variables, theta, out):
    """Fill `out`, shape (m, n), with the values at many sets of parameters, shape (m, p)."""
    n = variables.shape[1]
    values, partial = np.zeros((work.operation.shape[0], n)), np.zeros((6, n))
    gradients, seconds = np.zeros((work.gradient_entries.shape[0], n)), np.zeros((0, n))
    prepare(work, variables, values, gradients, partial)
    for b in range(theta.shape[0]):
        evaluate(work, theta[b], 0, values, gradients, seconds, partial)
        out[b] = values[-1]


@numba.njit(cache=True, nogil=True)
def fitted(work, variables, theta, data):
    """Return predictions, their derivatives, the loss's derivative in each, and the objective's Hessian."""
    n, p = variables.shape[1], theta.shape[0]
    scratch, found = _workspace(work, n, p)
    prepare(work, variables, scratch.values, scratch.gradients, scratch.partial)
    _objective(work, theta, 2, data, scratch, found)
    jacobian = np.zeros((n, p))
    for a in range(p):
        if work.gradient_of[a] >= 0:
            jacobian[:, a] = scratch.gradients[work.gradient_of[a]]
    return scratch.values[-1].copy(), jacobian, scratch.first.copy(), found.hessian
