"""Compiling kernels for the CPU, with a cache on disk where there is a place for one, and running them beside torch."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numba
import torch

SMALL = 1 << 16


def njit(**options: Any) -> Callable[[Callable], Callable]:
    """`numba.njit(cache=True)` that also works where nothing can be written.

    numba keeps compiled code beside the source file or else in the user's cache directory, and raises a RuntimeError at
    import when both are read-only, as in some containers. Here such a function is compiled anew in each process.

    >>> @njit()
    ... def double(x):
    ...     return 2 * x
    >>> double(21)
    42
    """

    def decorate(function: Callable) -> Callable:
        try:
            return numba.njit(**{"cache": True, **options})(function)
        except RuntimeError as error:
            if "cannot cache" not in str(error):
                raise
            return numba.njit(**{**options, "cache": False})(function)

    return decorate


@contextmanager
def threads_for(n_items: int = SMALL) -> Iterator[None]:
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
