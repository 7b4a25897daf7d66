"""How the tables are evaluated: which galleries, which metrics, judged by what."""

from __future__ import annotations

from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import NamedTuple

import numpy as np
from jaxtyping import Float

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.encoders.vocabulary import split_words
from daa.evaluation import Report, evaluate
from daa.names import DIRECTIONS
from daa.relevance import TfidfRelevance
from daa.reproduce.tables import Number

FOLDS = 5
METRICS = {
    "coco": {"PMRP": "labels", "R@1": "annotated", "R@5": "annotated", "R@10": "annotated", "ASP": "tfidf"},
    "flickr30k": {"R@1": "annotated", "R@5": "annotated", "R@10": "annotated", "ASP": "tfidf"},
    "cub": {"R-Precision": "exhaustive", "mAP@R": "exhaustive", "R@1": "exhaustive", "ASP": "tfidf"},
}
"""By protocol: the metrics, and what judges each."""


class Result(NamedTuple):
    """One number of a table, in percent: the paper's, ours, or both."""

    gallery: str
    direction: str
    metric: str
    paper: float | None
    ours: float | None

    @property
    def difference(self) -> float | None:
        """Ours less the paper's, in points."""
        return None if self.paper is None or self.ours is None else self.ours - self.paper


def evaluate_by(protocol: str, scores: Float[np.ndarray, "images captions"], corpus: CaptionCorpus) -> Report:
    """The report of a score matrix by the protocol of a table.

    Relevance is TF-IDF's, fitted on the captions of the evaluated split as the released code does. `"coco"` also takes
    means over five folds of consecutive images, the literature's 1K of 5K; with fewer images the folds are smaller.

    Args:
        protocol: of `daa.reproduce.tables.PROTOCOLS`.
        scores: of every image with every caption.
        corpus: the captions.

    Raises:
        ValueError: "coco" without a multiple of five images.
    """
    fold_size = None
    if protocol == "coco":
        if corpus.n_images % FOLDS:
            raise ValueError(f"corpus: expected a multiple of {FOLDS} images for the folds, got {corpus.n_images}")
        fold_size = corpus.n_images // FOLDS
    relevance = TfidfRelevance().fit(corpus)
    return evaluate(scores, corpus, relevance, fold_size=fold_size, graded=False)


def galleries(protocol: str, n_images: int) -> dict[str, str]:
    """The galleries of a table, and what a report calls each.

    >>> galleries("coco", 5000)
    {'1K': '5 x 1000', '5K': 'all'}
    """
    if protocol == "coco":
        return {"1K": f"{FOLDS} x {n_images // FOLDS}", "5K": "all"}
    return {"1K" if protocol == "flickr30k" else "test": "all"}


def results(protocol: str, report: Report, paper: dict[Number, float]) -> list[Result]:
    """The numbers of a table, those of the paper beside those of a report; a metric that neither has is left out."""
    values = {(m.gallery, m.direction, m.metric, m.truth): 100 * m.value for m in report.measurements}
    found = [
        Result(
            gallery,
            direction,
            metric,
            paper.get((gallery, direction, metric)),
            values.get((name, direction, metric, truth)),
        )
        for gallery, name in galleries(protocol, report.n_images).items()
        for metric, truth in METRICS[protocol].items()
        for direction in DIRECTIONS
    ]
    return [one for one in found if one.paper is not None or one.ours is not None]


def with_coco_labels(corpus: CaptionCorpus, root: str | PathLike[str]) -> CaptionCorpus:
    """SCAN's COCO test captions with the instance labels of their images, which PMRP asks for.

    The labels come from `coco/` in the folder, if it has the annotations; the captions there must be these in this
    order, but for tokenisation.

    Raises:
        ValueError: captions of another order.
    """
    try:
        annotated = load_corpus("coco", split="test", root=Path(root, "coco"))
    except FileNotFoundError:
        return corpus
    if annotated.labels is None or annotated.n_captions != corpus.n_captions:
        return corpus
    pairs = zip(corpus.captions, annotated.captions, strict=True)
    same = np.mean([split_words(one)[:3] == split_words(other)[:3] for one, other in pairs])
    if same < 0.9 or (corpus.image_of_caption != annotated.image_of_caption).any():
        raise ValueError(
            f"corpus: expected the captions of the COCO test split in testall order, but only {100 * same:.0f} % of "
            f"{corpus.name} begin as those in {Path(root, 'coco')}"
        )
    return replace(corpus, labels=annotated.labels, label_names=annotated.label_names)
