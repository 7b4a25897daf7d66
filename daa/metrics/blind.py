r"""The best ranking that never looks at the query: what a metric of ranks pays for knowing the candidates alone.

A blind ranking puts candidate c at one place $p_c$ for all queries. A metric that adds up what each candidate gets from
its place and its rank by relevance, as ASP does, then has the mean over the queries $\frac1n\sum_c G(c, p_c)$ with

$$G(c, p) = \frac1Q \sum_q w_q(r_C(q, c)) \frac{\min(p, r_C(q, c))}{\max(p, r_C(q, c))},$$

where w = 1 for ASP and falls with the rank where the head counts more. So the best blind ranking is an assignment
problem. It is solved exactly up to `EXACT_UP_TO` candidates. Beyond that places are binned, evenly in their logarithm,
the transport problem of candidates to bins is solved by Sinkhorn's iterations, and candidates are ordered by their mean
place. How far that can be from the best is known: for any prices v of the places no assignment is worth more than

$$\frac1n\Big(\sum_p v_p + \sum_c \max_p \big(G(c, p) - v_p\big)\Big)$$

(weak duality), which is computed with the true G at every place, not that of the bins.

All this is about orders. Scores that tie are not one: under `ties="average"` a constant ranking puts all candidates in
the middle and has an ASP of 0.597, where `ties="expected"` gives it chance.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple, no_type_check

import numpy as np
import torch
from numba import prange
from scipy.optimize import linear_sum_assignment

from daa.compiled import njit, threads_for
from daa.matrix import ITEMS_PER_BLOCK, Matrix, by_query, runs
from daa.metrics.ratios import RankWeight, rank_weights
from daa.ranks import tie_ranges

EXACT_UP_TO = 400
_N_BINS = 128
_TEMPERATURES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.005)  # in standard deviations of the gains between candidates
_ITERATIONS = 16  # of Sinkhorn, a temperature
_TOP = 10  # places whose gains count in the best order by gains


class BlindOrder(NamedTuple):
    """The best blind order by some queries.

    Attributes:
        places: the place of each candidate, from 1; [candidates] integers.
        value: the metric's mean over those queries.
        at_most: what no blind order exceeds on those queries, even one fitted to them; None if it was not asked for.
    """

    places: np.ndarray
    value: float
    at_most: float | None


class Learnt(NamedTuple):
    """What some queries say of the candidates.

    Attributes:
        sums: relevance of each candidate, added up over the queries of each group, [groups, candidates].
        shares: the same of the relevance as a share of what each query can gain; zeros where it was not asked for.
        twice_ranks: of all queries, see `twice_ranks_by_candidate`; empty where they were not asked for.
    """

    sums: np.ndarray
    shares: np.ndarray
    twice_ranks: np.ndarray


def learn(
    relevance: Matrix,
    direction: str,
    groups: np.ndarray,
    gains: bool = True,
    ranks: bool = True,
    block: int | None = None,
) -> Learnt:
    """What each group of queries says of the candidates, the relevance read once.

    Args:
        relevance: of images and captions.
        direction: `"i2t"` or `"t2i"`.
        groups: which queries are in each group, [groups, queries] of 0.0 and 1.0.
        gains: whether shares are wanted, so that relevance is never negative.
        ranks: whether ranks are wanted.
        block: queries handled at a time.
    """
    n_queries, n = by_query(relevance.shape, direction)
    sums = np.zeros((2, len(groups), n))

    def rows() -> Iterator[np.ndarray]:
        for run in runs(n_queries, block or max(1, ITEMS_PER_BLOCK // n)):
            part = relevance.rows(direction, run)
            weights = [groups[:, run]]
            if gains:
                ideal = _ideal_gain(part)
                weights.append(groups[:, run] * np.divide(1, ideal, out=np.zeros(len(ideal)), where=ideal > 0))
            sums[: len(weights)] += np.stack(weights).astype(part.dtype) @ part
            yield part

    if ranks:
        return Learnt(sums[0], sums[1], twice_ranks_by_candidate(rows(), (n_queries, n)))
    for _ in rows():
        pass
    return Learnt(sums[0], sums[1], np.empty((0, n_queries), np.uint16))


def _ideal_gain(rows: np.ndarray) -> np.ndarray:
    """DCG of the best order of each query, among the first ten."""
    n = rows.shape[1]
    top = -np.sort(-np.partition(rows, max(n - _TOP, 0), axis=1)[:, -_TOP:], axis=1)
    return top @ (1 / np.log2(2 + np.arange(top.shape[1])))


def twice_ranks_by_candidate(rows: Iterable[np.ndarray], shape: tuple[int, int]) -> np.ndarray:
    """Twice the average rank of each candidate within each query, [candidates, queries], as small as integers can be.

    Args:
        rows: relevance [some queries, candidates] float32 or float64, all queries in order.
        shape: queries and candidates.
    """
    n_queries, n = shape
    result = np.empty((n, n_queries), np.uint16 if 2 * n <= np.iinfo(np.uint16).max else np.uint32)
    start = 0
    for block in rows:
        first, last = tie_ranges(block)
        first += last
        with threads_for(first.size):
            _turn(first, result, start)
        start += len(block)
    return result


def best_blind_order(
    twice_ranks: np.ndarray,
    queries: np.ndarray | None = None,
    weight: RankWeight | None = None,
    bound: bool = True,
) -> BlindOrder:
    """The order of the candidates that has the highest mean ASP (`ties="average"`) over some queries.

    Args:
        twice_ranks: of `twice_ranks_by_candidate`.
        queries: which ones to learn from, by index; all by default.
        weight: of a candidate by its rank by relevance, from 1; a query's weights are divided by their sum. All count
            the same by default.
        bound: whether to compute `at_most` where the assignment is not exact, the larger part of the work.

    >>> ranks_of_candidates = np.array([[1, 1, 3], [2, 3, 1], [3, 2, 2]])  # the first one is best for two queries
    >>> best_blind_order(2 * ranks_of_candidates).places
    array([1, 3, 2])
    """
    if queries is not None:
        twice_ranks = np.ascontiguousarray(twice_ranks[:, queries])
    n = len(twice_ranks)
    with threads_for(twice_ranks.size):
        weights = _weights(twice_ranks, weight)
        if n <= EXACT_UP_TO:
            gains = _gains_at(twice_ranks, *weights, np.arange(1, n + 1))
            candidates, places = linear_sum_assignment(gains, maximize=True)
            value = float(gains[candidates, places].mean())
            return BlindOrder(places + 1, value, value)
        sampled, capacities = _sampled_places(n)
        prices, mean_place = _transport(_gains_at(twice_ranks, *weights, sampled), capacities, np.log(sampled))
        places = np.empty(n, np.int64)
        places[np.argsort(mean_place, kind="stable")] = np.arange(1, n + 1)
        value = float(_blind_values(twice_ranks, *weights, places).mean())
        if not bound:
            return BlindOrder(places, value, None)
        price_of_place = np.interp(np.log(np.arange(1, n + 1)), np.log(sampled), prices)
        surplus = _surplus(twice_ranks, *weights, price_of_place)
    return BlindOrder(places, value, float((price_of_place.sum() + surplus.sum()) / n))


def blind_values(
    twice_ranks: np.ndarray,
    places: np.ndarray,
    queries: np.ndarray,
    weight: RankWeight | None = None,
) -> np.ndarray:
    """What one order of the candidates gets for each of some queries, [queries]; see `best_blind_order`."""
    twice_ranks = np.ascontiguousarray(twice_ranks[:, queries])
    with threads_for(twice_ranks.size):
        return _blind_values(twice_ranks, *_weights(twice_ranks, weight), np.asarray(places, np.int64))


def _weights(twice_ranks: np.ndarray, weight: RankWeight | None) -> tuple[np.ndarray, np.ndarray]:
    """Weight by twice the rank, and what those of each query are multiplied by so that their mean is 1."""
    n = len(twice_ranks)
    of_rank = np.ones(2 * n + 1) if weight is None else rank_weights(n, weight)
    return of_rank, n / _sum_over_candidates(twice_ranks, of_rank)


def _sampled_places(n: int) -> tuple[np.ndarray, np.ndarray]:
    """At most `_N_BINS` places, evenly in the logarithm, and how many places are nearest to each of them."""
    sampled = np.unique(np.round(np.geomspace(1, n, _N_BINS)).astype(np.int64))
    borders = np.floor(np.sqrt(sampled[:-1] * sampled[1:])).astype(np.int64)
    return sampled, np.diff(np.concatenate([[0], borders, [n]]))


def _transport(gains: np.ndarray, capacities: np.ndarray, log_places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Prices of the bins, and the mean log place of each candidate, by Sinkhorn's iterations at falling temperature."""
    mean_gain = gains.mean(axis=0)  # what every candidate gets from a place decides nothing
    gains_of = torch.from_numpy((gains - mean_gain).astype(np.float32))
    scale = max(float(gains_of.std()), 1e-12)
    wanted = torch.from_numpy(capacities.astype(np.float32)).log()
    prices = torch.zeros(len(capacities))
    for temperature in [scale * factor for factor in _TEMPERATURES]:
        for _ in range(_ITERATIONS):
            shares = ((gains_of - prices) / temperature).softmax(dim=1)
            prices = prices + temperature * (shares.sum(dim=0).clamp_min(1e-30).log() - wanted)
    shares = ((gains_of - prices) / temperature).softmax(dim=1)
    mean_place = shares.double() @ torch.from_numpy(log_places)
    return prices.double().numpy() + mean_gain, mean_place.numpy()


@njit(parallel=True)
@no_type_check
def _turn(block, target, start):
    n_queries, n = block.shape
    for tile in prange((n + 31) // 32):
        for q in range(n_queries):
            for c in range(32 * tile, min(32 * tile + 32, n)):
                target[c, start + q] = block[q, c]


@njit(parallel=True)
@no_type_check
def _sum_over_candidates(twice_ranks, of_rank):
    n, n_queries = twice_ranks.shape
    result = np.zeros(n_queries)
    for run in prange((n_queries + 255) // 256):
        for c in range(n):
            for q in range(256 * run, min(256 * run + 256, n_queries)):
                result[q] += of_rank[twice_ranks[c, q]]
    return result


@njit(parallel=True)
@no_type_check
def _gains_at(twice_ranks, of_rank, of_query, places):
    """G(c, p) of every candidate at some ascending places, from the sums of its ranks between them."""
    n, n_queries = twice_ranks.shape
    n_places = len(places)
    bin_of = np.empty(len(of_rank), np.int32)  # the first of the places that is not before this rank
    j = 0
    for t in range(len(of_rank)):
        while j < n_places - 1 and t > 2 * places[j]:
            j += 1
        bin_of[t] = j
    result = np.empty((n, n_places))
    for c in prange(n):
        ranks, reciprocals = np.zeros(n_places), np.zeros(n_places)
        for q in range(n_queries):
            t = twice_ranks[c, q]
            weight = of_rank[t] * of_query[q]
            ranks[bin_of[t]] += weight * t / 2
            reciprocals[bin_of[t]] += weight * 2 / t
        below, above = 0.0, reciprocals.sum()
        for j in range(n_places):
            below += ranks[j]
            above -= reciprocals[j]
            result[c, j] = (below / places[j] + places[j] * above) / n_queries
    return result


@njit(parallel=True)
@no_type_check
def _surplus(twice_ranks, of_rank, of_query, prices):
    """What the best place of each candidate is worth above that place's price, of all places."""
    n, n_queries = twice_ranks.shape
    surplus = np.empty(n)
    for run in prange((n + 31) // 32):
        ranks, reciprocals = np.empty(n + 1), np.empty(n + 1)
        for c in range(32 * run, min(32 * run + 32, n)):
            ranks[:] = 0.0
            reciprocals[:] = 0.0
            above = 0.0
            for q in range(n_queries):
                t = twice_ranks[c, q]
                weight = of_rank[t] * of_query[q]
                p = (t + 1) // 2  # the first place that is not before this rank
                ranks[p] += weight * t / 2
                reciprocals[p] += weight * 2 / t
                above += weight * 2 / t
            below, best = 0.0, -np.inf
            for p in range(1, n + 1):
                below += ranks[p]
                above -= reciprocals[p]
                best = max(best, (below / p + p * above) / n_queries - prices[p - 1])
            surplus[c] = best
    return surplus


@njit(parallel=True)
@no_type_check
def _blind_values(twice_ranks, of_rank, of_query, places):
    n, n_queries = twice_ranks.shape
    result = np.zeros(n_queries)
    for run in prange((n_queries + 255) // 256):
        for c in range(n):
            p = 2 * places[c]
            for q in range(256 * run, min(256 * run + 256, n_queries)):
                r = twice_ranks[c, q]
                result[q] += of_rank[r] * of_query[q] * min(r, p) / max(r, p) / n
    return result
