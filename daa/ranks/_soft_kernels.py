"""Compiled soft ranks of matrix rows on the CPU, forwards and backwards.

Three things make the n^2 sigmoids of a row cheap:

- sigmoid(x_j - x_i) = p / (1 + p) with p = exp(x_j) exp(-x_i): n exponentials, and a division a pair;
- sigmoid(x) + sigmoid(-x) = 1, so a pair is looked at once and counted for both of its items;
- 1/a and 1/b from one division, b/(ab) and a/(ab).

All sums are in float64 and in a fixed order, and a row belongs to one thread: the result is the same, bit for bit, for
any number of threads. `no_type_check` keeps the tests' run-time type checker out of compiled code.
"""

from __future__ import annotations

from typing import Any, no_type_check

import numpy as np

from daa.compiled import njit

WIDE = 300.0
"""Widest spread of a row, in temperatures, for which exp(x_j) exp(-x_i), and the product of two, stay in float64."""

# Sums may be reordered to fill vector registers, the same way every time; NaN and infinity keep their meaning.
_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}


@njit(**_options)
@no_type_check
def _one(up, down_i, smooth):
    """One item against the following ones: add sigmoid - 1/2 to theirs, return the sum for its own."""
    total = 0.0
    for j in range(up.size):
        s = 0.5 - 1.0 / (1.0 + up[j] * down_i)
        total += s
        smooth[j] -= s
    return total


@njit(**_options)
@no_type_check
def _two(up, down_i, down_k, smooth):
    """`_one` for two items at the price of one division."""
    total_i, total_k = 0.0, 0.0
    for j in range(up.size):
        a = 1.0 + up[j] * down_i
        b = 1.0 + up[j] * down_k
        inverse = 1.0 / (a * b)
        s = 0.5 - inverse * b
        t = 0.5 - inverse * a
        total_i += s
        total_k += t
        smooth[j] -= s + t
    return total_i, total_k


@njit(**_options)
@no_type_check
def _one_backward(up, grad, down_i, grad_i, result):
    """One item against the following ones: slope times difference of the incoming gradients, with both signs."""
    total = 0.0
    for j in range(up.size):
        p = up[j] * down_i
        inverse = 1.0 / (1.0 + p)
        s = p * inverse * inverse * (grad[j] - grad_i)
        total += s
        result[j] -= s
    return total


@njit(**_options)
@no_type_check
def _two_backward(up, grad, down_i, down_k, grad_i, grad_k, result):
    """`_one_backward` for two items at the price of one division."""
    total_i, total_k = 0.0, 0.0
    for j in range(up.size):
        p, q = up[j] * down_i, up[j] * down_k
        a, b = 1.0 + p, 1.0 + q
        inverse = 1.0 / (a * b)
        s = p * (inverse * b) * (inverse * b) * (grad[j] - grad_i)
        t = q * (inverse * a) * (inverse * a) * (grad[j] - grad_k)
        total_i += s
        total_k += t
        result[j] -= s + t
    return total_i, total_k


@njit(**_options)
@no_type_check
def _group(row, temperature, start, up, down):
    """Exponentials about a common reference for the items from `start`: (end of the group, end of its partners).

    A row that is not wide is one group. A wide one is in descending order, and its groups are as wide as exponentials
    allow; partners further down are so far off that their sigmoid is 0 in float64, and its slope 1e-170.
    """
    n = row.size
    low, high = row[start], row[start]
    for j in range(start, n):
        low, high = min(low, row[j]), max(high, row[j])
    if (high - low) / temperature <= WIDE:
        reference, end, last = low / 2 + high / 2, n, n
    else:
        reference, end, last = row[start], start, start
        while last < n and (row[last] - reference) / temperature >= -2 * WIDE:
            last += 1
            if (row[last - 1] - reference) / temperature >= -WIDE:
                end = last
    for j in range(start, last):
        up[j] = np.exp((row[j] - reference) / temperature)
        down[j] = 1.0 / up[j]
    return end, last


@njit(**_options)
@no_type_check
def _begin(row, sums):
    """Clear the sums; a row that is not finite gets NaN and has nothing to do: the index to start at."""
    finite = True
    for j in range(row.size):
        finite = finite and np.isfinite(row[j])
        sums[j] = 0.0
    if finite:
        return 0
    for j in range(row.size):
        sums[j] = np.nan
    return row.size


@njit(**_options)
@no_type_check
def forward_rows(values, temperature, ranks, first, stop):
    """Fill rows `first` to `stop` of `ranks`; a row wider than WIDE temperatures must be in descending order."""
    n = values.shape[1]
    up, down, smooth = np.empty(n), np.empty(n), np.empty(n)
    for r in range(first, stop):
        row = values[r]
        start = _begin(row, smooth)
        while start < n:
            end, last = _group(row, temperature, start, up, down)
            i = start
            while i < end:
                if i + 1 < end:
                    s = 0.5 - 1.0 / (1.0 + up[i + 1] * down[i])
                    rest = slice(i + 2, last)
                    total_i, total_k = _two(up[rest], down[i], down[i + 1], smooth[rest])
                    smooth[i] += total_i + s
                    smooth[i + 1] += total_k - s
                else:
                    rest = slice(i + 1, last)
                    smooth[i] += _one(up[rest], down[i], smooth[rest])
                i += 2
            for j in range(start, end):
                smooth[j] -= 0.5 * (n - last)
            for j in range(last, n):
                smooth[j] += 0.5 * (end - start)
            start = end
        for i in range(n):
            ranks[r, i] = smooth[i] + 0.5 * (n + 1)


@njit(**_options)
@no_type_check
def backward_rows(values, temperature, grad, result, first, stop):
    """Fill rows `first` to `stop` of `result` with sum_j W_ij (g_j - g_i) / temperature, W the sigmoids' slopes."""
    n = values.shape[1]
    up, down, sums = np.empty(n), np.empty(n), np.empty(n)
    for r in range(first, stop):
        g = grad[r]
        row = values[r]
        start = _begin(row, sums)
        while start < n:
            end, last = _group(row, temperature, start, up, down)
            i = start
            while i < end:
                if i + 1 < end:
                    p = up[i + 1] * down[i]
                    s = p / (1.0 + p) / (1.0 + p) * (g[i + 1] - g[i])
                    rest = slice(i + 2, last)
                    total_i, total_k = _two_backward(
                        up[rest], g[rest], down[i], down[i + 1], g[i], g[i + 1], sums[rest]
                    )
                    sums[i] += total_i + s
                    sums[i + 1] += total_k - s
                else:
                    rest = slice(i + 1, last)
                    sums[i] += _one_backward(up[rest], g[rest], down[i], g[i], sums[rest])
                i += 2
            start = end
        for i in range(n):
            result[r, i] = sums[i] / temperature
