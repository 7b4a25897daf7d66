"""BLEU, ROUGE-L and METEOR against pycocoevalcap, and what is said where METEOR cannot run."""

import importlib.util
import shutil

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocoevalcap.bleu.bleu import Bleu
from pycocoevalcap.rouge.rouge import Rouge

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.relevance import MeteorRelevance, OverlapRelevance, ptb_like
from daa.relevance.overlap import METRICS
from tests.relevance.conftest import tiny


def pycocoevalcap_scores(corpus, metric, pairs, tokenizer):
    words = [" ".join(tokenizer(caption)) for caption in corpus.captions]
    references = {k: [words[r] for r in corpus.captions_of_image(int(i))] for k, (i, _) in enumerate(pairs)}
    candidates = {k: [words[c]] for k, (_, c) in enumerate(pairs)}
    if metric == "rouge-l":
        return np.array(Rouge().compute_score(references, candidates)[1])
    return np.array(Bleu(4).compute_score(references, candidates, verbose=0)[1][int(metric[-1]) - 1])


def all_pairs(corpus):
    return [(i, c) for i in range(corpus.n_images) for c in range(corpus.n_captions)]


@settings(max_examples=40)
@given(tiny(), st.sampled_from(METRICS))
def test_equals_pycocoevalcap(some, metric):
    corpus = CaptionCorpus(*some)
    relevance = OverlapRelevance(metric, tokenizer=str.split).fit(corpus)
    got = relevance.matrix()
    expected = pycocoevalcap_scores(corpus, metric, all_pairs(corpus), str.split).reshape(got.shape)
    np.testing.assert_allclose(got, expected, atol=1e-6)
    words = [set(caption.split()) for caption in corpus.captions]
    common = [any(words[c] & words[r] for r in corpus.captions_of_image(i)) for i, c in all_pairs(corpus)]
    assert np.array_equal(got.ravel() > 0, common)


@settings(max_examples=15)
@given(st.lists(st.integers(1, 200), min_size=2, max_size=4), st.integers(0, 10**6))
def test_long_captions(lengths, seed):
    rng = np.random.default_rng(seed)
    captions = [" ".join(rng.choice(list("abcdefgh"), length)) for length in lengths]
    corpus = CaptionCorpus(captions, [0, *range(len(lengths) - 1)])
    for metric in ("rouge-l", "bleu-4"):
        got = OverlapRelevance(metric, tokenizer=str.split).fit(corpus).matrix()
        expected = pycocoevalcap_scores(corpus, metric, all_pairs(corpus), str.split).reshape(got.shape)
        np.testing.assert_allclose(got, expected, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_thousand_random_pairs_of_real_captions(coco_5k, metric):
    rng = np.random.default_rng(1)
    images = np.sort(rng.choice(coco_5k.n_images, 40, replace=False))
    captions = np.append(rng.choice(coco_5k.n_captions, 20, replace=False), coco_5k.captions_of_image(int(images[0])))
    relevance = OverlapRelevance(metric).fit(coco_5k)
    got = relevance.batch(images, captions).numpy()
    expected = pycocoevalcap_scores(coco_5k, metric, [(i, c) for i in images for c in captions], ptb_like)
    np.testing.assert_allclose(got, expected.reshape(got.shape), atol=1e-6)
    np.testing.assert_allclose(relevance.matrix(slice(images[0], images[0] + 1))[0, captions], got[0], atol=1e-6)


def test_captions_without_a_word_on_either_side():
    corpus = CaptionCorpus(["...", "!", "a dog", "?"], [0, 0, 1, 1])
    for metric in METRICS:
        matrix = OverlapRelevance(metric).fit(corpus).matrix()
        assert matrix[0].tolist() == [0, 0, 0, 0]
        assert matrix[1, [0, 1, 3]].tolist() == [0, 0, 0]
        assert matrix[1, 2] > 0


def test_unknown_metric():
    with pytest.raises(ValueError, match="metric: expected one of bleu-1, bleu-2, bleu-3, bleu-4, rouge-l, got 'bleu'"):
        OverlapRelevance("bleu")


@pytest.mark.skipif(shutil.which("java") is None, reason="METEOR needs Java")
def test_meteor_equals_pycocoevalcap():
    corpus = CaptionCorpus(
        ["A red dog runs.", "The dog is running", "Two cats sleep", "!", "kittens asleep ||| here", "a hound"],
        [1, 0, 2, 2, 2, 0],
    )
    relevance = MeteorRelevance().fit(corpus)
    matrix = relevance.matrix()
    assert matrix.dtype == np.float32
    assert (matrix[:, 3] == 0).all()
    program = relevance._program()
    for i, c, references, candidate in [
        (1, 1, ["a red dog runs"], "the dog is running"),
        (0, 0, ["the dog is running", "a hound"], "a red dog runs"),
        (2, 2, ["two cats sleep", "kittens asleep here"], "two cats sleep"),
        (0, 4, ["the dog is running", "a hound"], "kittens asleep here"),
    ]:
        assert matrix[i, c] == pytest.approx(program.compute_score({0: references}, {0: [candidate]})[1][0], abs=1e-6)
    assert matrix[0, 0] > matrix[0, 4]
    np.testing.assert_allclose(relevance.batch([2, 0], [0, 4]).numpy(), matrix[[2, 0]][:, [0, 4]], atol=1e-6)

    scenes = load_corpus("scenes", n_images=8)
    words = [" ".join(ptb_like(caption)) for caption in scenes.captions]
    relevance.fit(scenes)
    captions = np.arange(0, scenes.n_captions, 4)
    references = [[words[r] for r in scenes.captions_of_image(i)] for i in range(scenes.n_images) for _ in captions]
    candidates = [[words[c]] for _ in range(scenes.n_images) for c in captions]
    expected = program.compute_score(dict(enumerate(references)), dict(enumerate(candidates)))[1]
    got = relevance.batch(np.arange(scenes.n_images), captions).numpy()
    np.testing.assert_allclose(got.ravel(), expected, atol=1e-6)


def test_meteor_without_java(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(FileNotFoundError, match="meteor: needs Java, but there is no program `java`; install"):
        MeteorRelevance()


def test_meteor_without_pycocoevalcap(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'meteor: needs the package .*; pip install "daa-book\[meteor\]'):
        MeteorRelevance()
