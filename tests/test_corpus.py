import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import sparse

from daa.corpus import CaptionCorpus, Truth


def corpus(image_of_caption=(0, 1, 0, 2), **options):
    captions = [f"caption {c}" for c in range(len(image_of_caption))]
    return CaptionCorpus(captions=captions, image_of_caption=list(image_of_caption), **options)


def test_annotated_is_each_caption_with_its_own_image():
    expected = [[1, 0, 1, 0], [0, 1, 0, 0], [0, 0, 0, 1]]
    one = corpus()
    np.testing.assert_array_equal(one.annotated.toarray(), np.array(expected, bool))
    one.annotated.indices[:] = 0  # the caller's own
    np.testing.assert_array_equal(one.annotated.toarray(), np.array(expected, bool))


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12))
def test_captions_by_image_are_each_image_s_captions_ascending(images):
    owner = np.unique(images, return_inverse=True)[1]
    some = corpus(owner)
    expected = [np.flatnonzero(owner == i).tolist() for i in range(some.n_images)]
    grouped = some.captions_by_image
    assert [grouped.of(i).tolist() for i in range(some.n_images)] == expected
    assert grouped.counts.tolist() == [len(own) for own in expected]
    assert grouped is some.captions_by_image
    assert (grouped.indptr.dtype, grouped.captions.dtype) == (np.int64, np.int64)
    for i, own in enumerate(expected):
        answer = some.captions_of_image(i)
        assert answer.tolist() == own
        answer += 1  # the caller's own
        assert some.captions_of_image(i).tolist() == own


@pytest.mark.parametrize("image", [-1, 3])
def test_no_captions_of_an_image_that_is_not_there(image):
    with pytest.raises(ValueError, match=f"image: expected an index from 0 to 2, got {image}"):
        corpus().captions_of_image(image)


def test_truths_are_listed_with_the_annotation_first():
    known = corpus(positives=np.ones((3, 4)), truths={"ECCV": Truth(sparse.csr_array(np.eye(3, 4)))})
    assert list(known.all_truths()) == ["annotated", "exhaustive", "ECCV"]
    assert "exhaustive" in repr(known)


def test_the_two_directions_of_a_truth_may_differ():
    truth = Truth(np.array([[1, 0, 0]]), np.array([[0, 1, 1]]))
    assert truth.positives_of("i2t").toarray().tolist() == [[True, False, False]]
    assert truth.positives_of("t2i").toarray().tolist() == [[False], [True], [True]]


def test_explicit_zeros_are_no_positives():
    stored = sparse.csr_array((np.array([1, 0]), (np.array([0, 0]), np.array([0, 1]))), shape=(1, 2))
    assert Truth(stored).i2t.nnz == 1


@given(st.lists(st.integers(0, 4), min_size=1, max_size=12), st.data())
def test_a_selection_keeps_captions_truth_labels_and_identifiers_together(images, data):
    owner = np.unique(images, return_inverse=True)[1]
    n = owner.max() + 1
    chosen = data.draw(st.permutations(range(n)).map(lambda order: order[: data.draw(st.integers(1, n))]))
    positives = np.random.default_rng(0).random((n, len(owner))) < 0.5
    whole = corpus(owner, labels=np.eye(n), positives=positives, image_ids=[f"i{k}" for k in range(n)])
    part = whole.select(chosen)
    assert part.image_ids.tolist() == [f"i{k}" for k in chosen]
    for c, caption in enumerate(part.captions):
        old = whole.captions.index(caption)
        assert part.image_ids[part.image_of_caption[c]] == whole.image_ids[owner[old]]
        assert part.caption_ids[c] == whole.caption_ids[old]
        np.testing.assert_array_equal(part.positives[:, [c]].toarray().ravel(), positives[chosen, old])
    np.testing.assert_array_equal(part.labels, np.eye(n, dtype=bool)[chosen])


def test_folds_are_consecutive_and_cover_everything():
    folds = list(corpus((0, 0, 1, 2, 3, 3)).folds(2))
    assert [fold.n_captions for fold in folds] == [3, 3]
    assert [caption for fold in folds for caption in fold.captions] == [f"caption {c}" for c in range(6)]


@pytest.mark.parametrize(
    ("options", "complaint"),
    [
        ({"captions": ["a", " "], "image_of_caption": [0, 0]}, r"captions: expected text, but caption 1 .* is ' '"),
        ({"captions": [], "image_of_caption": []}, "at least one caption"),
        ({"captions": ["a"], "image_of_caption": [0, 1]}, r"expected 1 integers.*got shape \(2,\)"),
        ({"captions": ["a"], "image_of_caption": [0.5]}, "float64"),
        ({"captions": ["a"], "image_of_caption": [-1]}, "expected indices from 0, got -1"),
        ({"captions": ["a", "b"], "image_of_caption": [0, 2]}, r"image 1 of 0\.\.2 has none"),
        ({"captions": ["a"], "image_of_caption": [0], "image_ids": [1, 2]}, "image_ids: expected 1 identifiers"),
        (
            {"captions": ["a", "b"], "image_of_caption": [0, 0], "caption_ids": [7, 7]},
            "caption_ids: .* 7 comes 2 times",
        ),
        ({"captions": ["a"], "image_of_caption": [0], "labels": np.ones(3)}, r"labels: expected \[1 images, classes\]"),
        (
            {"captions": ["a"], "image_of_caption": [0], "positives": np.ones((2, 1))},
            r"exhaustive positives: .*\(2, 1\)",
        ),
        ({"captions": ["a"], "image_of_caption": [0], "positives": [1]}, "positives: expected a matrix"),
    ],
)
def test_what_does_not_fit_together_is_refused(options, complaint):
    with pytest.raises(ValueError, match=complaint):
        CaptionCorpus(**options)


def test_bad_selections_and_folds_are_refused():
    with pytest.raises(ValueError, match="none twice"):
        corpus().select([0, 0])
    with pytest.raises(ValueError, match="divisor of the corpus's 3 images, got 2"):
        next(corpus().folds(2))
    with pytest.raises(ValueError, match='expected "i2t" or "t2i"'):
        Truth(np.eye(2)).positives_of("both")


def test_a_truth_that_is_a_function_is_made_when_it_is_first_asked_for():
    asked = []

    def truth():
        asked.append(None)
        return np.array([[True, False, True], [False, True, True]])

    corpus = CaptionCorpus(captions=["a", "b", "c"], image_of_caption=[0, 1, 1], positives=truth)
    part = corpus.select([1])
    assert "exhaustive" in repr(corpus)
    assert corpus.has_exhaustive_truth
    assert asked == [], "neither a selection nor a look at the corpus needs it"
    assert part.positives.toarray().tolist() == [[True, True]]
    assert corpus.all_truths()["exhaustive"].i2t.toarray().tolist() == truth().tolist()
    assert len(asked) == 2, "once for the corpus, once by this test"
    again = pickle.loads(pickle.dumps(corpus.select([0])))
    assert again.positives.toarray().tolist() == [[True]]
    assert not CaptionCorpus(captions=["a"], image_of_caption=[0]).has_exhaustive_truth


def test_a_truth_of_another_shape_is_refused_when_it_is_made():
    corpus = CaptionCorpus(captions=["a"], image_of_caption=[0], positives=lambda: np.ones((2, 1), bool))
    with pytest.raises(ValueError, match=r"exhaustive positives: expected \[1 images, 1 captions\], got \(2, 1\)"):
        _ = corpus.positives
