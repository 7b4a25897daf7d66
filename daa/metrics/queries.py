"""One pass over the queries that ranks each row once and feeds every metric; where its blocks run is exchangeable."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from daa.matrix import ITEMS_PER_BLOCK, Matrix, Queries, as_matrix, by_query, check_direction, check_shape, runs
from daa.metrics.placement import Placement, place
from daa.metrics.truth import Labels, Positives, as_positives
from daa.ranks import ranks, tie_ranges

Ranges = tuple[np.ndarray, np.ndarray]
Compute = Callable[["QueryBlock", str, str], np.ndarray]
Values = dict[Any, np.ndarray]
Runner = Callable[["Pass", Sequence[Queries], Callable[[int], None]], Iterable[Values]]


@dataclass(frozen=True)
class Pass:
    """One direction of a matrix, with everything that judges it.

    Attributes:
        asked: by any key what to compute: a function, the name of what it is judged by, and the tie policy (see
            `Metric.compute`).
        direction: `"i2t"` or `"t2i"`.
        scores: the similarity matrix.
        relevance: graded relevance matrices by name, of the scores' shape.
        positives: the matches of each query, by name of the truth.
        labels: object categories, if there are any.
    """

    asked: Mapping[Any, tuple[Compute, str, str]]
    direction: str
    scores: Matrix
    relevance: Mapping[str, Matrix] = field(default_factory=dict)
    positives: Mapping[str, Positives] = field(default_factory=dict)
    labels: Labels | None = None

    def values(self, queries: Queries) -> Values:
        """Values of some queries, float64 [queries] or [queries, values], by the keys of what is asked."""
        block = QueryBlock(self, queries)
        return {key: np.asarray(block.values(*one), dtype=np.float64) for key, one in self.asked.items()}


@dataclass(eq=False)
class QueryBlock:
    """Some queries of a pass with what metrics need of them, each read, ranked and computed at most once.

    Attributes:
        of: the pass.
        queries: which of its queries.
    """

    of: Pass
    queries: Queries
    _known: dict[tuple, Any] = field(default_factory=dict, repr=False)

    @property
    def direction(self) -> str:
        return self.of.direction

    @property
    def numbers(self) -> np.ndarray:
        """Which queries of the corpus these are, [queries] integers."""
        return np.arange(by_query(self.of.scores.shape, self.of.direction)[0])[self.queries]

    def rows(self, by: str | None = None) -> np.ndarray:
        """The scores, [queries, candidates] float32 or float64; or the relevance of this name."""
        if ("rows", by) not in self._known:
            matrix = self.of.scores if by is None else self.of.relevance[by]
            self._known["rows", by] = matrix.rows(self.of.direction, self.queries)
        return self._known["rows", by]

    def ranges(self, by: str | None = None, ordinal: bool = False) -> Ranges:
        """First and last rank of each candidate's tie group, [queries, candidates] int32; if ordinal its rank twice.

        Of the scores, or of the relevance of this name.
        """
        key = "ranges", by, ordinal
        if key not in self._known:
            rows = self.rows(by)
            if ordinal:
                places = ranks(rows, "ordinal").astype(np.int32)
                self._known[key] = places, places
            else:
                self._known[key] = tie_ranges(rows)
        return self._known[key]

    def placement(self, by: str, ties: str) -> Placement:
        """Where the scores put the positives of a truth."""
        key = "placement", by, ties
        if key not in self._known:
            positives = self.of.positives[by].rows(self.queries)
            self._known[key] = place(positives, *self.ranges(ordinal=ties == "ordinal"), ties)
        return self._known[key]

    def ranked_by(self, priors: np.ndarray, which: np.ndarray, ordinal: bool = False) -> QueryBlock:
        """The same queries ranked by scores of the candidates alone; what is known of the relevance is kept.

        Args:
            priors: [rankings, candidates].
            which: the ranking of each query, [queries] integers.
            ordinal: as in `ranges`.
        """
        of_relevance = (key for key in self._known if key[0] in ("rows", "ranges") and key[1] is not None)
        known = {key: self._known[key] for key in of_relevance}
        rankings = QueryBlock(self.of, self.queries, {("rows", None): np.ascontiguousarray(priors, np.float64)})
        first, last = rankings.ranges(ordinal=ordinal)
        known["ranges", None, ordinal] = first[which], last[which]
        known["rows", None] = np.broadcast_to(np.float32(0), (len(which), priors.shape[1]))  # its shape counts
        return QueryBlock(self.of, self.queries, known)

    @property
    def labels(self) -> Labels:
        if self.of.labels is None:
            raise ValueError("labels: expected the object categories of the images, got none")
        return self.of.labels

    def values(self, compute: Compute, by: str, ties: str) -> np.ndarray:
        """What a metric computes of these queries."""
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
        float64 [queries] or [queries, values] by the keys of what is asked.

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
    if run is not None:
        parts = list(run(one, blocks, progress))
    else:
        parts = []
        for queries in blocks:
            parts.append(one.values(queries))
            progress(n_queries_of(queries))
    return {key: np.concatenate([part[key] for part in parts]) for key in one.asked}


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
        {"values": (compute, "positives" if relevance is None else "relevance", ties)},
        check_direction(direction),
        matrix,
        relevance={} if relevance is None else {"relevance": as_matrix(relevance, "relevance")},
        positives={} if positives is None else {"positives": as_positives(positives, matrix.shape, direction)},
        labels=None if labels is None else Labels(*labels, matrix.shape),
    )
    return per_query(one, block)["values"]


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
