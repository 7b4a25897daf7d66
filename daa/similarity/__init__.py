"""How alike two embeddings are: functions of points, samples and Gaussians, and small networks over local features."""

from collections.abc import Callable

from torch import nn

from daa.similarity.pairwise import (
    CosineSimilarity,
    MaxCosineSimilarity,
    closed_form_distance,
    cosine_similarity,
    ensemble,
    match_probability,
    max_cosine,
    points,
    sample_distances,
    squared_distances,
    summed_dots,
)
from daa.similarity.sgraf import SAF, SGR

SIMILARITIES: dict[str, Callable[..., nn.Module]] = {
    "cosine": CosineSimilarity,
    "max-cosine": MaxCosineSimilarity,
    "saf": SAF,
    "sgr": SGR,
}
"""Similarities by name: called with options, `embedding_dim` among them where they ask for it.

`forward(images, captions)` maps two embeddings of the kind it needs to scores [images, captions].
"""

__all__ = [
    "SAF",
    "SGR",
    "SIMILARITIES",
    "CosineSimilarity",
    "MaxCosineSimilarity",
    "closed_form_distance",
    "cosine_similarity",
    "ensemble",
    "match_probability",
    "max_cosine",
    "points",
    "sample_distances",
    "squared_distances",
    "summed_dots",
]
