"""Triplet loss with the hardest negative of the batch (VSE++), or with all of them."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor, nn

from daa.losses._checks import as_matrix, as_positives


def triplet_loss(
    scores: Any,
    positives: Any,
    margin: float = 0.2,
    hardest: bool = True,
    reduction: str = "mean",
) -> Float[Tensor, ""]:
    """By how much negatives come within a margin of the positives, in both directions.

        i2t: for each matching pair (i, c), the hinge [margin - s(i, c) + s(i, c')]_+ with captions c' that do not
        match image i; t2i likewise with images i' that do not match caption c.

    Other positives of the query are never taken for negatives. If all similarities are equal every hinge is the margin:
    a mean that stays at `margin` (a sum at 2 x margin x batch) is a collapsed model.

    Args:
        scores: [images, captions], finite.
        positives: boolean [images, captions].
        margin: >= 0, in the unit of the scores.
        hardest: only the negative with the highest score (several that share it share the gradient), or all negatives.
        reduction: `"sum"` of the hinges of both directions, as in VSE++. `"mean"` over all hinges of both directions;
            PVSE's code adds the means of the two directions, which is twice as much.

    Returns:
        0-d tensor, >= 0; exactly 0 if no pair has a negative.

    >>> scores = torch.tensor([[0.9, 0.8], [0.1, 0.5]])
    >>> round(triplet_loss(scores, torch.eye(2).bool(), margin=0.2, reduction="sum").item(), 4)
    0.6

    Source: VSE++ (Faghri et al., BMVC 2018): its sum of hinges and its max of hinges.
    """
    if not margin >= 0:
        raise ValueError(f"margin: expected a number from 0, got {margin}")
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction: expected "mean" or "sum", got {reduction!r}')
    scores = as_matrix(scores, "scores")
    positives = as_positives(positives, scores.shape, scores.device)
    total = scores.new_zeros(())
    n_hinges = torch.zeros((), dtype=torch.long, device=scores.device)
    for s, matches in ((scores, positives), (scores.T, positives.T)):
        queries, items = matches.nonzero(as_tuple=True)
        negatives = s.masked_fill(matches, -torch.inf)[queries]  # a hinge against -inf is 0 and has no gradient
        if hardest:
            negatives = negatives.amax(1, keepdim=True)
        total = total + (margin - s[queries, items][:, None] + negatives).relu().sum()
        n_hinges = n_hinges + negatives.isfinite().sum()
    return total if reduction == "sum" else total / n_hinges.clamp_min(1)


class TripletLoss(nn.Module):
    """`triplet_loss` as a module; `forward(scores, positives)`.

    Training on the hardest negative from the first step often collapses: start with `hardest=False` and set the
    attribute to True after an epoch or so.
    """

    def __init__(self, margin: float = 0.2, hardest: bool = True, reduction: str = "mean") -> None:
        super().__init__()
        self.margin = margin
        self.hardest = hardest
        self.reduction = reduction

    def forward(self, scores: Any, positives: Any) -> Float[Tensor, ""]:
        return triplet_loss(scores, positives, self.margin, self.hardest, self.reduction)
