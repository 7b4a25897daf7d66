"""Evaluating a similarity matrix against everything its corpus knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from daa.corpus import CaptionCorpus, Truth
from daa.evaluation.plan import Key, per_query_values
from daa.evaluation.report import Measurement, Report
from daa.evaluation.sources import relevance_blocks
from daa.metrics.asp import asp_chance
from daa.metrics.asp_top import asp_at_k_chance
from daa.metrics.inputs import DIRECTIONS, Blocks, check_shape


def evaluate(
    scores: Float[Tensor, "images captions"] | Float[np.ndarray, "images captions"] | Blocks,
    corpus: CaptionCorpus,
    relevance: Any = None,
    *,
    name: str = "scores",
    fold_size: int | None = None,
    graded: bool = True,
    asp_ties: str = "average",
    hit_ties: str = "expected",
    block: int | None = None,
    progress: Callable[[int], None] = lambda n_queries: None,
) -> Report:
    """Every metric of a similarity matrix, both directions, each row ranked once.

    Against every truth the corpus knows: R@1, R@5, R@10 and their sum, mAP@R, R-Precision, median and mean rank of the
    first match. By the object categories of the images, if the corpus knows them: PMRP. Against every relevance: ASP,
    and if `graded` also ASP corrected for chance, ASP@100, NCS@10 (each query's own captions left out), NDCG@10 and
    Kendall's tau among the top 100; NCS and NDCG need a relevance that is never negative.

    Args:
        scores: similarity [images, captions] in the order of the corpus, any range; memory-mapped arrays stream. Or
            `EmbeddingScores`.
        corpus: the captions, their images and the known matches.
        relevance: a fitted relevance (with `.name` and `.matrix()`), several of them, or matrices [images, captions]
            by name. Without one there is no ASP.
        name: what tables call this system.
        fold_size: also average over folds of this many consecutive images, as COCO 1K does with 1,000 of COCO 5K.
        graded: whether to compute the further metrics of each relevance.
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
    if fold_size is not None and (fold_size < 1 or corpus.n_images % fold_size):
        raise ValueError(f"fold_size: expected a divisor of the corpus's {corpus.n_images} images, got {fold_size}")
    shape = (corpus.n_images, corpus.n_captions)
    blocks = scores if isinstance(scores, Blocks) else Blocks(scores, "scores")
    check_shape("scores", blocks.shape, shape, f"the corpus {corpus.name}")
    by_relevance = named_relevance(relevance)
    for one in by_relevance.values():
        check_shape(one.argument, one.shape, shape, f"the corpus {corpus.name}")
    policies = (asp_ties, hit_ties)
    values = per_query_values(
        blocks, corpus.all_truths(), by_relevance, _labels(corpus), policies, graded, block, progress
    )
    measurements = summarize(values, "all")
    if fold_size is not None:
        measurements += _fold_measurements(blocks, corpus, by_relevance, fold_size, policies, block)
    return Report(
        name=name,
        corpus=corpus.name,
        n_images=corpus.n_images,
        n_captions=corpus.n_captions,
        settings={"asp_ties": asp_ties, "hit_ties": hit_ties},
        measurements=tuple(measurements),
        per_query=values,
        image_of_query={"i2t": np.arange(corpus.n_images), "t2i": corpus.image_of_caption},
    )


def named_relevance(relevance: Any) -> dict[str, Blocks]:
    """Relevance matrices by name, from whatever form `evaluate` takes.

    >>> list(named_relevance({"mine": np.eye(2)}))
    ['mine']
    """
    if relevance is None:
        return {}
    if isinstance(relevance, Mapping):
        named = {str(key): value for key, value in relevance.items()}
    else:
        several = list(relevance) if isinstance(relevance, (list, tuple)) else [relevance]
        for one in several:
            if not (hasattr(one, "matrix") and hasattr(one, "name")):
                raise ValueError(
                    "relevance: expected a fitted relevance, or {name: matrix} since an ASP has to name its relevance, "
                    f"got {type(one).__name__}"
                )
        names = [one.name for one in several]
        if len(set(names)) < len(names):
            raise ValueError(f"relevance: expected distinct names, got {', '.join(names)}; give them as {{name: one}}")
        named = dict(zip(names, several, strict=True))
    return {
        key: value if isinstance(value, Blocks) else relevance_blocks(value, f"relevance {key}")
        for key, value in named.items()
    }


def _labels(corpus: CaptionCorpus, images: slice = slice(None)) -> tuple[np.ndarray, np.ndarray] | None:
    """Categories and image of each caption among some consecutive images, if there are any categories."""
    if corpus.labels is None or not corpus.labels[images].any():
        return None
    start, stop, _ = images.indices(corpus.n_images)
    inside = (corpus.image_of_caption >= start) & (corpus.image_of_caption < stop)
    return corpus.labels[images], corpus.image_of_caption[inside] - start


def summarize(values: Mapping[str, Mapping[Key, np.ndarray]], gallery: str) -> list[Measurement]:
    """Means (or medians) over the queries that have a value, and the sums of recalls."""
    result = []
    n_queries = {direction: len(next(iter(by_key.values()))) for direction, by_key in values.items() if by_key}
    for direction, by_key in values.items():
        n_candidates = n_queries.get("t2i" if direction == "i2t" else "i2t", 0)
        for (metric, truth), of_queries in by_key.items():
            n_valued = int(np.isfinite(of_queries).sum())
            if n_valued:
                mean = float(np.nanmedian(of_queries) if metric == "median rank" else np.nanmean(of_queries))
                chance = _chance(metric, n_candidates)
                result.append(Measurement(metric, truth, direction, gallery, mean, chance, n_valued))
    for truth in dict.fromkeys(one.truth for one in result if one.metric == "R@1"):
        recalls = [one for one in result if one.truth == truth and one.metric.startswith("R@")]
        if {one.direction for one in recalls} == set(DIRECTIONS):
            total = sum(one.value for one in recalls)
            n_valued = sum(one.n_queries for one in recalls if one.metric == "R@1")
            result.append(Measurement("rsum", truth, "both", gallery, total, None, n_valued))
    return result


def _chance(metric: str, n_candidates: int) -> float | None:
    if metric == "ASP":
        return asp_chance(n_candidates)
    if metric.startswith("ASP@"):
        return asp_at_k_chance(n_candidates, int(metric.removeprefix("ASP@")))
    return 0.0 if metric == "ASP above chance" or metric.startswith("tau@") else None


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
        annotated = Truth(corpus.annotated[images][:, captions])
        by_relevance = {key: blocks.select(images, captions) for key, blocks in relevance.items()}
        part, labels = scores.select(images, captions), _labels(corpus, images)
        values = per_query_values(part, {"annotated": annotated}, by_relevance, labels, policies, False, block)
        folds.append(summarize(values, f"{corpus.n_images // fold_size} x {fold_size}"))
    by_number: dict[tuple[str, str, str], list[Measurement]] = {}
    for one in (one for fold in folds for one in fold):
        by_number.setdefault((one.metric, one.truth, one.direction), []).append(one)
    return [
        same[0]._replace(
            value=float(np.mean([one.value for one in same])),
            chance=None if same[0].chance is None else float(np.mean([one.chance for one in same])),
            n_queries=sum(one.n_queries for one in same),
        )
        for same in by_number.values()
        if len(same) == len(folds)
    ]
