"""Matrices that are computed when they are asked for: from embeddings, from other matrices, from a relevance."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from daa.matrix import ArrayMatrix, Matrix, Queries, as_matrix, checked_rows
from daa.similarity import ensemble

SIMILARITIES = ("cosine", "dot")
HELD_AT_MOST = 1 << 28  # entries, one gigabyte of float32


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
    checked = ArrayMatrix(embeddings, argument).array
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


class EnsembleScores(Matrix):
    """The mean of several systems' scores, such as SGRAF of SAF and SGR; no matrix of its own is held.

    Args:
        systems: two or more, of one shape.

    Raises:
        ValueError: if there are fewer, or their shapes differ.

    >>> systems = [ArrayMatrix(np.full((1, 2), value), "scores") for value in (0.25, 0.75)]
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


class RelevanceMatrix(Matrix):
    """The matrix of a fitted relevance: held if it is small enough and all of it is read, computed by blocks if not.

    A run of consecutive queries comes from a reader of all of them, so the first one makes the matrix whole; queries by
    their indices come from a reader of a sample. What can be negative is held, too: whether it is shows in the whole
    only. A worker shares the rows with others, and holds nothing.

    Args:
        relevance: fitted, with `n_images`, `n_captions`, `minimum`, `matrix(rows=...)` and `batch(images, captions)`.
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
        self._may_hold = self.shape[0] * self.shape[1] <= HELD_AT_MOST
        self._held: ArrayMatrix | None = None

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        if self._may_hold and self._held is None and (isinstance(queries, slice) or self.relevance.minimum < 0):
            whole = self.relevance.matrix() if self.is_whole else self.relevance.batch(self.images, self.captions)
            self._held = ArrayMatrix(whole, self.argument)
        if self._held is not None:
            return self._held.rows(direction, queries)
        if direction == "t2i":
            part = self.relevance.batch(self.images, self.captions[queries]).T
        elif self.is_whole:
            part = self.relevance.matrix(rows=queries)
        else:
            part = self.relevance.batch(self.images[queries], self.captions)
        return checked_rows(part, self, direction, queries)

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        if self._held is not None:
            return self._held.select(images, captions)
        return RelevanceMatrix(self.relevance, self.argument, self.images[images], self.captions[captions])

    def travels(self) -> bool:
        """Unless its own rows are less to send than what computes them."""
        if self._may_hold:
            return self._held is None and self.is_whole and self.relevance.minimum >= 0
        return True

    def any_negative(self) -> bool:
        return self.relevance.minimum < 0 and (not self._may_hold or super().any_negative())

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_may_hold": False, "_held": None}


def named_relevance(relevance: Any) -> dict[str, Matrix]:
    """Relevance matrices by name, from whatever form `evaluate` takes.

    Raises:
        ValueError: for one without a name, or two of one name.

    >>> list(named_relevance({"mine": np.eye(2)}))
    ['mine']
    """
    if relevance is None:
        return {}
    if isinstance(relevance, Mapping):
        named = {str(key): value for key, value in relevance.items()}
    else:
        several = list(relevance) if isinstance(relevance, (list, tuple)) else [relevance]
        for one in several:
            if not (hasattr(one, "matrix") and hasattr(one, "name")):
                raise ValueError(
                    "relevance: expected a fitted relevance, or {name: matrix} since an ASP has to name its relevance, "
                    f"got {type(one).__name__}"
                )
        names = [one.name for one in several]
        if len(set(names)) < len(names):
            raise ValueError(f"relevance: expected distinct names, got {', '.join(names)}; give them as {{name: one}}")
        named = dict(zip(names, several, strict=True))
    matrices: dict[str, Matrix] = {}
    for key, value in named.items():
        is_fitted = hasattr(value, "matrix") and not isinstance(value, Matrix)
        argument = f"relevance {key}"
        if is_fitted and hasattr(value, "batch"):
            matrices[key] = RelevanceMatrix(value, argument)
        else:
            matrices[key] = as_matrix(value.matrix() if is_fitted else value, argument)
    return matrices
