"""TF-IDF relevance against scikit-learn, written out densely."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from daa.corpus import CaptionCorpus
from daa.relevance import TfidfRelevance
from tests.relevance.conftest import tiny


def dense_tfidf(corpus, df_corpus=None, leave_out_self=False):
    """The released definition: cosine matrix of all pairs of captions, then the mean over each image's rows."""
    vectorizer, transformer = CountVectorizer(), TfidfTransformer()
    transformer.fit(vectorizer.fit_transform((df_corpus or corpus).captions))
    x = transformer.transform(vectorizer.transform(corpus.captions)).toarray()
    cosine = x @ x.T
    out = np.zeros((corpus.n_images, corpus.n_captions))
    for i in range(corpus.n_images):
        for c in range(corpus.n_captions):
            references = [r for r in corpus.captions_of_image(i) if not (leave_out_self and r == c)]
            out[i, c] = np.mean([cosine[r, c] for r in references])
    return out


@settings(max_examples=40)
@given(tiny(min_captions_per_image=2), tiny())
def test_equals_scikit_learn(some, others):
    corpus, other = CaptionCorpus(*some), CaptionCorpus(*others)
    assume(all(any(len(word) > 1 for text in c.captions for word in text.split()) for c in (corpus, other)))
    for leave_out_self in (False, True):
        got = TfidfRelevance(leave_out_self=leave_out_self).fit(corpus).matrix()
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, dense_tfidf(corpus, leave_out_self=leave_out_self), atol=1e-6)
    got = TfidfRelevance().fit(corpus, df_corpus=other).matrix()
    np.testing.assert_allclose(got, dense_tfidf(corpus, other), atol=1e-6)


def test_real_captions(coco_5k):
    corpus = coco_5k.select(slice(1000, 1100))
    np.testing.assert_allclose(TfidfRelevance().fit(corpus).matrix(), dense_tfidf(corpus), atol=1e-6)
    whole = TfidfRelevance().fit(coco_5k)
    assert np.mean(whole.matrix(slice(0, 500)) == 0) == pytest.approx(0.15, abs=0.01)


def test_words_are_missing():
    with pytest.raises(
        ValueError, match="corpus: expected captions with words of two or more letters, found none in x"
    ):
        TfidfRelevance().fit(CaptionCorpus(["a b", "."], [0, 1], name="x"))


def test_leave_out_self_needs_two_captions():
    with pytest.raises(ValueError, match="leave_out_self: expected at least two captions an image, but image 1 of"):
        TfidfRelevance(leave_out_self=True).fit(CaptionCorpus(["a dog", "the dog", "a cat"], [0, 0, 1]))
