"""Embeddings of a whole data set, and the matrix of scores between its images and its captions."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from daa.datasets.base import ImageTextDataset
from daa.encoders.gaussian import Gaussian
from daa.encoders.inputs import ImageInputs
from daa.encoders.model import Model


@torch.no_grad()
def embed_images(model: Model, images: ImageInputs, batch_size: int = 256) -> Gaussian:
    """Embeddings of all images of a data set, in the order of its corpus, on the CPU."""
    with _evaluating(model):
        parts = [
            model.encode_images(images.batch(np.arange(start, min(start + batch_size, len(images)))))
            for start in range(0, len(images), batch_size)
        ]
    return _joined(parts)


@torch.no_grad()
def embed_captions(model: Model, captions: Sequence[str], batch_size: int = 512) -> Gaussian:
    """Embeddings of texts, in their order, on the CPU; equal texts are embedded once, texts of like length together."""
    order = {text: i for i, text in enumerate(sorted(set(captions), key=lambda text: (text.count(" "), text)))}
    distinct = list(order)
    with _evaluating(model):
        parts = [
            model.encode_captions(distinct[start : start + batch_size]) for start in range(0, len(distinct), batch_size)
        ]
    return _joined(parts)[torch.tensor([order[text] for text in captions])]


def embed_dataset(
    model: Model, dataset: ImageTextDataset | ImageInputs, batch_size: int = 256
) -> tuple[Gaussian, Gaussian]:
    """Embeddings of all images and of all captions of a data set, in the order of its corpus.

    Args:
        model: both encoders; it is put into evaluation mode for the while.
        dataset: the data set, or its images already at hand as `ImageInputs`.
        batch_size: images at a time.

    Returns:
        (images, captions), on the CPU and without gradient.
    """
    inputs = dataset if isinstance(dataset, ImageInputs) else ImageInputs(dataset, keep=False)
    return embed_images(model, inputs, batch_size), embed_captions(model, inputs.dataset.corpus.captions)


def _joined(parts: Sequence[Gaussian]) -> Gaussian:
    return Gaussian(torch.cat([part.mean.cpu() for part in parts]), torch.cat([part.log_var.cpu() for part in parts]))


class _evaluating:
    """Evaluation mode for a while, then whatever mode the model was in."""

    def __init__(self, model: Model) -> None:
        self.model = model

    def __enter__(self) -> None:
        self.training = self.model.training
        self.model.eval()

    def __exit__(self, *exc: object) -> None:
        self.model.train(self.training)
