"""Plausible-Match R-Precision: matches are guessed from the object categories that two images share."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import no_type_check

import numpy as np
from jaxtyping import Bool, Int
from numba import prange
from torch import Tensor

from daa.compiled import njit, threads_for
from daa.matrix import ImagesByCaptions, runs
from daa.metrics.metric import Metric, standard
from daa.metrics.queries import QueryBlock, reduce, values_of
from daa.metrics.truth import Labels
from daa.names import HIT_POLICIES, check_name

ZETAS = (0, 1, 2)


def plausible_match_r_precision(
    scores: ImagesByCaptions,
    labels: Bool[Tensor, "images classes"] | Bool[np.ndarray, "images classes"],
    image_of_caption: Int[Tensor, " captions"] | Int[np.ndarray, " captions"],
    *,
    zeta: int | np.integer | Sequence[int] = ZETAS,
    direction: str = "i2t",
    unlabelled: str = "drop",
    ties: str = "expected",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""PMRP: R-Precision where a pair matches if the images' categories differ in at most zeta places; mean over zeta.

    $$P_\zeta(i) = \{c : |\,y_i \oplus y_{\text{image}(c)}\,| \le \zeta\}, \quad R_\zeta = |P_\zeta|$$
    $$PMRP = \frac1{|Z|\,|Q|} \sum_{\zeta \in Z} \sum_q
      \frac{|\{g \in P_\zeta(q) : r_s(q,g) \le R_\zeta(q)\}|}{R_\zeta(q)}$$

    Args:
        scores: similarity, any range.
        labels: the categories y seen in each image.
        image_of_caption: the image of each caption.
        zeta: how many categories may differ; one number or several to average over.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        unlabelled: images without any category: `"drop"` takes them and their captions out of queries and candidates,
            as the published metric does without saying; `"keep"` treats them as images that show nothing.
        ties: `"expected"`, `"optimistic"`, `"pessimistic"` or `"ordinal"` (see `daa.metrics.placement`).
        reduction: `"mean"`, or `"none"` for per-query values (NaN for a dropped query).
        block: queries handled at a time.

    Returns:
        A fraction in [0, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input, or if no image has a category and such are dropped.

    >>> labels = np.array([[True, False], [True, True], [True, False]])  # images 0 and 2 show the same
    >>> scores = np.array([[0.9, 0.5, 0.1], [0.2, 0.9, 0.1], [0.3, 0.1, 0.9]])
    >>> plausible_match_r_precision(scores, labels, np.arange(3), zeta=0)  # (1/2 + 1 + 2/2) / 3
    0.8333333333333334

    Source: Chun et al., Probabilistic Embeddings for Cross-Modal Retrieval, CVPR 2021, section 4.1.
    """
    zeta = int(zeta) if isinstance(zeta, np.integer) else zeta
    zetas = (zeta,) if isinstance(zeta, int) else tuple(zeta)
    if unlabelled not in ("drop", "keep"):
        raise ValueError(f'unlabelled: expected "drop" or "keep", got {unlabelled!r}')
    if not zetas or any(isinstance(z, bool) or not isinstance(z, (int, np.integer)) or z < 0 for z in zetas):
        raise ValueError(f"zeta: expected one or more integers from 0, got {list(zetas)}")
    compute = partial(pmrp, zetas=zetas, unlabelled=unlabelled)
    values = values_of(compute, scores, direction, ties, labels=(labels, image_of_caption), block=block)
    return reduce(values[:, 0], reduction)


def pmrp(
    queries: QueryBlock, by: str, ties: str, zetas: tuple[int, ...] = ZETAS, unlabelled: str = "drop"
) -> np.ndarray:
    """R-Precision by plausible matches, [queries, 1 + zetas]: the mean, and at each zeta; memory grows by the block."""
    labels = queries.labels
    kept = (labels.sizes > 0) | (unlabelled == "keep")
    if not kept[labels.image_of].any():
        raise ValueError(
            'labels: expected a category for an image with a caption, got none; unlabelled="keep" keeps such'
        )
    check_name("ties", ties, HIT_POLICIES)
    policy = HIT_POLICIES.index(ties)
    rows, columns = queries.numbers, np.arange(len(labels.codes))
    if queries.of.direction == "i2t":
        columns = labels.image_of
    else:
        rows = labels.image_of[rows]
    distinct, row_of_query = np.unique(rows, return_inverse=True)
    distance = labels.sizes[distinct][:, None] + labels.sizes[None] - 2 * (labels.codes[distinct] @ labels.codes.T)
    distance = np.minimum(distance, 255).astype(np.uint8)
    first, last = queries.ranges(ties=ties)
    wanted = np.array(zetas, dtype=np.int64)
    with threads_for(first.size):
        each = _r_precision(first, last, distance, row_of_query, columns, kept[rows], kept[columns], wanted, policy)
    return np.column_stack([each.mean(axis=1), each])


def match_shares(labels: Labels, direction: str, of_queries: np.ndarray, zetas: tuple[int, ...] = ZETAS) -> np.ndarray:
    """How much each candidate matches some queries, as a share of what each of them matches, [candidates].

    Args:
        labels: unlabelled images are dropped.
        direction: `"i2t"` or `"t2i"`.
        of_queries: how often each image is a query, or the image of one; [images].
        zetas: how many categories may differ.
    """
    kept = labels.sizes > 0
    n_captions = np.bincount(labels.image_of, minlength=len(kept))
    n_candidates = np.where(kept, n_captions if direction == "i2t" else 1, 0).astype(np.float32)
    result = np.zeros(len(kept))
    for run in runs(len(kept), 512):
        distance = labels.sizes[run, None] + labels.sizes - 2 * (labels.codes[run] @ labels.codes.T)
        for zeta in zetas:
            matches = (distance <= zeta).astype(np.float32)
            n_positives = np.maximum(matches @ n_candidates, 1)
            result += (of_queries[run] * kept[run] / n_positives) @ matches
    result = np.where(kept, result, -1)  # behind all others
    return result[labels.image_of] if direction == "i2t" else result


standard(Metric(("PMRP", *(f"PMRP zeta={zeta}" for zeta in ZETAS)), pmrp, "labels"))


@njit(parallel=True)
@no_type_check
def _r_precision(first, last, distance, row_of_query, image_of_candidate, query_kept, kept, zetas, policy):
    """R-Precision among the kept candidates, whose ranks close up over the others."""
    n_queries, n = first.shape
    result = np.full((n_queries, len(zetas)), np.nan)
    n_gone = n - kept.sum()
    for q in prange(n_queries):
        if not query_kept[q]:
            continue
        of_query = distance[row_of_query[q]]
        gone = np.empty(n_gone, first.dtype)
        p = 0
        for g in range(n):
            if not kept[g]:
                gone[p] = first[q, g]
                p += 1
        gone.sort()
        for z in range(len(zetas)):
            n_positives = 0
            for g in range(n):
                n_positives += kept[g] and of_query[image_of_candidate[g]] <= zetas[z]
            sure, at_border, places, size = 0, 0, 0, 1
            for g in range(n):
                if first[q, g] > n_positives + n_gone or not kept[g] or of_query[image_of_candidate[g]] > zetas[z]:
                    continue
                front = first[q, g] - np.searchsorted(gone, first[q, g])
                back = last[q, g] - np.searchsorted(gone, first[q, g], side="right")
                if back <= n_positives:
                    sure += 1
                elif front <= n_positives:  # the one tie group that reaches over the border
                    at_border += 1
                    places, size = n_positives - front + 1, back - front + 1
            if policy == 0:
                hits = sure + places * at_border / size
            elif policy == 1:
                hits = sure + min(places, at_border)
            else:
                hits = sure + max(0, places - (size - at_border))
            result[q, z] = hits / n_positives if n_positives else np.nan
    return result
