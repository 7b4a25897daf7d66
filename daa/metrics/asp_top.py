"""ASP over the most relevant candidates only. Ours, not of the paper."""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from jaxtyping import Float
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.metrics.asp import check_tie_policy, harmonic_numbers, ratio_sum
from daa.metrics.inputs import Blocks
from daa.metrics.stream import Metric, QueryBlock, per_query, reduce


def asp_at_k(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    relevance: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
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
        scores: similarity s, any range.
        relevance: semantic relevance C, any range.
        k: how many of the most relevant candidates count; more than there are counts all.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        ties: the ranks in the ratio, as in `average_semantic_precision`. Where the K-th place falls within a tie group
            of the relevance, its items share the places that are left (except under `"ordinal"`).
        reduction: `"mean"` over queries or `"none"` for per-query values.
        block: queries handled at a time.

    Returns:
        A fraction in (0, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, or k below 1.

    >>> scores, relevance = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[3.0, 4.0, 2.0, 1.0]])
    >>> asp_at_k(scores, relevance, k=2)  # ranks by score 3 and 4 for the two most relevant: (1/3 + 2/4) / 2
    0.41666666666666663

    Not to be confused with the ASP_5, ASP_10 and ASP_20 that the released code prints: those are
    `normalized_cumulative_semantic_score`.
    """
    values = per_query(
        {"asp": asp_at_k_metric("relevance", k, ties)},
        Blocks(scores, "scores"),
        direction,
        relevance={"relevance": Blocks(relevance, "relevance")},
        block=block,
    )
    return reduce(values["asp"], reduction)


def asp_at_k_chance(n_candidates: int, k: int) -> float:
    r"""What a random ranking scores in ASP@K: $\frac{K+1}{2n}(1 + H_n - H_K)$.

    >>> round(asp_at_k_chance(25_000, 100), 4)
    0.0132
    """
    k = min(k, n_candidates)
    harmonic = harmonic_numbers(n_candidates)
    return float((k + 1) / (2 * n_candidates) * (1 + harmonic[n_candidates] - harmonic[k]))


def asp_at_k_metric(relevance: str, k: int, ties: str = "average") -> Metric:
    """ASP@K against the relevance of this name, for `per_query`."""
    check_tie_policy(ties)
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"k: expected an integer from 1, got {k!r}")

    def asp(queries: QueryBlock) -> np.ndarray:
        n = queries.scores.shape[1]
        by_score = queries.ordinal_ranges if ties == "ordinal" else queries.score_ranges
        by_relevance = queries.relevance_ranges(relevance, ordinal=ties == "ordinal")
        with threads_for(queries.scores.size):
            if ties == "expected":
                return _expected_top_ratio(*by_score, *by_relevance, min(k, n), harmonic_numbers(n))
            return _mean_top_ratio(*by_score, *by_relevance, min(k, n), ties == "competition")

    return asp


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
                rectangle = ratio_sum(b, e, harmonic) - ratio_sum(a, e, harmonic)
                rectangle -= ratio_sum(b, c, harmonic) - ratio_sum(a, c, harmonic)
                total += rectangle / ((b - a) * (d - c))
        result[q] = total / k
    return result
