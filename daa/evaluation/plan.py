"""Which metrics an evaluation computes, all in one pass per direction."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

import numpy as np

from daa.corpus import Truth
from daa.metrics.asp import asp_chance_metric, asp_metric
from daa.metrics.asp_top import asp_at_k_metric
from daa.metrics.coherence import kendall_metric
from daa.metrics.graded import ncs_metric, ndcg_metric
from daa.metrics.inputs import DIRECTIONS, Blocks, Positives
from daa.metrics.match_rank import match_rank_metric
from daa.metrics.plausible import ZETAS, pmrp_metric
from daa.metrics.precision import map_at_r_metric, r_precision_metric
from daa.metrics.recall import recall_metric
from daa.metrics.stream import Metric, QueryBlock, Runner, one_after_another, per_query

RECALL_AT = (1, 5, 10)
SHORT, LONG = 10, 100
Key = tuple[str, str]  # metric, what it is judged by
Labels = tuple[np.ndarray, np.ndarray]  # categories of each image, image of each caption


class Planned:
    """A metric that can be sent to another process: it travels as the function that made it and its arguments.

    >>> import pickle
    >>> pickle.loads(pickle.dumps(Planned(asp_metric, "tfidf"))).arguments
    ('tfidf',)
    """

    def __init__(self, make: Callable[..., Metric], *arguments: Any, **options: Any) -> None:
        self.make, self.arguments, self.options = make, arguments, options
        self._metric = make(*arguments, **options)

    def __call__(self, queries: QueryBlock) -> np.ndarray:
        return self._metric(queries)

    def __reduce__(self) -> tuple[Any, ...]:
        return partial(Planned, self.make, *self.arguments, **self.options), ()


def per_query_values(
    scores: Blocks,
    truths: Mapping[str, Truth],
    relevance: Mapping[str, Blocks],
    labels: Labels | None,
    policies: tuple[str, str],
    graded: bool,
    block: int | None,
    progress: Callable[[int], None] = lambda n_queries: None,
    sample: Mapping[str, np.ndarray] | None = None,
    run: Runner = one_after_another,
) -> dict[str, dict[Key, np.ndarray]]:
    """Per-query values by direction and (metric, judged by); NaN where a query has none.

    Args:
        scores: the similarity matrix.
        truths: sets of positives by name; the one named "annotated" is left out of NCS.
        relevance: graded relevance by name.
        labels: what PMRP compares.
        policies: for ties in ASP, and in recall and precision.
        graded: whether to compute more than ASP of each relevance.
        block: queries handled at a time.
        progress: called with the number of queries just done.
        sample: by direction the queries to look at; all of a direction that is not in it.
        run: what computes the blocks of queries.
    """
    asp_ties, hit_ties = policies
    result: dict[str, dict[Key, np.ndarray]] = {}
    for direction in DIRECTIONS:
        positives = {key: Positives.of(truth, direction) for key, truth in truths.items()}
        positives = {key: matches for key, matches in positives.items() if matches.matrix.nnz}
        metrics: dict[Key, Metric] = {}
        for key in positives:
            metrics["recall", key] = Planned(recall_metric, key, RECALL_AT, hit_ties)
            metrics["mAP@R", key] = Planned(map_at_r_metric, key, hit_ties)
            metrics["R-Precision", key] = Planned(r_precision_metric, key, hit_ties)
            metrics["median rank", key] = Planned(match_rank_metric, key, hit_ties)
        if labels is not None:
            metrics["PMRP", "labels"] = Planned(pmrp_metric, *labels, scores.shape, ties=hit_ties)
        for key in relevance:
            metrics["ASP", key] = Planned(asp_metric, key, asp_ties)
            if graded:
                metrics |= _graded(key, relevance[key], asp_ties, scores.n_candidates(direction))
        drawn = (sample or {}).get(direction)
        raw = per_query(metrics, scores, direction, relevance, positives, block, progress, drawn, run)
        result[direction] = _named(raw)
    return result


def _graded(key: str, relevance: Blocks, asp_ties: str, n_candidates: int) -> dict[Key, Metric]:
    metrics: dict[Key, Metric] = {}
    if n_candidates > 1:
        metrics["ASP chance", key] = Planned(asp_chance_metric, key, asp_ties)
    metrics[f"ASP@{LONG}", key] = Planned(asp_at_k_metric, key, LONG, asp_ties)
    if not relevance.any_negative():
        metrics[f"NCS@{SHORT}", key] = Planned(ncs_metric, key, SHORT, leave_out="annotated")
        metrics[f"NDCG@{SHORT}", key] = Planned(ndcg_metric, key, SHORT)
    metrics[f"tau@{LONG}", key] = Planned(kendall_metric, key, LONG)
    return metrics


def _named(raw: Mapping[Key, np.ndarray]) -> dict[Key, np.ndarray]:
    """One vector a metric: recalls apart, PMRP by zeta and their mean, ASP corrected for chance, tau 0 if undefined."""
    values: dict[Key, np.ndarray] = {}
    for (metric, truth), of_queries in raw.items():
        if metric == "recall":
            values |= {(f"R@{k}", truth): of_queries[:, j] for j, k in enumerate(RECALL_AT)}
        elif metric == "median rank":
            values["median rank", truth] = values["mean rank", truth] = of_queries
        elif metric == "PMRP":
            values["PMRP", truth] = of_queries.mean(axis=1)
            values |= {(f"PMRP zeta={zeta}", truth): of_queries[:, j] for j, zeta in enumerate(ZETAS)}
        elif metric == "ASP chance":
            values["ASP above chance", truth] = (raw["ASP", truth] - of_queries) / (1 - of_queries)
        elif metric.startswith("tau@"):
            values[metric, truth] = np.nan_to_num(of_queries)
        else:
            values[metric, truth] = of_queries
    return values
