"""Matrices that are computed block by block instead of held: from embeddings, other matrices and a relevance."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from daa.metrics.inputs import Blocks, Queries
from daa.similarity import ensemble

SIMILARITIES = ("cosine", "dot")
HELD_AT_MOST = 1 << 28  # entries, one gigabyte of float32


class EmbeddingScores(Blocks):
    """Similarities of image and caption embeddings; the matrix is never whole.

    Args:
        images: one row an image.
        captions: one row a caption, as wide as the images'.
        similarity: `"cosine"` or `"dot"`.

    Raises:
        ValueError: if the two do not fit each other, or a row has length 0 and no cosine.

    >>> EmbeddingScores(np.eye(2), np.array([[2.0, 0.0], [0.0, 1.0], [3.0, 4.0]])).block("i2t", 0, 2).round(1).tolist()
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
            _rows(one, name, similarity) for one, name in ((images, "images"), (captions, "captions"))
        )
        if self.images.shape[1] != self.captions.shape[1]:
            raise ValueError(
                f"captions: expected embeddings as wide as the images', {self.images.shape[1]}, "
                f"got {self.captions.shape[1]}"
            )
        self.argument = "scores"
        self.shape = (len(self.images), len(self.captions))

    def _part(self, direction: str, queries: Queries) -> Tensor:
        if direction == "i2t":
            return self.images[queries] @ self.captions.T
        return self.captions[queries] @ self.images.T

    def select(self, images: slice, captions: np.ndarray) -> Blocks:
        return EmbeddingScores(self.images[images], self.captions[captions], "dot")


def _rows(embeddings: Any, argument: str, similarity: str) -> Tensor:
    checked = Blocks(embeddings, argument).matrix
    rows = torch.as_tensor(np.array(checked) if isinstance(checked, np.ndarray) else checked).float().cpu()
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


class EnsembleScores(Blocks):
    """The mean of several systems' scores, such as SGRAF of SAF and SGR; no matrix of its own is held.

    Args:
        systems: two or more, of one shape.

    Raises:
        ValueError: if there are fewer, or their shapes differ.

    >>> systems = [Blocks(np.full((1, 2), value), "scores") for value in (0.25, 0.75)]
    >>> EnsembleScores(systems).block("t2i", 0, 2).tolist()
    [[0.5], [0.5]]
    """

    def __init__(self, systems: Sequence[Blocks]) -> None:
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

    def _part(self, direction: str, queries: Queries) -> np.ndarray:
        return ensemble(*(one.rows(direction, queries) for one in self.systems))

    def select(self, images: slice, captions: np.ndarray) -> Blocks:
        return EnsembleScores([one.select(images, captions) for one in self.systems])


class StreamedRelevance(Blocks):
    """A fitted relevance whose blocks are computed when they are asked for; for matrices too large to hold.

    Args:
        relevance: fitted, with `matrix(rows=...)` and `batch(images, captions)`.
        argument: what error messages call it.
        images: the images that are looked at, by index; all by default.
        captions: the captions that are looked at, by index; all by default.
    """

    def __init__(
        self, relevance: Any, argument: str, images: np.ndarray | None = None, captions: np.ndarray | None = None
    ) -> None:
        self.relevance, self.argument = relevance, argument
        self.is_whole = images is None and captions is None
        self.images = np.arange(relevance.n_images) if images is None else images
        self.captions = np.arange(relevance.n_captions) if captions is None else captions
        self.shape = (len(self.images), len(self.captions))

    def _part(self, direction: str, queries: Queries) -> Any:
        if direction == "t2i":
            return self.relevance.batch(self.images, self.captions[queries]).T
        if self.is_whole:
            return self.relevance.matrix(rows=queries)
        return self.relevance.batch(self.images[queries], self.captions)

    def select(self, images: slice, captions: np.ndarray) -> Blocks:
        part = StreamedRelevance(self.relevance, self.argument, self.images[images], self.captions[captions])
        if part.shape[0] * part.shape[1] > HELD_AT_MOST:
            return part
        return Blocks(self.relevance.batch(part.images, part.captions), self.argument)

    def any_negative(self) -> bool:
        return self.relevance.minimum < 0


def relevance_blocks(relevance: Any, argument: str, stream: bool = False) -> Blocks:
    """A matrix, or the matrix of a fitted relevance: held whole if it is not too large, computed by blocks if it is.

    Args:
        relevance: a matrix, or a fitted relevance.
        argument: what error messages call it.
        stream: compute even a small one by blocks, since few of its rows are needed or many machines share them. A
            relevance that can be negative is an exception: what of it is negative shows in the whole matrix only.
    """
    if not hasattr(relevance, "matrix"):
        return Blocks(relevance, argument)
    too_large = getattr(relevance, "n_images", 0) * getattr(relevance, "n_captions", 0) > HELD_AT_MOST
    if too_large or (stream and hasattr(relevance, "batch") and relevance.minimum >= 0):
        return StreamedRelevance(relevance, argument)
    return Blocks(relevance.matrix(), argument)
