"""From images and captions to embeddings in one space."""

from daa.encoders.bert import BERTText
from daa.encoders.image import ConvSmall, FeatureEncoder, ResNet, TorchvisionEncoder
from daa.encoders.model import IMAGE_ENCODERS, TEXT_ENCODERS, Model, build_model
from daa.encoders.pretrained import without_pretrained
from daa.encoders.sentence import SentenceGRU
from daa.encoders.text import ConvText, GRUText
from daa.encoders.vocabulary import Vocabulary

__all__ = [
    "IMAGE_ENCODERS",
    "TEXT_ENCODERS",
    "BERTText",
    "ConvSmall",
    "ConvText",
    "FeatureEncoder",
    "GRUText",
    "Model",
    "ResNet",
    "SentenceGRU",
    "TorchvisionEncoder",
    "Vocabulary",
    "build_model",
    "without_pretrained",
]
