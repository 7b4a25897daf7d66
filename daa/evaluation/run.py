"""Evaluating a similarity matrix against everything its corpus knows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jaxtyping import Float
from torch import Tensor

from daa.corpus import CaptionCorpus, Truth
from daa.evaluation.engine import open_engine
from daa.evaluation.plan import Key, per_query_values
from daa.evaluation.report import Report
from daa.evaluation.sampling import describe_sample, draw_queries, standard_error
from daa.evaluation.sources import relevance_blocks
from daa.evaluation.tables import Measurement
from daa.metrics.asp import asp_chance
from daa.metrics.asp_top import asp_at_k_chance
from daa.metrics.inputs import DIRECTIONS, Blocks, check_shape
from daa.metrics.placement import HIT_POLICIES
from daa.metrics.stream import Runner, one_after_another
from daa.ranks import TIE_POLICIES


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
    queries: int | None = None,
    seed: int = 0,
    engine: str | Runner = "local",
    scheduler: str | None = None,
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
        queries: estimate every number from so many queries a direction, drawn at random without replacement (images for
            i2t and, independently, captions for t2i), each ranked against all candidates. Every number then comes with
            its standard error (see `daa.evaluation.sampling`). A direction without more queries than that is exact.
        seed: of the random queries.
        engine: `"local"`; `"dask"`, the same blocks of queries as tasks of a Dask cluster, with the same results; or a
            `DaskEngine`, which stays open for further evaluations.
        scheduler: of `"dask"`, the address of a running scheduler; by default a cluster on this machine.

    Raises:
        ValueError: if the scores or a relevance do not fit the corpus or are not finite, or options do not go together.

    >>> corpus = CaptionCorpus(captions=["a dog", "a hound", "a cat"], image_of_caption=[0, 0, 1])
    >>> report = evaluate(np.array([[0.9, 0.2, 0.4], [0.1, 0.3, 0.8]]), corpus)
    >>> report.value("R-Precision", "annotated", "i2t")
    0.75
    """
    if fold_size is not None and (fold_size < 1 or corpus.n_images % fold_size):
        raise ValueError(f"fold_size: expected a divisor of the corpus's {corpus.n_images} images, got {fold_size}")
    for argument, ties, known in (("asp_ties", asp_ties, TIE_POLICIES), ("hit_ties", hit_ties, HIT_POLICIES)):
        if ties not in known:
            raise ValueError(f"{argument}: expected one of {', '.join(known)}, got {ties!r}")
    shape = (corpus.n_images, corpus.n_captions)
    n_queries = dict(zip(DIRECTIONS, shape, strict=True))
    sample = {} if queries is None else draw_queries(n_queries, queries, seed)
    if sample and fold_size is not None:
        raise ValueError("queries: expected all queries where folds are averaged, since a fold needs all of its own")
    blocks = scores if isinstance(scores, Blocks) else Blocks(scores, "scores")
    check_shape("scores", blocks.shape, shape, f"the corpus {corpus.name}")
    by_relevance = named_relevance(relevance, stream=bool(sample) or engine not in ("local", one_after_another))
    for one in by_relevance.values():
        check_shape(one.argument, one.shape, shape, f"the corpus {corpus.name}")
    policies = (asp_ties, hit_ties)
    with open_engine(engine, scheduler) as run:
        values = per_query_values(
            blocks, corpus.all_truths(), by_relevance, _labels(corpus), policies, graded, block, progress, sample, run
        )
        measurements = summarize(values, "all", n_queries, is_sample=bool(sample))
        if fold_size is not None:
            measurements += _fold_measurements(blocks, corpus, by_relevance, fold_size, policies, block, run)
    evaluated = {direction: sample.get(direction, np.arange(n)) for direction, n in n_queries.items()}
    sampled = {"sampled": describe_sample(n_queries, sample, seed)} if sample else {}
    return Report(
        name=name,
        corpus=corpus.name,
        n_images=corpus.n_images,
        n_captions=corpus.n_captions,
        settings={"asp_ties": asp_ties, "hit_ties": hit_ties, **sampled},
        measurements=tuple(measurements),
        per_query=values,
        image_of_query={"i2t": evaluated["i2t"], "t2i": corpus.image_of_caption[evaluated["t2i"]]},
        queries=evaluated,
    )


def named_relevance(relevance: Any, stream: bool = False) -> dict[str, Blocks]:
    """Relevance matrices by name, from whatever form `evaluate` takes; `stream` as in `relevance_blocks`.

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
        key: value if isinstance(value, Blocks) else relevance_blocks(value, f"relevance {key}", stream)
        for key, value in named.items()
    }


def _labels(corpus: CaptionCorpus, images: slice = slice(None)) -> tuple[np.ndarray, np.ndarray] | None:
    """Categories and image of each caption among some consecutive images, if there are any categories."""
    if corpus.labels is None or not corpus.labels[images].any():
        return None
    start, stop, _ = images.indices(corpus.n_images)
    inside = (corpus.image_of_caption >= start) & (corpus.image_of_caption < stop)
    return corpus.labels[images], corpus.image_of_caption[inside] - start


def summarize(
    values: Mapping[str, Mapping[Key, np.ndarray]],
    gallery: str,
    n_queries: Mapping[str, int],
    is_sample: bool = False,
) -> list[Measurement]:
    """Means (or medians) over the queries that have a value, and the sums of recalls.

    Args:
        values: per-query values by direction, metric and truth.
        gallery: what was ranked over.
        n_queries: how many queries there are by direction, evaluated or not.
        is_sample: whether to add standard errors, since the values are of some queries only.
    """

    def error_of(of_queries: np.ndarray, direction: str, median: bool = False) -> float | None:
        error = standard_error(of_queries, n_queries[direction], median)
        return error if is_sample and np.isfinite(error) else None

    result = []
    for direction, by_key in values.items():
        n_candidates = n_queries["t2i" if direction == "i2t" else "i2t"]
        for (metric, truth), of_queries in by_key.items():
            n_valued = int(np.isfinite(of_queries).sum())
            if n_valued:
                median = metric == "median rank"
                mean = float(np.nanmedian(of_queries) if median else np.nanmean(of_queries))
                chance = _chance(metric, n_candidates)
                number = Measurement(metric, truth, direction, gallery, mean, chance, n_valued)
                result.append(number._replace(standard_error=error_of(of_queries, direction, median)))
    for truth in dict.fromkeys(one.truth for one in result if one.metric == "R@1"):
        recalls = [one for one in result if one.truth == truth and one.metric.startswith("R@")]
        if {one.direction for one in recalls} == set(DIRECTIONS):
            total = sum(one.value for one in recalls)
            n_valued = sum(one.n_queries for one in recalls if one.metric == "R@1")
            sums = {d: sum(values[d][one.metric, truth] for one in recalls if one.direction == d) for d in DIRECTIONS}
            errors = [error_of(np.asarray(of_queries), direction) for direction, of_queries in sums.items()]
            known = [error for error in errors if error is not None]
            error = float(np.linalg.norm(known)) if len(known) == len(DIRECTIONS) else None  # drawn independently
            number = Measurement("rsum", truth, "both", gallery, total, None, n_valued, standard_error=error)
            result.append(number)
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
    run: Runner,
) -> list[Measurement]:
    """Means over consecutive folds of images with their captions; recall and precision by annotation only."""
    folds: list[list[Measurement]] = []
    for start in range(0, corpus.n_images, fold_size):
        images = slice(start, start + fold_size)
        captions = np.flatnonzero((corpus.image_of_caption >= images.start) & (corpus.image_of_caption < images.stop))
        annotated = Truth(corpus.annotated[images][:, captions])
        by_relevance = {key: blocks.select(images, captions) for key, blocks in relevance.items()}
        part, labels = scores.select(images, captions), _labels(corpus, images)
        values = per_query_values(part, {"annotated": annotated}, by_relevance, labels, policies, False, block, run=run)
        n_queries = dict(zip(DIRECTIONS, part.shape, strict=True))
        folds.append(summarize(values, f"{corpus.n_images // fold_size} x {fold_size}", n_queries))
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
