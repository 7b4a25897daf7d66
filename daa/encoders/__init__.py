"""From images and captions to Gaussians in one space."""

from daa.encoders.gaussian import Gaussian
from daa.encoders.image import ConvSmall, ResNet
from daa.encoders.model import IMAGE_ENCODERS, TEXT_ENCODERS, Model, build_model
from daa.encoders.text import ConvText, GRUText
from daa.encoders.vocabulary import Vocabulary

__all__ = [
    "IMAGE_ENCODERS",
    "TEXT_ENCODERS",
    "ConvSmall",
    "ConvText",
    "GRUText",
    "Gaussian",
    "Model",
    "ResNet",
    "Vocabulary",
    "build_model",
]
