"""Turning a block of columns into rows, tile by tile and on every core: numpy's own copy takes one."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import prange

from daa.compiled import njit, threads_for

TILE = 32


def transposed(part: np.ndarray) -> np.ndarray:
    """A C-ordered copy of the transpose of float32 or float64 [n, m]."""
    result = np.empty(part.shape[::-1], part.dtype)
    with threads_for(part.size):
        _copy_transposed(part, result)
    return result


@njit(parallel=True)
@no_type_check
def _copy_transposed(source, target):
    n, m = source.shape
    for tile in prange((m + TILE - 1) // TILE):
        left, right = tile * TILE, min((tile + 1) * TILE, m)
        for top in range(0, n, TILE):
            bottom = min(top + TILE, n)
            for j in range(left, right):
                for i in range(top, bottom):
                    target[j, i] = source[i, j]
