"""What is read by rows: a matrix [images, captions] in memory, in a file, or computed when it is asked for."""

from __future__ import annotations

import os
from dataclasses import dataclass
from mmap import mmap
from typing import Any, Protocol, no_type_check, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.names import DIRECTIONS

ITEMS_PER_BLOCK = 1 << 22
Queries = slice | np.ndarray  # a run of consecutive queries, or the indices of some
ImagesByCaptions = Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"]


@runtime_checkable
class Matrix(Protocol):
    """Numbers [images, captions] that are read by rows; where they come from is its own business.

    Attributes:
        shape: images and captions.
        argument: what error messages call it.
    """

    shape: tuple[int, int]
    argument: str

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        """Some queries against all candidates; no other entry is read or computed.

        Args:
            direction: `"i2t"`, a row is an image; `"t2i"`, a row is a caption.
            queries: a run of consecutive ones, or the indices of some.

        Returns:
            [queries, candidates], C-ordered float32 or float64, writeable and finite.

        Raises:
            ValueError: for NaN or an infinity, with its place.
        """
        ...

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        """The part of some images and some captions."""
        ...

    def travels(self) -> bool:
        """Whether a worker gets it whole, once; else each task takes along the rows it needs."""
        return False

    def any_negative(self) -> bool:
        """Whether any number is below 0."""
        n_images, n_captions = self.shape
        parts = runs(n_images, max(1, ITEMS_PER_BLOCK // n_captions))
        return any(bool((self.rows("i2t", images) < 0).any()) for images in parts)


@dataclass(eq=False)
class ArrayMatrix(Matrix):
    """An array or a tensor; it is never held twice nor converted whole, so a memory-mapped one streams from its file.

    `as_matrix` makes one, and checks what it is made of.
    """

    array: Any
    argument: str
    shape: tuple[int, int]

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        if check_direction(direction) == "i2t":
            return checked_rows(self.array[queries], self, direction, queries)
        part = self.array[:, queries]
        if isinstance(part, np.ndarray) and part.dtype in (np.float32, np.float64) and part.dtype.isnative:
            turned = np.empty(part.shape[::-1], part.dtype)
            with threads_for(part.size):
                _copy_transposed(np.asarray(part), turned)  # on every core: numpy's own copy takes one
            return checked_rows(turned, self, direction, queries)
        return checked_rows(part.T, self, direction, queries)

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        """A view, no copy, where the captions are consecutive."""
        run = slice(int(captions[0]), int(captions[-1]) + 1)
        is_run = run.stop - run.start == len(captions) and (np.diff(captions) == 1).all()
        return as_matrix(self.array[images][:, run if is_run else captions], self.argument)

    def travels(self) -> bool:
        """If it lies in a file: what travels is the place of its entries there."""
        return _place_in_file(self.array) is not None

    def any_negative(self) -> bool:
        return bool(self.array.min() < 0)

    def __getstate__(self) -> dict[str, Any]:
        place = _place_in_file(self.array)
        return self.__dict__ if place is None else {"argument": self.argument, "shape": self.shape, "place": place}

    def __setstate__(self, state: dict[str, Any]) -> None:
        place = state.pop("place", None)
        self.__dict__.update(state)
        if place is not None:
            path, dtype, offset, strides = place
            self.array = np.ndarray(self.shape, dtype, np.memmap(path, np.uint8, mode="r"), offset, strides)


def _place_in_file(array: Any) -> tuple[str, np.dtype, int, tuple[int, ...]] | None:
    """Path, type, offset and strides of a memory-mapped matrix or of a view of one; None if its file has others."""
    root = array
    while isinstance(root, np.ndarray) and isinstance(root.base, np.ndarray):
        root = root.base
    if not (isinstance(root, np.memmap) and isinstance(root.base, mmap) and root.mode == "r") or root.filename is None:
        return None
    offset = root.offset + array.__array_interface__["data"][0] - root.__array_interface__["data"][0]
    return os.path.abspath(root.filename), array.dtype, offset, array.strides


def as_matrix(value: Any, argument: str) -> Matrix:
    """A `Matrix` as it is, or an array or tensor as one.

    Args:
        value: a `Matrix`, or a torch tensor or numpy array (also memory-mapped) of float16, bfloat16, float32 or
            float64.
        argument: what error messages call it.

    Raises:
        ValueError: if it is not a two-dimensional matrix of floating-point numbers, or is empty.

    >>> as_matrix(np.eye(2, 3), "scores").rows("t2i", slice(0, 2))
    array([[1., 0.],
           [0., 1.]])
    """
    if isinstance(value, Matrix):
        return value
    if isinstance(value, Tensor):
        floating = value.dtype.is_floating_point
    elif isinstance(value, np.ndarray):
        floating = value.dtype.kind == "f"
    else:
        raise ValueError(f"{argument}: expected a torch tensor or a numpy array, got {type(value).__name__}")
    if value.ndim != 2:
        raise ValueError(f"{argument}: expected a matrix [images, captions], got shape {tuple(value.shape)}")
    if 0 in value.shape:
        raise ValueError(f"{argument}: expected at least one image and one caption, got shape {tuple(value.shape)}")
    if not floating:
        raise ValueError(f"{argument}: expected floating-point numbers, got {value.dtype}; convert to float32")
    shape = (int(value.shape[0]), int(value.shape[1]))
    return ArrayMatrix(value.detach() if isinstance(value, Tensor) else value, argument, shape)


def checked_rows(part: Any, matrix: Matrix, direction: str, queries: Queries) -> np.ndarray:
    """What `Matrix.rows` returns, from an array or tensor [queries, candidates] of any floating-point type.

    Raises:
        ValueError: for NaN or an infinity, with its place.
    """
    if isinstance(part, Tensor):
        part = (part if part.dtype == torch.float64 else part.float()).cpu().numpy()
    rows = np.ascontiguousarray(part, dtype=np.float64 if part.dtype.itemsize >= 8 else np.float32)
    rows = rows if rows.flags.writeable else rows.copy()  # torch takes no read-only memory
    if not (np.isfinite(rows.min()) and np.isfinite(rows.max())):
        query, candidate = (int(i) for i in np.argwhere(~np.isfinite(rows))[0])
        number = int(np.arange(by_query(matrix.shape, direction)[0])[queries][query])
        image, caption = (number, candidate) if direction == "i2t" else (candidate, number)
        raise ValueError(
            f"{matrix.argument}: expected finite numbers, got {rows[query, candidate]} "
            f"at image {image}, caption {caption} (counted from 0)"
        )
    return rows


def by_query(shape: tuple[int, int], direction: str) -> tuple[int, int]:
    """How many queries and how many candidates there are.

    >>> by_query((2, 10), "t2i")
    (10, 2)
    """
    return shape if check_direction(direction) == "i2t" else (shape[1], shape[0])


def runs(n: int, size: int) -> list[slice]:
    """Consecutive runs of `size` out of n, the last one shorter where they do not divide it."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def check_direction(direction: str) -> str:
    if direction not in DIRECTIONS:
        raise ValueError(f'direction: expected "i2t" or "t2i", got {direction!r}')
    return direction


def check_shape(argument: str, shape: tuple[int, ...], expected: tuple[int, int], like: str) -> None:
    """Refuse a matrix that is not [images, captions] as expected, saying so when it would fit transposed."""
    if tuple(shape) != tuple(expected):
        hint = "; it looks transposed: rows are images, columns are captions" if shape[::-1] == tuple(expected) else ""
        raise ValueError(
            f"{argument}: expected [{expected[0]} images, {expected[1]} captions] like {like}, "
            f"got shape {tuple(int(side) for side in shape)}{hint}"
        )


_TILE = 32


@njit(parallel=True)
@no_type_check
def _copy_transposed(source, target):
    n, m = source.shape
    for tile in prange((m + _TILE - 1) // _TILE):
        left, right = tile * _TILE, min((tile + 1) * _TILE, m)
        for top in range(0, n, _TILE):
            bottom = min(top + _TILE, n)
            for j in range(left, right):
                for i in range(top, bottom):
                    target[j, i] = source[i, j]
