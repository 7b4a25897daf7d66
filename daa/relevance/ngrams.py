"""Captions as counts of n-grams, in flat arrays small enough for a training set of half a million captions."""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from typing import no_type_check

import numpy as np
from numpy.typing import NDArray

from daa.compiled import njit
from daa.relevance.tokenize import Tokenizer

MAX_COUNT = np.iinfo(np.uint16).max


@dataclass(frozen=True)
class NgramCounts:
    """The distinct n-grams of each caption and how often it has them.

    Args:
        indptr: int64 [captions + 1]; caption c owns the entries indptr[c] to indptr[c + 1].
        feature: int32 [entries], the n-gram's number, ascending within a caption.
        count: uint16 [entries], how often the caption has it.
        bounds: int64 [orders + 1]; n-grams of order n (from 1) are numbered bounds[n - 1] to bounds[n] - 1.
        n_words: int32 [captions], the length of each caption in words.
    """

    indptr: NDArray[np.int64]
    feature: NDArray[np.int32]
    count: NDArray[np.uint16]
    bounds: NDArray[np.int64]
    n_words: NDArray[np.int32]

    @property
    def n_features(self) -> int:
        return int(self.bounds[-1])

    def head(self, n: int) -> NgramCounts:
        """The first n captions, their n-grams numbered as before."""
        end = self.indptr[n]
        return NgramCounts(self.indptr[: n + 1], self.feature[:end], self.count[:end], self.bounds, self.n_words[:n])

    def tail(self, n: int) -> NgramCounts:
        """All captions from number n on, their n-grams numbered as before."""
        start = self.indptr[n]
        return NgramCounts(
            self.indptr[n:] - start, self.feature[start:], self.count[start:], self.bounds, self.n_words[n:]
        )

    def without_unused(self) -> tuple[NgramCounts, NDArray[np.int64]]:
        """The same with only those n-grams numbered that occur, and their former numbers."""
        used = np.zeros(self.n_features, dtype=bool)
        used[self.feature] = True
        new_number = np.concatenate([[0], np.cumsum(used)])
        feature = new_number[self.feature].astype(np.int32)
        kept = np.flatnonzero(used)
        return NgramCounts(self.indptr, feature, self.count.copy(), new_number[self.bounds], self.n_words), kept


def count_ngrams(captions: Iterable[str], tokenizer: Tokenizer, max_order: int = 4) -> NgramCounts:
    """Count the n-grams of order 1 to `max_order`, numbering them exactly (no hashing).

    >>> counts = count_ngrams(["a dog", "a dog and a dog"], str.split, max_order=2)
    >>> counts.n_words.tolist(), counts.bounds.tolist()
    ([2, 5], [0, 3, 6])
    >>> counts.feature.tolist(), counts.count.tolist()
    ([0, 1, 3, 0, 1, 2, 3, 4, 5], [1, 1, 1, 2, 2, 1, 2, 1, 1])
    """
    words, indptr, n_vocabulary = word_sequences(captions, tokenizer)
    n_words = np.diff(indptr)
    if len(n_words) and n_words.max() > MAX_COUNT:
        raise ValueError(
            f"captions: expected at most {MAX_COUNT} words a caption, but caption {int(n_words.argmax())} "
            f"has {n_words.max()}"
        )
    grams = np.full((max_order, len(words)), -1, dtype=np.int32)
    grams[0] = words
    del words
    bounds = [0, n_vocabulary]
    for n in range(2, max_order + 1):
        bounds.append(bounds[-1] + _number_grams(grams, indptr, n, n_vocabulary))
    bounds_array = np.array(bounds, dtype=np.int64)
    out_indptr, feature, count = _count(grams, indptr, bounds_array)
    return NgramCounts(out_indptr, feature, count, bounds_array, n_words.astype(np.int32))


def word_sequences(captions: Iterable[str], tokenizer: Tokenizer) -> tuple[NDArray[np.int32], NDArray[np.int64], int]:
    """Words as numbers in the order of their first appearance, all captions in one row."""
    numbers: dict[str, int] = {}
    words, ends = array("i"), array("q", [0])
    for caption in captions:
        words.extend([numbers.setdefault(word, len(numbers)) for word in tokenizer(caption)])
        ends.append(len(words))
    return np.array(words, dtype=np.int32), np.array(ends, dtype=np.int64), len(numbers)


@njit()
@no_type_check
def _number_grams(grams, indptr, order, n_vocabulary):
    """Number the n-grams of one order by first appearance, each known by its first n - 1 words and its last word."""
    shorter, words, out = grams[order - 2], grams[0], grams[order - 1]
    size = 16
    while size < 2 * len(words):
        size *= 2
    table = np.full(size, -1, dtype=np.int32)  # open addressing, from a hash to a number
    keys = np.empty(len(words), dtype=np.int64)
    n_keys = 0
    for c in range(len(indptr) - 1):
        for p in range(indptr[c], indptr[c + 1] - order + 1):
            key = np.int64(shorter[p]) * n_vocabulary + words[p + order - 1]
            at = ((key ^ (key >> 29)) * np.int64(0x5851F42D4C957F2D) >> 20) & (size - 1)
            while table[at] >= 0 and keys[table[at]] != key:
                at = (at + 1) & (size - 1)
            if table[at] < 0:
                table[at] = n_keys
                keys[n_keys] = key
                n_keys += 1
            out[p] = table[at]
    return n_keys


@njit()
@no_type_check
def _count(grams, indptr, bounds):
    n_captions = len(indptr) - 1
    max_order = grams.shape[0]
    out_indptr = np.zeros(n_captions + 1, dtype=np.int64)
    size = 0
    for c in range(n_captions):
        for order in range(max_order):
            size += max(0, indptr[c + 1] - indptr[c] - order)
    feature = np.empty(size, dtype=np.int32)
    count = np.empty(size, dtype=np.uint16)
    end = 0
    for c in range(n_captions):
        for order in range(max_order):
            numbers = np.sort(grams[order, indptr[c] : indptr[c + 1]])
            previous = -1
            for number in numbers:
                if number < 0:
                    continue
                if number != previous:
                    feature[end] = number + bounds[order]
                    count[end] = 0
                    end += 1
                    previous = number
                count[end - 1] += 1
        out_indptr[c + 1] = end
    return out_indptr, feature[:end], count[:end]


@njit()
@no_type_check
def document_frequency(indptr, feature, image_of_caption, order, n_features):
    """In the captions of how many images each n-gram occurs; `order` lists the captions image by image."""
    frequency = np.zeros(n_features, dtype=np.int32)
    last = np.full(n_features, -1, dtype=np.int64)
    for c in order:
        image = image_of_caption[c]
        for e in range(indptr[c], indptr[c + 1]):
            f = feature[e]
            if last[f] != image:
                last[f] = image
                frequency[f] += 1
    return frequency
