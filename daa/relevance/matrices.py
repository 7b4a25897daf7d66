"""A fitted relevance as a matrix that is read by rows: held, or computed block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from daa.matrix import Matrix, Queries, as_matrix, checked_rows

HELD_AT_MOST = 1 << 28  # entries, one gigabyte of float32


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
        self._held: Matrix | None = None

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        if self._may_hold and self._held is None and (isinstance(queries, slice) or self.relevance.minimum < 0):
            whole = self.relevance.matrix() if self.is_whole else self.relevance.batch(self.images, self.captions)
            self._held = as_matrix(whole, self.argument)
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
