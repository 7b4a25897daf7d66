"""What a configuration describes: its splits and their relevance, prepared once, and its untrained model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from daa.datasets import load_dataset
from daa.datasets.base import ImageInputs, ImageTextDataset
from daa.datasets.download import fetch
from daa.encoders.model import Model, build_model
from daa.encoders.pretrained import fetching_by
from daa.encoders.vocabulary import Vocabulary
from daa.relevance import Relevance, relevance_by_name
from daa.training.config import Config, DataConfig


@dataclass
class TrainingData:
    """Both splits, ready to train on; runs that differ in model, loss or seed can share one.

    Args:
        train: images of the training split.
        val: images of the validation split.
        relevance: fitted on the training captions; `.batch(images, captions)`.
        val_relevance: [images, captions] of the validation split, fitted on its own captions as the paper does.
    """

    train: ImageInputs
    val: ImageInputs
    relevance: Relevance
    val_relevance: np.ndarray


def load_split(config: DataConfig, split: str, n_images: int | None = None, augment: bool = False) -> ImageTextDataset:
    """A split of the configured data set, or its first `n_images` images; with random views if those are asked for."""
    options = {"image_size": config.image_size, **config.options}
    if augment and config.augment != "none":
        options["augment"] = config.augment
    dataset = load_dataset(config.name, split=split, root=config.root, **options)
    if n_images is None or n_images >= dataset.corpus.n_images:
        return dataset
    return dataset.select(slice(n_images))


def load_data(config: Config) -> TrainingData:
    """Read both splits and fit the relevance."""
    data, kind = config.data, config.loss.relevance
    relevance, val_relevance = relevance_by_name(kind), relevance_by_name(kind)
    train = load_split(data, data.train, data.train_images, augment=True)
    val = load_split(data, data.val, data.val_images)
    return TrainingData(
        ImageInputs(train, data.keep_images and data.augment == "none"),  # random views need the pictures themselves
        ImageInputs(val, data.keep_images),
        relevance.fit(train.corpus),
        val_relevance.fit(val.corpus).matrix(),
    )


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


@torch.no_grad()
def first_embeddings(model: Model, data: ImageInputs) -> tuple[Any, Any]:
    """Embeddings of one image and one caption, to see of which kind they are."""
    model.eval()
    images = model.encode_images(data.batch([0]))
    captions = model.encode_captions(data.dataset.corpus.captions[:1])
    return images, captions
