"""CIDEr and CIDEr-D: consensus of a caption with an image's captions, by TF-IDF weighted n-grams."""

from __future__ import annotations

import numpy as np

from daa.corpus import CaptionCorpus
from daa.relevance import _products
from daa.relevance.ngrams import count_ngrams, document_frequency
from daa.relevance.tokenize import Tokenizer, ptb_like
from daa.relevance.vectors import VectorRelevance

SIGMA = 6.0


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
            f"tokenizer {getattr(self.tokenizer, '__name__', type(self.tokenizer).__name__)}{self.df_note}"
        )

    def _vectorize(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> _products.Vectors:
        if df_corpus.n_images < 2:
            raise ValueError(
                f"corpus: expected at least 2 images to tell rare from frequent words, got {df_corpus.n_images} in "
                f"{df_corpus.name}, where every CIDEr would be 0; give df_corpus with more images"
            )
        same = df_corpus is corpus
        captions = corpus.captions if same else [*corpus.captions, *df_corpus.captions]
        counts = count_ngrams(captions, self.tokenizer)
        own = counts if same else counts.head(corpus.n_captions)
        of_df = counts if same else counts.tail(corpus.n_captions)
        order = np.argsort(df_corpus.image_of_caption, kind="stable")
        n_images_with = document_frequency(
            of_df.indptr, of_df.feature, df_corpus.image_of_caption, order, counts.n_features
        )
        idf = np.log(df_corpus.n_images) - np.log(np.maximum(1, n_images_with))
        if not same:
            own, kept = own.without_unused()
            idf = idf[kept]
        clip = self.variant == "cider-d"
        n_bigrams = np.maximum(own.n_words - 1, 0) if clip else np.zeros_like(own.n_words)
        lengths, length = np.unique(n_bigrams, return_inverse=True)
        return _products.Vectors(
            indptr=own.indptr,
            feature=own.feature,
            count=own.count,
            idf=idf.astype(np.float32),
            bounds=own.bounds,
            inverse_norm=_products.inverse_norms(own.indptr, own.feature, own.count, idf, own.bounds),
            length=length.astype(np.int32),
            penalty=np.exp(-((lengths[:, None] - lengths) ** 2) / (2 * SIGMA**2)).astype(np.float32),
            clip=clip,
            scale=10.0 / 4,
            reference_indptr=self.reference_indptr,
            references=self.references,
        )
