"""How many threads a compiled kernel gets."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import numba
import torch

SMALL = 1 << 16


@contextmanager
def threads_for(n_items: int) -> Iterator[None]:
    """As many threads as torch has, or one for small work, where waking the others costs more than it saves.

    Both share one OpenMP, so a kernel's number would stay torch's: on a busy machine, where two threads that should be
    one wait for each other, a training step took ten times as long.
    """
    of_torch, of_numba = torch.get_num_threads(), numba.get_num_threads()
    numba.set_num_threads(1 if n_items < SMALL else min(of_numba, of_torch))
    try:
        yield
    finally:
        numba.set_num_threads(of_numba)
        torch.set_num_threads(of_torch)
