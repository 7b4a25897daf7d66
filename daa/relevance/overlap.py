"""BLEU and ROUGE-L of a caption against an image's captions, with pycocoevalcap's definitions and no Java."""

from __future__ import annotations

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from daa.compiled import threads_for
from daa.corpus import CaptionCorpus
from daa.relevance import _overlaps
from daa.relevance.base import Relevance
from daa.relevance.ngrams import count_ngrams, word_sequences
from daa.relevance.tokenize import Tokenizer, ptb_like

METRICS = ("bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l")
PAIRS_WORTH_AN_INDEX = 1 << 18
PAIRS_A_CHUNK = 1 << 16


class OverlapRelevance(Relevance):
    r"""BLEU-1 to BLEU-4 or ROUGE-L of a caption, its image's captions being the references; from 0 to 1.

    BLEU-n of one caption, with matches clipped at the largest count in any reference, the reference length r closest to
    the candidate's length c, and pycocoevalcap's smoothing by 1e-15 and 1e-9:

    $$ \mathrm{BLEU}_n = \min(1, e^{1 - r / c}) \left( \prod_{k=1}^{n} \frac{\text{matches}_k}{\text{guesses}_k}
       \right)^{1 / n} $$

    ROUGE-L from the longest common subsequences, precision P and recall R each the best over the references:

    $$ \mathrm{ROUGE}_L = \frac{(1 + \beta^2) P R}{R + \beta^2 P}, \qquad \beta = 1.2 $$

    Without a common word both are exactly 0 here (pycocoevalcap's BLEU is about 1e-16 there).

    Args:
        metric: `"bleu-1"`, `"bleu-2"`, `"bleu-3"`, `"bleu-4"` or `"rouge-l"`. METEOR is `MeteorRelevance`.
        tokenizer: from a caption to its words; `ptb_like` by default, `str.split` for text tokenized already.

    Source: Papineni et al., BLEU, ACL 2002; Lin, ROUGE, 2004.

    >>> corpus = CaptionCorpus(["a red dog", "a dog", "two red cats", "some cats"], [0, 0, 1, 1])
    >>> print(OverlapRelevance("rouge-l").fit(corpus).matrix().round(2))
    [[1.   1.   0.33 0.  ]
     [0.33 0.   1.   1.  ]]
    """

    def __init__(self, metric: str = "bleu-4", tokenizer: Tokenizer = ptb_like) -> None:
        if metric not in METRICS:
            raise ValueError(f"metric: expected one of {', '.join(METRICS)}, got {metric!r}")
        self.metric = self.name = metric
        self.tokenizer = tokenizer

    def describe(self) -> str:
        name = "ROUGE-L (beta 1.2)" if self.metric == "rouge-l" else f"sentence {self.metric.upper()}"
        tokenizer = getattr(self.tokenizer, "__name__", type(self.tokenizer).__name__)
        return f"{name} against the image's captions, scale 0 to 1, tokenizer {tokenizer}"

    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None:
        self._columns: sparse.csc_array | None = None
        if self.metric == "rouge-l":
            words, indptr, n_vocabulary = word_sequences(corpus.captions, self.tokenizer)
            self._captions = _overlaps.Captions(
                indptr=indptr,
                feature=words,
                count=np.empty(0, dtype=np.uint16),
                bounds=np.array([0, n_vocabulary]),
                n_words=np.diff(indptr).astype(np.int32),
                reference_indptr=self.reference_indptr,
                references=self.references,
            )
            return
        counts = count_ngrams(corpus.captions, self.tokenizer, max_order=int(self.metric[-1]))
        self._captions = _overlaps.Captions(
            indptr=counts.indptr,
            feature=counts.feature,
            count=counts.count,
            bounds=counts.bounds,
            n_words=counts.n_words,
            reference_indptr=self.reference_indptr,
            references=self.references,
        )

    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.metric != "rouge-l" and self._columns is None:
            self._columns = self._rows().tocsc()
        return self._block(images, np.arange(self.n_captions), self._columns)

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.metric == "rouge-l":
            return self._block(images, captions, None)
        if len(images) * len(captions) < PAIRS_WORTH_AN_INDEX:
            return _overlaps.bleu_batch(self._captions, images, captions)
        return self._block(images, captions, self._rows()[captions].tocsc())

    def _rows(self) -> sparse.csr_array:
        """The captions' counts, [captions, n-grams]."""
        c = self._captions
        return sparse.csr_array((c.count, c.feature, c.indptr), shape=(self.n_captions, int(c.bounds[-1])))

    def _block(
        self, images: NDArray[np.int64], captions: NDArray[np.int64], columns: sparse.csc_array | None
    ) -> NDArray[np.float32]:
        out = np.empty((len(images), len(captions)), dtype=np.float32)
        with threads_for():
            n_chunks = max(1, min(len(images), out.size // PAIRS_A_CHUNK, 8 * numba.get_num_threads()))
            if columns is None:
                _overlaps.rouge_rows(self._captions, images, captions, n_chunks, out)
                return out
            index = (columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data)
            n_words = self._captions.n_words[captions]
            _overlaps.bleu_rows(self._captions, *index, n_words, images, n_chunks, out)
            return out
