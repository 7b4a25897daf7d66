"""The same metrics as `torchmetrics.Metric`: they add up over batches of queries and over processes.

A batch is rows of queries against all candidates, so a validation loop may hand over one block of images (or of
captions) after another. Needs the package torchmetrics.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor

from daa.distribution import install
from daa.metrics.asp import average_semantic_precision
from daa.metrics.hits import map_at_r, r_precision, recall_at_k

try:
    from torchmetrics import Metric
except ImportError as error:
    raise ImportError(f"daa.metrics.modules needs the package torchmetrics: {install('torchmetrics')}") from error


class QueryMean(Metric):
    """Mean over queries of a per-query value; a base class.

    Args:
        per_query: from scores [queries, candidates] and what they are judged by to float64 [queries], NaN for a query
            without a value.
        options: of `torchmetrics.Metric`.
    """

    is_differentiable = False
    higher_is_better = True
    full_state_update = False
    total: Tensor
    n_queries: Tensor

    def __init__(self, per_query: Callable[[Any, Any], Any], **options: Any) -> None:
        super().__init__(**options)
        self._per_query = per_query
        self.add_state("total", torch.zeros((), dtype=torch.float64), dist_reduce_fx="sum")
        self.add_state("n_queries", torch.zeros((), dtype=torch.int64), dist_reduce_fx="sum")

    def _add(self, scores: Tensor, judged_by: Tensor) -> None:
        values = self._per_query(scores, judged_by).to(self.total.device)
        self.total += values.nansum()
        self.n_queries += values.isfinite().sum()

    def compute(self) -> Float[Tensor, ""]:
        """The mean of all queries so far.

        Raises:
            ValueError: if none had a value.
        """
        if self.n_queries == 0:
            raise ValueError(f"{type(self).__name__}: expected a query with a value before compute(), got none")
        return self.total / self.n_queries


class AverageSemanticPrecision(QueryMean):
    """`average_semantic_precision`, batch by batch.

    >>> metric = AverageSemanticPrecision()
    >>> metric.update(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[2.0, 3.0, 1.0]]))
    >>> metric.update(torch.tensor([[3.0, 2.0, 1.0]]), torch.tensor([[3.0, 2.0, 1.0]]))
    >>> round(metric.compute().item(), 4)  # (2/3 + 1) / 2
    0.8333
    """

    def __init__(self, ties: str = "average", **options: Any) -> None:
        def per_query(scores: Tensor, relevance: Tensor) -> Any:
            return average_semantic_precision(scores, relevance, ties=ties, reduction="none")

        super().__init__(per_query, **options)

    def update(
        self, scores: Float[Tensor, "queries candidates"], relevance: Float[Tensor, "queries candidates"]
    ) -> None:
        """Add some queries."""
        self._add(scores, relevance)


class _Hits(QueryMean):
    def update(
        self, scores: Float[Tensor, "queries candidates"], positives: Bool[Tensor, "queries candidates"]
    ) -> None:
        """Add some queries; those without a positive do not count."""
        if positives.any():
            self._add(scores, positives)


class RecallAtK(_Hits):
    """`recall_at_k`, batch by batch."""

    def __init__(self, k: int = 1, ties: str = "expected", **options: Any) -> None:
        def per_query(scores: Tensor, positives: Tensor) -> Any:
            return recall_at_k(scores, positives, k, ties=ties, reduction="none")

        super().__init__(per_query, **options)


class RPrecision(_Hits):
    """`r_precision`, batch by batch."""

    def __init__(self, ties: str = "expected", **options: Any) -> None:
        def per_query(scores: Tensor, positives: Tensor) -> Any:
            return r_precision(scores, positives, ties=ties, reduction="none")

        super().__init__(per_query, **options)


class MeanAveragePrecisionAtR(_Hits):
    """`map_at_r`, batch by batch."""

    def __init__(self, ties: str = "expected", **options: Any) -> None:
        def per_query(scores: Tensor, positives: Tensor) -> Any:
            return map_at_r(scores, positives, ties=ties, reduction="none")

        super().__init__(per_query, **options)
