"""Exact descending ranks: the best value has rank 1, and ties follow a named policy."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from daa.names import TIE_POLICIES
from daa.ranks._radix import ordinal_kernel, tie_ranges_kernel

ArrayOrTensor = TypeVar("ArrayOrTensor", np.ndarray, Tensor)


def ranks(values: ArrayOrTensor, ties: str = "average") -> ArrayOrTensor:
    r"""Descending ranks along the last axis, from 1 (the largest value) to n.

    With $g_i$ the number of values greater than $v_i$ and $t_i$ the size of its tie group (itself included), the items
    of the group share the places $g_i + 1, \dots, g_i + t_i$, and the policies give

    - `"average"`: $g_i + (t_i + 1) / 2$, the middle of those places. The default: it depends on no order of the items,
      keeps the sum of the ranks at $n(n+1)/2$, and is the limit of `soft_ranks` as temperature goes to 0;
    - `"competition"`: $g_i + 1$, one more than the number strictly greater;
    - `"ordinal"`: ties in the order in which they stand, what a stable argsort gives;
    - `"expected"`: the mean over all ways to break the ties, which for a rank on its own is the average rank. Metrics
      that are not linear in the rank take the mean of the *metric* under this policy.

    Args:
        values: [..., n] of any real dtype; infinities are ordered like numbers.
        ties: one of `TIE_POLICIES`.

    Returns:
        float64 ranks of the shape, kind and device of `values`.

    Raises:
        ValueError: if `values` is empty, holds NaN or has no axis, or `ties` is unknown.

    >>> ranks(np.array([0.1, 0.7, 0.7, 0.9]))
    array([4. , 2.5, 2.5, 1. ])
    >>> ranks(np.array([0.1, 0.7, 0.7, 0.9]), ties="competition")
    array([4., 2., 2., 1.])
    """
    if ties not in TIE_POLICIES:
        raise ValueError(f"ties: expected one of {', '.join(TIE_POLICIES)}, got {ties!r}")
    tensor = _checked(values)
    if ties == "ordinal":
        result = _ordinal(tensor).double()
    else:
        first, last = _tie_ranges(tensor)
        result = first.double() if ties == "competition" else (first.double() + last.double()) / 2
    return result.numpy() if isinstance(values, np.ndarray) else result


def tie_ranges(values: ArrayOrTensor) -> tuple[ArrayOrTensor, ArrayOrTensor]:
    """First and last of the descending ranks that each item's tie group spans, along the last axis.

    Args:
        values: [..., n] of any real dtype.

    Returns:
        two int32 arrays of the shape of `values`; equal where an item is tied with no other.

    Raises:
        ValueError: if `values` is empty, holds NaN or has no axis.

    >>> first, last = tie_ranges(np.array([0.1, 0.7, 0.7, 0.9]))
    >>> first.tolist(), last.tolist()
    ([4, 2, 2, 1], [4, 3, 3, 1])
    """
    first, last = _tie_ranges(_checked(values))
    return (first.numpy(), last.numpy()) if isinstance(values, np.ndarray) else (first, last)


def _checked(values: np.ndarray | Tensor) -> Tensor:
    if isinstance(values, np.ndarray) and not (
        values.flags.writeable and values.dtype.isnative and min(values.strides, default=0) >= 0
    ):
        values = values.astype(values.dtype.newbyteorder("="), order="C")  # the form that torch takes
    tensor = torch.as_tensor(values).detach()
    if tensor.ndim == 0 or tensor.numel() == 0:
        raise ValueError(f"values: expected at least one value to rank, got shape {tuple(tensor.shape)}")
    if tensor.is_complex():
        raise ValueError(f"values: expected real numbers, got {tensor.dtype}")
    if tensor.is_floating_point():
        if tensor.max().isnan():  # NaN wins every comparison of max, which reads the values once and keeps none
            raise ValueError(
                f"values: NaN has no rank, and {int(tensor.isnan().sum())} of {tensor.numel()} values are NaN"
            )
        return tensor if tensor.dtype == torch.float64 else tensor.float()
    return tensor.double()


def _tie_ranges(values: Tensor) -> tuple[Tensor, Tensor]:
    if values.device.type == "cpu":
        rows = values.reshape(-1, values.shape[-1]).contiguous().numpy()
        first, last = np.empty(rows.shape, np.int32), np.empty(rows.shape, np.int32)
        tie_ranges_kernel(rows, first, last)
        return torch.from_numpy(first).view(values.shape), torch.from_numpy(last).view(values.shape)
    return _tie_ranges_by_sorting(values)


def _tie_ranges_by_sorting(values: Tensor) -> tuple[Tensor, Tensor]:
    """The same in torch operations, for devices other than the CPU."""
    n = values.shape[-1]
    ordered, order = values.sort(dim=-1, descending=True)
    place = torch.arange(1, n + 1, device=values.device).expand_as(order)
    starts = torch.ones_like(ordered, dtype=torch.bool)
    starts[..., 1:] = ordered[..., 1:] != ordered[..., :-1]
    ends = starts.roll(-1, dims=-1)  # the last item ends its group, and roll brings it the first item's True
    first = torch.where(starts, place, 0).cummax(dim=-1).values
    last = torch.where(ends, place, n + 1).flip(-1).cummin(dim=-1).values.flip(-1)
    unsorted = torch.empty_like(order)
    return (
        unsorted.scatter(-1, order, first).int(),
        unsorted.scatter(-1, order, last).int(),
    )


def _ordinal(values: Tensor) -> Tensor:
    if values.device.type == "cpu":
        rows = values.reshape(-1, values.shape[-1]).contiguous().numpy()
        result = np.empty(rows.shape, np.int32)
        ordinal_kernel(rows, result)
        return torch.from_numpy(result).view(values.shape)
    order = values.sort(dim=-1, descending=True, stable=True).indices
    place = torch.arange(1, values.shape[-1] + 1, device=values.device).expand_as(order)
    return torch.empty_like(order).scatter(-1, order, place).int()
