"""Embeddings of a whole data set, and the matrix of scores between its images and its captions."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from daa.datasets.base import ImageInputs, ImageTextDataset
from daa.embeddings import Embedding, concatenate
from daa.encoders.model import Model

CAPTIONS_AT_A_TIME = 512


@torch.no_grad()
def embed_images(model: Model, images: ImageInputs, batch_size: int = 256) -> Any:
    """Embeddings of all images of a data set, in the order of its corpus, on the CPU."""
    with _evaluating(model):
        blocks = np.split(np.arange(len(images)), range(batch_size, len(images), batch_size))
        parts = [model.encode_images(images.batch(block)).map(Tensor.cpu) for block in blocks]
    return concatenate(parts)


@torch.no_grad()
def embed_captions(model: Model, captions: Sequence[str], batch_size: int = CAPTIONS_AT_A_TIME) -> Any:
    """Embeddings of texts, in their order, on the CPU; equal texts are embedded once, texts of like length together."""
    distinct, position = _distinct(captions)
    with _evaluating(model):
        parts = [part.map(Tensor.cpu) for _, part in _encoded(model, distinct, batch_size)]
    return concatenate(parts)[torch.from_numpy(position)]


def embed_dataset(model: Model, dataset: ImageTextDataset | ImageInputs, batch_size: int = 256) -> tuple[Any, Any]:
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


@torch.no_grad()
def score_dataset(
    model: Model,
    dataset: ImageTextDataset | ImageInputs,
    batch_size: int = 256,
    *,
    images: Embedding | None = None,
    captions: Embedding | None = None,
    progress: Callable[[int], None] = lambda n_captions: None,
) -> Float32[np.ndarray, "images captions"]:
    """The model's score of every image with every caption, in the order of the corpus.

    Captions are embedded and scored in blocks, so that the words of 25,000 captions are never held at once; equal
    captions are scored once.

    Args:
        model: both encoders and the similarity; it is put into evaluation mode for the while.
        dataset: the data set, or its images already at hand as `ImageInputs`.
        batch_size: images embedded at a time.
        images: what `embed_images` returned, if it is at hand already.
        captions: what `embed_captions` returned, if it is at hand already.
        progress: called with the number of captions just scored.
    """
    inputs = dataset if isinstance(dataset, ImageInputs) else ImageInputs(dataset, keep=False)
    texts = inputs.dataset.corpus.captions
    with _evaluating(model):
        rows = _on(model, embed_images(model, inputs, batch_size) if images is None else images)
        if captions is not None:
            return _numpy(model.similarity(rows, _on(model, captions)))
        distinct, position = _distinct(texts)
        order = np.argsort(position, kind="stable")
        ends = np.searchsorted(position[order], np.arange(len(distinct) + 1))
        scores = np.empty((len(rows), len(texts)), dtype=np.float32)
        for start, part in _encoded(model, distinct, CAPTIONS_AT_A_TIME):
            columns = order[ends[start] : ends[start + len(part)]]
            scores[:, columns] = _numpy(model.similarity(rows, part))[:, position[columns] - start]
            progress(len(columns))
    return scores


def _on(model: Model, embedding: Embedding) -> Embedding:
    return embedding.map(lambda tensor: tensor.to(model.device))


def _numpy(scores: Tensor) -> Float32[np.ndarray, "images captions"]:
    return scores.float().cpu().numpy()


def _distinct(captions: Sequence[str]) -> tuple[list[str], np.ndarray]:
    """The distinct texts, those of like length together, and for each caption its place among them."""
    distinct = sorted(set(captions), key=lambda text: (text.count(" "), text))
    place = {text: i for i, text in enumerate(distinct)}
    return distinct, np.array([place[text] for text in captions])


def _encoded(model: Model, texts: Sequence[str], batch_size: int) -> Iterator[tuple[int, Embedding]]:
    for start in range(0, len(texts), batch_size):
        yield start, model.encode_captions(texts[start : start + batch_size])


@contextmanager
def _evaluating(model: Model) -> Iterator[None]:
    """Evaluation mode for a while, then whatever mode the model was in."""
    training = model.training
    model.eval()
    try:
        yield
    finally:
        model.train(training)
