"""Metrics of graded relevance at the top of a ranking: NCS and NDCG. Ties in the scores by exact expectation."""

from __future__ import annotations

from functools import partial
from typing import Any, no_type_check

import numpy as np
from numba import prange
from scipy import sparse
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.matrix import ImagesByCaptions
from daa.metrics.metric import Metric, standard
from daa.metrics.queries import Compute, QueryBlock, check_k, reduce, values_of

GAINS = ("linear", "exponential")


def normalized_cumulative_semantic_score(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    k: int,
    *,
    direction: str = "i2t",
    leave_out: Any = None,
    undefined: str = "skip",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""NCS@K: relevance collected by the first K candidates, as a share of what K candidates can collect.

    $$NCS@K(q) = \frac{\sum_{g:\, r_s(q,g) \le K} C(q,g)}{\sum_{g:\, r_C(q,g) \le K} C(q,g)}$$

    Args:
        scores: similarity s, any range. Where scores tie, the mean over all orders of the tied candidates.
        relevance: semantic relevance C, not negative.
        k: how many candidates are looked at.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        leave_out: pairs taken out of the ranking, in any form of positives; Biten et al. take out each query's own.
        undefined: what a query does whose K most relevant candidates have relevance 0: `"skip"`, `"zero"`, `"error"`.
        reduction: `"mean"`, or `"none"` for per-query values (NaN for a skipped query).
        block: queries handled at a time.

    Returns:
        A fraction in [0, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, negative relevance, or no query with a value.

    >>> scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[0.1, 0.2, 0.8]])
    >>> normalized_cumulative_semantic_score(scores, relevance, k=2)  # (0.1 + 0.2) / (0.8 + 0.2)
    0.30000000000000004

    Source: Biten et al., Is an Image Worth Five Sentences?, WACV 2022, section 3. The released code of DAA prints NCS
    with TF-IDF relevance, nothing left out, under the name ASP_K.
    """
    compute = partial(ncs, k=check_k(k), leave_out=None if leave_out is None else "positives")
    return _mean_of(compute, scores, relevance, direction, leave_out, undefined, reduction, block)


def ndcg_at_k(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    k: int | None = None,
    *,
    direction: str = "i2t",
    gain: str = "linear",
    leave_out: Any = None,
    undefined: str = "skip",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""NDCG@K: discounted relevance of the first K candidates, as a share of the best order's.

    $$DCG@K(q) = \sum_{g:\, r_s(q,g) \le K} \frac{\text{gain}(C(q,g))}{\log_2(1 + r_s(q,g))}, \quad
      NDCG@K = \frac{DCG@K}{\max DCG@K}$$

    Args:
        k: how many candidates are looked at; all by default.
        gain: `"linear"`, C itself, or `"exponential"`, $2^C - 1$.
        undefined: what a query without any relevance does: `"skip"`, `"zero"` or `"error"`.

    Other arguments, what it returns and its errors are those of `normalized_cumulative_semantic_score`.

    >>> scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[0.0, 1.0, 0.0]])
    >>> round(ndcg_at_k(scores, relevance), 4)  # 1 / log2(3)
    0.6309

    Source: Järvelin and Kekäläinen, ACM TOIS 2002; ties as McSherry and Najork, ECIR 2008, and scikit-learn.
    """
    if gain not in GAINS:
        raise ValueError(f"gain: expected one of {', '.join(GAINS)}, got {gain!r}")
    k, out = None if k is None else check_k(k), None if leave_out is None else "positives"
    compute = partial(ndcg, k=k, gain=gain, leave_out=out)
    return _mean_of(compute, scores, relevance, direction, leave_out, undefined, reduction, block)


def _mean_of(
    compute: Compute,
    scores: Any,
    relevance: Any,
    direction: str,
    leave_out: Any,
    undefined: str,
    reduction: str,
    block: int | None,
) -> float | Tensor:
    values = values_of(compute, scores, direction, relevance=relevance, positives=leave_out, block=block)
    if np.isnan(values).all() and undefined != "zero":
        raise ValueError("relevance: expected some above 0, but no query has any among the candidates it ranks")
    return reduce(values, reduction, undefined)


def ncs(queries: QueryBlock, by: str, ties: str, k: int, leave_out: str | None = None) -> np.ndarray:
    """NCS@K against the relevance of this name; the pairs of the truth `leave_out` may be left out."""
    cumulative = np.minimum(np.arange(queries.ranges()[0].shape[1] + 1), k)
    return _share_of_best(queries, by, cumulative, leave_out=leave_out)


def ndcg(
    queries: QueryBlock, by: str, ties: str, k: int | None = None, gain: str = "linear", leave_out: str | None = None
) -> np.ndarray:
    """NDCG@K against the relevance of this name; the pairs of the truth `leave_out` may be left out."""
    n = queries.ranges()[0].shape[1]
    places = np.arange(1, n + 1)
    cumulative = np.concatenate([[0.0], np.cumsum((places <= (k or n)) / np.log2(1 + places))])
    return _share_of_best(queries, by, cumulative, gain, leave_out)


standard(Metric(("NCS@10",), partial(ncs, k=10, leave_out="annotated"), "relevance", graded=True, gains=True))
standard(Metric(("NDCG@10",), partial(ndcg, k=10), "relevance", graded=True, gains=True))


def _share_of_best(
    queries: QueryBlock, by: str, cumulative: np.ndarray, gain: str = "linear", leave_out: str | None = None
) -> np.ndarray:
    """Gain collected under the scores over the most that can be, place p weighing cumulative[p] - cumulative[p-1]."""
    gains = queries.rows(by)
    if gains.min() < 0:
        raise ValueError(f"relevance: expected no negative value where gains are summed, got {gains.min()}")
    if gain == "exponential":
        gains = np.exp2(gains) - 1
    if leave_out:
        left_out = queries.of.positives[leave_out].matrix[queries.queries]
    else:
        left_out = sparse.csr_array(gains.shape, dtype=bool)
    cumulative = cumulative.astype(np.float64)
    last_place = int(np.searchsorted(cumulative, cumulative[-1]))
    with threads_for(gains.size):
        pairs = left_out.indptr.astype(np.int64), left_out.indices.astype(np.int64)
        collected = _expected_gain(*queries.ranges(), gains, *pairs, cumulative, last_place)
        best = _expected_gain(*queries.ranges(by), gains, *pairs, cumulative, last_place)
    return np.divide(collected, best, out=np.full(len(best), np.nan), where=best > 0)


@njit(parallel=True)
@no_type_check
def _expected_gain(first, last, gains, indptr, indices, cumulative, last_place):
    """Sum of gains times the mean weight of the places each candidate may take, left-out candidates taking none.

    `cumulative[p]` is the weight of the places 1 to p; it does not grow beyond `last_place`.
    """
    n_queries, n = first.shape
    result = np.empty(n_queries)
    for q in prange(n_queries):
        is_out = np.zeros(n, np.bool_)
        gone = np.empty(indptr[q + 1] - indptr[q], first.dtype)
        for p in range(len(gone)):
            is_out[indices[indptr[q] + p]] = True
            gone[p] = first[q, indices[indptr[q] + p]]
        gone.sort()
        total = 0.0
        for g in range(n):
            if first[q, g] > last_place + len(gone) or is_out[g]:
                continue
            front, back = first[q, g], last[q, g]
            if len(gone) > 0:
                front -= np.searchsorted(gone, front)
                back -= np.searchsorted(gone, first[q, g], side="right")
            weight = cumulative[back] - cumulative[front - 1]
            if weight > 0:
                total += gains[q, g] * weight / (back - front + 1)
        result[q] = total
    return result
