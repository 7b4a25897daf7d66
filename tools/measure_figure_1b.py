"""Count the COCO 5K pairs whose captions are alike, the paper's Figure 1b; write results/figure-1b.json.

DAA_DATA=... python tools/measure_figure_1b.py        under two minutes on two cores

The figure counts image-caption pairs above a threshold of "CIDEr". Counted here, at every hundredth from 0 to 1, are
the pairs of each relevance the name may stand for: TF-IDF, which the released code computes under it, and CIDEr and
CIDEr-D on a scale from 0 to 1 and on their own, ten times as long. Relevances are float32: of a count in millions, a
few pairs stand within a rounding error of the threshold.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.files import provenance, write_json
from daa.relevance import Relevance, relevance_by_name

RESULT = Path(__file__).resolve().parent.parent / "results" / "figure-1b.json"
THRESHOLDS = np.arange(101) / 100
CURVES = {  # by label: which relevance, and by how much its values are divided
    "TF-IDF": ("tfidf", 1),
    "CIDEr / 10": ("cider", 10),
    "CIDEr": ("cider", 1),
    "CIDEr-D / 10": ("cider-d", 10),
    "CIDEr-D": ("cider-d", 1),
}
FIRST, BLOCK = 200, 100  # images: the first ones are counted by themselves, for a check that takes seconds

Counts = dict[str, dict[str, np.ndarray]]


def n_above(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many values are above each of the ascending thresholds, [thresholds]."""
    n_passed = np.searchsorted(thresholds, values.ravel().astype(np.float64), side="left")
    return values.size - np.cumsum(np.bincount(n_passed, minlength=len(thresholds) + 1))[:-1]


def count_pairs(relevances: dict[str, Relevance], corpus: CaptionCorpus, images: slice) -> Counts:
    """Pairs of some images and all captions above each threshold: all of them and the annotated ones, by curve."""
    blocks = {name: relevance.matrix(images) for name, relevance in relevances.items()}
    own = np.arange(corpus.n_images)[images, None] == corpus.image_of_caption
    return {
        label: {
            "pairs": n_above(blocks[name], divisor * THRESHOLDS),
            "annotated": n_above(blocks[name][own], divisor * THRESHOLDS),
        }
        for label, (name, divisor) in CURVES.items()
    }


def add(parts: list[Counts]) -> Counts:
    return {
        label: {which: np.sum([part[label][which] for part in parts], axis=0) for which in parts[0][label]}
        for label in parts[0]
    }


def as_lists(counts: Counts) -> dict[str, Any]:
    return {label: {which: array.tolist() for which, array in curve.items()} for label, curve in counts.items()}


def main() -> None:
    corpus = load_corpus("coco-5k")
    names = dict.fromkeys(name for name, _ in CURVES.values())
    relevances = {name: relevance_by_name(name).fit(corpus) for name in names}
    starts = range(0, corpus.n_images, BLOCK)
    parts = [count_pairs(relevances, corpus, slice(start, start + BLOCK)) for start in track(starts, "counting")]
    write_json(
        RESULT,
        {
            "what": "image-caption pairs whose relevance is above each threshold, and how many of them are annotated",
            "corpus": {"name": corpus.name, "images": corpus.n_images, "captions": corpus.n_captions},
            "relevances": {name: relevance.describe() for name, relevance in relevances.items()},
            "thresholds": THRESHOLDS.tolist(),
            "counts": as_lists(add(parts)),
            "first": {"images": FIRST, "counts": as_lists(add(parts[: FIRST // BLOCK]))},
            "provenance": provenance(),
        },
    )
    print(f"results/{RESULT.name}")


if __name__ == "__main__":
    main()
