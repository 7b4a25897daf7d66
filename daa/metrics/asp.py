"""Average Semantic Precision: how well the ranking follows the relevance, over all candidates or its relevant end."""

from __future__ import annotations

from functools import partial
from typing import no_type_check

import numpy as np
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.matrix import ImagesByCaptions, as_matrix, by_query
from daa.metrics.metric import Metric, standard, zero
from daa.metrics.queries import QueryBlock, check_k, reduce, values_of
from daa.names import TIE_POLICIES, check_name


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
    check_name("ties", ties, TIE_POLICIES)
    by_score, by_relevance = (queries.ranges(judge, ordinal=ties == "ordinal") for judge in (None, by))
    if ties == "competition":
        by_score, by_relevance = (by_score[0], by_score[0]), (by_relevance[0], by_relevance[0])
    with threads_for(queries.rows().size):
        if ties == "expected":
            return _expected_ratio(*by_score, *by_relevance, _harmonic_numbers(queries.rows().shape[1]))
        return _mean_ratio(*by_score, *by_relevance)


def asp_above_chance(queries: QueryBlock, by: str, ties: str) -> np.ndarray:
    """ASP corrected for the mean ASP of all orders of the candidates."""
    chance = _chance(queries, by, ties)
    return (queries.values(asp, by, ties) - chance) / (1 - chance)


def asp_top(queries: QueryBlock, by: str, ties: str, k: int) -> np.ndarray:
    """ASP@K against the relevance of this name."""
    n = queries.rows().shape[1]
    check_name("ties", ties, TIE_POLICIES)
    by_score, by_relevance = (queries.ranges(judge, ordinal=ties == "ordinal") for judge in (None, by))
    with threads_for(queries.rows().size):
        if ties == "expected":
            return _expected_top_ratio(*by_score, *by_relevance, min(k, n), _harmonic_numbers(n))
        return _mean_top_ratio(*by_score, *by_relevance, min(k, n), ties == "competition")


ASP = standard(Metric(("ASP",), asp, "relevance", chance=asp_chance))
standard(Metric(("ASP above chance",), asp_above_chance, "relevance", chance=zero, graded=True, least_candidates=2))
standard(
    Metric(("ASP@100",), partial(asp_top, k=100), "relevance", chance=partial(asp_at_k_chance, k=100), graded=True)
)


def _chance(queries: QueryBlock, by: str, ties: str) -> np.ndarray:
    r"""The mean ASP of all orders of the candidates against the relevance of this name.

    An item of relevance rank r, whole or half, expects $\frac1n (\frac{m(m+1)}{2r} + r (H_n - H_m))$, m = floor(r).
    """
    n_queries, n = queries.rows().shape
    if ties in ("expected", "ordinal"):
        return np.full(n_queries, asp_chance(n))
    twice = np.arange(1, 2 * n + 1)
    harmonic = _harmonic_numbers(n)
    expected = ((twice // 2) * (twice // 2 + 1) / twice + twice / 2 * (harmonic[n] - harmonic[twice // 2])) / n
    table = np.concatenate([[0.0], expected])
    first, last = queries.ranges(by)
    with threads_for(first.size):
        return _mean_of_table(first, last if ties == "average" else first, table)


def _harmonic_numbers(n: int) -> np.ndarray:
    """H_0 to H_n."""
    return np.concatenate([[0.0], np.cumsum(1 / np.arange(1, n + 1))])


@njit(parallel=True)
@no_type_check
def _mean_of_table(first, last, table):
    n_queries, n = first.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        total = 0.0
        for g in range(n):
            total += table[first[q, g] + last[q, g]]
        result[q] = total / n
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
