"""From images and captions to Gaussians in one space."""

from daa.encoders.embedding import Embedding, LocalFeatures, PointSet, concatenate
from daa.encoders.gaussian import Gaussian
from daa.encoders.image import ConvSmall, ResNet
from daa.encoders.model import IMAGE_ENCODERS, SIMILARITIES, TEXT_ENCODERS, Model, build_model
from daa.encoders.text import ConvText, GRUText
from daa.encoders.vocabulary import Vocabulary

__all__ = [
    "IMAGE_ENCODERS",
    "SIMILARITIES",
    "TEXT_ENCODERS",
    "ConvSmall",
    "ConvText",
    "Embedding",
    "GRUText",
    "Gaussian",
    "LocalFeatures",
    "Model",
    "PointSet",
    "ResNet",
    "Vocabulary",
    "build_model",
    "concatenate",
]
