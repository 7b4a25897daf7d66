"""The tokenizer against what Java's PTBTokenizer made of real captions."""

import pytest

from daa.relevance import ptb_like


@pytest.mark.parametrize(
    ("caption", "words"),
    [
        ("A man's dog isn't on the man’s bed.", "a man 's dog is n't on the man ’s bed"),
        ('"Stop" - a sign, at 10:30...', "stop a sign at 10:30"),
        ("A two-story house; red/white (old)!", "a two-story house red/white -lrb- old -rrb-"),
        ("The U.S. Navy can't, cannot, gonna & $5", "the u.s. navy ca n't can not gon na & $ 5"),
        ("Two men .. ", "two men"),
        (" ?!. -- ' ", ""),
        ("Größe naïve café 3.5 1,000", "größe naïve café 3.5 1,000"),
    ],
)
def test_words(caption, words):
    assert ptb_like(caption) == words.split()
