"""R-Precision and mAP@R: of R positives, how many stand among the first R, and how early?"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from daa.metrics.inputs import Blocks, as_positives
from daa.metrics.placement import average_precision_at_r, check_hit_policy, precision_at_r
from daa.metrics.stream import Metric, QueryBlock, per_query, reduce


def r_precision(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    undefined: str = "skip",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""R-Precision: the share of positives among a query's first R candidates, R being its number of positives.

    $$RP(q) = \frac1R \, |\{p \in P_q : r_s(q, p) \le R\}|, \quad R = |P_q|$$

    Args:
        scores: similarity, any range.
        positives: a `Truth`; or a boolean matrix [images, captions]; or the image index of each caption.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        ties: `"expected"`, `"optimistic"`, `"pessimistic"` or `"ordinal"` (see `daa.metrics.placement`).
        undefined: what a query without positives does: `"skip"`, `"zero"` or `"error"`.
        reduction: `"mean"`, or `"none"` for per-query values (NaN for a skipped query).
        block: queries handled at a time.

    Returns:
        A fraction in [0, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, or no positives at all.

    >>> r_precision(np.array([[0.9, 0.8, 0.1, 0.2]]), np.array([[True, False, True, False]]))
    0.5

    Source: Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020, section 3.2.
    """
    return _mean_of(r_precision_metric, scores, positives, direction, ties, undefined, reduction, block)


def map_at_r(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    undefined: str = "skip",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""Mean average precision at R, which also asks how early among its first R a query finds its positives.

    $$AP@R(q) = \frac1R \sum_{r=1}^{R} P@r(q) \, \mathbb 1[\text{item } r \text{ is positive}], \quad R = |P_q|$$

    Args:
        scores: similarity, any range.
        positives: a `Truth`; or a boolean matrix [images, captions]; or the image index of each caption.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        ties: `"expected"`, `"optimistic"`, `"pessimistic"` or `"ordinal"` (see `daa.metrics.placement`).
        undefined: what a query without positives does: `"skip"`, `"zero"` or `"error"`.
        reduction: `"mean"`, or `"none"` for per-query values (NaN for a skipped query).
        block: queries handled at a time.

    Returns:
        A fraction in [0, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, or no positives at all.

    >>> map_at_r(np.array([[0.9, 0.8, 0.7, 0.2]]), np.array([[True, False, True, True]]))  # (1 + 0 + 2/3) / 3
    0.5555555555555555

    Source: Musgrave, Belongie and Lim, ECCV 2020, section 3.2; for image-text pairs Chun et al., ECCV 2022.
    """
    return _mean_of(map_at_r_metric, scores, positives, direction, ties, undefined, reduction, block)


def r_precision_metric(truth: str, ties: str = "expected") -> Metric:
    """R-Precision against the truth of this name, for `per_query`."""
    return _of_placement(precision_at_r, truth, ties)


def map_at_r_metric(truth: str, ties: str = "expected") -> Metric:
    """AP@R against the truth of this name, for `per_query`."""
    return _of_placement(average_precision_at_r, truth, ties)


def _of_placement(kernel: Callable[..., np.ndarray], truth: str, ties: str) -> Metric:
    check_hit_policy(ties)

    def metric(queries: QueryBlock) -> np.ndarray:
        return kernel(*queries.placement(truth, ties))

    return metric


def _mean_of(metric_of, scores, positives, direction, ties, undefined, reduction, block) -> float | Tensor:
    blocks = Blocks(scores, "scores")
    truth = {"positives": as_positives(positives, blocks.shape, direction)}
    values = per_query({"value": metric_of("positives", ties)}, blocks, direction, positives=truth, block=block)
    return reduce(values["value"], reduction, undefined)
