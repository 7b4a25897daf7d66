"""The model that a configuration describes."""

from __future__ import annotations

from typing import Any

import torch

from daa.datasets.base import ImageInputs
from daa.datasets.download import fetch
from daa.encoders.model import Model, build_model
from daa.encoders.pretrained import fetching_by
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
    """The untrained model of a configuration; weights it names are got as data sets are, from a mirror for instance."""
    encoders = config.encoders
    with fetching_by(fetch):
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
