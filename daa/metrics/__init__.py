"""Metrics of a similarity matrix [images, captions]: pure functions that return fractions in [0, 1].

Every function takes `direction="i2t"` (rank captions for each image) or `"t2i"` (rank images for each caption), torch
tensors or numpy arrays (memory-mapped ones stream), and returns a mean or per-query values. Not all are fractions:
ranks count from 1, and correlations and chance-corrected values may be negative.
"""

from importlib import import_module
from pkgutil import iter_modules

from daa.metrics.asp import (
    asp_at_k,
    asp_at_k_chance,
    asp_chance,
    average_semantic_precision,
    chance_corrected_asp,
    query_specific_asp,
    query_specific_chance,
)
from daa.metrics.graded import ndcg_at_k, normalized_cumulative_semantic_score
from daa.metrics.hits import map_at_r, match_ranks, mean_rank, median_rank, r_precision, recall_at_k
from daa.metrics.kendall import kendall_tau
from daa.metrics.placement import HIT_POLICIES
from daa.metrics.plausible import plausible_match_r_precision

__all__ = [
    "HIT_POLICIES",
    "asp_at_k",
    "asp_at_k_chance",
    "asp_chance",
    "average_semantic_precision",
    "chance_corrected_asp",
    "kendall_tau",
    "map_at_r",
    "match_ranks",
    "mean_rank",
    "median_rank",
    "ndcg_at_k",
    "normalized_cumulative_semantic_score",
    "plausible_match_r_precision",
    "query_specific_asp",
    "query_specific_chance",
    "r_precision",
    "recall_at_k",
]

for _module in iter_modules(__path__):  # a metric is declared where it is defined, and that is all it takes
    if _module.name != "modules":  # which needs a package of its own
        import_module(f"{__name__}.{_module.name}")
