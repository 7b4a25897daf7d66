"""Recall@K, R-Precision and mAP@R."""

import functools

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from daa.corpus import Truth
from daa.metrics import HIT_POLICIES, map_at_r, r_precision, recall_at_k
from tests.metrics.strategies import DIRECTIONS, by_query, scores_and_positives
from tests.oracles import slow_average_precision_at_r, slow_hits, slow_r_precision, slow_recall

KS = [1, 2, 3, 10]
METRICS = {
    **{f"R@{k}": (functools.partial(recall_at_k, k=k), functools.partial(slow_recall, k=k)) for k in KS},
    "R-Precision": (r_precision, slow_r_precision),
    "mAP@R": (map_at_r, slow_average_precision_at_r),
}


def slow(scores, positives, direction, metric, ties):
    values = []
    for row, hits in zip(by_query(scores, direction), by_query(positives, direction), strict=True):
        wanted = {g for g, hit in enumerate(hits) if hit}
        values.append(slow_hits(row, wanted, metric, ties) if wanted else np.nan)
    return np.array(values)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("ties", HIT_POLICIES)
def test_equals_the_definition(name, ties):
    fast, metric = METRICS[name]

    @given(scores_and_positives(), st.sampled_from(DIRECTIONS))
    def check(pair, direction):
        scores, positives = pair
        values = fast(scores, positives, direction=direction, ties=ties, reduction="none")
        expected = slow(scores, positives, direction, metric, ties)
        np.testing.assert_allclose(values.numpy(), expected, rtol=0, atol=1e-12)
        mean = fast(scores, positives, direction=direction, ties=ties)
        assert isinstance(mean, float)
        assert mean == pytest.approx(np.nanmean(expected), abs=1e-12)

    check()


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("ties", HIT_POLICIES)
def test_among_judged_pairs_it_is_the_metric_of_the_condensed_lists(name, ties):
    """As if the candidates that were not judged for a query had never been in its row."""
    fast, metric = METRICS[name]

    @settings(max_examples=25, deadline=None)
    @given(scores_and_positives(), st.sampled_from(DIRECTIONS), st.integers(0, 2**32 - 1))
    def check(pair, direction, seed):
        scores, positives = pair
        judged = positives | (np.random.default_rng(seed).random(positives.shape) < 0.5)
        truth = Truth.among_judged(positives, judged)
        if truth.positives_of(direction).nnz == 0:
            return
        values = fast(scores, truth, direction=direction, ties=ties, reduction="none")
        rows = zip(*(np.array(by_query(one, direction)) for one in (scores, positives, judged)), strict=True)
        for value, (row, hits, looked_at) in zip(values.tolist(), rows, strict=True):
            wanted = np.flatnonzero(hits[looked_at])
            if 0 < len(wanted) < looked_at.sum():
                expected = slow_hits(row[looked_at].tolist(), set(wanted.tolist()), metric, ties)
                assert value == pytest.approx(expected, abs=1e-12)
            else:
                assert np.isnan(value)

    check()


@settings(max_examples=20)
@given(scores_and_positives(max_side=9), st.sampled_from(DIRECTIONS))
def test_policies_are_ordered_and_agree_without_ties(pair, direction):
    scores, positives = pair
    untied = np.random.default_rng(scores.size).permutation(scores.size).reshape(scores.shape).astype(float)
    for metric, _ in METRICS.values():
        values = {ties: metric(scores, positives, direction=direction, ties=ties) for ties in HIT_POLICIES}
        assert values["pessimistic"] - 1e-12 <= values["expected"] <= values["optimistic"] + 1e-12
        assert values["pessimistic"] <= values["ordinal"] <= values["optimistic"]
        without = [metric(untied, positives, direction=direction, ties=ties) for ties in HIT_POLICIES]
        np.testing.assert_allclose(without, without[0], atol=1e-12)


def test_constant_scores_get_what_a_random_ranking_gets():
    positives = np.zeros((2, 50), bool)
    positives[:, :5] = True
    constant = np.full((2, 50), 0.3, np.float32)
    assert recall_at_k(constant, positives, 1) == pytest.approx(5 / 50)
    assert r_precision(constant, positives) == pytest.approx(5 / 50)
    assert recall_at_k(constant, positives, 1, ties="optimistic") == 1
    assert recall_at_k(constant, positives, 10, ties="pessimistic") == 0


def test_every_form_of_positives_means_the_same():
    scores = np.random.default_rng(0).normal(size=(4, 8))
    image_of_caption = np.array([0, 2, 1, 3, 0, 0, 2, 1])
    dense = image_of_caption[None] == np.arange(4)[:, None]
    forms = [image_of_caption, torch.from_numpy(image_of_caption), dense, torch.from_numpy(dense)]
    forms += [
        sparse.csr_array(dense),
        sparse.coo_array(dense),
        sparse.csr_matrix(dense),
        Truth(sparse.csr_array(dense)),
    ]
    for direction in DIRECTIONS:
        results = [recall_at_k(scores, form, [1, 3], direction=direction) for form in forms]
        assert all(result == results[0] for result in results)
        assert list(results[0]) == [1, 3]


def test_a_truth_may_differ_between_the_directions():
    scores = np.array([[0.9, 0.1], [0.2, 0.8]])
    truth = Truth(sparse.csr_array(np.eye(2, dtype=bool)), sparse.csr_array(~np.eye(2, dtype=bool)))
    assert recall_at_k(scores, truth, direction="i2t") == 1
    assert recall_at_k(scores, truth, direction="t2i") == 0


def test_positives_outside_the_candidates_cannot_be_found_but_count_in_r():
    scores = np.array([[0.9, 0.5, 0.1], [0.9, 0.5, 0.1], [0.9, 0.5, 0.1]])
    matrix = sparse.csr_array(np.array([[True, True, False], [False, False, False], [False, False, False]]))
    truth = Truth(matrix, outside={"i2t": np.array([2, 1, 0])})
    assert r_precision(scores, truth, reduction="none").tolist()[:2] == [2 / 4, 0]
    assert map_at_r(scores, truth, reduction="none").tolist()[:2] == [2 / 4, 0]
    assert recall_at_k(scores, truth) == 0.5  # the third query has no positive anywhere: not evaluated
    assert recall_at_k(scores, truth, undefined="zero") == pytest.approx(1 / 3)


def test_the_policy_for_queries_without_positives():
    scores, positives = np.eye(3), np.diag([True, False, True])
    assert r_precision(scores, positives) == 1
    assert r_precision(scores, positives, undefined="zero") == pytest.approx(2 / 3)
    assert r_precision(scores, positives, undefined="zero", reduction="none").tolist() == [1, 0, 1]
    with pytest.raises(ValueError, match=r"1 queries have none.*the first is 1"):
        r_precision(scores, positives, undefined="error")


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize(
    ("positives", "message"),
    [
        (np.zeros((2, 3), bool), "positives: expected at least one matching pair"),
        (np.ones((3, 2), bool), "positives: .*transposed"),
        (np.ones((2, 4), bool), r"positives: expected \[2 images, 3 captions\]"),
        (np.array([0, 1]), "positives: expected the image of each of 3 captions, got 2"),
        (np.array([0, 1, 2]), "positives: expected image indices from 0 to 1, got 0 to 2"),
        (np.ones((2, 3)), "positives: expected a Truth, a boolean matrix"),
    ],
)
def test_positives_that_do_not_fit_are_refused(positives, message):
    for metric, _ in METRICS.values():
        with pytest.raises(ValueError, match=message):
            metric(np.eye(2, 3), positives)


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize("k", [0, -1, [], [1, 0], True, [1.5]])
def test_k_is_a_positive_integer(k):
    with pytest.raises(ValueError, match="k: expected one or more integers from 1"):
        recall_at_k(np.eye(2), np.eye(2, dtype=bool), k)


def test_k_may_come_from_numpy():
    assert recall_at_k(np.eye(2), np.eye(2, dtype=bool), np.int64(1)) == 1.0


def test_nan_is_refused_with_its_place():
    scores = np.eye(3)
    scores[2, 1] = np.nan
    with pytest.raises(ValueError, match="nan at image 2, caption 1"):
        recall_at_k(scores, np.arange(3), direction="t2i")
