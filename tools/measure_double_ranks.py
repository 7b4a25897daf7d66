"""Measure what double ranks leave of a relevance, and what QASP makes of models; write results/double-ranks.json.

python tools/measure_double_ranks.py        three minutes on two cores

On the scenes test split, by rounds: what no ranking that ignores the query exceeds (`blind_at_most`), beside chance,
in ASP and QASP under the double ranks, and what the relevance itself scores. By model of the book (first
seed), and for rankings whose worth is known: ASP by the relevance, and ASP and QASP by its double ranks.
"""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from daa.datasets import load_corpus
from daa.files import provenance, write_json
from daa.matrix import as_matrix
from daa.metrics import average_semantic_precision, map_at_r, recall_at_k
from daa.metrics.blind import best_blind_order, twice_ranks_by_candidate
from daa.metrics.queries import values_of
from daa.metrics.ratios import asp, qasp, random_asp, reciprocal
from daa.names import DIRECTIONS
from daa.ranks import DoubleRanks
from daa.relevance import relevance_by_name
from daa.similarity import cosine_similarity
from daa.studies import load_embeddings

RESULTS = Path(__file__).resolve().parent.parent / "results"
ARMS = ("baseline", "DAA", "DAA x 5", "DAA x 25")
ROUNDS = (1, 2, 3, 5, 10)
METRICS = {"ASP": (asp, None), "QASP": (qasp, reciprocal)}


def by_rounds(relevance: np.ndarray) -> list[dict[str, Any]]:
    """What each number of rounds leaves, by direction."""
    rows = []
    for direction in DIRECTIONS:
        of_queries = relevance if direction == "i2t" else np.ascontiguousarray(relevance.T)
        for rounds in ROUNDS:
            double = DoubleRanks(as_matrix(relevance, "relevance"), rounds).rows(direction, slice(None))
            twice_ranks = twice_ranks_by_candidate([double], double.shape)
            for name, (metric, weight) in METRICS.items():
                row: dict[str, Any] = {"rounds": rounds, "direction": direction, "metric": name}
                at_random = partial(random_asp, weight=weight)
                row["chance"] = float(values_of(at_random, of_queries, "i2t", "average", relevance=double).mean())
                row["blind_at_most"] = best_blind_order(twice_ranks, weight=weight).at_most
                row["relevance"] = float(values_of(metric, of_queries, "i2t", "average", relevance=double).mean())
                rows.append(row)
    return rows


def by_system(relevance: np.ndarray, positives: np.ndarray) -> list[dict[str, Any]]:
    """What models and rankings of known worth score."""
    systems = {
        arm: cosine_similarity(
            *load_embeddings(RESULTS / f"scenes-embeddings/infonce-{arm.replace(' ', '-')}-seed0.safetensors")
        ).numpy()
        for arm in ARMS
    }
    systems["truth, then relevance"] = positives + 0.1 * relevance
    systems["relevance"] = relevance
    systems["random"] = np.random.default_rng(0).random(relevance.shape)
    rows = []
    for direction, axis in zip(DIRECTIONS, (0, 1), strict=True):
        blind = np.broadcast_to(relevance.mean(axis=axis, keepdims=True), relevance.shape).copy()
        double = DoubleRanks(as_matrix(relevance, "relevance")).rows(direction, slice(None))
        for name, scores in {**systems, "mean relevance": blind}.items():
            row: dict[str, Any] = {"system": name, "direction": direction}
            row["R@1"] = recall_at_k(scores, positives, 1, direction=direction)
            row["mAP@R"] = map_at_r(scores, positives, direction=direction)
            row["ASP"] = average_semantic_precision(scores, relevance, direction=direction)
            of_queries = scores if direction == "i2t" else np.ascontiguousarray(scores.T)
            for metric, (compute, _) in METRICS.items():
                values = values_of(compute, of_queries, "i2t", "average", relevance=double)
                row[f"{metric} by double ranks"] = float(values.mean())
            rows.append(row)
    return rows


def main() -> None:
    corpus = load_corpus("scenes", split="test")
    assert corpus.positives is not None
    positives = corpus.positives.toarray()
    result: dict[str, Any] = {"what": "Double ranks of a relevance on the scenes test split"}
    for name in ("tfidf", "cider-d"):
        relevance = relevance_by_name(name).fit(corpus).matrix()
        result[name] = {"rounds": by_rounds(relevance), "systems": by_system(relevance, positives)}
        print(name, flush=True)
    write_json(RESULTS / "double-ranks.json", result | {"provenance": provenance(seed=0)})
    print("results/double-ranks.json")


if __name__ == "__main__":
    main()
