"""One pass over the queries that ranks each row once and feeds every metric; where its blocks run is exchangeable."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from torch import Tensor

from daa.matrix import ITEMS_PER_BLOCK, Matrix, Queries, as_matrix, by_query, check_direction, check_shape, runs
from daa.metrics.truth import Labels, Positives, as_positives
from daa.ranks import ranks, tie_ranges

Ranges = tuple[np.ndarray, np.ndarray]
Compute = Callable[["QueryBlock", str, str], Any]
Values = list[np.ndarray]
Runner = Callable[["Pass", Sequence[Queries], Callable[[int], None]], Sequence[Values]]


class Asked(NamedTuple):
    """What to compute of every query: `compute(queries, by, ties)`, see `Metric`; of the scores, or under an order."""

    compute: Compute
    by: str
    ties: str
    order: str | None = None


@dataclass(frozen=True)
class Pass:
    """One direction of a matrix, with everything that judges it and all that is asked.

    Attributes:
        direction: `"i2t"` or `"t2i"`.
        scores: the similarity matrix.
        relevance: graded relevance matrices by name, of the scores' shape.
        positives: the matches of each query, by name of the truth.
        labels: object categories, if there are any.
        asked: what is computed.
        orders: rankings that ignore the query, by name: scores of the candidates, float64 [2, candidates].
        order_of: which of the two ranks each query, [queries] of 0 and 1; only needed if there are orders.
    """

    direction: str
    scores: Matrix
    relevance: Mapping[str, Matrix] = field(default_factory=dict)
    positives: Mapping[str, Positives] = field(default_factory=dict)
    labels: Labels | None = None
    asked: Sequence[Asked] = ()
    orders: Mapping[str, np.ndarray] = field(default_factory=dict)
    order_of: np.ndarray = field(default_factory=lambda: np.zeros(0, np.int64))


@dataclass(eq=False)
class QueryBlock:
    """Some queries of a pass with what metrics need of them, each read, ranked and computed at most once.

    Attributes:
        of: the pass.
        queries: which of its queries.
        order: the name of the order that ranks them in place of the scores, if one does.
    """

    of: Pass
    queries: Queries
    order: str | None = None
    _of_relevance: dict[tuple, Any] = field(default_factory=dict, repr=False)
    _known: dict[tuple, Any] = field(default_factory=dict, repr=False)
    _reordered: QueryBlock | None = field(default=None, repr=False)

    @property
    def numbers(self) -> np.ndarray:
        """Which queries of the corpus these are, [queries] integers."""
        return np.arange(by_query(self.of.scores.shape, self.of.direction)[0])[self.queries]

    def rows(self, by: str | None = None) -> np.ndarray:
        """The scores, [queries, candidates] float32 or float64; or the relevance of this name."""
        known, key = self._known if by is None else self._of_relevance, ("rows", by)
        if key not in known:
            if by is None and self.order is not None:
                known[key] = self.of.orders[self.order][self.of.order_of[self.queries]]
            else:
                matrix = self.of.scores if by is None else self.of.relevance[by]
                known[key] = matrix.rows(self.of.direction, self.queries)
        return known[key]

    def ranges(self, by: str | None = None, ties: str = "average") -> Ranges:
        """First and last rank of each candidate's tie group, [queries, candidates] int32, both the same if `"ordinal"`.

        Of the scores, or of the relevance of this name.
        """
        known, key = self._known if by is None else self._of_relevance, ("ranges", by, ties == "ordinal")
        if key not in known:
            order = self.order if by is None else None
            rows = self.rows(by) if order is None else self.of.orders[order]
            if ties == "ordinal":
                first = last = ranks(rows, "ordinal").astype(np.int32)
            else:
                first, last = tie_ranges(rows)
            which = slice(None) if order is None else self.of.order_of[self.queries]
            known[key] = first[which], last[which]
        return known[key]

    @property
    def labels(self) -> Labels:
        if self.of.labels is None:
            raise ValueError("labels: expected the object categories of the images, got none")
        return self.of.labels

    def computed(self, compute: Compute, by: str, ties: str, order: str | None = None) -> Any:
        """What a function of these queries gives, such as that of a metric; under another order, if one is given.

        What is known under an order is let go when another one is asked for; what is known of a relevance, is kept.
        """
        if order is not None and order != self.order:
            if self._reordered is None or self._reordered.order != order:
                self._reordered = QueryBlock(self.of, self.queries, order, self._of_relevance)
            return self._reordered.computed(compute, by, ties, order)
        key = compute, by, ties
        if key not in self._known:
            self._known[key] = compute(self, by, ties)
        return self._known[key]


def n_queries_of(queries: Queries) -> int:
    return queries.stop - queries.start if isinstance(queries, slice) else len(queries)


def per_query(
    one: Pass,
    block: int | None = None,
    progress: Callable[[int], None] = lambda n_queries: None,
    sample: np.ndarray | None = None,
    run: Runner | None = None,
) -> Values:
    """Per-query values of everything that is asked, in one pass.

    Args:
        one: what is asked, of what.
        block: queries handled at a time; by default as many as make four million entries.
        progress: called with the number of queries just done.
        sample: the indices of the queries to look at; all by default. What the others would need is not computed.
        run: what computes the blocks, in order; this process, if none is given.

    Returns:
        float64 [queries] or [queries, values], one for each that is asked.

    Raises:
        ValueError: for non-finite entries, or relevance that does not fit the scores.
    """
    for matrix in one.relevance.values():
        check_shape(matrix.argument, matrix.shape, one.scores.shape, "the scores")
    n_queries, n_candidates = by_query(one.scores.shape, one.direction)
    if block is None:
        block = max(1, ITEMS_PER_BLOCK // n_candidates)
    if block < 1:
        raise ValueError(f"block: expected a positive number of queries, got {block}")
    blocks: list[Queries] = [*runs(n_queries if sample is None else len(sample), block)]
    if sample is not None:
        blocks = [sample[run_of] for run_of in blocks]
    parts: list[Values] = []
    if run is not None:
        parts += run(one, blocks, progress)
    else:
        for queries in blocks:
            these = QueryBlock(one, queries)
            parts.append([these.computed(*asked) for asked in one.asked])
            progress(n_queries_of(queries))
    return [np.concatenate(of_blocks).astype(np.float64, copy=False) for of_blocks in zip(*parts, strict=True)]


def values_of(
    compute: Compute,
    scores: Any,
    direction: str,
    ties: str = "",
    *,
    relevance: Any = None,
    positives: Any = None,
    labels: tuple[Any, Any] | None = None,
    block: int | None = None,
) -> np.ndarray:
    """Per-query values of one metric, of what the caller of a public function gave.

    Args:
        compute: as in `Metric`.
        scores: similarity [images, captions], in any form of `as_matrix`.
        direction: `"i2t"` or `"t2i"`.
        ties: the policy that `compute` is given.
        relevance: in any form of `as_matrix`; `compute` knows it as `"relevance"`, and is judged by it if there is one.
        positives: in any form of `as_positives`; `compute` knows them as `"positives"`.
        labels: categories of each image, image of each caption.
        block: queries handled at a time.
    """
    matrix = as_matrix(scores, "scores")
    one = Pass(
        check_direction(direction),
        matrix,
        relevance={} if relevance is None else {"relevance": as_matrix(relevance, "relevance")},
        positives={} if positives is None else {"positives": as_positives(positives, matrix.shape, direction)},
        labels=None if labels is None else Labels(*labels, matrix.shape),
        asked=[Asked(compute, "positives" if relevance is None else "relevance", ties)],
    )
    return per_query(one, block)[0]


def check_k(k: int) -> int:
    if isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1:
        raise ValueError(f"k: expected an integer from 1, got {k!r}")
    return int(k)


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
