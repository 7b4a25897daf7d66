"""Compiling kernels for the CPU, with a cache on disk where there is a place for one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


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
