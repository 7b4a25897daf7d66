"""Relevances by name, as configurations and the command line give it, and the weighted mean of several."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from daa.corpus import CaptionCorpus
from daa.names import check_relevance
from daa.relevance.base import Relevance
from daa.relevance.overlap import METRICS, MeteorRelevance, OverlapRelevance
from daa.relevance.sentence import SentenceRelevance
from daa.relevance.tfidf import CiderRelevance, TfidfRelevance

ROWS_AT_ONCE = 250
SCALES = ("range", "annotated", "none")


class CombinedRelevance(Relevance):
    r"""Weighted mean of relevances that are first brought to one scale.

    $$ C(i, c) = \sum_k \frac{w_k}{\sum_l w_l} \, s_k(C_k(i, c)) $$

    Args:
        relevances: by name, such as `{"cider-d": CiderRelevance(), "rouge-l": OverlapRelevance("rouge-l")}`.
        weights: by the same names, from 0; 1 each by default.
        scale: the rule s that brings each to one scale. `"range"`: from what it can be to [0, 1], so CIDEr-D is
            divided by 10. `"annotated"`: divided by its mean over annotated pairs (each caption with its own image), so
            that all weigh alike there, whatever part of their range they use. `"none"`: as they are.

    Source: the paper's appendix averages CIDEr, BLEU and ROUGE.

    >>> from daa.relevance import OverlapRelevance, TfidfRelevance
    >>> corpus = CaptionCorpus(["a red dog", "a dog", "two cats", "some cats"], [0, 0, 1, 1])
    >>> both = CombinedRelevance({"tfidf": TfidfRelevance(), "bleu-1": OverlapRelevance("bleu-1")})
    >>> print(both.fit(corpus).matrix().round(2))
    [[0.9  0.9  0.   0.  ]
     [0.   0.   0.85 0.85]]
    """

    name = "combined"

    def __init__(
        self,
        relevances: Mapping[str, Relevance],
        weights: Mapping[str, float | int] | None = None,
        scale: str = "range",
    ) -> None:
        if not relevances:
            raise ValueError("relevances: expected at least one, got none")
        weights = dict.fromkeys(relevances, 1.0) if weights is None else dict(weights)
        if weights.keys() != relevances.keys():
            raise ValueError(f"weights: expected one for each of {', '.join(relevances)}, got {', '.join(weights)}")
        if not all(0 <= weight < float("inf") for weight in weights.values()) or not any(weights.values()):
            raise ValueError(f"weights: expected finite numbers from 0, not all 0, got {weights}")
        if scale not in SCALES:
            raise ValueError(f"scale: expected one of {', '.join(SCALES)}, got {scale!r}")
        self.relevances, self.weights, self.scale = dict(relevances), weights, scale
        self.name = "+".join(relevances)

    def describe(self) -> str:
        total = sum(self.weights.values())
        parts = [f"{self.weights[key] / total:.3g} x ({kind.describe()})" for key, kind in self.relevances.items()]
        return f"weighted mean, scale rule {self.scale!r}: " + " + ".join(parts)

    def _fit(self, corpus: CaptionCorpus, df_corpus: CaptionCorpus) -> None:
        total = sum(self.weights.values())
        self._terms: list[tuple[Relevance, np.float32, np.float32]] = []  # each: kind, what to subtract, to multiply by
        for key, kind in self.relevances.items():
            kind.fit(corpus, None if df_corpus is corpus else df_corpus)
            shift, factor = 0.0, 1.0
            if self.scale == "range":
                shift, factor = kind.minimum, 1 / (kind.maximum - kind.minimum)
            elif self.scale == "annotated":
                mean = _annotated_mean(kind)
                if mean <= 0:
                    raise ValueError(
                        f"scale: expected a positive mean of {key} over annotated pairs, got {mean:g}; use 'range'"
                    )
                factor = 1 / mean
            self._terms.append((kind, np.float32(shift), np.float32(factor * self.weights[key] / total)))

    def _matrix(self, images: NDArray[np.int64]) -> NDArray[np.float32]:
        out = np.empty((len(images), self.n_captions), dtype=np.float32)
        for start in range(0, len(images), ROWS_AT_ONCE):
            some = images[start : start + ROWS_AT_ONCE]
            out[start : start + ROWS_AT_ONCE] = self._sum([kind._matrix(some) for kind, _, _ in self._terms])
        return out

    def _batch(self, images: NDArray[np.int64], captions: NDArray[np.int64]) -> NDArray[np.float32]:
        return self._sum([kind._batch(images, captions) for kind, _, _ in self._terms])

    def _sum(self, blocks: list[NDArray[np.float32]]) -> NDArray[np.float32]:
        out = np.zeros_like(blocks[0])
        for block, (_, shift, factor) in zip(blocks, self._terms, strict=True):
            out += (block - shift) * factor
        return out


def _annotated_mean(kind: Relevance, n_images: int = 1000) -> float:
    """The mean relevance of annotated pairs, over the first images of the corpus."""
    total, count = 0.0, 0
    for image in range(min(n_images, kind.n_images)):
        own = kind.captions_by_image.of(image)
        total += float(kind._batch(np.array([image]), own).sum(dtype=np.float64))
        count += len(own)
    return total / count


_MAKERS: dict[str, tuple[type[Relevance], dict[str, Any]]] = {
    "tfidf": (TfidfRelevance, {}),
    "cider-d": (CiderRelevance, {"variant": "cider-d"}),
    "cider": (CiderRelevance, {"variant": "cider"}),
    **{metric: (OverlapRelevance, {"metric": metric}) for metric in METRICS},
    "meteor": (MeteorRelevance, {}),
}


def relevance_by_name(name: str, **options: Any) -> Relevance:
    """The relevance of a name, not yet fitted.

    Args:
        name: one of `daa.names.RELEVANCES`; `sentence:FOLDER` for the sentence-transformers model in a folder; or
            several of these joined by `+`, for their mean, each scaled by its range.
        options: passed on to its class.

    Raises:
        ValueError: for a name that is not known.

    >>> relevance_by_name("cider-d", leave_out_self=True)
    CiderRelevance(CIDEr-D, n-grams of 1 to 4 words, counts clipped, length penalty sigma 6, mean over the image's \
other captions, scale 0 to 10, tokenizer ptb_like; not fitted)
    >>> relevance_by_name("cider-d+bleu-4+rouge-l").name
    'cider-d+bleu-4+rouge-l'
    """
    check_relevance(name)
    if name.startswith("sentence:") and "+" not in name:
        return SentenceRelevance(name.removeprefix("sentence:"), **options)
    if "+" in name:
        return CombinedRelevance({part: relevance_by_name(part) for part in name.split("+")}, **options)
    kind, fixed = _MAKERS[name]
    return kind(**fixed, **options)
