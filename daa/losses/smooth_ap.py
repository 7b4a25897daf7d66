"""Smooth-AP: average precision made differentiable by the same soft ranks as DAA."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from daa.losses._checks import as_matrix, as_positives
from daa.ranks import soft_ranks


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
