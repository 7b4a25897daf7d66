import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daa.ranks import TIE_POLICIES, ranks, tie_ranges
from daa.ranks.exact import _tie_ranges_by_sorting
from tests.oracles import slow_ranks

# few distinct values, so that ties are common; both zeros, negatives, infinities and neighbours of float16
VALUES = st.sampled_from([-np.inf, -2.0, -1.0009765625, -1.0, -0.0, 0.0, 0.25, 1.0, 3.0, 1000.0, np.inf])


def matrices(dtype):
    return hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, max_side=9), elements=VALUES)


@pytest.mark.parametrize("ties", TIE_POLICIES)
@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_ranks_equal_the_definition(dtype, ties):
    @given(matrices(dtype))
    def check(values):
        expected = np.apply_along_axis(slow_ranks, -1, values, ties)
        np.testing.assert_array_equal(ranks(values, ties), expected)
        result = ranks(torch.from_numpy(values), ties)
        assert result.dtype == torch.float64
        np.testing.assert_array_equal(result.numpy(), expected)

    check()


@given(matrices(np.float32))
def test_the_torch_operations_for_other_devices_agree_with_the_kernels(values):
    for ours, kernel in zip(_tie_ranges_by_sorting(torch.from_numpy(values)), tie_ranges(values), strict=True):
        np.testing.assert_array_equal(ours.numpy(), kernel)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 2047, 2049, 70_000])
def test_long_rows_equal_a_stable_argsort(n, dtype):
    values = np.random.default_rng(n).normal(size=(3, n)).astype(dtype)
    order = np.argsort(-values, axis=1, kind="stable")
    np.testing.assert_array_equal(
        np.take_along_axis(ranks(values, "ordinal"), order, 1), np.tile(np.arange(1, n + 1), (3, 1))
    )


def test_integers_bools_and_bfloat16_are_ranked():
    assert ranks(torch.tensor([1, 3, 3])).tolist() == [3, 1.5, 1.5]
    assert ranks(torch.tensor([True, False])).tolist() == [1, 2]
    assert ranks(torch.tensor([1.0, 2.0], dtype=torch.bfloat16)).tolist() == [2, 1]


def test_the_input_is_left_alone_and_need_not_be_contiguous():
    values = np.asfortranarray(np.random.default_rng(0).normal(size=(4, 6)))
    before = values.copy()
    np.testing.assert_array_equal(ranks(values.T), np.apply_along_axis(slow_ranks, -1, before.T, "average"))
    np.testing.assert_array_equal(values, before)
    np.testing.assert_array_equal(ranks(values[:, ::-1]), ranks(values)[:, ::-1])
    np.testing.assert_array_equal(ranks(values.astype(">f8")), ranks(values))
    before.setflags(write=False)  # as a memory map is, which torch would warn of
    np.testing.assert_array_equal(ranks(before), ranks(values))


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        (np.array([1.0, np.nan]), "1 of 2 values are NaN"),
        (np.zeros((3, 0)), r"at least one value to rank, got shape \(3, 0\)"),
        (np.array(1.0), r"got shape \(\)"),
        (np.array([1j]), "expected real numbers"),
    ],
)
def test_what_has_no_rank_is_refused(values, complaint):
    with pytest.raises(ValueError, match=complaint):
        ranks(values)


def test_an_unknown_policy_is_refused():
    with pytest.raises(ValueError, match="ties: expected one of average"):
        ranks(np.array([1.0]), ties="best")
