"""An image encoder for what a detector says of a picture: a small network on a set of regions."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor, nn

from daa.datasets.scenes.regions import FEATURES
from daa.embeddings import Gaussian
from daa.encoders.heads import GaussianHead


class FactsEncoder(nn.Module):
    """Each region by itself through two layers, their sum and their maximum through a third, and one Gaussian head.

        x_r = relu(W2 relu(W1 f_r)),  g = relu(W3 [sum_r x_r, max_r x_r]),  head(x, g)

    The order of the regions does not matter. On the facts of scenes (`scene_regions`) it sees all that a picture shows,
    in a fraction of the time that a convolution takes to see less.

    Args:
        embedding_dim: size of the embedding.
        features: size of a region's vector; by default that of scenes.
        hidden: units of the first two layers; the third has twice as many.
        log_var_init: see `GaussianHead`.

    >>> FactsEncoder(embedding_dim=16)(torch.rand(3, 5, 54)).mean.shape
    torch.Size([3, 16])

    Source: Deep Sets (Zaheer et al., NeurIPS 2017).
    """

    def __init__(
        self, embedding_dim: int = 256, features: int = len(FEATURES), hidden: int = 256, log_var_init: float = -6.0
    ) -> None:
        super().__init__()
        self.features = features
        self.region = nn.Sequential(nn.Linear(features, hidden), nn.ReLU(), nn.Linear(hidden, hidden), nn.ReLU())
        self.whole = nn.Sequential(nn.Linear(2 * hidden, 2 * hidden), nn.ReLU())
        self.head = GaussianHead(hidden, 2 * hidden, embedding_dim, log_var_init)

    def forward(self, images: Float[Tensor, "batch regions features"]) -> Gaussian:
        if images.dim() != 3 or images.shape[-1] != self.features:
            raise ValueError(
                f"images: expected regions of {self.features} numbers (of scenes with data.options.view: facts), got "
                f"the shape {list(images.shape[1:])}"
            )
        local = self.region(images)
        return self.head(local, self.whole(torch.cat([local.sum(dim=1), local.amax(dim=1)], dim=-1)))
