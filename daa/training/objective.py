"""The sum that is minimised: one contrastive loss and weighted terms beside it. It sees embeddings, never encoders."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pkgutil import resolve_name
from typing import Any, get_type_hints

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn

from daa.embeddings import Embedding, Gaussian, PointSet
from daa.losses import DAALoss, SmoothAPLoss, diversity, kl_standard_normal, mmd, uniformity
from daa.names import CONTRASTIVE_LOSSES, closest
from daa.training.config import LossConfig

POINTS = (Gaussian, PointSet)


class Objective(nn.Module):
    """The contrastive loss, plus weight * part for each part of a weight above 0:

    - "daa": `daa_loss` of the model's scores and the relevance;
    - "smooth_ap": `smooth_ap_loss` of the scores and the matches;
    - "kl": `kl_standard_normal`, the mean of that of the images and that of the captions, or the sum of both sums;
    - "uniformity": `uniformity` of all points together, images and captions (of the means, where embeddings are
      Gaussians; the released PCME takes 128 draws at random);
    - "mmd": `mmd` of the images' points and the captions', with the kernel exp(-||a - b|| / 2) of PVSE's code;
    - "diversity": `diversity` of the images' residuals plus that of the captions', as PVSE's code adds them.

    Weights of the papers. `daa_loss` is the mean of both directions where the released code adds them, so a weight
    there is twice that here, beside the same contrastive loss: PCME-bert + DAA minimises a sum over pairs and both
    directions + 1000 (i2t + t2i), which is `reduction: sum` and `daa_weight: 2000`; SAF and SGR + DAA a sum of hinges
    + 25 (i2t + t2i) on COCO and + 10 (i2t + t2i) on Flickr30K, `reduction: sum` and `daa_weight: 50` and `20`. Beside a
    mean over the pairs of a batch of 128 the first is 2000 / (2 * 128^2) = 0.061.

    A gradient reaches the encoders through the two embeddings only, so a batch may be embedded in parts, or on several
    machines, before this sees the whole of it.

    Args:
        config: the section `loss` of a configuration.

    >>> objective = Objective(LossConfig(kind="infonce", daa_weight=2.0))
    >>> embedding = Gaussian(torch.eye(2), torch.zeros(2, 2))
    >>> sorted(objective(embedding, embedding, torch.eye(2), torch.eye(2).bool(), torch.eye(2)))
    ['contrastive', 'daa', 'loss']
    """

    def __init__(self, config: LossConfig) -> None:
        super().__init__()
        kind: Callable[..., nn.Module] = resolve_name(CONTRASTIVE_LOSSES[config.kind])
        allowed = list(inspect.signature(kind).parameters)
        options = {"n_samples": config.samples} if "n_samples" in allowed else {}
        options |= config.options
        for option in options:
            if option not in allowed:
                raise ValueError(
                    f"loss.options: {config.kind} takes {', '.join(allowed)}, not {option!r}{closest(option, allowed)}"
                )
        self.config = config
        self.contrastive = kind(**options)
        self.takes = tuple(inspect.signature(self.contrastive.forward).parameters)
        self.daa = DAALoss(config.daa_temperature, config.relevance_ranks, config.relevance_form)
        self.smooth_ap = SmoothAPLoss(config.daa_temperature)
        parts = ("daa", "smooth_ap", "kl", "uniformity", "mmd", "diversity")
        self.weights = {part: weight for part in parts if (weight := getattr(config, f"{part}_weight"))}

    def begin_epoch(self, epoch: int) -> None:
        """Sum over all negatives in the first `warmup_epochs` epochs, counted from 0, take the hardest from then on."""
        if self.config.warmup_epochs:
            self.contrastive.hardest = epoch >= self.config.warmup_epochs  # type: ignore[assignment]

    @property
    def trains_variance(self) -> bool:
        """Whether more than scores is in the sum, so that cosine similarities leave no variance untrained."""
        return "images" in self.takes or "kl" in self.weights

    def check(self, images: Embedding, captions: Embedding) -> None:
        """Refuse embeddings that the configured loss does not work on.

        Raises:
            ValueError: naming the key of the configuration.
        """
        kinds: dict[str, Any] = {"kl": Gaussian, "uniformity": POINTS, "mmd": POINTS, "diversity": PointSet}
        needs = [(f"{part}_weight", weight, kinds.get(part, Embedding)) for part, weight in self.weights.items()]
        if "images" in self.takes:
            needs.append(("kind", self.config.kind, get_type_hints(self.contrastive.forward).get("images", Embedding)))
        for key, value, kind in needs:
            for embedding in (images, captions):
                if not isinstance(embedding, kind):
                    raise ValueError(
                        f"loss.{key}: {value} does not go with embeddings that are {type(embedding).__name__}"
                    )
                if key == "diversity_weight" and embedding.residuals is None:  # type: ignore[attr-defined]
                    raise ValueError("loss.diversity_weight: expected encoders that give residuals, or 0")

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
        given = {"images": images, "captions": captions, "scores": scores, "positives": positives}
        given |= {"relevance": relevance, "generator": generator}
        parts: dict[str, Tensor] = {"contrastive": self.contrastive(**{name: given[name] for name in self.takes})}
        if "daa" in self.weights:
            if relevance is None:
                raise ValueError("relevance: expected a matrix [images, captions] for the DAA loss, got None")
            parts["daa"] = self.daa(scores, relevance)
        if "smooth_ap" in self.weights:
            parts["smooth_ap"] = self.smooth_ap(scores, positives)
        if "kl" in self.weights:
            both = [kl_standard_normal(embedding, self.config.kl_reduction) for embedding in (images, captions)]
            parts["kl"] = (both[0] + both[1]) / 2 if self.config.kl_reduction == "mean" else both[0] + both[1]
        if "uniformity" in self.weights:
            parts["uniformity"] = uniformity(torch.cat([flat_points(images), flat_points(captions)]))
        if "mmd" in self.weights:
            parts["mmd"] = mmd(flat_points(images), flat_points(captions), squared=False)
        if "diversity" in self.weights:
            parts["diversity"] = diversity(images.residuals) + diversity(captions.residuals)
        loss = parts["contrastive"]
        for part, weight in self.weights.items():
            loss = loss + weight * parts[part]
        return parts | {"loss": loss}


def flat_points(embedding: Gaussian | PointSet) -> Float[Tensor, "points d"]:
    """The means of Gaussians, or all points of sets of points one after the other."""
    return embedding.mean if isinstance(embedding, Gaussian) else embedding.points.flatten(0, 1)
