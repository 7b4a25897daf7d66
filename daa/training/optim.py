"""The optimizer, and the learning rate as a function of the step."""

from __future__ import annotations

import inspect
import math
from functools import partial
from typing import Any

import torch
from adamp import AdamP
from torch import Tensor, nn

from daa.names import closest
from daa.training.config import OptimConfig


class AnyLayoutAdamP(AdamP):
    """AdamP of filters in any memory layout; the package's takes views, which channels-last filters do not have.

    >>> filters = nn.Parameter(torch.ones(2, 3, 2, 2).to(memory_format=torch.channels_last))
    >>> (filters * filters).sum().backward()
    >>> AnyLayoutAdamP([filters], lr=0.5).step()
    >>> bool((filters < 1).all())
    True
    """

    def _channel_view(self, x: Tensor) -> Tensor:
        return x.reshape(x.size(0), -1)

    def _layer_view(self, x: Tensor) -> Tensor:
        return x.reshape(1, -1)


def build_optimizer(model: nn.Module, objective: nn.Module, config: OptimConfig) -> torch.optim.Optimizer:
    """An optimizer over what is not frozen in the model, and the loss's own parameters.

    Weight decay applies to matrices and filters of the model only: not to biases, norms or the loss's parameters.
    Each group keeps its highest rate as `"peak"`.

    Raises:
        ValueError: an option that the optimizer does not have.
    """
    trained = [p for p in model.parameters() if p.requires_grad]
    groups = [
        {"params": [p for p in trained if p.dim() > 1], "lr": config.lr, "weight_decay": config.weight_decay},
        {"params": [p for p in trained if p.dim() <= 1], "lr": config.lr, "weight_decay": 0.0},
        {"params": list(objective.parameters()), "lr": config.loss_lr or config.lr, "weight_decay": 0.0},
    ]
    groups = [dict(group, peak=group["lr"]) for group in groups if group["params"]]
    known = {"adamw": torch.optim.AdamW, "adam": torch.optim.Adam, "adamp": AnyLayoutAdamP}
    make: Any = partial(torch.optim.SGD, momentum=0.9) if config.name == "sgd" else known[config.name]
    allowed = [name for name in inspect.signature(make).parameters if name not in ("params", "lr", "weight_decay")]
    for option in config.options:
        if option not in allowed:
            raise ValueError(
                f"optim.options: {config.name} takes {', '.join(allowed)}, not {option!r}{closest(option, allowed)}"
            )
    return make(groups, **config.options)


def rate(config: OptimConfig, step: int, steps: int, steps_per_epoch: int) -> float:
    """The learning rate of a step as a share of the highest one, in (0, 1].

    It rises linearly over the first `warmup * steps` steps, or `warmup_epochs` epochs, then follows the schedule.
    What "plateau" takes off comes on top: it depends on validations, not on the step.

    >>> [round(rate(OptimConfig(warmup=0.5), step, 4, 1), 2) for step in range(4)]
    [0.5, 1.0, 0.85, 0.15]
    """
    warmup = round(config.warmup_epochs * steps_per_epoch) if config.warmup_epochs else round(config.warmup * steps)
    if step < warmup:
        return (step + 1) / warmup
    if config.schedule == "cosine":
        return (1 + math.cos(math.pi * (step - warmup + 0.5) / (steps - warmup))) / 2
    if config.schedule == "step":
        return config.factor ** (step // (steps_per_epoch * config.step_epochs))
    return 1.0


def set_rate(optimizer: torch.optim.Optimizer, share: float) -> None:
    """Set each group's learning rate to a share of its highest."""
    for group in optimizer.param_groups:
        group["lr"] = share * group["peak"]
