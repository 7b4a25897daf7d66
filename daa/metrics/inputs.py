"""Reading what callers hand over: score matrices block by block, and positives in any of their forms."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import sparse
from torch import Tensor

from daa.corpus import Truth
from daa.metrics._transpose import transposed
from daa.names import DIRECTIONS

ITEMS_PER_BLOCK = 1 << 22
Queries = slice | np.ndarray  # a run of consecutive queries, or the indices of some


class Blocks:
    """An [images, captions] matrix, handed out as checked blocks of queries x candidates.

    The matrix is never held twice nor converted whole, so a memory-mapped array streams from its file.

    Args:
        matrix: torch tensor or numpy array (also memory-mapped) of float16, bfloat16, float32 or float64.
        argument: what error messages call it.

    Raises:
        ValueError: if it is not a two-dimensional matrix of floating-point numbers, or is empty.

    >>> Blocks(np.eye(2, 3), "scores").block("t2i", 0, 2)
    array([[1., 0.],
           [0., 1.]])
    """

    def __init__(self, matrix: Any, argument: str) -> None:
        if isinstance(matrix, Tensor):
            floating = matrix.dtype.is_floating_point
        elif isinstance(matrix, np.ndarray):
            floating = matrix.dtype.kind == "f"
        else:
            raise ValueError(f"{argument}: expected a torch tensor or a numpy array, got {type(matrix).__name__}")
        if matrix.ndim != 2:
            raise ValueError(f"{argument}: expected a matrix [images, captions], got shape {tuple(matrix.shape)}")
        if 0 in matrix.shape:
            raise ValueError(
                f"{argument}: expected at least one image and one caption, got shape {tuple(matrix.shape)}"
            )
        if not floating:
            raise ValueError(f"{argument}: expected floating-point numbers, got {matrix.dtype}; convert to float32")
        self.matrix = matrix.detach() if isinstance(matrix, Tensor) else matrix
        self.argument = argument
        self.shape: tuple[int, int] = (int(matrix.shape[0]), int(matrix.shape[1]))

    def n_queries(self, direction: str) -> int:
        return self.shape[check_direction(direction) == "t2i"]

    def n_candidates(self, direction: str) -> int:
        return self.shape[check_direction(direction) == "i2t"]

    def block(self, direction: str, start: int, stop: int) -> np.ndarray:
        """Queries `start` to `stop` as a C-ordered float32 (or float64) array; NaN and infinities are refused."""
        return self.rows(direction, slice(start, stop))

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        """Some queries, one row each, in the form of `block`; no other entry is read or computed."""
        part = self._part(direction, queries)
        if isinstance(part, Tensor):
            part = (part if part.dtype == torch.float64 else part.float()).cpu().numpy()
        dtype = np.float64 if part.dtype.itemsize >= 8 else np.float32
        rows = np.ascontiguousarray(part, dtype=dtype)
        rows = rows if rows.flags.writeable else rows.copy()  # torch takes no read-only memory
        if not (np.isfinite(rows.min()) and np.isfinite(rows.max())):
            query, candidate = (int(i) for i in np.argwhere(~np.isfinite(rows))[0])
            number = int(np.arange(self.n_queries(direction))[queries][query])
            image, caption = (number, candidate) if direction == "i2t" else (candidate, number)
            raise ValueError(
                f"{self.argument}: expected finite numbers, got {rows[query, candidate]} "
                f"at image {image}, caption {caption} (counted from 0)"
            )
        return rows

    def _part(self, direction: str, queries: Queries) -> Any:
        """Queries x candidates, unchecked; what a subclass that computes its entries replaces, with `select`."""
        if direction == "i2t":
            return self.matrix[queries]
        part = self.matrix[:, queries]
        fits = isinstance(part, np.ndarray) and part.dtype in (np.float32, np.float64) and part.dtype.isnative
        return transposed(np.asarray(part)) if fits else part.T

    def select(self, images: slice, captions: np.ndarray) -> Blocks:
        """The part of some images and some captions; a view, no copy, where the captions are consecutive."""
        consecutive = slice(int(captions[0]), int(captions[-1]) + 1)
        is_run = consecutive.stop - consecutive.start == len(captions) and (np.diff(captions) == 1).all()
        return Blocks(self.matrix[images][:, consecutive if is_run else captions], self.argument)

    def any_negative(self) -> bool:
        return bool(self.matrix.min() < 0)


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


class Positives(NamedTuple):
    """The matches of each query: boolean [queries, candidates], and R, how many are known, found here or not."""

    matrix: sparse.csr_array
    n_positives: np.ndarray

    @classmethod
    def of(cls, truth: Truth, direction: str) -> Positives:
        matrix = truth.direction(check_direction(direction))
        matrix.sort_indices()
        return cls(matrix, truth.n_positives(direction))

    def rows(self, queries: Queries) -> Positives:
        return Positives(self.matrix[queries], self.n_positives[queries])


def as_positives(positives: Any, shape: tuple[int, int], direction: str) -> Positives:
    """Positives of any form, by query.

    Args:
        positives: a `Truth`; or a boolean matrix [images, captions], dense or sparse; or for each caption the index
            of its image, [captions] integers.
        shape: images and captions of the scores.
        direction: `"i2t"` or `"t2i"`.

    Raises:
        ValueError: if they do not fit the scores or hold no pair at all.

    >>> as_positives(np.array([0, 0, 1]), (2, 3), "i2t").matrix.toarray().astype(int)
    array([[1, 1, 0],
           [0, 0, 1]])
    """
    truth = positives if isinstance(positives, Truth) else Truth(_pairs(positives, shape))
    check_shape("positives", truth.i2t.shape, shape, "the scores")
    result = Positives.of(truth, direction)
    if result.matrix.nnz == 0:
        raise ValueError(f"positives: expected at least one matching pair in direction {direction}, got none")
    return result


def _pairs(positives: Any, shape: tuple[int, int]) -> sparse.csr_array:
    if sparse.issparse(positives):
        return sparse.csr_array(positives)
    array = positives.detach().cpu().numpy() if isinstance(positives, Tensor) else np.asarray(positives)
    if array.ndim == 2 and array.dtype == bool:
        return sparse.csr_array(array)
    if array.ndim == 1 and array.dtype.kind in "iu":
        if len(array) != shape[1]:
            raise ValueError(f"positives: expected the image of each of {shape[1]} captions, got {len(array)} indices")
        if array.min() < 0 or array.max() >= shape[0]:
            raise ValueError(
                f"positives: expected image indices from 0 to {shape[0] - 1}, got {array.min()} to {array.max()}"
            )
        return sparse.csr_array((np.ones(len(array), bool), (array, np.arange(len(array)))), shape=shape)
    raise ValueError(
        "positives: expected a Truth, a boolean matrix [images, captions] or the image index of each caption, "
        f"got shape {array.shape} of {array.dtype}"
    )
