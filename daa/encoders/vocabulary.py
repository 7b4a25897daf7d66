"""Words and their numbers: built from training captions only, kept with the checkpoint."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence

import torch
from jaxtyping import Int
from torch import Tensor

PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def split_words(caption: str) -> list[str]:
    """The lower-cased words of a caption, without punctuation.

    >>> split_words("A dog's ball, red.")
    ['a', "dog's", 'ball', 'red']
    """
    return _WORD.findall(caption.lower())


class Vocabulary:
    """The known words; 0 is padding, 1 stands for every word that is not known, word k has the number k + 2.

    Args:
        words: distinct words, in the order of their numbers.

    >>> vocabulary = Vocabulary.build(["a dog", "a red dog"])
    >>> vocabulary.encode(["a blue dog", "dog"]).tolist()
    [[2, 1, 3], [3, 0, 0]]
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._number = {word: number for number, word in enumerate(self.words, start=2)}
        if len(self._number) != len(self.words):
            raise ValueError("words: expected distinct words, but some come twice")

    @classmethod
    def build(cls, captions: Iterable[str], min_count: int = 1) -> Vocabulary:
        """The words that come at least `min_count` times in the captions, frequent ones first.

        Give it the captions of the training split only: a vocabulary that has seen the test captions is a leak.
        """
        counts = Counter(word for caption in captions for word in split_words(caption))
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(self.words) + 2

    def __contains__(self, word: str) -> bool:
        return word in self._number

    def encode(self, captions: Sequence[str], max_words: int = 40) -> Int[Tensor, "captions words"]:
        """Numbers of the words of each caption, cut at `max_words` and padded with 0 to the longest of them.

        A caption without a single word (only punctuation) becomes one unknown word, so that no row is empty.
        """
        rows = [
            [self._number.get(word, UNKNOWN) for word in split_words(caption)[:max_words]] or [UNKNOWN]
            for caption in captions
        ]
        numbers = torch.full((len(rows), max((len(row) for row in rows), default=1)), PADDING)
        for row, line in zip(numbers, rows, strict=True):
            row[: len(line)] = torch.tensor(line)
        return numbers
