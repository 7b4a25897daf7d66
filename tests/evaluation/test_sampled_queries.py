"""Reports of sampled queries: the right values, honest standard errors, and nothing computed that was not drawn."""

import json
import re

import numpy as np
import pytest

from daa.corpus import CaptionCorpus
from daa.evaluation import EmbeddingScores, Report, compare, evaluate
from daa.evaluation.evaluate import summarize
from daa.evaluation.statistics import draw_queries, standard_error
from daa.matrix import Matrix
from daa.relevance import CiderRelevance, matrices

GENERATOR = np.random.default_rng(0)
N_IMAGES, N_CAPTIONS = 40, 120
IMAGE_OF_CAPTION = np.repeat(np.arange(N_IMAGES), 3)
WORDS = np.array(["a", "red", "blue", "dog", "cat", "car", "old", "tree", "here", "there"])
CORPUS = CaptionCorpus(
    captions=[" ".join(GENERATOR.choice(WORDS, 6)) for _ in range(N_CAPTIONS)],
    image_of_caption=IMAGE_OF_CAPTION,
    labels=GENERATOR.random((N_IMAGES, 3)) < 0.4,
    positives=(GENERATOR.random((N_IMAGES, N_CAPTIONS)) < 0.02),  # a query may have none
    name="toy",
)
IMAGES = GENERATOR.normal(size=(N_IMAGES, 8)).astype(np.float32)
CAPTIONS = (IMAGES[IMAGE_OF_CAPTION] + 1.5 * GENERATOR.normal(size=(N_CAPTIONS, 8))).astype(np.float32)
RELEVANCE = CiderRelevance().fit(CORPUS)
N_QUERIES = {"i2t": N_IMAGES, "t2i": N_CAPTIONS}


@pytest.fixture(scope="module")
def whole():
    return evaluate(IMAGES @ CAPTIONS.T, CORPUS, RELEVANCE)


def scores_in(form, tmp_path):
    if form == "embeddings":
        return EmbeddingScores(IMAGES, CAPTIONS, "dot")
    np.save(tmp_path / "scores.npy", IMAGES @ CAPTIONS.T)
    return np.load(tmp_path / "scores.npy", mmap_mode="r")


@pytest.mark.parametrize("form", ["embeddings", "mapped"])
@pytest.mark.parametrize("block", [None, 4])
def test_a_drawn_query_has_the_value_it_has_in_the_whole_report(whole, tmp_path, form, block):
    report = evaluate(scores_in(form, tmp_path), CORPUS, RELEVANCE, queries=15, seed=3, block=block)
    for direction, by_key in whole.per_query.items():
        drawn = report.queries[direction]
        assert len(np.unique(drawn)) == 15
        assert by_key.keys() - report.per_query[direction].keys() == {("QASP", "cider-d")}  # of all queries only
        assert report.per_query[direction].keys() < by_key.keys()
        for key, values in report.per_query[direction].items():
            np.testing.assert_allclose(values, by_key[key][drawn], rtol=1e-6, err_msg=str(key))
    np.testing.assert_array_equal(report.image_of_query["t2i"], IMAGE_OF_CAPTION[report.queries["t2i"]])
    chances = {one[:4]: one.chance for one in whole.measurements}
    assert all(one.chance == chances[one[:4]] for one in report.measurements)


def test_as_many_queries_as_there_are_is_the_exact_report(whole):
    scores = IMAGES @ CAPTIONS.T
    assert evaluate(scores, CORPUS, RELEVANCE, queries=N_CAPTIONS).to_json() == whole.to_json()
    half = evaluate(scores, CORPUS, RELEVANCE, queries=N_IMAGES)
    for one in half.measurements:
        if one.direction == "i2t":
            assert (one.value, one.standard_error) == (whole.value(*one[:3]), 0.0), one
        else:
            assert one.standard_error > 0, one


class Watched(Matrix):
    """A matrix that notes which queries are asked for, and how much at a time; whole it does not exist."""

    def __init__(self, of):
        self.of, self.argument, self.shape = of, of.argument, of.shape
        self.asked, self.largest = {"i2t": [], "t2i": []}, 0

    def rows(self, direction, queries):
        part = self.of.rows(direction, queries)
        self.asked[direction].append(np.arange(N_QUERIES[direction])[queries])
        self.largest = max(self.largest, part.shape[0] * part.shape[1])
        return part

    def select(self, images, captions):
        return self.of.select(images, captions)


class WatchedRelevance:
    name, minimum, n_images, n_captions = "watched", 0.0, N_IMAGES, N_CAPTIONS

    def __init__(self):
        self.rows, self.columns, self.largest = [], [], 0

    def matrix(self, rows=None):
        assert rows is not None, "the whole matrix was asked for"
        self.rows.append(np.arange(N_IMAGES)[rows])
        return self._note(RELEVANCE.matrix(rows))

    def batch(self, images, captions):
        self.columns.append(captions)
        return self._note(RELEVANCE.batch(images, captions))

    def _note(self, part):
        self.largest = max(self.largest, part.shape[0] * part.shape[1])
        return part


def test_nothing_is_computed_of_queries_that_are_not_drawn():
    scores, relevance = Watched(EmbeddingScores(IMAGES, CAPTIONS)), WatchedRelevance()
    report = evaluate(scores, CORPUS, relevance, queries=15, block=4)
    for direction, asked in scores.asked.items():
        np.testing.assert_array_equal(np.concatenate(asked), report.queries[direction])
    np.testing.assert_array_equal(np.concatenate(relevance.rows), report.queries["i2t"])
    np.testing.assert_array_equal(np.concatenate(relevance.columns), report.queries["t2i"])


def test_no_matrix_is_ever_whole(whole, monkeypatch):
    """With a relevance too large to hold, nothing larger than a block is asked for, averages over folds included."""
    monkeypatch.setattr(matrices, "HELD_AT_MOST", 100)
    monkeypatch.setattr("daa.metrics.queries.ITEMS_PER_BLOCK", 500)
    scores, relevance = Watched(EmbeddingScores(IMAGES, CAPTIONS, "dot")), WatchedRelevance()
    report = evaluate(scores, CORPUS, relevance, fold_size=20)
    assert 0 < scores.largest <= 500
    assert 0 < relevance.largest <= 500
    for direction in ("i2t", "t2i"):
        asp = report.value("ASP", "watched", direction)
        assert asp == pytest.approx(whole.value("ASP", "cider-d", direction), abs=1e-6)
    held = evaluate(IMAGES @ CAPTIONS.T, CORPUS, {"watched": RELEVANCE.matrix()}, fold_size=20)
    for one in held.measurements:
        assert report.value(*one[:4]) == pytest.approx(one.value, abs=1e-6), one


def test_standard_errors_are_how_much_estimates_vary(whole):
    """Over many samples: the root mean square of the errors made is that of the standard errors stated."""
    errors, stated = {}, {}
    for seed in range(400):
        sample = draw_queries(N_QUERIES, 25, seed)
        values = {d: {key: of[sample[d]] for key, of in by_key.items()} for d, by_key in whole.per_query.items()}
        for one in summarize(values, "all", N_QUERIES, is_sample=True):
            errors.setdefault(one[:3], []).append(one.value - whole.value(*one[:3]))
            stated.setdefault(one[:3], []).append(one.standard_error)
    assert ("rsum", "exhaustive", "both") in errors
    for key, of_samples in errors.items():
        made, said = (np.sqrt(np.mean(np.square(np.array(side, float)))) for side in (of_samples, stated[key]))
        if key[1] in ("exhaustive", "labels"):  # few queries have a value, so the linear approximation is rough
            assert said == pytest.approx(made, rel=0.25, abs=1e-12), key
        elif key[0] == "median rank":
            assert 0.6 * made < said < 2 * made, key
        else:
            assert said == pytest.approx(made, rel=0.12, abs=1e-12), key


def test_the_standard_error_of_a_mean_by_hand():
    values = np.array([1.0, 2.0, 4.0, np.nan, 5.0, 0.0])
    complete = np.array([1.0, 2.0, 4.0, 3.0, 5.0, 0.0])
    by_hand = np.sqrt((1 - 6 / 24) * complete.var(ddof=1) / 6)
    assert standard_error(complete, 24) == pytest.approx(by_hand)
    ratio = np.sqrt((1 - 6 / 24) / 6 * (np.nansum((values - np.nanmean(values)) ** 2) / 5)) / (5 / 6)
    assert standard_error(values, 24) == pytest.approx(ratio)
    assert standard_error(complete, 6) == 0
    assert np.isnan(standard_error(np.array([1.0, np.nan]), 6))


def test_table_json_and_csv_show_the_standard_error():
    report = evaluate(IMAGES @ CAPTIONS.T, CORPUS, RELEVANCE, queries=15, seed=1)
    one = next(m for m in report.measurements if m[:3] == ("ASP", "cider-d", "i2t"))
    row = next(line for line in report.to_markdown().splitlines() if line.startswith("| cider-d | ASP |"))
    assert f"{100 * one.value:.1f} ± {100 * one.standard_error:.1f}" in row
    assert "15 of 40 images (i2t) and 15 of 120 captions (t2i)" in report._repr_html_()
    frame = report.to_frame().set_index(["metric", "truth", "direction"])
    assert frame.standard_error["ASP", "cider-d", "i2t"] == one.standard_error
    read = Report.from_json(report.to_json())
    assert read.measurements == report.measurements
    assert read.settings["sampled"]["t2i"] == {"unit": "captions", "drawn": 15, "of": 120}
    assert json.loads(report.to_json())["settings"]["sampled"]["seed"] == 1
    other = evaluate(-IMAGES @ CAPTIONS.T, CORPUS, RELEVANCE, queries=15, seed=1, name="other")
    both = compare([report, other], n_resamples=200)
    assert re.search(r"\| ASP \| i2t \| \S+ ± \S+ \| \S+ ± \S+ \|", both.to_markdown())
    assert both.tests.set_index(["metric", "truth", "direction"]).p["mean rank", "annotated", "t2i"] < 0.05


@pytest.mark.usefixtures("own_errors")
def test_what_does_not_go_with_a_sample_is_refused():
    scores = IMAGES @ CAPTIONS.T
    for n in (1, 2.5):
        with pytest.raises(ValueError, match="queries: expected an integer from 2"):
            evaluate(scores, CORPUS, queries=n)
    with pytest.raises(ValueError, match="queries: expected all queries where folds are averaged"):
        evaluate(scores, CORPUS, queries=10, fold_size=20)
    report = evaluate(scores, CORPUS, queries=10)
    with pytest.raises(ValueError, match="intervals: expected all queries"):
        report.with_intervals()
    with pytest.raises(ValueError, match="reports: expected the same queries"):
        compare([report, evaluate(scores, CORPUS, queries=10, seed=1, name="other")])
