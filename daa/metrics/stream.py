"""One pass over the queries that ranks each row once and feeds every metric; where its blocks run is exchangeable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from daa.metrics.inputs import ITEMS_PER_BLOCK, Blocks, Positives, Queries, check_shape
from daa.metrics.placement import Placement, place
from daa.ranks import ranks, tie_ranges

Ranges = tuple[np.ndarray, np.ndarray]


class QueryBlock:
    """Some queries with what metrics need of them, each computed at most once.

    Attributes:
        numbers: which queries of the corpus these are, [queries] integers.
        scores: [queries, candidates] float32 or float64.
        score_ranges: first and last rank of each candidate's tie group, [queries, candidates] int32 each.
    """

    def __init__(
        self,
        direction: str,
        queries: Queries,
        scores: Blocks,
        relevance: Mapping[str, Blocks],
        positives: Mapping[str, Positives],
    ) -> None:
        self.direction, self._queries = direction, queries
        self.numbers = np.arange(scores.n_queries(direction))[queries]
        self.scores = scores.rows(direction, queries)
        self._relevance, self._positives = relevance, positives
        self._relevance_blocks: dict[str, np.ndarray] = {}
        self._relevance_ranges: dict[tuple[str, bool], Ranges] = {}
        self._placements: dict[tuple[str, str], Placement] = {}

    @cached_property
    def score_ranges(self) -> Ranges:
        return tie_ranges(self.scores)

    @cached_property
    def ordinal_ranges(self) -> Ranges:
        """The ordinal rank of each candidate by score, as its first and last rank."""
        return _ordinal_ranges(self.scores)

    def relevance(self, name: str) -> np.ndarray:
        """Relevance [queries, candidates] of this name."""
        if name not in self._relevance_blocks:
            self._relevance_blocks[name] = self._relevance[name].rows(self.direction, self._queries)
        return self._relevance_blocks[name]

    def relevance_ranges(self, name: str, ordinal: bool = False) -> Ranges:
        """Like `score_ranges` or `ordinal_ranges`, of the relevance."""
        if (name, ordinal) not in self._relevance_ranges:
            ranges_of = _ordinal_ranges if ordinal else tie_ranges
            self._relevance_ranges[name, ordinal] = ranges_of(self.relevance(name))
        return self._relevance_ranges[name, ordinal]

    def positives(self, name: str) -> Positives:
        """These queries' positives by the truth of this name."""
        return self._positives[name].rows(self._queries)

    def placement(self, name: str, ties: str) -> Placement:
        """Where the scores put the positives of a truth."""
        if (name, ties) not in self._placements:
            ranges = self.ordinal_ranges if ties == "ordinal" else self.score_ranges
            self._placements[name, ties] = place(self.positives(name), *ranges, ties)
        return self._placements[name, ties]


def _ordinal_ranges(values: np.ndarray) -> Ranges:
    ordinal = ranks(values, "ordinal").astype(np.int32)
    return ordinal, ordinal


Metric = Callable[[QueryBlock], np.ndarray]


class Pass(NamedTuple):
    """What every block of queries of one direction needs."""

    metrics: Mapping[Any, Metric]
    direction: str
    scores: Blocks
    relevance: Mapping[str, Blocks]
    positives: Mapping[str, Positives]

    def values(self, queries: Queries) -> dict[Any, np.ndarray]:
        """Values of some queries, float64 [queries] or [queries, values], by the keys of the metrics."""
        block = QueryBlock(self.direction, queries, self.scores, self.relevance, self.positives)
        return {key: np.asarray(metric(block), dtype=np.float64) for key, metric in self.metrics.items()}


Runner = Callable[[Pass, Sequence[Queries], Callable[[int], None]], Iterable[dict[Any, np.ndarray]]]


def one_after_another(
    one_pass: Pass, blocks: Sequence[Queries], progress: Callable[[int], None]
) -> Iterable[dict[Any, np.ndarray]]:
    """The values of each block of queries, in order, in this process."""
    for queries in blocks:
        values = one_pass.values(queries)
        progress(n_queries_of(queries))
        yield values


def n_queries_of(queries: Queries) -> int:
    return queries.stop - queries.start if isinstance(queries, slice) else len(queries)


def per_query(
    metrics: Mapping[Any, Metric],
    scores: Blocks,
    direction: str,
    relevance: Mapping[str, Blocks] | None = None,
    positives: Mapping[str, Positives] | None = None,
    block: int | None = None,
    progress: Callable[[int], None] = lambda n_queries: None,
    sample: np.ndarray | None = None,
    run: Runner = one_after_another,
) -> dict[Any, np.ndarray]:
    """Per-query values of several metrics in one pass.

    Args:
        metrics: by any key, functions from a block of queries to one value (or one row of values) a query.
        scores: the similarity matrix.
        direction: `"i2t"` or `"t2i"`.
        relevance: graded relevance matrices by name, of the scores' shape.
        positives: the matches of each query, by name of the truth.
        block: queries handled at a time; by default as many as make four million entries.
        progress: called with the number of queries just done.
        sample: the indices of the queries to look at; all by default. What the others would need is not computed.
        run: what computes the blocks, in order: this process by default, or an engine of `daa.evaluation.engine`.

    Returns:
        float64 [queries] or [queries, values] by the same keys.

    Raises:
        ValueError: for non-finite entries, or relevance that does not fit the scores.
    """
    relevance = relevance or {}
    for one in relevance.values():
        check_shape(one.argument, one.shape, scores.shape, "the scores")
    n_queries = scores.n_queries(direction) if sample is None else len(sample)
    if block is None:
        block = max(1, ITEMS_PER_BLOCK // scores.n_candidates(direction))
    if block < 1:
        raise ValueError(f"block: expected a positive number of queries, got {block}")
    runs = [slice(start, min(start + block, n_queries)) for start in range(0, n_queries, block)]
    blocks: list[Queries] = [*runs] if sample is None else [sample[run_of] for run_of in runs]
    parts = list(run(Pass(metrics, direction, scores, relevance, positives or {}), blocks, progress))
    return {name: np.concatenate([part[name] for part in parts]) for name in metrics}


def reduce(values: np.ndarray, reduction: str, undefined: str = "skip") -> float | Tensor:
    """The mean of the queries that have a value, or the values themselves.

    Args:
        values: [queries], NaN where a query has no value (it has no positive, or nothing to order).
        reduction: `"mean"` or `"none"`.
        undefined: `"skip"` leaves those queries out of the mean (and NaN in the values), `"zero"` counts them as 0,
            `"error"` refuses them.
    """
    if reduction not in ("mean", "none"):
        raise ValueError(f'reduction: expected "mean" or "none", got {reduction!r}')
    if undefined not in ("skip", "zero", "error"):
        raise ValueError(f'undefined: expected "skip", "zero" or "error", got {undefined!r}')
    without = np.isnan(values)
    if undefined == "error" and without.any():
        raise ValueError(
            f"undefined: expected a value for every query, but {int(without.sum())} queries have none: no positive, or "
            f"nothing to order (the first is {int(without.argmax())}, counted from 0)"
        )
    if undefined == "zero":
        values = np.where(without, 0.0, values)
    return float(np.nanmean(values)) if reduction == "mean" else torch.from_numpy(values)
