"""How ASP and its kin are computed: sums over candidates of min / max of their ranks by score and by relevance.

In the compiled functions ranks are tie groups, first and last rank of each candidate's, int32 [queries, candidates], s
by score and c by relevance; weights are by twice the average rank by relevance, [2 n + 1], or None where all candidates
count the same.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import no_type_check

import numpy as np
from numba import prange

from daa.compiled import njit, threads_for
from daa.metrics.queries import QueryBlock
from daa.names import TIE_POLICIES

RankWeight = Callable[[np.ndarray], np.ndarray]


def asp(queries: QueryBlock, by: str, ties: str, weight: RankWeight | None = None) -> np.ndarray:
    """ASP against the relevance of this name; QASP, if candidates are weighted by the reciprocal rank."""
    (first_s, last_s), (first_c, last_c) = queries.ranges(None, ties), queries.ranges(by, ties)
    n = first_s.shape[1]
    weights = None if weight is None else rank_weights(n, weight)
    with threads_for(first_s.size):
        if ties == "expected":
            return _expected_ratio(first_s, last_s, first_c, last_c, weights, harmonic_numbers(n))
        if ties == "competition":
            last_s, last_c = first_s, first_c
        return _mean_ratio(first_s, last_s, first_c, last_c, weights)


def asp_above_chance(queries: QueryBlock, by: str, ties: str) -> np.ndarray:
    """ASP corrected for the mean ASP of all orders of the candidates."""
    chance = random_asp(queries, by, ties)
    return (queries.computed(asp, by, ties) - chance) / (1 - chance)


def asp_top(queries: QueryBlock, by: str, ties: str, k: int) -> np.ndarray:
    """ASP@K against the relevance of this name."""
    by_score, by_relevance = queries.ranges(None, ties), queries.ranges(by, ties)
    n = by_score[0].shape[1]
    with threads_for(by_score[0].size):
        if ties == "expected":
            return _expected_top_ratio(*by_score, *by_relevance, min(k, n), harmonic_numbers(n))
        return _mean_top_ratio(*by_score, *by_relevance, min(k, n), ties == "competition")


def reciprocal(rank: np.ndarray) -> np.ndarray:
    """The weight of a candidate in QASP."""
    return 1 / rank


def among_first(rank: np.ndarray, k: int) -> np.ndarray:
    """The weight of a candidate in ASP@K."""
    return (rank <= k).astype(np.float64)


def alike(rank: np.ndarray) -> np.ndarray:
    """The weight of a candidate in ASP."""
    return np.ones(len(rank))


qasp = partial(asp, weight=reciprocal)


def random_asp(queries: QueryBlock, by: str, ties: str, weight: RankWeight | None = None) -> np.ndarray:
    """The mean over all orders of the candidates against the relevance of this name."""
    first, last = queries.ranges(by, ties)
    n = first.shape[1]
    if weight is None and ties in ("expected", "ordinal"):
        return np.full(len(first), asp_chance(n))
    expected = expected_of_rank(n)
    weights = None if weight is None else rank_weights(n, weight)
    with threads_for(first.size):
        if ties == "expected":
            return _mean_over_ranges(first, last, np.concatenate([[0.0], np.cumsum(expected[2::2])]), weights)
        return _mean_of_table(first, first if ties == "competition" else last, expected, weights)


def random_asp_top(queries: QueryBlock, by: str, ties: str, k: int) -> np.ndarray:
    """The same of ASP@K."""
    first, last = queries.ranges(by, ties)
    n = first.shape[1]
    expected = expected_of_rank(n)
    cumulative = np.concatenate([[0.0], np.cumsum(expected[2::2])])
    with threads_for(first.size):
        return _mean_of_top(first, last, min(k, n), expected, cumulative, TIE_POLICIES.index(ties))


def asp_chance(n_candidates: int) -> float:
    r"""What a random ranking of n candidates scores on average: $(n+1)/(2n)$.

    Exact when neither side ties, and for any ties under the policy `"expected"`.

    >>> asp_chance(25_000)
    0.50002
    """
    return (n_candidates + 1) / (2 * n_candidates)


def harmonic_numbers(n: int) -> np.ndarray:
    """H_0 to H_n."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])


def rank_weights(n: int, weight: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Weights by twice the rank, [2 n + 1]; 0 at 0."""
    return np.concatenate([[0.0], weight(np.arange(1, 2 * n + 1) / 2)])


def expected_of_rank(n: int) -> np.ndarray:
    r"""Mean of min / max over a random place, by twice the rank by relevance, [2 n + 1]; 0 at 0.

    An item of relevance rank r, whole or half, expects $\frac1n (\frac{m(m+1)}{2r} + r (H_n - H_m))$, m = floor(r).
    """
    twice = np.arange(1, 2 * n + 1)
    harmonic = harmonic_numbers(n)
    expected = ((twice // 2) * (twice // 2 + 1) / twice + twice / 2 * (harmonic[n] - harmonic[twice // 2])) / n
    return np.concatenate([[0.0], expected])


@njit(parallel=True)
@no_type_check
def _mean_of_table(first, last, table, weights):
    """Weighted mean of what the table has for twice the average rank."""
    n_queries, n = first.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total, whole = 0.0, 0.0
        for g in range(n):
            rank = first[q, g] + last[q, g]
            weight = 1.0 if weights is None else weights[rank]
            total += weight * table[rank]
            whole += weight
        result[q] = total / whole
    return result


@njit(parallel=True)
@no_type_check
def _mean_over_ranges(first, last, cumulative, weights):
    """The same of a value by whole rank, each item anywhere within its tie group."""
    n_queries, n = first.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total, whole = 0.0, 0.0
        for g in range(n):
            front, back = first[q, g], last[q, g]
            weight = 1.0 if weights is None else weights[front + back]
            total += weight * (cumulative[back] - cumulative[front - 1]) / (back - front + 1)
            whole += weight
        result[q] = total / whole
    return result


@njit(parallel=True)
@no_type_check
def _mean_of_top(first, last, k, table, cumulative, policy):
    """Mean over the first K by relevance of what the table has for twice their rank, by the index of a tie policy."""
    n_queries, n = first.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total = 0.0
        for g in range(n):
            front, back = first[q, g], last[q, g]
            if front <= k:
                end, size = min(back, k), back - front + 1
                if policy == 3:  # expected
                    total += (cumulative[end] - cumulative[front - 1]) / size
                else:
                    total += (end - front + 1) / size * table[2 * front if policy == 1 else front + back]
        result[q] = total / k
    return result


@njit(parallel=True)
@no_type_check
def _mean_ratio(first_s, last_s, first_c, last_c, weights):
    """Weighted mean of min / max of the average ranks; twice the rank is an integer."""
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total, whole = 0.0, 0.0
        for g in range(n):
            rank_s, rank_c = first_s[q, g] + last_s[q, g], first_c[q, g] + last_c[q, g]
            weight = 1.0 if weights is None else weights[rank_c]
            total += weight * min(rank_s, rank_c) / max(rank_s, rank_c)
            whole += weight
        result[q] = total / whole
    return result


@njit(inline="always")
@no_type_check
def _ratio_sum(x, y, harmonic):
    r"""$\sum_{i \le x, j \le y} \min(i,j)/\max(i,j) = \frac{m(m+1)}2 (1 + H_M - H_m)$, m = min(x, y), M = max(x, y)."""
    small, large = min(x, y), max(x, y)
    return small * (small + 1) / 2.0 * (1.0 + harmonic[large] - harmonic[small])


@njit(parallel=True)
@no_type_check
def _expected_ratio(first_s, last_s, first_c, last_c, weights, harmonic):
    """The same of the expected min / max, each item anywhere within its tie group on either side."""
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total, whole = 0.0, 0.0
        for g in range(n):
            a, b = np.int64(first_s[q, g]), np.int64(last_s[q, g])
            c, d = np.int64(first_c[q, g]), np.int64(last_c[q, g])
            weight = 1.0 if weights is None else weights[c + d]
            if a == b and c == d:
                total += weight * min(a, c) / max(a, c)
            else:
                rectangle = _ratio_sum(b, d, harmonic) - _ratio_sum(a - 1, d, harmonic)
                rectangle -= _ratio_sum(b, c - 1, harmonic) - _ratio_sum(a - 1, c - 1, harmonic)
                total += weight * rectangle / ((b - a + 1) * (d - c + 1))
            whole += weight
        result[q] = total / whole
    return result


@njit(parallel=True)
@no_type_check
def _mean_top_ratio(first_s, last_s, first_c, last_c, k, competition):
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total = 0.0
        for g in range(n):
            front, back = first_c[q, g], last_c[q, g]
            if front <= k:
                share = (min(back, k) - front + 1) / (back - front + 1)
                rank_s = 2 * first_s[q, g] if competition else first_s[q, g] + last_s[q, g]
                rank_c = 2 * front if competition else front + back
                total += share * min(rank_s, rank_c) / max(rank_s, rank_c)
        result[q] = total / k
    return result


@njit(parallel=True)
@no_type_check
def _expected_top_ratio(first_s, last_s, first_c, last_c, k, harmonic):
    """As for ASP, the places beyond K of an item's tie group adding nothing."""
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total = 0.0
        for g in range(n):
            if first_c[q, g] <= k:
                a, b = np.int64(first_s[q, g]) - 1, np.int64(last_s[q, g])
                c, d = np.int64(first_c[q, g]) - 1, np.int64(last_c[q, g])
                e = min(d, k)
                rectangle = _ratio_sum(b, e, harmonic) - _ratio_sum(a, e, harmonic)
                rectangle -= _ratio_sum(b, c, harmonic) - _ratio_sum(a, c, harmonic)
                total += rectangle / ((b - a) * (d - c))
        result[q] = total / k
    return result
