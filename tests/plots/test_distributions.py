import matplotlib
import numpy as np
import pytest

from daa.plots import count_histograms
from daa.plots.distributions import count_edges

matplotlib.use("Agg")


def heights(axes):
    return [patch.get_height() for patch in axes.patches]


def test_count_histograms_shows_shares_and_what_annotation_claims():
    panels = {"matches": {"truth": np.array([1, 3, 3, 4])}, "others": {"truth": np.array([2, 2])}}
    figure = count_histograms(panels, [1, 2], y_labels=["share of images", "share of captions"])
    upper, lower = figure.axes
    np.testing.assert_allclose(heights(upper), [0.25, 0, 0.5, 0.25])
    np.testing.assert_allclose(heights(lower), [0, 1])
    assert [axes.get_xlabel() for axes in figure.axes] == ["matches", "others"]
    assert lower.lines[0].get_xdata() == [2, 2]
    assert [text.get_text() for text in upper.get_legend().get_texts()] == ["truth", "annotated: 1 each"]


def test_doubling_classes_hold_what_they_say():
    figure = count_histograms({"n": {"truth": np.array([1, 2, 3, 4, 5, 8])}}, [1], y_labels=["share"], doubling=True)
    np.testing.assert_allclose(heights(figure.axes[0]), [1 / 6, 1 / 6, 2 / 6, 2 / 6])


@pytest.mark.parametrize("largest", [1, 2, 3, 4, 5, 1000, 1024, 1025])
def test_edges_cover_all_counts_and_not_a_class_more(largest):
    for doubling in (True, False):
        edges = count_edges(largest, doubling)
        assert edges[0] < 1 < edges[1]
        assert edges[-2] < largest < edges[-1]


def test_count_histograms_refuses_nothing_and_zeros():
    with pytest.raises(ValueError, match="panels: expected at least one"):
        count_histograms({}, [], y_labels=[])
    with pytest.raises(ValueError, match="n: expected counts from 1"):
        count_histograms({"n": {"truth": np.array([0, 1])}}, [1], y_labels=["share"])
