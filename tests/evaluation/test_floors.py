"""Floors of every metric, held to rankings that are made and judged one by one."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest
from scipy import sparse

from daa.corpus import CaptionCorpus, Truth
from daa.evaluation import Report, evaluate
from daa.evaluation.floors import _median_rank_at_random
from daa.metrics import average_semantic_precision, map_at_r, mean_rank, ndcg_at_k, recall_at_k
from daa.metrics.truth import Positives
from tests.oracles import every_blind_order

N = 6


@pytest.fixture(scope="module")
def corpus():
    rng = np.random.default_rng(0)
    positives = np.eye(N, dtype=bool) | (rng.random((N, N)) < 0.3)
    return CaptionCorpus(
        captions=[f"caption {i}" for i in range(N)],
        image_of_caption=np.arange(N),
        name="small",
        positives=sparse.csr_array(positives),
        labels=rng.random((N, 4)) < 0.5,
    )


@pytest.fixture(scope="module")
def relevance():
    return np.random.default_rng(1).integers(0, 5, (N, N)).astype(np.float64)


@pytest.fixture(scope="module")
def report(corpus, relevance):
    scores = np.random.default_rng(2).random((N, N))
    return evaluate(scores, corpus, {"mine": relevance}, floors=True)


def floors_of(report, metric, truth, direction):
    return next(
        one for one in report.measurements if (one.metric, one.truth, one.direction) == (metric, truth, direction)
    )


def same_for_all(prior, direction):
    matrix = np.broadcast_to(prior, (N, N)).copy()
    return matrix if direction == "i2t" else matrix.T.copy()


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_random_is_the_mean_over_all_orders(report, corpus, relevance, direction):
    truth = corpus.positives
    metrics = {
        ("R@5", "exhaustive"): lambda s: recall_at_k(s, truth, 5, direction=direction),
        ("mAP@R", "exhaustive"): lambda s: map_at_r(s, truth, direction=direction),
        ("mean rank", "exhaustive"): lambda s: mean_rank(s, truth, direction=direction),
        ("ASP", "mine"): lambda s: average_semantic_precision(s, relevance, direction=direction),
        ("NDCG@10", "mine"): lambda s: ndcg_at_k(s, relevance, 10, direction=direction),
    }
    orders = [same_for_all(prior, direction) for prior in every_blind_order(N)]
    for (metric, by), compute in metrics.items():
        expected = np.mean([compute(order) for order in orders])
        assert floors_of(report, metric, by, direction).random == pytest.approx(expected), metric


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_priors_are_learnt_on_one_half_and_judged_on_the_other(report, corpus, relevance, direction):
    by_query = relevance if direction == "i2t" else relevance.T
    even = np.arange(N) % 2 == 0
    prior = np.where(even[:, None], by_query[~even].sum(0), by_query[even].sum(0))
    scores = prior if direction == "i2t" else prior.T
    one = floors_of(report, "ASP", "mine", direction)
    assert one.mean_prior == pytest.approx(average_semantic_precision(scores, relevance, direction=direction))
    orders = every_blind_order(N)
    values = np.array(
        [
            average_semantic_precision(
                same_for_all(p, direction), relevance, direction=direction, reduction="none"
            ).numpy()
            for p in orders
        ]
    )
    crosswise = []
    for half in (even, ~even):  # an order that is as good as any on the half it was learnt on
        learnt = values[:, ~half].mean(axis=1)
        best = np.isclose(learnt, learnt.max())
        crosswise.append((values[best][:, half].mean(axis=1).min(), values[best][:, half].mean(axis=1).max()))
    low, high = np.maximum(np.mean(crosswise, axis=0), one.mean_prior)
    assert low - 1e-9 <= one.best_blind <= high + 1e-9
    assert one.blind_at_most == pytest.approx(values.mean(axis=1).max())


def test_metrics_that_know_no_tie_policy_have_the_same_floors_under_each(report, corpus, relevance):
    scores = np.random.default_rng(2).random((N, N))
    ordinal = evaluate(scores, corpus, {"mine": relevance}, asp_ties="ordinal", floors=True)
    for metric in ("NDCG@10", "NCS@10", "tau@100"):
        for direction in ("i2t", "t2i"):
            assert floors_of(ordinal, metric, "mine", direction) == floors_of(report, metric, "mine", direction)


def test_above_floor(report):
    one = floors_of(report, "ASP", "mine", "i2t")
    assert one.floor == max(one.random, one.mean_prior, one.best_blind)
    assert one.above_floor == pytest.approx((one.value - one.floor) / (1 - one.floor))
    ranked = floors_of(report, "mean rank", "annotated", "i2t")
    assert ranked.floor == min(ranked.random, ranked.mean_prior, ranked.best_blind)
    total = floors_of(report, "rsum", "annotated", "both")
    parts = [floors_of(report, f"R@{k}", "annotated", d) for k in (1, 5, 10) for d in ("i2t", "t2i")]
    assert total.random == pytest.approx(sum(part.random for part in parts))
    assert total.above_floor == pytest.approx((total.value - total.floor) / (6 - total.floor))


def test_every_number_has_its_floors(report):
    assert {one.metric for one in report.measurements if one.random is None} == set()
    assert {one.metric for one in report.measurements if one.best_blind is None} == set()


def test_what_a_constant_ranking_scores_is_random_where_ties_are_expected(corpus, relevance):
    report = evaluate(np.zeros((N, N)), corpus, {"mine": relevance}, asp_ties="expected", floors=True)
    for one in report.measurements:
        if one.metric not in ("median rank", "QASP"):  # whose weights by average rank know the ties of the relevance
            assert one.value == pytest.approx(one.random), one


def test_reports_keep_floors_only_if_there_are_any(report, corpus, relevance):
    plain = evaluate(np.eye(N), corpus, {"mine": relevance})
    assert "random" not in plain.to_frame()
    assert "random" not in plain.to_dict()["measurements"][0]
    assert {"random", "mean_prior", "best_blind", "blind_at_most", "floor", "above_floor"} <= {*report.to_frame()}
    assert Report.from_json(report.to_json()).measurements == report.measurements
    assert (report.table.header[-1], plain.table.header[-1]) == ("above", "chance")
    assert all(len(line) <= 90 for line in report.to_markdown().splitlines())


def test_sampled_queries_have_no_floors(corpus, relevance):
    with pytest.raises(ValueError, match="queries: expected all queries where floors are measured"):
        evaluate(np.eye(N), corpus, {"mine": relevance}, queries=2, floors=True)
    assert "QASP" not in {
        one.metric for one in evaluate(np.eye(N), corpus, {"mine": relevance}, queries=2).measurements
    }


def test_median_rank_at_random():
    matches = Positives(sparse.csr_array(np.array([[1, 0, 0, 0, 0], [1, 1, 0, 0, 0]], dtype=bool)), np.array([1, 2]))
    drawn = np.array(
        [[min(p + 1 for p in np.random.default_rng(s).permutation(5)[:k]) for k in (1, 2)] for s in range(2000)]
    )
    assert _median_rank_at_random(matches, 5) == np.median(drawn)


@pytest.mark.parametrize("direction", ["i2t", "t2i"])
def test_only_judged_candidates_are_ranked_where_a_truth_says_which(corpus, direction):
    rng = np.random.default_rng(3)
    judged = rng.random((N, N)) < 0.6
    truth = Truth.among_judged(judged & (rng.random((N, N)) < 0.4), judged)
    report = evaluate(rng.random((N, N)), replace(corpus, truths={"people": truth}), floors=True)
    matches, asked = truth.positives_of(direction).toarray(), truth.judged_of(direction).toarray()
    queries = np.flatnonzero(matches.any(axis=1))
    assert 1 < len(queries) < N

    def first_match(query, order):
        ranked = [candidate for candidate in order if asked[query, candidate]]
        return 1 + next(place for place, candidate in enumerate(ranked) if matches[query, candidate])

    ranks = np.array([[first_match(query, order) for query in queries] for order in permutations(range(N))])
    one = {metric: floors_of(report, metric, "people", direction) for metric in ("R@1", "mean rank", "median rank")}
    assert one["R@1"].random == pytest.approx((ranks == 1).mean())
    assert one["mean rank"].random == pytest.approx(ranks.mean())
    assert one["median rank"].random == np.sort(ranks.ravel())[(ranks.size - 1) // 2]
    priors = np.stack([matches[1 - half :: 2].sum(axis=0) for half in (0, 1)])
    shares = np.stack([(matches / np.maximum(matches.sum(1, keepdims=True), 1))[1 - h :: 2].sum(0) for h in (0, 1)])
    expected = []
    for order in (priors, shares):
        scores = order[np.arange(N) % 2].astype(np.float64)
        expected.append(mean_rank(scores if direction == "i2t" else scores.T, truth, direction=direction))
    assert one["mean rank"].mean_prior == pytest.approx(expected[0])
    assert one["mean rank"].best_blind == pytest.approx(min(expected))


def test_one_image_can_teach_nothing():
    corpus = CaptionCorpus(captions=["a", "b"], image_of_caption=[0, 0], name="one")
    report = evaluate(np.array([[0.2, 0.1]]), corpus, {"mine": np.array([[0.5, 0.1]])}, floors=True)
    one = floors_of(report, "ASP", "mine", "i2t")
    assert one.random is not None
    assert one.best_blind is None
    assert one.above_floor == pytest.approx(1)
