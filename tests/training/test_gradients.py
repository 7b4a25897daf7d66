"""A batch embedded in parts has the loss and the gradients of the batch embedded at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch

from daa.embeddings import concatenate
from daa.training.batches import Batch
from daa.training.config import Config
from daa.training.gradients import GradCache
from tests.training.tiny import MODELS, prepared, region_config, region_pairs, tiny_config, tiny_data

DATA = {"regions": region_pairs(13), "squares": tiny_data()}


def configured(model: str, *overrides: str) -> Config:
    overrides = ("loss.daa_weight=1", "loss.daa_temperature=0.05", *overrides)
    if model == "conv and gru":
        return tiny_config("encoders.text_options.dropout=0.0", "train.captions_per_image=2", *overrides)
    return region_config(model, "train.batch_size=13", *overrides)


def ready(config: Config, chunks: int) -> tuple[GradCache, Batch]:
    return prepared(config, DATA["squares" if config.encoders.image == "conv-small" else "regions"], chunks)


def gradients_of(gradients: GradCache) -> dict[str, Any]:
    named = [*gradients.model.named_parameters(), *gradients.objective.named_parameters()]
    return {name: None if p.grad is None else p.grad.clone() for name, p in named}


@pytest.mark.parametrize("model", ["conv and gru", *MODELS])
def test_four_parts_equal_one(model: str) -> None:
    results = []
    for chunks in (1, 4):
        gradients, batch = ready(configured(model), chunks)
        if model in ("saf", "sgr"):  # small differences of vectors: in float32 as much as 1e-5 is rounding
            gradients.model.double()
            batch.images, batch.relevance = batch.images.double(), batch.relevance.double()
        optimizer = torch.optim.SGD([*gradients.model.parameters(), *gradients.objective.parameters()], lr=0.02)
        for _ in range(3):
            optimizer.zero_grad()
            parts, scores, _, _ = gradients(batch)
            optimizer.step()
        weights = {name: p.detach() for name, p in gradients.model.named_parameters()}
        results.append((parts, {"scores": scores}, gradients_of(gradients), weights))
    for whole, in_parts in zip(*results, strict=True):
        assert whole.keys() == in_parts.keys()
        for name in whole:
            torch.testing.assert_close(in_parts[name], whole[name], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("model", ["pvse", "sgr"])
def test_both_passes_see_the_same_dropout(model: str) -> None:
    """The gradient of one graph over all parts, embedded once with the same seeds, is that of two passes."""
    gradients, batch = ready(configured(model, "encoders.text_options.dropout=0.5"), chunks=4)
    gradients(batch)
    in_two_passes = gradients_of(gradients)
    again, batch = ready(configured(model, "encoders.text_options.dropout=0.5"), chunks=4)
    joined = [
        concatenate([again._embed(batch, modality, rows) for rows in again._parts(batch, modality)])
        for modality in ("images", "captions")
    ]
    again._loss(batch, *joined)
    for name, expected in gradients_of(again).items():
        torch.testing.assert_close(in_two_passes[name], expected, rtol=1e-6, atol=1e-6)


def test_running_averages_move_once_a_part() -> None:
    gradients, batch = ready(configured("pvse"), chunks=3)
    norm = torch.nn.BatchNorm1d(8)
    original: Callable[..., Any] = gradients.model.image_encoder.forward
    gradients.model.image_encoder.norm = norm
    gradients.model.image_encoder.forward = lambda x: original(norm(x.mT).mT)  # type: ignore[method-assign]
    gradients(batch)
    assert norm.num_batches_tracked == 3


def test_frozen_encoders_are_embedded_once() -> None:
    gradients, batch = ready(configured("saf"), chunks=4)
    gradients.model.image_encoder.requires_grad_(False)
    calls = []
    gradients.model.image_encoder.register_forward_hook(lambda *_: calls.append(1))
    gradients(batch)
    assert len(calls) == 4
    assert gradients.model.text_encoder.words.weight.grad.abs().sum() > 0
