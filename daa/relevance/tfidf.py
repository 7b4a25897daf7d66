"""Captions as TF-IDF weighted n-grams: CIDEr, and the cosine that the authors' released code calls CIDEr."""

from __future__ import annotations

from abc import abstractmethod

import numba
import numpy as np
from numpy.typing import NDArray
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from daa.compiled import threads_for
from daa.corpus import CaptionCorpus
from daa.relevance import _products
from daa.relevance.base import Relevance
from daa.relevance.ngrams import (
    MAX_COUNT,
    Ngrams,
    Tokenizer,
    count_ngrams,
    document_frequency,
    ptb_like,
    tokenizer_name,
)

SIGMA = 6.0


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
        counts = self.captions_by_image.counts
        if self.leave_out_self and (counts < 2).any():
            image = int(np.argmin(counts))
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
                columns = own = self.captions_by_image.of(image)
                if captions is not None:
                    columns = np.flatnonzero(self.image_of_caption[captions] == image)
                    own = captions[columns]
                out[row, columns] = _products.similarity_to_others(self._vectors, image, own)
        return out


class TfidfRelevance(VectorRelevance):
    r"""Cosine of TF-IDF vectors, averaged over the image's captions; from 0 to 1.

    $$ C(i, c) = \frac{1}{|R_i|} \sum_{r \in R_i} \cos(x_r, x_c), \qquad
       x_{c,w} = \mathrm{tf}_{c,w} \left( 1 + \ln \frac{1 + N}{1 + \mathrm{df}_w} \right) $$

    with the defaults of scikit-learn: words of two or more letters or digits in lower case, df the number of captions
    with the word, N the number of captions. So "a" does not count, and there are no n-grams. A caption that belongs to
    the image is compared with itself as well, which adds 1 / |R_i|, unless `leave_out_self`.

    Args:
        leave_out_self: compare an image's own caption with the image's other captions only.

    Source: `coco_cider_compute` in the released code of DAA (PCME-DAA), NeurIPS 2022.

    >>> corpus = CaptionCorpus(["a red dog", "a dog", "two cats", "some cats"], [0, 0, 1, 1])
    >>> print(TfidfRelevance().fit(corpus).matrix().round(2))
    [[0.81 0.81 0.   0.  ]
     [0.   0.   0.69 0.69]]
    """

    name = "tfidf"

    def describe(self) -> str:
        own = "the image's other captions" if self.leave_out_self else "the image's captions"
        return f"cosine of TF-IDF unigrams (scikit-learn's defaults), mean over {own}, scale 0 to 1{self.df_note}"

    def _vectorize(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> _products.Vectors:
        vectorizer = CountVectorizer()
        try:
            df_counts = vectorizer.fit_transform(df_corpus.captions)
        except ValueError:
            raise ValueError(
                f"corpus: expected captions with words of two or more letters, found none in {df_corpus.name}"
            ) from None
        idf = TfidfTransformer().fit(df_counts).idf_
        counts = df_counts if df_corpus is corpus else vectorizer.transform(corpus.captions)
        counts.sort_indices()
        if counts.nnz and counts.data.max() > MAX_COUNT:
            raise ValueError(f"captions: expected no word more than {MAX_COUNT} times, got {counts.data.max()}")
        grams = Ngrams(
            indptr=counts.indptr.astype(np.int64),
            feature=counts.indices.astype(np.int32),
            count=counts.data.astype(np.uint16),
            bounds=np.array([0, len(idf)], dtype=np.int64),
        )
        return _products.Vectors(
            *grams,
            *self.captions_by_image,
            idf=idf.astype(np.float32),
            inverse_norm=_products.inverse_norms(grams, idf),
            length=np.zeros(corpus.n_captions, dtype=np.int32),
            penalty=np.ones((1, 1), dtype=np.float32),
            clip=False,
            scale=1.0,
        )


class CiderRelevance(VectorRelevance):
    r"""CIDEr-D of a caption against the captions of an image, equal to pycocoevalcap's scores; from 0 to 10.

    $$ C(i, c) = \frac{10}{4 |R_i|} \sum_{r \in R_i} e^{-(l_c - l_r)^2 / 2 \sigma^2} \sum_{n=1}^{4}
       \sum_{g} \frac{\min(h_g, r_g)\, r_g\, \mathrm{idf}_g^2}{\|h_n\| \|r_n\|} $$

    over the n-grams g of order n, which the candidate c has h_g times and the reference r has r_g times;
    idf_g = log N - log max(1, the number of images whose captions have g), N images; the norms are those of
    counts times idf; l is the number of bigrams; sigma = 6.

    Args:
        variant: `"cider-d"`, what pycocoevalcap calls CIDEr, or `"cider"`: without clipping and length penalty, the
            plain cosine h_g r_g, on the same scale.
        tokenizer: from a caption to its words; `ptb_like` by default, `str.split` for text tokenized already.
        leave_out_self: compare an image's own caption with the image's other captions only.

    Source: Vedantam et al., CIDEr: Consensus-based Image Description Evaluation, CVPR 2015, equations 1 to 4.

    >>> corpus = CaptionCorpus(["a red dog", "a dog", "two cats", "some cats"], [0, 0, 1, 1])
    >>> print(CiderRelevance().fit(corpus).matrix().round(2))
    [[4.76 3.51 0.   0.  ]
     [0.   0.   3.12 3.12]]
    """

    maximum = 10.0

    def __init__(self, variant: str = "cider-d", tokenizer: Tokenizer = ptb_like, leave_out_self: bool = False) -> None:
        super().__init__(leave_out_self)
        if variant not in ("cider-d", "cider"):
            raise ValueError(f'variant: expected "cider-d" or "cider", got {variant!r}')
        self.variant = self.name = variant
        self.tokenizer = tokenizer

    def describe(self) -> str:
        penalty = f"counts clipped, length penalty sigma {SIGMA:g}, " if self.variant == "cider-d" else ""
        own = "the image's other captions" if self.leave_out_self else "the image's captions"
        name = {"cider-d": "CIDEr-D", "cider": "CIDEr"}[self.variant]
        return (
            f"{name}, n-grams of 1 to 4 words, {penalty}mean over {own}, scale 0 to 10, "
            f"tokenizer {tokenizer_name(self.tokenizer)}{self.df_note}"
        )

    def _vectorize(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> _products.Vectors:
        if df_corpus.n_images < 2:
            raise ValueError(
                f"corpus: expected at least 2 images to tell rare from frequent words, got {df_corpus.n_images} in "
                f"{df_corpus.name}, where every CIDEr would be 0; give df_corpus with more images"
            )
        same = df_corpus is corpus
        captions = corpus.captions if same else [*corpus.captions, *df_corpus.captions]
        counts, n_words = count_ngrams(captions, self.tokenizer)
        of_df = counts if same else counts.part(corpus.n_captions, len(captions))
        n_images_with = document_frequency(of_df, df_corpus.captions_by_image)
        idf = np.log(df_corpus.n_images) - np.log(np.maximum(1, n_images_with))
        if not same:
            counts, kept = counts.part(0, corpus.n_captions).without_unused()
            idf, n_words = idf[kept], n_words[: corpus.n_captions]
        clip = self.variant == "cider-d"
        n_bigrams = np.maximum(n_words - 1, 0) if clip else np.zeros_like(n_words)
        lengths, length = np.unique(n_bigrams, return_inverse=True)
        return _products.Vectors(
            *counts,
            *self.captions_by_image,
            idf=idf.astype(np.float32),
            inverse_norm=_products.inverse_norms(counts, idf),
            length=length.astype(np.int32),
            penalty=np.exp(-((lengths[:, None] - lengths) ** 2) / (2 * SIGMA**2)).astype(np.float32),
            clip=clip,
            scale=10.0 / 4,
        )
