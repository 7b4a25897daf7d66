import math

import numpy as np
import pytest
import torch

from daa.embeddings import Gaussian
from daa.similarity import (
    closed_form_distance,
    cosine_similarity,
    match_probability,
    max_cosine,
    pairwise,
    sample_distances,
    squared_distances,
    summed_dots,
)


def gaussians(n, d, seed, log_var=-1.0, dtype=torch.float64):
    mean, spread = torch.randn(2, n, d, generator=torch.Generator().manual_seed(seed), dtype=dtype)
    return Gaussian(mean / math.sqrt(d), log_var - math.log(d) + 0.5 * spread)


def test_cosine_takes_points_or_the_means():
    x, y = gaussians(3, 4, 0), gaussians(5, 4, 1)
    expected = [[np.dot(a, b) / np.linalg.norm(a) / np.linalg.norm(b) for b in y.mean.numpy()] for a in x.mean.numpy()]
    np.testing.assert_allclose(cosine_similarity(x, y), expected)
    assert torch.equal(cosine_similarity(x.mean, y), cosine_similarity(x, y.mean))
    assert cosine_similarity(torch.zeros(1, 2), torch.ones(1, 2)).item() == 0


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_squared_distances(dtype):
    x = torch.randn(4, 64, generator=torch.Generator().manual_seed(0)).to(dtype)
    y = torch.cat([x[:2], torch.randn(3, 64, generator=torch.Generator().manual_seed(1)).to(dtype)])
    expected = (x.double()[:, None] - y.double()[None]).square().sum(-1)
    result = squared_distances(x, y)
    assert result.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (result >= 0).all()
    torch.testing.assert_close(result.double(), expected, rtol=0, atol=1e-12 if dtype == torch.float64 else 1e-4)


def test_distances_keep_full_precision_under_autocast():
    x, y = (torch.randn(3, 64, generator=torch.Generator().manual_seed(seed)) for seed in (0, 1))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        torch.testing.assert_close(squared_distances(x, y), (x[:, None] - y[None]).square().sum(-1))


def test_sample_distances_pair_every_draw_with_every_draw():
    x, y = torch.randn(2, 3, 4), torch.randn(5, 2, 4)
    expected = ((x[:, :, None, None] - y[None, None]).square().sum(-1) + 1e-6).sqrt()
    torch.testing.assert_close(sample_distances(x, y), expected)


def test_the_closed_form_is_the_expected_squared_distance_of_draws():
    x, y = gaussians(3, 8, 0), gaussians(4, 8, 1)
    generator = torch.Generator().manual_seed(2)
    differences = x.sample(100_000, generator)[:, None] - y.sample(100_000, generator)[None]
    torch.testing.assert_close(closed_form_distance(x, y), differences.square().sum(-1).mean(-1), rtol=0.02, atol=0)


@pytest.mark.parametrize(("d", "worst"), [(1, 0.14), (8, 0.05), (64, 0.02), (256, 0.01)])
@pytest.mark.parametrize("log_var", [-6.0, -2.0, 0.0])
@pytest.mark.parametrize(("scale", "shift"), [(5.0, 5.0), (15.0, 15.0)])
def test_the_moments_come_close_to_the_expectation(d, worst, log_var, scale, shift):
    x, y = gaussians(3, d, 0, log_var), gaussians(4, d, 1, log_var)
    generator = torch.Generator().manual_seed(2)
    samples = match_probability(x, y, scale, shift, method="samples", k=300, generator=generator)
    moments = match_probability(x, y, scale, shift)
    assert samples.shape == moments.shape == (3, 4)
    torch.testing.assert_close(moments, samples, rtol=0, atol=worst + 0.01)


def test_the_moments_are_those_stated():
    """The docstring's formula pair by pair, where the code multiplies out its sums into matrix products."""
    x, y = gaussians(3, 4, 0), gaussians(5, 4, 1)
    expected = torch.empty(3, 5, dtype=torch.float64)
    for i, j in np.ndindex(3, 5):
        s2, delta2 = x.var[i] + y.var[j], (x.mean[i] - y.mean[j]) ** 2
        m, v = (s2 + delta2).sum() + 1e-6, 2 * (s2**2).sum() + 4 * (s2 * delta2).sum()
        squared_mean = m - v / (4 * m) + v**2 / (32 * m**3)
        logit, spread = 2 * (5 - 4 * squared_mean.sqrt()), 64 * (m - squared_mean)
        expected[i, j] = (logit / (1 + math.pi / 8 * spread).sqrt()).sigmoid()
    torch.testing.assert_close(match_probability(x, y, scale=4.0, shift=5.0), expected)


def test_without_variance_both_are_the_probability_of_the_points():
    x, y = gaussians(3, 8, 0, log_var=-60.0), gaussians(4, 8, 1, log_var=-60.0)
    distances = (x.mean[:, None] - y.mean[None]).norm(dim=-1)
    expected = (2 * (5 - 5 * distances)).sigmoid()
    for method in ("moments", "samples"):
        torch.testing.assert_close(match_probability(x, y, 5.0, 5.0, method=method), expected, rtol=1e-4, atol=1e-6)


def test_match_probability_in_blocks_is_the_same(monkeypatch):
    x, y = gaussians(5, 8, 0), gaussians(4, 8, 1)

    def sampled():
        return match_probability(x, y, 5.0, 5.0, method="samples", k=3, generator=torch.Generator().manual_seed(0))

    whole = sampled()
    monkeypatch.setattr(pairwise, "BLOCK", 1)
    torch.testing.assert_close(sampled(), whole)


def test_identical_points_have_a_probability_and_a_gradient():
    mean = torch.zeros(2, 3, requires_grad=True)
    log_var = torch.full((2, 3), -100.0, requires_grad=True)
    same = Gaussian(mean, log_var)
    for method in ("moments", "samples"):
        match_probability(same, same, 5.0, 5.0, method=method).sum().backward()
    assert mean.grad.isfinite().all()
    assert log_var.grad.isfinite().all()


def test_the_sum_over_all_pairs_of_draws_is_one_product_of_the_summed_draws():
    """What the released evaluation ranks by, written out; and its ranking is that of the dot product of the means."""
    x, y = gaussians(3, 8, 0).sample(4), gaussians(5, 8, 1).sample(6)
    written_out = torch.einsum("ikd,cld->iklc", x, y).sum((1, 2))
    torch.testing.assert_close(summed_dots(x, y), written_out)


def test_max_cosine_takes_the_best_pair():
    x, y = torch.randn(3, 2, 8), torch.randn(5, 4, 8)
    expected = torch.nn.functional.cosine_similarity(x[:, None, :, None], y[None, :, None], dim=-1).amax((2, 3))
    torch.testing.assert_close(max_cosine(x, y), expected)


def test_bad_input_is_refused():
    x = gaussians(3, 4, 0)
    with pytest.raises(ValueError, match="captions: expected embeddings as wide as the images', 4, got 5"):
        cosine_similarity(x, gaussians(3, 5, 0))
    with pytest.raises(ValueError, match=r"images: expected float embeddings \[n, d\], got torch.float32 of shape"):
        cosine_similarity(torch.zeros(3, 4, 5), x)
    with pytest.raises(ValueError, match='method: expected "moments" or "samples"'):
        match_probability(x, x, 5.0, 5.0, method="guess")
