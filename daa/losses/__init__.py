"""The differentiable side: what is minimised in training. Every loss takes images x captions matrices of a batch."""

from daa.losses.pairs import (
    ClosedFormContrastiveLoss,
    InfoNCELoss,
    SoftContrastiveLoss,
    TripletLoss,
    closed_form_contrastive_loss,
    info_nce_loss,
    soft_contrastive_loss,
    triplet_loss,
)
from daa.losses.ranking import DAALoss, SmoothAPLoss, daa_loss, smooth_ap_loss
from daa.losses.regularizers import diversity, kl_standard_normal, mmd, uniformity

__all__ = [
    "ClosedFormContrastiveLoss",
    "DAALoss",
    "InfoNCELoss",
    "SmoothAPLoss",
    "SoftContrastiveLoss",
    "TripletLoss",
    "closed_form_contrastive_loss",
    "daa_loss",
    "diversity",
    "info_nce_loss",
    "kl_standard_normal",
    "mmd",
    "smooth_ap_loss",
    "soft_contrastive_loss",
    "triplet_loss",
    "uniformity",
]
