"""Slow, obvious implementations, written from the formulas, to hold the fast ones to."""

from __future__ import annotations

import numpy as np

# ---- ranks ---------------------------------------------------------------------------------------------------------


def slow_ranks(values, ties="average"):
    """Ranks of one row by counting, item by item."""
    result = []
    for i, value in enumerate(values):
        greater = sum(other > value for other in values)
        tied = sum(other == value for other in values)
        if ties == "competition":
            result.append(greater + 1)
        elif ties == "ordinal":
            result.append(greater + 1 + sum(other == value for other in values[:i]))
        else:
            result.append(greater + (tied + 1) / 2)
    return np.array(result, dtype=np.float64)
