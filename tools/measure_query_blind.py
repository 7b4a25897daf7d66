"""Measure what rankings that ignore the query score on the COCO 5K captions; write results/coco-5k-query-blind.json.

DAA_DATA=... python tools/measure_query_blind.py        two minutes on two cores
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.evaluation.evaluate import measure, metrics
from daa.evaluation.floors import halves_of
from daa.files import provenance, write_json
from daa.matrix import as_matrix
from daa.metrics import average_semantic_precision
from daa.relevance import relevance_by_name


def query_blind_asp(relevance: np.ndarray) -> dict[str, float]:
    """ASP if every query gets the same ranking: candidates by their mean relevance over all queries."""
    blind = {axis: np.broadcast_to(relevance.mean(axis=axis, keepdims=True), relevance.shape) for axis in (0, 1)}
    return {
        direction: round(average_semantic_precision(blind[axis], relevance, direction=direction), 4)
        for axis, direction in enumerate(("i2t", "t2i"))
    }


def query_blind_asp_of_strangers(relevance: np.ndarray) -> dict[str, float]:
    """The same with the means taken over one random half of the queries and the ASP over the other half."""
    result = {}
    for direction in ("i2t", "t2i"):
        matrix = relevance if direction == "i2t" else relevance.T
        order = np.random.default_rng(0).permutation(len(matrix))
        seen, new = order[: len(order) // 2], order[len(order) // 2 :]
        scores = np.broadcast_to(matrix[seen].mean(axis=0), (len(new), matrix.shape[1]))
        result[direction] = round(average_semantic_precision(scores, np.ascontiguousarray(matrix[new])), 4)
    return result


def floors(corpus: CaptionCorpus, matrices: dict[str, np.ndarray]) -> list[dict[str, Any]]:
    """Floors of every metric that a report has, by `daa.evaluation.floors`."""
    relevance = {name: as_matrix(matrix, name) for name, matrix in matrices.items()}
    scores = as_matrix(np.zeros((corpus.n_images, corpus.n_captions), np.float32), "scores")  # floors ask for none
    wanted, halves = metrics(graded=True), halves_of(corpus)
    _, known = measure(scores, corpus.all_truths(), relevance, None, wanted, halves=halves)
    return [
        {"metric": metric, "truth": truth, "direction": direction, **of_it._asdict()}
        for (metric, truth, direction), of_it in known.items()
    ]


def main() -> None:
    corpus = load_corpus("coco-5k")
    matrices = {name: relevance_by_name(name).fit(corpus).matrix() for name in ("tfidf", "cider-d")}
    path = Path(__file__).resolve().parent.parent / "results" / "coco-5k-query-blind.json"
    write_json(
        path,
        {
            "what": "ASP of one ranking for all queries: candidates by mean relevance over the queries",
            "corpus": {"name": corpus.name, "images": corpus.n_images, "captions": corpus.n_captions},
            "asp": {name: query_blind_asp(matrix) for name, matrix in matrices.items()},
            "asp_prior_from_other_half": {
                name: query_blind_asp_of_strangers(matrix) for name, matrix in matrices.items()
            },
            "floors": floors(corpus, matrices),
            "provenance": provenance(seed=0),
        },
    )
    print(f"results/{path.name}")


if __name__ == "__main__":
    main()
