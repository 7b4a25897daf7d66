"""Chance-corrected ASP and ASP@K."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from daa.metrics import asp_at_k, asp_at_k_chance, average_semantic_precision, chance_corrected_asp
from daa.ranks import TIE_POLICIES
from tests.metrics.strategies import DIRECTIONS, by_query, matrices
from tests.oracles import slow_asp, slow_asp_at_k, slow_asp_chance


@settings(max_examples=25)
@given(matrices(how_many=2, max_side=4), st.sampled_from(DIRECTIONS), st.sampled_from(TIE_POLICIES))
def test_chance_is_the_mean_over_every_order_of_the_candidates(pair, direction, ties):
    rows = list(zip(*(by_query(matrix, direction) for matrix in pair), strict=True))
    if len(rows[0][0]) < 2:
        with pytest.raises(ValueError, match="at least two candidates"):
            chance_corrected_asp(*pair, direction=direction)
        return
    values = chance_corrected_asp(*pair, direction=direction, ties=ties, reduction="none")
    chance = np.array([slow_asp_chance(relevance, ties) for _, relevance in rows])
    asp = np.array([slow_asp(*row, ties) for row in rows])
    np.testing.assert_allclose(values.numpy(), (asp - chance) / (1 - chance), rtol=0, atol=1e-11)


def test_a_perfect_ranking_is_1_a_random_one_0_and_the_worst_negative():
    generator = np.random.default_rng(0)
    relevance, scores = generator.normal(size=(300, 200)), generator.normal(size=(300, 200))
    assert chance_corrected_asp(relevance, relevance) == pytest.approx(1)
    assert chance_corrected_asp(scores, relevance) == pytest.approx(0, abs=0.005)
    assert chance_corrected_asp(-relevance, relevance) < -0.1


@settings(max_examples=30)
@given(matrices(how_many=2, max_side=4), st.integers(1, 5), st.sampled_from(DIRECTIONS), st.sampled_from(TIE_POLICIES))
def test_asp_at_k_equals_the_definition(pair, k, direction, ties):
    values = asp_at_k(*pair, k, direction=direction, ties=ties, reduction="none")
    rows = zip(*(by_query(matrix, direction) for matrix in pair), strict=True)
    expected = [slow_asp_at_k(scores, relevance, k, ties) for scores, relevance in rows]
    np.testing.assert_allclose(values.numpy(), expected, rtol=0, atol=1e-12)


@given(matrices(how_many=2, max_side=9), st.sampled_from(TIE_POLICIES))
def test_asp_at_n_is_asp(pair, ties):
    n = pair[0].shape[1]
    for k in (n, n + 3):
        assert asp_at_k(*pair, k, ties=ties) == pytest.approx(average_semantic_precision(*pair, ties=ties), abs=1e-12)


@pytest.mark.parametrize("k", [1, 7, 40, 99])
def test_the_chance_level_of_asp_at_k(k):
    relevance = np.random.default_rng(0).permutation(40).astype(float)[None]
    constant = np.zeros((1, 40))
    assert asp_at_k(constant, relevance, k, ties="expected") == pytest.approx(asp_at_k_chance(40, k), abs=1e-12)


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize("k", [0, -1, True, 2.5])
def test_k_is_a_positive_integer(k):
    with pytest.raises(ValueError, match="k: expected an integer from 1"):
        asp_at_k(np.eye(2), np.eye(2), k)
