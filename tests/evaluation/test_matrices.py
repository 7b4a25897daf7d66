"""Scores from embeddings, relevance that is computed by blocks, and metrics that need labels."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from daa.corpus import CaptionCorpus
from daa.evaluation import EmbeddingScores, evaluate
from daa.metrics import (
    asp_at_k,
    chance_corrected_asp,
    kendall_tau,
    mean_rank,
    median_rank,
    ndcg_at_k,
    normalized_cumulative_semantic_score,
    plausible_match_r_precision,
)
from daa.relevance import TfidfRelevance, matrices

GENERATOR = np.random.default_rng(0)
THINGS = ["dog", "cat", "cow", "car", "bus", "tree"]
CORPUS = CaptionCorpus(
    captions=[f"a {thing} {place}" for thing in THINGS for place in ("here", "near a tree")],
    image_of_caption=np.repeat(np.arange(6), 2),
    labels=np.array([[1, 0], [1, 0], [1, 1], [0, 1], [0, 1], [0, 0]], dtype=bool),
    name="toy",
)
IMAGES, CAPTIONS = GENERATOR.normal(size=(6, 5)), GENERATOR.normal(size=(12, 5))
SCORES = IMAGES @ CAPTIONS.T


def same(one, other):
    for a, b in zip(one.measurements, other.measurements, strict=True):
        assert a[:4] == b[:4]
        assert a.value == pytest.approx(b.value, abs=1e-6), a


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("similarity", ["cosine", "dot"])
def test_embeddings_score_as_their_matrix_does(similarity, dtype):
    images, captions = torch.from_numpy(IMAGES).to(dtype), torch.from_numpy(CAPTIONS).to(dtype)
    embedded = EmbeddingScores(images, captions, similarity)
    images, captions = images.double(), captions.double()
    if similarity == "cosine":
        images, captions = (one / one.norm(dim=1, keepdim=True) for one in (images, captions))
    semantic = {"semantic": GENERATOR.random(SCORES.shape)}
    for options in ({}, {"fold_size": 3}, {"block": 1}):
        same(
            evaluate(embedded, CORPUS, semantic, **options), evaluate(images @ captions.T, CORPUS, semantic, **options)
        )


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize(
    ("images", "captions", "similarity", "message"),
    [
        (IMAGES, CAPTIONS[:, :4], "dot", "captions: expected embeddings as wide as the images', 5, got 4"),
        (IMAGES * np.nan, CAPTIONS, "dot", "images: expected finite numbers, but row 0"),
        (IMAGES, np.where(np.arange(12)[:, None] == 7, 0, CAPTIONS), "cosine", "captions: .* row 7 .* is all zero"),
        (IMAGES, CAPTIONS, "euclidean", "similarity: expected one of cosine, dot"),
        (IMAGES[0], CAPTIONS, "dot", "images: expected a matrix"),
    ],
)
def test_embeddings_that_cannot_be_compared_are_refused(images, captions, similarity, message):
    with pytest.raises(ValueError, match=message):
        EmbeddingScores(images, captions, similarity)


def test_a_relevance_computed_by_blocks_gives_the_same_report(monkeypatch):
    relevance = TfidfRelevance().fit(CORPUS)
    for options in ({}, {"fold_size": 3}, {"block": 2}):
        held = evaluate(SCORES, CORPUS, relevance, **options)
        with monkeypatch.context() as small:
            small.setattr(matrices, "HELD_AT_MOST", 3)
            by_blocks = evaluate(SCORES, CORPUS, relevance, **options)
        assert "QASP" in {one.metric for one in held.measurements}  # asks for the whole relevance
        same(by_blocks, replace(held, measurements=tuple(one for one in held.measurements if one.metric != "QASP")))


def test_every_further_number_equals_the_metric_called_by_itself():
    semantic = GENERATOR.random(SCORES.shape)
    report = evaluate(SCORES, CORPUS, {"semantic": semantic})
    for direction in ("i2t", "t2i"):
        options = {"direction": direction}
        own = CORPUS.image_of_caption
        expected = {
            ("ASP above chance", "semantic"): chance_corrected_asp(SCORES, semantic, **options),
            ("ASP@100", "semantic"): asp_at_k(SCORES, semantic, 100, **options),
            ("NCS@10", "semantic"): normalized_cumulative_semantic_score(
                SCORES, semantic, 10, leave_out=own, **options
            ),
            ("NDCG@10", "semantic"): ndcg_at_k(SCORES, semantic, 10, **options),
            ("tau@100", "semantic"): kendall_tau(SCORES, semantic, 100, **options),
            ("median rank", "annotated"): median_rank(SCORES, own, **options),
            ("mean rank", "annotated"): mean_rank(SCORES, own, **options),
            ("PMRP", "labels"): plausible_match_r_precision(SCORES, CORPUS.labels, own, **options),
            ("PMRP zeta=1", "labels"): plausible_match_r_precision(SCORES, CORPUS.labels, own, zeta=1, **options),
        }
        for (metric, truth), value in expected.items():
            assert report.value(metric, truth, direction) == pytest.approx(value, abs=1e-12), metric
    pmrp = next(one for one in report.measurements if one[:3] == ("PMRP", "labels", "t2i"))
    assert pmrp.n_queries == 10  # the image without a label is dropped with its captions


def test_pmrp_averages_over_folds():
    report = evaluate(SCORES, CORPUS, fold_size=3)
    folds = [
        plausible_match_r_precision(
            SCORES[a : a + 3, 2 * a : 2 * a + 6], CORPUS.labels[a : a + 3], np.repeat(np.arange(3), 2)
        )
        for a in (0, 3)
    ]
    assert report.value("PMRP", "labels", "i2t", gallery="2 x 3") == pytest.approx(np.mean(folds))


def test_gains_are_left_out_where_the_relevance_is_negative():
    metrics = set(evaluate(SCORES, CORPUS, {"signed": GENERATOR.normal(size=SCORES.shape)}).to_frame().metric)
    assert "ASP@100" in metrics
    assert not {"NCS@10", "NDCG@10"} & metrics
    plain = set(evaluate(SCORES, CORPUS, {"signed": np.abs(SCORES)}, graded=False).to_frame().metric)
    assert "ASP" in plain
    assert "ASP@100" not in plain
