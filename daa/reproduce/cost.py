"""What a computation costs, counted without doing it: operations, and what is kept for the backward pass."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

import torch
from torch import Tensor
from torch.autograd.graph import saved_tensors_hooks
from torch.utils.flop_counter import FlopCounterMode


class Cost(NamedTuple):
    """Of one computation.

    Args:
        flops: operations of matrix products and convolutions, a multiplication and an addition counted as two.
        kept: bytes that are kept from the forward for the backward pass, weights not counted.
    """

    flops: float
    kept: float

    def times(self, n: int | float) -> Cost:
        """That of n such computations side by side."""
        return Cost(self.flops * n, self.kept * n)

    def plus(self, other: Cost) -> Cost:
        """That of both."""
        return Cost(self.flops + other.flops, self.kept + other.kept)


def cost_of(
    compute: Callable[[], Iterable[Tensor]], held: Iterable[Tensor] = (), backward: bool = True
) -> tuple[Cost, list[Tensor]]:
    """The cost of a forward pass and of the backward pass from the sum of its results, and these results.

    On tensors of the device "meta", which have shapes and no numbers, nothing is computed.

    Args:
        compute: the forward pass.
        held: tensors that are there anyway, such as weights, and do not count as kept.
        backward: whether there is a backward pass; without it nothing is kept.

    >>> layer = torch.nn.Linear(4, 3, device="meta")
    >>> cost_of(lambda: [layer(torch.empty(2, 4, device="meta"))], layer.parameters())[0]
    Cost(flops=96.0, kept=32.0)
    """
    known = {_storage(tensor) for tensor in held}
    kept: dict[Any, Tensor] = {}

    def keep(tensor: Tensor) -> Tensor:
        if _storage(tensor) not in known:
            kept[_storage(tensor)] = tensor  # holding it, so that its place is not given to another
        return tensor

    with FlopCounterMode(display=False) as counter, torch.set_grad_enabled(backward):
        with saved_tensors_hooks(keep, lambda tensor: tensor):
            results = list(compute())
        n_bytes = sum(tensor.untyped_storage().nbytes() for tensor in kept.values())
        if backward and any(result.requires_grad for result in results):
            torch.autograd.backward([r.sum() for r in results if r.requires_grad])
    detached = [result.detach() for result in results]
    return Cost(float(counter.get_total_flops()), float(n_bytes if backward else 0)), detached


def _storage(tensor: Tensor) -> int:
    return tensor.untyped_storage()._cdata
