"""BLEU and ROUGE-L of a caption against an image's captions, compiled; METEOR by pycocoevalcap's Java program."""

from __future__ import annotations

import importlib.util
import shutil
from typing import Any

import numba
import numpy as np
from numpy.typing import NDArray
from scipy import sparse

from daa.compiled import threads_for
from daa.corpus import CaptionCorpus
from daa.distribution import install
from daa.relevance import _overlaps
from daa.relevance.base import Relevance
from daa.relevance.ngrams import Tokenizer, count_ngrams, ptb_like, tokenizer_name, word_sequences

METRICS = ("bleu-1", "bleu-2", "bleu-3", "bleu-4", "rouge-l")
PAIRS_WORTH_AN_INDEX = 1 << 18
PAIRS_A_CHUNK = 1 << 16
PAIRS_AT_ONCE = 1000  # that METEOR's program is sent


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
        return f"{name} against the image's captions, scale 0 to 1, tokenizer {tokenizer_name(self.tokenizer)}"

    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None:
        self._columns: sparse.csc_array | None = None
        if self.metric == "rouge-l":
            self._grams, self._n_words = word_sequences(corpus.captions, self.tokenizer)
        else:
            self._grams, self._n_words = count_ngrams(corpus.captions, self.tokenizer, int(self.metric[-1]))

    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.metric != "rouge-l" and self._columns is None:
            self._columns = self._rows().tocsc()
        return self._block(images, np.arange(self.n_captions), self._columns)

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        if self.metric == "rouge-l":
            return self._block(images, captions, None)
        if len(images) * len(captions) < PAIRS_WORTH_AN_INDEX:
            return _overlaps.bleu_batch(self._grams, self._n_words, self.captions_by_image, images, captions)
        return self._block(images, captions, self._rows()[captions].tocsc())

    def _rows(self) -> sparse.csr_array:
        """The captions' counts, [captions, n-grams]."""
        indptr, feature, count, bounds = self._grams
        return sparse.csr_array((count, feature, indptr), shape=(self.n_captions, int(bounds[-1])))

    def _block(
        self, images: NDArray[np.int64], captions: NDArray[np.int64], columns: sparse.csc_array | None
    ) -> NDArray[np.float32]:
        out = np.empty((len(images), len(captions)), dtype=np.float32)
        fitted = (self._grams, self._n_words, self.captions_by_image)
        with threads_for():
            n_chunks = max(1, min(len(images), out.size // PAIRS_A_CHUNK, 8 * numba.get_num_threads()))
            if columns is None:
                _overlaps.rouge_rows(*fitted, images, captions, n_chunks, out)
            else:
                index = (columns.indptr.astype(np.int64), columns.indices.astype(np.int32), columns.data)
                _overlaps.bleu_rows(*fitted, index, captions, images, n_chunks, out)
        return out


class MeteorRelevance(Relevance):
    """METEOR 1.5 (English, normalised) as pycocoevalcap calls it; from 0 to 1.

    It matches words by form, stem, WordNet synonym and paraphrase. The Java program scores some hundreds of pairs a
    second, so ask for batches or a few rows: all of COCO 5K would take days.

    Args:
        tokenizer: from a caption to its words; `ptb_like` by default, `str.split` for text tokenized already.

    Raises:
        ModuleNotFoundError: where pycocoevalcap is missing.
        FileNotFoundError: where there is no Java.

    Source: Denkowski and Lavie, Meteor Universal, WMT 2014.
    """

    name = "meteor"
    _words: list[str]

    def __init__(self, tokenizer: Tokenizer = ptb_like) -> None:
        self.tokenizer = tokenizer
        self._meteor: Any = None
        if importlib.util.find_spec("pycocoevalcap") is None:
            raise ModuleNotFoundError(f"meteor: needs the package pycocoevalcap; {install('meteor')}")
        if shutil.which("java") is None:
            raise FileNotFoundError(
                "meteor: needs Java, but there is no program `java`; install a Java runtime, 8 or later"
            )

    def describe(self) -> str:
        return f"METEOR 1.5 against the image's captions, scale 0 to 1, tokenizer {tokenizer_name(self.tokenizer)}"

    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None:
        self._words = [" ".join(self.tokenizer(caption)).replace("|||", "") for caption in corpus.captions]

    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._batch(images, np.arange(self.n_captions))

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.zeros((len(images), len(captions)), dtype=np.float32)
        own = [[self._words[r] for r in self.captions_by_image.of(image)] for image in images]
        references = [[words for words in some if words] for some in own]
        pairs = [(a, b) for a in range(len(images)) for b in range(len(captions))]
        pairs = [(a, b) for a, b in pairs if references[a] and self._words[captions[b]]]
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            some = pairs[start : start + PAIRS_AT_ONCE]
            expected = {k: references[a] for k, (a, _) in enumerate(some)}
            candidates = {k: [self._words[captions[b]]] for k, (_, b) in enumerate(some)}
            out[tuple(np.transpose(some))] = self._program().compute_score(expected, candidates)[1]
        return out

    def _program(self) -> Any:
        if self._meteor is None:
            from pycocoevalcap.meteor.meteor import Meteor

            self._meteor = Meteor()
        return self._meteor
