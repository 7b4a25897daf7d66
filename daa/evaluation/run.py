"""Evaluating a similarity matrix against everything its corpus knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from daa.corpus import CaptionCorpus, Truth
from daa.evaluation.report import Measurement, Report
from daa.metrics.asp import asp_chance, asp_metric
from daa.metrics.inputs import DIRECTIONS, Blocks, Positives, check_shape
from daa.metrics.precision import map_at_r_metric, r_precision_metric
from daa.metrics.recall import recall_metric
from daa.metrics.stream import Metric, per_query

RECALL_AT = (1, 5, 10)
Key = tuple[str, str]  # metric, what it is judged by


def evaluate(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"],
    corpus: CaptionCorpus,
    relevance: Any = None,
    *,
    name: str = "scores",
    fold_size: int | None = None,
    asp_ties: str = "average",
    hit_ties: str = "expected",
    block: int | None = None,
    progress: Callable[[int], None] = lambda n_queries: None,
) -> Report:
    """Every metric of a similarity matrix, both directions, each row ranked once.

    R@1, R@5, R@10, rsum, mAP@R and R-Precision against every truth the corpus knows, and ASP against every relevance.

    Args:
        scores: similarity [images, captions] in the order of the corpus, any range; memory-mapped arrays stream.
        corpus: the captions, their images and the known matches.
        relevance: a fitted relevance (with `.name` and `.matrix()`), several of them, or matrices [images, captions]
            by name. Without one there is no ASP.
        name: what tables call this system.
        fold_size: also average over folds of this many consecutive images, as COCO 1K does with 1,000 of COCO 5K.
        asp_ties: tie policy of ASP, see `average_semantic_precision`.
        hit_ties: tie policy of recall and precision, see `daa.metrics.placement`.
        block: queries handled at a time.
        progress: called with the number of queries just done.

    Raises:
        ValueError: if the scores or a relevance do not fit the corpus or are not finite.

    >>> corpus = CaptionCorpus(captions=["a dog", "a hound", "a cat"], image_of_caption=[0, 0, 1])
    >>> report = evaluate(np.array([[0.9, 0.2, 0.4], [0.1, 0.3, 0.8]]), corpus)
    >>> report.value("R-Precision", "annotated", "i2t")
    0.75
    """
    shape = (corpus.n_images, corpus.n_captions)
    if fold_size is not None and (fold_size < 1 or corpus.n_images % fold_size):
        raise ValueError(f"fold_size: expected a divisor of the corpus's {corpus.n_images} images, got {fold_size}")
    blocks = Blocks(scores, "scores")
    check_shape("scores", blocks.shape, shape, f"the corpus {corpus.name}")
    graded = {key: Blocks(matrix, f"relevance {key}") for key, matrix in named_relevance(relevance).items()}
    for relevance_blocks in graded.values():
        check_shape(relevance_blocks.argument, relevance_blocks.shape, shape, f"the corpus {corpus.name}")
    policies = (asp_ties, hit_ties)
    values = _values(blocks, corpus.all_truths(), graded, policies, block, progress)
    measurements = _measurements(values, "all")
    if fold_size is not None:
        measurements += _fold_measurements(blocks, corpus, graded, fold_size, policies, block)
    return Report(
        name=name,
        corpus=corpus.name,
        n_images=corpus.n_images,
        n_captions=corpus.n_captions,
        settings={"asp_ties": asp_ties, "hit_ties": hit_ties},
        measurements=tuple(measurements),
        per_query=values,
    )


def named_relevance(relevance: Any) -> dict[str, Any]:
    """Relevance matrices by name, from whatever form `evaluate` takes.

    >>> list(named_relevance({"mine": np.eye(2)}))
    ['mine']
    """
    if relevance is None:
        return {}
    if isinstance(relevance, Mapping):
        return {str(key): _matrix_of(value) for key, value in relevance.items()}
    several = list(relevance) if isinstance(relevance, (list, tuple)) else [relevance]
    for one in several:
        if not (hasattr(one, "matrix") and hasattr(one, "name")):
            raise ValueError(
                "relevance: expected a fitted relevance, or {name: matrix} since an ASP has to name its relevance, "
                f"got {type(one).__name__}"
            )
    names = [one.name for one in several]
    if len(set(names)) < len(names):
        raise ValueError(
            f"relevance: expected distinct names, got {', '.join(names)}; give {{name: relevance}} instead"
        )
    return {one.name: _matrix_of(one) for one in several}


def _matrix_of(relevance: Any) -> Any:
    return relevance.matrix() if hasattr(relevance, "matrix") else relevance


def _values(
    scores: Blocks,
    truths: Mapping[str, Truth],
    relevance: Mapping[str, Blocks],
    policies: tuple[str, str],
    block: int | None,
    progress: Callable[[int], None] = lambda n_queries: None,
) -> dict[str, dict[Key, np.ndarray]]:
    """Per-query values by direction and (metric, judged by)."""
    asp_ties, hit_ties = policies
    result: dict[str, dict[Key, np.ndarray]] = {}
    for direction in DIRECTIONS:
        positives = {key: Positives.of(truth, direction) for key, truth in truths.items()}
        positives = {key: matches for key, matches in positives.items() if matches.matrix.nnz}
        metrics: dict[str, Metric] = {f"ASP {key}": asp_metric(key, asp_ties) for key in relevance}
        for key in positives:
            metrics[f"recall {key}"] = recall_metric(key, RECALL_AT, hit_ties)
            metrics[f"map {key}"] = map_at_r_metric(key, hit_ties)
            metrics[f"precision {key}"] = r_precision_metric(key, hit_ties)
        raw = per_query(metrics, scores, direction, relevance, positives, block, progress)
        values: dict[Key, np.ndarray] = {}
        for key in positives:
            values |= {(f"R@{k}", key): raw[f"recall {key}"][:, j] for j, k in enumerate(RECALL_AT)}
            values["mAP@R", key] = raw[f"map {key}"]
            values["R-Precision", key] = raw[f"precision {key}"]
        values |= {("ASP", key): raw[f"ASP {key}"] for key in relevance}
        result[direction] = values
    return result


def _measurements(values: Mapping[str, Mapping[Key, np.ndarray]], gallery: str) -> list[Measurement]:
    """Means over the queries that have a value, and the sums of recalls."""
    result = []
    for direction, by_key in values.items():
        other = "t2i" if direction == "i2t" else "i2t"
        n_candidates = len(next(iter(values[other].values()))) if values[other] else 0
        for (metric, truth), of_queries in by_key.items():
            chance = asp_chance(n_candidates) if metric == "ASP" else None
            n_queries = int(np.isfinite(of_queries).sum())
            mean = float(np.nanmean(of_queries))
            result.append(Measurement(metric, truth, direction, gallery, mean, chance, n_queries))
    truths = dict.fromkeys(one.truth for one in result if one.metric == "R@1")
    for truth in truths:
        recalls = [one for one in result if one.truth == truth and one.metric.startswith("R@")]
        if len(recalls) == len(DIRECTIONS) * len(RECALL_AT):
            n_queries = sum(one.n_queries for one in recalls) // len(RECALL_AT)
            total = sum(one.value for one in recalls)
            result.append(Measurement("rsum", truth, "both", gallery, total, None, n_queries))
    return result


def _fold_measurements(
    scores: Blocks,
    corpus: CaptionCorpus,
    relevance: Mapping[str, Blocks],
    fold_size: int,
    policies: tuple[str, str],
    block: int | None,
) -> list[Measurement]:
    """Means over consecutive folds of images with their captions; recall and precision by annotation only."""
    folds: list[list[Measurement]] = []
    for start in range(0, corpus.n_images, fold_size):
        images = slice(start, start + fold_size)
        captions = np.flatnonzero((corpus.image_of_caption >= images.start) & (corpus.image_of_caption < images.stop))

        def part(blocks: Blocks, images: slice = images, captions: np.ndarray = captions) -> Blocks:
            return Blocks(blocks.matrix[images][:, captions], blocks.argument)

        truths = {"annotated": Truth(corpus.annotated[images][:, captions])}
        graded = {key: part(blocks) for key, blocks in relevance.items()}
        values = _values(part(scores), truths, graded, policies, block)
        folds.append(_measurements(values, f"{corpus.n_images // fold_size} x {fold_size}"))
    return [
        same[0]._replace(
            value=float(np.mean([one.value for one in same])),
            chance=None if same[0].chance is None else float(np.mean([one.chance for one in same])),
            n_queries=sum(one.n_queries for one in same),
        )
        for same in zip(*folds, strict=True)
    ]
