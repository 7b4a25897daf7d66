"""The sum that is minimised: one contrastive loss, DAA, and the KL term. It sees embeddings, never encoders."""

from __future__ import annotations

import inspect
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from daa.encoders.model import closest
from daa.losses import (
    ClosedFormContrastiveLoss,
    DAALoss,
    InfoNCELoss,
    SoftContrastiveLoss,
    TripletLoss,
    kl_standard_normal,
)
from daa.training.config import LossConfig

CONTRASTIVE: dict[str, type[nn.Module]] = {
    "soft-contrastive": SoftContrastiveLoss,
    "closed-form": ClosedFormContrastiveLoss,
    "infonce": InfoNCELoss,
    "triplet": TripletLoss,
}


class Objective(nn.Module):
    """contrastive + daa_weight * DAA + kl_weight * (KL(images) + KL(captions)) / 2.

    DAA ranks by the model's scores. A gradient reaches the encoders through the two embeddings only, so a batch
    may be embedded in parts, or on several machines, before this sees the whole of it.

    Args:
        config: the section `loss` of a configuration.

    >>> from daa.encoders import Gaussian
    >>> objective = Objective(LossConfig(kind="infonce", daa_weight=2.0))
    >>> embedding = Gaussian(torch.eye(2), torch.zeros(2, 2))
    >>> sorted(objective(embedding, embedding, torch.eye(2), torch.eye(2).bool(), torch.eye(2)))
    ['contrastive', 'daa', 'loss']
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        options: dict[str, Any] = dict(config.options)
        if config.kind == "soft-contrastive":
            options = {"n_samples": config.samples, **options}
        allowed = list(inspect.signature(CONTRASTIVE[config.kind]).parameters)
        for option in options:
            if option not in allowed:
                raise ValueError(
                    f"loss.options: {config.kind} takes {', '.join(allowed)}, not {option!r}{closest(option, allowed)}"
                )
        self.kind = config.kind
        self.contrastive = CONTRASTIVE[config.kind](**options)
        self.daa = DAALoss(config.daa_temperature, relevance_ranks=config.relevance_ranks)  # type: ignore[arg-type]
        self.daa_weight = config.daa_weight
        self.kl_weight = config.kl_weight

    def forward(
        self,
        images: Any,
        captions: Any,
        scores: Float[Tensor, "images captions"],
        positives: Bool[Tensor, "images captions"],
        relevance: Float[Tensor, "images captions"] | None = None,
        generator: torch.Generator | None = None,
    ) -> dict[str, Tensor]:
        """The parts by name, and their weighted sum as `"loss"`.

        Args:
            images: embeddings of the images of a batch.
            captions: embeddings of its captions.
            scores: the model's score of each image with each caption.
            positives: which of them match.
            relevance: what DAA ranks by; needed if daa_weight is above 0.
            generator: where Monte-Carlo samples come from.
        """
        parts: dict[str, Tensor] = {}
        if self.kind == "soft-contrastive":
            parts["contrastive"] = self.contrastive(images, captions, positives, generator=generator)
        elif self.kind == "closed-form":
            parts["contrastive"] = self.contrastive(images, captions, positives)
        else:
            parts["contrastive"] = self.contrastive(scores, positives)
        loss = parts["contrastive"]
        if self.daa_weight:
            if relevance is None:
                raise ValueError("relevance: expected a matrix [images, captions] for the DAA loss, got None")
            parts["daa"] = self.daa(scores, relevance)
            loss = loss + self.daa_weight * parts["daa"]
        if self.kl_weight:
            parts["kl"] = (kl_standard_normal(images) + kl_standard_normal(captions)) / 2
            loss = loss + self.kl_weight * parts["kl"]
        return parts | {"loss": loss}
