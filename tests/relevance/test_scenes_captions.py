"""Captions that no relevance was tuned on, with any number to an image: everything against the reference packages."""

import numpy as np
import pytest

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.relevance import (
    CiderRelevance,
    CombinedRelevance,
    OverlapRelevance,
    TfidfRelevance,
    overlap,
    ptb_like,
)
from daa.relevance.overlap import METRICS
from tests.relevance.test_overlap import pycocoevalcap_scores
from tests.relevance.test_tfidf import dense_tfidf, pycocoevalcap_cider

PAIRS = 1000


@pytest.fixture(scope="module")
def scenes():
    """Captions of procedural scenes in random order, one to twelve an image."""
    rng = np.random.default_rng(7)
    whole = load_corpus("scenes", split="train", n_images=150, seed=3)
    image_of_caption = np.append(np.arange(100), rng.choice(100, whole.n_captions - 100, p=rng.dirichlet(np.ones(100))))
    corpus = CaptionCorpus([whole.captions[c] for c in rng.permutation(whole.n_captions)], image_of_caption)
    counts = np.bincount(image_of_caption)
    assert (counts == 1).any()
    assert counts.max() > 12
    return corpus


def random_pairs(corpus, n=PAIRS):
    rng = np.random.default_rng(8)
    own = rng.choice(corpus.n_captions, n // 5, replace=False)  # one pair in five is of a caption and its own image
    images = np.append(corpus.image_of_caption[own], rng.integers(0, corpus.n_images, n - len(own)))
    return images, np.append(own, rng.integers(0, corpus.n_captions, n - len(own)))


@pytest.mark.parametrize(
    ("tokenizer", "n_pairs"), [(ptb_like, PAIRS), (str.split, PAIRS), (list, 200)], ids=["ptb_like", "split", "letters"]
)
def test_cider(scenes, tokenizer, n_pairs):
    images, captions = random_pairs(scenes, n_pairs)
    got = CiderRelevance(tokenizer=tokenizer).fit(scenes).matrix()[images, captions]
    visible = scenes
    if tokenizer is list:  # pycocoevalcap splits at blanks, so that a blank must not be one
        visible = CaptionCorpus([caption.replace(" ", "_") for caption in scenes.captions], scenes.image_of_caption)
    expected = pycocoevalcap_cider(visible, list(zip(images.tolist(), captions, strict=True)), tokenizer)
    assert np.abs(got - expected).max() < 1e-4
    assert (expected > 1).sum() > n_pairs // 10


@pytest.mark.parametrize("metric", METRICS)
def test_overlaps(scenes, metric):
    images, captions = random_pairs(scenes)
    got = OverlapRelevance(metric, tokenizer=str.split).fit(scenes).matrix()[images, captions]
    expected = pycocoevalcap_scores(scenes, metric, list(zip(images, captions, strict=True)), str.split)
    np.testing.assert_allclose(got, expected, atol=1e-6)


def test_tfidf(scenes):
    scenes = scenes.select(slice(0, 30))
    np.testing.assert_allclose(TfidfRelevance().fit(scenes).matrix(), dense_tfidf(scenes), atol=1e-6)


@pytest.mark.parametrize(
    "make",
    [
        TfidfRelevance,
        CiderRelevance,
        lambda: CiderRelevance(leave_out_self=False, variant="cider"),
        *(lambda metric=metric: OverlapRelevance(metric) for metric in METRICS),
        lambda: CombinedRelevance({"cider-d": CiderRelevance(), "rouge-l": OverlapRelevance("rouge-l")}),
    ],
)
@pytest.mark.parametrize("worth_an_index", [0, overlap.PAIRS_WORTH_AN_INDEX])
def test_a_batch_is_a_block_of_the_matrix(scenes, make, worth_an_index, monkeypatch):
    monkeypatch.setattr(overlap, "PAIRS_WORTH_AN_INDEX", worth_an_index)
    rng = np.random.default_rng(9)
    images, captions = rng.integers(0, scenes.n_images, 40), rng.integers(0, scenes.n_captions, 60)
    relevance = make().fit(scenes)
    block = relevance.matrix()[np.ix_(images, captions)]
    np.testing.assert_allclose(relevance.batch(images, captions).numpy(), block, rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(("make", "max_order"), [(TfidfRelevance, 1), (CiderRelevance, 4)])
def test_what_is_stored_stays_small(scenes, make, max_order):
    """Six bytes for each distinct n-gram of a caption, 24 or 36 a caption, 4 an n-gram, and a table of penalties.

    That is under 300 MB for COCO's training set. Counted by other means than the package's, so that a dense form, or
    one of 64 bits, is found out.
    """
    relevance = make().fit(scenes)
    words = [ptb_like(caption) for caption in scenes.captions]
    grams = [{tuple(w[k : k + n]) for n in range(1, max_order + 1) for k in range(len(w) - n + 1)} for w in words]
    n_entries, n_features = sum(map(len, grams)), len(set().union(*grams))
    most = 6 * n_entries + (20 + 4 * max_order) * scenes.n_captions + 4 * n_features + 8 * scenes.n_images + 2**13
    assert most / 2 < relevance.nbytes <= most
    before = relevance.nbytes
    relevance.batch([0, 1], [0, 1, 2])
    assert relevance.nbytes == before
    assert relevance._index is None  # the index over all captions is made for `matrix` only
