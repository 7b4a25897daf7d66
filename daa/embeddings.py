"""Rows of embeddings, one an item: Gaussians, sets of points, and one vector a place."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

EPS = 1e-8
"""Shorter local vectors are divided by this instead of by their length."""

AnyEmbedding = TypeVar("AnyEmbedding", bound="Embedding")


class Embedding:
    """Embeddings of some items: a dataclass of tensors whose first axis is the item.

    A batch may be embedded in parts or on several machines: parts are joined by `concatenate`, and `tensors` and
    `from_tensors` take an embedding apart for whatever moves tensors.
    """

    def tensors(self) -> dict[str, Tensor]:
        """Its tensors by name; those that are None are left out."""
        values = {field.name: getattr(self, field.name) for field in dataclasses.fields(self)}  # type: ignore[arg-type]
        return {name: tensor for name, tensor in values.items() if tensor is not None}

    @classmethod
    def from_tensors(cls: type[AnyEmbedding], tensors: Mapping[str, Tensor]) -> AnyEmbedding:
        """The embedding made of these tensors, the inverse of `tensors`."""
        return cls(**tensors)

    def map(self: AnyEmbedding, function: Callable[[Tensor], Tensor]) -> AnyEmbedding:
        """The same function applied to every tensor, such as `Tensor.cpu` or a gather."""
        return self.from_tensors({name: function(tensor) for name, tensor in self.tensors().items()})

    def __len__(self) -> int:
        return len(next(iter(self.tensors().values())))

    def __getitem__(self: AnyEmbedding, rows: Any) -> AnyEmbedding:
        """Some of the rows: a slice, indices or a mask; a single index keeps its axis."""
        chosen = [rows] if isinstance(rows, int) else rows
        return self.map(lambda tensor: tensor[chosen])

    @staticmethod
    def aligned(parts: Sequence[Any]) -> Sequence[Any]:
        """The parts in shapes that can be joined along the items."""
        return parts


@dataclass(frozen=True, eq=False)
class Gaussian(Embedding):
    """Normal distributions N(mean, diag(exp(log_var))), one a row.

    `log_var` is the logarithm of the variance and the only measure of spread that is stored, so that the sampler
    (which needs exp(log_var / 2)) and the KL term (which needs exp(log_var)) cannot disagree.

    Args:
        mean: [n, d].
        log_var: [n, d], natural logarithm of the variance.

    Raises:
        ValueError: if the two are not floating point matrices of one shape.

    >>> embedding = Gaussian(mean=torch.zeros(5, 3), log_var=torch.full((5, 3), -2.0))
    >>> len(embedding), embedding[:2].mean.shape, embedding.sample(7).shape
    (5, torch.Size([2, 3]), torch.Size([5, 7, 3]))
    """

    mean: Tensor
    log_var: Tensor

    def __post_init__(self) -> None:
        if self.mean.dim() != 2 or not self.mean.is_floating_point():
            raise ValueError(f"mean: expected floats [n, d], got {self.mean.dtype} of shape {tuple(self.mean.shape)}")
        if self.log_var.shape != self.mean.shape:
            raise ValueError(
                f"log_var: expected the shape of the mean, {tuple(self.mean.shape)}, got {tuple(self.log_var.shape)}"
            )

    @property
    def std(self) -> Float[Tensor, "n d"]:
        """Standard deviation, exp(log_var / 2)."""
        return (self.log_var / 2).exp()

    @property
    def var(self) -> Float[Tensor, "n d"]:
        """Variance, exp(log_var)."""
        return self.log_var.exp()

    def sample(self, k: int, generator: torch.Generator | None = None) -> Float[Tensor, "n k d"]:
        """`k` draws of each embedding, mean + std * noise, differentiable in mean and log_var.

        Args:
            k: number of draws, >= 1.
            generator: where the noise comes from; it must live on the device of the mean. By default torch's own.

        Raises:
            ValueError: if k is below 1.
        """
        if k < 1:
            raise ValueError(f"k: expected at least one sample, got {k}")
        n, d = self.mean.shape
        noise = torch.randn((n, k, d), generator=generator, device=self.mean.device, dtype=self.mean.dtype)
        return self.mean[:, None] + noise * self.std[:, None]


@dataclass(frozen=True, eq=False)
class PointSet(Embedding):
    """Several points an item, as in PVSE: each of the k heads sees its own aspect of the item.

    Args:
        points: [n, k, d], usually of length 1.
        residuals: [n, k, d], what each head added to the global feature before normalisation, which the diversity term
            of PVSE looks at; None if nothing asks for it.

    Raises:
        ValueError: points that are not floats [n, k, d], or residuals of another number of items and heads.

    >>> PointSet(torch.zeros(5, 2, 3))[[0, 4]].points.shape
    torch.Size([2, 2, 3])
    """

    points: Tensor
    residuals: Tensor | None = None

    def __post_init__(self) -> None:
        if self.points.dim() != 3 or not self.points.is_floating_point():
            raise ValueError(
                f"points: expected floats [n, k, d], got {self.points.dtype} of shape {tuple(self.points.shape)}"
            )
        if self.residuals is not None and self.residuals.shape[:2] != self.points.shape[:2]:
            raise ValueError(
                f"residuals: expected [n, k, ...] = {tuple(self.points.shape[:2])}, got {tuple(self.residuals.shape)}"
            )


@dataclass(frozen=True, eq=False)
class LocalFeatures(Embedding):
    """One vector a place, for cross-attention: the regions of an image or the words of a caption.

    Args:
        features: [n, places, d]; what stands at a place that the mask excludes has no effect.
        mask: boolean [n, places], True where the item has a region or word; every item has at least one.

    Raises:
        ValueError: features that are not floats [n, places, d], or a mask of another shape.

    >>> words = LocalFeatures(torch.ones(1, 3, 8), torch.tensor([[True, True, False]]))
    >>> concatenate([words, LocalFeatures(torch.ones(1, 4, 8), torch.ones(1, 4, dtype=torch.bool))]).mask.sum(dim=1)
    tensor([2, 4])
    """

    features: Tensor
    mask: Tensor

    def __post_init__(self) -> None:
        if self.features.dim() != 3 or not self.features.is_floating_point():
            raise ValueError(
                f"features: expected floats [n, places, d], got {self.features.dtype} of shape "
                f"{tuple(self.features.shape)}"
            )
        if self.mask.shape != self.features.shape[:2] or self.mask.dtype != torch.bool:
            raise ValueError(
                f"mask: expected booleans {tuple(self.features.shape[:2])}, got {self.mask.dtype} of shape "
                f"{tuple(self.mask.shape)}"
            )

    def padded(self, places: int) -> LocalFeatures:
        """With room for so many places, what is added being masked."""
        more = places - self.features.shape[1]
        return LocalFeatures(F.pad(self.features, (0, 0, 0, more)), F.pad(self.mask, (0, more)))

    @staticmethod
    def aligned(parts: Sequence[LocalFeatures]) -> Sequence[LocalFeatures]:
        places = max(part.features.shape[1] for part in parts)
        return [part.padded(places) for part in parts]


def concatenate(parts: Sequence[AnyEmbedding]) -> AnyEmbedding:
    """The rows of several embeddings of one kind, one after the other; local features are padded to the longest.

    Raises:
        ValueError: no parts, or parts of different kinds.
    """
    kinds = {type(part) for part in parts}
    if len(kinds) != 1:
        raise ValueError(f"parts: expected embeddings of one kind, got {', '.join(sorted(k.__name__ for k in kinds))}")
    tensors = [part.tensors() for part in parts[0].aligned(parts)]
    return parts[0].from_tensors({name: torch.cat([one[name] for one in tensors]) for name in tensors[0]})


def full_precision(*tensors: Tensor) -> tuple[Tensor, ...]:
    """float16 and bfloat16 as float32: distances of close points cancel almost all of a short mantissa."""
    return tuple(t.float() if t.dtype in (torch.float16, torch.bfloat16) else t for t in tensors)
