r"""Where a ranking puts the positives of each query, when scores may tie.

Tied scores say nothing about the order of the tied items, so a metric of hits needs a policy:

- `"expected"`: the mean of the metric over all orders of the tied items, in closed form. The default: it depends on no
  order of the items and neither rewards nor punishes ties: a constant score matrix gets what a random ranking gets;
- `"optimistic"`: ties broken in favour of the positives (a constant score matrix would get Recall@1 = 1);
- `"pessimistic"`: ties broken against the positives;
- `"ordinal"`: ties in the order in which the items stand, what a stable argsort gives; the order is an accident.

All four agree when no positive is tied with a negative.
"""

from __future__ import annotations

from typing import NamedTuple, no_type_check

import numpy as np
from scipy import sparse

from daa.compiled import njit
from daa.metrics.queries import QueryBlock
from daa.names import HIT_POLICIES, check_name


class Placement(NamedTuple):
    """Tie groups of the positives of some queries, best first within each query.

    Query q has the positives `indptr[q]` to `indptr[q + 1]`; positive p stands with equal probability at any of the
    places `first[p]` to `last[p]` (from 1), which it shares with the items of equal score. R is `n_positives[q]`, which
    may count positives that are not among the candidates.
    """

    n_positives: np.ndarray
    indptr: np.ndarray
    first: np.ndarray
    last: np.ndarray


def place(queries: QueryBlock, by: str, ties: str) -> Placement:
    """Where the scores put the positives of a truth; where it judged only some candidates, places are among those.

    Args:
        queries: whose positives, and how they rank the candidates.
        by: the name of the truth.
        ties: one of `HIT_POLICIES`.
    """
    check_name("ties", ties, HIT_POLICIES)
    positives = queries.of.positives[by]
    matrix = positives.matrix[queries.queries]
    first, last = queries.ranges(ties=ties)
    query_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    all_first, first, last = first, first[query_of, matrix.indices], last[query_of, matrix.indices]
    if positives.judged is not None:
        first, last = _among(positives.judged[queries.queries], all_first, query_of, first)
    order = np.lexsort((first, query_of))
    first, last = first[order].astype(np.int64), last[order].astype(np.int64)
    indptr = matrix.indptr.astype(np.int64)
    if ties in ("optimistic", "pessimistic"):
        _resolve(indptr, first, last, ties == "optimistic")
    return Placement(positives.n_positives[queries.queries], indptr, first, last)


def _among(
    judged: sparse.csr_array, all_first: np.ndarray, query_of: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """First and last place of items of these queries and first ranks, all others but the judged ones taken out."""
    n_queries, n_candidates = all_first.shape
    judged_query = np.repeat(np.arange(n_queries), np.diff(judged.indptr))
    offset = np.arange(n_queries) * (n_candidates + 1)  # so that all queries are searched at once
    ranked = np.sort(offset[judged_query] + all_first[judged_query, judged.indices])
    wanted = offset[query_of] + first
    before = judged.indptr[query_of]
    return np.searchsorted(ranked, wanted, "left") - before + 1, np.searchsorted(ranked, wanted, "right") - before


@njit()
@no_type_check
def _group_end(first, start, stop):
    end = start + 1
    while end < stop and first[end] == first[start]:
        end += 1
    return end


@njit()
@no_type_check
def _resolve(indptr, first, last, optimistic):
    """Give every positive a place of its own at the front (or the back) of its tie group."""
    for q in range(len(indptr) - 1):
        start, stop = indptr[q], indptr[q + 1]
        while start < stop:
            end = _group_end(first, start, stop)
            front = first[start] if optimistic else last[start] - (end - start) + 1
            for p in range(start, end):
                first[p] = last[p] = front + (p - start)
            start = end


@njit()
@no_type_check
def hit_probability(n_positives, indptr, first, last, ks):
    r"""Probability that a positive is among the first k, [queries, ks]; NaN for a query without positives.

    Only the best tie group that holds positives counts: with $a$ items above it, $g$ items and $p$ positives in it, it
    is $1 - \binom{g-p}{k-a} / \binom{g}{k-a}$ for $0 < k - a \le g - p$.
    """
    result = np.empty((len(indptr) - 1, len(ks)))
    for q in range(len(indptr) - 1):
        start, stop = indptr[q], indptr[q + 1]
        if start == stop:
            result[q] = np.nan if n_positives[q] == 0 else 0.0
            continue
        positives = _group_end(first, start, stop) - start
        above, size = first[start] - 1, last[start] - first[start] + 1
        for j in range(len(ks)):
            drawn = ks[j] - above
            if drawn <= 0:
                result[q, j] = 0.0
            elif drawn > size - positives:
                result[q, j] = 1.0
            else:
                miss = 1.0
                for t in range(drawn):
                    miss *= (size - positives - t) / (size - t)
                result[q, j] = 1.0 - miss
    return result


@njit()
@no_type_check
def precision_at_r(n_positives, indptr, first, last):
    """Expected share of positives among the first R, with R the query's number of positives; NaN where R = 0."""
    result = np.empty(len(indptr) - 1)
    for q in range(len(indptr) - 1):
        hits = 0.0
        for p in range(indptr[q], indptr[q + 1]):
            size = last[p] - first[p] + 1
            hits += min(max(n_positives[q] - first[p] + 1, 0), size) / size
        result[q] = hits / n_positives[q] if n_positives[q] else np.nan
    return result


@njit()
@no_type_check
def average_precision_at_r(n_positives, indptr, first, last):
    r"""Expected AP@R of each query; NaN where R = 0.

    In a tie group with $a$ items and $h$ positives above it, $g$ items and $p$ positives in it, place $a + j$ holds a
    positive with probability $p / g$, and then on average $(j-1)(p-1)/(g-1)$ of the group's others stand before it.
    """
    result = np.empty(len(indptr) - 1)
    for q in range(len(indptr) - 1):
        begin, stop = indptr[q], indptr[q + 1]
        total = 0.0
        start = begin
        while start < stop:
            end = _group_end(first, start, stop)
            above, size, positives = first[start] - 1, last[start] - first[start] + 1, end - start
            others = (positives - 1) / (size - 1) if size > 1 else 0.0
            for j in range(1, min(size, n_positives[q] - above) + 1):
                total += positives / size * (start - begin + 1 + (j - 1) * others) / (above + j)
            start = end
        result[q] = total / n_positives[q] if n_positives[q] else np.nan
    return result


@njit()
@no_type_check
def first_place(n_positives, indptr, first, last):
    r"""Expected rank of the first positive, $a + (g+1)/(p+1)$; NaN for a query without one among the candidates."""
    result = np.empty(len(indptr) - 1)
    for q in range(len(indptr) - 1):
        start, stop = indptr[q], indptr[q + 1]
        if start == stop:
            result[q] = np.nan
            continue
        positives = _group_end(first, start, stop) - start
        result[q] = first[start] - 1 + (last[start] - first[start] + 2) / (positives + 1)
    return result
