"""Models and losses that no row of the tables has: 32 pairs by heart. The rows: `tests.reproduce.test_by_heart`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from daa.training.config import OptimConfig, load_config
from daa.training.data import load_data, load_split, new_model
from daa.training.loop import load_run, train
from daa.training.run import read_log
from daa.training.seeds import seed_everything
from daa.training.stages import build_optimizer
from daa.training.validate import validate
from tests.training.tiny import prepared, region_config, region_pairs

PAIRS = region_pairs(32)
WIDE = (
    "encoders.embedding_dim=64 encoders.text_options.word_dim=32 "
    "encoders.image_options.log_var_init=-12.0 encoders.text_options.log_var_init=-12.0"
)
CASES = {
    "pvse + DAA": "pvse loss.daa_weight=0.1",
    "pvse, sum of hinges": "pvse loss.options.hardest=false loss.options.reduction=sum loss.smooth_ap_weight=0.5",
    "vse++, Smooth-AP": "vse++ loss.kind=smooth-ap loss.options.temperature=0.05",
    "pcme, closed form": f"pcme {WIDE} loss.kind=closed-form loss.options={{}} loss.uniformity_weight=0.1",
    "pcme, InfoNCE + DAA": f"pcme {WIDE} loss.kind=infonce loss.options={{}} loss.kl_weight=0 loss.daa_weight=0.1",
}


@pytest.mark.parametrize("case", CASES)
def test_32_pairs_are_learnt_by_heart(case: str) -> None:
    model, *overrides = CASES[case].split()
    fixed = ["loss.daa_temperature=0.05", "encoders.embedding_dim=32", "train.batch_size=32"]
    gradients, batch = prepared(region_config(model, *fixed, *overrides), PAIRS)
    optimizer = build_optimizer(gradients.model, gradients.objective, OptimConfig(lr=0.01, weight_decay=0.0))
    losses, found = [], (0.0, 0.0)
    while found != (1, 1) and len(losses) < 100:
        for _ in range(20):
            parts, _, _, _ = gradients(batch)
            losses.append(parts["loss"].item())
            optimizer.step()
            optimizer.zero_grad()
        result = validate(gradients.model, PAIRS.val, PAIRS.val_relevance)
        found = result["i2t"]["R@1"], result["t2i"]["R@1"]
    assert found == (1, 1)
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("similarity", ["saf", "sgr"])
@pytest.mark.parametrize("noise", [0.0, 0.3])
def test_cross_attention_takes_steps_on_the_regions_of_scenes(similarity: str, noise: float, tmp_path: Path) -> None:
    """From the shipped configuration to a run whose every part has learnt, on what a detector with noise would see."""
    data = f"data.options={{n_images: 24, view: facts, noise: {noise}}}"
    brief = "train.batch_size=24 train.epochs=30 train.eval_every=30 train.log_every=1 train.device=cpu optim.lr=1e-2"
    config = load_config("scenes-facts-sgr", [data, f"encoders.similarity={similarity}", *brief.split()])
    pairs = load_data(config)
    train(config, tmp_path, data=pairs, quiet=True)
    model, _ = load_run(tmp_path)
    seed_everything(config.train.seed, "weights")
    first = new_model(config, model.text_encoder.vocabulary)
    for part in ("image_encoder", "text_encoder", "similarity"):
        started = getattr(first, part).state_dict()
        assert any(not torch.equal(one, started[key]) for key, one in getattr(model, part).state_dict().items()), part
    losses = [step["contrastive"] for step in read_log(tmp_path, "step")]
    assert len(losses) == 30
    assert sum(losses[-5:]) < 0.9 * sum(losses[:5])
    clean = load_split(config.data.with_(options={"n_images": 24, "view": "facts"}), "train")
    seen = pairs.train.batch(range(24)) - torch.stack([clean.image(i) for i in range(24)])
    assert (seen.std() > 0.2) == (noise > 0) == bool(seen.any())
