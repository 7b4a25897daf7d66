"""Metrics of a similarity matrix [images, captions]: pure functions that return fractions in [0, 1].

Every function takes `direction="i2t"` (rank captions for each image) or `"t2i"` (rank images for each caption), torch
tensors or numpy arrays (memory-mapped ones stream), and returns a mean or per-query values.
"""

from daa.metrics.asp import asp_chance, average_semantic_precision
from daa.metrics.placement import HIT_POLICIES
from daa.metrics.precision import map_at_r, r_precision
from daa.metrics.recall import recall_at_k

__all__ = [
    "HIT_POLICIES",
    "asp_chance",
    "average_semantic_precision",
    "map_at_r",
    "r_precision",
    "recall_at_k",
]
