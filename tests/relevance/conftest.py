"""Corpora for the relevance tests: tiny made-up ones by the hundred, and the real captions."""

import pytest
from hypothesis import strategies as st

from daa.datasets.coco import coco_5k_corpus

# Few words, so that they repeat; "." and "a" vanish under one tokenizer or the other.
WORDS = ["a", "a", "dog", "dog", "cat", "red", "runs", "on", "the", "."]


@st.composite
def tiny(draw, min_captions_per_image=1):
    """The arguments of a CaptionCorpus of two to five images in any order, with different numbers of captions."""
    caption = st.lists(st.sampled_from(WORDS), min_size=1, max_size=8).map(" ".join)
    groups = draw(st.lists(st.lists(caption, min_size=min_captions_per_image, max_size=4), min_size=2, max_size=5))
    pairs = draw(st.permutations([(i, text) for i, group in enumerate(groups) for text in group]))
    return [text for _, text in pairs], [i for i, _ in pairs]


@pytest.fixture(scope="session")
def coco_5k(real_data):
    return coco_5k_corpus(real_data)
