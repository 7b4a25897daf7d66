"""How alike two embeddings are: [images, captions] matrices from points, samples or Gaussians."""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import torch
import torch.nn.functional as F
from jaxtyping import Float
from torch import Tensor, nn

from daa.embeddings import Gaussian, PointSet, full_precision

Matrix = TypeVar("Matrix", Tensor, np.ndarray)

BLOCK = 1 << 24
"""Largest number of sample pairs whose distances `match_probability` holds at once."""


def points(embedding: Gaussian | Tensor, name: str) -> Float[Tensor, "n d"]:
    """The means of Gaussians, or the points themselves."""
    tensor = embedding.mean if isinstance(embedding, Gaussian) else embedding
    if tensor.dim() != 2 or not tensor.is_floating_point():
        raise ValueError(f"{name}: expected float embeddings [n, d], got {tensor.dtype} of shape {tuple(tensor.shape)}")
    return tensor


def cosine_similarity(images: Gaussian | Tensor, captions: Gaussian | Tensor) -> Float[Tensor, "images captions"]:
    """Cosine of the angle between points, or between the means of Gaussians; 0 for a vector of length 0.

    >>> cosine_similarity(torch.tensor([[2.0, 0.0]]), torch.tensor([[1.0, 0.0], [0.0, 3.0]]))
    tensor([[1., 0.]])
    """
    x, y = _same_width(points(images, "images"), points(captions, "captions"))
    return F.normalize(x, dim=-1) @ F.normalize(y, dim=-1).T


def squared_distances(x: Float[Tensor, "n d"], y: Float[Tensor, "m d"]) -> Float[Tensor, "n m"]:
    """||x_i - y_j||^2 = ||x_i||^2 + ||y_j||^2 - 2 x_i . y_j: one matrix product, never below 0, at least float32.

    The absolute error is a few units of rounding of ||x||^2 + ||y||^2, so about 1e-7 for float32 points of length 1.

    >>> squared_distances(torch.tensor([[0.0, 3.0]]), torch.tensor([[4.0, 0.0], [0.0, 3.0]]))
    tensor([[25.,  0.]])
    """
    x, y = _same_width(*full_precision(x, y))
    with torch.autocast(x.device.type, enabled=False):
        squares = x.square().sum(-1)[:, None] + y.square().sum(-1)[None, :]
        return torch.addmm(squares, x, y.T, alpha=-2).clamp_min(0)


def sample_distances(
    image_samples: Float[Tensor, "images k d"], caption_samples: Float[Tensor, "captions l d"], eps: float = 1e-6
) -> Float[Tensor, "images k captions l"]:
    """Euclidean distance of every draw of every image from every draw of every caption: sqrt(||x - y||^2 + eps).

    A product of the flattened draws [images k, d] and [captions l, d]; the images x captions x k x l x d tensor of
    differences never exists. `eps` keeps the slope finite where two draws coincide (1e-6, as PCME's code has it).
    """
    (n, k), (m, k_captions) = image_samples.shape[:2], caption_samples.shape[:2]
    squared = squared_distances(image_samples.flatten(0, 1), caption_samples.flatten(0, 1))
    return (squared + eps).sqrt().view(n, k, m, k_captions)


def closed_form_distance(images: Gaussian, captions: Gaussian) -> Float[Tensor, "images captions"]:
    """Closed-form sampled distance (CSD): the expected squared distance of a draw of each.

        CSD = E ||z_x - z_y||^2 = ||mean_x - mean_y||^2 + sum over d of (var_x + var_y)

    >>> one = Gaussian(torch.zeros(1, 2), torch.zeros(1, 2))
    >>> closed_form_distance(one, one)
    tensor([[4.]])

    Source: PCME++ (Chun, ICLR 2024), eq. 1.
    """
    image_var, caption_var = (full_precision(g.var)[0].sum(-1) for g in (images, captions))
    return squared_distances(images.mean, captions.mean) + image_var[:, None] + caption_var[None, :]


def match_probability(
    images: Gaussian,
    captions: Gaussian,
    scale: float | Tensor,
    shift: float | Tensor,
    *,
    method: str = "moments",
    k: int = 7,
    generator: torch.Generator | None = None,
) -> Float[Tensor, "images captions"]:
    """Expected match probability of PCME, E sigmoid(2 (shift - scale ||z_x - z_y||)) over draws z_x and z_y.

    - `"samples"`: the mean over k x k draws, as in training. Unbiased, random, and `2 k^2` as dear as a cosine.
    - `"moments"`: deterministic. With s^2 = var_x + var_y and delta = mean_x - mean_y the squared distance has mean
      m = sum(s^2 + delta^2) (this is the CSD) and variance v = 2 sum(s^4) + 4 sum(s^2 delta^2), exactly. Taking it for
      a gamma variable gives the distance itself the squared mean m - v / (4 m) + v^2 / (32 m^3) and the variance that
      remains up to m; and E sigmoid(X) of a normal X is close to sigmoid(E X / sqrt(1 + pi Var X / 8)). Seen to be
      within 0.02 of the exact expectation from 64 dimensions up, within 0.05 in 8, worse in fewer. There is no exact
      closed form: the distance is not normal, and a sigmoid has no elementary integral against a normal.

    Args:
        images: n Gaussians.
        captions: m Gaussians of the same width.
        scale: a > 0, what the loss has learned.
        shift: b; the probability of two points is 1/2 at distance shift / scale.
        method: `"moments"` or `"samples"`.
        k: draws per embedding, for `"samples"`.
        generator: where the draws come from, for `"samples"`.

    Returns:
        Probabilities [images, captions].

    >>> one = Gaussian(torch.zeros(1, 2), torch.full((1, 2), -20.0))
    >>> other = Gaussian(torch.tensor([[1.0, 0.0]]), torch.full((1, 2), -20.0))
    >>> match_probability(one, other, scale=5.0, shift=5.0).round(decimals=3)
    tensor([[0.5000]])

    Source: PCME (Chun et al., CVPR 2021); the factor 2 is that of the released code.
    """
    if method == "moments":
        mean, var = _distance_moments(images, captions)
        return (2 * (shift - scale * mean) / (1 + math.pi / 8 * 4 * scale**2 * var).sqrt()).sigmoid()
    if method != "samples":
        raise ValueError(f'method: expected "moments" or "samples", got {method!r}')
    x, y = images.sample(k, generator), captions.sample(k, generator)
    rows = max(1, BLOCK // (k * k * len(captions)))
    return torch.cat(
        [(2 * (shift - scale * sample_distances(part, y))).sigmoid().mean((1, 3)) for part in x.split(rows)]
    )


def summed_dots(
    image_samples: Float[Tensor, "images k d"], caption_samples: Float[Tensor, "captions l d"]
) -> Float[Tensor, "images captions"]:
    """Sum of the dot products of every draw of an image with every draw of a caption.

    What the released evaluation ranks by. Since sum_ab x_a . y_b = (sum_a x_a) . (sum_b y_b), it is one product of the
    summed draws; its expectation is k l mean_x . mean_y, so that the variances do not matter to it.

    >>> summed_dots(torch.ones(1, 2, 3), torch.ones(1, 5, 3))
    tensor([[30.]])
    """
    return image_samples.sum(1) @ caption_samples.sum(1).T


def max_cosine(
    images: Float[Tensor, "images k d"], captions: Float[Tensor, "captions l d"]
) -> Float[Tensor, "images captions"]:
    """Best cosine between any of the k embeddings of an image and any of the l of a caption.

    Source: PVSE (Song and Soleymani, CVPR 2019), multiple-instance matching.
    """
    (n, k), (m, k_captions) = images.shape[:2], captions.shape[:2]
    cosines = cosine_similarity(images.flatten(0, 1), captions.flatten(0, 1))
    return cosines.view(n, k, m, k_captions).amax((1, 3))


def ensemble(scores_a: Matrix, scores_b: Matrix, *more: Matrix) -> Matrix:
    """Several models as one: the mean of their scores. SGRAF is that of SAF and SGR.

    All should be on one scale, as the two networks' scores in (0, 1) are.

    Args:
        scores_a: finite numbers [images, captions], a tensor or an array.
        scores_b: the same kind and shape.
        more: further ones.

    Raises:
        ValueError: if one is no float matrix, the shapes differ, or a number is not finite.

    >>> ensemble(torch.tensor([[0.2, 0.9]]), torch.tensor([[0.4, 0.5]]))
    tensor([[0.3000, 0.7000]])

    Source: SGRAF (Diao et al., AAAI 2021), section 4.
    """
    several: tuple[Any, ...] = (scores_a, scores_b, *more)
    names = ["scores_a", "scores_b", *(f"more[{i}]" for i in range(len(more)))]
    for name, scores in zip(names, several, strict=True):
        matrix = torch.as_tensor(scores)
        if matrix.dim() != 2 or not matrix.is_floating_point():
            raise ValueError(
                f"{name}: expected a float matrix [images, captions], got {matrix.dtype} of shape {tuple(matrix.shape)}"
            )
        if bad := int((~matrix.isfinite()).sum()):
            raise ValueError(f"{name}: expected finite numbers, got {bad} that are not")
        if tuple(scores.shape) != tuple(scores_a.shape):
            raise ValueError(
                f"{name}: expected the shape of scores_a, {tuple(scores_a.shape)}, got {tuple(scores.shape)}"
            )
    return sum(several[1:], start=several[0]) / len(several)


class CosineSimilarity(nn.Module):
    """`cosine_similarity` of Gaussians, as a part of a model."""

    def forward(self, images: Gaussian, captions: Gaussian) -> Float[Tensor, "images captions"]:
        return cosine_similarity(images, captions)


class MaxCosineSimilarity(nn.Module):
    """`max_cosine` of sets of points, as a part of a model."""

    def forward(self, images: PointSet, captions: PointSet) -> Float[Tensor, "images captions"]:
        return max_cosine(images.points, captions.points)


def _distance_moments(images: Gaussian, captions: Gaussian) -> tuple[Tensor, Tensor]:
    """Mean and variance [n, m] of the distance, as `match_probability` states them, from matrix products only."""
    (mx, my), (vx, vy) = full_precision(images.mean, captions.mean), full_precision(images.var, captions.var)
    with torch.autocast(mx.device.type, enabled=False):
        m = closed_form_distance(images, captions) + 1e-6  # as in sample_distances
        s4 = vx.square().sum(-1)[:, None] + vy.square().sum(-1)[None, :] + 2 * vx @ vy.T
        # sum of (vx + vy) (mx - my)^2, multiplied out
        s2d2 = (
            (vx * mx.square()).sum(-1)[:, None]
            + (vy * my.square()).sum(-1)[None, :]
            + vx @ my.square().T
            + mx.square() @ vy.T
            - 2 * (vx * mx) @ my.T
            - 2 * mx @ (vy * my).T
        )
        ratio = ((2 * s4 + 4 * s2d2.clamp_min(0)) / m.square()).clamp(0, 2)  # v / m^2, which is at most 2
        var = m * (ratio / 4 - ratio.square() / 32)
        return (m - var).sqrt(), var


def _same_width(x: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
    if x.shape[-1] != y.shape[-1]:
        raise ValueError(f"captions: expected embeddings as wide as the images', {x.shape[-1]}, got {y.shape[-1]}")
    return x, y
