"""Metrics of hits: recall, R-Precision, mAP@R, and the rank of the first match.

All take scores, positives, and how ties and queries without positives are treated; `recall_at_k` says how.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from daa.matrix import ImagesByCaptions
from daa.metrics.metric import RANK, Metric, standard
from daa.metrics.placement import average_precision_at_r, first_place, hit_probability, place, precision_at_r
from daa.metrics.queries import QueryBlock, reduce, values_of


def recall_at_k(
    scores: ImagesByCaptions,
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
    if not ks or any(isinstance(one, bool) or not isinstance(one, (int, np.integer)) or one < 1 for one in ks):
        raise ValueError(f"k: expected one or more integers from 1, got {ks}")
    compute = partial(hits, of="recall", ks=tuple(ks))
    values = values_of(compute, scores, direction, ties, positives=positives, block=block)
    result = {key: reduce(values[:, j], reduction, undefined) for j, key in enumerate(ks)}
    return result[k] if isinstance(k, int) else result


def r_precision(
    scores: ImagesByCaptions,
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

    Arguments and errors as for `recall_at_k`.

    Returns:
        A fraction in [0, 1], or float64 per-query values.

    >>> r_precision(np.array([[0.9, 0.8, 0.1, 0.2]]), np.array([[True, False, True, False]]))
    0.5

    Source: Musgrave, Belongie and Lim, A Metric Learning Reality Check, ECCV 2020, section 3.2.
    """
    values = values_of(_PRECISION, scores, direction, ties, positives=positives, block=block)
    return reduce(values, reduction, undefined)


def map_at_r(
    scores: ImagesByCaptions,
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

    Arguments and errors as for `recall_at_k`.

    Returns:
        A fraction in [0, 1], or float64 per-query values.

    >>> map_at_r(np.array([[0.9, 0.8, 0.7, 0.2]]), np.array([[True, False, True, True]]))  # (1 + 0 + 2/3) / 3
    0.5555555555555555

    Source: Musgrave, Belongie and Lim, ECCV 2020, section 3.2; for image-text pairs Chun et al., ECCV 2022.
    """
    values = values_of(_AVERAGE_PRECISION, scores, direction, ties, positives=positives, block=block)
    return reduce(values, reduction, undefined)


def match_ranks(
    scores: ImagesByCaptions,
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    block: int | None = None,
) -> Float[np.ndarray, " queries"]:
    r"""For each query the rank, from 1, of the first positive: $\min_{p \in P_q} r_s(q, p)$; NaN without one.

    Under `ties="expected"` the mean over all orders of tied scores: with a candidates above it, g in the tie group and
    p of them positive, $a + (g+1)/(p+1)$. Other arguments and errors as for `recall_at_k`.

    >>> match_ranks(np.array([[0.9, 0.1, 0.5], [0.3, 0.8, 0.4]]), np.array([0, 0, 1]))
    array([1., 2.])
    """
    return values_of(_MATCH_RANK, scores, direction, ties, positives=positives, block=block)


def median_rank(
    scores: ImagesByCaptions,
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    block: int | None = None,
) -> float:
    """Median over queries of the rank of the first match, from 1; older code rounds it down.

    Arguments and errors as for `match_ranks`.

    >>> median_rank(np.array([[0.9, 0.1, 0.5], [0.3, 0.8, 0.4]]), np.array([0, 0, 1]))
    1.5
    """
    return float(np.nanmedian(match_ranks(scores, positives, direction=direction, ties=ties, block=block)))


def mean_rank(
    scores: ImagesByCaptions,
    positives: Any,
    *,
    direction: str = "i2t",
    ties: str = "expected",
    block: int | None = None,
) -> float:
    """Mean over queries of the rank of the first match, from 1.

    Arguments and errors as for `match_ranks`.

    >>> mean_rank(np.array([[0.9, 0.1, 0.5], [0.3, 0.8, 0.4]]), np.array([0, 0, 1]))
    1.5
    """
    return float(np.nanmean(match_ranks(scores, positives, direction=direction, ties=ties, block=block)))


def hits(queries: QueryBlock, by: str, ties: str, of: str, ks: tuple[int, ...] = ()) -> np.ndarray:
    """What the places of the positives give of each query, [queries]; of `"recall"` at each K, [queries, ks].

    Args:
        queries, by, ties: as `Metric.compute` takes them.
        of: `"recall"`, `"R-Precision"`, `"AP@R"` or `"rank"`, that of the first positive.
        ks: of recall.
    """
    placement = queries.computed(place, by, ties)
    return hit_probability(*placement, np.array(ks, dtype=np.int64)) if of == "recall" else _KERNELS[of](*placement)


_KERNELS = {"R-Precision": precision_at_r, "AP@R": average_precision_at_r, "rank": first_place}
_PRECISION, _AVERAGE_PRECISION, _MATCH_RANK = (partial(hits, of=name) for name in _KERNELS)
RECALL = standard(Metric(("R@1", "R@5", "R@10"), partial(hits, of="recall", ks=(1, 5, 10)), "positives", total="rsum"))
MEAN_AVERAGE_PRECISION = standard(Metric(("mAP@R",), _AVERAGE_PRECISION, "positives"))
standard(Metric(("R-Precision",), _PRECISION, "positives"))
MEDIAN_RANK = standard(
    Metric(("median rank",), _MATCH_RANK, "positives", RANK, over_queries="median", higher_is_better=False)
)
standard(Metric(("mean rank",), _MATCH_RANK, "positives", RANK, higher_is_better=False))
