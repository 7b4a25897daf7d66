import subprocess
import sys

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from daa.ranks import _treecode as treecode
from daa.ranks import soft, soft_ranks
from tests.oracles import slow_ranks, slow_soft_ranks

# few distinct values, so that ties are common; both zeros, negatives, neighbours of float16
VALUES = st.sampled_from([-3.0, -1.0009765625, -1.0, -0.0, 0.0, 0.25, 1.0])
TEMPERATURES = st.sampled_from([1e-6, 0.001, 0.01, 0.3, 2.0, 1e6])


def arrays(dtype):
    return hnp.arrays(dtype, hnp.array_shapes(min_dims=1, max_dims=3, max_side=7), elements=VALUES)


def gradient(function, values, weight):
    values = values.clone().requires_grad_()
    (function(values) * weight).sum().backward()
    return values.grad


def in_plain_torch(values, temperature):
    """The formula as torch differentiates it, with all n x n differences."""
    return 0.5 + torch.sigmoid((values[..., None, :] - values[..., :, None]) / temperature).sum(-1)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_soft_ranks_equal_the_definition(dtype):
    @given(arrays(dtype), TEMPERATURES)
    def check(values, temperature):
        result = soft_ranks(torch.from_numpy(values), temperature)
        expected = np.apply_along_axis(slow_soft_ranks, -1, values.astype(np.float64), temperature)
        assert result.dtype == (torch.float64 if dtype == np.float64 else torch.float32)
        np.testing.assert_allclose(result.numpy(), expected, rtol=1e-12 if dtype == np.float64 else 1e-6)

    check()


@given(arrays(np.float64), TEMPERATURES, st.integers(0, 9))
def test_the_gradient_is_that_of_the_definition(values, temperature, seed):
    tensor = torch.from_numpy(values)
    weight = torch.randn(tensor.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    ours = gradient(lambda v: soft_ranks(v, temperature), tensor, weight)
    plain = gradient(lambda v: in_plain_torch(v, temperature), tensor, weight)
    np.testing.assert_allclose(ours, plain, rtol=1e-9, atol=1e-12 / temperature)


@given(arrays(np.float32))
def test_towards_temperature_zero_they_are_the_average_ranks(values):
    result = soft_ranks(torch.from_numpy(values), 1e-6)
    np.testing.assert_allclose(result.numpy(), np.apply_along_axis(slow_ranks, -1, values), rtol=1e-6)


@given(arrays(np.float64), TEMPERATURES)
def test_their_sum_is_that_of_the_ranks(values, temperature):
    n = values.shape[-1]
    np.testing.assert_allclose(soft_ranks(values, temperature).sum(-1).numpy(), n * (n + 1) / 2, rtol=1e-12)


@given(arrays(np.float64), TEMPERATURES, st.randoms(use_true_random=False))
def test_they_follow_a_permutation_of_the_items(values, temperature, random):
    order = list(range(values.shape[-1]))
    random.shuffle(order)
    np.testing.assert_allclose(
        soft_ranks(values[..., order], temperature), soft_ranks(values, temperature)[..., order], rtol=1e-12
    )


def test_gradcheck():
    values = torch.randn(2, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for temperature in (0.05, 1.0):
        assert torch.autograd.gradcheck(lambda v, t=temperature: soft_ranks(v, t), (values,))


@pytest.mark.parametrize("n", [1, 2, 3, 128, 257])
@pytest.mark.parametrize("temperature", [0.5, 0.01, 1e-3, 1e-5])
def test_rows_of_any_length_and_spread(n, temperature):
    """Narrow rows, and rows of up to 600,000 temperatures, which take sorted groups of items."""
    generator = torch.Generator().manual_seed(n)
    values = torch.randn(6, n, generator=generator, dtype=torch.float64)
    values[1] = (values[1] * 4).round() / 4
    weight = torch.randn(6, n, generator=generator, dtype=torch.float64)
    torch.testing.assert_close(soft_ranks(values, temperature), in_plain_torch(values, temperature), rtol=1e-12, atol=0)
    ours = gradient(lambda v: soft_ranks(v, temperature), values, weight)
    plain = gradient(lambda v: in_plain_torch(v, temperature), values, weight)
    # torch takes sigmoid (1 - sigmoid), which keeps no digits of a slope below 1e-16
    torch.testing.assert_close(ours, plain, rtol=1e-9, atol=1e-12 / temperature)


def rows_of_many_kinds(dtype):
    """Long rows: cosines, ties, clusters with outliers, all equal, and two far heaps."""
    generator = torch.Generator().manual_seed(0)
    n = 1100

    def normal(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    points = torch.nn.functional.normalize(normal(n, 64), dim=-1)
    cosines = points[:3] @ points.T
    ties = (normal(3, n) * 3).round() / 10
    clusters = normal(3, n) * 1e-4
    clusters[:, :5] += 100 * normal(3, 5)
    heaps = torch.cat([normal(1, 500) * 0.01, 5 + normal(1, 600) * 0.01], dim=1)
    return torch.cat([cosines, ties, clusters, torch.full((1, n), -0.7, dtype=torch.float64), heaps]).to(dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("temperature", [1e-3, 0.005, 0.05, 1.0, 30.0])
def test_the_treecode_keeps_within_its_bound_of_all_pairs(dtype, temperature):
    values = rows_of_many_kinds(dtype)
    narrow = ((values.amax(-1) - values.amin(-1)) / temperature) <= soft.NARROW[dtype]
    values = values[narrow]
    assert len(values) >= 8
    assert soft._is_linear(values, temperature)
    weight = torch.randn(values.shape, generator=torch.Generator().manual_seed(1), dtype=dtype)
    exact = values.double()
    ranks = in_plain_torch(exact, temperature)
    near = torch.stack([((row[:, None] - row).abs() <= 40 * temperature).sum(-1) for row in exact])
    pair, rounding = (1e-8, 2**-23) if dtype == torch.float32 else (1e-13, 1e-13)
    bound = pair * near + rounding * ranks
    gradients = gradient(lambda v: in_plain_torch(v, temperature), exact, weight.double())
    largest = weight.double().abs().amax() * near / temperature
    for ours, ours_backward in (
        (soft_ranks(values, temperature), gradient(lambda v: soft_ranks(v, temperature), values, weight)),
        (
            treecode.in_torch(values, temperature, treecode.cells_needed(values, temperature)),
            treecode.in_torch(values, temperature, treecode.cells_needed(values, temperature), weight),
        ),
    ):
        assert ours.dtype == dtype
        assert ((ours.double() - ranks).abs() <= bound).all()
        error = (ours_backward.double() - gradients).abs()
        assert (error <= 2 * pair * largest + rounding * 4 * (gradients.abs() + 1)).all()


def test_long_rows_that_are_too_wide_for_cells_take_all_pairs():
    values = rows_of_many_kinds(torch.float64)[6:9]
    assert not soft._is_linear(values, 1e-5)
    torch.testing.assert_close(soft_ranks(values, 1e-5), in_plain_torch(values, 1e-5), rtol=1e-12, atol=0)


def test_gradcheck_of_the_treecode(monkeypatch):
    monkeypatch.setitem(soft.LONG, torch.float64, 1)
    values = torch.randn(2, 3, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(0), requires_grad=True)
    for temperature in (0.05, 1.0):
        assert soft._is_linear(values.detach()[0], temperature)
        assert torch.autograd.gradcheck(lambda v, t=temperature: soft_ranks(v, t), (values,))


@given(arrays(np.float64), st.sampled_from([0.01, 0.3, 2.0]), st.integers(0, 9))
def test_the_treecode_of_short_rows_too(values, temperature, seed):
    rows = torch.from_numpy(values).reshape(-1, values.shape[-1])
    weight = torch.randn(rows.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    np.testing.assert_allclose(soft._linear(rows, temperature), in_plain_torch(rows, temperature), rtol=1e-12)
    expected = gradient(lambda v: in_plain_torch(v, temperature), rows, weight)
    np.testing.assert_allclose(soft._linear(rows, temperature, weight), expected, atol=1e-12 / temperature)


@pytest.mark.parametrize("bad", [torch.nan, torch.inf])
def test_a_long_row_that_is_not_finite_gets_nan(bad):
    values = torch.randn(3, 900, generator=torch.Generator().manual_seed(0))
    clean = soft_ranks(values, 0.01)
    values[1, 5] = bad
    result = soft_ranks(values, 0.01, check_finite=False)
    assert result[1].isnan().all()
    torch.testing.assert_close(result[[0, 2]], clean[[0, 2]], rtol=1e-6, atol=0)


@pytest.mark.parametrize("block", [1, 50, 1000, soft.BLOCK])
@pytest.mark.parametrize("shape", [(5, 9), (1, 1), (3, 40)])
def test_the_torch_operations_for_other_devices_agree_with_the_kernels(shape, block, monkeypatch):
    monkeypatch.setattr(soft, "BLOCK", block)
    values, weight = torch.randn(2, *shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(soft._eager_forward(values, 0.1), soft_ranks(values, 0.1))
    ours = gradient(lambda v: soft_ranks(v, 0.1), values, weight)
    torch.testing.assert_close(soft._eager_backward(values, 0.1, weight), ours)


def test_differences_that_overflow_are_safe():
    values = torch.tensor([1e308, -1e308, 0.0, 1e308, 1e-300], dtype=torch.float64, requires_grad=True)
    result = soft_ranks(values, 1e-300)
    # all far apart but for the tie at the top, and 1e-300, which stands one temperature above 0
    step = 1 / (1 + np.exp(-1.0))
    np.testing.assert_allclose(result.detach(), [1.5, 5, 3 + step, 1.5, 4 - step])
    result.sum().backward()
    assert values.grad.isfinite().all()
    large = torch.tensor([3e38, -3e38, 0.0])
    assert soft_ranks(large, 1e-30).tolist() == [1, 3, 2]


def test_half_precision_is_computed_in_float32():
    values = torch.randn(4, 300, generator=torch.Generator().manual_seed(0))
    for dtype in (torch.float16, torch.bfloat16):
        short = values.to(dtype).requires_grad_()
        result = soft_ranks(short, 0.01)
        assert result.dtype == torch.float32
        assert torch.equal(result, soft_ranks(short.float(), 0.01))
        result.square().sum().backward()
        assert short.grad.dtype == dtype


def test_the_input_is_left_alone_and_need_not_be_contiguous():
    values = torch.randn(6, 4, generator=torch.Generator().manual_seed(0))
    before = values.clone()
    assert torch.equal(soft_ranks(values.T, 1e-4), soft_ranks(values.T.contiguous(), 1e-4))
    assert torch.equal(values, before)


def test_no_cubic_tensor_is_kept():
    """128 rows of 2,000 would be 4 GB of float64 differences; ten times the input is plenty."""
    code = """
import resource, torch
from daa.ranks import soft_ranks
torch.set_num_threads(1)
soft_ranks(torch.rand(2, 3).requires_grad_(), 0.1).sum().backward()
before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
values = torch.rand(128, 2000, dtype=torch.float64, requires_grad=True)
soft_ranks(values, 0.01).square().sum().backward()
after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print((after - before) * 1024 / (values.numel() * 8))
"""
    times_the_input = float(subprocess.run([sys.executable, "-c", code], check=True, capture_output=True).stdout)
    assert times_the_input < 15


RUN = """
import hashlib, torch
from daa.ranks import soft_ranks
torch.set_num_threads({threads})
values = torch.randn(301, {n}, generator=torch.Generator().manual_seed(0)).requires_grad_()
result = soft_ranks(values, {temperature})
result.square().sum().backward()
bits = result.detach().numpy().tobytes() + values.grad.numpy().tobytes()
digest = hashlib.sha256(bits).hexdigest()
"""


@pytest.mark.parametrize(("n", "temperature"), [(203, 0.01), (203, 1e-4), (803, 0.01)])
def test_the_same_bits_for_any_number_of_threads(n, temperature, monkeypatch):
    monkeypatch.setattr(soft, "PAIRS_WORTH_A_THREAD", 100_000)
    threads_before = torch.get_num_threads()
    digests = set()
    try:
        for threads in (1, 2, 3, 7, 2):
            scope: dict = {}
            exec(RUN.format(threads=threads, n=n, temperature=temperature), scope)
            digests.add(scope["digest"])
    finally:
        torch.set_num_threads(threads_before)
    assert len(digests) == 1


def test_a_second_derivative_is_refused():
    values = torch.randn(3, 4, requires_grad=True)
    (first,) = torch.autograd.grad(soft_ranks(values, 1.0).square().sum(), values, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        first.sum().backward()


@pytest.mark.parametrize("spread", [1.0, 1e6])
def test_unchecked_nan_and_infinity_make_their_row_nan(spread):
    values = torch.randn(4, 5, generator=torch.Generator().manual_seed(0)) * spread
    clean = soft_ranks(values, 0.01)
    values[1, 2], values[2, 0] = torch.nan, torch.inf
    values.requires_grad_()
    result = soft_ranks(values, 0.01, check_finite=False)
    assert result[1:3].isnan().all()
    assert torch.equal(result[[0, 3]], clean[[0, 3]])
    result.sum().backward()
    assert values.grad[1:3].isnan().all()
    assert values.grad[[0, 3]].isfinite().all()


@pytest.mark.parametrize(
    ("values", "temperature", "complaint"),
    [
        (torch.tensor([1.0, torch.nan]), 0.1, "values: expected finite numbers"),
        (torch.tensor([1.0, -torch.inf]), 0.1, "values: expected finite numbers"),
        (torch.zeros(3, 0), 0.1, r"values: expected at least one value to rank, got shape \(3, 0\)"),
        (torch.zeros(0, 3), 0.1, r"values: expected at least one value to rank, got shape \(0, 3\)"),
        (torch.tensor(1.0), 0.1, r"values: .*got shape \(\)"),
        (torch.tensor([1, 2]), 0.1, "values: expected floating point"),
        (torch.tensor([1.0]), 0.0, "temperature: expected a number above 0, got 0.0"),
        (torch.tensor([1.0]), -1.0, "temperature"),
        (torch.tensor([1.0]), float("nan"), "temperature"),
    ],
)
def test_what_has_no_soft_rank_is_refused(values, temperature, complaint):
    with pytest.raises(ValueError, match=complaint):
        soft_ranks(values, temperature)
