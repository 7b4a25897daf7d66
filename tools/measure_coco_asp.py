"""Measure on the COCO 5K captions what ties and the choice of relevance do to ASP; write results/coco-5k-asp.json.

DAA_DATA=... python tools/measure_coco_asp.py        some minutes on two cores
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from daa.datasets import load_corpus
from daa.files import provenance, write_json
from daa.metrics import average_semantic_precision
from daa.ranks import TIE_POLICIES, ranks
from daa.relevance import CiderRelevance, TfidfRelevance

BLOCK = 500
"""Queries looked at together: the ranks of all of them at once would take gigabytes."""


def ties_as_stored(relevance: np.ndarray) -> np.ndarray:
    """Scores of a ranker that agrees with the relevance and puts tied candidates in the order in which they stand."""
    return -ranks(relevance, ties="ordinal")


def ties_reversed(relevance: np.ndarray) -> np.ndarray:
    """The same with tied candidates in the opposite order."""
    return -np.ascontiguousarray(ranks(np.ascontiguousarray(relevance[:, ::-1]), ties="ordinal")[:, ::-1])


RANKERS = {
    "the relevance itself": lambda tfidf, cider: tfidf,
    "ties as stored": lambda tfidf, cider: ties_as_stored(tfidf),
    "ties reversed": lambda tfidf, cider: ties_reversed(tfidf),
    "constant scores": lambda tfidf, cider: np.zeros_like(tfidf),
    "CIDEr-D relevance": lambda tfidf, cider: cider,
}


def measure(tfidf: np.ndarray, cider: np.ndarray) -> dict[str, dict[str, float]]:
    """ASP under TF-IDF relevance of each ranker and tie policy; rows are queries."""
    per_query: dict[tuple[str, str], list[np.ndarray]] = {}
    for start in range(0, len(tfidf), BLOCK):
        target, other = (np.ascontiguousarray(m[start : start + BLOCK]) for m in (tfidf, cider))
        for name, ranker in RANKERS.items():
            scores = ranker(target, other)
            for ties in TIE_POLICIES:
                values = average_semantic_precision(scores, target, ties=ties, reduction="none")
                per_query.setdefault((name, ties), []).append(np.asarray(values))
    return {
        name: {ties: round(float(np.concatenate(per_query[name, ties]).mean()), 5) for ties in TIE_POLICIES}
        for name in RANKERS
    }


def main() -> None:
    corpus = load_corpus("coco-5k")
    tfidf, cider = TfidfRelevance().fit(corpus).matrix(), CiderRelevance().fit(corpus).matrix()
    result = {
        "what": "ASP under TF-IDF relevance of rankers that agree with it but for ties, and of CIDEr-D relevance",
        "corpus": {"name": corpus.name, "images": corpus.n_images, "captions": corpus.n_captions},
        "zero_share": {"tfidf": round(float((tfidf == 0).mean()), 5), "cider-d": round(float((cider == 0).mean()), 5)},
        "asp": {"i2t": measure(tfidf, cider), "t2i": measure(tfidf.T, cider.T)},
        "provenance": provenance(),
    }
    path = Path(__file__).resolve().parent.parent / "results" / "coco-5k-asp.json"
    write_json(path, result)
    print(f"results/{path.name}")


if __name__ == "__main__":
    main()
