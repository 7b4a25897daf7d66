"""The losses on matching and non-matching pairs: contrastive, InfoNCE, triplet, Smooth-AP."""

import itertools
import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daa.embeddings import Gaussian
from daa.losses import (
    ClosedFormContrastiveLoss,
    InfoNCELoss,
    SmoothAPLoss,
    SoftContrastiveLoss,
    TripletLoss,
    closed_form_contrastive_loss,
    info_nce_loss,
    smooth_ap_loss,
    soft_contrastive_loss,
    triplet_loss,
)
from tests.oracles import slow_info_nce, slow_smooth_ap_loss, slow_soft_contrastive, slow_triplet_hinges

FEW_VALUES = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.5, 3.0])
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])


@st.composite
def scores_and_positives(draw):
    """Scores with ties [images, captions] and a boolean matrix that holds at least one pair."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    scores = draw(hnp.arrays(draw(DTYPES), shape, elements=FEW_VALUES))
    return scores, draw(hnp.arrays(bool, shape).filter(lambda array: array.any()))


def tolerance(loss):
    return 1e-11 if loss.dtype == torch.float64 else 2e-6


def gaussians(n, d, seed, dtype=torch.float64, log_var=-2.0):
    mean, spread = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return Gaussian(mean / math.sqrt(d), log_var + 0.3 * spread)


# positives of 4 images and 5 captions: captions 1 and 2 belong to one image
POSITIVES = torch.tensor([[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 0, 0, 1, 0], [0, 0, 0, 0, 1]]).bool()


@given(scores_and_positives(), st.sampled_from([0.01, 0.4, 5.0]))
def test_smooth_ap_equals_the_definition(pair, temperature):
    loss = smooth_ap_loss(*pair, temperature=temperature)
    assert loss.item() == pytest.approx(slow_smooth_ap_loss(*pair, temperature), abs=tolerance(loss))


@given(scores_and_positives(), st.sampled_from([0.5, 2.0]))
def test_info_nce_equals_the_definition(pair, temperature):
    loss = info_nce_loss(*pair, temperature=temperature)
    assert loss.item() == pytest.approx(slow_info_nce(*pair, temperature), abs=tolerance(loss))


@given(scores_and_positives(), st.booleans(), st.sampled_from([0.0, 0.2, 1.0]))
def test_triplet_equals_the_definition(pair, hardest, margin):
    hinges = slow_triplet_hinges(*pair, margin, hardest)
    total = triplet_loss(*pair, margin=margin, hardest=hardest, reduction="sum")
    mean = triplet_loss(*pair, margin=margin, hardest=hardest, reduction="mean")
    assert total.item() == pytest.approx(sum(hinges), rel=1e-6, abs=tolerance(total))
    assert mean.item() == pytest.approx(np.mean(hinges) if hinges else 0, abs=tolerance(mean))


@given(scores_and_positives(), st.sampled_from([smooth_ap_loss, info_nce_loss, triplet_loss]))
def test_transposing_swaps_the_directions_and_the_mean_stays(pair, loss):
    scores, positives = pair
    assert loss(scores.T, positives.T, 0.7).item() == pytest.approx(loss(scores, positives, 0.7).item(), abs=1e-5)


@pytest.mark.parametrize(("n", "m", "k"), [(4, 5, 3), (1, 2, 1), (3, 3, 7)])
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_soft_contrastive_equals_every_pair_of_draws(n, m, k, dtype):
    x = gaussians(n, 6, 0, dtype).sample(k, torch.Generator().manual_seed(1))
    y = gaussians(m, 6, 2, dtype).sample(k, torch.Generator().manual_seed(3))
    positives = POSITIVES[:n, :m]
    slow = slow_soft_contrastive(x.double().numpy(), y.double().numpy(), positives.numpy(), 3.0, 2.5)
    close = 1e-10 if dtype == torch.float64 else 1e-4
    assert soft_contrastive_loss(x, y, positives, 3.0, 2.5).item() == pytest.approx(slow.mean(), rel=close)
    total = soft_contrastive_loss(x, y, positives, 3.0, 2.5, reduction="sum").item()
    assert total == pytest.approx(2 * slow.sum(), rel=close)


def test_the_closed_form_is_a_binary_cross_entropy_on_the_expected_squared_distance():
    x, y = gaussians(4, 6, 0), gaussians(5, 6, 1)
    expected = []
    for i, j in itertools.product(range(4), range(5)):
        csd = ((x.mean[i] - y.mean[j]) ** 2).sum() + x.var[i].sum() + y.var[j].sum()
        p = 1 / (1 + math.exp(4.0 * csd - 3.0))
        expected.append(-math.log(p) if POSITIVES[i, j] else -math.log(1 - p))
    loss = closed_form_contrastive_loss(x, y, POSITIVES, 4.0, 3.0)
    assert loss.item() == pytest.approx(np.mean(expected))
    total = closed_form_contrastive_loss(x, y, POSITIVES, 4.0, 3.0, reduction="sum")
    assert total.item() == pytest.approx(2 * np.sum(expected))


def test_likelihoods_far_beyond_floating_point_stay_finite():
    far = Gaussian(torch.tensor([[1e3, 0.0]]), torch.full((1, 2), -4.0))
    near = Gaussian(torch.zeros(1, 2, requires_grad=True), torch.full((1, 2), -4.0))
    for loss in (SoftContrastiveLoss(), ClosedFormContrastiveLoss()):
        value = loss(near, far, torch.tensor([[True]]))
        value.backward()
        assert 1e4 < value.item() < 1e8
        assert near.mean.grad.isfinite().all()
        assert loss.scale.grad.isfinite()


@pytest.mark.parametrize(
    "loss",
    [
        lambda s: smooth_ap_loss(s, POSITIVES, 0.3),
        lambda s: info_nce_loss(s, POSITIVES, 0.3),
        lambda s: triplet_loss(s, POSITIVES, hardest=True),
        lambda s: triplet_loss(s, POSITIVES, hardest=False, reduction="sum"),
    ],
)
def test_gradcheck_of_losses_on_scores(loss):
    scores = torch.randn(4, 5, generator=torch.Generator().manual_seed(0), dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(loss, (scores,))


def test_gradcheck_of_losses_on_gaussians():
    x, y = gaussians(4, 3, 0), gaussians(5, 3, 1)
    scale, shift = torch.tensor([3.0, 2.0], dtype=torch.float64)
    arguments = tuple(t.requires_grad_() for t in (x.mean, x.log_var, y.mean, y.log_var, scale, shift))

    def sampled(mx, vx, my, vy, a, b):
        noise = torch.Generator().manual_seed(5)
        draws = [Gaussian(*g).sample(3, noise) for g in ((mx, vx), (my, vy))]
        return soft_contrastive_loss(*draws, POSITIVES, a, b)

    def closed_form(mx, vx, my, vy, a, b):
        return closed_form_contrastive_loss(Gaussian(mx, vx), Gaussian(my, vy), POSITIVES, a, b)

    assert torch.autograd.gradcheck(sampled, arguments)
    assert torch.autograd.gradcheck(closed_form, arguments)


def test_at_a_collapse_the_loss_still_falls_with_the_distance_but_the_distance_has_no_slope():
    """What the docstring of `SoftContrastiveLoss` says of points that are all nearly in one place."""
    a = b = 15.0
    matches = torch.tensor([[True, False]])

    def push(distance):
        """Gradients of the summed loss with respect to a matching caption and another, as far from the image each."""
        captions = torch.tensor([[[0.0, distance]], [[distance, 0.0]]], dtype=torch.float64, requires_grad=True)
        loss = soft_contrastive_loss(torch.zeros(1, 1, 2).double(), captions, matches, a, b, "sum") / 2
        assert loss.item() == pytest.approx(2 * (b - a * math.sqrt(distance**2 + 1e-6)), rel=1e-4)
        return torch.autograd.grad(loss, captions)[0].norm(dim=(1, 2)).tolist()

    matching, other = push(0.1)
    assert other == pytest.approx(2 * a, rel=1e-4)
    assert matching < 1e-9
    assert push(1e-4)[1] == pytest.approx(2 * a * 1e-4 / math.sqrt(1e-8 + 1e-6), rel=1e-4)
    assert push(0.0) == [0, 0]


@pytest.mark.parametrize("temperature", [1e-9, 1e-12])
def test_smooth_ap_at_temperatures_below_the_last_digit_of_a_score(temperature):
    scores, positives = np.float32([[12.0, 10.0, 10.5]]), np.array([[False, True, True]])
    expected = slow_smooth_ap_loss(scores, positives, temperature)
    assert smooth_ap_loss(scores, positives, temperature).item() == pytest.approx(expected, abs=1e-6)
    assert smooth_ap_loss(scores * 0 + 10, positives, temperature).item() == pytest.approx(
        smooth_ap_loss(scores * 0, positives, temperature).item(), abs=1e-6
    )


def test_two_captions_of_one_image_are_both_positives():
    """The second row of a repeated image pulls its own other caption, where a diagonal would push it away."""
    points = torch.eye(3, dtype=torch.float64)[[0, 0, 1]]
    embedding = Gaussian(points, torch.full((3, 3), -20.0, dtype=torch.float64))
    image_of_caption = torch.tensor([0, 0, 1])
    positives = image_of_caption[:, None] == image_of_caption
    diagonal = torch.eye(3).bool()
    scores = points @ points.T
    for given_positives in (
        lambda p: SoftContrastiveLoss()(embedding, embedding, p),
        lambda p: ClosedFormContrastiveLoss()(embedding, embedding, p),
        lambda p: TripletLoss()(scores, p),
        lambda p: InfoNCELoss()(scores, p),
    ):
        assert given_positives(positives) < 0.1 * given_positives(diagonal)


def test_the_samples_come_from_the_generator():
    x, y, loss = gaussians(4, 3, 0), gaussians(5, 3, 1), SoftContrastiveLoss(n_samples=2)
    values = [loss(x, y, POSITIVES, torch.Generator().manual_seed(seed)).item() for seed in (0, 0, 1)]
    assert values[0] == values[1] != values[2]


def test_learned_parameters_are_trained_and_saved():
    for loss, names in (
        (SoftContrastiveLoss(), {"scale", "shift"}),
        (ClosedFormContrastiveLoss(), {"scale", "shift"}),
        (InfoNCELoss(learned=True), {"log_excess"}),
        (InfoNCELoss(), set()),
        (TripletLoss(), set()),
        (SmoothAPLoss(), set()),
    ):
        assert set(loss.state_dict()) == {name for name, _ in loss.named_parameters()} == names


def test_a_learned_temperature_starts_where_told_and_stays_above_its_minimum():
    loss = InfoNCELoss(temperature=0.07, learned=True, minimum=0.01)
    assert loss.temperature.item() == pytest.approx(0.07)
    optimizer = torch.optim.SGD(loss.parameters(), lr=10.0)
    for _ in range(200):  # separable scores: the lower the temperature the better
        optimizer.zero_grad()
        loss(torch.eye(4), torch.eye(4).bool()).backward()
        optimizer.step()
    assert 0.01 < loss.temperature.item() < 0.07


def test_all_similarities_equal_give_the_margin():
    scores, positives = torch.zeros(8, 8), torch.eye(8).bool()
    assert TripletLoss(margin=0.2)(scores, positives).item() == pytest.approx(0.2)
    assert TripletLoss(margin=0.2, reduction="sum")(scores, positives).item() == pytest.approx(2 * 0.2 * 8)


def test_batches_without_negatives_cost_nothing_and_have_a_gradient():
    scores = torch.ones(1, 1, requires_grad=True)
    for loss in (TripletLoss(), TripletLoss(hardest=False, reduction="sum"), InfoNCELoss(), SmoothAPLoss()):
        value = loss(scores, torch.tensor([[True]]))
        value.backward()
        assert value.item() == 0
        assert scores.grad.item() == 0


ON_SCORES = [TripletLoss(), TripletLoss(hardest=False), InfoNCELoss(), SmoothAPLoss()]
EYE = torch.eye(3).bool()


@pytest.mark.parametrize("loss", ON_SCORES)
@pytest.mark.parametrize(
    ("scores", "positives", "complaint"),
    [
        (torch.full((3, 3), torch.nan), EYE, "scores: expected finite numbers"),
        (torch.zeros(3), EYE, r"scores: expected a matrix \[images, captions\]"),
        (torch.zeros(0, 3), EYE[:0], r"scores: expected a matrix \[images, captions\] with entries"),
        (torch.zeros(3, 3), EYE[:2], r"positives: expected \[images, captions\] = \(3, 3\), got shape \(2, 3\)"),
        (torch.zeros(3, 3), EYE.float(), "positives: expected booleans"),
        (torch.zeros(3, 3), ~EYE & EYE, "positives: expected at least one matching pair"),
    ],
)
def test_bad_input_is_refused(loss, scores, positives, complaint):
    with pytest.raises(ValueError, match=complaint):
        loss(scores, positives)


@pytest.mark.parametrize("loss", [SoftContrastiveLoss(), ClosedFormContrastiveLoss()])
def test_bad_input_is_refused_on_gaussians(loss):
    x, y = gaussians(3, 4, 0), gaussians(3, 4, 1)
    with pytest.raises(ValueError, match="positives: expected at least one matching pair"):
        loss(x, y, ~EYE & EYE)
    with pytest.raises(ValueError, match=r"positives: expected \[images, captions\] = \(3, 3\)"):
        loss(x, y, EYE[:2])
    with pytest.raises(ValueError, match="reduction"):
        type(loss)(reduction="max")(x, y, EYE)
    x.mean[0, 0] = torch.nan
    assert loss(x, y, EYE).isnan()


def test_bad_options_are_refused():
    with pytest.raises(ValueError, match="temperature: expected a number above 0, got 0"):
        info_nce_loss(torch.zeros(3, 3), EYE, 0.0)
    with pytest.raises(ValueError, match=r"temperature: expected more than 0.01, got 0.01"):
        InfoNCELoss(temperature=0.01, learned=True)
    with pytest.raises(ValueError, match="margin: expected a number from 0"):
        triplet_loss(torch.zeros(3, 3), EYE, margin=-1.0)
    with pytest.raises(ValueError, match="reduction"):
        triplet_loss(torch.zeros(3, 3), EYE, reduction="max")
