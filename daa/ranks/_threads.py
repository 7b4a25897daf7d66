"""How many threads a compiled kernel gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba

SMALL = 1 << 16


@contextmanager
def threads_for(n_items: int) -> Iterator[None]:
    """One thread for small work, where waking the others costs more than it saves (milliseconds on a busy machine)."""
    if n_items >= SMALL:
        yield
        return
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    try:
        yield
    finally:
        numba.set_num_threads(before)
