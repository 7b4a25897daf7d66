r"""Soft ranks of long rows in linear time: a treecode in one dimension, forwards and backwards.

A soft rank is a sum of one smooth kernel over points on a line, $r_i = \tfrac12 + \sum_j \sigma(u_j - u_i)$ with
$u = v / \tau$, and what a pair adds depends on where the two stand, not on which they are. So the line is cut into
cells of width 2 (two temperatures), and a cell stands for its items by p moments $\sum_j T_m(x_j)$, with x the place of
an item in its cell, from -1 to 1, and $T_m$ the Chebyshev polynomials.

*Near*, in cells at most K apart, the kernel is interpolated at p Chebyshev nodes in both cells,

$$ \sigma(u_j - u_i) \approx \sum_{m, m' < p} T_m(x_i)\, G^{(o)}_{m m'}\, T_{m'}(x_j) , $$

where G depends on the number of cells o between the two only. *Far*, the kernel is a short sum of exponentials,

$$ \sigma(-d) = e^{-d} - e^{-2d} + e^{-3d} - \dots , \qquad \sigma(d) = 1 - \sigma(-d) , $$

and each splits into a factor of the source and one of the target: its sum over all sources on one side is one number,
carried along the line from cell to cell, where it shrinks by $e^{-2k}$. Each item reads off its cell's polynomial. That
is O(n p) for the items of a row and O(K p^2) for a cell in use, where all pairs would be O(n^2). Backwards,
$\partial L / \partial v_i = \sum_j \sigma'(u_j - u_i)(g_j - g_i) / \tau$, the same sums with the kernel $\sigma'$, once
weighted by g and once by 1.

*Error.* The poles of both kernels next to the real line are at $\pm i\pi$, so the kernel is analytic within the
Bernstein ellipse of a cell with $\rho = \pi + \sqrt{\pi^2 + 1} \approx 6.44$, and interpolation at p nodes is wrong by
a small multiple of $\rho^{-p}$. Far items are more than 2K apart, the terms of their series alternate and fall, and
stopping after t is wrong by less than the next, $e^{-2K(t+1)}$ (backwards t + 1 times that). With p = 10, K = 2, t = 4
for float32 both are below 1e-8 a pair, with p = 18, K = 3, t = 5 for float64 below 1e-13: a soft rank is wrong by at
most this times n, and by what its own precision rounds off.
"""

from __future__ import annotations

from functools import cache
from typing import Any, NamedTuple, no_type_check

import numpy as np
import torch
from torch import Tensor

from daa.compiled import njit

CELL = 2.0
"""Width of a cell, in temperatures."""

_GAPS = 64
"""Cells beyond which an exponential has nothing left, exp(-128)."""

_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}


class Kernel(NamedTuple):
    """The sigmoid, or its derivative, between two cells: by the distance o of the source's cell from the target's.

    Of arrays, or of tensors.

    Attributes:
        near: G for o = -K to K, [2 K + 1, p of the sources, p of the targets].
        exponentials: Chebyshev coefficients of exp(-k x), and of exp(k x), [2, t, p].
        series: what the k-th exponential counts, of sources above and of those below, [2, t].
        whole: what a far source counts besides, above and below, [2].
        decay: exp(-k o CELL), [gaps o, t]; 0 for the last.
    """

    near: Any
    exponentials: Any
    series: Any
    whole: Any
    decay: Any


@cache
def kernels(dtype: torch.dtype) -> tuple[Kernel, Kernel]:
    """The sigmoid and its derivative, for results of this precision."""
    p, reach, terms = (18, 3, 5) if dtype == torch.float64 else (10, 2, 4)
    angles = (2 * np.arange(p) + 1) * np.pi / (2 * p)
    nodes = np.cos(angles)
    to_polynomials = np.cos(np.outer(np.arange(p), angles)) * 2 / p  # values at the nodes -> Chebyshev coefficients
    to_polynomials[0] /= 2
    cells = np.arange(-reach, reach + 1)[:, None, None]
    distance = CELL * (cells + nodes[None, :, None] / 2 - nodes[None, None, :] / 2)  # [cells, source, target]
    sigmoid = 1 / (1 + np.exp(-distance))
    k = np.arange(1, terms + 1)
    exponentials = np.exp(np.array([-1, 1])[:, None, None] * k[:, None] * nodes * CELL / 2) @ to_polynomials.T
    decay = np.exp(-CELL * k * np.arange(_GAPS + 1)[:, None])
    decay[_GAPS] = 0
    signs = (-1.0) ** (k + 1)

    def kernel(values: np.ndarray, series: list[np.ndarray], whole: list[float]) -> Kernel:
        near = np.ascontiguousarray(np.einsum("ak,okl,bl->oab", to_polynomials, values, to_polynomials))
        return Kernel(near, exponentials, np.array(series), np.array(whole), decay)

    return (
        kernel(sigmoid, [-signs, signs], [1.0, 0.0]),
        kernel(sigmoid * (1 - sigmoid), [k * signs, k * signs], [0.0, 0.0]),
    )


@njit(**_options)
@no_type_check
def _into_cells(row, temperature, place, order, used, start):
    """Sort a row by cell, ascending.

    Fills, item by item in the new order, its `place` in its cell and where it stood (`order`), and for each cell in use
    its number on the line, from the lowest item (`used`), and its first item (`start`). Returns how many are in use.
    """
    n = row.size
    low, high = np.float64(row[0]), np.float64(row[0])
    for j in range(n):
        low, high = min(low, np.float64(row[j])), max(high, np.float64(row[j]))
    scale = 1.0 / (CELL * temperature)
    n_used = 0
    if (high - low) * scale <= 8.0 * n + 64.0:
        at = np.zeros(int((high - low) * scale) + 1, np.int64)
        for j in range(n):
            at[int((row[j] - low) * scale)] += 1
        first = 0
        for k in range(at.size):
            count = at[k]
            at[k] = first
            if count:
                used[n_used], start[n_used] = k, first
                n_used += 1
                first += count
        for j in range(n):
            y = (row[j] - low) * scale
            k = int(y)
            i = at[k]
            at[k] += 1
            order[i], place[i] = j, 2.0 * (y - k) - 1.0
    else:
        order[:] = np.argsort(row)
        for i in range(n):
            y = (row[order[i]] - low) * scale
            k = np.floor(y)
            place[i] = 2.0 * (y - k) - 1.0
            if n_used == 0 or used[n_used - 1] != k:
                used[n_used], start[n_used] = k, i
                n_used += 1
    start[n_used] = n
    return n_used


@njit(**_options)
@no_type_check
def _polynomials(place, basis):
    """Fill basis[m, i] with T_m of each place, some hundred items at a time."""
    for begin in range(0, place.size, 512):
        x = place[begin : begin + 512]
        basis[0, begin : begin + 512] = 1.0
        basis[1, begin : begin + 512] = x
        for m in range(2, basis.shape[0]):
            before = basis[m - 2, begin : begin + 512]
            now = basis[m - 1, begin : begin + 512]
            after = basis[m, begin : begin + 512]
            for i in range(x.size):
                after[i] = 2.0 * x[i] * now[i] - before[i]


@njit(**_options)
@no_type_check
def _sum_up(basis, weight, start, n_used, moments):
    """Fill the moments of each cell in use, of its items' weights."""
    for a in range(n_used):
        weights = weight[start[a] : start[a + 1]]
        for m in range(basis.shape[0]):
            line = basis[m, start[a] : start[a + 1]]
            total = 0.0
            for i in range(line.size):
                total += line[i] * weights[i]
            moments[a, m] = total


@njit(**_options)
@no_type_check
def _read_off(basis, polynomials, start, n_used, result):
    """Fill the values of each cell's polynomial at its items."""
    for a in range(n_used):
        values = result[start[a] : start[a + 1]]
        values[:] = polynomials[a, 0]
        for m in range(1, basis.shape[0]):
            line, coefficient = basis[m, start[a] : start[a + 1]], polynomials[a, m]
            for i in range(line.size):
                values[i] += coefficient * line[i]


@cache
def compiled(dtype: torch.dtype) -> tuple[Any, Any]:
    """Kernels of all rows, forwards and backwards; that p and t are constants lets their loops be unrolled."""
    _, terms, p = kernels(dtype)[0].exponentials.shape

    @njit(**_options)
    @no_type_check
    def _meet_near(used, n_used, moments, near, result):
        """Fill `result` with the polynomial of each cell in use: what the cells within reach add up to there."""
        reach = near.shape[0] // 2
        first = 0
        for a in range(n_used):
            while used[a] - used[first] > reach:
                first += 1
            into = result[a]
            for m in range(p):
                into[m] = 0.0
            b = first
            while b < n_used and used[b] - used[a] <= reach:
                g = near[int(used[b] - used[a]) + reach]
                for source in range(p):
                    weight = moments[b, source]
                    line = g[source]
                    for target in range(p):
                        into[target] += weight * line[target]
                b += 1

    @njit(**_options)
    @no_type_check
    def _meet_far(used, n_used, moments, kernel, side, result):
        """Add to `result` what all cells out of reach on one side, 0 above or 1 below, add up to."""
        reach, last = kernel.near.shape[0] // 2, kernel.decay.shape[0] - 1
        of_source, of_target = kernel.exponentials[side], kernel.exponentials[1 - side]
        carried, whole, far = np.zeros(terms), 0.0, 0
        for step in range(n_used):
            a, b = step, far
            if side == 0:
                a, b = n_used - 1 - step, n_used - 1 - far
            if step:
                before = a + 1 if side == 0 else a - 1
                decay = kernel.decay[int(min(abs(used[a] - used[before]), last))]
                for k in range(terms):
                    carried[k] *= decay[k]
            while abs(used[b] - used[a]) > reach:
                decay = kernel.decay[int(min(abs(used[b] - used[a]), last))]
                for k in range(terms):
                    total = 0.0
                    for m in range(p):
                        total += of_source[k, m] * moments[b, m]
                    carried[k] += decay[k] * total
                whole += moments[b, 0]
                far += 1
                b = n_used - 1 - far if side == 0 else far
            result[a, 0] += kernel.whole[side] * whole
            for k in range(terms):
                weight = kernel.series[side, k] * carried[k]
                for m in range(p):
                    result[a, m] += weight * of_target[k, m]

    @njit(**_options)
    @no_type_check
    def _meet(used, n_used, moments, kernel, result):
        _meet_near(used, n_used, moments, kernel.near, result)
        _meet_far(used, n_used, moments, kernel, 0, result)
        _meet_far(used, n_used, moments, kernel, 1, result)

    @njit(**_options)
    @no_type_check
    def forward_rows(values, temperature, kernel, ranks, first, stop):
        """Fill rows `first` to `stop` of `ranks`; a row that is not finite gets NaN."""
        n = values.shape[1]
        place, order, basis = np.empty(n), np.empty(n, np.int64), np.empty((p, n))
        used, start = np.empty(n), np.empty(n + 1, np.int64)
        moments, polynomials = np.empty((n, p)), np.empty((n, p))
        ones, sums = np.ones(n), np.empty(n)
        for r in range(first, stop):
            row, out = values[r], ranks[r]
            if not np.isfinite(row).all():
                out[:] = np.nan
                continue
            n_used = _into_cells(row, temperature, place, order, used, start)
            _polynomials(place, basis)
            _sum_up(basis, ones, start, n_used, moments)
            _meet(used, n_used, moments, kernel, polynomials)
            _read_off(basis, polynomials, start, n_used, sums)
            for i in range(n):
                out[order[i]] = sums[i] + 0.5

    @njit(**_options)
    @no_type_check
    def backward_rows(values, temperature, kernel, grad, result, first, stop):
        """Fill rows `first` to `stop` of `result` with sum_j W_ij (g_j - g_i) / temperature, W the sigmoids' slopes."""
        n = values.shape[1]
        place, order, basis = np.empty(n), np.empty(n, np.int64), np.empty((p, n))
        used, start = np.empty(n), np.empty(n + 1, np.int64)
        moments, polynomials = np.empty((n, p)), np.empty((n, p))
        ones, weight, slopes, sums = np.ones(n), np.empty(n), np.empty(n), np.empty(n)
        for r in range(first, stop):
            row, g, out = values[r], grad[r], result[r]
            if not np.isfinite(row).all():
                out[:] = np.nan
                continue
            n_used = _into_cells(row, temperature, place, order, used, start)
            _polynomials(place, basis)
            mean = 0.0
            for j in range(n):
                mean += g[j]
            mean /= n  # differences of gradients are what counts, and smaller numbers lose less
            for i in range(n):
                weight[i] = g[order[i]] - mean
            _sum_up(basis, ones, start, n_used, moments)
            _meet(used, n_used, moments, kernel, polynomials)
            _read_off(basis, polynomials, start, n_used, slopes)
            _sum_up(basis, weight, start, n_used, moments)
            _meet(used, n_used, moments, kernel, polynomials)
            _read_off(basis, polynomials, start, n_used, sums)
            for i in range(n):
                out[order[i]] = (sums[i] - weight[i] * slopes[i]) / temperature

    return forward_rows, backward_rows


def cells_needed(rows: Tensor, temperature: float) -> int:
    """Cells of the widest row; what `in_torch` takes memory for. Waits for a GPU."""
    spread = ((rows.amax(-1) - rows.amin(-1)).double() / (CELL * temperature)).amax()
    return int(min(spread.item(), 2.0**40)) + 1


def in_torch(rows: Tensor, temperature: float, n_cells: int, grad: Tensor | None = None) -> Tensor:
    """The same in torch operations, for devices other than the CPU: ranks, or with `grad` their gradient.

    Args:
        rows: [rows, n], finite.
        temperature: > 0.
        n_cells: of `cells_needed`.
        grad: gradient of the ranks, [rows, n].
    """
    kernel = Kernel(*(torch.from_numpy(part).to(rows.device) for part in kernels(rows.dtype)[grad is not None]))
    p = kernel.exponentials.shape[-1]
    reach = len(kernel.near) // 2
    past = reach + -(-40 // int(CELL))  # cells from which even the first exponential, below exp(-40), is left out
    y = (rows.double() - rows.double().amin(-1, keepdim=True)) / (CELL * temperature)
    cell = y.floor().clamp_max(n_cells - 1)
    x, cell = 2 * (y - cell) - 1, cell.long()
    polynomials = [torch.ones_like(x), x]
    for _ in range(2, p):
        polynomials.append(2 * x * polynomials[-1] - polynomials[-2])
    basis = torch.stack(polynomials, dim=-1)  # [rows, n, p]
    index = cell[..., None].expand_as(basis)
    gaps = kernel.decay[reach + 1 : past + 1]  # [gaps, terms]

    def met(weighted: Tensor) -> Tensor:
        """The polynomial of each item's cell at the item; moments have `past` empty cells on either side."""
        moments = basis.new_zeros(len(rows), n_cells + 2 * past, p)
        moments.scatter_add_(1, index + past, weighted)
        near = moments[:, past - reach : past + n_cells + reach].unfold(1, 2 * reach + 1, 1)
        sums = torch.einsum("rcsk,kst->rct", near, kernel.near)  # near: [rows, cells, source, 2 reach + 1]
        for side, decay in ((0, gaps), (1, gaps.flip(0))):
            ends = slice(past + reach + 1, None) if side == 0 else slice(None, past + n_cells - reach - 1)
            carried = torch.einsum("rcp,tp->rct", moments[:, ends], kernel.exponentials[side])
            carried = torch.einsum("rctg,gt->rct", carried.unfold(1, len(gaps), 1), decay) * kernel.series[side]
            sums += torch.einsum("rct,tp->rcp", carried, kernel.exponentials[1 - side])
        up_to = moments[..., 0].cumsum(1)[:, past + reach : past + reach + n_cells]  # within reach above, and all below
        sums[..., 0] += kernel.whole[0] * (up_to[:, -1:] - up_to)
        return (sums.gather(1, index) * basis).sum(-1)

    if grad is None:
        return (met(basis) + 0.5).to(rows.dtype)
    centred = grad.double() - grad.double().mean(-1, keepdim=True)
    return ((met(basis * centred[..., None]) - centred * met(basis)) / temperature).to(rows.dtype)
