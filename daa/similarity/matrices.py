"""Scores that are computed when their rows are asked for: from embeddings, or from other matrices."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from daa.matrix import ArrayMatrix, Matrix, Queries, as_matrix, checked_rows
from daa.similarity.pairwise import ensemble

SIMILARITIES = ("cosine", "dot")


class EmbeddingScores(Matrix):
    """Similarities of image and caption embeddings; the matrix is never whole.

    Args:
        images: one row an image.
        captions: one row a caption, as wide as the images'.
        similarity: `"cosine"` or `"dot"`.

    Raises:
        ValueError: if the two do not fit each other, or a row has length 0 and no cosine.

    >>> scores = EmbeddingScores(np.eye(2), np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 4.0]]))
    >>> scores.rows("i2t", slice(0, 2)).round(1).tolist()
    [[1.0, 0.0, 0.6000000238418579], [0.0, 1.0, 0.800000011920929]]
    """

    def __init__(
        self,
        images: Float[Tensor, "images width"] | Float[np.ndarray, "images width"],
        captions: Float[Tensor, "captions width"] | Float[np.ndarray, "captions width"],
        similarity: str = "cosine",
    ) -> None:
        if similarity not in SIMILARITIES:
            raise ValueError(f"similarity: expected one of {', '.join(SIMILARITIES)}, got {similarity!r}")
        self.images, self.captions = (
            _embeddings(one, name, similarity) for one, name in ((images, "images"), (captions, "captions"))
        )
        if self.images.shape[1] != self.captions.shape[1]:
            raise ValueError(
                f"captions: expected embeddings as wide as the images', {self.images.shape[1]}, "
                f"got {self.captions.shape[1]}"
            )
        self.argument = "scores"
        self.shape = (len(self.images), len(self.captions))

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        sides = (self.images, self.captions) if direction == "i2t" else (self.captions, self.images)
        return checked_rows(sides[0][queries] @ sides[1].T, self, direction, queries)

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        return EmbeddingScores(self.images[images], self.captions[captions], "dot")

    def travels(self) -> bool:
        return True


def _embeddings(embeddings: Any, argument: str, similarity: str) -> Tensor:
    matrix = as_matrix(embeddings, argument)
    if not isinstance(matrix, ArrayMatrix):
        raise ValueError(f"{argument}: expected a torch tensor or a numpy array, got {type(matrix).__name__}")
    array = matrix.array
    rows = torch.as_tensor(np.array(array) if isinstance(array, np.ndarray) else array).float().cpu()
    if not rows.isfinite().all():
        row = int((~rows.isfinite()).any(dim=1).int().argmax())
        raise ValueError(f"{argument}: expected finite numbers, but row {row} (counted from 0) has others")
    if similarity == "dot":
        return rows
    lengths = rows.norm(dim=1, keepdim=True)
    if (lengths == 0).any():
        row = int((lengths == 0).int().argmax())
        raise ValueError(f"{argument}: expected rows with a direction, but row {row} (counted from 0) is all zero")
    return rows / lengths


class EnsembleScores(Matrix):
    """The mean of several systems' scores, such as SGRAF of SAF and SGR; no matrix of its own is held.

    Args:
        systems: two or more, of one shape.

    Raises:
        ValueError: if there are fewer, or their shapes differ.

    >>> systems = [as_matrix(np.full((1, 2), value), "scores") for value in (0.25, 0.75)]
    >>> EnsembleScores(systems).rows("t2i", slice(0, 2)).tolist()
    [[0.5], [0.5]]
    """

    def __init__(self, systems: Sequence[Matrix]) -> None:
        if len(systems) < 2:
            raise ValueError(f"ensemble: expected two or more systems, got {len(systems)}")
        self.systems = tuple(systems)
        self.argument = "ensemble"
        self.shape = systems[0].shape
        for one in systems:
            if one.shape != self.shape:
                raise ValueError(
                    f"ensemble: expected the shape of {systems[0].argument}, {self.shape}, of all, got {one.shape} "
                    f"of {one.argument}"
                )

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        mean = ensemble(*(one.rows(direction, queries) for one in self.systems))
        return checked_rows(mean, self, direction, queries)

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        return EnsembleScores([one.select(images, captions) for one in self.systems])

    def travels(self) -> bool:
        return all(one.travels() for one in self.systems)
