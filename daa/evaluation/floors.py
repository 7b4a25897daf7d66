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

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from scipy.special import gammaln

from daa.corpus import CaptionCorpus
from daa.evaluation.tables import Measurement
from daa.matrix import by_query
from daa.metrics.blind import best_blind_order, learn
from daa.metrics.metric import Metric, Quantity, metric_of, totals
from daa.metrics.plausible import match_shares
from daa.metrics.queries import Asked, Pass
from daa.metrics.ratios import asp, qasp
from daa.metrics.truth import Positives

Planned = dict[tuple[str, str, str], Asked]  # by who ranks, the name of a metric, and what judges it


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


def halves_of(corpus: CaptionCorpus) -> dict[str, np.ndarray]:
    """By direction the half, 0 or 1, of each query: even and odd images, each with its captions."""
    return {"i2t": np.arange(corpus.n_images) % 2, "t2i": corpus.image_of_caption % 2}


class Blind(NamedTuple):
    """What the floors of one direction ask of a pass.

    Attributes:
        orders: as in `Pass`: number i is learnt on the queries that it does not rank.
        planned: every metric at random (`"random"`), by the mean prior (`"mean"`) and, where that is another order, by
            the best one that was learnt for it (`"best"`).
        at_most: what no order exceeds, by metric and what judges it.
    """

    orders: dict[str, np.ndarray]
    planned: Planned
    at_most: dict[tuple[str, str], float]


def blind_rankings(one: Pass, planned: Planned, wanted: Mapping[str, Metric], block: int | None = None) -> Blind:
    """Orders that ignore the query, and which metrics to compute under them.

    Args:
        one: a direction, with the order that ranks each query.
        planned: what is computed of the scores.
        wanted: the metrics by name.
        block: queries handled at a time.
    """
    n = by_query(one.scores.shape, one.direction)[1]
    blind = Blind({"constant": np.zeros((2, n))}, {}, {})
    learners = np.stack([one.order_of == 1, one.order_of == 0]).astype(np.float64)
    judges: dict[str, list[tuple[Metric, str, Asked]]] = {}
    for (_, name, by), asked in planned.items():
        metric = wanted[name]
        judges.setdefault(asked.by, []).append((metric, by, asked))
        constant = asked._replace(ties="expected", order="constant")
        blind.planned["random", name, by] = asked._replace(compute=metric.random) if metric.random else constant
    for judge, judged in judges.items() if learners.any(axis=1).all() else ():
        metrics = [metric for metric, *_ in judged]
        learnt, at_most = _learn(one, judge, metrics, learners, block)
        for number, (kind, theirs, order) in enumerate(learnt):
            name = f"{judge}, {number}"
            blind.orders[name] = order
            of_them = [asked for asked in judged if asked[0] in theirs]
            blind.planned.update({(kind, metric.name, by): asked._replace(order=name) for metric, by, asked in of_them})
        bounded = [(metric.name, by) for metric, by, asked in judged if asked.ties == "average"]
        blind.at_most.update({(name, by): at_most[name] for name, by in bounded if name in at_most})
    return blind


def floors_of(
    one: Pass, blind: Blind, values: Mapping[str, Mapping[tuple[str, str], np.ndarray]]
) -> dict[Quantity, Floors]:
    """The floors of every number of a direction, from the per-query values of its blind rankings by who ranks."""
    floors: dict[Quantity, Floors] = {}
    for (name, by), at_random in values["random"].items():
        if not np.isfinite(at_random).any():
            continue
        metric = metric_of(name)
        random = metric.summary(at_random)
        if metric.over_queries == "median":
            random = _median_rank_at_random(one.positives[by], by_query(one.scores.shape, one.direction)[1])
        learnt = {
            kind: metric.summary(values[kind][name, by])
            for kind in ("mean", "best")
            if (name, by) in values.get(kind, {})
        }
        best = (max if metric.higher_is_better else min)(learnt.values(), default=None)
        at_most = blind.at_most.get((metric.name, by))
        floors[name, by, one.direction] = Floors(random, learnt.get("mean"), best, at_most)
    return floors


def _learn(
    one: Pass, judge: str, metrics: Sequence[Metric], learners: np.ndarray, block: int | None
) -> tuple[list[tuple[str, Sequence[Metric], np.ndarray]], dict[str, float]]:
    """Orders of the candidates, each with the metrics that it is for; by the name of a metric what none exceeds.

    Args:
        one, block: as in `blind_rankings`.
        judge: what judges the metrics, by the name that the pass has for it.
        metrics: which.
        learners: the queries to learn each of two orders from, [2, queries] of 0.0 and 1.0.
    """
    if judge in one.positives:
        matches = one.positives[judge].matrix.astype(np.float64)
        shares = learners / np.maximum(one.positives[judge].n_positives, 1)
        return [("mean", metrics, (matches.T @ learners.T).T), ("best", metrics, (matches.T @ shares.T).T)], {}
    if judge == "labels":
        labels = one.labels
        assert labels is not None
        of_images = learners
        if one.direction == "t2i":
            of_images = np.stack([np.bincount(labels.image_of, these, len(labels.codes)) for these in learners])
        return [("mean", metrics, np.stack([match_shares(labels, one.direction, these) for these in of_images]))], {}
    with_gains = [metric for metric in metrics if metric.gains]
    weighted = [metric for metric in metrics if metric.rank_weight is not None]
    known = learn(one.relevance[judge], one.direction, learners, bool(with_gains), bool(weighted), block)
    learnt: list[tuple[str, Sequence[Metric], np.ndarray]] = [("mean", metrics, known.sums)]
    at_most: dict[str, float] = {}
    if with_gains:
        learnt.append(("best", with_gains, known.shares))
    for weight in dict.fromkeys(metric.rank_weight for metric in weighted):
        theirs = [metric for metric in weighted if metric.rank_weight is weight]
        halves = [np.flatnonzero(these) for these in learners]
        places = [best_blind_order(known.twice_ranks, half, weight, bound=False).places for half in halves]
        learnt.append(("best", theirs, -np.stack(places).astype(np.float64)))
        exactly = [metric.name for metric in theirs if metric.compute in (asp, qasp)]
        bound = best_blind_order(known.twice_ranks, None, weight).at_most if exactly else None
        at_most |= {} if bound is None else dict.fromkeys(exactly, bound)
    return learnt, at_most


def _median_rank_at_random(matches: Positives, n: int) -> float:
    """The median, over queries and orders, of the rank of the first match among n candidates in random order.

    Where only some candidates were judged for a query, they alone are ranked.
    """
    n_matches = np.diff(matches.matrix.indptr)
    n_ranked = np.full(len(n_matches), n) if matches.judged is None else np.diff(matches.judged.indptr)
    n_matches, n_ranked = n_matches[n_matches > 0], n_ranked[n_matches > 0]

    def share_within(k: int) -> float:
        rest = n_ranked - n_matches
        log_miss = gammaln(rest + 1) - gammaln(np.maximum(rest - k, 0) + 1)
        log_miss += gammaln(np.maximum(n_ranked - k, 0) + 1) - gammaln(n_ranked + 1)
        return float(np.where(k <= rest, -np.expm1(np.minimum(log_miss, 0)), 1.0).mean())

    low, high = 1, n
    while low < high:
        middle = (low + high) // 2
        low, high = (low, middle) if share_within(middle) >= 0.5 else (middle + 1, high)
    return float(low)
