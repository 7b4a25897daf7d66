from __future__ import annotations

from itertools import pairwise

import pytest
import torch

from daa.embeddings import Gaussian, PointSet
from daa.losses import daa_loss, diversity, info_nce_loss, kl_standard_normal, mmd, smooth_ap_loss, uniformity
from daa.names import CONTRASTIVE_LOSSES
from daa.similarity import cosine_similarity
from daa.training.config import LossConfig, OptimConfig
from daa.training.objective import Objective
from daa.training.stages import build_optimizer, rate

IMAGES = Gaussian(torch.randn(3, 8), torch.full((3, 8), -2.0))
CAPTIONS = Gaussian(torch.randn(5, 8), torch.full((5, 8), -3.0))
POSITIVES = torch.tensor([0, 0, 1, 2, 2])[None] == torch.arange(3)[:, None]
RELEVANCE = torch.rand(3, 5)
SCORES = cosine_similarity(IMAGES, CAPTIONS)


def test_the_sum_is_the_weighted_sum_of_its_parts() -> None:
    parts = Objective(LossConfig(kind="infonce", daa_weight=2.0, kl_weight=0.5))(
        IMAGES, CAPTIONS, SCORES, POSITIVES, RELEVANCE
    )
    torch.testing.assert_close(parts["contrastive"], info_nce_loss(SCORES, POSITIVES, 0.07))
    torch.testing.assert_close(parts["daa"], daa_loss(SCORES, RELEVANCE))
    torch.testing.assert_close(parts["kl"], (kl_standard_normal(IMAGES) + kl_standard_normal(CAPTIONS)) / 2)
    torch.testing.assert_close(parts["loss"], parts["contrastive"] + 2 * parts["daa"] + 0.5 * parts["kl"])


def test_sums_over_all_embeddings_and_the_points_of_both_modalities() -> None:
    parts = Objective(
        LossConfig(kl_weight=1e-5, kl_reduction="sum", uniformity_weight=10.0, mmd_weight=0.01, smooth_ap_weight=0.5)
    )(IMAGES, CAPTIONS, SCORES, POSITIVES)
    torch.testing.assert_close(parts["kl"], kl_standard_normal(IMAGES, "sum") + kl_standard_normal(CAPTIONS, "sum"))
    torch.testing.assert_close(parts["uniformity"], uniformity(torch.cat([IMAGES.mean, CAPTIONS.mean])))
    torch.testing.assert_close(parts["mmd"], mmd(IMAGES.mean, CAPTIONS.mean, squared=False))
    torch.testing.assert_close(parts["smooth_ap"], smooth_ap_loss(SCORES, POSITIVES))
    weighted = 1e-5 * parts["kl"] + 10 * parts["uniformity"] + 0.01 * parts["mmd"] + 0.5 * parts["smooth_ap"]
    torch.testing.assert_close(parts["loss"], parts["contrastive"] + weighted)


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
@pytest.mark.parametrize("kl_weight", [0.0, 0.1])
def test_which_losses_train_a_variance(kind: str, kl_weight: float) -> None:
    images, captions = (Gaussian(one.mean, one.log_var.clone().requires_grad_()) for one in (IMAGES, CAPTIONS))
    objective = Objective(LossConfig(kind=kind, daa_weight=1, smooth_ap_weight=1, kl_weight=kl_weight))
    scores = cosine_similarity(images, captions).requires_grad_()
    objective(images, captions, scores, POSITIVES, RELEVANCE, torch.Generator().manual_seed(0))["loss"].backward()
    assert objective.trains_variance == (images.log_var.grad is not None)


def test_the_terms_of_pvse() -> None:
    images, captions = (PointSet(torch.randn(n, 2, 8), torch.randn(n, 2, 8)) for n in (3, 5))
    objective = Objective(LossConfig(kind="triplet", mmd_weight=0.01, diversity_weight=0.1))
    objective.check(images, captions)
    parts = objective(images, captions, SCORES, POSITIVES)
    torch.testing.assert_close(parts["diversity"], diversity(images.residuals) + diversity(captions.residuals))
    torch.testing.assert_close(
        parts["mmd"], mmd(images.points.flatten(0, 1), captions.points.flatten(0, 1), squared=False)
    )
    torch.testing.assert_close(parts["loss"], parts["contrastive"] + 0.01 * parts["mmd"] + 0.1 * parts["diversity"])


@pytest.mark.parametrize(
    ("config", "message"),
    [
        (LossConfig(), "loss.kind: soft-contrastive does not go with embeddings that are PointSet"),
        (LossConfig(kind="triplet", kl_weight=0.1), "loss.kl_weight: 0.1 does not go with .* PointSet"),
        (LossConfig(kind="triplet", diversity_weight=0.1), "loss.diversity_weight: expected encoders that give resid"),
    ],
)
def test_embeddings_that_a_loss_does_not_work_on(config: LossConfig, message: str) -> None:
    points = PointSet(torch.randn(3, 2, 8))
    with pytest.raises(ValueError, match=message):
        Objective(config).check(points, points)


def test_the_weight_of_the_released_code_is_twice_as_large_here() -> None:
    """1000 (i2t + t2i) there: one direction of DAA is that of a matrix that has but one candidate the other way."""
    config = LossConfig(kind="triplet", options={"reduction": "sum"}, daa_weight=2000.0)
    parts = Objective(config)(IMAGES, CAPTIONS, SCORES, POSITIVES, RELEVANCE)
    i2t, t2i = (
        sum(2 * daa_loss(row[None], other[None]) for row, other in zip(s, c, strict=True)) / len(s)
        for s, c in ((SCORES, RELEVANCE), (SCORES.T, RELEVANCE.T))
    )
    torch.testing.assert_close(parts["loss"], parts["contrastive"] + 1000 * (i2t + t2i))


@pytest.mark.parametrize("kind", CONTRASTIVE_LOSSES)
def test_every_kind_takes_more_captions_than_images(kind: str) -> None:
    images, captions = (Gaussian(g.mean.clone().requires_grad_(), g.log_var) for g in (IMAGES, CAPTIONS))
    parts = Objective(LossConfig(kind=kind))(images, captions, cosine_similarity(images, captions), POSITIVES)
    assert sorted(parts) == ["contrastive", "loss"]
    parts["loss"].backward()
    assert images.mean.grad is not None
    assert images.mean.grad.isfinite().all()


class Unannotated(torch.nn.Module):
    def forward(self, positives, scores):  # type: ignore[no-untyped-def]
        return -scores[positives].mean()


def test_a_loss_is_given_what_its_forward_names(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(CONTRASTIVE_LOSSES, "mean", f"{__name__}:Unannotated")
    objective = Objective(LossConfig(kind="mean"))
    objective.check(IMAGES, CAPTIONS)
    assert objective(IMAGES, CAPTIONS, SCORES, POSITIVES)["loss"] == -SCORES[POSITIVES].mean()


def test_samples_come_from_the_generator() -> None:
    objective = Objective(LossConfig(kind="soft-contrastive", samples=3))
    losses = [
        objective(IMAGES, CAPTIONS, SCORES, POSITIVES, generator=torch.Generator().manual_seed(seed))["loss"].item()
        for seed in (0, 0, 1)
    ]
    assert losses[0] == losses[1] != losses[2]


def test_daa_needs_a_relevance() -> None:
    with pytest.raises(ValueError, match="relevance: expected a matrix"):
        Objective(LossConfig(daa_weight=1.0))(IMAGES, CAPTIONS, SCORES, POSITIVES)


def test_unknown_option_of_a_loss() -> None:
    with pytest.raises(ValueError, match=r"loss.options: triplet takes .* not 'margn'; did you mean margin"):
        Objective(LossConfig(kind="triplet", options={"margn": 0.1}))


def test_every_parameter_is_optimised_once_and_only_matrices_decay() -> None:
    model = torch.nn.Sequential(torch.nn.Linear(3, 2), torch.nn.LayerNorm(2))
    objective = Objective(LossConfig(kind="closed-form"))
    optimizer = build_optimizer(model, objective, OptimConfig(lr=0.1, loss_lr=0.3, weight_decay=0.5))
    groups = {id(p): (group["lr"], group["weight_decay"]) for group in optimizer.param_groups for p in group["params"]}
    expected = {id(p): (0.1, 0.5 if p.dim() > 1 else 0.0) for p in model.parameters()}
    assert groups == expected | {id(p): (0.3, 0.0) for p in objective.parameters()}


def test_rates() -> None:
    cosine = [rate(OptimConfig(warmup=0.1), step, 100, 10) for step in range(100)]
    assert max(cosine) <= 1
    assert cosine[0] == pytest.approx(0.1)
    assert cosine[9] == 1
    assert all(a > b > 0 for a, b in pairwise(cosine[9:]))
    step = OptimConfig(warmup=0.0, schedule="step", step_epochs=3)
    assert [rate(step, epoch * 10, 70, 10) for epoch in range(7)] == pytest.approx([1, 1, 1, 0.1, 0.1, 0.1, 0.01])
    assert rate(OptimConfig(schedule="constant", warmup=0.0), 7, 10, 5) == 1
