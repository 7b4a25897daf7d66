"""Tie ranges of float32 rows, by a radix sort that carries each item's index in the low half of one 64-bit word.

Key and index move together, all digits are counted in one pass, and buffers swap instead of being copied back: about
twice as fast as the general kernel, which also takes float64.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import prange

from daa.compiled import njit

WORD = np.uint64
SIGN = np.uint64(1 << 31)
INDEX_BITS = np.uint64(32)
INDEX_MASK = np.uint64((1 << 32) - 1)
DIGIT_BITS = np.uint64(11)
DIGIT_MASK = np.uint64((1 << 11) - 1)


@njit()
@no_type_check
def _pack(row, words, counts):
    """Words whose ascending order is the stable descending order of the floats, and how often each digit occurs."""
    bits = row.view(np.uint32)
    counts[:] = 0
    for i in range(len(row)):
        pattern = WORD(bits[i])
        if pattern == SIGN:
            pattern = WORD(0)  # -0.0 ties with 0.0
        key = pattern if pattern >= SIGN else SIGN - WORD(1) - pattern
        words[i] = (key << INDEX_BITS) | WORD(i)
        for digit in range(3):
            counts[digit, key & DIGIT_MASK] += 1
            key >>= DIGIT_BITS


@njit()
@no_type_check
def _move(source, target, counts, shift):
    """One stable counting pass over the digit that starts at bit `shift`."""
    place = 0
    for digit in range(len(counts)):
        count = counts[digit]
        counts[digit] = place
        place += count
    for i in range(len(source)):
        word = source[i]
        digit = (word >> shift) & DIGIT_MASK
        target[counts[digit]] = word
        counts[digit] += 1


@njit()
@no_type_check
def _tie_ranges_of_row(row, words, spare, counts, first, last):
    n = len(row)
    _pack(row, words, counts)
    _move(words, spare, counts[0], INDEX_BITS)
    _move(spare, words, counts[1], INDEX_BITS + DIGIT_BITS)
    _move(words, spare, counts[2], INDEX_BITS + DIGIT_BITS + DIGIT_BITS)
    start = 0
    while start < n:
        key = spare[start] >> INDEX_BITS
        end = start + 1
        while end < n and spare[end] >> INDEX_BITS == key:
            end += 1
        for i in range(start, end):
            item = spare[i] & INDEX_MASK
            first[item] = start + 1
            last[item] = end
        start = end


@njit(parallel=True)
@no_type_check
def tie_ranges_float32(rows, first, last):
    """Fill `first`, `last` (int32) with the ranks that each item's tie group spans, for float32 rows [r, n]."""
    n = rows.shape[1]
    for r in prange(rows.shape[0]):
        words, spare = np.empty(n, WORD), np.empty(n, WORD)
        counts = np.empty((3, 1 << 11), np.int32)
        _tie_ranges_of_row(rows[r], words, spare, counts, first[r], last[r])
