import pytest
import torch

from daa.embeddings import Gaussian

EMBEDDING = Gaussian(torch.arange(12.0).view(4, 3), torch.tensor([-4.0, 0.0, 2.0]).expand(4, 3))


def test_draws_have_the_stated_mean_and_variance():
    draws = EMBEDDING.sample(100_000, torch.Generator().manual_seed(0))
    assert draws.shape == (4, 100_000, 3)
    torch.testing.assert_close(draws.mean(1), EMBEDDING.mean, rtol=0, atol=0.03)
    torch.testing.assert_close(draws.var(1), EMBEDDING.log_var.exp(), rtol=0.03, atol=0)
    torch.testing.assert_close(EMBEDDING.std.square(), EMBEDDING.var)


def test_draws_come_from_the_generator():
    first, again, other = (EMBEDDING.sample(2, torch.Generator().manual_seed(seed)) for seed in (0, 0, 1))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)


def test_draws_carry_gradients_to_mean_and_log_var():
    mean, log_var = torch.zeros(2, 3, requires_grad=True), torch.zeros(2, 3, requires_grad=True)
    Gaussian(mean, log_var).sample(4).square().sum().backward()
    assert (mean.grad != 0).all()
    assert (log_var.grad > 0).all()


def test_rows_are_chosen_together():
    assert len(EMBEDDING) == 4
    for rows in (slice(1, 3), [1, 2], torch.tensor([1, 2]), torch.tensor([False, True, True, False])):
        chosen = EMBEDDING[rows]
        assert torch.equal(chosen.mean, EMBEDDING.mean[1:3])
        assert torch.equal(chosen.log_var, EMBEDDING.log_var[1:3])
    assert EMBEDDING[1].mean.shape == (1, 3)
    assert EMBEDDING.map(torch.Tensor.double).log_var.dtype == torch.float64


@pytest.mark.parametrize(
    ("mean", "log_var", "complaint"),
    [
        (torch.zeros(3), torch.zeros(3), r"mean: expected floats \[n, d\]"),
        (torch.zeros(2, 3, dtype=torch.long), torch.zeros(2, 3), r"mean: expected floats \[n, d\], got torch.int64"),
        (torch.zeros(2, 3), torch.zeros(2, 1), r"log_var: expected the shape of the mean, \(2, 3\), got \(2, 1\)"),
    ],
)
def test_bad_input_is_refused(mean, log_var, complaint):
    with pytest.raises(ValueError, match=complaint):
        Gaussian(mean, log_var)


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="k: expected at least one sample, got 0"):
        EMBEDDING.sample(0)
