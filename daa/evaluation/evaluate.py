"""Evaluating a similarity matrix against everything its corpus knows: rank each row once, compute, summarise."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import cache
from typing import Any

import numpy as np

from daa.corpus import CaptionCorpus, Truth
from daa.evaluation.floors import Floors, blind_rankings, floors_of, halves_of, with_floors
from daa.evaluation.report import Report
from daa.evaluation.statistics import describe_sample, draw_queries, standard_error
from daa.evaluation.tables import Measurement
from daa.evaluation.tasks import runner_on
from daa.evaluation.workers import Workers, open_workers
from daa.matrix import ImagesByCaptions, Matrix, as_matrix, by_query, check_shape
from daa.metrics.metric import Metric, Quantity, metric_of, standard_metrics, totals
from daa.metrics.queries import Asked, Pass, Runner, per_query
from daa.metrics.truth import Labels, Positives
from daa.names import DIRECTIONS, HIT_POLICIES, TIE_POLICIES, check_name
from daa.ranks import DoubleRanks
from daa.relevance import matrices

PerQuery = dict[str, dict[tuple[str, str], np.ndarray]]  # by direction, and by name of a number and what judges it


def evaluate(
    scores: ImagesByCaptions | Matrix,
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
    workers: Workers = None,
    floors: bool = False,
) -> Report:
    """Every metric of a similarity matrix, both directions, each row ranked once.

    Against every truth the corpus knows (among judged pairs only, where it says which were): R@1, R@5, R@10 and their
    sum, mAP@R, R-Precision, median and mean rank of the first match. By the object categories of the images, if the
    corpus knows them: PMRP. Against every relevance: ASP, and if `graded` also QASP (see `query_specific_asp`; of all
    queries and up to 2^28 pairs only), ASP corrected for chance, ASP@100, NCS@10 (each query's own captions left out),
    NDCG@10 and Kendall's tau among the top 100; NCS and NDCG need a relevance that is never negative. And every metric
    that was
    declared by `daa.metrics.metric.standard` since.

    Args:
        scores: similarity [images, captions] in the order of the corpus, any range; memory-mapped arrays stream. Or
            `EmbeddingScores`, or any `daa.matrix.Matrix`.
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
            its standard error (see `daa.evaluation.statistics`). A direction without more queries than that is exact.
        seed: of the random queries.
        workers: what computes blocks of queries, with the same results: by default this process; a number of processes,
            started for this evaluation; or a `concurrent.futures.Executor`, such as a Dask client's `get_executor()`,
            or the address of a Dask scheduler (see `daa.evaluation.workers`).
        floors: also measure what rankings that ignore the query score in every metric, for `Report.table` and the
            columns of `Report.to_frame` (see `daa.evaluation.floors`). Not of folds, and not where queries are
            sampled, since they are learnt from all queries.

    Raises:
        ValueError: if the scores or a relevance do not fit the corpus or are not finite, or options do not go together.

    >>> corpus = CaptionCorpus(captions=["a dog", "a hound", "a cat"], image_of_caption=[0, 0, 1])
    >>> report = evaluate(np.array([[0.9, 0.2, 0.4], [0.1, 0.3, 0.8]]), corpus)
    >>> report.value("R-Precision", "annotated", "i2t")
    0.75
    """
    if fold_size is not None and (fold_size < 1 or corpus.n_images % fold_size):
        raise ValueError(f"fold_size: expected a divisor of the corpus's {corpus.n_images} images, got {fold_size}")
    check_name("asp_ties", asp_ties, TIE_POLICIES)
    check_name("hit_ties", hit_ties, HIT_POLICIES)
    shape = (corpus.n_images, corpus.n_captions)
    n_queries = dict(zip(DIRECTIONS, shape, strict=True))
    sample = {} if queries is None else draw_queries(n_queries, queries, seed)
    if sample and floors:
        raise ValueError("queries: expected all queries where floors are measured, since they are learnt from them")
    if sample and fold_size is not None:
        raise ValueError("queries: expected all queries where folds are averaged, since a fold needs all of its own")
    matrix = as_matrix(scores, "scores")
    by_relevance = matrices.named_relevance(relevance)
    for one in (matrix, *by_relevance.values()):
        check_shape(one.argument, one.shape, shape, f"the corpus {corpus.name}")
    options: dict[str, Any] = {"asp_ties": asp_ties, "hit_ties": hit_ties, "block": block}
    with open_workers(workers) as executor:
        options["run"] = runner_on(executor)
        judges = corpus.all_truths(), by_relevance, _labels(corpus)
        wanted = metrics(
            graded, doubly_ranked=not sample and matrix.shape[0] * matrix.shape[1] <= matrices.HELD_AT_MOST
        )
        halves = halves_of(corpus) if floors else None
        values, of_blind = measure(matrix, *judges, wanted, progress=progress, sample=sample, halves=halves, **options)
        measurements = with_floors(summarize(values, "all", n_queries, is_sample=bool(sample)), of_blind)
        if fold_size is not None:
            measurements += _fold_measurements(matrix, corpus, by_relevance, fold_size, options)
    evaluated = {direction: sample.get(direction, np.arange(n)) for direction, n in n_queries.items()}
    sampled = {"sampled": describe_sample(n_queries, sample, seed)} if sample else {}
    judged = [key for key, truth in corpus.all_truths().items() if truth.judged is not None]
    among_judged = {"among_judged": judged} if judged else {}
    return Report(
        name=name,
        corpus=corpus.name,
        n_images=corpus.n_images,
        n_captions=corpus.n_captions,
        settings={"asp_ties": asp_ties, "hit_ties": hit_ties, **sampled, **among_judged},
        measurements=tuple(measurements),
        per_query=values,
        image_of_query={"i2t": evaluated["i2t"], "t2i": corpus.image_of_caption[evaluated["t2i"]]},
        queries=evaluated,
    )


def metrics(graded: bool, doubly_ranked: bool = True) -> list[Metric]:
    """The metrics of a report, or those of one that is not graded, or that cannot rank a relevance over all queries."""
    wanted = (one for one in standard_metrics() if graded or not one.graded)
    return [one for one in wanted if doubly_ranked or not one.doubly_ranked]


def measure(
    scores: Matrix,
    truths: Mapping[str, Truth],
    relevance: Mapping[str, Matrix],
    labels: tuple[np.ndarray, np.ndarray] | None,
    wanted: Sequence[Metric],
    *,
    asp_ties: str = "average",
    hit_ties: str = "expected",
    block: int | None = None,
    progress: Callable[[int], None] = lambda n_queries: None,
    sample: Mapping[str, np.ndarray] | None = None,
    run: Runner | None = None,
    halves: Mapping[str, np.ndarray] | None = None,
) -> tuple[PerQuery, dict[Quantity, Floors]]:
    """Per-query values by direction, number and what it is judged by, NaN where a query has none; and their floors.

    Args:
        scores: the similarity matrix.
        truths: sets of positives by name; the one named "annotated" is left out of NCS.
        relevance: graded relevance by name.
        labels: categories of each image, image of each caption.
        wanted: the metrics, each computed by everything that can judge it.
        asp_ties, hit_ties, block, progress: as in `evaluate`.
        sample: by direction the queries to look at; all of a direction that is not in it.
        run: what computes the blocks of queries; this process, if none is given.
        halves: by direction the half, 0 or 1, that each query is in; without them there are no floors.
    """
    categories = None if labels is None else Labels(*labels, scores.shape)
    is_signed = cache(lambda by: relevance[by].any_negative())
    by_name = {metric.name: metric for metric in wanted}
    double = {by: f"double ranks of {by}" for by in relevance if any(metric.doubly_ranked for metric in wanted)}
    ranked_by = {**relevance, **{name: DoubleRanks(relevance[by]) for by, name in double.items()}}
    result: PerQuery = {}
    known: dict[Quantity, Floors] = {}
    for direction in DIRECTIONS:
        positives = {by: Positives.of(truth, direction) for by, truth in truths.items()}
        positives = {by: matches for by, matches in positives.items() if matches.matrix.nnz}
        n_candidates = by_query(scores.shape, direction)[1]
        judges = {"positives": list(positives), "labels": ["labels"] * (labels is not None), "relevance": relevance}
        planned = {
            ("scores", metric.name, by): Asked(
                metric.compute,
                double[by] if metric.doubly_ranked else by,
                asp_ties if kind == "relevance" else hit_ties,
            )
            for kind, names in judges.items()
            for by in names
            for metric in wanted
            if metric.judged_by == kind and n_candidates >= metric.least_candidates
            if not (metric.gains and is_signed(by))
        }
        one = Pass(direction, scores, ranked_by, positives, categories)
        if halves is not None:
            one = replace(one, order_of=1 - halves[direction])
            blind = blind_rankings(one, planned, by_name, block)
            one, planned = replace(one, orders=blind.orders), planned | blind.planned
        one = replace(one, asked=tuple(planned.values()))
        computed = per_query(one, block, progress, (sample or {}).get(direction), run)
        by_ranking: PerQuery = {"scores": {}}
        for (ranking, name, by), of_queries in zip(planned, computed, strict=True):
            metric = by_name[name]
            of_queries = np.where(np.isnan(of_queries), 0.0, of_queries) if metric.undefined == "zero" else of_queries
            columns = of_queries.reshape(len(of_queries), -1).T
            of_ranking = by_ranking.setdefault(ranking, {})
            of_ranking.update({(number, by): values for number, values in zip(metric.names, columns, strict=True)})
        result[direction] = by_ranking["scores"]
        if halves is not None:
            known |= floors_of(one, blind, by_ranking)
    return result, known


def summarize(
    values: Mapping[str, Mapping[tuple[str, str], np.ndarray]],
    gallery: str,
    n_queries: Mapping[str, int],
    is_sample: bool = False,
) -> list[Measurement]:
    """Means (or medians) over the queries that have a value, and the totals of both directions.

    Args:
        values: what `measure` gave.
        gallery: what was ranked over.
        n_queries: how many queries there are by direction, evaluated or not.
        is_sample: whether to add standard errors, since the values are of some queries only.
    """

    def error_of(of_queries: np.ndarray, direction: str, median: bool = False) -> float | None:
        error = standard_error(of_queries, n_queries[direction], median)
        return error if np.isfinite(error) else None

    result: dict[tuple[str, str, str], Measurement] = {}
    for direction, by_key in values.items():
        n_candidates = n_queries["t2i" if direction == "i2t" else "i2t"]
        for (name, truth), of_queries in by_key.items():
            n_valued = int(np.isfinite(of_queries).sum())
            if n_valued:
                metric = metric_of(name)
                chance = None if metric.chance is None else metric.chance(n_candidates)
                error = error_of(of_queries, direction, metric.over_queries == "median") if is_sample else None
                number = Measurement(name, truth, direction, gallery, metric.summary(of_queries), chance, n_valued)
                result[name, truth, direction] = number._replace(standard_error=error)
    for (name, truth, both), summed in totals(result).items():
        value = sum(result[one].value for one in summed)
        n_valued = sum(result[one].n_queries for one in summed if one[0] == metric_of(name).name)
        error = None
        if is_sample:
            sums = {d: sum(values[d][one[:2]] for one in summed if one[2] == d) for d in DIRECTIONS}
            errors = [error_of(np.asarray(of_queries), direction) for direction, of_queries in sums.items()]
            known = [error for error in errors if error is not None]
            error = float(np.linalg.norm(known)) if len(known) == len(DIRECTIONS) else None  # drawn independently
        number = Measurement(name, truth, both, gallery, value, None, n_valued, standard_error=error)
        result[name, truth, both] = number
    return list(result.values())


def _labels(corpus: CaptionCorpus, images: slice = slice(None)) -> tuple[np.ndarray, np.ndarray] | None:
    """Categories and image of each caption among some consecutive images, if there are any categories."""
    if corpus.labels is None or not corpus.labels[images].any():
        return None
    start, stop, _ = images.indices(corpus.n_images)
    inside = (corpus.image_of_caption >= start) & (corpus.image_of_caption < stop)
    return corpus.labels[images], corpus.image_of_caption[inside] - start


def _fold_measurements(
    scores: Matrix, corpus: CaptionCorpus, relevance: Mapping[str, Matrix], fold_size: int, options: dict[str, Any]
) -> list[Measurement]:
    """Means over consecutive folds of images with their captions; recall and precision by annotation only."""
    folds: list[list[Measurement]] = []
    for start in range(0, corpus.n_images, fold_size):
        images = slice(start, start + fold_size)
        captions = np.flatnonzero((corpus.image_of_caption >= images.start) & (corpus.image_of_caption < images.stop))
        annotated = Truth(corpus.annotated[images][:, captions])
        by_relevance = {key: matrix.select(images, captions) for key, matrix in relevance.items()}
        part = scores.select(images, captions)
        judges = {"annotated": annotated}, by_relevance, _labels(corpus, images)
        values, _ = measure(part, *judges, metrics(graded=False), **options)
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
