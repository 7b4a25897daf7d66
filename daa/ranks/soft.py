"""Ranks that can be differentiated: the step in "how many score higher" replaced by a sigmoid."""

from __future__ import annotations

import math

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

BLOCK = 1 << 22
"""How many differences are looked at in one go; the largest intermediate has this many entries, or n if n is larger."""


def soft_ranks(
    values: Float[Tensor, "... n"], temperature: float, *, check_finite: bool = True
) -> Float[Tensor, "... n"]:
    """Descending ranks from 1 along the last axis, smoothed by a sigmoid so that they have a gradient.

        rank_i = 1 + sum over j != i of sigmoid((v_j - v_i) / temperature)

    As the temperature goes to 0 this is `ranks(values, ties="average")`, since sigmoid(0) = 1/2. The ranks of a row add
    up to n (n + 1) / 2 at every temperature. Memory is that of `values`, forwards and backwards: the n x n differences
    of a row are looked at block by block, and again in the backward pass.

    Args:
        values: scores of any leading shape and any float dtype; float16 and bfloat16 are computed in float32.
        temperature: width of the step, > 0, in the unit of `values`.
        check_finite: refuse NaN and infinity. On a GPU this waits for the device; `False` saves the wait, and then a
            NaN or an infinity makes all ranks of its row NaN.

    Returns:
        Ranks in (1, n), in the dtype of `values` but at least float32. They can be differentiated once.

    Raises:
        ValueError: temperature not above 0, nothing to rank, NaN or infinity.

    >>> soft_ranks(torch.tensor([0.3, 0.9, 0.3]), temperature=0.01)
    tensor([2.5000, 1.0000, 2.5000])

    Source: the ranking function of DAA (Li et al., NeurIPS 2022), as in Smooth-AP (Brown et al., ECCV 2020).
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: expected a number above 0, got {temperature}")
    if values.dim() == 0 or values.shape[-1] == 0:
        raise ValueError(f"values: expected at least one value along the last axis, got shape {tuple(values.shape)}")
    if check_finite and not bool(torch.isfinite(values).all()):
        raise ValueError(f"values: expected finite numbers, got NaN or infinity in shape {tuple(values.shape)}")
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    return _SoftRanks.apply(values, float(temperature))


class _SoftRanks(torch.autograd.Function):
    """Keeps only the values; the sigmoids are computed anew in the backward pass."""

    @staticmethod
    def forward(values: Tensor, temperature: float) -> Tensor:
        flat = values.reshape(-1, values.shape[-1])
        ranks = torch.empty_like(flat)
        for rows, items in _blocks(flat):
            difference = (flat[rows, None, :] - flat[rows, items, None]) / temperature
            # The item itself adds sigmoid(0) = 1/2 to the sum, which is taken off again.
            ranks[rows, items] = difference.sigmoid_().sum(-1) + 0.5
        return ranks.reshape(values.shape)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        values, ctx.temperature = inputs
        ctx.save_for_backward(values)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        # With W_ij = sigmoid'((v_j - v_i) / t), which is symmetric: dL/dv_i = sum_j W_ij (g_j - g_i) / t.
        (values,) = ctx.saved_tensors
        flat, grad = values.reshape(-1, values.shape[-1]), grad.reshape(-1, values.shape[-1])
        result = torch.empty_like(flat)
        for rows, items in _blocks(flat):
            smooth = ((flat[rows, None, :] - flat[rows, items, None]) / ctx.temperature).sigmoid_()
            slope = smooth.mul_(1 - smooth)
            weighted = torch.einsum("rij,rj->ri", slope, grad[rows])
            result[rows, items] = (weighted - grad[rows, items] * slope.sum(-1)) / ctx.temperature
        return result.reshape(values.shape), None


def _blocks(flat: Tensor) -> list[tuple[slice, slice]]:
    """(rows, items) so that rows x items x n is about BLOCK."""
    n_rows, n = flat.shape
    items = max(1, min(n, BLOCK // n))
    rows = max(1, BLOCK // (items * n))
    return [
        (slice(r, min(r + rows, n_rows)), slice(i, min(i + items, n)))
        for r in range(0, n_rows, rows)
        for i in range(0, n, items)
    ]
