"""Recall@K: is a match among the first K?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from daa.metrics.inputs import Blocks, as_positives
from daa.metrics.placement import check_hit_policy, hit_probability
from daa.metrics.stream import Metric, QueryBlock, per_query, reduce


def recall_at_k(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    positives: Any,
    k: int | np.integer | Sequence[int] = 1,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    undefined: str = "skip",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor | dict[int, float | Tensor]:
    r"""Recall@K as image-text retrieval counts it: the share of queries with a positive among their first K candidates.

    $$R@K = \frac1{|Q|} \sum_q \mathbb 1[\min_{p \in P_q} r_s(q, p) \le K]$$

    Args:
        scores: similarity, any range.
        positives: a `Truth`; or a boolean matrix [images, captions]; or the image index of each caption.
        k: one K or several; a K beyond the number of candidates takes them all.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        ties: `"expected"`, the mean over all orders of tied scores, so that a constant matrix scores what chance
            scores; or `"optimistic"`, `"pessimistic"`, `"ordinal"` (see `daa.metrics.placement`).
        undefined: what a query without positives does: `"skip"`, `"zero"` or `"error"`.
        reduction: `"mean"`, or `"none"` for per-query values (NaN for a skipped query).
        block: queries handled at a time.

    Returns:
        A fraction in [0, 1], or float64 per-query values; a dictionary of them by K if `k` is a sequence.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, or no positives at all.

    >>> scores = np.array([[0.9, 0.1, 0.5], [0.3, 0.8, 0.4]])
    >>> recall_at_k(scores, np.array([0, 0, 1]), [1, 2], direction="i2t")
    {1: 0.5, 2: 1.0}

    Source: Hodosh, Young and Hockenmaier, 2013, section 5; for many positives Karpathy and Fei-Fei, 2015.
    """
    k = int(k) if isinstance(k, np.integer) else k
    ks = [k] if isinstance(k, int) else list(k)
    blocks = Blocks(scores, "scores")
    truth = {"positives": as_positives(positives, blocks.shape, direction)}
    metric = {"recall": recall_metric("positives", ks, ties)}
    values = per_query(metric, blocks, direction, positives=truth, block=block)["recall"]
    result = {key: reduce(values[:, j], reduction, undefined) for j, key in enumerate(ks)}
    return result[k] if isinstance(k, int) else result


def recall_metric(truth: str, ks: Sequence[int], ties: str = "expected") -> Metric:
    """Recall at each of `ks` against the truth of this name, [queries, ks], for `per_query`."""
    if not ks or any(isinstance(k, bool) or not isinstance(k, (int, np.integer)) or k < 1 for k in ks):
        raise ValueError(f"k: expected one or more integers from 1, got {list(ks)}")
    check_hit_policy(ties)
    wanted = np.array(ks, dtype=np.int64)

    def recall(queries: QueryBlock) -> np.ndarray:
        return hit_probability(*queries.placement(truth, ties), wanted)

    return recall
