r"""Soft ranks of long rows in linear time: a treecode in one dimension, forwards and backwards.

A soft rank is a sum of one smooth kernel over points on a line, $r_i = \tfrac12 + \sum_j \sigma(u_j - u_i)$ with
$u = v / \tau$, and what a pair adds depends on where the two stand, not on which they are. So the line is cut into
cells of width 2 (two temperatures), and with x the place of an item in its cell, from -1 to 1,

$$ \sigma(u_j - u_i) \approx \sum_{m, m' < p} T_m(x_i)\, G^{(o)}_{m m'}\, T_{m'}(x_j) , $$

the interpolation of the kernel at p Chebyshev nodes in both cells, written in Chebyshev polynomials $T_m$; G depends on
the number of cells o between the two only. The items of a cell are summed up by the p moments $\sum_j T_m(x_j)$ first,
then cells meet cells within K of each other, and each item reads off its cell's polynomial. Cells further above count
whole (the kernel is 1 there), those further below not at all. That is O(n p) for the items of a row and O(K p^2) for a
cell in use, where all pairs would be O(n^2). Backwards, $\partial L / \partial v_i = \sum_j \sigma'(u_j - u_i)(g_j -
g_i) / \tau$, the same sums with the kernel $\sigma'$, once weighted by g and once by 1.

*Error.* The poles of both kernels next to the real line are at $\pm i\pi$, so the kernel is analytic within the
Bernstein ellipse of a cell with $\rho = \pi + \sqrt{\pi^2 + 1} \approx 6.44$, and interpolation at p nodes is wrong by
a small multiple of $\rho^{-p}$; leaving out what is further than K cells is wrong by less than $e^{-2K}$ a pair. With
p = 10, K = 10 for float32 both are below 1e-8 a pair, with p = 18, K = 18 for float64 below 1e-13: a soft rank is wrong
by at most this times the number of items within 2K temperatures, plus $n e^{-2K}$.
"""

from __future__ import annotations

from functools import cache
from typing import Any, no_type_check

import numpy as np
import torch
from torch import Tensor

from daa.compiled import njit

CELL = 2.0
"""Width of a cell, in temperatures."""

_options: dict[str, Any] = {"nogil": True, "error_model": "numpy", "fastmath": {"reassoc", "contract", "nsz"}}


def nodes_and_reach(dtype: torch.dtype) -> tuple[int, int]:
    """Nodes p in a cell and the cells K that it meets on either side, for results of this precision."""
    return (18, 18) if dtype == torch.float64 else (10, 10)


@cache
def kernels(p: int, reach: int) -> tuple[np.ndarray, np.ndarray]:
    """G of the sigmoid and of its derivative, [2 reach + 1, p of the sources, p of the targets] each."""
    angles = (2 * np.arange(p) + 1) * np.pi / (2 * p)
    nodes = np.cos(angles)
    to_polynomials = np.cos(np.outer(np.arange(p), angles)) * 2 / p  # values at the nodes -> Chebyshev coefficients
    to_polynomials[0] /= 2
    cells = np.arange(-reach, reach + 1)
    distance = CELL * (
        cells[:, None, None] + nodes[None, :, None] / 2 - nodes[None, None, :] / 2
    )  # [cells, source, target]
    sigmoid = 1 / (1 + np.exp(-distance))
    both = (sigmoid, sigmoid * (1 - sigmoid))
    first, second = (np.einsum("ak,okl,bl->oab", to_polynomials, one, to_polynomials) for one in both)
    return np.ascontiguousarray(first), np.ascontiguousarray(second)


@njit(**_options)
@no_type_check
def _cells_of(row, temperature, place, cell, order):
    """Where each item stands: its place in its cell and the cell's number among those in use, ascending.

    Returns the positions of the cells in use on the line, in cells from the lowest item, and how many there are.
    """
    n = row.size
    low, high = row[0], row[0]
    for j in range(n):
        low, high = min(low, row[j]), max(high, row[j])
    scale = 1.0 / (CELL * temperature)
    for j in range(n):
        y = (np.float64(row[j]) - low) * scale
        order[j] = np.floor(y)
        place[j] = 2.0 * (y - order[j]) - 1.0
    n_cells = (np.float64(high) - low) * scale + 1.0
    if n_cells <= 8.0 * n + 64.0:
        number = np.zeros(int(n_cells) + 1, np.int64)
        for j in range(n):
            number[int(order[j])] = 1
        used = np.empty(min(n, number.size), np.float64)
        n_used = 0
        for k in range(number.size):
            if number[k]:
                used[n_used] = k
                number[k] = n_used
                n_used += 1
        for j in range(n):
            cell[j] = number[int(order[j])]
    else:
        ascending = np.sort(order)
        used = np.empty(n, np.float64)
        n_used = 0
        for j in range(n):
            if n_used == 0 or ascending[j] != used[n_used - 1]:
                used[n_used] = ascending[j]
                n_used += 1
        for j in range(n):
            cell[j] = np.searchsorted(used[:n_used], order[j])
    return used, n_used


@cache
def compiled(p: int) -> tuple[Any, Any]:
    """The kernels for p nodes in a cell, forwards and backwards; that p is a constant lets their loops be unrolled."""

    @njit(**_options)
    @no_type_check
    def _add_moments(moments, x, weight):
        """Add weight * T_m(x) to every moment."""
        before, now = 1.0, x
        moments[0] += weight
        moments[1] += weight * x
        for m in range(2, p):
            before, now = now, 2.0 * x * now - before
            moments[m] += weight * now

    @njit(**_options)
    @no_type_check
    def _evaluate(coefficients, x):
        """The sum of coefficients[m] * T_m(x)."""
        before, now = 1.0, x
        total = coefficients[0] + coefficients[1] * x
        for m in range(2, p):
            before, now = now, 2.0 * x * now - before
            total += coefficients[m] * now
        return total

    @njit(**_options)
    @no_type_check
    def _meet(used, n_used, moments, kernel, result):
        """Fill `result` with the polynomial of each cell in use: what the cells within reach add up to there."""
        reach = kernel.shape[0] // 2
        first = 0
        for a in range(n_used):
            while used[a] - used[first] > reach:
                first += 1
            into = result[a]
            for m in range(p):
                into[m] = 0.0
            b = first
            while b < n_used and used[b] - used[a] <= reach:
                g = kernel[int(used[b] - used[a]) + reach]
                for source in range(p):
                    weight = moments[b, source]
                    line = g[source]
                    for target in range(p):
                        into[target] += weight * line[target]
                b += 1

    @njit(**_options)
    @no_type_check
    def forward_rows(values, temperature, kernel, ranks, first, stop):
        """Fill rows `first` to `stop` of `ranks`; a row that is not finite gets NaN."""
        n, reach = values.shape[1], kernel.shape[0] // 2
        place, order, cell = np.empty(n), np.empty(n), np.empty(n, np.int64)
        moments, sums = np.empty((n, p)), np.empty((n, p))
        for r in range(first, stop):
            row, out = values[r], ranks[r]
            if not np.isfinite(row).all():
                out[:] = np.nan
                continue
            used, n_used = _cells_of(row, temperature, place, cell, order)
            moments[:n_used] = 0.0
            for j in range(n):
                _add_moments(moments[cell[j]], place[j], 1.0)
            _meet(used, n_used, moments, kernel, sums)
            above, b = 0.0, n_used - 1
            for a in range(n_used - 1, -1, -1):
                while used[b] - used[a] > reach:
                    above += moments[b, 0]
                    b -= 1
                sums[a, 0] += above
            for j in range(n):
                out[j] = _evaluate(sums[cell[j]], place[j]) + 0.5

    @njit(**_options)
    @no_type_check
    def backward_rows(values, temperature, kernel, grad, result, first, stop):
        """Fill rows `first` to `stop` of `result` with sum_j W_ij (g_j - g_i) / temperature, W the sigmoids' slopes."""
        n = values.shape[1]
        place, order, cell = np.empty(n), np.empty(n), np.empty(n, np.int64)
        counts, weighted = np.empty((n, p)), np.empty((n, p))
        slopes, sums = np.empty((n, p)), np.empty((n, p))
        for r in range(first, stop):
            row, g, out = values[r], grad[r], result[r]
            if not np.isfinite(row).all():
                out[:] = np.nan
                continue
            used, n_used = _cells_of(row, temperature, place, cell, order)
            counts[:n_used] = 0.0
            weighted[:n_used] = 0.0
            mean = 0.0
            for j in range(n):
                mean += g[j]
            mean /= n  # differences of gradients are what counts, and smaller numbers lose less
            for j in range(n):
                _add_moments(counts[cell[j]], place[j], 1.0)
                _add_moments(weighted[cell[j]], place[j], g[j] - mean)
            _meet(used, n_used, counts, kernel, slopes)
            _meet(used, n_used, weighted, kernel, sums)
            for j in range(n):
                slope = _evaluate(slopes[cell[j]], place[j])
                out[j] = (_evaluate(sums[cell[j]], place[j]) - (g[j] - mean) * slope) / temperature

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
    p, reach = nodes_and_reach(rows.dtype)
    kernel = torch.from_numpy(kernels(p, reach)[grad is not None]).to(rows.device)  # [2 reach + 1, source, target]
    y = (rows.double() - rows.double().amin(-1, keepdim=True)) / (CELL * temperature)
    cell = y.floor().clamp_max(n_cells - 1)
    x, cell = 2 * (y - cell) - 1, cell.long()
    polynomials = [torch.ones_like(x), x]
    for _ in range(2, p):
        polynomials.append(2 * x * polynomials[-1] - polynomials[-2])
    basis = torch.stack(polynomials[:p], dim=-1)  # [rows, n, p]
    index = cell[..., None].expand_as(basis)

    def met(weighted: Tensor) -> tuple[Tensor, Tensor]:
        """The polynomial of each item's cell at the item, and the moments, with `reach` empty cells on either side."""
        moments = basis.new_zeros(len(rows), n_cells + 2 * reach, p)
        moments.scatter_add_(1, index + reach, weighted)
        windows = moments.unfold(1, 2 * reach + 1, 1)  # [rows, cells, source, 2 reach + 1]
        sums = torch.einsum("rcsk,kst->rct", windows, kernel)
        return (sums.gather(1, index) * basis).sum(-1), moments

    if grad is None:
        ranks, moments = met(basis)
        counts = moments[..., 0]
        up_to = counts.cumsum(1)[:, 2 * reach :]  # of the cells within reach above, and all below
        return (ranks + (rows.shape[1] - up_to).gather(1, cell) + 0.5).to(rows.dtype)
    centred = grad.double() - grad.double().mean(-1, keepdim=True)
    slopes, _ = met(basis)
    sums, _ = met(basis * centred[..., None])
    return ((sums - centred * slopes) / temperature).to(rows.dtype)
