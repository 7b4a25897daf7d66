"""The differentiable side: what is minimised in training. Every loss takes images x captions matrices of a batch."""

from daa.losses.daa import DAALoss, daa_loss

__all__ = ["DAALoss", "daa_loss"]
