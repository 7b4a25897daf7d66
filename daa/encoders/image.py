"""Image encoders: a small convolutional network for the CPU, torchvision's networks, and features made before."""

from __future__ import annotations

import difflib
import math
from functools import partial
from itertools import pairwise
from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor, nn
from torch.nn import functional as F

from daa.embeddings import EPS, Gaussian, LocalFeatures
from daa.encoders.heads import GaussianHead, make_head, mean_over_places
from daa.encoders.pretrained import PretrainedEncoder, load_state, pretrained_wanted, torchvision_weights


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
        x = F.adaptive_avg_pool2d(x, self.grid) if x.shape[-1] != self.grid else x
        local = x.flatten(2).transpose(1, 2)
        return self.head(local, local.flatten(1))


class TorchvisionEncoder(PretrainedEncoder):
    """One of torchvision's convolutional networks up to its last map of features, and a head on that map.

    Args:
        backbone: a network of torchvision whose average pooling ends its convolutions: resnet18 to resnet152, resnext,
            wide_resnet, regnet, vgg, alexnet, convnext, efficientnet, mobilenet_v3, swin.
        embedding_dim: size of the embedding.
        weights: None for random weights, a file of torchvision's layout, or torchvision's name of weights, such as
            "IMAGENET1K_V1" (those of the papers) or "DEFAULT" (its best); see `torchvision_weights`.
        frozen: keep the network as it is, batch statistics included, and train the head only, until `set_frozen`.
        log_var_init: log-variance at the start, for the heads "gaussian" (-6 by default) and "pcme" (0).
        head: "gaussian" (`GaussianHead`), "pcme" (`PCMEHead`), "points" (PVSE) or "point" (VSE++).
        k: number of points, for "points".
        batch_norm: in the trained network, "train" normalises by each batch, "frozen" by the statistics that came with
            the weights, so that an image's embedding does not depend on its batch.
        pool: the head sees one place, the mean of all of them.

    Raises:
        ValueError: an unknown name.
        FileNotFoundError: weights that are not there and cannot be had; the message says which file to put where.

    >>> encoder = TorchvisionEncoder("resnet18", embedding_dim=16, head="points", k=2).eval()
    >>> encoder(torch.rand(3, 3, 64, 64)).points.shape, encoder.body_features(torch.rand(3, 3, 64, 64)).shape
    (torch.Size([3, 2, 16]), torch.Size([3, 4, 512]))
    """

    mean, std = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
    """Of the pictures that the network was trained on, by colour."""

    def __init__(
        self,
        backbone: str = "resnet152",
        embedding_dim: int = 256,
        weights: str | None = None,
        frozen: bool = False,
        log_var_init: float | None = None,
        head: str = "gaussian",
        k: int = 1,
        batch_norm: str = "train",
        pool: bool = False,
    ) -> None:
        super().__init__()
        if batch_norm not in ("train", "frozen"):
            raise ValueError(f'batch_norm: expected "train" or "frozen", got {batch_norm!r}')
        layers, features = self.layers(backbone, weights)
        self.body = layers.to(memory_format=torch.channels_last)
        self.fixed_statistics = batch_norm == "frozen"
        self.head = image_head(head, features, embedding_dim, k, log_var_init)
        self.pool = pool
        self.register_buffer("center", torch.tensor(self.mean).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(self.std).view(3, 1, 1), persistent=False)
        self.set_frozen(frozen)

    center: Tensor
    scale: Tensor

    @staticmethod
    def layers(backbone: str, weights: str | None) -> tuple[nn.Module, int]:
        """What makes the last map of features, and the number of its channels."""
        return _until_pooling(backbone, weights)

    def pretrained(self) -> nn.Module:
        return self.body

    def body_features(self, images: Float[Tensor, "batch 3 height width"]) -> Float[Tensor, "batch places channels"]:
        """What the head sees: one vector a place of the last map, row by row. Of a frozen network it can be kept."""
        x = self.body(((images - self.center) / self.scale).contiguous(memory_format=torch.channels_last))
        local = x.flatten(2).transpose(1, 2)
        return local.mean(dim=1, keepdim=True) if self.pool else local

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Any:
        return self.head(self.body_features(images))


class FeatureEncoder(nn.Module):
    """A head on features made before: what `body_features` of a frozen network gave, or the regions of a detector.

    With the head and options of the network that made the features it trains as that network would, frozen.

    Args:
        embedding_dim: size of the embedding.
        features: size of a feature.
        log_var_init, head, k: see `TorchvisionEncoder`.

    >>> FeatureEncoder(embedding_dim=16, features=32, head="pcme")(torch.rand(3, 49, 32)).mean.shape
    torch.Size([3, 16])
    """

    def __init__(
        self,
        embedding_dim: int = 256,
        features: int = 2048,
        log_var_init: float | None = None,
        head: str = "gaussian",
        k: int = 1,
    ) -> None:
        super().__init__()
        self.features = features
        self.head = image_head(head, features, embedding_dim, k, log_var_init)

    def forward(self, images: Float[Tensor, "batch places features"]) -> Any:
        if images.shape[-1] != self.features:
            raise ValueError(f"features: expected {self.features} numbers a place, got {images.shape[-1]}")
        return self.head(images)


class Regions(nn.Module):
    """Each region by itself: x -> l2(W x + b), from precomputed features such as those of SCAN.

    Args:
        embedding_dim: size of a region's vector.
        features: size of a region's precomputed feature.

    >>> Regions(embedding_dim=8, features=4)(torch.rand(2, 36, 4)).features.shape
    torch.Size([2, 36, 8])

    Source: SGRAF (Diao et al., AAAI 2021), section 3.1, after SCAN (Lee et al., ECCV 2018).
    """

    def __init__(self, embedding_dim: int = 1024, features: int = 2048) -> None:
        super().__init__()
        self.project = nn.Linear(features, embedding_dim)
        nn.init.xavier_uniform_(self.project.weight)
        nn.init.zeros_(self.project.bias)

    def forward(self, images: Float[Tensor, "images regions features"]) -> LocalFeatures:
        local = F.normalize(self.project(images), dim=-1, eps=EPS)
        return LocalFeatures(local, torch.ones(local.shape[:2], dtype=torch.bool, device=local.device))


class ProjectedMean(nn.Module):
    """W m + b of the mean m over places: a convolutional network's average pooling and a linear layer.

    Args:
        features: size of a local feature.
        embedding_dim: size of the summary.
        unit: give m the length 1 first, as VSE++ does.
    """

    def __init__(self, features: int, embedding_dim: int, unit: bool = False) -> None:
        super().__init__()
        self.unit = unit
        self.project = nn.Linear(features, embedding_dim)
        if unit:
            nn.init.xavier_uniform_(self.project.weight)
            nn.init.zeros_(self.project.bias)

    def forward(
        self, x: Float[Tensor, "batch places features"], mask: Bool[Tensor, "batch places"] | None = None
    ) -> Float[Tensor, "batch embedding_dim"]:
        mean = mean_over_places(x, mask)
        return self.project(F.normalize(mean, dim=-1) if self.unit else mean)


def image_head(head: str, features: int, embedding_dim: int, k: int, log_var_init: float | None) -> nn.Module:
    """A head on the places of an image; their mean and a linear layer sum up the whole."""
    project = partial(ProjectedMean, features, embedding_dim)
    return make_head(head, features, embedding_dim, k, log_var_init, partial(project, head == "point"), project)


def _until_pooling(backbone: str, weights: str | None) -> tuple[nn.Sequential, int]:
    """The layers of a network before its average pooling, and the number of channels of the map that they make."""
    from torchvision import models

    known = models.list_models(module=models)
    if backbone not in known:
        near = difflib.get_close_matches(backbone, known, n=3) or ["resnet50", "resnet101", "resnet152"]
        raise ValueError(f"backbone: expected a network of torchvision such as {', '.join(near)}, got {backbone!r}")
    network: Any = models.get_model(backbone, weights=None)
    parts = dict(network.named_children())
    names = list(parts)
    if "avgpool" not in parts or any(name.lower().startswith("aux") for name in names):
        raise ValueError(
            f"backbone: expected a network whose last map of features goes to an average pooling, such as resnet50, "
            f"vgg19 or convnext_tiny, got {backbone!r}"
        )
    if weights is not None and pretrained_wanted():
        load_state(network, torchvision_weights(backbone, weights), f"{weights} for {backbone}", names[-1])
    layers = nn.Sequential(*list(parts.values())[: names.index("avgpool")])
    linear = next(module for module in parts[names[-1]].modules() if isinstance(module, nn.Linear))
    size = parts["avgpool"].output_size
    places = math.prod(size) if isinstance(size, tuple) else size**2
    return layers, linear.in_features // places
