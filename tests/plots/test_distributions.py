import matplotlib
import numpy as np
import pytest
import torch

from daa.embeddings import Gaussian
from daa.plots import (
    by_number_of_matches,
    count_histograms,
    found_by_rank,
    gaussian_regions,
    radius_of_coverage,
    sorted_differences,
)
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


STYLES = {"model": ("#000000", "-"), "teacher": ("#ff0000", "--")}


def test_found_by_rank_draws_mean_and_range_over_seeds():
    curves = {"model": np.array([[0.0, 0.5, 1.0], [0.2, 0.7, 1.0]]), "teacher": np.array([[0.5, 1.0, 1.0]])}
    figure = found_by_rank({"i2t": curves}, [np.array([1, 2, 3])], STYLES, x_labels=["first k"], y_label="found")
    axes = figure.axes[0]
    np.testing.assert_allclose(axes.lines[0].get_ydata(), [0.1, 0.6, 1.0])
    assert axes.collections[0].get_paths()[0].vertices[:, 1].max() == 1.0
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["model", "teacher"]
    assert (axes.get_xscale(), axes.get_title()) == ("log", "i2t")


def test_lines_that_coincide_are_both_seen():
    twice = {"model": np.array([[0.1, 1.0]]), "teacher": np.array([[0.1, 1.0]])}
    found = found_by_rank({"i2t": twice}, [np.array([1, 2])], STYLES, x_labels=["first k"], y_label="found")
    matches, values = np.array([1, 1, 2, 2]), np.array([0.0, 1.0, 0.2, 0.4])
    panels = {"t2i": (matches, {"model": values, "teacher": values})}
    grouped = by_number_of_matches(panels, STYLES, x_labels=["matches"], y_label="AP", at_least=2)
    for figure in (found, grouped):
        below, above = figure.axes[0].lines[:2]
        np.testing.assert_array_equal(below.get_ydata(), above.get_ydata())
        assert below.get_linewidth() >= above.get_linewidth() + 3  # points: a rim on either side, on a phone too


def test_found_by_rank_refuses_what_is_no_distribution():
    depth = [np.array([1, 2])]
    with pytest.raises(ValueError, match="i2t, model: expected shares in \\[0, 1\\] that never fall"):
        found_by_rank({"i2t": {"model": np.array([[0.5, 0.4]])}}, depth, STYLES, x_labels=["k"], y_label="found")
    with pytest.raises(ValueError, match="styles: expected one for other"):
        found_by_rank({"i2t": {"other": np.array([[0.4, 0.5]])}}, depth, STYLES, x_labels=["k"], y_label="found")
    with pytest.raises(ValueError, match="panels: expected at least one and a label for each"):
        found_by_rank({}, [], STYLES, x_labels=[], y_label="found")


def test_sorted_differences_go_from_gain_to_loss():
    figure = sorted_differences({"t2i": np.array([-0.5, 0.25, 0.5])}, y_label="gain", better="up", worse="down")
    axes = figure.axes[0]
    gains, losses = (area.get_paths()[0].vertices[:, 1] for area in axes.collections)
    assert (gains.max(), gains.min(), losses.min(), losses.max()) == (0.5, 0.0, -0.5, 0.0)
    np.testing.assert_allclose(axes.lines[1].get_ydata(), 0.25 / 3)
    assert [text.get_text() for text in figure.legends[0].get_texts()] == ["up", "down", "mean"]
    with pytest.raises(ValueError, match="finite differences"):
        sorted_differences({"t2i": np.array([np.nan])}, y_label="gain", better="up", worse="down")


def test_by_number_of_matches_averages_within_doubling_classes():
    matches = np.array([1, 1, 3, 4, 3, 4, 2])
    values = np.array([0.0, 1.0, 0.2, 0.4, 0.2, 0.4, 0.9])
    figure = by_number_of_matches(
        {"t2i": (matches, {"model": values})}, STYLES, x_labels=["matches"], y_label="AP", at_least=2
    )
    (line, zero) = figure.axes[0].lines
    np.testing.assert_allclose(line.get_ydata(), [0.5, 0.3])  # the class of 2 holds one query only
    np.testing.assert_allclose(line.get_xdata(), [1, np.sqrt(12)])
    assert list(zero.get_ydata()) == [0, 0]
    with pytest.raises(ValueError, match="t2i: expected a class of at least 10 queries"):
        by_number_of_matches({"t2i": (matches, {"model": values})}, STYLES, x_labels=["matches"], y_label="AP")


MEAN, STD = np.array([[1.0, -2.0], [0.0, 0.5]]), np.array([[0.3, 1.2], [0.5, 0.1]])
PLACED = {"images": ("#000000", "s"), "captions": ("#ff0000", "o")}


@pytest.mark.parametrize("coverage", [0.5, 0.95])
def test_an_ellipse_holds_the_share_of_draws_it_claims(coverage):
    figure = gaussian_regions({"one": {"images": (MEAN, STD)}}, PLACED, coverage=coverage)
    gaussian = Gaussian(torch.tensor(MEAN), torch.tensor(STD).log() * 2)
    draws = gaussian.sample(20_000, torch.Generator().manual_seed(0)).numpy()
    ellipses = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    assert len(ellipses) == 2
    for ellipse, points in zip(ellipses, draws, strict=True):
        offset = (points - ellipse.center) / (np.array([ellipse.width, ellipse.height]) / 2)
        assert (np.square(offset).sum(1) < 1).mean() == pytest.approx(coverage, abs=0.012)  # 3.4 standard errors


def test_panels_share_one_scale_that_holds_every_ellipse():
    far = (MEAN * 3, STD)
    figure = gaussian_regions({"near": {"images": (MEAN, STD)}, "far": {"images": far, "captions": far}}, PLACED)
    near, other = figure.axes
    assert near.get_xlim() == other.get_xlim() == near.get_ylim()
    assert 6 + 1.2 * radius_of_coverage(0.95) < other.get_ylim()[1] < 10
    assert [axes.get_title("left") or axes.get_title() for axes in figure.axes] == ["near", "far"]


@pytest.mark.parametrize(
    ("panels", "message"),
    [
        ({}, "panels: expected at least one"),
        ({"one": {}}, "panels: expected at least one"),
        ({"one": {"words": (MEAN, STD)}}, "styles: expected one for words"),
        ({"one": {"images": (MEAN[:, :1], STD[:, :1])}}, r"images: expected means and stds \[n, 2\]"),
        ({"one": {"images": (MEAN, STD[:1])}}, r"images: expected means and stds \[n, 2\]"),
        ({"one": {"images": (MEAN, -STD)}}, "images: expected finite means and finite standard deviations"),
        ({"one": {"images": (MEAN * np.nan, STD)}}, "images: expected finite means and finite standard deviations"),
    ],
)
def test_gaussian_regions_refuse_what_they_cannot_draw(panels, message):
    with pytest.raises(ValueError, match=message):
        gaussian_regions(panels, PLACED)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95.0])
def test_refuses_a_share_that_is_none(coverage):
    with pytest.raises(ValueError, match="coverage: expected a share between 0 and 1"):
        radius_of_coverage(coverage)
