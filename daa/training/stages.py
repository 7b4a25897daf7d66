"""The stages of a run: optimizer and learning rate of each, and when its validations end it."""

from __future__ import annotations

import inspect
import math
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from adamp import AdamP
from torch import Tensor, nn

from daa.names import closest
from daa.training.config import Config, OptimConfig


@dataclass(frozen=True)
class Stage:
    """Steps under one optimizer.

    Args:
        number: from 0.
        first: its first step in the run.
        end: the step after its last.
        optim: how it is minimised.
        frozen: whether pretrained parts of the encoders are; None leaves them as they were built.
    """

    number: int
    first: int
    end: int
    optim: OptimConfig
    frozen: bool | None

    def prepare(self, model: nn.Module) -> None:
        """Freeze or free the pretrained parts of those encoders that have any."""
        if self.frozen is not None:
            for encoder in (model.image_encoder, model.text_encoder):
                if hasattr(encoder, "set_frozen"):
                    encoder.set_frozen(self.frozen)  # type: ignore[operator]


def stages(config: Config, steps_per_epoch: int) -> list[Stage]:
    """The stages of a run, one or two.

    >>> config = Config().with_(finetune={"epochs": 5})
    >>> [(stage.first, stage.end, stage.frozen) for stage in stages(config, steps_per_epoch=2)]
    [(0, 20, True), (20, 30, False)]
    """
    first, more = config.train.epochs * steps_per_epoch, config.finetune.epochs * steps_per_epoch
    if not more:
        return [Stage(0, 0, first, config.optim, None)]
    return [Stage(0, 0, first, config.optim, True), Stage(1, first, first + more, config.finetune_optim(), False)]


@dataclass
class EarlyStopping:
    """What the validations of a stage decide: the "plateau" schedule, and when it is enough.

    Args:
        best: the highest rsum so far.
        without_better: validations in a row since then.
        put_up_with: the same, counted anew whenever the rate falls.
        factor: what is left of the learning rate.

    >>> seen, optim = EarlyStopping(), OptimConfig(schedule="plateau", factor=0.5, plateau_patience=1)
    >>> for rsum in (1.0, 1.5, 1.4, 1.5):
    ...     seen.note(rsum, optim)
    >>> seen.factor, seen.enough(patience=3), seen.enough(patience=None)
    (0.5, False, False)
    """

    best: float | None = None
    without_better: int = 0
    put_up_with: int = 0
    factor: float = 1.0

    def note(self, rsum: float, optim: OptimConfig) -> None:
        """Take note of a validation of a stage that is minimised so."""
        if self.best is None or rsum > self.best:
            self.best, self.without_better, self.put_up_with = rsum, 0, 0
            return
        self.without_better += 1
        self.put_up_with += 1
        if self.put_up_with > optim.plateau_patience:
            self.put_up_with = 0
            if optim.schedule == "plateau":
                self.factor *= optim.factor

    def enough(self, patience: int | None) -> bool:
        """Whether so many validations in a row were no better; None for never."""
        return patience is not None and self.without_better >= patience


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
