"""Confidence intervals and paired tests of reports."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, stats

from daa.corpus import CaptionCorpus, Truth
from daa.evaluation import Measurement, Report, compare, evaluate
from daa.evaluation.statistics import resampled

N_IMAGES, PER_IMAGE = 40, 3
IMAGE_OF_CAPTION = np.repeat(np.arange(N_IMAGES), PER_IMAGE)
OWN = IMAGE_OF_CAPTION[None] == np.arange(N_IMAGES)[:, None]
CORPUS = CaptionCorpus(captions=["x"] * len(IMAGE_OF_CAPTION), image_of_caption=IMAGE_OF_CAPTION, name="toy")
NOISE = np.random.default_rng(0).normal(size=(3, *OWN.shape))
RELEVANCE = {"semantic": (OWN + 0.1 * np.abs(NOISE[2])).astype(np.float32)}


def system(strength, noise=0, name="system"):
    return evaluate(strength * OWN + NOISE[noise], CORPUS, RELEVANCE, name=name)


@pytest.fixture(scope="module")
def weak():
    return system(1, name="weak")


def test_a_resample_is_the_report_of_the_repeated_images(weak):
    """Weights 0, 1, 2, ... are the same as leaving out and repeating the per-query values by hand."""
    weights = np.random.default_rng(1).integers(0, 4, size=(5, N_IMAGES)).astype(float)
    result = resampled(weak.per_query, weak.image_of_query, weights)
    for direction, by_key in weak.per_query.items():
        for (metric, truth), values in by_key.items():
            for r in range(5):
                repeated = np.repeat(values, weights[r, weak.image_of_query[direction]].astype(int))
                expected = np.nanmedian(repeated) if metric == "median rank" else np.nanmean(repeated)
                assert result[metric, truth, direction][r] == pytest.approx(expected), metric
    ones = resampled(weak.per_query, weak.image_of_query, np.ones((1, N_IMAGES)))
    for one in weak.measurements:
        assert ones[one.metric, one.truth, one.direction][0] == pytest.approx(one.value), one


def test_intervals_agree_with_scipy_where_queries_are_independent(weak):
    with_intervals = weak.with_intervals(level=0.9, n_resamples=4000, seed=1)
    values = weak.per_query["i2t"]["mAP@R", "annotated"]
    expected = stats.bootstrap((values,), np.mean, n_resamples=4000, confidence_level=0.9, method="percentile", rng=0)
    row = next(m for m in with_intervals.measurements if m[:3] == ("mAP@R", "annotated", "i2t"))
    assert row.low == pytest.approx(expected.confidence_interval.low, abs=0.01)
    assert row.high == pytest.approx(expected.confidence_interval.high, abs=0.01)
    for one in with_intervals.measurements:
        assert one.low <= one.value <= one.high, one
    assert with_intervals.settings["intervals"]["level"] == 0.9
    assert (
        weak.with_intervals(n_resamples=50, seed=3).to_json() == weak.with_intervals(n_resamples=50, seed=3).to_json()
    )


def test_captions_of_one_image_do_not_count_as_independent():
    """Copying every caption adds no knowledge, so the interval must not shrink."""
    copies = np.tile(np.arange(OWN.shape[1]), 4)
    corpus = CaptionCorpus(captions=["x"] * len(copies), image_of_caption=IMAGE_OF_CAPTION[copies])
    scores = OWN + NOISE[0]
    widths = []
    for one_scores, one_corpus in ((scores, CORPUS), (scores[:, copies], corpus)):
        report = evaluate(one_scores, one_corpus).with_intervals(n_resamples=2000)
        row = next(m for m in report.measurements if m[:3] == ("R@1", "annotated", "t2i"))
        widths.append(row.high - row.low)
    assert widths[1] == pytest.approx(widths[0], rel=0.1)


def test_the_paired_test_is_a_sign_flip_test_over_images(weak):
    other = system(1.3, noise=1, name="other")
    tests = compare([weak, other], n_resamples=20_000).tests.set_index(["metric", "truth", "direction"])
    differences = other.per_query["i2t"]["ASP", "semantic"] - weak.per_query["i2t"]["ASP", "semantic"]
    row = tests.loc["ASP", "semantic", "i2t"]
    assert row.difference == pytest.approx(differences.mean())
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=20_000, rng=0)
    assert row.p == pytest.approx(expected.pvalue, abs=0.015)
    recall = other.value("rsum", "annotated", "both") - weak.value("rsum", "annotated", "both")
    assert tests.loc["rsum", "annotated", "both"].difference == pytest.approx(recall)
    captions = other.per_query["t2i"]["R@1", "annotated"] - weak.per_query["t2i"]["R@1", "annotated"]
    assert tests.loc["R@1", "annotated", "t2i"].difference == pytest.approx(captions.mean())


def test_p_values_are_fair_under_the_null_and_small_under_a_difference(weak):
    p_values = []
    images = np.arange(30)
    for seed in range(200):
        pair = []
        for name, values in zip("ab", np.random.default_rng(seed).normal(size=(2, len(images))), strict=True):
            row = Measurement("mAP@R", "annotated", "i2t", "all", float(values.mean()), None, len(images))
            per_query = {"i2t": {("mAP@R", "annotated"): values}}
            pair.append(Report(name, "toy", 30, 30, (row,), per_query=per_query, image_of_query={"i2t": images}))
        p_values.append(compare(pair, n_resamples=200, seed=seed).tests.p.item())
    assert stats.kstest(p_values, "uniform").pvalue > 0.01
    tests = compare([weak, system(4, name="strong")], n_resamples=500).tests
    strong = tests[(tests.metric == "mAP@R") & (tests.direction == "i2t")].iloc[0]
    assert strong.p < 0.01
    assert 0 < strong.low < strong.difference < strong.high


def test_a_comparison_is_readable_everywhere(weak, tmp_path):
    comparison = compare([weak, system(2, name="a|b"), system(3, name="<c>")], n_resamples=50)
    frame = comparison.to_frame()
    assert list(frame.columns[:4]) == ["system", "metric", "truth", "direction"]
    assert set(frame.system) == {"weak", "a|b", "<c>"}
    text = comparison.to_json(tmp_path / "c.json")
    assert (tmp_path / "c.json").read_text() == text + "\n"
    assert isinstance(comparison.tests, pd.DataFrame)
    row = next(line for line in comparison.to_markdown().splitlines() if line.startswith("| annotated | R@1 | i2t"))
    assert f"{100 * weak.value('R@1', 'annotated', 'i2t'):.1f}" in row
    assert "a\\|b" in comparison.to_markdown()
    assert "&lt;c&gt;" in comparison._repr_html_()
    assert "\\toprule" in comparison.to_latex()


def test_what_cannot_be_compared_is_refused(weak):
    read = Report.from_json(weak.to_json())
    with pytest.raises(ValueError, match="report: expected per-query values"):
        read.with_intervals()
    with pytest.raises(ValueError, match="report: expected per-query values"):
        compare([weak, Report.from_json(system(2, name="b").to_json())])
    with pytest.raises(ValueError, match="reports: expected two or more"):
        compare([weak])
    with pytest.raises(ValueError, match="reports: expected distinct names, got weak, weak"):
        compare([weak, weak])
    with pytest.raises(ValueError, match="level: expected a number between 0 and 1"):
        weak.with_intervals(level=95.0)
    smaller = evaluate(NOISE[0][:20, :60], CORPUS.select(range(20), name="part"), name="smaller")
    with pytest.raises(ValueError, match="reports: expected one corpus, got toy and part"):
        compare([weak, smaller])


def test_a_total_of_one_direction_is_neither_reported_nor_tested():
    """A truth may know matches of some images and of no caption."""
    own = CORPUS.annotated
    one_way = Truth(sparse.csr_array(own), sparse.csr_array(own.shape, dtype=bool))
    corpus = replace(CORPUS, truths={"one way": one_way})
    generator = np.random.default_rng(0)
    reports = [evaluate(generator.normal(size=own.shape), corpus, name=name) for name in ("a", "b")]
    tests = compare(reports, n_resamples=20).tests
    tested = set(zip(tests["metric"], tests["truth"], tests["direction"], strict=True))
    assert ("rsum", "annotated", "both") in tested
    assert ("R@1", "one way", "i2t") in tested
    assert ("rsum", "one way", "both") not in tested
    assert tested <= {one[:3] for one in reports[0].measurements}
