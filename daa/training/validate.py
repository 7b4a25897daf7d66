"""The few numbers that are watched during training: recall, their sum, and ASP."""

from __future__ import annotations

from typing import Any

import numpy as np

from daa.datasets.base import ImageInputs
from daa.embeddings import Gaussian
from daa.encoders.embed import embed_captions, embed_images, score_dataset
from daa.encoders.model import Model
from daa.metrics import average_semantic_precision, recall_at_k


def validate(model: Model, inputs: ImageInputs, relevance: np.ndarray) -> dict[str, Any]:
    """R@1, R@5, R@10 and ASP of a split in both directions, rsum, and the mean log-variances.

    Scores are the model's own; matches are the annotated pairs.

    Args:
        model: both encoders and their similarity.
        inputs: images of the split.
        relevance: [images, captions] of the split.

    Returns:
        {"rsum": sum of the six recalls, in [0, 6], "i2t": {"R@1": ..., "ASP": ...}, "t2i": ...}, and for Gaussians
        their mean "log_var" by modality.
    """
    corpus = inputs.dataset.corpus
    images = embed_images(model, inputs)
    gaussian = isinstance(images, Gaussian)
    captions = embed_captions(model, corpus.captions) if gaussian else None
    scores = score_dataset(model, inputs, images=images, captions=captions)
    result: dict[str, Any] = {}
    for direction in ("i2t", "t2i"):
        result[direction] = {
            f"R@{k}": recall_at_k(scores, corpus.image_of_caption, k, direction=direction) for k in (1, 5, 10)
        }
    rsum = sum(value for direction in result.values() for value in direction.values())
    for direction in ("i2t", "t2i"):
        result[direction]["ASP"] = average_semantic_precision(scores, relevance, direction=direction)
    if captions is not None:
        result["log_var"] = {"images": images.log_var.mean().item(), "captions": captions.log_var.mean().item()}
    return {"rsum": rsum, **result}
