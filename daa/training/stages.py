"""The stages of a run, and what its validations have to say about the rest of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import nn

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


class Verdicts:
    """What the validations of a stage decide: the "plateau" schedule, and when it is enough.

    Args:
        optim: of the stage.
        patience: validations in a row without a better rsum after which the stage ends; None for never.
        state: what was seen so far; a dictionary for JSON, kept with the run, changed in place. {} for a new stage.

    >>> verdicts = Verdicts(OptimConfig(schedule="plateau", factor=0.5, plateau_patience=1), 3, {})
    >>> for rsum in (1.0, 1.5, 1.4, 1.5):
    ...     verdicts(rsum)
    >>> verdicts.factor, verdicts.enough
    (0.5, False)
    """

    def __init__(self, optim: OptimConfig, patience: int | None, state: dict[str, Any]) -> None:
        self.optim, self.patience, self.state = optim, patience, state
        for name, value in (("best", None), ("without_better", 0), ("put_up_with", 0), ("factor", 1.0)):
            state.setdefault(name, value)

    def __call__(self, rsum: float) -> None:
        """Take note of a validation."""
        state = self.state
        if state["best"] is None or rsum > state["best"]:
            state |= {"best": rsum, "without_better": 0, "put_up_with": 0}
            return
        state["without_better"] += 1
        state["put_up_with"] += 1
        if state["put_up_with"] > self.optim.plateau_patience:
            state["put_up_with"] = 0
            if self.optim.schedule == "plateau":
                state["factor"] *= self.optim.factor

    @property
    def factor(self) -> float:
        """What is left of the learning rate."""
        return self.state["factor"]

    @property
    def enough(self) -> bool:
        """Whether the stage should end."""
        return self.patience is not None and self.state["without_better"] >= self.patience
