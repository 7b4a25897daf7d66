import matplotlib
import numpy as np
import pytest
import torch

from daa.embeddings import Gaussian
from daa.plots import gaussian_regions
from daa.plots.regions import radius_of_coverage

matplotlib.use("Agg")

MEAN, STD = np.array([[1.0, -2.0], [0.0, 0.5]]), np.array([[0.3, 1.2], [0.5, 0.1]])
STYLES = {"images": ("#000000", "s"), "captions": ("#ff0000", "o")}


@pytest.mark.parametrize("coverage", [0.5, 0.95])
def test_an_ellipse_holds_the_share_of_draws_it_claims(coverage):
    figure = gaussian_regions({"one": {"images": (MEAN, STD)}}, STYLES, coverage=coverage)
    gaussian = Gaussian(torch.tensor(MEAN), torch.tensor(STD).log() * 2)
    draws = gaussian.sample(20_000, torch.Generator().manual_seed(0)).numpy()
    ellipses = [patch for patch in figure.axes[0].patches if not patch.get_fill()]
    assert len(ellipses) == 2
    for ellipse, points in zip(ellipses, draws, strict=True):
        offset = (points - ellipse.center) / (np.array([ellipse.width, ellipse.height]) / 2)
        assert (np.square(offset).sum(1) < 1).mean() == pytest.approx(coverage, abs=0.012)  # 3.4 standard errors


def test_panels_share_one_scale_that_holds_every_ellipse():
    far = (MEAN * 3, STD)
    figure = gaussian_regions({"near": {"images": (MEAN, STD)}, "far": {"images": far, "captions": far}}, STYLES)
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
def test_refuses_what_it_cannot_draw(panels, message):
    with pytest.raises(ValueError, match=message):
        gaussian_regions(panels, STYLES)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 95.0])
def test_refuses_a_share_that_is_none(coverage):
    with pytest.raises(ValueError, match="coverage: expected a share between 0 and 1"):
        radius_of_coverage(coverage)
