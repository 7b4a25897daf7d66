"""TF-IDF against scikit-learn, written out densely; CIDEr against pycocoevalcap and a slow oracle."""

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from pycocoevalcap.cider.cider_scorer import CiderScorer
from sklearn.feature_extraction.text import CountVectorizer, TfidfTransformer

from daa.corpus import CaptionCorpus
from daa.relevance import CiderRelevance, TfidfRelevance, ptb_like
from tests.oracles import slow_cider
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
def test_tfidf_equals_scikit_learn(some, others):
    corpus, other = CaptionCorpus(*some), CaptionCorpus(*others)
    assume(all(any(len(word) > 1 for text in c.captions for word in text.split()) for c in (corpus, other)))
    for leave_out_self in (False, True):
        got = TfidfRelevance(leave_out_self=leave_out_self).fit(corpus).matrix()
        assert got.dtype == np.float32
        np.testing.assert_allclose(got, dense_tfidf(corpus, leave_out_self=leave_out_self), atol=1e-6)
    got = TfidfRelevance().fit(corpus, df_corpus=other).matrix()
    np.testing.assert_allclose(got, dense_tfidf(corpus, other), atol=1e-6)


def test_tfidf_of_real_captions(coco_5k):
    corpus = coco_5k.select(slice(1000, 1100))
    np.testing.assert_allclose(TfidfRelevance().fit(corpus).matrix(), dense_tfidf(corpus), atol=1e-6)
    whole = TfidfRelevance().fit(coco_5k)
    assert np.mean(whole.matrix(slice(0, 500)) == 0) == pytest.approx(0.15, abs=0.01)


def test_tfidf_without_words():
    with pytest.raises(
        ValueError, match="corpus: expected captions with words of two or more letters, found none in x"
    ):
        TfidfRelevance().fit(CaptionCorpus(["a b", "."], [0, 1], name="x"))


def test_leave_out_self_needs_two_captions():
    with pytest.raises(ValueError, match="leave_out_self: expected at least two captions an image, but image 1 of"):
        TfidfRelevance(leave_out_self=True).fit(CaptionCorpus(["a dog", "the dog", "a cat"], [0, 0, 1]))


def pycocoevalcap_cider(corpus, pairs, tokenizer, df_corpus=None):
    """CIDEr as the package scores it: each pair a test case of its own, document frequencies from the corpus."""
    df_corpus = df_corpus or corpus
    frequencies = CiderScorer()
    for i in range(df_corpus.n_images):
        texts = [" ".join(tokenizer(df_corpus.captions[c])) for c in df_corpus.captions_of_image(i)]
        frequencies += (None, texts)
    frequencies.compute_doc_freq()
    scorer = CiderScorer()
    scorer.document_frequency = frequencies.document_frequency
    for i, c in pairs:
        references = [" ".join(tokenizer(corpus.captions[r])) for r in corpus.captions_of_image(i)]
        scorer += (" ".join(tokenizer(corpus.captions[c])), references)
    # The scorer takes log(number of test cases) for the number of images: score with the number it should be.
    scores = []
    for test, references in zip(scorer.ctest, scorer.crefs, strict=True):
        one = CiderScorer()
        one.document_frequency = scorer.document_frequency
        one.ctest, one.crefs = [test], [references]
        scores.append(score_with_n_images(one, df_corpus.n_images))
    return np.array(scores)


class _Counted(list):
    """A list that says it is longer: `len` is all that the scorer reads the number of images from."""

    def __init__(self, items, length):
        super().__init__(items)
        self.length = length

    def __len__(self):
        return self.length


def score_with_n_images(scorer, n_images):
    scorer.crefs = _Counted(scorer.crefs, n_images)
    return scorer.compute_cider()[0]


@given(tiny(), st.sampled_from([ptb_like, str.split]))
def test_cider_equals_pycocoevalcap(some, tokenizer):
    corpus = CaptionCorpus(*some)
    pairs = [(i, c) for i in range(corpus.n_images) for c in range(corpus.n_captions)]
    got = CiderRelevance(tokenizer=tokenizer).fit(corpus).matrix()
    expected = pycocoevalcap_cider(corpus, pairs, tokenizer).reshape(got.shape)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert got.dtype == np.float32
    assert got.min() >= 0


@settings(max_examples=25)
@given(tiny(min_captions_per_image=2), tiny(), st.sampled_from(["cider", "cider-d"]))
def test_cider_equals_the_oracle(some, others, variant):
    corpus, other = CaptionCorpus(*some), CaptionCorpus(*others)

    def expected(df_corpus, leave_out_self=False):
        words = [text.split() for text in corpus.captions]
        documents = [
            [df_corpus.captions[r].split() for r in df_corpus.captions_of_image(i)] for i in range(df_corpus.n_images)
        ]
        out = np.zeros((corpus.n_images, corpus.n_captions))
        for i in range(corpus.n_images):
            for c in range(corpus.n_captions):
                references = [r for r in corpus.captions_of_image(i) if not (leave_out_self and r == c)]
                out[i, c] = slow_cider(words[c], [words[r] for r in references], documents, variant)
        return out

    options = {"variant": variant, "tokenizer": str.split}
    np.testing.assert_allclose(CiderRelevance(**options).fit(corpus).matrix(), expected(corpus), atol=1e-5)
    other_df = CiderRelevance(**options).fit(corpus, df_corpus=other)
    np.testing.assert_allclose(other_df.matrix(), expected(other), atol=1e-5)
    without_self = CiderRelevance(**options, leave_out_self=True).fit(corpus)
    np.testing.assert_allclose(without_self.matrix(), expected(corpus, leave_out_self=True), atol=1e-5)


@pytest.mark.parametrize("tokenizer", [ptb_like, str.split])
def test_thousand_random_pairs_of_real_captions(coco_5k, tokenizer):
    rng = np.random.default_rng(0)
    images = np.sort(rng.choice(coco_5k.n_images, 40, replace=False))
    captions = np.append(rng.choice(coco_5k.n_captions, 20, replace=False), coco_5k.captions_of_image(int(images[0])))
    relevance = CiderRelevance(tokenizer=tokenizer).fit(coco_5k)
    got = relevance.batch(images, captions).numpy()
    assert got.size == 1000
    pairs = [(i, c) for i in images.tolist() for c in captions]
    expected = pycocoevalcap_cider(coco_5k, pairs, tokenizer).reshape(got.shape)
    assert np.abs(got - expected).max() < 1e-5
    row = relevance.matrix(slice(images[0], images[0] + 1))
    np.testing.assert_allclose(row[0, captions], expected[0], atol=1e-5)


def test_cider_of_one_image_is_refused():
    with pytest.raises(ValueError, match="corpus: expected at least 2 images to tell rare from frequent words, got 1"):
        CiderRelevance().fit(CaptionCorpus(["a dog", "a cat"], [0, 0]))


def test_unknown_variant():
    with pytest.raises(ValueError, match='variant: expected "cider-d" or "cider", got "CIDEr"'.replace('"CIDEr"', "'")):
        CiderRelevance(variant="CIDEr")


def test_describe():
    assert CiderRelevance().name == "cider-d"
    assert "tokenizer split" in CiderRelevance(variant="cider", tokenizer=str.split).describe()
    corpus = CaptionCorpus(["a dog", "a cat"], [0, 1], name="small")
    fitted = CiderRelevance().fit(corpus, df_corpus=CaptionCorpus(["a", "b"], [0, 1], name="train"))
    assert fitted.describe().endswith("document frequencies of train")
    assert "fitted on small" in repr(fitted)
