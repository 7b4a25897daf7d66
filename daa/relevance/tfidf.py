"""The relevance that the authors' released code calls CIDEr: cosine of TF-IDF unigrams."""

from __future__ import annotations

import numpy as np
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from daa.corpus import CaptionCorpus
from daa.relevance import _products
from daa.relevance.ngrams import MAX_COUNT
from daa.relevance.vectors import VectorRelevance


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
        indptr, feature = counts.indptr.astype(np.int64), counts.indices.astype(np.int32)
        count = counts.data.astype(np.uint16)
        bounds = np.array([0, len(idf)], dtype=np.int64)
        return _products.Vectors(
            indptr=indptr,
            feature=feature,
            count=count,
            idf=idf.astype(np.float32),
            bounds=bounds,
            inverse_norm=_products.inverse_norms(indptr, feature, count, idf, bounds),
            length=np.zeros(corpus.n_captions, dtype=np.int32),
            penalty=np.ones((1, 1), dtype=np.float32),
            clip=False,
            scale=1.0,
            reference_indptr=self.reference_indptr,
            references=self.references,
        )
