r"""What rankings that ignore the query score in each metric: the floors from which a value counts.

- **random**: the exact mean over all orders of the candidates (of a median over queries, the median of the ranks that
  the queries may get).
- **mean prior**: candidates by their mean relevance, or by how many queries they match, to the queries of the other
  half. Halves are of images (even and odd), each with its captions; each is judged by what was learnt on the other.
- **best blind**: the best order that ignores the query, learnt and judged in the same way. For metrics that add up
  min / max of ranks, as ASP does, it solves an assignment problem (`daa.metrics.blind`), and what *no* order exceeds,
  not even one fitted to the queries it is judged by, is stated beside it (`at_most`). For the others candidates are
  ordered by expected gain: relevance as a share of what the query can gain (NDCG, NCS), matches as a share of the
  query's (mAP@R, R-Precision, PMRP), or by how many queries they match (Recall@K, ranks). Where the mean prior is
  better on the other half, it is the best blind ranking.

The floor is the best of the three, and *above floor* is (value - floor) / (perfect - floor).

Text to image, a prior of an image is made of its relevance, and so of its own captions: such a ranking is blind to the
query but not to what the images show.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from daa.corpus import Truth
from daa.evaluation.tables import Measurement
from daa.matrix import ITEMS_PER_BLOCK, Matrix, Queries, by_query, runs
from daa.metrics.asp import asp, qasp
from daa.metrics.blind import best_blind_order, twice_ranks_by_candidate
from daa.metrics.metric import Metric, Quantity, totals
from daa.metrics.plausible import match_shares
from daa.metrics.queries import Pass, QueryBlock
from daa.metrics.truth import Labels, Positives
from daa.names import DIRECTIONS
from daa.ranks import DoubleRanks

HALVES = (0, 1)
_TOP = 10  # places whose gains count in the best order by gains


class Floors(NamedTuple):
    """What rankings that ignore the query score in one number; None where it is not known."""

    random: float
    mean_prior: float | None = None
    best_blind: float | None = None
    blind_at_most: float | None = None


def with_floors(measurements: Sequence[Measurement], floors: Mapping[Quantity, Floors]) -> list[Measurement]:
    """Measurements over all candidates with their floors; a total has the sums of its parts."""
    known = dict(floors)
    for total, parts in totals(floors).items():
        columns = zip(*(floors[part] for part in parts), strict=True)
        known[total] = Floors(*(None if None in column else sum(column) for column in columns))  # type: ignore[arg-type]
    with_theirs = []
    for one in measurements:
        of_it = known.get((one.metric, one.truth, one.direction)) if one.gallery == "all" else None
        with_theirs.append(one if of_it is None else one._replace(**of_it._asdict()))
    return with_theirs


def judge_of(metric: Metric, by: str) -> str:
    """The name under which a pass knows what judges a metric."""
    return f"double ranks of {by}" if metric.doubly_ranked else by


def with_double_ranks(relevance: Mapping[str, Matrix], wanted: Iterable[Metric]) -> dict[str, Matrix]:
    """Relevance matrices by name, and their double ranks if one of the metrics is computed against them."""
    doubly = next((metric for metric in wanted if metric.doubly_ranked), None)
    double = {} if doubly is None else {judge_of(doubly, by): DoubleRanks(one) for by, one in relevance.items()}
    return {**relevance, **double}


def measure_floors(
    truths: Mapping[str, Truth],
    relevance: Mapping[str, Matrix],
    labels: tuple[np.ndarray, np.ndarray] | None,
    wanted: Sequence[Metric],
    image_of_caption: np.ndarray,
    asp_ties: str = "average",
    hit_ties: str = "expected",
    block: int | None = None,
) -> dict[Quantity, Floors]:
    """Floors of every number that these judges give; the arguments are those of `daa.evaluation.evaluate.measure`."""
    shape = next(iter(truths.values())).i2t.shape
    categories = None if labels is None else Labels(*labels, shape)
    ranked_by = with_double_ranks(relevance, wanted)
    result: dict[Quantity, Floors] = {}
    for direction in DIRECTIONS:
        positives = {by: Positives.of(truth, direction) for by, truth in truths.items()}
        positives = {by: matches for by, matches in positives.items() if matches.matrix.nnz}
        one = Pass({}, direction, _Nothing(shape), ranked_by, positives, categories)
        halves = (np.arange(shape[0]) if direction == "i2t" else image_of_caption) % 2
        for by in positives:
            result |= _floors(one, halves, by, [m for m in wanted if m.judged_by == "positives"], hit_ties, block)
        if categories is not None:
            result |= _floors(one, halves, "labels", [m for m in wanted if m.judged_by == "labels"], hit_ties, block)
        for by, matrix in relevance.items():
            signed = any(m.gains for m in wanted) and matrix.any_negative()
            judged = [m for m in wanted if m.judged_by == "relevance" and not (m.gains and signed)]
            judged = [m for m in judged if by_query(shape, direction)[1] >= m.least_candidates]
            for doubly in (False, True):
                result |= _floors(one, halves, by, [m for m in judged if m.doubly_ranked == doubly], asp_ties, block)
    return result


class _Nothing(Matrix):
    """Scores that nobody reads: every ranking here is of the candidates alone."""

    def __init__(self, shape: tuple[int, int]) -> None:
        self.shape, self.argument = shape, "scores"

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        n_queries, n = by_query(self.shape, direction)
        return np.broadcast_to(np.float32(0), (len(np.arange(n_queries)[queries]), n))

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        return _Nothing((len(range(*images.indices(self.shape[0]))), len(captions)))


class _Learnt(NamedTuple):
    """A ranking for each half, [2 halves, candidates] scores, and the metrics that are to be judged under it."""

    is_mean: bool
    priors: np.ndarray
    metrics: Sequence[Metric]


def _floors(
    one: Pass, halves: np.ndarray, by: str, wanted: Sequence[Metric], ties: str, block: int | None
) -> dict[Quantity, Floors]:
    """Floors of some metrics that one thing judges, in one direction."""
    if not wanted:
        return {}
    n_queries, n = by_query(one.scores.shape, one.direction)
    name = judge_of(wanted[0], by)
    blocks = runs(n_queries, block or max(1, ITEMS_PER_BLOCK // n))
    learnt, at_most = ([], {}) if len(set(halves.tolist())) < 2 else _learn(one, halves, name, wanted, blocks)
    values: dict[tuple[int, str], list[np.ndarray]] = {}
    random: dict[str, list[np.ndarray]] = {}
    for run in blocks:
        queries = QueryBlock(one, run)
        if wanted[0].judged_by == "relevance":
            queries.ranges(name, ordinal=ties == "ordinal")  # once, for all rankings
        constant = queries.ranked_by(np.zeros((1, n)), np.zeros(len(queries.numbers), np.int64))
        for metric in wanted:
            chance = metric.random or metric.compute
            under = ties if metric.random else "expected"
            random.setdefault(metric.name, []).append(np.asarray(chance(constant, name, under), np.float64))
        for j, order in enumerate(learnt):
            blind = queries.ranked_by(order.priors, 1 - halves[run], ordinal=ties == "ordinal")
            for metric in order.metrics:
                computed = np.asarray(blind.values(metric.compute, name, ties), np.float64)
                values.setdefault((j, metric.name), []).append(computed)
    result: dict[Quantity, Floors] = {}
    for metric in wanted:
        at_random = _numbers(metric, random[metric.name])
        if metric.over_queries == "median":
            at_random = dict.fromkeys(metric.names, _median_rank_at_random(one.positives[name], n))
        blindly = {
            j: _numbers(metric, values[j, metric.name]) for j in range(len(learnt)) if (j, metric.name) in values
        }
        for number, value in at_random.items():
            means = [blindly[j][number] for j in blindly if learnt[j].is_mean]
            best = (max if metric.higher_is_better else min)([of[number] for of in blindly.values()], default=None)
            bound = at_most.get(metric.name) if ties == "average" else None
            floors = Floors(value, means[0] if means else None, best, bound)
            result[number, by, one.direction] = floors
    return {key: floors for key, floors in result.items() if np.isfinite(floors.random)}


def _numbers(metric: Metric, parts: list[np.ndarray]) -> dict[str, float]:
    """A metric's numbers from the per-query values of its blocks; NaN where no query has one."""
    by_name = metric.by_name(np.concatenate(parts))
    return {name: metric.summary(of) if np.isfinite(of).any() else np.nan for name, of in by_name.items()}


def _learn(
    one: Pass, halves: np.ndarray, name: str, wanted: Sequence[Metric], blocks: Sequence[slice]
) -> tuple[list[_Learnt], dict[str, float]]:
    """Rankings learnt on each half, and by the name of a metric what no ranking exceeds."""
    kind = wanted[0].judged_by
    in_half = np.stack([halves == half for half in HALVES]).astype(np.float64)
    if kind == "positives":
        matches = one.positives[name]
        of_query = matches.matrix.astype(np.float64)
        shares = in_half / np.maximum(matches.n_positives, 1)
        counts = (of_query.T @ in_half.T).T
        return [_Learnt(True, counts, wanted), _Learnt(False, (of_query.T @ shares.T).T, wanted)], {}
    if kind == "labels":
        labels = one.labels
        assert labels is not None
        of_images = list(in_half)
        if one.direction == "t2i":
            of_images = [np.bincount(labels.image_of, of_half, len(labels.codes)) for of_half in in_half]
        shares = np.stack([match_shares(labels, one.direction, of_half) for of_half in of_images])
        return [_Learnt(True, shares, wanted)], {}
    n_queries, n = by_query(one.scores.shape, one.direction)
    sums = np.zeros((2, 2, n))  # relevance, and its share of what the query can gain; of each half
    with_gains = [metric for metric in wanted if metric.gains]

    def rows() -> Iterator[np.ndarray]:
        for run in blocks:
            part = one.relevance[name].rows(one.direction, run)
            weights = [in_half[:, run]]
            if with_gains:
                ideal = _ideal_gain(part)
                weights.append(in_half[:, run] * np.divide(1, ideal, out=np.zeros(len(ideal)), where=ideal > 0))
            sums[: len(weights)] += np.stack(weights).astype(part.dtype) @ part
            yield part

    weighted = [metric for metric in wanted if metric.rank_weight is not None]
    learnt = [_Learnt(True, sums[0], wanted)]
    at_most: dict[str, float] = {}
    if weighted:
        twice_ranks = twice_ranks_by_candidate(rows(), (n_queries, n))
    else:
        for _ in rows():
            pass
    if with_gains:
        learnt.append(_Learnt(False, sums[1], with_gains))
    for weight in dict.fromkeys(metric.rank_weight for metric in weighted):
        theirs = [metric for metric in weighted if metric.rank_weight is weight]
        places = [best_blind_order(twice_ranks, np.flatnonzero(part), weight, bound=False).places for part in in_half]
        learnt.append(_Learnt(False, -np.stack(places), theirs))
        exactly = [metric.name for metric in theirs if metric.compute in (asp, qasp)]
        bound = best_blind_order(twice_ranks, None, weight).at_most if exactly else None
        at_most |= {} if bound is None else dict.fromkeys(exactly, bound)
    return learnt, at_most


def _ideal_gain(rows: np.ndarray) -> np.ndarray:
    """DCG of the best order of each query, among the first ten."""
    n = rows.shape[1]
    top = -np.sort(-np.partition(rows, max(n - _TOP, 0), axis=1)[:, -_TOP:], axis=1)
    return top @ (1 / np.log2(2 + np.arange(top.shape[1])))


def _median_rank_at_random(matches: Positives, n: int) -> float:
    """The median, over queries and orders, of the rank of the first match among n candidates in random order."""
    n_matches = np.diff(matches.matrix.indptr)
    n_matches = n_matches[n_matches > 0]

    def share_within(k: int) -> float:
        rest = n - n_matches
        log_miss = gammaln(rest + 1) - gammaln(np.maximum(rest - k, 0) + 1) + gammaln(n - k + 1) - gammaln(n + 1)
        return float(np.where(k <= rest, -np.expm1(np.minimum(log_miss, 0)), 1.0).mean())

    low, high = 1, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if share_within(middle) >= 0.5 else (middle + 1, high)
    return float(low)
