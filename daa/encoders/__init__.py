"""From images and captions to embeddings in one space."""

from daa.encoders.bert import BERTText
from daa.encoders.image import ConvSmall, FeatureEncoder, TorchvisionEncoder
from daa.encoders.model import IMAGE_ENCODERS, TEXT_ENCODERS, Model, build_model
from daa.encoders.pretrained import without_pretrained
from daa.encoders.text import ConvText, GRUText, SentenceGRU
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
    "SentenceGRU",
    "TorchvisionEncoder",
    "Vocabulary",
    "build_model",
    "without_pretrained",
]
