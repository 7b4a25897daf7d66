"""What TF-IDF and CIDEr have in common: captions as weighted sparse vectors, compared by a sparse product."""

from __future__ import annotations

from abc import abstractmethod

import numba
import numpy as np
from numpy.typing import NDArray

from daa.compiled import threads_for
from daa.corpus import CaptionCorpus
from daa.relevance import _products
from daa.relevance.base import Relevance


class VectorRelevance(Relevance):
    """Mean over an image's captions of a similarity that is a sparse product of two captions' vectors.

    Args:
        leave_out_self: compare an image's own caption with the image's other captions only. Every image then needs at
            least two captions.
    """

    _vectors: _products.Vectors
    _index: _products.Index | None

    def __init__(self, leave_out_self: bool = False) -> None:
        self.leave_out_self = leave_out_self

    @abstractmethod
    def _vectorize(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> _products.Vectors: ...

    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None:
        if self.leave_out_self and (np.diff(self.reference_indptr) < 2).any():
            image = int(np.argmin(np.diff(self.reference_indptr)))
            raise ValueError(
                f"leave_out_self: expected at least two captions an image, but image {image} of {corpus.name} has one; "
                f"leave such images out or set leave_out_self=False"
            )
        self._vectors = self._vectorize(corpus, df_corpus)
        self._index = None

    @property
    def nbytes(self) -> int:
        """Memory that the fitted vectors take, in bytes, the index that `matrix` adds left out."""
        return sum(field.nbytes for field in self._vectors if isinstance(field, np.ndarray))

    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        v = self._vectors
        if self._index is None:
            captions = np.arange(self.n_captions)
            self._index = _products.invert(v, captions, v.feature, len(v.idf))
        out = np.zeros((len(images), self.n_captions), dtype=np.float32)
        with threads_for():
            n_chunks = max(1, min(len(images), 8 * numba.get_num_threads()))
            _products.product_rows(v, self._index, images, n_chunks, out)
        return self._finish(out, images, None)

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._finish(_products.product_batch(self._vectors, images, captions), images, captions)

    def _finish(
        self, out: NDArray[np.float32], images: NDArray[np.int64], captions: NDArray[np.int64] | None
    ) -> NDArray[np.float32]:
        if self.leave_out_self:
            for row, image in enumerate(images):
                columns = (
                    self.references[self.reference_indptr[image] : self.reference_indptr[image + 1]]
                    if captions is None
                    else np.flatnonzero(self.image_of_caption[captions] == image)
                )
                own = columns if captions is None else captions[columns]
                out[row, columns] = _products.similarity_to_others(self._vectors, image, own)
        return out
