"""Kendall's tau between scores and relevance, over all candidates or the top K: the coherent score."""

from __future__ import annotations

from functools import partial
from typing import no_type_check

import numpy as np
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.matrix import ImagesByCaptions
from daa.metrics.metric import CORRELATION, Metric, standard, zero, zero_for_each
from daa.metrics.queries import QueryBlock, check_k, reduce, values_of


def kendall_tau(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    k: int | None = None,
    *,
    direction: str = "i2t",
    undefined: str = "zero",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""Kendall's tau-b between scores and relevance among the K candidates that score best: the coherent score CS@K.

    $$\tau_b = \frac{C - D}{\sqrt{(n_0 - n_s)(n_0 - n_C)}}$$

    with C concordant and D discordant of the $n_0$ pairs of candidates, $n_s$ of them tied in the scores and $n_C$ in
    the relevance. Computed in n log n by counting the inversions of a merge sort.

    Args:
        scores: similarity, any range.
        relevance: semantic relevance, any range.
        k: how many of the best-scored candidates are compared; all by default. Candidates tied with the K-th are taken
            in, so that the order in which they stand does not count.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        undefined: what a query does whose candidates all tie in score or in relevance, where tau is 0/0: `"zero"`
            (there is no order to agree with), `"skip"` or `"error"`.
        reduction: `"mean"`, or `"none"` for per-query values (NaN for a skipped query).
        block: queries handled at a time.

    Returns:
        A number in [-1, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, k below 1, or no query with a value.

    >>> scores, relevance = np.array([[4.0, 3.0, 2.0, 1.0]]), np.array([[0.9, 0.2, 0.3, 0.7]])
    >>> round(kendall_tau(scores, relevance, k=3), 4)  # of three pairs two agree and one does not
    0.3333

    Source: Zhou et al., Ladder Loss for Coherent Visual-Semantic Embedding, AAAI 2020, section 3.3; Knight, JASA 1966.
    """
    compute = partial(tau, k=None if k is None else check_k(k))
    values = values_of(compute, scores, direction, relevance=relevance, block=block)
    if np.isnan(values).all() and undefined != "zero":
        raise ValueError("relevance: expected some order, but for every query the candidates compared tie")
    return reduce(values, reduction, undefined)


def tau(queries: QueryBlock, by: str, ties: str, k: int | None = None) -> np.ndarray:
    """Kendall's tau-b within the top K, NaN where undefined."""
    by_score, by_relevance = queries.ranges()[0], queries.ranges(by)[0]
    n = by_score.shape[1]
    with threads_for(by_score.size):
        return _tau_b(by_score, by_relevance, min(k or n, n))


standard(
    Metric(
        ("tau@100",),
        partial(tau, k=100),
        "relevance",
        CORRELATION,
        undefined="zero",
        chance=zero,
        random=zero_for_each,
        graded=True,
    )
)


@njit()
@no_type_check
def _inversions(values, spare):
    """Number of pairs that stand in the wrong order; sorts `values`."""
    n = len(values)
    count = 0
    width = 1
    while width < n:
        for start in range(0, n, 2 * width):
            middle, stop = min(start + width, n), min(start + 2 * width, n)
            left, right = start, middle
            for place in range(start, stop):
                if left < middle and (right >= stop or values[left] <= values[right]):
                    spare[place] = values[left]
                    left += 1
                else:
                    spare[place] = values[right]
                    right += 1
                    count += middle - left
        values[:] = spare
        width *= 2
    return count


@njit()
@no_type_check
def _tied_pairs(ordered):
    count = 0
    run = 1
    for i in range(1, len(ordered)):
        if ordered[i] == ordered[i - 1]:
            count += run
            run += 1
        else:
            run = 1
    return count


@njit(parallel=True)
@no_type_check
def _tau_b(by_score, by_relevance, k):
    n_queries, n = by_score.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        n_top = 0
        for g in range(n):
            n_top += by_score[q, g] <= k
        pairs = np.empty(n_top, np.int64)
        p = 0
        for g in range(n):
            if by_score[q, g] <= k:
                pairs[p] = by_score[q, g] * (n + 1) + by_relevance[q, g]
                p += 1
        pairs.sort()
        tied_both = _tied_pairs(pairs)
        tied_score = _tied_pairs(pairs // (n + 1))
        places = pairs % (n + 1)
        discordant = _inversions(places, np.empty_like(places))
        tied_relevance = _tied_pairs(places)
        all_pairs = n_top * (n_top - 1) // 2
        concordant = all_pairs - tied_score - tied_relevance + tied_both - discordant
        scale = np.sqrt(float(all_pairs - tied_score)) * np.sqrt(float(all_pairs - tied_relevance))
        result[q] = (concordant - discordant) / scale if scale > 0 else np.nan
    return result
