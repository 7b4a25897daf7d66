r"""The best ranking that never looks at the query: what a metric of ranks pays for knowing the candidates alone.

A blind ranking puts candidate c at one place $p_c$ for all queries. A metric that adds up what each candidate gets from
its place and its rank by relevance, as ASP does, then has the mean over the queries $\frac1n\sum_c G(c, p_c)$ with

$$G(c, p) = \frac1Q \sum_q w_q(r_C(q, c)) \frac{\min(p, r_C(q, c))}{\max(p, r_C(q, c))},$$

with w = 1 for ASP, and a weight that falls with the rank where the head counts more. So the best blind ranking is an assignment problem. It is solved exactly up to `EXACT_UP_TO` candidates. Beyond that the
places are put into bins whose width grows with the place, the transport problem of candidates to bins is solved by
Sinkhorn's iterations, and candidates are ordered by their mean place. How far that is from the best is *known*, not
guessed: for any prices v of the places no assignment is worth more than

$$\frac1n\Big(\sum_p v_p + \sum_c \max_p \big(G(c, p) - v_p\big)\Big)$$

(weak duality), which is computed with the true G at every place, not that of the bins.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple, no_type_check

import numpy as np
import torch
from numba import prange
from scipy.optimize import linear_sum_assignment

from daa.compiled import njit, threads_for
from daa.ranks import tie_ranges

EXACT_UP_TO = 1000
_N_BINS = 128
_TEMPERATURES = (1.0, 0.3, 0.1, 0.03, 0.01, 0.005)  # in standard deviations of the gains between candidates
_ITERATIONS = 16  # of Sinkhorn, a temperature


class BlindOrder(NamedTuple):
    """The best blind order by some queries.

    Attributes:
        places: the place of each candidate, from 1; [candidates] integers.
        value: the metric's mean over those queries.
        at_most: what no blind order exceeds on those queries; `value` itself where the assignment is exact.
    """

    places: np.ndarray
    value: float
    at_most: float


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


def best_blind_order(twice_ranks: np.ndarray, queries: np.ndarray | None = None, power: float = 0.0) -> BlindOrder:
    r"""The order of the candidates that has the highest mean ASP (`ties="average"`) over some queries.

    Args:
        twice_ranks: of `twice_ranks_by_candidate`.
        queries: which ones to learn from, by index; all by default.
        power: candidates weigh $r_C^{-\text{power}}$, as a share of their sum; 0 is ASP.

    >>> ranks_by_relevance = np.array([[1, 1, 3], [2, 3, 1], [3, 2, 2]])  # the first candidate is first for two of three
    >>> best_blind_order(2 * ranks_by_relevance).places
    array([1, 2, 3])
    """
    if queries is not None:
        twice_ranks = np.ascontiguousarray(twice_ranks[:, queries])
    n = len(twice_ranks)
    with threads_for(twice_ranks.size):
        weights = _weights(twice_ranks, power)
        if n <= EXACT_UP_TO:
            gains = _place_gains(twice_ranks, *weights, np.arange(1, n + 1))
            candidates, places = linear_sum_assignment(gains, maximize=True)
            value = float(gains[candidates, places].mean())
            return BlindOrder(places + 1, value, value)
        centres, capacities = _bins(n)
        gains = _place_gains(twice_ranks, *weights, centres)
        prices, mean_place = _transport(gains, capacities, np.log(centres))
        places = np.empty(n, np.int64)
        places[np.argsort(mean_place, kind="stable")] = np.arange(1, n + 1)
        price_of_place = np.interp(np.log(np.arange(1, n + 1)), np.log(centres), prices)
        surplus, gain = _surplus(twice_ranks, *weights, price_of_place, places)
    return BlindOrder(places, float(gain.mean()), float((price_of_place.sum() + surplus.sum()) / n))


def blind_values(twice_ranks: np.ndarray, places: np.ndarray, queries: np.ndarray, power: float = 0.0) -> np.ndarray:
    """What one order of the candidates gets for each of some queries, [queries]; arguments as for `best_blind_order`."""
    twice_ranks = np.ascontiguousarray(twice_ranks[:, queries])
    with threads_for(twice_ranks.size):
        return _blind_values(twice_ranks, *_weights(twice_ranks, power), np.asarray(places, np.int64))


def _weights(twice_ranks: np.ndarray, power: float) -> tuple[np.ndarray, np.ndarray]:
    """Weight by twice the rank, and what those of each query are multiplied by so that their mean is 1."""
    of_rank = np.ones(2 * len(twice_ranks) + 1)
    of_rank[1:] = (np.arange(1, len(of_rank)) / 2) ** -power
    return of_rank, len(twice_ranks) / _sum_over_candidates(twice_ranks, of_rank)


def _bins(n: int) -> tuple[np.ndarray, np.ndarray]:
    """Centre and size of at most `_N_BINS` runs of places, as wide as their place is large."""
    ends = np.unique(np.round(np.geomspace(1, n, _N_BINS)).astype(np.int64))
    starts = np.concatenate([[1], ends[:-1] + 1])
    return np.round(np.sqrt(starts * ends)).astype(np.int64), ends - starts + 1


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


@njit(inline="always")
@no_type_check
def _sums(twice, of_rank, of_query, counts, below, above):
    """Weighted sums of the ranks up to each whole rank p, and of the reciprocals of those beyond it."""
    n = len(below) - 1
    counts[:] = 0.0
    for q in range(len(twice)):
        counts[twice[q]] += of_query[q]
    for t in range(1, 2 * n + 1):
        counts[t] *= of_rank[t]
    below[0] = 0.0
    for p in range(1, n + 1):
        below[p] = below[p - 1] + (p - 0.5) * counts[2 * p - 1] + p * counts[2 * p]
    above[n] = 0.0
    for p in range(n - 1, -1, -1):
        above[p] = above[p + 1] + counts[2 * p + 1] / (p + 0.5) + counts[2 * p + 2] / (p + 1.0)


@njit(parallel=True)
@no_type_check
def _place_gains(twice_ranks, of_rank, of_query, places):
    """G(c, p) of every candidate at some places."""
    n, n_queries = twice_ranks.shape
    result = np.empty((n, len(places)))
    for run in prange((n + 31) // 32):
        counts, below, above = np.empty(2 * n + 1), np.empty(n + 1), np.empty(n + 1)
        for c in range(32 * run, min(32 * run + 32, n)):
            _sums(twice_ranks[c], of_rank, of_query, counts, below, above)
            for j in range(len(places)):
                p = places[j]
                result[c, j] = (below[p] / p + p * above[p]) / n_queries
    return result


@njit(parallel=True)
@no_type_check
def _surplus(twice_ranks, of_rank, of_query, prices, places):
    """For each candidate what its best place is worth above that place's price, and what its own place is worth."""
    n, n_queries = twice_ranks.shape
    surplus, gain = np.empty(n), np.empty(n)
    for run in prange((n + 31) // 32):
        counts, below, above = np.empty(2 * n + 1), np.empty(n + 1), np.empty(n + 1)
        for c in range(32 * run, min(32 * run + 32, n)):
            _sums(twice_ranks[c], of_rank, of_query, counts, below, above)
            best = -np.inf
            for p in range(1, n + 1):
                best = max(best, (below[p] / p + p * above[p]) / n_queries - prices[p - 1])
            surplus[c] = best
            p = places[c]
            gain[c] = (below[p] / p + p * above[p]) / n_queries
    return surplus, gain


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
