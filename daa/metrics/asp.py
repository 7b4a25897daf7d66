"""Average Semantic Precision: how well the ranking follows the relevance, over all candidates or its relevant end."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import no_type_check

import numpy as np
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.matrix import ImagesByCaptions, as_matrix, by_query
from daa.metrics.metric import Metric, standard, zero, zero_for_each
from daa.metrics.queries import QueryBlock, Ranges, check_k, reduce, values_of
from daa.names import TIE_POLICIES, check_name
from daa.ranks import DoubleRanks


def average_semantic_precision(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""Average Semantic Precision: mean agreement of each candidate's rank by score with its rank by relevance.

    $$ASP(q) = \frac1n \sum_{g=1}^{n} \frac{\min(r_s(q,g), r_C(q,g))}{\max(r_s(q,g), r_C(q,g))}$$

    Equal rankings give 1, a random one $(n+1)/(2n)$, that is 1/2 for large n. Symmetric in scores and relevance;
    only their orders count.

    Args:
        scores: similarity s, any range.
        relevance: semantic relevance C, any range; an ASP means nothing without the name of its relevance.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        ties: `"average"`, `"competition"` and `"ordinal"` use those ranks on both sides. `"expected"` is the mean of
            the ratio over all orders of the tied items, each side broken on its own; it alone gives constant scores
            exactly what a random ranking gets.
        reduction: `"mean"` over queries or `"none"` for per-query values.
        block: queries handled at a time.

    Returns:
        A fraction in (0, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input.

    >>> scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[2.0, 3.0, 1.0]])
    >>> average_semantic_precision(scores, relevance)  # (1/2 + 1/2 + 3/3) / 3
    0.6666666666666666

    Source: Li et al., A Differentiable Semantic Metric Approximation in Probabilistic Embedding for Cross-Modal
    Retrieval, NeurIPS 2022, section 3.2; what happens at ties is ours.
    """
    return reduce(values_of(asp, scores, direction, ties, relevance=relevance, block=block), reduction)


def chance_corrected_asp(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""ASP on a scale where a random ranking scores 0 and a perfect one 1; below chance it is negative.

    $$\frac{ASP(q) - \text{chance}(q)}{1 - \text{chance}(q)}$$

    The chance level is exact: the mean ASP of all orders of the candidates, given how the relevance ties. Without ties,
    and under the policies `"expected"` and `"ordinal"`, it is $(n+1)/(2n)$.

    Args and errors as for `average_semantic_precision`; at least two candidates are needed.

    Returns:
        A number in (-1, 1], or float64 per-query values.

    >>> scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[2.0, 3.0, 1.0]])
    >>> chance_corrected_asp(scores, relevance)  # (2/3 - 2/3) / (1 - 2/3): with three candidates, no better than chance
    0.0

    The correction is ours.
    """
    if by_query(as_matrix(scores, "scores").shape, direction)[1] < 2:
        raise ValueError("scores: expected at least two candidates, since one can be ranked in one way only")
    return reduce(values_of(asp_above_chance, scores, direction, ties, relevance=relevance, block=block), reduction)


def asp_at_k(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    k: int,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""ASP@K: the mean agreement of ranks over the K most relevant candidates, ranked among all.

    $$ASP@K(q) = \frac1K \sum_{g:\, r_C(q,g) \le K} \frac{\min(r_s(q,g), r_C(q,g))}{\max(r_s(q,g), r_C(q,g))}$$

    ASP weighs every candidate alike, and nearly all are irrelevant; this looks at the relevant end. With K = n it is
    ASP. A random ranking scores about $\frac{K}{2n}(1 + \ln\frac nK)$ (`asp_at_k_chance`), not 1/2.

    Args:
        k: how many of the most relevant candidates count; more than there are counts all. Where the K-th place falls
            within a tie group of the relevance, its items share the places that are left (except under `"ordinal"`).

    Other arguments, what it returns and its errors are those of `average_semantic_precision`.

    >>> scores, relevance = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[3.0, 4.0, 2.0, 1.0]])
    >>> asp_at_k(scores, relevance, k=2)  # ranks by score 3 and 4 for the two most relevant: (1/3 + 2/4) / 2
    0.41666666666666663

    Ours, not of the paper; and not to be confused with the ASP_5, ASP_10 and ASP_20 that the released code prints:
    those are `normalized_cumulative_semantic_score`.
    """
    compute = partial(asp_top, k=check_k(k))
    return reduce(values_of(compute, scores, direction, ties, relevance=relevance, block=block), reduction)


def query_specific_asp(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""QASP: ASP that pays nothing for ignoring the query, and most for the head of the ranking.

    $$QASP(q) = \frac{\sum_g \frac1{r_D(q,g)} \frac{\min(r_s(q,g), r_D(q,g))}{\max(r_s(q,g), r_D(q,g))}}
      {\sum_g \frac1{r_D(q,g)}}$$

    with $r_D$ the rank within the query of the relevance's double ranks D (see `daa.ranks.double`), in which every
    candidate is equally relevant over all queries: whatever order of the candidates all queries share, it gets what a
    random one gets, up to ties. The weight 1/r gives every doubling of the rank the same say (ranks 1, 2 to 3, 4 to 7,
    ...), where in ASP half of the value comes from the less relevant half of the candidates.

    Equal rankings give 1. A random one gets about $2 / (\ln n + 0.58)$ where D does not tie within a query
    (`query_specific_chance`), and more where it does: with fewer queries than candidates it must, since it has only as
    many values as there are queries. `evaluate(..., floors=True)` gives it exactly.

    Args:
        relevance: of all queries against all candidates, since it is ranked over both.

    Other arguments, what it returns and its errors are those of `average_semantic_precision`.

    >>> relevance = np.array([[9.0, 3.0, 1.0], [9.1, 2.0, 2.0], [9.2, 1.0, 3.0]])  # the first caption fits all images
    >>> scores = np.array([[0.0, 1.0, -1.0], [0.0, 0.0, 0.0], [0.0, -1.0, 1.0]])  # beyond that, who fits whom
    >>> query_specific_asp(scores, relevance)
    1.0

    Source: ours, not the paper's; what it was chosen by is in `results/double-ranks.json`.
    """
    doubly_ranked = DoubleRanks(as_matrix(relevance, "relevance"))
    return reduce(values_of(qasp, scores, direction, ties, relevance=doubly_ranked, block=block), reduction)


def query_specific_chance(n_candidates: int) -> float:
    r"""What a random ranking scores in QASP where nothing ties: $\frac{1}{n H_n} \sum_r (\frac{r+1}{2r} + H_n - H_r)$.

    >>> round(query_specific_chance(25_000), 4)
    0.1882
    """
    expected = _expected_of_rank(n_candidates)[2::2]
    rank = np.arange(1, n_candidates + 1)
    return float((expected / rank).sum() / (1 / rank).sum())


def asp_chance(n_candidates: int) -> float:
    r"""What a random ranking of n candidates scores on average: $(n+1)/(2n)$.

    Exact when neither side ties, and for any ties under the policy `"expected"`.

    >>> asp_chance(25_000)
    0.50002
    """
    return (n_candidates + 1) / (2 * n_candidates)


def asp_at_k_chance(n_candidates: int, k: int) -> float:
    r"""What a random ranking scores in ASP@K: $\frac{K+1}{2n}(1 + H_n - H_K)$.

    >>> round(asp_at_k_chance(25_000, 100), 4)
    0.0132
    """
    k = min(k, n_candidates)
    harmonic = _harmonic_numbers(n_candidates)
    return float((k + 1) / (2 * n_candidates) * (1 + harmonic[n_candidates] - harmonic[k]))


def asp(queries: QueryBlock, by: str, ties: str) -> np.ndarray:
    """ASP against the relevance of this name."""
    by_score, by_relevance = _ranges(queries, by, ties)
    if ties == "competition":
        by_score, by_relevance = (by_score[0], by_score[0]), (by_relevance[0], by_relevance[0])
    with threads_for(queries.rows().size):
        if ties == "expected":
            return _expected_ratio(*by_score, *by_relevance, _harmonic_numbers(queries.rows().shape[1]))
        return _mean_ratio(*by_score, *by_relevance)


def asp_above_chance(queries: QueryBlock, by: str, ties: str) -> np.ndarray:
    """ASP corrected for the mean ASP of all orders of the candidates."""
    chance = random_asp(queries, by, ties)
    return (queries.values(asp, by, ties) - chance) / (1 - chance)


def asp_top(queries: QueryBlock, by: str, ties: str, k: int) -> np.ndarray:
    """ASP@K against the relevance of this name."""
    n = queries.rows().shape[1]
    by_score, by_relevance = _ranges(queries, by, ties)
    with threads_for(queries.rows().size):
        if ties == "expected":
            return _expected_top_ratio(*by_score, *by_relevance, min(k, n), _harmonic_numbers(n))
        return _mean_top_ratio(*by_score, *by_relevance, min(k, n), ties == "competition")


def qasp(queries: QueryBlock, by: str, ties: str) -> np.ndarray:
    """QASP against the double ranks of this name."""
    by_score, by_relevance = _ranges(queries, by, ties)
    weights = _rank_weights(queries.rows().shape[1], reciprocal)
    if ties == "competition":
        by_score, by_relevance = (by_score[0], by_score[0]), (by_relevance[0], by_relevance[0])
    with threads_for(queries.rows().size):
        if ties == "expected":
            harmonic = _harmonic_numbers(queries.rows().shape[1])
            return _weighted_expected_ratio(*by_score, *by_relevance, weights, harmonic)
        return _weighted_ratio(*by_score, *by_relevance, weights)


def reciprocal(rank: np.ndarray) -> np.ndarray:
    """The weight of a candidate in QASP."""
    return 1 / rank


def among_first(rank: np.ndarray, k: int) -> np.ndarray:
    """The weight of a candidate in ASP@K."""
    return (rank <= k).astype(np.float64)


def alike(rank: np.ndarray) -> np.ndarray:
    """The weight of a candidate in ASP."""
    return np.ones(len(rank))


def random_asp(
    queries: QueryBlock, by: str, ties: str, weight: Callable[[np.ndarray], np.ndarray] = alike
) -> np.ndarray:
    r"""The mean over all orders of the candidates against the relevance of this name.

    An item of relevance rank r, whole or half, expects $\frac1n (\frac{m(m+1)}{2r} + r (H_n - H_m))$, m = floor(r).
    """
    n = queries.rows().shape[1]
    if weight is alike and ties in ("expected", "ordinal"):
        return np.full(len(queries.rows()), asp_chance(n))
    _, (first, last) = _ranges(queries, by, ties)
    expected = _expected_of_rank(n)
    weights = _rank_weights(n, weight)
    with threads_for(first.size):
        if ties == "expected":
            return _mean_over_ranges(first, last, np.concatenate([[0.0], np.cumsum(expected[2::2])]), weights)
        return _mean_of_table(first, first if ties == "competition" else last, expected, weights)


def random_asp_top(queries: QueryBlock, by: str, ties: str, k: int) -> np.ndarray:
    """The same of ASP@K."""
    n = queries.rows().shape[1]
    _, (first, last) = _ranges(queries, by, ties)
    expected = _expected_of_rank(n)
    cumulative = np.concatenate([[0.0], np.cumsum(expected[2::2])])
    with threads_for(first.size):
        return _mean_of_top(first, last, min(k, n), expected, cumulative, TIE_POLICIES.index(ties))


ASP = standard(Metric(("ASP",), asp, "relevance", chance=asp_chance, random=random_asp, rank_weight=alike))
standard(
    Metric(
        ("QASP",),
        qasp,
        "relevance",
        random=partial(random_asp, weight=reciprocal),
        rank_weight=reciprocal,
        doubly_ranked=True,
        graded=True,
    )
)
standard(
    Metric(
        ("ASP above chance",),
        asp_above_chance,
        "relevance",
        chance=zero,
        random=zero_for_each,
        rank_weight=alike,
        graded=True,
        least_candidates=2,
    )
)
standard(
    Metric(
        ("ASP@100",),
        partial(asp_top, k=100),
        "relevance",
        chance=partial(asp_at_k_chance, k=100),
        random=partial(random_asp_top, k=100),
        rank_weight=partial(among_first, k=100),
        graded=True,
    )
)


def _ranges(queries: QueryBlock, by: str, ties: str) -> tuple[Ranges, Ranges]:
    """Tie groups by score and by relevance."""
    check_name("ties", ties, TIE_POLICIES)
    by_score, by_relevance = (queries.ranges(judge, ordinal=ties == "ordinal") for judge in (None, by))
    return by_score, by_relevance


def _expected_of_rank(n: int) -> np.ndarray:
    """Mean of min / max over a random place, by twice the rank by relevance, [2 n + 1]; 0 at 0."""
    twice = np.arange(1, 2 * n + 1)
    harmonic = _harmonic_numbers(n)
    expected = ((twice // 2) * (twice // 2 + 1) / twice + twice / 2 * (harmonic[n] - harmonic[twice // 2])) / n
    return np.concatenate([[0.0], expected])


def _rank_weights(n: int, weight: Callable[[np.ndarray], np.ndarray]) -> np.ndarray:
    """Weights by twice the rank, [2 n + 1]; 0 at 0."""
    return np.concatenate([[0.0], weight(np.arange(1, 2 * n + 1) / 2)])


def _harmonic_numbers(n: int) -> np.ndarray:
    """H_0 to H_n."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])


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
            total += weights[rank] * table[rank]
            whole += weights[rank]
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
            weight = weights[front + back]
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
def _weighted_ratio(first_s, last_s, first_c, last_c, weights):
    """Mean of min / max of the average ranks, weighted by twice the rank by relevance."""
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total, whole = 0.0, 0.0
        for g in range(n):
            rank_s, rank_c = first_s[q, g] + last_s[q, g], first_c[q, g] + last_c[q, g]
            total += weights[rank_c] * min(rank_s, rank_c) / max(rank_s, rank_c)
            whole += weights[rank_c]
        result[q] = total / whole
    return result


@njit(parallel=True)
@no_type_check
def _weighted_expected_ratio(first_s, last_s, first_c, last_c, weights, harmonic):
    """The same of the expected min / max, each item anywhere within its tie group on either side."""
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total, whole = 0.0, 0.0
        for g in range(n):
            weight = weights[first_c[q, g] + last_c[q, g]]
            a, b = np.int64(first_s[q, g]), np.int64(last_s[q, g])
            c, d = np.int64(first_c[q, g]), np.int64(last_c[q, g])
            rectangle = _ratio_sum(b, d, harmonic) - _ratio_sum(a - 1, d, harmonic)
            rectangle -= _ratio_sum(b, c - 1, harmonic) - _ratio_sum(a - 1, c - 1, harmonic)
            total += weight * rectangle / ((b - a + 1) * (d - c + 1))
            whole += weight
        result[q] = total / whole
    return result


@njit(parallel=True)
@no_type_check
def _mean_ratio(first_s, last_s, first_c, last_c):
    """Mean of min / max of the average ranks; twice the rank is an integer."""
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total = 0.0
        for g in range(n):
            rank_s, rank_c = first_s[q, g] + last_s[q, g], first_c[q, g] + last_c[q, g]
            total += min(rank_s, rank_c) / max(rank_s, rank_c)
        result[q] = total / n
    return result


@njit(inline="always")
@no_type_check
def _ratio_sum(x, y, harmonic):
    r"""$\sum_{i \le x, j \le y} \min(i,j)/\max(i,j) = \frac{m(m+1)}2 (1 + H_M - H_m)$, m = min(x, y), M = max(x, y)."""
    small, large = min(x, y), max(x, y)
    return small * (small + 1) / 2.0 * (1.0 + harmonic[large] - harmonic[small])


@njit(parallel=True)
@no_type_check
def _expected_ratio(first_s, last_s, first_c, last_c, harmonic):
    """Mean of the expected min / max, each item anywhere within its tie group on either side."""
    n_queries, n = first_s.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total = 0.0
        for g in range(n):
            a, b = np.int64(first_s[q, g]), np.int64(last_s[q, g])
            c, d = np.int64(first_c[q, g]), np.int64(last_c[q, g])
            if a == b and c == d:
                total += min(a, c) / max(a, c)
            else:
                rectangle = _ratio_sum(b, d, harmonic) - _ratio_sum(a - 1, d, harmonic)
                rectangle -= _ratio_sum(b, c - 1, harmonic) - _ratio_sum(a - 1, c - 1, harmonic)
                total += rectangle / ((b - a + 1) * (d - c + 1))
        result[q] = total / n
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
