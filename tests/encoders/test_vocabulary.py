from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from daa.encoders.vocabulary import PADDING, UNKNOWN, Vocabulary, split_words


def test_only_training_words_are_known() -> None:
    vocabulary = Vocabulary.build(["a red ball", "a dog"])
    assert set(vocabulary.words) == {"a", "red", "ball", "dog"}
    assert "zeppelin" not in vocabulary
    assert vocabulary.encode(["a zeppelin"]).tolist() == [[2, UNKNOWN]]


def test_frequent_words_come_first_and_rare_ones_can_be_left_out() -> None:
    vocabulary = Vocabulary.build(["b a", "b a", "b c"], min_count=2)
    assert vocabulary.words == ("b", "a")
    assert len(vocabulary) == 4


def test_order_of_the_captions_does_not_matter() -> None:
    captions = ["b a", "c", "a c b", "z"]
    assert Vocabulary.build(captions).words == Vocabulary.build(captions[::-1]).words


def test_long_captions_are_cut_and_wordless_ones_are_one_unknown_word() -> None:
    vocabulary = Vocabulary(["a"])
    assert vocabulary.encode(["a a a a", "!!!"], max_words=2).tolist() == [[2, 2], [UNKNOWN, PADDING]]


def test_words_must_be_distinct() -> None:
    with pytest.raises(ValueError, match="words: expected distinct"):
        Vocabulary(["a", "a"])


@given(st.lists(st.text(), min_size=1, max_size=5))
def test_any_text_becomes_known_words_and_padding_at_the_end(captions: list[str]) -> None:
    vocabulary = Vocabulary.build(captions)
    numbers = vocabulary.encode(captions)
    for row, caption in zip(numbers.tolist(), captions, strict=True):
        words = split_words(caption)[:40]
        expected = [vocabulary.words.index(word) + 2 for word in words] or [UNKNOWN]
        assert row == expected + [PADDING] * (numbers.shape[1] - len(expected))
