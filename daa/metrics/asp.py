"""Average Semantic Precision: how well the whole ranking follows the relevance."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import njit, prange
from torch import Tensor

from daa.metrics.inputs import Blocks
from daa.metrics.stream import Metric, QueryBlock, per_query, reduce
from daa.ranks import TIE_POLICIES, ranks
from daa.ranks._threads import threads_for


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


def asp_chance(n_candidates: int) -> float:
    r"""What a random ranking of n candidates scores on average: $(n+1)/(2n)$.

    Exact when neither side ties, and for any ties under the policy `"expected"`.

    >>> asp_chance(25_000)
    0.50002
    """
    return (n_candidates + 1) / (2 * n_candidates)


def asp_metric(relevance: str, ties: str = "average") -> Metric:
    """ASP against the relevance of this name, for `per_query`."""
    if ties not in TIE_POLICIES:
        raise ValueError(f"ties: expected one of {', '.join(TIE_POLICIES)}, got {ties!r}")

    def asp(queries: QueryBlock) -> np.ndarray:
        if ties == "ordinal":
            by_score = ranks(queries.scores, "ordinal").astype(np.int32)
            by_relevance = ranks(queries.relevance(relevance), "ordinal").astype(np.int32)
            ranges = (by_score, by_score, by_relevance, by_relevance)
        else:
            ranges = (*queries.score_ranges, *queries.relevance_ranges(relevance))
        if ties == "competition":
            ranges = (ranges[0], ranges[0], ranges[2], ranges[2])
        with threads_for(queries.scores.size):
            if ties != "expected":
                return _mean_ratio(*ranges)
            harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, queries.scores.shape[1] + 1))])
            return _expected_ratio(*ranges, harmonic)

    return asp


@njit(cache=True, parallel=True)
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


@njit(cache=True, inline="always")
@no_type_check
def _ratio_sum(x, y, harmonic):
    r"""$\sum_{i \le x, j \le y} \min(i,j)/\max(i,j) = \frac{m(m+1)}2 (1 + H_M - H_m)$, m = min(x, y), M = max(x, y)."""
    small, large = min(x, y), max(x, y)
    return small * (small + 1) / 2.0 * (1.0 + harmonic[large] - harmonic[small])


@njit(cache=True, parallel=True)
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
