"""Losses on ranks, made smooth: DAA, from Average Semantic Precision, and Smooth-AP, from average precision."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from daa.losses._checks import as_matrix, as_positives
from daa.names import RELEVANCE_FORMS, check_name
from daa.ranks import double_ranks, ranks, soft_ranks


def daa_loss(
    scores: Any,
    relevance: Any,
    *,
    temperature: float = 0.01,
    relevance_ranks: str = "soft",
    relevance_form: str = "raw",
    check_finite: bool = True,
) -> Float[Tensor, ""]:
    """How far the ranking by score is from the ranking by relevance: 1 - ASP with soft ranks, both directions averaged.

        loss = 1 - mean over queries q and items g of min(r_s, r_C) / max(r_s, r_C)

    where r_s(q, g) and r_C(q, g) are the ranks of item g for query q by score and by relevance. `"i2t"` ranks captions
    along the rows, `"t2i"` images along the columns. 0 is a perfect ranking, a random one stands near 1/2, and as the
    temperature goes to 0 the loss is 1 - ASP with ties="average".

    A query whose relevance is constant has the average rank (n + 1) / 2 for every item; one candidate gives ratio 1.
    Where both ranks are equal the ratio has a peak, and the gradient there is 0, the mean of its two slopes.

    Args:
        scores: [images, captions], any float dtype, any finite range.
        relevance: [images, captions], finite; how alike caption c is to image i. It receives no gradient.
        temperature: width of the soft step, > 0, in the unit of the scores (and, when soft, of the relevance).
        relevance_ranks: `"soft"` smooths the relevance with the same temperature, so that near-ties in relevance count
            as near-ties; `"exact"` takes `ranks(relevance, ties="average")`.
        relevance_form: what of the relevance is ranked. `"raw"`: all of it, also how relevant a candidate is to every
            query of the batch, which a model can learn without looking at the query. `"centred"`: minus each
            candidate's mean over the queries. `"doubly_ranked"`: its `daa.ranks.double_ranks`, in (0, 1), under which
            an order that all queries share is worth no more than chance.
        check_finite: refuse NaN and infinity. On a GPU this waits for the device once a call.

    Returns:
        0-d tensor in [0, 1), in the dtype of the scores but at least float32.

    Raises:
        ValueError: shapes that differ, empty matrices, NaN or infinity, a temperature not above 0.

    >>> relevance = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> round(daa_loss(-relevance, relevance).item(), 4)
    0.5

    Source: DAA (Li et al., NeurIPS 2022). The released code ranks along other axes.
    """
    if relevance_ranks not in ("soft", "exact"):
        raise ValueError(f'relevance_ranks: expected "soft" or "exact", got {relevance_ranks!r}')
    check_name("relevance_form", relevance_form, RELEVANCE_FORMS)
    scores = as_matrix(scores, "scores", check_finite=check_finite)
    relevance = as_matrix(relevance, "relevance", shape=scores.shape, check_finite=check_finite).detach()
    relevance = relevance.to(device=scores.device)
    if scores.dtype == torch.float64:
        relevance = relevance.double()
    precision = scores.new_zeros(())
    for s, c in ((scores, relevance), (scores.T, relevance.T)):
        rank_s = soft_ranks(s, temperature, check_finite=False)
        if relevance_form == "centred":
            c = c - c.mean(dim=0)
        elif relevance_form == "doubly_ranked":
            c = double_ranks(c)
        if relevance_ranks == "soft":
            rank_c = soft_ranks(c, temperature, check_finite=False)
        else:
            rank_c = ranks(c, ties="average")
        rank_c = rank_c.to(rank_s.dtype)
        # torch.minimum and maximum halve the gradient between equal arguments, so that of the ratio is 0 there.
        precision = precision + (torch.minimum(rank_s, rank_c) / torch.maximum(rank_s, rank_c)).mean() / 2
    return 1 - precision


class DAALoss(nn.Module):
    """`daa_loss` as a module; `forward(scores, relevance)`.

    >>> relevance = torch.tensor([[0.9, 0.1], [0.2, 0.8]])
    >>> round(DAALoss(temperature=0.05)(relevance, relevance).item(), 4)
    0.0
    """

    def __init__(
        self,
        temperature: float = 0.01,
        relevance_ranks: str = "soft",
        relevance_form: str = "raw",
        check_finite: bool = True,
    ) -> None:
        super().__init__()
        self.temperature = temperature
        self.relevance_ranks = relevance_ranks
        self.relevance_form = relevance_form
        self.check_finite = check_finite

    def forward(self, scores: Any, relevance: Any) -> Float[Tensor, ""]:
        return daa_loss(
            scores,
            relevance,
            temperature=self.temperature,
            relevance_ranks=self.relevance_ranks,
            relevance_form=self.relevance_form,
            check_finite=self.check_finite,
        )

    def extra_repr(self) -> str:
        ranked = f"relevance_ranks={self.relevance_ranks!r}, relevance_form={self.relevance_form!r}"
        return f"temperature={self.temperature}, {ranked}"


def smooth_ap_loss(scores: Any, positives: Any, temperature: float = 0.01) -> Float[Tensor, ""]:
    """1 - average precision with soft ranks, both directions averaged.

        AP(q) = mean over positives p of rank_P(p) / rank(p)

    where rank is the soft rank among all items and rank_P the one among the positives only. A query without a positive
    is left out; each direction is the mean over its other queries. As the temperature goes to 0 this is 1 - average
    precision, a tie between a positive and a negative counting as half a place.

    Args:
        scores: [images, captions], finite.
        positives: boolean [images, captions], any number per row and column.
        temperature: width of the soft step, > 0, in the unit of the scores.

    Returns:
        0-d tensor in [0, 1).

    >>> scores, positives = torch.tensor([[0.9, 0.8, 0.1]]), torch.tensor([[False, True, True]])
    >>> round(smooth_ap_loss(scores, positives).item(), 4)  # i2t: 1 - (1/2 + 2/3) / 2; t2i has one candidate
    0.2083

    Source: Smooth-AP (Brown et al., ECCV 2020).
    """
    scores = as_matrix(scores, "scores")
    positives = as_positives(positives, scores.shape, scores.device)
    precision = scores.new_zeros(())
    for s, matches in ((scores, positives), (scores.T, positives.T)):
        answered = matches.any(1)
        s, matches = s[answered], matches[answered]
        # Pushed 100 temperatures below every score, negatives add sigmoid(-100) to the rank of a positive: nothing. The
        # temperature may be less than the last digit of a score.
        lowest = s.detach().amin()
        floor = lowest - 100 * temperature - 4 * torch.finfo(s.dtype).eps * lowest.abs()
        ratio = soft_ranks(s.where(matches, floor), temperature) / soft_ranks(s, temperature)
        per_query = ratio.where(matches, 0).sum(1) / matches.sum(1)
        precision = precision + per_query.mean() / 2
    return 1 - precision


class SmoothAPLoss(nn.Module):
    """`smooth_ap_loss` as a module; `forward(scores, positives)`."""

    def __init__(self, temperature: float = 0.01) -> None:
        super().__init__()
        self.temperature = temperature

    def forward(self, scores: Any, positives: Any) -> Float[Tensor, ""]:
        return smooth_ap_loss(scores, positives, self.temperature)
