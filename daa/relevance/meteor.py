"""METEOR of a caption against an image's captions, through the Java program that pycocoevalcap ships."""

from __future__ import annotations

import importlib.util
import shutil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daa.corpus import CaptionCorpus
from daa.distribution import install
from daa.relevance.base import Relevance
from daa.relevance.tokenize import Tokenizer, ptb_like

PAIRS_AT_ONCE = 1000


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
        tokenizer = getattr(self.tokenizer, "__name__", type(self.tokenizer).__name__)
        return f"METEOR 1.5 against the image's captions, scale 0 to 1, tokenizer {tokenizer}"

    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None:
        self._words = [" ".join(self.tokenizer(caption)).replace("|||", "") for caption in corpus.captions]

    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._batch(images, np.arange(self.n_captions))

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.zeros((len(images), len(captions)), dtype=np.float32)
        references = [self._references(image) for image in images.tolist()]
        pairs = [(a, b) for a in range(len(images)) for b in range(len(captions))]
        pairs = [(a, b) for a, b in pairs if references[a] and self._words[captions[b]]]
        for start in range(0, len(pairs), PAIRS_AT_ONCE):
            some = pairs[start : start + PAIRS_AT_ONCE]
            expected = {k: references[a] for k, (a, _) in enumerate(some)}
            candidates = {k: [self._words[captions[b]]] for k, (_, b) in enumerate(some)}
            out[tuple(np.transpose(some))] = self._program().compute_score(expected, candidates)[1]
        return out

    def _references(self, image: int) -> list[str]:
        own = self.references[self.reference_indptr[image] : self.reference_indptr[image + 1]]
        return [self._words[r] for r in own if self._words[r]]

    def _program(self) -> Any:
        if self._meteor is None:
            from pycocoevalcap.meteor.meteor import Meteor

            self._meteor = Meteor()
        return self._meteor
