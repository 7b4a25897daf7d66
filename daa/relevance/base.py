"""The one interface of every relevance: how alike a caption is to the captions of an image."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from jaxtyping import Float32
from numpy.typing import NDArray
from torch import Tensor

from daa.corpus import CaptionCorpus, CaptionsByImage

Fitted = TypeVar("Fitted", bound="Relevance")


class Relevance(ABC):
    """How alike each caption is to the captions of each image, as a matrix images x captions.

    Fit once on a corpus, then ask for the whole matrix, for some of its rows, or for the block of a training batch.
    One number serves both directions of retrieval. A caption without a word (after the tokenizer) has relevance 0.

    Attributes:
        name: what reports and configurations call it.
        minimum, maximum: the range of its values.
    """

    name: str
    minimum: float = 0.0
    maximum: float = 1.0
    corpus_name: str | None = None
    df_note: str = ""
    n_images: int
    n_captions: int
    image_of_caption: NDArray[np.int64]
    captions_by_image: CaptionsByImage

    def fit(self: Fitted, corpus: CaptionCorpus, df_corpus: CaptionCorpus | None = None) -> Fitted:
        """Read the corpus's captions.

        Args:
            corpus: the captions and their images; the axes of the matrix.
            df_corpus: where rare and frequent words are told apart (document frequencies), for instance the training
                set; by default the corpus itself. Ignored by a relevance without document frequencies.

        Returns:
            itself.
        """
        self.n_images, self.n_captions = corpus.n_images, corpus.n_captions
        self.image_of_caption = corpus.image_of_caption
        self.captions_by_image = corpus.captions_by_image
        self._fit(corpus, df_corpus if df_corpus is not None else corpus)
        self.corpus_name = corpus.name
        self.df_note = "" if df_corpus is None else f", document frequencies of {df_corpus.name}"
        return self

    def matrix(
        self, rows: slice | Sequence[int] | NDArray[np.int64] | None = None
    ) -> Float32[np.ndarray, "rows captions"]:
        """The relevance of every caption to every image, or to the images of some rows.

        Args:
            rows: which images, a slice or indices; all by default. Blocks of rows stream a matrix that would not fit
                into memory.

        Raises:
            ValueError: if rows are no indices of images.
        """
        self._check_fitted()
        if rows is None or isinstance(rows, slice):
            return self._matrix(np.arange(self.n_images)[rows or slice(None)])
        return self._matrix(_indices(rows, self.n_images, "rows"))

    def batch(self, images: Any, captions: Any) -> Float32[Tensor, "b c"]:
        """The relevance of some captions to some images, for a training batch.

        Args:
            images: indices of `b` images; an image may come several times.
            captions: indices of `c` captions; a caption may come several times.
        """
        self._check_fitted()
        chosen_images = _indices(images, self.n_images, "images")
        chosen_captions = _indices(captions, self.n_captions, "captions")
        return torch.from_numpy(self._batch(chosen_images, chosen_captions))

    @abstractmethod
    def describe(self) -> str:
        """One line: the definition and the options."""

    @abstractmethod
    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None: ...

    @abstractmethod
    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]: ...

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        distinct, position = np.unique(images, return_inverse=True)
        return np.ascontiguousarray(self._matrix(distinct)[position][:, captions])

    def _check_fitted(self) -> None:
        if self.corpus_name is None:
            raise ValueError(f"{type(self).__name__}: expected a fitted relevance; call .fit(corpus) first")

    def __repr__(self) -> str:
        state = "not fitted" if self.corpus_name is None else f"fitted on {self.corpus_name}"
        return f"{type(self).__name__}({self.describe()}; {state})"


def _indices(indices: Any, size: int, argument: str) -> NDArray[np.int64]:
    array = indices.detach().cpu().numpy() if isinstance(indices, Tensor) else np.asarray(indices)
    if array.ndim != 1 or array.size == 0 or array.dtype.kind not in "iu":
        raise ValueError(f"{argument}: expected a list of at least one index, got shape {array.shape} of {array.dtype}")
    if array.min() < 0 or array.max() >= size:
        raise ValueError(f"{argument}: expected indices from 0 to {size - 1}, got {array.min()} to {array.max()}")
    return array.astype(np.int64)
