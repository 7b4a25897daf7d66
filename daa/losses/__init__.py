"""The differentiable side: what is minimised in training. Every loss takes images x captions matrices of a batch."""

from daa.losses.contrastive import (
    ClosedFormContrastiveLoss,
    InfoNCELoss,
    SoftContrastiveLoss,
    closed_form_contrastive_loss,
    info_nce_loss,
    soft_contrastive_loss,
)
from daa.losses.daa import DAALoss, daa_loss
from daa.losses.regularizers import diversity, kl_standard_normal, mmd, uniformity
from daa.losses.smooth_ap import SmoothAPLoss, smooth_ap_loss
from daa.losses.triplet import TripletLoss, triplet_loss

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
