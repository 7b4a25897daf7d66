"""Image encoders: a small convolutional network for the CPU, and torchvision's residual networks."""

from __future__ import annotations

from itertools import pairwise

import torch
from jaxtyping import Float
from torch import Tensor, nn

from daa.encoders.gaussian import Gaussian
from daa.encoders.pooling import GaussianHead


class ConvSmall(nn.Module):
    """Four strided 3x3 convolutions and one Gaussian head: a few hundred thousand parameters, made for 64 px.

    The global summary is the flattened last map, since where things stand matters in scenes; the attention poolings
    see one feature a place. Group normalisation, so that an image's embedding does not depend on its batch.

    Args:
        embedding_dim: size of the embedding.
        width: channels of the first convolution; the next ones have 2, 4 and 4 times as many.
        grid: the last map is averaged down to grid x grid places, whatever the size of the image.
        log_var_init: see `GaussianHead`.
    """

    def __init__(self, embedding_dim: int = 256, width: int = 32, grid: int = 4, log_var_init: float = -6.0) -> None:
        super().__init__()
        channels = [3, width, 2 * width, 4 * width, 4 * width]
        layers: list[nn.Module] = []
        for before, after in pairwise(channels):
            layers += [nn.Conv2d(before, after, 3, stride=2, padding=1, bias=False), nn.GroupNorm(4, after), nn.ReLU()]
        self.body = nn.Sequential(*layers).to(memory_format=torch.channels_last)
        self.grid = grid
        self.head = GaussianHead(channels[-1], channels[-1] * grid**2, embedding_dim, log_var_init)

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Gaussian:
        x = self.body((images - 0.5).mul(4.0).contiguous(memory_format=torch.channels_last))
        x = nn.functional.adaptive_avg_pool2d(x, self.grid) if x.shape[-1] != self.grid else x
        local = x.flatten(2).transpose(1, 2)
        return self.head(local, local.flatten(1))


class ResNet(nn.Module):
    """A torchvision residual network without its classifier, and a Gaussian head on its last map.

    Args:
        depth: "resnet18", "resnet50", "resnet101" or "resnet152".
        embedding_dim: size of the embedding.
        weights: None for random weights, "DEFAULT" for torchvision's best ones (downloaded once), or a file of weights.
        frozen: keep the convolutions as they are, batch statistics included, and train the head only.
        log_var_init: see `GaussianHead`.
    """

    def __init__(
        self,
        depth: str,
        embedding_dim: int = 256,
        weights: str | None = None,
        frozen: bool = False,
        log_var_init: float = -6.0,
    ) -> None:
        super().__init__()
        from torchvision import models

        network = models.get_model(depth, weights=weights if weights == "DEFAULT" else None)
        if weights not in (None, "DEFAULT"):
            network.load_state_dict(torch.load(weights, map_location="cpu", weights_only=True))
        features = network.fc.in_features
        self.body = nn.Sequential(*list(network.children())[:-2]).to(memory_format=torch.channels_last)
        self.frozen = frozen
        self.body.requires_grad_(not frozen)
        self.head = GaussianHead(features, features, embedding_dim, log_var_init)
        self.register_buffer("center", torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor([0.229, 0.224, 0.225]).view(3, 1, 1), persistent=False)

    center: Tensor
    scale: Tensor

    def train(self, mode: bool = True) -> ResNet:
        super().train(mode)
        if self.frozen:
            self.body.eval()
        return self

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Gaussian:
        x = self.body(((images - self.center) / self.scale).contiguous(memory_format=torch.channels_last))
        local = x.flatten(2).transpose(1, 2)
        return self.head(local, local.mean(dim=1))
