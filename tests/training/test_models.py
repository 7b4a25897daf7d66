"""Models and losses that no row of the tables has: 32 pairs by heart. The rows: `test_reproduce_by_heart`."""

from __future__ import annotations

import pytest

from daa.training.config import OptimConfig
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
