"""The few numbers that are watched during training: recall, their sum, and ASP."""

from __future__ import annotations

from typing import Any

import numpy as np

from daa.corpus import Truth
from daa.datasets.base import ImageInputs
from daa.embeddings import Gaussian
from daa.encoders.embed import embed_captions, embed_images, score_dataset
from daa.encoders.model import Model
from daa.evaluation.evaluate import measure, summarize
from daa.matrix import as_matrix
from daa.metrics.asp import ASP
from daa.metrics.hits import RECALL
from daa.names import DIRECTIONS


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
    judges = {"annotated": Truth(corpus.annotated)}, {"relevance": as_matrix(relevance, "relevance")}, None
    values, _ = measure(as_matrix(scores, "scores"), *judges, [RECALL, ASP])
    result: dict[str, Any] = {direction: {} for direction in DIRECTIONS}
    numbers = summarize(values, "all", {"i2t": corpus.n_images, "t2i": corpus.n_captions})
    for one in numbers:
        if one.metric in (*RECALL.names, ASP.name):
            result[one.direction][one.metric] = one.value
    rsum = next(one.value for one in numbers if one.metric == RECALL.total)
    if captions is not None:
        result["log_var"] = {"images": images.log_var.mean().item(), "captions": captions.log_var.mean().item()}
    return {"rsum": rsum, **result}
