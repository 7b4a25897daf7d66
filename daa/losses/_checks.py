"""What every loss asks of its matrices."""

from __future__ import annotations

from typing import Any

import torch
from jaxtyping import Bool, Float
from torch import Tensor


def as_matrix(
    matrix: Any, name: str, shape: torch.Size | None = None, check_finite: bool = True
) -> Float[Tensor, "images captions"]:
    """A float matrix [images, captions], at least float32, or a ValueError that names the argument."""
    tensor = torch.as_tensor(matrix)
    if not tensor.is_floating_point():
        raise ValueError(f"{name}: expected floating point numbers, got {tensor.dtype}")
    if tensor.dim() != 2 or tensor.numel() == 0:
        raise ValueError(f"{name}: expected a matrix [images, captions] with entries, got shape {tuple(tensor.shape)}")
    if shape is not None and tensor.shape != shape:
        raise ValueError(f"{name}: expected the shape of the scores, {tuple(shape)}, got {tuple(tensor.shape)}")
    if check_finite and not bool(torch.isfinite(tensor).all()):
        raise ValueError(f"{name}: expected finite numbers, got NaN or infinity")
    return tensor.float() if tensor.dtype in (torch.float16, torch.bfloat16) else tensor


def as_positives(positives: Any, shape: tuple[int, ...], device: torch.device) -> Bool[Tensor, "images captions"]:
    """A boolean matrix of the given shape on the given device with a positive somewhere, or a ValueError."""
    tensor = torch.as_tensor(positives, device=device)
    if tensor.dtype != torch.bool:
        raise ValueError(f"positives: expected booleans [images, captions], got {tensor.dtype}")
    if tensor.shape != tuple(shape):
        raise ValueError(f"positives: expected [images, captions] = {tuple(shape)}, got shape {tuple(tensor.shape)}")
    if not bool(tensor.any()):
        raise ValueError("positives: expected at least one matching pair, got none")
    return tensor
