from __future__ import annotations

import pytest
import torch
from torch.nn import functional as F

from daa.embeddings import Gaussian, PointSet
from daa.encoders.bert import RectifiedMean
from daa.encoders.heads import HEADS, LastState, PIENet, make_head
from daa.encoders.image import ProjectedMean

LOCAL = torch.randn(3, 5, 6, generator=torch.Generator().manual_seed(0))
MASK = torch.tensor([[True] * 5, [True] * 2 + [False] * 3, [True] + [False] * 4])


def head(name: str, k: int = 1, log_var_init: float | None = None) -> torch.nn.Module:
    torch.manual_seed(0)
    return make_head(name, 6, 8, k, log_var_init, lambda: LastState(6, 8), lambda: LastState(6, 8))


def tensors(embedding: PointSet | Gaussian) -> list[torch.Tensor]:
    return list(embedding.tensors().values())


@pytest.mark.parametrize("name", HEADS)
def test_what_stands_at_masked_places_and_how_many_there_are_does_not_matter(name: str) -> None:
    module = head(name, k=2 if name == "points" else 1)
    together = module(LOCAL, mask=MASK)
    padded = F.pad(LOCAL.masked_fill(~MASK[..., None], 7.0), (0, 0, 0, 2), value=-3.0)
    for a, b in zip(tensors(together), tensors(module(padded, mask=F.pad(MASK, (0, 2)))), strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-6)
    alone = module(LOCAL[1:2, :2], mask=MASK[1:2, :2])
    for a, b in zip(tensors(together), tensors(alone), strict=True):
        torch.testing.assert_close(a[1:2], b, rtol=0, atol=1e-6)


def test_pie_net_follows_its_formula() -> None:
    torch.manual_seed(0)
    net, summary = PIENet(6, 8, k=3), torch.randn(3, 8)
    torch.nn.init.uniform_(net.norm.weight)
    out, residuals = net(summary, LOCAL, MASK)
    for i in range(3):
        x = LOCAL[i, MASK[i]]
        for j in range(3):
            attention = torch.softmax(torch.tanh(x @ net.hidden.weight.T) @ net.logits.weight[j], dim=0)
            residual = torch.sigmoid(net.local.weight @ (attention @ x) + net.local.bias)
            torch.testing.assert_close(residuals[i, j], residual)
            expected = F.layer_norm(summary[i] + residual, (8,)) * net.norm.weight + net.norm.bias
            torch.testing.assert_close(out[i, j], expected)


def test_points_have_length_one_and_differ_between_heads() -> None:
    embedding = head("points", k=2)(LOCAL, mask=MASK)
    torch.testing.assert_close(embedding.points.norm(dim=-1), torch.ones(3, 2))
    assert (embedding.points[:, 0] - embedding.points[:, 1]).abs().max() > 1e-3
    assert (embedding.residuals > 0).all(), "after the sigmoid"
    assert (embedding.residuals < 1).all(), "and before the norm"


def test_log_var_is_twice_the_paper_s_log_sigma() -> None:
    module = head("pcme")
    attended = module.spread_pooling(LOCAL, MASK)
    log_sigma = module.spread_local(attended) + module.spread(LOCAL, MASK)
    embedding = module(LOCAL, mask=MASK)
    torch.testing.assert_close(embedding.std, log_sigma.exp())
    started = head("pcme", log_var_init=-6.0)(LOCAL, mask=MASK)
    torch.testing.assert_close(started.log_var, embedding.log_var - 6)
    assert started.mean.equal(embedding.mean)


def test_mean_of_pcme_is_pvse_with_one_point() -> None:
    points, gaussian = head("points"), head("pcme")
    gaussian.load_state_dict(points.state_dict(), strict=False)
    torch.testing.assert_close(gaussian(LOCAL, mask=MASK).mean, points(LOCAL, mask=MASK).points[:, 0])


def test_vse_is_the_direction_of_the_projected_direction() -> None:
    module = make_head("point", 6, 8, 1, None, lambda: ProjectedMean(6, 8, unit=True), torch.nn.Identity)
    mean = F.normalize(LOCAL.mean(dim=1), dim=1)
    expected = F.normalize(module.summary.project(mean), dim=1)
    torch.testing.assert_close(module(LOCAL).points[:, 0], expected)


def test_last_state_is_what_each_direction_ends_with() -> None:
    torch.manual_seed(0)
    state = LastState(6, 8)
    for i, n in enumerate(MASK.sum(dim=1).tolist()):
        states = state.gru(LOCAL[i : i + 1, :n])[0][0]
        expected = torch.cat([states[-1, :4], states[0, 4:]])
        torch.testing.assert_close(state(LOCAL, MASK)[i], expected)
        state.as_released = True
        torch.testing.assert_close(state(LOCAL, MASK)[i], states[-1])
        state.as_released = False


def test_rectified_mean_with_and_without_padding() -> None:
    module = RectifiedMean(6, 8)
    x = F.normalize(module.project(LOCAL), dim=-1).clamp_min(0)
    torch.testing.assert_close(module(LOCAL, MASK)[1], x[1, :2].mean(dim=0))
    module.over_padding = True
    torch.testing.assert_close(module(LOCAL, MASK)[1], x[1].mean(dim=0))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("spots", 1, None), "head: expected one of gaussian, pcme, points, point, got 'spots'"),
        (("pcme", 2, None), "k: expected 1, or more with head \"points\", got 2 with 'pcme'"),
        (("points", 0, None), "k: expected 1"),
        (("point", 1, -6.0), "log_var_init: points have no variance"),
    ],
)
def test_what_does_not_go_together_is_refused(arguments: tuple[str, int, float | None], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        head(*arguments)


def test_an_odd_size_cannot_be_shared_by_two_directions() -> None:
    with pytest.raises(ValueError, match="embedding_dim: expected an even number for two directions, got 7"):
        LastState(6, 7)
