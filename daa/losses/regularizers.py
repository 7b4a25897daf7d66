"""Terms added to a loss: KL to the standard normal, uniformity on the sphere, and PVSE's two."""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor

from daa.embeddings import Gaussian, full_precision
from daa.similarity import squared_distances


def kl_standard_normal(embedding: Gaussian, reduction: str = "mean") -> Float[Tensor, ""]:
    """Kullback-Leibler divergence of the embeddings from N(0, I): the variational information bottleneck term.

        KL = 1/2 sum over dimensions of (exp(log_var) + mean^2 - 1 - log_var)

    It keeps the variances from shrinking to 0. `log_var` here is the one the sampler draws with.

    Args:
        embedding: n Gaussians of d dimensions.
        reduction: `"sum"` over embeddings and dimensions, as in PCME's code (weight 1e-5); `"mean"` over both, as in
            PCME++'s (weight 1e-4).

    Returns:
        0-d tensor, >= 0, in nats (a dimension, for `"mean"`).

    >>> kl_standard_normal(Gaussian(torch.ones(3, 2), torch.zeros(3, 2)), reduction="sum")
    tensor(3.)

    Source: PCME (Chun et al., CVPR 2021). Its code reads one tensor as log standard deviation when it samples
    and as log-variance here; this does not.
    """
    if reduction not in ("mean", "sum"):
        raise ValueError(f'reduction: expected "mean" or "sum", got {reduction!r}')
    mean, log_var = full_precision(embedding.mean, embedding.log_var)
    # expm1 keeps exp(log_var) - 1 - log_var from cancelling where the variance is close to 1.
    terms = (log_var.expm1() - log_var + mean.square()) / 2
    return terms.mean() if reduction == "mean" else terms.sum()


def uniformity(points: Float[Tensor, "n d"], t: float = 2.0) -> Float[Tensor, ""]:
    """Log of the mean Gaussian potential of all pairs of points; smaller when they spread out.

        uniformity = log mean over i != j of exp(-t ||x_i - x_j||^2)

    Args:
        points: n >= 2 embeddings, usually of length 1, of one modality or of both.
        t: > 0.

    Returns:
        0-d tensor, <= 0; on the unit sphere >= -4 t.

    Raises:
        ValueError: fewer than two points.

    >>> uniformity(torch.tensor([[1.0, 0.0], [-1.0, 0.0]]))
    tensor(-8.)

    Source: Wang and Isola, ICML 2020; used by PCME on CUB with weight 10.
    """
    n = len(points)
    if n < 2:
        raise ValueError(f"points: expected at least two, got {n}")
    own = torch.eye(n, dtype=torch.bool, device=points.device)
    potential = (-t * squared_distances(points, points)).masked_fill(own, -torch.inf)
    return potential.flatten().logsumexp(0) - math.log(n * (n - 1))


def mmd(
    x: Float[Tensor, "n d"], y: Float[Tensor, "m d"], gamma: float = 0.5, squared: bool = True
) -> Float[Tensor, ""]:
    """Squared maximum mean discrepancy between two sets of points: 0 when their distributions agree.

        MMD^2 = mean k(x, x') + mean k(y, y') - 2 mean k(x, y),  k(a, b) = exp(-gamma ||a - b||^2)

    Args:
        x: embeddings of one modality.
        y: embeddings of the other.
        gamma: inverse width of the kernel, > 0; 0.5 in PVSE's code.
        squared: `False` takes exp(-gamma ||a - b||), the Laplacian-like kernel that PVSE's code has under that name.

    Returns:
        0-d tensor, >= 0 up to rounding (the biased estimate, which counts each point with itself).

    >>> round(mmd(torch.zeros(1, 2), torch.ones(1, 2)).item(), 4)  # 2 - 2 exp(-1)
    1.2642

    Source: Gretton et al., JMLR 2012; PVSE (Song and Soleymani, CVPR 2019), weight 0.01.
    """

    def kernel(a: Tensor, b: Tensor) -> Tensor:
        distances = squared_distances(a, b)
        if not squared:
            distances = (distances + torch.finfo(distances.dtype).eps).sqrt()
        return (-gamma * distances).exp().mean()

    return kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)


def diversity(embeddings: Float[Tensor, "n k d"]) -> Float[Tensor, ""]:
    """How alike the k embeddings of one item are: 0 when they are orthogonal.

        diversity = mean over items of ||G - I||_F / k^2,  G the k x k cosines between its embeddings

    Args:
        embeddings: k embeddings an item; PVSE applies it to the local (attended) part before the residual sum.

    Returns:
        0-d tensor in [0, 1).

    >>> round(diversity(torch.ones(5, 2, 3)).item(), 4)  # sqrt(2) / 4
    0.3536

    Source: PVSE (Song and Soleymani, CVPR 2019), weight 0.1.
    """
    unit = F.normalize(full_precision(embeddings)[0], dim=-1)
    k = unit.shape[1]
    cosines = unit @ unit.transpose(1, 2)
    off_diagonal = cosines.masked_fill(torch.eye(k, dtype=torch.bool, device=unit.device), 0)
    return torch.linalg.vector_norm(off_diagonal, dim=(1, 2)).mean() / k**2
