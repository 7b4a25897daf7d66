"""Median and mean rank of the first match."""

from __future__ import annotations

from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from daa.metrics.inputs import Blocks, as_positives
from daa.metrics.placement import check_hit_policy, first_place
from daa.metrics.stream import Metric, QueryBlock, per_query


def match_ranks(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    block: int | None = None,
) -> Float[np.ndarray, " queries"]:
    r"""For each query the rank, from 1, of the first positive: $\min_{p \in P_q} r_s(q, p)$; NaN without one.

    Args:
        scores: similarity, any range.
        positives: a `Truth`; or a boolean matrix [images, captions]; or the image index of each caption.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        ties: `"expected"`, the mean over all orders of tied scores: with a above it, g in the tie group and p of them
            positive, $a + (g+1)/(p+1)$; or `"optimistic"`, `"pessimistic"`, `"ordinal"`.
        block: queries handled at a time.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, or no positives at all.

    >>> match_ranks(np.array([[0.9, 0.1, 0.5], [0.3, 0.8, 0.4]]), np.array([0, 0, 1]))
    array([1., 2.])
    """
    blocks = Blocks(scores, "scores")
    truth = {"positives": as_positives(positives, blocks.shape, direction)}
    metrics = {"rank": match_rank_metric("positives", ties)}
    return per_query(metrics, blocks, direction, positives=truth, block=block)["rank"]


def median_rank(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    block: int | None = None,
) -> float:
    """Median over queries of the rank of the first match, from 1; older code rounds it down.

    Args and errors as for `match_ranks`.

    >>> median_rank(np.array([[0.9, 0.1, 0.5], [0.3, 0.8, 0.4]]), np.array([0, 0, 1]))
    1.5
    """
    return float(np.nanmedian(match_ranks(scores, positives, direction=direction, ties=ties, block=block)))


def mean_rank(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    block: int | None = None,
) -> float:
    """Mean over queries of the rank of the first match, from 1.

    Args and errors as for `match_ranks`.

    >>> mean_rank(np.array([[0.9, 0.1, 0.5], [0.3, 0.8, 0.4]]), np.array([0, 0, 1]))
    1.5
    """
    return float(np.nanmean(match_ranks(scores, positives, direction=direction, ties=ties, block=block)))


def match_rank_metric(truth: str, ties: str = "expected") -> Metric:
    """Rank of the first positive by the truth of this name, for `per_query`."""
    check_hit_policy(ties)

    def match_rank(queries: QueryBlock) -> np.ndarray:
        return first_place(*queries.placement(truth, ties))

    return match_rank
