import matplotlib
import matplotlib.pyplot as plt
import numpy as np
import pytest

from daa.plots import curves_with_spread, rank_lines

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
