import matplotlib.pyplot as plt
import numpy as np
import pytest

from daa.plots.scores import match_rank_curves, score_against_relevance


@pytest.fixture(autouse=True)
def _closed():
    yield
    plt.close("all")


def test_the_curve_at_k_is_recall_at_k():
    ranks = np.array([1.0, 3.0, 3.0, np.nan, 10.0])
    figure = match_rank_curves({"a": {"i2t": ranks, "t2i": ranks}, "b": {"i2t": ranks + 1, "t2i": ranks + 1}})
    assert len(figure.axes) == 2
    x, y = figure.axes[0].lines[0].get_data()
    for k in (1, 2, 3, 10):
        assert y[np.flatnonzero(np.asarray(x) <= k)[-1]] == pytest.approx((ranks[[0, 1, 2, 4]] <= k).mean())
    assert [text.get_text() for text in figure.axes[0].get_legend().get_texts()] == ["a", "b"]


def test_the_line_is_the_median_score_along_the_relevance():
    relevance = np.random.default_rng(0).random(5000)
    matches = relevance > 0.9
    figure = score_against_relevance(2 * relevance - 1, relevance, matches, "semantic")
    x, y = figure.axes[0].lines[0].get_data()
    np.testing.assert_allclose(y, 2 * np.asarray(x) - 1, atol=0.05)
    assert len(figure.axes[0].collections[-1].get_offsets()) == matches.sum()
    assert "semantic" in figure.axes[0].get_xlabel()


@pytest.mark.usefixtures("own_errors")
def test_nothing_to_draw_is_refused():
    with pytest.raises(ValueError, match="ranks: expected at least one system"):
        match_rank_curves({})
    with pytest.raises(ValueError, match="scores: expected as many"):
        score_against_relevance(np.zeros(2), np.zeros(3), np.zeros(2, bool), "x")
