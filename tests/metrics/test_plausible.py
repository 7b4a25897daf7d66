"""PMRP, and the rank of the first match."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daa.metrics import (
    HIT_POLICIES,
    match_ranks,
    mean_rank,
    median_rank,
    plausible_match_r_precision,
    r_precision,
)
from tests.metrics.strategies import DIRECTIONS, by_query, matrices, scores_and_positives
from tests.oracles import slow_first_match, slow_hits, slow_pmrp


@st.composite
def labelled(draw, max_side=5):
    scores = draw(matrices(max_side=max_side))
    n_images, n_captions = scores.shape
    labels = draw(hnp.arrays(bool, (n_images, draw(st.integers(1, 3)))))
    return scores, labels, draw(hnp.arrays(np.int64, n_captions, elements=st.integers(0, n_images - 1)))


@given(
    labelled(),
    st.integers(0, 3),
    st.sampled_from(DIRECTIONS),
    st.sampled_from(["drop", "keep"]),
    st.sampled_from(HIT_POLICIES),
)
def test_pmrp_equals_the_definition(problem, zeta, direction, unlabelled, ties):
    scores, labels, image_of_caption = problem
    options = {"zeta": zeta, "direction": direction, "unlabelled": unlabelled, "ties": ties, "reduction": "none"}
    if unlabelled == "drop" and not labels[image_of_caption].any():
        with pytest.raises(ValueError, match="labels: expected a category"):
            plausible_match_r_precision(*problem, **options)
        return
    expected = slow_pmrp(scores, labels, image_of_caption, zeta, direction, unlabelled, ties)
    values = plausible_match_r_precision(*problem, **options)
    np.testing.assert_allclose(values.numpy(), expected, rtol=0, atol=1e-12)
    assert plausible_match_r_precision(*problem, block=1, **options).equal(values) or np.isnan(expected).any()


def test_pmrp_is_the_mean_over_zeta():
    generator = np.random.default_rng(0)
    scores, labels = generator.normal(size=(6, 12)), generator.random((6, 4)) < 0.6
    image_of_caption = np.arange(12) // 2
    each = [plausible_match_r_precision(scores, labels, image_of_caption, zeta=zeta) for zeta in (0, np.int64(1), 2)]
    assert plausible_match_r_precision(scores, labels, image_of_caption) == pytest.approx(np.mean(each))


def test_pmrp_with_all_images_different_is_r_precision():
    generator = np.random.default_rng(0)
    scores, image_of_caption = generator.normal(size=(4, 12)), np.arange(12) % 4
    value = plausible_match_r_precision(scores, np.eye(4, dtype=bool), image_of_caption, zeta=(0, 1))
    assert value == pytest.approx(r_precision(scores, image_of_caption))


def test_bad_labels_are_refused(own_errors):
    scores, labels, image_of_caption = np.eye(2, 3), np.ones((2, 4), bool), np.array([0, 1, 1])
    for change, message in [
        ({"labels": np.ones((3, 4), bool)}, r"labels: expected \[2 images, classes\], got shape \(3, 4\)"),
        ({"image_of_caption": np.array([0, 1])}, "image_of_caption: expected the image, 0 to 1, of each of 3 captions"),
        ({"image_of_caption": np.array([0, 1, 2])}, "from 0 to 2"),
        ({"zeta": -1}, "zeta: expected one or more integers from 0"),
        ({"unlabelled": "ignore"}, "unlabelled: expected"),
        ({"ties": "average"}, "ties: expected one of"),
    ]:
        arguments = {"scores": scores, "labels": labels, "image_of_caption": image_of_caption} | change
        with pytest.raises(ValueError, match=message):
            plausible_match_r_precision(**arguments)


@given(scores_and_positives(), st.sampled_from(DIRECTIONS), st.sampled_from(["expected", "ordinal"]))
def test_match_ranks_equal_the_definition(pair, direction, ties):
    expected = []
    for row, hits in zip(*(by_query(matrix, direction) for matrix in pair), strict=True):
        wanted = {g for g, hit in enumerate(hits) if hit}
        expected.append(slow_hits(row, wanted, slow_first_match, ties) if wanted else np.nan)
    values = match_ranks(*pair, direction=direction, ties=ties)
    np.testing.assert_allclose(values, expected, rtol=0, atol=1e-12)
    assert mean_rank(*pair, direction=direction, ties=ties) == pytest.approx(np.nanmean(expected))
    assert median_rank(*pair, direction=direction, ties=ties) == pytest.approx(np.nanmedian(expected))
    if ties == "expected":
        bounds = [match_ranks(*pair, direction=direction, ties=bound) for bound in ("optimistic", "pessimistic")]
        found = ~np.isnan(values)
        assert (bounds[0][found] <= values[found] + 1e-12).all()
        assert (values[found] <= bounds[1][found] + 1e-12).all()


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_pmrp_closes_the_ranks_over_dropped_candidates(direction):
    generator = np.random.default_rng(2)
    labels = generator.random((12, 2)) < 0.4
    image_of_caption = np.concatenate([np.arange(12), generator.integers(0, 12, 12)])
    scores = generator.permutation(12 * 24).reshape(12, 24).astype(float)
    assert 3 < (~labels.any(axis=1)).sum() < 9
    values = plausible_match_r_precision(
        scores, labels, image_of_caption, zeta=0, direction=direction, reduction="none"
    )
    np.testing.assert_allclose(values.numpy(), slow_pmrp(scores, labels, image_of_caption, 0, direction), atol=1e-12)
