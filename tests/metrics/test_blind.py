"""Rankings that ignore the query: the best one, what bounds it, and a metric that pays nothing for it."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daa.metrics import average_semantic_precision, blind, query_specific_asp, query_specific_chance
from daa.metrics.asp import random_asp, random_asp_top, reciprocal
from daa.metrics.blind import best_blind_order, blind_values, twice_ranks_by_candidate
from daa.metrics.queries import values_of
from daa.names import TIE_POLICIES
from tests.oracles import every_blind_order, slow_asp_at_k, slow_double_ranks, slow_ranks, slow_weighted_asp

FEW_VALUES = st.sampled_from([-2.5, 0.0, 0.5, 3.0])
SMALL = st.tuples(st.integers(1, 5), st.integers(1, 5)).flatmap(
    lambda shape: hnp.arrays(np.float64, shape, elements=FEW_VALUES)
)
WEIGHTS = st.sampled_from([None, reciprocal])


def mean_of(relevance, prior, weight=None):
    weight = weight or (lambda rank: np.ones(len(rank)))
    return np.mean([slow_weighted_asp(prior, row, weight) for row in relevance])


def skewed(n_queries, n, seed=0):
    """Some candidates are relevant to nearly everyone, some to a few very much, and zeros tie."""
    rng = np.random.default_rng(seed)
    values = rng.gamma(rng.uniform(0.2, 3, n), size=(n_queries, n)) * (rng.random((n_queries, n)) < rng.random(n))
    return values.astype(np.float32)


@given(SMALL, WEIGHTS)
def test_the_best_blind_order_is_the_best_of_all_orders(relevance, weight):
    found = best_blind_order(twice_ranks_by_candidate([relevance], relevance.shape), weight=weight)
    best = max(mean_of(relevance, prior, weight) for prior in every_blind_order(relevance.shape[1]))
    assert found.value == pytest.approx(best)
    assert mean_of(relevance, -found.places, weight) == pytest.approx(best)


@pytest.mark.parametrize("weight", [None, reciprocal])
def test_a_large_problem_is_bounded_on_both_sides(weight, monkeypatch):
    relevance = skewed(200, 300)
    twice_ranks = twice_ranks_by_candidate([relevance[:90], relevance[90:]], relevance.shape)
    exact = best_blind_order(twice_ranks, weight=weight)
    monkeypatch.setattr(blind, "EXACT_UP_TO", 10)
    near = best_blind_order(twice_ranks, weight=weight)
    assert near.value <= exact.value + 1e-12 <= near.at_most + 2e-12
    assert near.at_most - near.value < 0.005
    assert best_blind_order(twice_ranks, weight=weight, bound=False).at_most is None


def test_no_blind_ranking_exceeds_the_bound_not_even_one_fitted_to_the_queries(monkeypatch):
    monkeypatch.setattr(blind, "EXACT_UP_TO", 10)
    relevance = skewed(60, 120, seed=1)
    bound = best_blind_order(twice_ranks_by_candidate([relevance], relevance.shape)).at_most
    ranks = np.array([slow_ranks(row) for row in relevance])
    rng = np.random.default_rng(0)
    priors = [relevance.mean(0), np.median(relevance, 0), relevance.max(0), -ranks.mean(0), -np.log(ranks).mean(0)]
    priors += [(1 / ranks).mean(0), -np.median(ranks, 0), (relevance > 0).mean(0), *rng.random((5, 120))]
    for prior in priors:
        order = np.lexsort((rng.random(120), prior)).argsort().astype(np.float64)
        assert average_semantic_precision(np.broadcast_to(order, relevance.shape).copy(), relevance) <= bound


def test_the_bound_is_of_orders_since_a_constant_ranking_gains_by_average_ranks():
    relevance = np.random.default_rng(0).random((20, 200))
    constant = np.zeros(relevance.shape)
    bound = best_blind_order(twice_ranks_by_candidate([relevance], relevance.shape)).at_most
    assert average_semantic_precision(constant, relevance) > 0.59
    assert average_semantic_precision(constant, relevance, ties="expected") < 0.51 < bound


@given(SMALL, WEIGHTS)
def test_values_of_an_order_are_those_of_the_metric(relevance, weight):
    n_queries, n = relevance.shape
    places = np.random.default_rng(0).permutation(n) + 1
    twice_ranks = twice_ranks_by_candidate([relevance], relevance.shape)
    values = blind_values(twice_ranks, places, np.arange(n_queries), weight)
    assert values == pytest.approx([mean_of(row[None], -places, weight) for row in relevance])


@given(SMALL, st.integers(0, 100), st.sampled_from(TIE_POLICIES), st.sampled_from(["i2t", "t2i"]))
def test_qasp_is_weighted_asp_under_double_ranks(relevance, seed, ties, direction):
    scores = np.random.default_rng(seed).integers(0, 3, relevance.shape).astype(np.float64)
    values = query_specific_asp(scores, relevance, direction=direction, ties=ties, reduction="none").numpy()
    s, c = (scores, relevance) if direction == "i2t" else (scores.T, relevance.T)
    double = slow_double_ranks(c, 3).astype(np.float32)
    assert values == pytest.approx([slow_weighted_asp(*rows, reciprocal, ties) for rows in zip(s, double, strict=True)])


@given(SMALL, st.sampled_from(TIE_POLICIES))
def test_the_random_floor_is_the_mean_over_all_orders(relevance, ties):
    n = relevance.shape[1]
    for weight in (reciprocal, lambda rank: np.ones(len(rank))):
        computed = values_of(
            lambda q, by, t, w=weight: random_asp(q, by, t, w), relevance, "i2t", ties, relevance=relevance
        )
        expected = [
            np.mean([slow_weighted_asp(prior, row, weight, ties) for prior in every_blind_order(n)])
            for row in relevance[:2]
        ]
        assert computed[:2] == pytest.approx(expected)
    top = values_of(lambda q, by, t: random_asp_top(q, by, t, 2), relevance[:1], "i2t", ties, relevance=relevance[:1])
    expected = np.mean([slow_asp_at_k(prior, relevance[0], 2, ties) for prior in every_blind_order(n)])
    assert top == pytest.approx([expected])


def test_chance_without_ties():
    relevance = np.arange(6.0)[None]
    computed = values_of(
        lambda q, by, t: random_asp(q, by, t, reciprocal), relevance, "i2t", "average", relevance=relevance
    )
    assert computed[0] == pytest.approx(query_specific_chance(6))


def test_qasp_pays_nothing_for_popularity_where_asp_does():
    rng = np.random.default_rng(0)
    popularity = rng.exponential(size=60) / 2
    own = rng.random((80, 60))
    relevance = popularity + own
    blindly = np.broadcast_to(popularity, relevance.shape).copy()
    assert average_semantic_precision(blindly, relevance) > 0.7
    assert query_specific_asp(blindly, relevance) == pytest.approx(query_specific_chance(60), abs=0.005)
    assert query_specific_asp(own, relevance) > 0.6
    assert query_specific_asp(relevance, relevance) > query_specific_asp(blindly, relevance) + 0.05
