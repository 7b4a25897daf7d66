from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

import daa.training.loop as loop
from daa.embeddings import Gaussian
from daa.losses import InfoNCELoss, SoftContrastiveLoss, TripletLoss, triplet_loss
from daa.training.loop import train
from daa.training.run import read_log
from daa.training.watch import CollapseWatch, share_at_margin, vital_signs
from tests.training.tiny import tiny_config, tiny_data

TRIPLET = ["loss.kind=triplet", "loss.options={}", "loss.daa_weight=0", "train.epochs=3", "train.seed=1"]


class Constant(nn.Module):
    """Every image like every caption, whatever they are; the slope is there, so that training goes on."""

    def forward(self, images: Gaussian, captions: Gaussian) -> torch.Tensor:
        return 0.5 + 0 * images.mean @ captions.mean.T


def test_a_collapsed_run_says_so_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    original = loop.new_model

    def collapsed(*arguments: object) -> nn.Module:
        model = original(*arguments)  # type: ignore[arg-type]
        model.similarity = Constant()
        return model

    monkeypatch.setattr(loop, "new_model", collapsed)
    train(tiny_config(*TRIPLET), tmp_path / "a", data=tiny_data())
    steps = read_log(tmp_path / "a", "step")
    assert all(line["at_margin"] == 1 and line["spread"] == 0 for line in steps)
    assert steps[0]["contrastive"] == pytest.approx(0.2)
    (warning,) = read_log(tmp_path / "a", "warning")
    assert warning["step"] == 4, "the fifth logged step"
    assert "100 % of the hinges at the margin" in warning["text"]
    assert "loss.warmup_epochs" in warning["text"]
    assert capsys.readouterr().err.count("all alike") == 1


def test_a_healthy_run_says_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = ["loss.warmup_epochs=1", "train.log_every=4"]
    train(tiny_config(*TRIPLET, *options), tmp_path / "a", data=tiny_data())
    assert read_log(tmp_path / "a", "warning") == []
    assert "alike" not in capsys.readouterr().err
    steps = read_log(tmp_path / "a", "step")
    assert all(line["spread"] > 0.01 and line["at_margin"] < 0.5 for line in steps)
    assert {"log_var_images", "log_var_captions"} <= steps[0].keys()


def test_all_negatives_are_summed_before_the_hardest(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[bool] = []
    original = TripletLoss.forward

    def forward(self, scores: torch.Tensor, positives: torch.Tensor) -> torch.Tensor:
        seen.append(self.hardest)
        return original(self, scores, positives)

    monkeypatch.setattr(TripletLoss, "forward", forward)
    train(tiny_config(*TRIPLET, "loss.warmup_epochs=2"), tmp_path / "a", data=tiny_data(), quiet=True)
    assert seen == [False] * 8 + [True] * 4


def test_hinges_at_the_margin_are_those_of_the_loss() -> None:
    scores = torch.tensor([[0.5, 0.5, 0.1], [0.2, 0.9, 0.3], [0.0, 0.4, 0.4]])
    own = torch.eye(3).bool()
    one_by_one = [
        triplet_loss(scores[i : i + 1], own[i : i + 1], reduction="sum").item() == pytest.approx(0.2) for i in range(3)
    ]
    assert one_by_one == [True, False, True]
    assert share_at_margin(scores, own, 0.2) == pytest.approx(2 / 6)  # no column has such a hinge


def test_what_is_logged_of_a_loss() -> None:
    gaussian = Gaussian(torch.eye(3), torch.full((3, 3), -4.0))
    arguments = torch.eye(3), torch.eye(3).bool(), gaussian, gaussian
    signs = vital_signs(SoftContrastiveLoss(init_scale=7.0, init_shift=6.0), *arguments)
    assert (signs["scale"], signs["shift"]) == (7, 6)
    assert signs["log_var_images"] == -4
    assert signs["spread"] == pytest.approx(torch.eye(3).std(correction=0).item())
    assert vital_signs(InfoNCELoss(0.1, learned=True), *arguments)["temperature"] == pytest.approx(0.1)
    assert "at_margin" not in signs


def test_a_sign_that_comes_and_goes_is_none() -> None:
    watch = CollapseWatch({})
    assert not any(watch({"spread": 0.0 if step % 4 else 0.1}) for step in range(20))
    gone = {"spread": 0.1, "log_var_images": -3.0, "log_var_captions": -25.0}
    said = [text for _ in range(12) for text in CollapseWatch(watch.state)(gone)]
    assert len(said) == 1
    assert "variances have gone (mean log-variance -25.0)" in said[0]
