"""What every relevance promises: rows stream the whole, a batch is a block of it, and wrong input is refused."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from daa.corpus import CaptionCorpus
from daa.relevance import CiderRelevance, TfidfRelevance
from tests.relevance.conftest import tiny

EVERY = [
    lambda: TfidfRelevance(),
    lambda: CiderRelevance(),
    lambda: CiderRelevance(variant="cider", tokenizer=str.split),
]
CORPUS = CaptionCorpus(
    ["a red dog .", "a dog runs on the red dog", "?", "the cat", "a cat on a red dog", "dogs"], [1, 0, 1, 2, 2, 0]
)


@pytest.mark.parametrize("make", EVERY)
@settings(max_examples=25)
@given(some=tiny(), data=st.data())
def test_rows_and_batches_are_blocks_of_the_matrix(make, some, data):
    captions, image_of_caption = some
    corpus = CaptionCorpus([f"{text} cat" for text in captions], image_of_caption)
    relevance = make().fit(corpus)
    whole = relevance.matrix()
    assert whole.shape == (corpus.n_images, corpus.n_captions)
    assert np.isfinite(whole).all()
    assert (whole <= relevance.maximum * 1.000001).all()
    cut = data.draw(st.integers(0, corpus.n_images))
    streamed = np.concatenate([relevance.matrix(rows=slice(0, cut)), relevance.matrix(rows=slice(cut, None))])
    assert np.array_equal(streamed, whole)
    images = data.draw(st.lists(st.integers(0, corpus.n_images - 1), min_size=1, max_size=8))
    captions = data.draw(st.lists(st.integers(0, corpus.n_captions - 1), min_size=1, max_size=8))
    block = relevance.batch(images, torch.tensor(captions))
    assert block.dtype == torch.float32
    np.testing.assert_allclose(block.numpy(), whole[images][:, captions], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("make", EVERY)
def test_a_caption_without_a_word_has_relevance_zero(make):
    matrix = make().fit(CORPUS).matrix()
    assert (matrix[:, [0, 1, 3, 4]] > 0).any(axis=0).all()
    if "split" not in make().describe():
        assert (matrix[:, 2] == 0).all()


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize("make", EVERY)
def test_wrong_input_is_refused(make):
    relevance = make()
    for ask in (relevance.matrix, lambda: relevance.batch([0], [0])):
        with pytest.raises(ValueError, match=r"Relevance: expected a fitted relevance; call .fit\(corpus\) first"):
            ask()
    relevance.fit(CORPUS)
    for images, captions, message in [
        ([3], [0], "images: expected indices from 0 to 2, got 3 to 3"),
        ([0], [-1], "captions: expected indices from 0 to 5, got -1 to -1"),
        ([], [0], "images: expected a list of at least one index"),
        ([[0]], [0], "images: expected a list of at least one index"),
        ([0.5], [0], "images: expected a list of at least one index"),
    ]:
        with pytest.raises(ValueError, match=message):
            relevance.batch(images, captions)
    for rows in (1, [3], [-1], [0.5], "all"):
        with pytest.raises(ValueError, match="rows: expected "):
            relevance.matrix(rows=rows)
    assert np.array_equal(relevance.matrix(rows=[2, 0, 2]), relevance.matrix()[[2, 0, 2]])
