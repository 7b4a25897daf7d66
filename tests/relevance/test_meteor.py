"""METEOR through pycocoevalcap's Java program, and what is said where it cannot run."""

import importlib.util
import shutil

import numpy as np
import pytest

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.relevance import MeteorRelevance, ptb_like


@pytest.mark.skipif(shutil.which("java") is None, reason="METEOR needs Java")
def test_equals_pycocoevalcap():
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


def test_without_java(monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda program: None)
    with pytest.raises(FileNotFoundError, match="meteor: needs Java, but there is no program `java`; install"):
        MeteorRelevance()


def test_without_pycocoevalcap(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ModuleNotFoundError, match=r'meteor: needs the package .*; pip install "daa-book\[meteor\]'):
        MeteorRelevance()
