import hashlib
import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daa.losses import DAALoss, daa_loss
from tests.oracles import slow_asp, slow_daa_loss, slow_double_ranks, slow_ranks, slow_soft_ranks

FEW_VALUES = st.sampled_from([-2.5, -1.0, -0.0, 0.0, 0.5, 3.0])
DTYPES = st.sampled_from([np.float16, np.float32, np.float64])
SOFT_OR_EXACT = st.sampled_from(["soft", "exact"])


@st.composite
def two_matrices(draw):
    """Scores and relevance [images, captions] of one shape, with ties and of two dtypes."""
    shape = draw(st.tuples(st.integers(1, 6), st.integers(1, 6)))
    return [draw(hnp.arrays(draw(DTYPES), shape, elements=FEW_VALUES)) for _ in range(2)]


@given(two_matrices(), st.sampled_from([0.01, 0.4, 5.0]), SOFT_OR_EXACT)
def test_equals_the_definition(pair, temperature, relevance_ranks):
    loss = daa_loss(*pair, temperature=temperature, relevance_ranks=relevance_ranks)
    expected = slow_daa_loss(*pair, temperature, relevance_ranks)
    assert loss.shape == ()
    assert loss.item() == pytest.approx(expected, abs=1e-12 if loss.dtype == torch.float64 else 1e-6)


@given(two_matrices(), SOFT_OR_EXACT)
def test_towards_temperature_zero_it_is_one_minus_asp(pair, relevance_ranks):
    asp = [np.mean([slow_asp(*rows) for rows in zip(s, c, strict=True)]) for s, c in (pair, [m.T for m in pair])]
    loss = daa_loss(*pair, temperature=1e-4, relevance_ranks=relevance_ranks)
    assert loss.item() == pytest.approx(1 - np.mean(asp), abs=1e-6)


@given(two_matrices())
def test_transposing_swaps_the_directions_and_the_mean_stays(pair):
    scores, relevance = pair
    turned = daa_loss(scores.T, relevance.T, temperature=0.3)
    assert turned.item() == pytest.approx(daa_loss(scores, relevance, temperature=0.3).item(), abs=1e-6)


@given(two_matrices(), st.randoms(use_true_random=False))
def test_the_order_of_images_and_captions_does_not_matter(pair, random):
    orders = [random.sample(range(n), n) for n in pair[0].shape]
    shuffled = [matrix[np.ix_(*orders)] for matrix in pair]
    expected = daa_loss(*pair, temperature=0.3).item()
    assert daa_loss(*shuffled, temperature=0.3).item() == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("relevance_ranks", ["soft", "exact"])
@pytest.mark.parametrize("shape", [(5, 5), (4, 7), (1, 6), (3, 1)])
def test_gradcheck(shape, relevance_ranks):
    generator = torch.Generator().manual_seed(0)
    scores, relevance = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    scores.requires_grad_()
    assert torch.autograd.gradcheck(
        lambda s: daa_loss(s, relevance, temperature=0.3, relevance_ranks=relevance_ranks), (scores,)
    )


def test_one_candidate_and_a_perfect_ranking_cost_nothing():
    assert daa_loss(torch.zeros(1, 1), torch.ones(1, 1)).item() == 0
    relevance = torch.rand(6, 9, generator=torch.Generator().manual_seed(0), requires_grad=True)
    scores = relevance.detach().clone().requires_grad_()
    loss = daa_loss(scores, relevance, temperature=0.1)
    loss.backward()
    assert loss.item() == pytest.approx(0, abs=1e-7)
    assert scores.grad.abs().max() < 1e-8  # the peak of every ratio, up to rounding
    assert relevance.grad is None


def test_constant_relevance_has_the_average_rank_everywhere():
    scores = torch.tensor([[3.0, 2.0, 1.0]])
    # i2t: ranks 1, 2, 3 against 2, 2, 2; t2i has one candidate
    expected = 1 - ((1 / 2 + 1 + 2 / 3) / 3 + 1) / 2
    assert daa_loss(scores, torch.full((1, 3), 7.0)).item() == pytest.approx(expected, abs=1e-6)


def test_a_random_ranking_stands_near_one_half():
    scores, relevance = torch.rand(2, 200, 300, generator=torch.Generator().manual_seed(0))
    assert daa_loss(scores, relevance, temperature=1e-4).item() == pytest.approx(0.5, abs=0.01)


def test_its_gradient_teaches_the_order():
    generator = torch.Generator().manual_seed(0)
    relevance = torch.rand(8, 10, generator=generator)
    scores = torch.randn(8, 10, generator=generator).mul_(0.1).requires_grad_()
    optimizer = torch.optim.Adam([scores], lr=0.01)
    first = daa_loss(scores, relevance, temperature=0.05).item()
    for _ in range(150):
        optimizer.zero_grad()
        loss = daa_loss(scores, relevance, temperature=0.05)
        loss.backward()
        optimizer.step()
    assert loss.item() < 0.15 < 0.3 < first


def test_the_module_is_the_function():
    scores, relevance = torch.rand(2, 4, 6, generator=torch.Generator().manual_seed(0))
    loss = DAALoss(temperature=0.2, relevance_ranks="exact")
    assert torch.equal(loss(scores, relevance), daa_loss(scores, relevance, temperature=0.2, relevance_ranks="exact"))
    assert "temperature=0.2" in repr(loss)
    assert not list(loss.parameters())


RUN = """
import hashlib, torch
from daa.losses import daa_loss
torch.set_num_threads({threads})
generator = torch.Generator().manual_seed(0)
scores, relevance = torch.randn(2, 130, 170, generator=generator)
scores.requires_grad_()
loss = daa_loss(scores, relevance)
loss.backward()
digest = hashlib.sha256(loss.detach().numpy().tobytes() + scores.grad.numpy().tobytes()).hexdigest()
"""


def test_the_same_bits_in_every_run_and_process():
    scopes = [{}, {}]
    for scope in scopes:
        exec(RUN.format(threads=torch.get_num_threads()), scope)
    code = RUN.format(threads=torch.get_num_threads()) + "print(digest)"
    other = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout.strip()
    assert {other} == {scope["digest"] for scope in scopes} != {hashlib.sha256(b"").hexdigest()}


def test_it_can_stand_in_a_compiled_training_step():
    weight = torch.randn(4, 4, generator=torch.Generator().manual_seed(0)).requires_grad_()
    x = torch.randn(6, 4, generator=torch.Generator().manual_seed(1))
    relevance = torch.rand(6, 6, generator=torch.Generator().manual_seed(2))

    def step():
        return daa_loss((x @ weight) @ x.T, relevance)

    (eager,) = torch.autograd.grad(step(), weight)
    (compiled,) = torch.autograd.grad(torch.compile(step, backend="eager")(), weight)
    torch.testing.assert_close(compiled, eager)


MATRIX = torch.zeros(2, 3)


@pytest.mark.parametrize(
    ("scores", "relevance", "options", "complaint"),
    [
        (MATRIX + torch.nan, MATRIX, {}, "scores: expected finite numbers"),
        (MATRIX + torch.inf, MATRIX, {}, "scores: expected finite numbers"),
        (MATRIX, MATRIX + torch.nan, {}, "relevance: expected finite numbers"),
        (MATRIX, MATRIX.T, {}, r"relevance: expected the shape of the scores, \(2, 3\), got \(3, 2\)"),
        (torch.zeros(0, 3), torch.zeros(0, 3), {}, r"scores: expected a matrix \[images, captions\] with entries"),
        (torch.zeros(3), torch.zeros(3), {}, r"scores: expected a matrix .*got shape \(3,\)"),
        (torch.zeros(2, 3, dtype=torch.long), MATRIX, {}, "scores: expected floating point numbers, got torch.int64"),
        (MATRIX, MATRIX, {"temperature": 0.0}, "temperature: expected a number above 0, got 0.0"),
        (MATRIX, MATRIX, {"relevance_ranks": "hard"}, "relevance_ranks: expected"),
    ],
)
def test_bad_input_is_refused(scores, relevance, options, complaint):
    with pytest.raises(ValueError, match=complaint):
        daa_loss(scores, relevance, **options)


def test_unchecked_nan_is_not_hidden():
    scores = MATRIX.clone()
    scores[0, 0] = torch.nan
    assert daa_loss(scores, MATRIX, check_finite=False).isnan()


def formed(relevance, form):
    """The relevance of each direction [queries, candidates] under a form."""
    for c in (relevance, relevance.T):
        if form == "centred":
            yield c - c.mean(axis=0)
        else:
            yield slow_double_ranks(c, 3) if form == "doubly_ranked" else c


@given(two_matrices(), st.sampled_from(["raw", "centred", "doubly_ranked"]), SOFT_OR_EXACT)
def test_a_form_of_the_relevance_is_made_for_each_direction(pair, form, relevance_ranks):
    scores, relevance = (matrix.astype(np.float64) for matrix in pair)
    loss = daa_loss(scores, relevance, temperature=0.4, relevance_ranks=relevance_ranks, relevance_form=form)
    by_direction = zip((scores, scores.T), formed(relevance, form), strict=True)
    ratios = []
    for s, c in by_direction:
        by_score = [slow_soft_ranks(row, 0.4) for row in s]
        by_relevance = [slow_soft_ranks(row, 0.4) if relevance_ranks == "soft" else slow_ranks(row) for row in c]
        ratios.append(np.mean(np.minimum(by_score, by_relevance) / np.maximum(by_score, by_relevance)))
    assert loss.item() == pytest.approx(1 - np.mean(ratios), abs=1e-9)


def test_the_gradient_of_a_form_is_that_of_the_loss_on_it():
    rng = np.random.default_rng(0)
    scores = torch.tensor(rng.normal(size=(5, 7)), requires_grad=True)
    relevance = torch.tensor(rng.random((5, 7)), requires_grad=True)
    for form in ("centred", "doubly_ranked"):
        compute = DAALoss(0.3, relevance_form=form)
        assert torch.autograd.gradcheck(lambda s, c=compute: c(s, relevance), scores)
        compute(scores, relevance).backward()
        assert relevance.grad is None


def test_forms_take_away_what_a_blind_shift_of_the_scores_wins():
    rng = np.random.default_rng(0)
    popularity, own = rng.normal(size=40), rng.normal(size=(40, 40))
    scores, relevance = torch.zeros(40, 40, dtype=torch.float64), torch.tensor(popularity + own)
    shift = torch.tensor(popularity)
    gain = {}
    for form in ("raw", "centred", "doubly_ranked"):
        moved = [
            daa_loss(
                scores + w * shift + 1e-3 * torch.tensor(rng.normal(size=(40, 40))), relevance, relevance_form=form
            )
            for w in (0, 1)
        ]
        gain[form] = (moved[0] - moved[1]).item()
    assert gain["raw"] > 0.015
    assert max(gain["centred"], gain["doubly_ranked"]) < gain["raw"] / 4


def test_an_unknown_form_is_refused():
    with pytest.raises(ValueError, match="relevance_form: expected one of raw, centred, doubly_ranked, got 'centered'"):
        daa_loss(torch.eye(2), torch.eye(2), relevance_form="centered")
    assert "relevance_form='centred'" in repr(DAALoss(relevance_form="centred"))
