"""The model that a configuration describes."""

from __future__ import annotations

from typing import Any

import torch

from daa.encoders.inputs import ImageInputs
from daa.encoders.model import Model, build_model
from daa.encoders.vocabulary import Vocabulary
from daa.training.config import Config


@torch.no_grad()
def first_embeddings(model: Model, data: ImageInputs) -> tuple[Any, Any]:
    """Embeddings of one image and one caption, to see of which kind they are."""
    model.eval()
    images = model.encode_images(data.batch([0]))
    captions = model.encode_captions(data.dataset.corpus.captions[:1])
    return images, captions


def new_model(config: Config, vocabulary: Vocabulary) -> Model:
    """The untrained model of a configuration."""
    encoders = config.encoders
    return build_model(
        encoders.image,
        encoders.text,
        vocabulary,
        encoders.embedding_dim,
        encoders.image_options,
        encoders.text_options,
        encoders.similarity,
        encoders.similarity_options,
    )
