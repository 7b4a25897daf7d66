"""Losses on pairs: PCME's soft contrastive loss, its closed form of PCME++, InfoNCE, and VSE++'s triplets."""

from __future__ import annotations

import math
from typing import Any

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from daa.embeddings import Gaussian
from daa.losses._checks import as_matrix, as_positives
from daa.similarity import closed_form_distance, sample_distances


def soft_contrastive_loss(
    image_samples: Float[Tensor, "images k d"],
    caption_samples: Float[Tensor, "captions l d"],
    positives: Any,
    scale: float | Tensor,
    shift: float | Tensor,
    reduction: str = "mean",
) -> Float[Tensor, ""]:
    """Negative log-likelihood of "this pair matches" under samples of both embeddings.

        p(image, caption) = mean over the k x l pairs of draws of sigmoid(2 (shift - scale ||z_x - z_y||))
        NLL = -log p for positives, -log(1 - p) for all other pairs

    Taken over every pair of the batch. Image-to-text and text-to-image are the same number, which is computed once.
    Memory is (images k) x (captions l), not that times d.

    Args:
        image_samples: draws of the image embeddings.
        caption_samples: draws of the caption embeddings.
        positives: boolean [images, captions]; where a batch holds two captions of one image, both of the image's rows
            are positive in both columns.
        scale: a > 0.
        shift: b; draws at distance shift / scale match with probability 1/2.
        reduction: `"mean"` over pairs (and so over directions). `"sum"` over pairs and both directions, so twice the
            sum over pairs: the released code's, on which its weights of the KL term (1e-5) and of DAA (1000) rest.

    Returns:
        0-d tensor, >= 0.

    Raises:
        ValueError: positives that are not boolean [images, captions], or none.

    >>> points = torch.eye(2)[:, None]  # one draw each, at distance 0 from its match and sqrt(2) from the other
    >>> round(soft_contrastive_loss(points, points, torch.eye(2).bool(), scale=15.0, shift=15.0).item(), 6)
    2e-06

    Source: PCME (Chun et al., CVPR 2021); the factor 2 comes from its code's exp(l) / (exp(l) + exp(-l)).
    """
    distances = sample_distances(image_samples, caption_samples)
    n, k, m, k_captions = distances.shape
    positives = as_positives(positives, (n, m), distances.device)
    sign = torch.where(positives, 1, -1)[:, None, :, None]
    # 1 - mean sigmoid(x) = mean sigmoid(-x), so both cases are one log of a mean.
    log_likelihood = F.logsigmoid(2 * sign * (shift - scale * distances)).logsumexp((1, 3)) - math.log(k * k_captions)
    return _reduce(-log_likelihood, reduction)


def closed_form_contrastive_loss(
    images: Gaussian,
    captions: Gaussian,
    positives: Any,
    scale: float | Tensor,
    shift: float | Tensor,
    reduction: str = "mean",
) -> Float[Tensor, ""]:
    """The same likelihood on the closed-form sampled distance (CSD), without samples.

        p(image, caption) = sigmoid(shift - scale CSD),  CSD = ||mean_x - mean_y||^2 + sum(var_x + var_y)

    Args:
        images: Gaussians.
        captions: Gaussians of the same width.
        positives: boolean [images, captions].
        scale: a > 0.
        shift: b.
        reduction: `"mean"` over pairs, or `"sum"` over pairs and both directions. PCME++'s code takes twice the mean.

    >>> sharp = Gaussian(torch.eye(2), torch.full((2, 2), -20.0))
    >>> round(closed_form_contrastive_loss(sharp, sharp, torch.eye(2).bool(), scale=5.0, shift=5.0).item(), 4)
    0.0067

    Source: PCME++ (Chun, ICLR 2024), eq. 1 and 2.
    """
    logits = shift - scale * closed_form_distance(images, captions)
    target = as_positives(positives, logits.shape, logits.device).to(logits.dtype)
    return _reduce(F.binary_cross_entropy_with_logits(logits, target, reduction="none"), reduction)


def info_nce_loss(scores: Any, positives: Any, temperature: float | Tensor) -> Float[Tensor, ""]:
    """Cross-entropy of picking a positive among the batch, both directions averaged.

        loss(q) = -log( sum over positives p of exp(s_qp / temperature) / sum over all c of exp(s_qc / temperature) )

    With several positives their probabilities are added inside the logarithm: finding any of them suffices. A query
    without a positive is left out; each direction is the mean over its other queries.

    Args:
        scores: [images, captions], finite.
        positives: boolean [images, captions].
        temperature: > 0, in the unit of the scores.

    >>> round(info_nce_loss(torch.eye(3), torch.eye(3).bool(), temperature=1.0).item(), 4)
    0.5514

    Source: CLIP (Radford et al., ICML 2021), figure 3, for one positive a query.
    """
    if not isinstance(temperature, Tensor) and not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: expected a number above 0, got {temperature}")
    scores = as_matrix(scores, "scores")
    positives = as_positives(positives, scores.shape, scores.device)
    loss = scores.new_zeros(())
    for s, matches in ((scores, positives), (scores.T, positives.T)):
        answered = matches.any(1)
        log_probability = (s[answered] / temperature).log_softmax(1)
        loss = loss - log_probability.masked_fill(~matches[answered], -torch.inf).logsumexp(1).mean() / 2
    return loss


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


class SoftContrastiveLoss(nn.Module):
    """`soft_contrastive_loss` on fresh draws, with learned `scale` and `shift`.

    The default 15, 15 is PCME's for 1,024 dimensions on COCO. There unrelated unit vectors lie within a few per cent of
    distance sqrt(2), well past the threshold at shift / scale = 1, and a steep sigmoid separates them at once. In few
    dimensions unrelated vectors come at every distance, and a small network starts with everything at nearly one point.
    There each negative pair costs 2 shift = 30 nats, which still fall by 2 scale = 30 a unit of distance. But distance
    as it is taken, sqrt(d^2 + eps), has no slope at 0, and the positives, all of probability 1, have none at any d well
    below shift / scale, so that nothing says what belongs together. Start lower, 5, 5, as PCME does on CUB.

    Args:
        n_samples: draws per embedding; 7 in PCME, 5 in PCME-bert.
        init_scale: initial a.
        init_shift: initial b.
        reduction: `"mean"` or `"sum"`, see `soft_contrastive_loss`.
    """

    def __init__(
        self, n_samples: int = 7, init_scale: float = 15.0, init_shift: float = 15.0, reduction: str = "mean"
    ) -> None:
        super().__init__()
        self.n_samples = n_samples
        self.scale = nn.Parameter(torch.tensor(float(init_scale)))
        self.shift = nn.Parameter(torch.tensor(float(init_shift)))
        self.reduction = reduction

    def forward(
        self, images: Gaussian, captions: Gaussian, positives: Any, generator: torch.Generator | None = None
    ) -> Float[Tensor, ""]:
        x, y = images.sample(self.n_samples, generator), captions.sample(self.n_samples, generator)
        return soft_contrastive_loss(x, y, positives, self.scale, self.shift, self.reduction)


class ClosedFormContrastiveLoss(nn.Module):
    """`closed_form_contrastive_loss` with learned `scale` and `shift`; nothing is drawn at random.

    Args:
        init_scale: initial a; 5 in PCME++.
        init_shift: initial b; 5 in PCME++.
        reduction: `"mean"` or `"sum"`.
    """

    def __init__(self, init_scale: float = 5.0, init_shift: float = 5.0, reduction: str = "mean") -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.tensor(float(init_scale)))
        self.shift = nn.Parameter(torch.tensor(float(init_shift)))
        self.reduction = reduction

    def forward(self, images: Gaussian, captions: Gaussian, positives: Any) -> Float[Tensor, ""]:
        return closed_form_contrastive_loss(images, captions, positives, self.scale, self.shift, self.reduction)


class InfoNCELoss(nn.Module):
    """`info_nce_loss` with a fixed or learned temperature; `forward(scores, positives)`.

    A learned temperature is `minimum + exp(log_excess)`: it approaches the minimum (0.01, CLIP's) smoothly, where a
    clamp would lose its gradient.

    Args:
        temperature: the (initial) temperature, above 0, and above `minimum` if learned.
        learned: whether the temperature is a parameter.
        minimum: lower bound of a learned temperature.
    """

    def __init__(self, temperature: float = 0.07, learned: bool = False, minimum: float = 0.01) -> None:
        super().__init__()
        if not temperature > (minimum if learned else 0.0):
            raise ValueError(f"temperature: expected more than {minimum if learned else 0.0}, got {temperature}")
        self.minimum = minimum
        self.fixed = None if learned else float(temperature)
        self.log_excess = nn.Parameter(torch.tensor(math.log(temperature - minimum))) if learned else None

    @property
    def temperature(self) -> float | Tensor:
        """The temperature in use."""
        return self.fixed if self.log_excess is None else self.minimum + self.log_excess.exp()  # type: ignore[return-value]

    def forward(self, scores: Any, positives: Any) -> Float[Tensor, ""]:
        return info_nce_loss(scores, positives, self.temperature)


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


def _reduce(per_pair: Tensor, reduction: str) -> Tensor:
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction: expected "mean" or "sum", got {reduction!r}')
    return per_pair.mean() if reduction == "mean" else 2 * per_pair.sum()
