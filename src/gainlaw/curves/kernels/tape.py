"""Compiled evaluation of a formula at all points: values, gradients and second derivatives, exact to rounding."""

from __future__ import annotations

from math import erfc

import numba
import numpy as np

from gainlaw.laws.expression import BINARY, CONSTANT, PARAMETER, UNARY, VARIABLE

__all__ = ["evaluate", "prepare", "with_gradient"]

_CODES = {kind: code for code, kind in enumerate((CONSTANT, PARAMETER, VARIABLE, *UNARY, *BINARY))}
_CONSTANT, _PARAMETER, _VARIABLE = _CODES[CONSTANT], _CODES[PARAMETER], _CODES[VARIABLE]
_NEG, _EXP, _LOG, _SIN, _COS = (_CODES[kind] for kind in ("neg", "exp", "log", "sin", "cos"))
_ARCTAN, _POWER, _LOGISTIC, _PROBIT = (_CODES[kind] for kind in ("arctan", "power", "logistic", "probit"))
_EXPM1, _LOG1P, _TANH = (_CODES[kind] for kind in ("expm1", "log1p", "tanh"))
_ADD, _SUBTRACT, _MULTIPLY, _DIVIDE = (_CODES[kind] for kind in ("add", "subtract", "multiply", "divide"))
_RAISE, _LOGADDEXP, _MINIMUM = (_CODES[kind] for kind in ("raise", "logaddexp", "minimum"))
_SQRT2, _SQRT2PI = float(np.sqrt(2.0)), float(np.sqrt(2.0 * np.pi))


@numba.njit(cache=True, nogil=True)
def _unary(code, constant, u, partial):
    """Write ``f(u)`` and its first two derivatives to the rows of `partial`."""
    for i in range(u.shape[0]):
        x = u[i]
        if code == _EXP:
            f = np.exp(x)
            d, dd = f, f
        elif code == _NEG:
            f, d, dd = -x, -1.0, 0.0
        elif code == _LOG:
            f = np.log(x) if x > 0.0 else np.nan
            d = 1.0 / x if x != 0.0 else np.nan
            dd = -d * d
        elif code == _POWER:
            if constant == 2.0:
                f, d, dd = x * x, 2.0 * x, 2.0
            elif x == 0.0 or (x < 0.0 and constant != np.floor(constant)):
                whole = constant == np.floor(constant) and constant >= 0.0
                f = np.nan if not whole else (1.0 if constant == 0.0 else 0.0)
                d = np.nan if not whole else (1.0 if constant == 1.0 else 0.0)
                dd = np.nan if not whole else 0.0
            else:
                f = x**constant
                d = constant * f / x
                dd = (constant - 1.0) * d / x
        elif code == _LOGISTIC:
            e = np.exp(-abs(x))
            f = 1.0 / (1.0 + e) if x >= 0.0 else e / (1.0 + e)
            d = e / (1.0 + e) ** 2
            dd = d * (1.0 - 2.0 * f)
        elif code == _PROBIT:
            f = 0.5 * erfc(-x / _SQRT2)
            d = np.exp(-0.5 * x * x) / _SQRT2PI
            dd = -x * d
        elif code == _EXPM1:
            f, d = np.expm1(x), np.exp(x)
            dd = d
        elif code == _LOG1P:
            f = np.log1p(x) if x > -1.0 else np.nan
            d = 1.0 / (1.0 + x) if x != -1.0 else np.nan
            dd = -d * d
        elif code == _TANH:
            f = np.tanh(x)
            d = 1.0 - f * f
            dd = -2.0 * f * d
        elif code == _SIN:
            f, d = np.sin(x), np.cos(x)
            dd = -f
        elif code == _COS:
            f, d = np.cos(x), -np.sin(x)
            dd = -f
        else:
            f, d = np.arctan(x), 1.0 / (1.0 + x * x)
            dd = -2.0 * x * d * d
        partial[0, i], partial[1, i], partial[3, i] = f, d, dd


@numba.njit(cache=True, nogil=True)
def _binary(code, u, v, partial):
    """Write ``f(u, v)``, its two first and its three second derivatives to the rows of `partial`."""
    for i in range(u.shape[0]):
        a, b = u[i], v[i]
        fu = fv = 1.0
        fuu = fuv = fvv = 0.0
        if code == _MULTIPLY:
            f, fu, fv, fuv = a * b, b, a, 1.0
        elif code == _ADD:
            f = a + b
        elif code == _SUBTRACT:
            f, fv = a - b, -1.0
        elif code == _DIVIDE:
            fu = 1.0 / b if b != 0.0 else np.nan
            f = a * fu
            fv, fuv = -f * fu, -fu * fu
            fvv = -2.0 * fv * fu
        elif code == _RAISE:
            if a > 0.0:
                log_a = np.log(a)
                f = a**b
                fu, fv = b * f / a, f * log_a
                fuu, fuv, fvv = (b - 1.0) * fu / a, f / a * (1.0 + b * log_a), fv * log_a
            else:
                f = fu = fv = fuu = fuv = fvv = np.nan
        elif code > _LOGADDEXP:
            first = (a <= b) == (code == _MINIMUM)
            f = a if first else b
            fu, fv = (1.0, 0.0) if first else (0.0, 1.0)
        else:
            top = max(a, b)
            f = top + np.log1p(np.exp(-abs(a - b)))
            fu, fv = np.exp(a - f), np.exp(b - f)
            fuu = fu * fv
            fuv, fvv = -fuu, fuu
        partial[0, i], partial[1, i], partial[2, i] = f, fu, fv
        partial[3, i], partial[4, i], partial[5, i] = fuu, fuv, fvv


@numba.njit(cache=True, nogil=True)
def prepare(work, variables, values, gradients, partial):
    """Fill in what no parameter moves: constants, variables, operations on them, and parameters' own derivatives.

    Parameters
    ----------
    work : Work
        The formula.
    variables : ndarray, shape (v, n)
        Its variables.
    values, gradients, partial : ndarray, shape (nodes, n), (entries, n), (6, n)
        Receive the results; `partial` is scratch.
    """
    for k in range(work.operation.shape[0]):
        code = work.operation[k]
        if code == _CONSTANT:
            values[k] = work.constant[k]
        elif code == _VARIABLE:
            values[k] = variables[work.source[k]]
        elif code == _PARAMETER:
            gradients[work.gradient_first[k]] = 1.0
        elif work.gradient_first[k] == work.gradient_first[k + 1]:
            if code < _ADD:
                _unary(code, work.constant[k], values[work.left[k]], partial)
            else:
                _binary(code, values[work.left[k]], values[work.right[k]], partial)
            values[k] = partial[0]


@numba.njit(cache=True, nogil=True)
def evaluate(work, theta, order, values, gradients, seconds, partial):
    """Evaluate the formula at parameters `theta`, with derivatives up to `order` (0, 1 or 2).

    The value stands in the last row of `values`; the derivative in parameter p in row ``work.gradient_of[p]`` of
    `gradients`; second derivatives in the last rows of `seconds`, for the pairs in the last rows of
    ``work.second_pairs``.
    """
    n = values.shape[1]
    for k in range(work.operation.shape[0]):
        code = work.operation[k]
        if code == _PARAMETER:
            values[k] = theta[work.source[k]]
            continue
        first, end = work.gradient_first[k], work.gradient_first[k + 1]
        if first == end:
            continue
        if code < _ADD:
            _unary(code, work.constant[k], values[work.left[k]], partial)
        else:
            _binary(code, values[work.left[k]], values[work.right[k]], partial)
        values[k] = partial[0]
        if order == 0:
            continue
        for entry in range(first, end):
            gu, gv = work.gradient_entries[entry, 0], work.gradient_entries[entry, 1]
            if gu >= 0 and gv >= 0:
                for i in range(n):
                    gradients[entry, i] = partial[1, i] * gradients[gu, i] + partial[2, i] * gradients[gv, i]
            elif gu >= 0:
                for i in range(n):
                    gradients[entry, i] = partial[1, i] * gradients[gu, i]
            else:
                for i in range(n):
                    gradients[entry, i] = partial[2, i] * gradients[gv, i]
        if order == 1:
            continue
        for entry in range(work.second_first[k], work.second_first[k + 1]):
            hu, hv, ui, uj, vi, vj = work.second_entries[entry]
            out = seconds[entry]
            out[:] = 0.0
            if hu >= 0:
                for i in range(n):
                    out[i] += partial[1, i] * seconds[hu, i]
            if hv >= 0:
                for i in range(n):
                    out[i] += partial[2, i] * seconds[hv, i]
            curved = code < _ADD or code >= _RAISE
            if ui >= 0 and uj >= 0 and curved:
                for i in range(n):
                    out[i] += partial[3, i] * gradients[ui, i] * gradients[uj, i]
            if code > _SUBTRACT:
                if ui >= 0 and vj >= 0:
                    for i in range(n):
                        out[i] += partial[4, i] * gradients[ui, i] * gradients[vj, i]
                if uj >= 0 and vi >= 0:
                    for i in range(n):
                        out[i] += partial[4, i] * gradients[uj, i] * gradients[vi, i]
                if vi >= 0 and vj >= 0 and code != _MULTIPLY:
                    for i in range(n):
                        out[i] += partial[5, i] * gradients[vi, i] * gradients[vj, i]


@numba.njit(cache=True, nogil=True)
def with_gradient(work, theta, variables):
    """Return a formula's values, shape (n,), and their derivatives in every parameter, shape (p, n).

    Parameters
    ----------
    work : Work
        The formula.
    theta : ndarray, shape (p,)
        Its parameters.
    variables : ndarray, shape (v, n)
        Its variables.
    """
    n = variables.shape[1]
    values = np.zeros((work.operation.shape[0], n))
    gradients = np.zeros((work.gradient_entries.shape[0], n))
    partial = np.zeros((6, n))
    prepare(work, variables, values, gradients, partial)
    evaluate(work, theta, 1, values, gradients, np.zeros((0, n)), partial)
    found = np.zeros((theta.shape[0], n))
    for p in range(theta.shape[0]):
        if work.gradient_of[p] >= 0:
            found[p] = gradients[work.gradient_of[p]]
    return values[-1], found
