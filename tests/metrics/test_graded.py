"""NCS, NDCG and Kendall's tau."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse, stats
from sklearn.metrics import ndcg_score

from daa.metrics import kendall_tau, ndcg_at_k, normalized_cumulative_semantic_score
from tests.metrics.strategies import DIRECTIONS, by_query, matrices
from tests.oracles import slow_kendall_tau, slow_share_of_best


@st.composite
def problems(draw, max_side=5):
    """Scores, relevance that is not negative, and some pairs to leave out."""
    scores, relevance, chosen = draw(matrices(how_many=3, max_side=max_side))
    return scores, np.maximum(relevance, 0), chosen > 0


def check(metric, problem, direction, weight, leave_out, transform=lambda value: value):
    scores, relevance, pairs = problem
    rows = zip(*(by_query(matrix, direction) for matrix in (scores, relevance, pairs)), strict=True)
    expected = np.array(
        [
            slow_share_of_best(s, [transform(v) for v in c], weight, np.flatnonzero(out) if leave_out else ())
            for s, c, out in rows
        ]
    )
    options = {"leave_out": pairs} if leave_out and pairs.any() else {}
    if np.isnan(expected).all():
        with pytest.raises(ValueError, match="relevance: expected some above 0"):
            metric(scores, relevance, direction=direction, **options)
        return
    values = metric(scores, relevance, direction=direction, reduction="none", **options)
    np.testing.assert_allclose(values.numpy(), expected, rtol=0, atol=1e-6)  # gains are float32
    mean = metric(scores, relevance, direction=direction, **options)
    assert mean == pytest.approx(np.nanmean(expected), abs=1e-6)


@given(problems(), st.integers(1, 6), st.sampled_from(DIRECTIONS), st.booleans())
def test_ncs_equals_the_definition(problem, k, direction, leave_out):
    def ncs(*arguments, **options):
        return normalized_cumulative_semantic_score(*arguments, k, **options)

    check(ncs, problem, direction, lambda place: place <= k, leave_out)


@given(problems(), st.integers(1, 6) | st.none(), st.sampled_from(DIRECTIONS), st.booleans(), st.booleans())
def test_ndcg_equals_the_definition(problem, k, direction, leave_out, exponential):
    def ndcg(*arguments, **options):
        return ndcg_at_k(*arguments, k, gain="exponential" if exponential else "linear", **options)

    def weight(place):
        return (place <= (k or place)) / np.log2(1 + place)

    check(ndcg, problem, direction, weight, leave_out, (lambda v: 2**v - 1) if exponential else (lambda v: v))


@pytest.mark.parametrize("k", [None, 1, 5, 60])
def test_ndcg_equals_scikit_learn_ties_included(k):
    generator = np.random.default_rng(0)
    scores, relevance = generator.integers(0, 6, (20, 50)) / 4, generator.random((20, 50))
    assert ndcg_at_k(scores, relevance, k) == pytest.approx(ndcg_score(relevance, scores, k=k), abs=1e-12)


@given(matrices(how_many=2, max_side=8), st.integers(1, 9), st.sampled_from(DIRECTIONS))
def test_kendall_tau_equals_the_definition(pair, k, direction):
    rows = zip(*(by_query(matrix, direction) for matrix in pair), strict=True)
    expected = np.array([slow_kendall_tau(scores, relevance, k) for scores, relevance in rows])
    values = kendall_tau(*pair, k, direction=direction, undefined="zero", reduction="none")
    np.testing.assert_allclose(values.numpy(), np.nan_to_num(expected), rtol=0, atol=1e-12)
    if np.isnan(expected).any():
        with pytest.raises(ValueError, match=r"undefined: expected a value|relevance: expected some order"):
            kendall_tau(*pair, k, direction=direction, undefined="error")
    if not np.isnan(expected).all():
        skipped = kendall_tau(*pair, k, direction=direction, undefined="skip")
        assert skipped == pytest.approx(np.nanmean(expected), abs=1e-12)


@pytest.mark.parametrize("n", [1000, 4097])
@pytest.mark.parametrize("n_values", [20, 10**6])
def test_kendall_tau_equals_scipy_on_long_rows(n, n_values):
    generator = np.random.default_rng(n)
    scores, relevance = generator.integers(0, n_values, (2, 2, n)).astype(np.float64)
    expected = [stats.kendalltau(s, c).statistic for s, c in zip(scores, relevance, strict=True)]
    np.testing.assert_allclose(kendall_tau(scores, relevance, reduction="none").numpy(), expected, atol=1e-12)


@settings(max_examples=20)
@given(problems(max_side=9))
def test_the_relevance_itself_gets_the_most(problem):
    _, relevance, _ = problem
    if relevance.any():
        assert normalized_cumulative_semantic_score(relevance, relevance, 3) == pytest.approx(1)
        assert ndcg_at_k(relevance, relevance, 3) == pytest.approx(1)
        assert 0 <= ndcg_at_k(-relevance, relevance, 3) <= 1


@pytest.mark.usefixtures("own_errors")
def test_bad_input_is_refused():
    for metric in (normalized_cumulative_semantic_score, ndcg_at_k):
        with pytest.raises(ValueError, match="relevance: expected no negative value"):
            metric(np.eye(2), -np.eye(2), 1)
        with pytest.raises(ValueError, match="relevance: expected some above 0"):
            metric(np.eye(2), np.zeros((2, 2)), 1)
        assert metric(np.eye(2), np.zeros((2, 2)), 1, undefined="zero") == 0
        with pytest.raises(ValueError, match=r"positives: .*transposed"):
            metric(np.eye(2, 3), np.eye(2, 3), 1, leave_out=sparse.csr_array(np.eye(3, 2, dtype=bool)))
    for metric in (normalized_cumulative_semantic_score, ndcg_at_k, kendall_tau):
        with pytest.raises(ValueError, match="k: expected an integer from 1"):
            metric(np.eye(2), np.eye(2), 0)
    with pytest.raises(ValueError, match="gain: expected one of"):
        ndcg_at_k(np.eye(2), np.eye(2), gain="square")
