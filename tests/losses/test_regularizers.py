import math

import pytest
import torch

from daa.embeddings import Gaussian
from daa.losses import diversity, kl_standard_normal, mmd, uniformity


def random(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def test_the_kl_term_is_that_of_the_distribution_the_sampler_draws_from():
    embedding = Gaussian(random(4, 3), random(4, 3, seed=1))
    normal = torch.distributions.Normal(embedding.mean, embedding.std)
    standard = torch.distributions.Normal(torch.zeros(4, 3), torch.ones(4, 3))
    expected = torch.distributions.kl_divergence(normal, standard)
    torch.testing.assert_close(kl_standard_normal(embedding, "sum"), expected.sum())
    torch.testing.assert_close(kl_standard_normal(embedding), expected.mean())
    draws = embedding.sample(200_000, torch.Generator().manual_seed(2))
    torch.testing.assert_close(draws.std(1), embedding.std, rtol=0.02, atol=0)


def test_the_kl_term_is_zero_only_at_the_standard_normal():
    assert kl_standard_normal(Gaussian(torch.zeros(2, 3), torch.zeros(2, 3))) == 0
    assert kl_standard_normal(Gaussian(torch.zeros(2, 3), torch.full((2, 3), 1e-3))) > 0


def test_uniformity_is_the_log_mean_potential_of_all_pairs():
    points = random(6, 3)
    potentials = [math.exp(-2 * ((points[i] - points[j]) ** 2).sum()) for i in range(6) for j in range(6) if i != j]
    assert uniformity(points).item() == pytest.approx(math.log(sum(potentials) / len(potentials)))
    assert uniformity(torch.ones(4, 3)).item() == pytest.approx(0)  # all in one place


@pytest.mark.parametrize("squared", [True, False])
def test_mmd_equals_the_sums_over_pairs(squared):
    x, y = random(4, 3), random(5, 3, seed=1) + 1

    def kernel(a, b):
        distances = (a[:, None] - b[None]).square().sum(-1)
        return torch.exp(-0.5 * (distances if squared else distances.sqrt())).mean()

    expected = kernel(x, x) + kernel(y, y) - 2 * kernel(x, y)
    torch.testing.assert_close(mmd(x, y, squared=squared), expected, rtol=0, atol=1e-7)
    assert mmd(x, x, squared=squared).item() == pytest.approx(0, abs=1e-12)


def test_diversity_is_the_norm_of_the_cosines_between_the_embeddings_of_an_item():
    embeddings = random(5, 3, 4)
    norms = []
    for item in embeddings:
        cosines = torch.nn.functional.cosine_similarity(item[:, None], item[None], dim=-1)
        norms.append(math.sqrt(sum(cosines[a, b] ** 2 for a in range(3) for b in range(3) if a != b)) / 9)
    assert diversity(embeddings).item() == pytest.approx(sum(norms) / 5)
    assert diversity(torch.eye(3)[None]) == 0


def test_gradcheck():
    x, y, several = random(4, 3), random(5, 3, seed=1), random(2, 3, 4, seed=2)
    for tensor in (x, y, several):
        tensor.requires_grad_()
    assert torch.autograd.gradcheck(lambda m, v: kl_standard_normal(Gaussian(m, v)), (x, random(4, 3, seed=4)))
    assert torch.autograd.gradcheck(uniformity, (x,))
    assert torch.autograd.gradcheck(mmd, (x, y))
    assert torch.autograd.gradcheck(diversity, (several,))


def test_gradients_are_finite_where_points_coincide():
    points = torch.ones(4, 3, requires_grad=True)
    one_each = torch.ones(4, 1, 3, requires_grad=True)  # no pair within an item
    (uniformity(points) + mmd(points, points, squared=False) + diversity(one_each)).backward()
    assert points.grad.isfinite().all()
    assert one_each.grad.isfinite().all()


def test_bad_input_is_refused():
    with pytest.raises(ValueError, match="points: expected at least two, got 1"):
        uniformity(torch.ones(1, 3))
    with pytest.raises(ValueError, match="reduction"):
        kl_standard_normal(Gaussian(torch.zeros(2, 3), torch.zeros(2, 3)), "max")
