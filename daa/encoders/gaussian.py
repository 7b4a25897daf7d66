"""The probabilistic embedding: each image and each caption is a Gaussian with independent dimensions."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from daa.encoders.embedding import Embedding


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
