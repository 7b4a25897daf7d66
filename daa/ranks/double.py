r"""Double ranks: what a relevance says of a pair, freed of how relevant the query and the candidate are in general.

A relevance $C(q,g)$ mixes how relevant anything is to query q, how relevant candidate g is to anybody, and what the two
have to do with each other. A metric that compares ranks within a query drops the first and pays for the second: a
ranking that never looks at the query collects it. Ranking in turn **within each query** and **over the queries for each
candidate** takes both away, as Sinkhorn's scaling does with sums.

**Nothing is left for a blind ranking.** The last pass gives every candidate the same values over the queries. Let a
ranking put candidate g at place $p_g$ for all queries, and let a metric be any sum $\sum_g f(p_g, D(q,g))$. Its mean
over the queries is $\sum_g F(p_g)$ with $F(p) = \frac1Q \sum_d f(p, d)$, the same for *every* order: chance. Two things
make this an approximation: tied queries share one mid-rank, so F differs a little from candidate to candidate; and a
metric ranks D within the query once more. The passes before are there for the second: they make the values within a
query uniform, too, so that ranking them again changes little.

**What is learnt on one half of the queries scores below chance on the other.** Over all queries the candidates are
equal, so one whose values are high on one half has low ones on the other.

**What is lost.** The order within a query is no longer that of C: a caption that is rather relevant to everyone falls
behind one that is relevant to this image only. So C itself scores well under D, but not 1, and the less the more of C
is margins and ties. Where a margin decides every rank, as in 0 to 1 with 10 added for one candidate, nothing else of
that candidate is left: all queries tie. Beginning with the ranks over the queries loses as much on the other side.

**Convergence.** A matrix with uniform values in all rows and columns and no ties stays as it is. Others come close to
one in three to five rounds (`results/double-ranks.json`).
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Float
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.matrix import ITEMS_PER_BLOCK, Matrix, Queries, by_query, runs
from daa.ranks.exact import ranks, tie_ranges

ROUNDS = 3
_LINES = 32  # as many 16-bit columns as one cache line holds


def double_ranks(relevance: Float[Tensor, "queries candidates"], rounds: int = ROUNDS) -> Float[Tensor, ...]:
    r"""Ranks within each query, then over the queries for each candidate, in turn; see the module.

    $$D(q,g) = \frac{1}{Q} \left(\#\{q' : D'(q',g) < D'(q,g)\} + \tfrac12 \#\{q' : D'(q',g) = D'(q,g)\}\right)$$

    with D' the ranks within the queries of the round before. In a large matrix the passes run in one array of 16-bit
    integers (`DoubleRanks`); this is for a batch, on any device.

    Args:
        relevance: one row a query, any range.
        rounds: how often both passes run, at least once.

    Returns:
        the share of the queries to which the candidate is less relevant, ties counting half: in (0, 1), larger is more
        relevant, mean 1/2 for every candidate; in the dtype of the relevance, at least float32. Receives no gradient.

    Raises:
        ValueError: for an empty matrix, NaN, or rounds below 1.

    >>> popular = torch.tensor([[9.0, 3.0, 1.0], [9.1, 2.0, 2.0], [9.2, 1.0, 3.0]])  # the first caption fits all images
    >>> (6 * double_ranks(popular)).round().tolist()
    [[3.0, 5.0, 1.0], [3.0, 3.0, 3.0], [3.0, 1.0, 5.0]]
    """
    check_rounds(rounds)
    n_queries = relevance.shape[0]
    values = relevance.detach()
    for _ in range(rounds):
        values = -ranks(values, ties="average")
        values = -ranks(values.T, ties="average").T
    shares = (n_queries + 0.5 + values) / n_queries
    return shares.to(torch.promote_types(relevance.dtype, torch.float32))


def double_rank_integers(rows: Iterable[np.ndarray], shape: tuple[int, int], rounds: int = ROUNDS) -> np.ndarray:
    """`double_ranks` of a large relevance, which is read once, block by block.

    Args:
        rows: [some queries, candidates] float32 or float64, all queries in order.
        shape: queries and candidates.
        rounds: as in `double_ranks`.

    Returns:
        [queries, candidates], twice the number of queries times D, whole numbers from 1 to 2 Q - 1; of uint16 up to
        32,767 queries and candidates (250 MB for COCO 5K), beyond that of uint32. Nothing else of this size is made.

    >>> double_rank_integers([np.array([[9.0, 3.0, 1.0], [9.1, 2.0, 2.0], [9.2, 1.0, 3.0]])], (3, 3))
    array([[3, 5, 1],
           [3, 3, 3],
           [3, 1, 5]], dtype=uint16)
    """
    check_rounds(rounds)
    n_queries, n_candidates = shape
    result = np.empty(shape, np.uint16 if 2 * max(shape) <= np.iinfo(np.uint16).max else np.uint32)
    start = 0
    for block in rows:
        first, last = tie_ranges(block)
        np.subtract(2 * n_candidates + 1 - first, last, out=result[start : start + len(block)], casting="unsafe")
        start += len(block)
    with threads_for(result.size):
        for passed in range(rounds):
            if passed:
                _rank_within_rows(result, 2 * n_queries)
            _rank_within_columns(result, 2 * n_candidates)
    return result


class DoubleRanks(Matrix):
    """The double ranks of a relevance, made when its rows are first asked for, one direction at a time.

    Each direction has its own, since the last pass is over its queries. The other direction's are let go: 250 MB for
    COCO 5K.

    Args:
        relevance: what is ranked.
        rounds: as in `double_ranks`.

    >>> from daa.matrix import as_matrix
    >>> popular = as_matrix(np.array([[9.0, 3.0, 1.0], [9.1, 2.0, 2.0], [9.2, 1.0, 3.0]]), "relevance")
    >>> DoubleRanks(popular).rows("i2t", slice(0, 1)).round(2).tolist()
    [[0.5, 0.8299999833106995, 0.17000000178813934]]
    """

    def __init__(self, relevance: Matrix, rounds: int = ROUNDS) -> None:
        self.relevance, self.rounds = relevance, check_rounds(rounds)
        self.argument = f"double ranks of {relevance.argument}"
        self.shape = relevance.shape
        self._held: tuple[str, np.ndarray] | None = None

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        if self._held is None or self._held[0] != direction:
            self._held = None
            n_queries, n = by_query(self.shape, direction)
            blocks = runs(n_queries, max(1, ITEMS_PER_BLOCK // n))
            rows = (self.relevance.rows(direction, block) for block in blocks)
            self._held = direction, double_rank_integers(rows, (n_queries, n), self.rounds)
        integers = self._held[1]
        return integers[queries].astype(np.float32) / np.float32(2 * len(integers))

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        return DoubleRanks(self.relevance.select(images, captions), self.rounds)

    def any_negative(self) -> bool:
        return False


def check_rounds(rounds: int) -> int:
    if isinstance(rounds, bool) or not isinstance(rounds, (int, np.integer)) or rounds < 1:
        raise ValueError(f"rounds: expected an integer from 1, got {rounds!r}")
    return int(rounds)


@njit(inline="always")
@no_type_check
def _rank_line(line, counts):
    """Replace whole numbers below the length of `counts` by twice their ascending average rank, less 1."""
    counts[:] = 0
    for i in range(len(line)):
        counts[line[i]] += 1
    below = 0
    for key in range(len(counts)):
        count = counts[key]
        counts[key] = 2 * below + count
        below += count
    for i in range(len(line)):
        line[i] = counts[line[i]]


@njit(parallel=True)
@no_type_check
def _rank_within_rows(values, limit):
    n_rows = values.shape[0]
    for run in prange((n_rows + _LINES - 1) // _LINES):
        counts = np.empty(limit, np.int64)
        for i in range(run * _LINES, min((run + 1) * _LINES, n_rows)):
            _rank_line(values[i], counts)


@njit(parallel=True)
@no_type_check
def _rank_within_columns(values, limit):
    n_rows, n_columns = values.shape
    for run in prange((n_columns + _LINES - 1) // _LINES):
        left, right = run * _LINES, min((run + 1) * _LINES, n_columns)
        counts = np.empty(limit, np.int64)
        columns = np.empty((right - left, n_rows), values.dtype)
        for i in range(n_rows):
            for j in range(left, right):
                columns[j - left, i] = values[i, j]
        for j in range(right - left):
            _rank_line(columns[j], counts)
        for i in range(n_rows):
            for j in range(left, right):
                values[i, j] = columns[j - left, i]
