"""Ranks that can be differentiated: the step in "how many score higher" replaced by a sigmoid."""

from __future__ import annotations

import math
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from daa.ranks import _treecode
from daa.ranks._soft_kernels import WIDE, backward_rows, forward_rows

BLOCK = 1 << 24
"""How many differences a GPU looks at in one go: the entries of the largest intermediate (n, if n is larger)."""

PAIRS_WORTH_A_THREAD = 4_000_000
"""Number of pairs (about half a millisecond) below which another thread costs more than it brings."""

LONG = {torch.float32: 384, torch.float64: 768}
"""Length of a row from which the treecode is faster than all pairs."""

NARROW = {torch.float32: 2.0**20, torch.float64: 2.0**14}
"""Widest spread of a row, in temperatures, for which a place in a cell keeps the digits that its precision needs."""

ITEM_IN_PAIRS = 150
"""What an item costs the treecode, in pairs of the other kernel."""


def soft_ranks(values: Any, temperature: float, *, check_finite: bool = True) -> Float[Tensor, "... n"]:
    """Descending ranks from 1 along the last axis, smoothed by a sigmoid so that they have a gradient.

        rank_i = 1 + sum over j != i of sigmoid((v_j - v_i) / temperature)

    As the temperature goes to 0 this is `ranks(values, ties="average")`, since sigmoid(0) = 1/2. The ranks of a row add
    up to n (n + 1) / 2 at every temperature. Memory is a few times that of `values`, forwards and backwards: no
    n x n matrix of differences is kept.

    Short rows take all pairs, n^2 / 2 sigmoids a row, and are exact up to rounding. Rows of at least `LONG` items take
    a treecode whose time is linear in n: in float32 a rank is wrong by less than 1e-8 n, in float64 by less than
    1e-13 n, see `daa.ranks._treecode` for the bound. Rows wider than `NARROW`
    temperatures take all pairs, too. On the CPU kernels work in float64 (their first call ever takes some seconds to
    compile), elsewhere torch does it block by block. The result does not depend on the number of threads.

    Args:
        values: [..., n], tensor or array of any float dtype; float16 and bfloat16 are computed in float32.
        temperature: width of the step, > 0, in the unit of `values`.
        check_finite: refuse NaN and infinity. On a GPU this waits for the device; `False` saves the wait, and then a
            NaN or an infinity makes all ranks of its row NaN.

    Returns:
        Ranks in (1, n), in the dtype of `values` but at least float32. They can be differentiated once.

    Raises:
        ValueError: temperature not above 0, nothing to rank, integers, NaN or infinity.

    >>> soft_ranks(torch.tensor([0.3, 0.9, 0.3]), temperature=0.01)
    tensor([2.5000, 1.0000, 2.5000])

    Source: the ranking function of DAA (Li et al., NeurIPS 2022), as in Smooth-AP (Brown et al., ECCV 2020).
    """
    if not (math.isfinite(temperature) and temperature > 0):
        raise ValueError(f"temperature: expected a number above 0, got {temperature}")
    values = torch.as_tensor(values)
    if not values.is_floating_point():
        raise ValueError(f"values: expected floating point numbers, got {values.dtype}")
    if values.dim() == 0 or values.numel() == 0:
        raise ValueError(f"values: expected at least one value to rank, got shape {tuple(values.shape)}")
    if check_finite and not bool(torch.isfinite(values).all()):
        raise ValueError(f"values: expected finite numbers, got NaN or infinity in shape {tuple(values.shape)}")
    if values.dtype in (torch.float16, torch.bfloat16):
        values = values.float()
    return _SoftRanks.apply(values, float(temperature))


class _SoftRanks(torch.autograd.Function):
    """Keeps only the values; the sigmoids are computed anew in the backward pass."""

    @staticmethod
    def forward(values: Tensor, temperature: float) -> Tensor:
        rows = values.detach().reshape(-1, values.shape[-1])
        if _is_linear(rows, temperature):
            ranks = _linear(rows, temperature)
        elif rows.device.type == "cpu":
            ranks = _compiled(forward_rows, rows, temperature)
        else:
            ranks = _eager_forward(rows, temperature)
        return ranks.to(values.dtype).view(values.shape)

    @staticmethod
    def setup_context(ctx, inputs, output) -> None:
        values, ctx.temperature = inputs
        ctx.save_for_backward(values)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        # With W_ij = sigmoid'((v_j - v_i) / t), which is symmetric: dL/dv_i = sum over j of W_ij (g_j - g_i) / t.
        (values,) = ctx.saved_tensors
        rows, grad = (tensor.detach().reshape(-1, values.shape[-1]) for tensor in (values, grad))
        if _is_linear(rows, ctx.temperature):
            result = _linear(rows, ctx.temperature, grad)
        elif rows.device.type == "cpu":
            result = _compiled(backward_rows, rows, ctx.temperature, grad)
        else:
            result = _eager_backward(rows, ctx.temperature, grad)
        return result.to(values.dtype).view(values.shape), None


def _compiled(kernel: Callable, rows: Tensor, temperature: float, grad: Tensor | None = None) -> Tensor:
    """Run a kernel of `_soft_kernels` over all rows, as many threads at once as torch would use."""
    n_rows, n = rows.shape
    rows = rows.double()
    order = None
    if bool(((rows.amax(-1) - rows.amin(-1)) / temperature > WIDE).any()):
        rows, order = rows.sort(dim=-1, descending=True)
        grad = None if grad is None else grad.gather(-1, order)
    result = torch.empty((n_rows, n), dtype=torch.float64)
    arguments = [rows.contiguous().numpy(), temperature]
    if grad is not None:
        arguments.append(grad.double().contiguous().numpy())
    arguments.append(result.numpy())
    _on_threads(kernel, arguments, n_rows, n_rows * n * n)
    return result if order is None else torch.empty_like(result).scatter_(-1, order, result)


def _on_threads(kernel: Callable, arguments: list[Any], n_rows: int, pairs: int) -> None:
    """Run a kernel over all rows, on as many threads as torch would use and as its pairs are worth."""
    threads = min(torch.get_num_threads(), n_rows, 1 + pairs // PAIRS_WORTH_A_THREAD)
    if threads == 1:
        kernel(*arguments, 0, n_rows)
        return
    # Four parts a thread: an idle one takes over from one whose core is busy with something else.
    ends = [n_rows * part // (4 * threads) for part in range(4 * threads + 1)]
    with ThreadPoolExecutor(threads) as pool:
        list(pool.map(lambda first, stop: kernel(*arguments, first, stop), ends[:-1], ends[1:]))


def _is_linear(rows: Tensor, temperature: float) -> bool:
    """Whether the rows are long enough for the treecode and, all of them, narrow enough; waits for a GPU."""
    if rows.shape[-1] < LONG[rows.dtype]:
        return False
    spread = ((rows.amax(-1).double() - rows.amin(-1)) / temperature).amax()
    return bool(spread <= NARROW[rows.dtype])  # NaN and infinity are not


def _linear(rows: Tensor, temperature: float, grad: Tensor | None = None) -> Tensor:
    """Ranks of long rows, or with `grad` their gradient, by the treecode."""
    n_rows, n = rows.shape
    if rows.device.type != "cpu":
        n_cells = _treecode.cells_needed(rows, temperature)
        at_once = max(1, BLOCK // (18 * (n + 16 * n_cells)))
        parts = [slice(start, start + at_once) for start in range(0, n_rows, at_once)]
        of_grad = [None if grad is None else grad[part] for part in parts]
        return torch.cat(
            [_treecode.in_torch(rows[part], temperature, n_cells, g) for part, g in zip(parts, of_grad, strict=True)]
        )
    kernels, run = _treecode.kernels(rows.dtype), _treecode.compiled(rows.dtype)
    result = torch.empty_like(rows, memory_format=torch.contiguous_format)
    arguments = [rows.contiguous().numpy(), temperature]
    if grad is None:
        arguments += [kernels[0], result.numpy()]
    else:
        arguments += [kernels[1], grad.to(rows.dtype).contiguous().numpy(), result.numpy()]
    _on_threads(run[grad is not None], arguments, n_rows, n_rows * n * ITEM_IN_PAIRS)
    return result


def _eager_forward(rows: Tensor, temperature: float) -> Tensor:
    """The ranks in torch operations, for devices other than the CPU."""
    ranks = torch.empty_like(rows)
    for some, items in _blocks(*rows.shape):
        smooth = ((rows[some, None, :] - rows[some, items, None]) / temperature).sigmoid_()
        # The item itself adds sigmoid(0) = 1/2 to the sum, which is taken off again.
        ranks[some, items] = smooth.sum(-1) + 0.5
    return ranks


def _eager_backward(rows: Tensor, temperature: float, grad: Tensor) -> Tensor:
    result = torch.empty_like(rows)
    for some, items in _blocks(*rows.shape):
        smooth = ((rows[some, None, :] - rows[some, items, None]) / temperature).sigmoid_()
        slope = smooth * (1 - smooth)
        differences = grad[some, None, :] - grad[some, items, None]
        result[some, items] = slope.mul_(differences).sum(-1) / temperature
    return result


def _blocks(n_rows: int, n: int) -> list[tuple[slice, slice]]:
    """(rows, items) so that rows x items x n is about BLOCK."""
    items = max(1, min(n, BLOCK // n))
    rows = max(1, BLOCK // (items * n))
    return [
        (slice(r, min(r + rows, n_rows)), slice(i, min(i + items, n)))
        for r in range(0, n_rows, rows)
        for i in range(0, n, items)
    ]
