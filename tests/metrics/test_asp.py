import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from daa.metrics import asp_chance, average_semantic_precision
from daa.ranks import TIE_POLICIES
from tests.metrics.strategies import DIRECTIONS, by_query, matrices
from tests.oracles import slow_asp


def slow(scores, relevance, direction, ties):
    rows = zip(by_query(scores, direction), by_query(relevance, direction), strict=True)
    return np.array([slow_asp(s, c, ties) for s, c in rows])


@given(matrices(how_many=2), st.sampled_from(DIRECTIONS), st.sampled_from(["average", "competition", "ordinal"]))
def test_equals_the_definition(pair, direction, ties):
    values = average_semantic_precision(*pair, direction=direction, ties=ties, reduction="none")
    assert values.dtype == torch.float64
    np.testing.assert_allclose(values.numpy(), slow(*pair, direction, ties), rtol=0, atol=1e-12)


@settings(max_examples=40)
@given(matrices(how_many=2, max_side=4), st.sampled_from(DIRECTIONS))
def test_expected_is_the_mean_over_all_orders_of_the_ties_of_both_sides(pair, direction):
    values = average_semantic_precision(*pair, direction=direction, ties="expected", reduction="none")
    np.testing.assert_allclose(values.numpy(), slow(*pair, direction, "expected"), rtol=0, atol=1e-12)


@given(matrices(how_many=2, max_side=8), st.sampled_from(DIRECTIONS), st.sampled_from(TIE_POLICIES))
def test_properties(pair, direction, ties):
    def asp(scores, relevance, **options):
        return average_semantic_precision(scores, relevance, direction=direction, ties=ties, **options)

    scores, relevance = pair
    value = asp(scores, relevance)
    assert 0 < value <= 1 + 1e-12
    assert asp(relevance, scores) == pytest.approx(value, abs=1e-12)  # symmetric
    assert asp(scores.astype(np.float64) * 4 - 7, relevance) == pytest.approx(value, abs=1e-12)  # only order counts
    assert asp(scores, relevance, block=1) == pytest.approx(value, abs=1e-12)
    assert asp(torch.from_numpy(scores), relevance) == value
    if ties != "expected":
        assert asp(scores, scores) == pytest.approx(1, abs=1e-12)


@given(matrices(how_many=2, max_side=8))
def test_the_directions_are_each_others_transposes(pair):
    scores, relevance = pair
    i2t = average_semantic_precision(scores, relevance, direction="i2t")
    assert average_semantic_precision(scores.T, relevance.T, direction="t2i") == i2t


@given(matrices(how_many=2, max_side=8), st.randoms())
def test_the_order_of_the_candidates_does_not_count_unless_asked_for(pair, random):
    scores, relevance = pair
    order = random.sample(range(scores.shape[1]), scores.shape[1])
    for ties in ("average", "competition", "expected"):
        value = average_semantic_precision(scores, relevance, ties=ties)
        shuffled = average_semantic_precision(scores[:, order], relevance[:, order], ties=ties)
        assert shuffled == pytest.approx(value, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 7, 500])
def test_chance_is_exact_for_constant_scores_under_the_expected_policy(n):
    relevance = np.random.default_rng(n).integers(0, 4, (3, n)).astype(np.float32)
    constant = np.zeros((3, n), np.float32)
    assert average_semantic_precision(constant, relevance, ties="expected") == pytest.approx(asp_chance(n), abs=1e-12)


def test_a_random_ranking_scores_chance():
    generator = np.random.default_rng(0)
    scores, relevance = generator.normal(size=(400, 300)), generator.normal(size=(400, 300))
    assert average_semantic_precision(scores, relevance) == pytest.approx(asp_chance(300), abs=0.003)


def test_bfloat16_and_non_contiguous_and_memory_mapped_matrices(tmp_path):
    generator = np.random.default_rng(1)
    scores, relevance = generator.normal(size=(6, 9)), generator.normal(size=(6, 9))
    half = torch.from_numpy(scores).bfloat16()
    assert average_semantic_precision(half, relevance) == average_semantic_precision(half.double(), relevance)
    np.save(tmp_path / "s.npy", scores)
    mapped = np.load(tmp_path / "s.npy", mmap_mode="r")
    for direction in DIRECTIONS:
        value = average_semantic_precision(scores, relevance, direction=direction)
        assert average_semantic_precision(mapped, relevance, direction=direction) == value
        assert average_semantic_precision(np.asfortranarray(scores), relevance, direction=direction) == value


def test_the_inputs_are_left_alone():
    scores, relevance = torch.randn(4, 5, requires_grad=True), torch.randn(4, 5)
    before = scores.detach().clone(), relevance.clone()
    average_semantic_precision(scores, relevance, direction="t2i")
    assert torch.equal(scores, before[0])
    assert torch.equal(relevance, before[1])


GOOD = np.eye(2, 3)


@pytest.mark.usefixtures("own_errors")
@pytest.mark.parametrize(
    ("scores", "relevance", "message"),
    [
        (np.array([[1.0, np.nan, 0.0], [0.0, 0.0, 0.0]]), GOOD, "scores: .* nan at image 0, caption 1"),
        (GOOD, np.array([[1.0, 0.0, 0.0], [0.0, 0.0, -np.inf]]), "relevance: .* -inf at image 1, caption 2"),
        (np.zeros((0, 3)), np.zeros((0, 3)), "scores: expected at least one image and one caption"),
        (GOOD, np.zeros((2, 4)), r"relevance: expected \[2 images, 3 captions\] like the scores, got shape \(2, 4\)$"),
        (GOOD, GOOD.T, "relevance: .* it looks transposed"),
        (np.zeros(3), GOOD, "scores: expected a matrix"),
        (GOOD.astype(int), GOOD, "scores: expected floating-point numbers, got int64"),
        ([[1.0]], GOOD, "scores: expected a torch tensor or a numpy array, got list"),
    ],
)
@pytest.mark.parametrize("direction", DIRECTIONS)
def test_bad_input_is_refused_in_one_line_that_names_it(scores, relevance, message, direction):
    with pytest.raises(ValueError, match=message) as raised:
        average_semantic_precision(scores, relevance, direction=direction)
    assert "\n" not in str(raised.value)


@pytest.mark.parametrize("option", [{"ties": "best"}, {"direction": "both"}, {"reduction": "sum"}, {"block": 0}])
def test_unknown_options_are_refused(option):
    with pytest.raises(ValueError, match=f"{next(iter(option))}: expected"):
        average_semantic_precision(GOOD, GOOD, **option)
