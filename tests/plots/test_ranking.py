import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from daa.plots import curves_with_spread, match_rank_curves, rank_lines, score_against_relevance

matplotlib.use("Agg")


def texts(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_rank_lines_joins_the_two_ranks_of_each_candidate_and_names_their_ratio():
    figure = rank_lines(["a dog", "a cat", "a bus"], np.array([1, 2, 3]), np.array([3, 2, 1]))
    lines = {tuple(line.get_ydata()) for line in figure.axes[0].lines}
    assert lines == {(1, 3), (2, 2), (3, 1)}
    assert [text for text in texts(figure) if text in ("1/3", "2/3", "1/2")] == ["1/3", "1/3"]
    assert "a dog  1" in texts(figure)


def test_rank_lines_draws_agreement_thicker():
    figure = rank_lines(["a", "b", "c"], np.array([1, 2, 3]), np.array([1, 3, 2]))
    same, other, _ = figure.axes[0].lines
    assert same.get_linewidth() > other.get_linewidth()
    assert same.get_color() != other.get_color()


def test_rank_lines_refuses_what_is_not_a_ranking():
    with pytest.raises(ValueError, match="by_score: expected each rank from 1 to 2 once, got \\[1, 1\\]"):
        rank_lines(["a", "b"], np.array([1, 2]), np.array([1, 1]))


def test_curves_with_spread_draws_mean_and_range_over_seeds():
    values = np.array([[0.0, 1.0], [1.0, 3.0]])
    figure = curves_with_spread(np.array([0, 10]), {"tau 0.1": values}, x_label="step", y_label="ASP")
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.5, 2.0])
    band = axes.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0.0
    assert band[:, 1].max() == 3.0
    assert axes.get_legend().get_texts()[0].get_text() == "tau 0.1"
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("step", "ASP")


def test_curves_with_spread_draws_where_it_is_told():
    figure, (top, bottom) = plt.subplots(2)
    drawn = curves_with_spread(np.array([0, 1]), {"a": np.ones((2, 2))}, x_label="", y_label="", axes=bottom)
    assert drawn is figure
    assert (len(top.lines), len(bottom.lines)) == (0, 1)


def test_curves_with_spread_refuses_nothing_and_too_much():
    values = np.zeros((1, 2))
    with pytest.raises(ValueError, match="runs: expected 1 to 7 names"):
        curves_with_spread(np.array([0, 1]), {}, x_label="", y_label="")
    with pytest.raises(ValueError, match="got 2"):
        curves_with_spread(np.array([0, 1]), {"a": values, "b": values}, x_label="", y_label="", colours=["red"])


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
