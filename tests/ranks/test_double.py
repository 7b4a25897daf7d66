import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daa.matrix import as_matrix
from daa.ranks import DoubleRanks, double_ranks
from daa.ranks.double import double_rank_integers
from tests.oracles import slow_double_ranks

FEW_VALUES = st.sampled_from([-2.5, -1.0, 0.0, 0.5, 3.0])
SHAPES = st.tuples(st.integers(1, 7), st.integers(1, 7))


@given(SHAPES.flatmap(lambda shape: hnp.arrays(np.float64, shape, elements=FEW_VALUES)), st.integers(1, 4))
def test_equals_the_definition(relevance, rounds):
    expected = slow_double_ranks(relevance, rounds)
    np.testing.assert_allclose(double_ranks(torch.from_numpy(relevance), rounds).numpy(), expected, atol=1e-12)
    blocks = [block for block in (relevance[:2], relevance[2:]) if len(block)]
    whole = double_rank_integers(blocks, relevance.shape, rounds)
    np.testing.assert_allclose(whole / (2 * len(relevance)), expected, atol=1e-12)


@given(SHAPES.flatmap(lambda shape: hnp.arrays(np.float32, shape, elements=FEW_VALUES)))
def test_every_candidate_is_equally_relevant_over_all_queries(relevance):
    np.testing.assert_allclose(double_ranks(torch.from_numpy(relevance)).mean(dim=0), 0.5, atol=1e-6)


def test_without_ties_every_candidate_has_every_value_once():
    relevance = np.random.default_rng(0).random((40, 3000))
    values = np.sort(double_rank_integers([relevance], relevance.shape, rounds=1), axis=0)
    assert (np.abs(values.astype(int) - np.arange(1, 80, 2)[:, None]) <= 2).all()


def test_where_a_margin_decides_every_rank_nothing_is_left():
    popular = np.random.default_rng(0).random((10, 4)) + np.array([0, 5, 10, 50])
    assert (double_rank_integers([popular], popular.shape) == 10).all()


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_a_matrix_of_them_reads_rows_of_either_direction(direction):
    relevance = np.random.default_rng(1).integers(0, 4, (6, 11)).astype(np.float32)
    of_queries = relevance if direction == "i2t" else relevance.T
    matrix = DoubleRanks(as_matrix(relevance, "relevance"))
    expected = slow_double_ranks(of_queries, matrix.rounds).astype(np.float32)
    np.testing.assert_allclose(matrix.rows(direction, slice(2, 5)), expected[2:5], rtol=1e-6)
    np.testing.assert_allclose(matrix.rows(direction, np.array([4, 0])), expected[[4, 0]], rtol=1e-6)
    part = matrix.select(slice(0, 3), np.array([1, 2, 7]))
    of_part = relevance[:3][:, [1, 2, 7]]
    of_part = of_part if direction == "i2t" else of_part.T
    np.testing.assert_allclose(part.rows(direction, slice(0, 3)), slow_double_ranks(of_part, matrix.rounds), rtol=1e-6)


def test_more_than_sixteen_bits_hold():
    relevance = np.random.default_rng(2).random((2, 40_000)).astype(np.float32)
    values = double_rank_integers([relevance], relevance.shape)
    assert values.dtype == np.uint32
    np.testing.assert_allclose(values / 4, double_ranks(torch.from_numpy(relevance)).numpy())


@pytest.mark.parametrize("rounds", [0, -1, True])
def test_rounds_that_are_none_are_refused(rounds):
    with pytest.raises(ValueError, match="rounds: expected an integer from 1"):
        double_ranks(torch.eye(2), rounds)
