"""What scores are judged by, beside a graded relevance: positives in any of their forms, and object categories."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy import sparse
from torch import Tensor

from daa.corpus import Truth
from daa.matrix import check_direction, check_shape


class Positives(NamedTuple):
    """The matches of each query: boolean [queries, candidates], and R, how many are known, found here or not.

    Where a truth knows only some pairs, `judged` are the candidates that each query ranks, boolean as `matrix`.
    """

    matrix: sparse.csr_array
    n_positives: np.ndarray
    judged: sparse.csr_array | None = None

    @classmethod
    def of(cls, truth: Truth, direction: str) -> Positives:
        matrix = truth.positives_of(check_direction(direction))
        matrix.sort_indices()
        return cls(matrix, truth.n_positives(direction), truth.judged_of(direction))


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


class Labels:
    """The object categories seen in each image, and the image of each caption: what PMRP compares.

    Args:
        labels: boolean [images, classes].
        image_of_caption: [captions] integers.
        shape: images and captions of the scores.

    Raises:
        ValueError: if they do not fit the scores.
    """

    def __init__(self, labels: Any, image_of_caption: Any, shape: tuple[int, int]) -> None:
        self.codes = np.asarray(labels).astype(np.float32)
        self.image_of = np.asarray(image_of_caption).astype(np.int64)
        if self.codes.ndim != 2 or len(self.codes) != shape[0]:
            raise ValueError(f"labels: expected [{shape[0]} images, classes], got shape {self.codes.shape}")
        if self.image_of.shape != (shape[1],) or self.image_of.min() < 0 or self.image_of.max() >= shape[0]:
            raise ValueError(
                f"image_of_caption: expected the image, 0 to {shape[0] - 1}, of each of {shape[1]} captions, "
                f"got shape {self.image_of.shape} from {self.image_of.min()} to {self.image_of.max()}"
            )
        self.sizes = self.codes.sum(axis=1)
