"""From a caption to its words, and captions as counts of n-grams, small enough for half a million captions."""

from __future__ import annotations

import re
from array import array
from collections.abc import Callable, Iterable, Sequence
from typing import Any, NamedTuple, no_type_check

import numpy as np
from numpy.typing import NDArray

from daa.compiled import njit

Tokenizer = Callable[[str], Sequence[str]]

MAX_COUNT = np.iinfo(np.uint16).max
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}

_TOKEN = re.compile(
    r"""
    \d+(?:[.,:/]\d+)+                         # 1,000  3.5  10:30  1/2
  | (?:[a-z]\.){2,}                           # u.s.
  | (?:mr|mrs|ms|dr|st|jr|sr|vs|etc)\.(?=\s+\S)
  | [^\W_]+(?:[-_/&.@](?=[^\W_])[^\W_]+|['’](?!s\b|m\b|d\b|ll\b|re\b|ve\b)[^\W_]+)*
  | ['’](?:s|m|d|ll|re|ve)\b
  | \.{2,} | -+ | `+ | ''
  | \S
    """,
    re.VERBOSE,
)
_NOT = re.compile(r"(?<=[a-z])n['’]t\b")
_DROPPED = re.compile(r"['’`\"“”]+|[.]+|-+|[?!,:;]")
_JOINED = re.compile(r"\b(can)(not)\b|\b(gon|wan)(na)\b|\b(got)(ta)\b|\b(gim|lem)(me)\b")


def ptb_like(caption: str) -> list[str]:
    """Lower-case words in the manner of the Penn Treebank, punctuation dropped.

    Contractions are split ("don't" is "do n't", "girl's" is "girl 's"), hyphened words stay whole, and what
    pycocoevalcap's list calls punctuation is dropped. Brackets stay, as "-lrb-" and so on, because they do in
    pycocoevalcap, whose list has them in capitals only.

    >>> ptb_like("The girl's dog doesn't like a well-known cat.")
    ['the', 'girl', "'s", 'dog', 'does', "n't", 'like', 'a', 'well-known', 'cat']
    """
    text = _JOINED.sub(lambda m: " ".join(g for g in m.groups() if g), _NOT.sub(" n't", caption.lower()))
    tokens = _TOKEN.findall(text)
    return [BRACKETS.get(token, token) for token in tokens if not _DROPPED.fullmatch(token)]


def tokenizer_name(tokenizer: Tokenizer) -> str:
    """What descriptions call a tokenizer."""
    return getattr(tokenizer, "__name__", type(tokenizer).__name__)


class Ngrams(NamedTuple):
    """The distinct n-grams of each caption and how often it has them, or its words in their order (`word_sequences`).

    Args:
        indptr: int64 [captions + 1]; caption c owns the entries indptr[c] to indptr[c + 1].
        feature: int32 [entries], the n-gram's number, ascending within a caption; or the word's number.
        count: uint16 [entries], how often the caption has it; empty for words in their order.
        bounds: int64 [orders + 1]; n-grams of order n (from 1) are numbered bounds[n - 1] to bounds[n] - 1.
    """

    indptr: Any
    feature: Any
    count: Any
    bounds: Any

    def part(self, start: int, stop: int) -> Ngrams:
        """The captions from `start` to `stop`, their n-grams numbered as before."""
        indptr = self.indptr[start : stop + 1]
        entries = slice(indptr[0], indptr[-1])
        return Ngrams(indptr - indptr[0], self.feature[entries], self.count[entries], self.bounds)

    def without_unused(self) -> tuple[Ngrams, NDArray[np.int64]]:
        """The same with only those n-grams numbered that occur, and their former numbers."""
        used = np.zeros(self.bounds[-1], dtype=bool)
        used[self.feature] = True
        new_number = np.concatenate([[0], np.cumsum(used)])
        feature = new_number[self.feature].astype(np.int32)
        return Ngrams(self.indptr, feature, self.count.copy(), new_number[self.bounds]), np.flatnonzero(used)


def count_ngrams(captions: Iterable[str], tokenizer: Tokenizer, max_order: int = 4) -> tuple[Ngrams, NDArray[np.int32]]:
    """Count the n-grams of order 1 to `max_order`, numbering them exactly (no hashing).

    Returns:
        the counts, and the length of each caption in words.

    >>> counts, n_words = count_ngrams(["a dog", "a dog and a dog"], str.split, max_order=2)
    >>> n_words.tolist(), counts.bounds.tolist()
    ([2, 5], [0, 3, 6])
    >>> counts.feature.tolist(), counts.count.tolist()
    ([0, 1, 3, 0, 1, 2, 3, 4, 5], [1, 1, 1, 2, 2, 1, 2, 1, 1])
    """
    words, n_words = word_sequences(captions, tokenizer)
    if len(n_words) and n_words.max() > MAX_COUNT:
        raise ValueError(
            f"captions: expected at most {MAX_COUNT} words a caption, but caption {int(n_words.argmax())} "
            f"has {n_words.max()}"
        )
    indptr, n_vocabulary = words.indptr, int(words.bounds[1])
    grams = np.full((max_order, len(words.feature)), -1, dtype=np.int32)
    grams[0] = words.feature
    del words
    bounds = [0, n_vocabulary]
    for n in range(2, max_order + 1):
        bounds.append(bounds[-1] + _number_grams(grams, indptr, n, n_vocabulary))
    bounds_array = np.array(bounds, dtype=np.int64)
    new_indptr, feature, count = _count(grams, indptr, bounds_array)
    return Ngrams(new_indptr, feature, count, bounds_array), n_words


def word_sequences(captions: Iterable[str], tokenizer: Tokenizer) -> tuple[Ngrams, NDArray[np.int32]]:
    """Words in their order, numbered by their first appearance, and the length of each caption in words."""
    numbers: dict[str, int] = {}
    words, ends = array("i"), array("q", [0])
    for caption in captions:
        words.extend([numbers.setdefault(word, len(numbers)) for word in tokenizer(caption)])
        ends.append(len(words))
    indptr = np.array(ends, dtype=np.int64)
    bounds = np.array([0, len(numbers)], dtype=np.int64)
    sequences = Ngrams(indptr, np.array(words, dtype=np.int32), np.empty(0, dtype=np.uint16), bounds)
    return sequences, np.diff(indptr).astype(np.int32)


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
def references(owners, image):
    """The captions of an image, in compiled code."""
    return owners.captions[owners.indptr[image] : owners.indptr[image + 1]]


@njit()
@no_type_check
def document_frequency(grams, owners):
    """In the captions of how many images each n-gram occurs."""
    frequency = np.zeros(grams.bounds[-1], dtype=np.int32)
    last = np.full(grams.bounds[-1], -1, dtype=np.int64)
    for image in range(len(owners.indptr) - 1):
        for c in references(owners, image):
            for f in grams.feature[grams.indptr[c] : grams.indptr[c + 1]]:
                if last[f] != image:
                    last[f] = image
                    frequency[f] += 1
    return frequency
