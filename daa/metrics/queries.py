"""One pass over the queries that ranks each row once and feeds every metric; where its blocks run is exchangeable."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from copy import copy
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
        return {key: np.asarray(block.once(*one), dtype=np.float64) for key, one in self.asked.items()}


class QueryBlock:
    """Some queries of a pass with what metrics need of them, each computed at most once.

    Attributes:
        direction: `"i2t"` or `"t2i"`.
        numbers: which queries of the corpus these are, [queries] integers.
        scores: [queries, candidates] float32 or float64.
    """

    def __init__(self, of: Pass, queries: Queries) -> None:
        self.direction, self._of, self._queries = of.direction, of, queries
        self.numbers = np.arange(by_query(of.scores.shape, of.direction)[0])[queries]
        self.scores = of.scores.rows(of.direction, queries)
        self._known: dict[Hashable, Any] = {}
        self._priors: tuple[np.ndarray, np.ndarray] | None = None

    def once(self, function: Callable[..., Any], *arguments: Hashable) -> Any:
        """`function(self, *arguments)`, computed the first time that it is asked for."""
        key = function, arguments
        if key not in self._known:
            self._known[key] = function(self, *arguments)
        return self._known[key]

    def ranked_by(self, priors: np.ndarray, which: np.ndarray) -> QueryBlock:
        """The same queries ranked by scores of the candidates alone; what is known of their relevance is kept.

        Args:
            priors: [rankings, candidates].
            which: the ranking of each query, [queries] integers.
        """
        same = copy(self)
        same._known = dict(self._known)
        same._priors = np.ascontiguousarray(priors, dtype=np.float64), which
        same.scores = np.broadcast_to(same._priors[0][0], self.scores.shape)  # its shape counts, no entry is read
        return same

    @property
    def labels(self) -> Labels:
        if self._of.labels is None:
            raise ValueError("labels: expected the object categories of the images, got none")
        return self._of.labels

    def score_ranges(self, ordinal: bool = False) -> Ranges:
        """First and last rank of each candidate's tie group, [queries, candidates] int32; if ordinal its rank twice."""
        return self.once(_score_ranges, ordinal)

    def relevance(self, name: str) -> np.ndarray:
        """Relevance [queries, candidates] of this name."""
        return self.once(_relevance, name)

    def relevance_ranges(self, name: str, ordinal: bool = False) -> Ranges:
        """Like `score_ranges`, of the relevance."""
        return self.once(_relevance_ranges, name, ordinal)

    def positives(self, name: str) -> Positives:
        """These queries' positives by the truth of this name."""
        return self._of.positives[name].rows(self._queries)

    def placement(self, name: str, ties: str) -> Placement:
        """Where the scores put the positives of a truth."""
        return self.once(_placement, name, ties)


def _score_ranges(block: QueryBlock, ordinal: bool) -> Ranges:
    if block._priors is None:
        return _ranges(block.scores, ordinal)
    priors, which = block._priors
    first, last = _ranges(priors, ordinal)
    return first[which], last[which]


def _relevance(block: QueryBlock, name: str) -> np.ndarray:
    return block._of.relevance[name].rows(block.direction, block._queries)


def _relevance_ranges(block: QueryBlock, name: str, ordinal: bool) -> Ranges:
    return _ranges(block.relevance(name), ordinal)


def _placement(block: QueryBlock, name: str, ties: str) -> Placement:
    return place(block.positives(name), *block.score_ranges(ties == "ordinal"), ties)


def _ranges(values: np.ndarray, ordinal: bool) -> Ranges:
    if not ordinal:
        return tie_ranges(values)
    places = ranks(values, "ordinal").astype(np.int32)
    return places, places


Runner = Callable[[Pass, Sequence[Queries], Callable[[int], None]], Iterable[Values]]


def one_after_another(one: Pass, blocks: Sequence[Queries], progress: Callable[[int], None]) -> Iterable[Values]:
    """The values of each block of queries, in order, in this process."""
    for queries in blocks:
        values = one.values(queries)
        progress(n_queries_of(queries))
        yield values


def n_queries_of(queries: Queries) -> int:
    return queries.stop - queries.start if isinstance(queries, slice) else len(queries)


def per_query(
    one: Pass,
    block: int | None = None,
    progress: Callable[[int], None] = lambda n_queries: None,
    sample: np.ndarray | None = None,
    run: Runner = one_after_another,
) -> Values:
    """Per-query values of everything that is asked, in one pass.

    Args:
        one: what is asked, of what.
        block: queries handled at a time; by default as many as make four million entries.
        progress: called with the number of queries just done.
        sample: the indices of the queries to look at; all by default. What the others would need is not computed.
        run: what computes the blocks, in order: this process, or workers.

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
    parts = list(run(one, blocks, progress))
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
