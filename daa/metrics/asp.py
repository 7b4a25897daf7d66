"""Average Semantic Precision: how well the whole ranking follows the relevance."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.metrics.inputs import Blocks
from daa.metrics.stream import Metric, QueryBlock, per_query, reduce
from daa.ranks import TIE_POLICIES


def average_semantic_precision(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    relevance: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
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
    values = per_query(
        {"asp": asp_metric("relevance", ties)},
        Blocks(scores, "scores"),
        direction,
        relevance={"relevance": Blocks(relevance, "relevance")},
        block=block,
    )
    return reduce(values["asp"], reduction)


def chance_corrected_asp(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    relevance: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
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

    Args:
        scores, relevance, direction, ties, reduction, block: as in `average_semantic_precision`.

    Returns:
        A number in (-1, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, or fewer than two candidates.

    >>> scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[2.0, 3.0, 1.0]])
    >>> chance_corrected_asp(scores, relevance)  # (2/3 - 2/3) / (1 - 2/3): with three candidates, no better than chance
    0.0

    The correction is ours.
    """
    blocks = Blocks(scores, "scores")
    if blocks.n_candidates(direction) < 2:
        raise ValueError("scores: expected at least two candidates, since one can be ranked in one way only")
    values = per_query(
        {"asp": asp_metric("relevance", ties), "chance": asp_chance_metric("relevance", ties)},
        blocks,
        direction,
        relevance={"relevance": Blocks(relevance, "relevance")},
        block=block,
    )
    return reduce((values["asp"] - values["chance"]) / (1 - values["chance"]), reduction)


def asp_chance(n_candidates: int) -> float:
    r"""What a random ranking of n candidates scores on average: $(n+1)/(2n)$.

    Exact when neither side ties, and for any ties under the policy `"expected"`.

    >>> asp_chance(25_000)
    0.50002
    """
    return (n_candidates + 1) / (2 * n_candidates)


def asp_chance_metric(relevance: str, ties: str = "average") -> Metric:
    r"""The mean ASP of all orders of the candidates against the relevance of this name, for `per_query`.

    An item of relevance rank r, whole or half, expects $\frac1n (\frac{m(m+1)}{2r} + r (H_n - H_m))$, m = floor(r).
    """
    check_tie_policy(ties)

    def chance(queries: QueryBlock) -> np.ndarray:
        n_queries, n = queries.scores.shape
        if ties in ("expected", "ordinal"):
            return np.full(n_queries, asp_chance(n))
        twice = np.arange(1, 2 * n + 1)
        harmonic = harmonic_numbers(n)
        expected = ((twice // 2) * (twice // 2 + 1) / twice + twice / 2 * (harmonic[n] - harmonic[twice // 2])) / n
        table = np.concatenate([[0.0], expected])
        first, last = queries.relevance_ranges(relevance)
        with threads_for(first.size):
            return _mean_of_table(first, last if ties == "average" else first, table)

    return chance


def asp_metric(relevance: str, ties: str = "average") -> Metric:
    """ASP against the relevance of this name, for `per_query`."""
    check_tie_policy(ties)

    def asp(queries: QueryBlock) -> np.ndarray:
        by_score = queries.ordinal_ranges if ties == "ordinal" else queries.score_ranges
        by_relevance = queries.relevance_ranges(relevance, ordinal=ties == "ordinal")
        ranges = (*by_score, *by_relevance)
        if ties == "competition":
            ranges = (by_score[0], by_score[0], by_relevance[0], by_relevance[0])
        with threads_for(queries.scores.size):
            if ties != "expected":
                return _mean_ratio(*ranges)
            return _expected_ratio(*ranges, harmonic_numbers(queries.scores.shape[1]))

    return asp


def check_tie_policy(ties: str) -> None:
    if ties not in TIE_POLICIES:
        raise ValueError(f"ties: expected one of {', '.join(TIE_POLICIES)}, got {ties!r}")


def harmonic_numbers(n: int) -> np.ndarray:
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
def ratio_sum(x, y, harmonic):
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
                rectangle = ratio_sum(b, d, harmonic) - ratio_sum(a - 1, d, harmonic)
                rectangle -= ratio_sum(b, c - 1, harmonic) - ratio_sum(a - 1, c - 1, harmonic)
                total += rectangle / ((b - a + 1) * (d - c + 1))
        result[q] = total / n
    return result
