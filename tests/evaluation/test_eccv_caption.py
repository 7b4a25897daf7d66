"""On COCO 5K, recall and precision equal those of the eccv_caption package on the same rankings."""

import warnings

import numpy as np
import pytest
from sklearn.feature_extraction.text import TfidfVectorizer

from daa.datasets import load_corpus
from daa.evaluation import evaluate

KS = (1, 5, 10)
DEEPEST = 60  # no query has more positives


@pytest.fixture(scope="module")
def corpus(real_data):
    return load_corpus("coco-5k")


@pytest.fixture(scope="module")
def scores(corpus):
    """TF-IDF similarity of each image's first caption to every caption, its ties broken by a little noise."""
    texts = TfidfVectorizer().fit_transform(corpus.captions)
    first = np.unique(corpus.image_of_caption, return_index=True)[1]
    similarity = (texts[first] @ texts.T).toarray()
    similarity += np.random.default_rng(0).random(similarity.shape) * 1e-6
    return similarity


@pytest.fixture(scope="module")
def peer():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends ujson
        from eccv_caption import Metrics
    return Metrics()


def best_ids(scores, query_ids, candidate_ids):
    """The identifiers of the best candidates of each query, best first, as eccv_caption takes them."""
    top = np.argpartition(-scores, DEEPEST, axis=1)[:, :DEEPEST]
    top = np.take_along_axis(top, np.argsort(-np.take_along_axis(scores, top, 1), axis=1), 1)
    return dict(zip(query_ids.tolist(), candidate_ids[top].tolist(), strict=True))


@pytest.fixture(scope="module")
def report(scores, corpus):
    return evaluate(scores, corpus, fold_size=1000)


def test_the_5k_numbers(scores, corpus, peer, report):
    retrieved = {
        "i2t": best_ids(scores, corpus.image_ids, corpus.caption_ids),
        "t2i": best_ids(scores.T, corpus.caption_ids, corpus.image_ids),
    }
    eccv = peer.eccv_metrics(retrieved, "all")
    expected = {("R-Precision", "ECCV"): eccv["eccv_rprecision"], ("mAP@R", "ECCV"): eccv["eccv_map_at_r"]}
    for k in KS:
        expected[f"R@{k}", "annotated"] = peer.coco_5k_recalls(retrieved, "all", K=k)
        expected[f"R@{k}", "CxC"] = peer.cxc_recalls(retrieved, "all", K=k)
        expected[f"R@{k}", "ECCV"] = peer.eccv_recalls(retrieved, "all", K=k)
    for (metric, truth), by_direction in expected.items():
        for direction, value in by_direction.items():
            assert report.value(metric, truth, direction) == pytest.approx(value, abs=1e-6), (metric, truth, direction)


def test_the_1k_numbers(scores, corpus, peer, report):
    from eccv_caption._metrics import compute_coco1k_r_at_k

    for direction in ("i2t", "t2i"):
        truth = peer.coco_gts[direction]
        by_fold = {k: [] for k in KS}
        for fold in range(5):
            images = slice(1000 * fold, 1000 * (fold + 1))
            captions = slice(5000 * fold, 5000 * (fold + 1))
            part = scores[images, captions]
            queries, candidates = corpus.image_ids[images], corpus.caption_ids[captions]
            if direction == "t2i":
                part, queries, candidates = part.T, candidates, queries
            retrieved = best_ids(part, queries, candidates)
            among = set(candidates.tolist())
            for k in KS:
                wanted = {query: truth[query] for query in queries.tolist()}
                by_fold[k].append(compute_coco1k_r_at_k(retrieved, wanted, among, k))
        for k in KS:
            value = report.value(f"R@{k}", "annotated", direction, gallery="5 x 1000")
            assert value == pytest.approx(np.mean(by_fold[k]), abs=1e-6)
