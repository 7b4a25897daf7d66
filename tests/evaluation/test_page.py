"""HTML pages: one by hand, and that of an evaluation with its examples."""

import re

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import pytest

from daa.corpus import CaptionCorpus
from daa.evaluation import EmbeddingScores, compare, evaluate
from daa.evaluation.page import Page, best_and_worst, evaluation_page
from daa.matrix import as_matrix
from daa.metrics import recall_at_k

GENERATOR = np.random.default_rng(0)
CAPTIONS = ["<script>alert(1)</script> a dog", "a hound & a bone", "a cat", "two cats", "a car", "a bus"]
CORPUS = CaptionCorpus(captions=CAPTIONS, image_of_caption=[0, 0, 1, 1, 2, 2], image_ids=["<i>", "b", "c"], name="toy")
SCORES = np.array([[0.9, 0.8, 0.1, 0, 0, 0], [0.9, 0.8, 0.7, 0.6, 0, 0], [0.1, 0.2, 0.3, 0.4, 0.5, 0.6]])
RELEVANCE = {"mine": as_matrix(GENERATOR.random(SCORES.shape).astype(np.float32), "relevance mine")}


def test_best_and_worst_queries_with_what_they_retrieve():
    values = recall_at_k(SCORES, CORPUS.image_of_caption, reduction="none").numpy()
    best, worst = best_and_worst(as_matrix(SCORES, "scores"), CORPUS, values, "i2t", n=1, n_results=3)
    assert best[0].value == 1
    assert [result.text for result in best[0].results] == CAPTIONS[:3]
    assert [result.matches for result in best[0].results] == [["annotated"], ["annotated"], []]
    assert "image b" in worst[0].query
    assert "a cat / two cats" in worst[0].query
    best, _ = best_and_worst(as_matrix(SCORES, "scores"), CORPUS, np.array([0, 0, 1, 0, 0, np.nan]), "t2i", n=1)
    assert best[0].query == "a cat"
    assert "image b" in best[0].results[0].text
    assert best[0].results[0].matches == ["annotated"]


@pytest.fixture(scope="module")
def systems():
    return [
        as_matrix(SCORES, "scores"),
        EmbeddingScores(GENERATOR.normal(size=(3, 4)), GENERATOR.normal(size=(6, 4))),
    ]


def test_the_page_is_self_contained_and_escaped(systems, tmp_path):
    reports = [evaluate(one, CORPUS, RELEVANCE, name=name) for one, name in zip(systems, ["a <b>", "b"], strict=True)]
    for result, count in ((reports[0], 1), (compare(reports, n_resamples=20), 2)):
        html = evaluation_page(result, systems[:count], CORPUS, RELEVANCE).html()
        assert "<script>" not in html
        assert "&lt;script&gt;alert(1)&lt;/script&gt; a dog" in html
        assert "a &lt;b&gt;" in html
        assert not re.search(r'(src|href)="(?!data:)', html)
        assert html.count("<img") == 1 + count
        assert all(alt for alt in re.findall(r'<img alt="([^"]*)"', html))
        assert f"{100 * reports[0].value('R@1', 'annotated', 't2i'):.1f}" in html


def test_a_page_without_relevance_shows_examples_by_average_precision(systems):
    report = evaluate(SCORES, CORPUS)
    html = evaluation_page(report, systems[:1], CORPUS, {}).html()
    assert "AP@R against annotated" in html
    assert html.count("<img") == 1


def test_a_page_is_one_file_with_everything_escaped(tmp_path):
    page = Page("<b>title</b>")
    page.text("a & b <script>", heading="<i>")
    page.table(pd.DataFrame({"<x>": ["<script>alert(1)</script>"]}))
    page.definitions({"<term>": "<u>what it means</u>"})
    figure = plt.figure()
    page.figure(figure, alt='"quoted" <alt>', caption="<caption>")
    page.write(tmp_path / "page.html")
    html = (tmp_path / "page.html").read_text()
    assert "<script" not in html
    assert "<i>" not in html
    assert "<dt>&lt;term&gt;</dt><dd>&lt;u&gt;what it means&lt;/u&gt;</dd>" in html
    assert 'alt="&#34;quoted&#34; &lt;alt&gt;"' in html
    assert "&lt;caption&gt;" in html
    assert "data:image/png;base64," in html
    assert "http" not in html
    assert not plt.fignum_exists(figure.number)
