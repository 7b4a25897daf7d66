"""Compiled ranking of matrix rows on the CPU: a stable radix sort of each row, rows in parallel.

A comparison sort of 25,000 floats makes some 360,000 unpredictable comparisons; three counting passes over the bits
make none. The kernels are compiled at their first call and cached beside this file (or in the user's cache directory
where that is not writable). `no_type_check` keeps the tests' run-time type checker out of compiled code.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import prange

from daa.compiled import njit, threads_for
from daa.ranks._packed import tie_ranges_float32

DIGIT_BITS = 11
N_DIGITS = 1 << DIGIT_BITS


@njit()
@no_type_check
def _sort_keys(row, keys):
    """Unsigned integers whose ascending order is the descending order of the floats; -0.0 and 0.0 get the same key."""
    as_bits = row.view(keys.dtype)
    sign = keys.dtype.type(1) << keys.dtype.type(8 * keys.itemsize - 1)
    for i in range(len(row)):
        if row[i] == 0:
            keys[i] = ~sign
        elif as_bits[i] & sign:
            keys[i] = as_bits[i]
        else:
            keys[i] = ~(as_bits[i] | sign)


@njit()
@no_type_check
def _argsort_descending(row, keys, order, spare_keys, spare_order):
    """Fill `order` with the stable descending order of a row and `keys` with its sort keys in that order."""
    n = len(row)
    _sort_keys(row, keys)
    for i in range(n):
        order[i] = i
    key_type = keys.dtype.type
    mask = key_type(N_DIGITS - 1)
    counts = np.empty(N_DIGITS, np.int64)
    for shift in range(0, 8 * keys.itemsize, DIGIT_BITS):
        counts[:] = 0
        for i in range(n):
            counts[(keys[i] >> key_type(shift)) & mask] += 1
        if counts[(keys[0] >> key_type(shift)) & mask] == n:
            continue  # one digit for all: nothing to move
        total = 0
        for digit in range(N_DIGITS):
            count = counts[digit]
            counts[digit] = total
            total += count
        for i in range(n):
            digit = (keys[i] >> key_type(shift)) & mask
            place = counts[digit]
            counts[digit] = place + 1
            spare_keys[place] = keys[i]
            spare_order[place] = order[i]
        keys[:], order[:] = spare_keys, spare_order


@njit(parallel=True)
@no_type_check
def _tie_ranges(rows, first, last, key_type):
    n = rows.shape[1]
    for r in prange(rows.shape[0]):
        keys, spare_keys = np.empty(n, key_type), np.empty(n, key_type)
        order, spare_order = np.empty(n, np.int32), np.empty(n, np.int32)
        _argsort_descending(rows[r], keys, order, spare_keys, spare_order)
        start = 0
        while start < n:
            end = start + 1
            while end < n and keys[end] == keys[start]:
                end += 1
            for i in range(start, end):
                first[r, order[i]] = start + 1
                last[r, order[i]] = end
            start = end


@njit(parallel=True)
@no_type_check
def _ordinal(rows, result, key_type):
    n = rows.shape[1]
    for r in prange(rows.shape[0]):
        keys, spare_keys = np.empty(n, key_type), np.empty(n, key_type)
        order, spare_order = np.empty(n, np.int32), np.empty(n, np.int32)
        _argsort_descending(rows[r], keys, order, spare_keys, spare_order)
        for i in range(n):
            result[r, order[i]] = i + 1


def tie_ranges_kernel(rows: np.ndarray, first: np.ndarray, last: np.ndarray) -> None:
    """Fill `first`, `last` (int32) with the ranks each item's tie group spans, for float32 or float64 rows [r, n]."""
    with threads_for(rows.size):
        if rows.dtype == np.float32:
            tie_ranges_float32(rows, first, last)
        else:
            _tie_ranges(rows, first, last, _key_type(rows))


def ordinal_kernel(rows: np.ndarray, result: np.ndarray) -> None:
    """Fill `result` (int32) with the ordinal ranks of float32 or float64 rows [r, n]."""
    with threads_for(rows.size):
        _ordinal(rows, result, _key_type(rows))


def _key_type(rows: np.ndarray) -> type:
    return np.uint32 if rows.dtype == np.float32 else np.uint64
