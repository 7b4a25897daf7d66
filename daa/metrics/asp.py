"""Average Semantic Precision: how well the ranking follows the relevance, over all candidates or its relevant end."""

from __future__ import annotations

from functools import partial

import numpy as np
from torch import Tensor

from daa.matrix import ImagesByCaptions, as_matrix, by_query
from daa.metrics.metric import Metric, standard, zero, zero_for_each
from daa.metrics.queries import Compute, check_k, reduce, values_of
from daa.metrics.ratios import (
    alike,
    among_first,
    asp,
    asp_above_chance,
    asp_chance,
    asp_top,
    expected_of_rank,
    harmonic_numbers,
    qasp,
    random_asp,
    random_asp_top,
    reciprocal,
)
from daa.names import TIE_POLICIES, check_name
from daa.ranks import DoubleRanks


def average_semantic_precision(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""Average Semantic Precision: mean agreement of each candidate's rank by score with its rank by relevance.

    $$ASP(q) = \frac1n \sum_{g=1}^{n} \frac{\min(r_s(q,g), r_C(q,g))}{\max(r_s(q,g), r_C(q,g))}$$

    Equal rankings give 1, a random one $(n+1)/(2n)$, that is 1/2 for large n. Symmetric in scores and relevance;
    only their orders count.

    Args:
        scores: similarity s, any range.
        relevance: semantic relevance C, any range; an ASP means nothing without the name of its relevance.
        direction: `"i2t"` ranks captions for each image, `"t2i"` images for each caption.
        ties: `"average"`, `"competition"` and `"ordinal"` use those ranks on both sides. `"expected"` is the mean of
            the ratio over all orders of the tied items, each side broken on its own; it alone gives constant scores
            exactly what a random ranking gets.
        reduction: `"mean"` over queries or `"none"` for per-query values.
        block: queries handled at a time.

    Returns:
        A fraction in (0, 1], or float64 per-query values.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input.

    >>> scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[2.0, 3.0, 1.0]])
    >>> average_semantic_precision(scores, relevance)  # (1/2 + 1/2 + 3/3) / 3
    0.6666666666666666

    Source: Li et al., A Differentiable Semantic Metric Approximation in Probabilistic Embedding for Cross-Modal
    Retrieval, NeurIPS 2022, section 3.2; what happens at ties is ours.
    """
    return _judged(asp, scores, relevance, direction, ties, reduction, block)


def chance_corrected_asp(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""ASP on a scale where a random ranking scores 0 and a perfect one 1; below chance it is negative.

    $$\frac{ASP(q) - \text{chance}(q)}{1 - \text{chance}(q)}$$

    The chance level is exact: the mean ASP of all orders of the candidates, given how the relevance ties. Without ties,
    and under the policies `"expected"` and `"ordinal"`, it is $(n+1)/(2n)$.

    Args and errors as for `average_semantic_precision`; at least two candidates are needed.

    Returns:
        A number in (-1, 1], or float64 per-query values.

    >>> scores, relevance = np.array([[3.0, 2.0, 1.0]]), np.array([[2.0, 3.0, 1.0]])
    >>> chance_corrected_asp(scores, relevance)  # (2/3 - 2/3) / (1 - 2/3): with three candidates, no better than chance
    0.0

    The correction is ours.
    """
    if by_query(as_matrix(scores, "scores").shape, direction)[1] < 2:
        raise ValueError("scores: expected at least two candidates, since one can be ranked in one way only")
    return _judged(asp_above_chance, scores, relevance, direction, ties, reduction, block)


def asp_at_k(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    k: int,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""ASP@K: the mean agreement of ranks over the K most relevant candidates, ranked among all.

    $$ASP@K(q) = \frac1K \sum_{g:\, r_C(q,g) \le K} \frac{\min(r_s(q,g), r_C(q,g))}{\max(r_s(q,g), r_C(q,g))}$$

    ASP weighs every candidate alike, and nearly all are irrelevant; this looks at the relevant end. With K = n it is
    ASP. A random ranking scores about $\frac{K}{2n}(1 + \ln\frac nK)$ (`asp_at_k_chance`), not 1/2.

    Args:
        k: how many of the most relevant candidates count; more than there are counts all. Where the K-th place falls
            within a tie group of the relevance, its items share the places that are left (except under `"ordinal"`).

    Other arguments, what it returns and its errors are those of `average_semantic_precision`.

    >>> scores, relevance = np.array([[1.0, 2.0, 3.0, 4.0]]), np.array([[3.0, 4.0, 2.0, 1.0]])
    >>> asp_at_k(scores, relevance, k=2)  # ranks by score 3 and 4 for the two most relevant: (1/3 + 2/4) / 2
    0.41666666666666663

    Ours, not of the paper; and not to be confused with the ASP_5, ASP_10 and ASP_20 that the released code prints:
    those are `normalized_cumulative_semantic_score`.
    """
    return _judged(partial(asp_top, k=check_k(k)), scores, relevance, direction, ties, reduction, block)


def query_specific_asp(
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions,
    *,
    direction: str = "i2t",
    ties: str = "average",
    reduction: str = "mean",
    block: int | None = None,
) -> float | Tensor:
    r"""QASP: ASP that pays nothing for ignoring the query, and most for the head of the ranking.

    $$QASP(q) = \frac{\sum_g \frac1{r_D(q,g)} \frac{\min(r_s(q,g), r_D(q,g))}{\max(r_s(q,g), r_D(q,g))}}
      {\sum_g \frac1{r_D(q,g)}}$$

    with $r_D$ the rank within the query of the relevance's double ranks D (see `daa.ranks.double`), in which every
    candidate is equally relevant over all queries: whatever order of the candidates all queries share, it gets what a
    random one gets, up to ties. The weight 1/r gives every doubling of the rank the same say (ranks 1, 2 to 3, 4 to 7,
    ...), where in ASP half of the value comes from the less relevant half of the candidates.

    Equal rankings give 1. A random one gets about $1.5 / (\ln n + 0.58)$ where D does not tie within a query
    (`query_specific_chance`), and more where it does: with fewer queries than candidates it must, since it has only as
    many values as there are queries. `evaluate(..., floors=True)` gives it exactly.

    Args:
        relevance: of all queries against all candidates, since it is ranked over both.

    Other arguments, what it returns and its errors are those of `average_semantic_precision`.

    >>> relevance = np.array([[9.0, 3.0, 1.0], [9.1, 2.0, 2.0], [9.2, 1.0, 3.0]])  # the first caption fits all images
    >>> scores = np.array([[0.0, 1.0, -1.0], [0.0, 0.0, 0.0], [0.0, -1.0, 1.0]])  # beyond that, who fits whom
    >>> query_specific_asp(scores, relevance)
    1.0

    Source: ours, not the paper's; what it was chosen by is in `results/double-ranks.json`.
    """
    doubly_ranked = DoubleRanks(as_matrix(relevance, "relevance"))
    return _judged(qasp, scores, doubly_ranked, direction, ties, reduction, block)


def query_specific_chance(n_candidates: int) -> float:
    r"""What a random ranking scores in QASP where nothing ties: $\frac{1}{n H_n} \sum_r (\frac{r+1}{2r} + H_n - H_r)$.

    >>> round(query_specific_chance(25_000), 4)
    0.1401
    """
    expected = expected_of_rank(n_candidates)[2::2]
    rank = np.arange(1, n_candidates + 1)
    return float((expected / rank).sum() / (1 / rank).sum())


def asp_at_k_chance(n_candidates: int, k: int) -> float:
    r"""What a random ranking scores in ASP@K: $\frac{K+1}{2n}(1 + H_n - H_K)$.

    >>> round(asp_at_k_chance(25_000, 100), 4)
    0.0132
    """
    k = min(k, n_candidates)
    harmonic = harmonic_numbers(n_candidates)
    return float((k + 1) / (2 * n_candidates) * (1 + harmonic[n_candidates] - harmonic[k]))


def _judged(
    compute: Compute,
    scores: ImagesByCaptions,
    relevance: ImagesByCaptions | DoubleRanks,
    direction: str,
    ties: str,
    reduction: str,
    block: int | None,
) -> float | Tensor:
    check_name("ties", ties, TIE_POLICIES)
    return reduce(values_of(compute, scores, direction, ties, relevance=relevance, block=block), reduction)


ASP = standard(Metric(("ASP",), asp, "relevance", chance=asp_chance, random=random_asp, rank_weight=alike))
standard(
    Metric(
        ("QASP",),
        qasp,
        "relevance",
        random=partial(random_asp, weight=reciprocal),
        rank_weight=reciprocal,
        doubly_ranked=True,
        graded=True,
    )
)
standard(
    Metric(
        ("ASP above chance",),
        asp_above_chance,
        "relevance",
        chance=zero,
        random=zero_for_each,
        rank_weight=alike,
        graded=True,
        least_candidates=2,
    )
)
standard(
    Metric(
        ("ASP@100",),
        partial(asp_top, k=100),
        "relevance",
        chance=partial(asp_at_k_chance, k=100),
        random=partial(random_asp_top, k=100),
        rank_weight=partial(among_first, k=100),
        graded=True,
    )
)
