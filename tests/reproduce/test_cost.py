"""What a row is said to take: counted independently, and on models that are really built."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import nn

from daa.encoders.pretrained import without_pretrained
from daa.encoders.vocabulary import Vocabulary
from daa.reproduce import load_tables
from daa.reproduce.cost import GPUS, SIZES, Plan, StagePlan, count, make_plan
from daa.reproduce.reproduction import full_size, needed_by
from daa.training.config import Config
from daa.training.data import new_model

T4, A100 = GPUS


def config_of(table: str, row: str) -> Config:
    tables = load_tables()
    return next(iter(full_size(tables[table], tables[table].row(row), Path("data"), Path("runs")).configs.values()))


@pytest.fixture(scope="module")
def saf() -> Plan:
    return make_plan(config_of("table3", "SAF + DAA"), "flickr30k")


def test_cost_of_what_can_be_counted_by_hand() -> None:
    layers = nn.Sequential(nn.Linear(6, 5), nn.ReLU(), nn.Linear(5, 4))
    images = torch.rand(3, 6, requires_grad=True)
    counted, results = count(layers, images)
    flops, kept = 3 * 2 * 3 * (6 * 5 + 5 * 4), 4 * 3 * (6 + 5)  # each product once forward, twice backward; inputs
    assert counted.tolist() == [flops, kept]
    assert torch.equal(results, layers(images))
    assert [p.grad for p in layers.parameters()] == [None] * 4
    with torch.no_grad():
        assert count(layers, images)[0].tolist() == [flops / 3, 0]
    meta = layers.to("meta")
    assert count(meta, torch.empty(3, 6, device="meta", requires_grad=True))[0].tolist() == [flops, kept]
    layers[0].requires_grad_(False)
    frozen, _ = count(layers, torch.empty(3, 6, device="meta"))
    assert frozen[0] == 2 * 3 * (6 * 5 + 5 * 4) + 2 * 3 * (5 * 4)  # only the last layer's weights learn


def test_parameters_are_those_of_the_model_that_is_trained(saf: Plan) -> None:
    config = config_of("table3", "SAF + DAA")
    with without_pretrained():
        model = new_model(config, Vocabulary([f"w{k}" for k in range(SIZES["flickr30k"].words)]))
    n = sum(p.numel() for p in model.parameters())
    (stage,) = saf.stages
    assert saf.parameters == stage.trained == n
    assert stage.state == 4 * 4 * n  # weights, gradients, two moments of Adam
    assert stage.steps == 40 * (145_000 // 128)
    assert saf.relevance > 1e6


def test_half_precision_takes_less_time_and_half_of_what_is_kept() -> None:
    stages = (StagePlan(1, 10, 5, 2.0e15, 6e9, 1_000), StagePlan(1, 5, 5, 4.0e15, 2e9, 3_000_000_000))
    whole, half = (Plan(5, stages, 0.0, 0, precision, 8) for precision in ("no", "bf16"))
    assert (whole.memory, half.memory) == (6e9 + 1_000, 3e9 + 1e9)  # of the hungriest stage
    assert whole.hours(T4) == pytest.approx(4e16 / (0.4 * 8.1e12) / 3600, rel=0.02)
    assert half.hours(A100) == pytest.approx(4e16 / (0.3 * 312e12) / 3600, rel=0.05)


def test_operations_of_cross_attention_by_hand(saf: Plan) -> None:
    batch, words, regions, d, sim = 128, 12 + 2, 36, 1024, 256
    pairs = batch * batch
    attention = 2 * pairs * words * regions * d * 2  # similarities, and the weighted sum of regions
    compare = 2 * pairs * (words + 1) * d * sim
    image = 2 * batch * regions * 2048 * d
    gru = 2 * batch * words * 2 * 3 * d * (300 + d)
    by_hand = 4 * (attention + compare) + 3 * gru + 2 * image  # blocks are computed again in the backward pass
    assert saf.stages[0].flops == pytest.approx(by_hand, rel=0.02)
    assert saf.hours(T4) == pytest.approx(40 * (145_000 // 128) * by_hand / (0.4 * 8.1e12) / 3600, rel=0.03)
    assert saf.scoring_flops == pytest.approx(1000 * 5000 * (attention + compare) / pairs, rel=0.02)


def test_the_steps_of_cross_attention_keep_no_pairs(saf: Plan) -> None:
    sgr = make_plan(config_of("table3", "SGR"), "flickr30k")
    for plan in (saf, sgr):  # thirty tensors of regions and words at most, none of pairs
        assert plan.stages[0].kept < 30 * 4 * 128 * (36 + 14) * 1024 < 4 * 128 * 128 * 14 * 1024


def test_what_is_needed_and_who_gets_it() -> None:
    tables = load_tables()

    def needed(table: str, row: str) -> dict[str, bool]:
        full = full_size(tables[table], tables[table].row(row), Path("data"), Path("runs"))
        return {one.what: one.by_hand for one in needed_by(full)}

    pcme_bert = needed("table1", "PCME-bert")
    assert {what: pcme_bert[what] for what in ("train2014.zip", "val2014.zip")} == dict.fromkeys(
        ("train2014.zip", "val2014.zip"), False
    )
    assert any("BERT" in what for what in pcme_bert)
    assert any("ResNet-152" in what for what in pcme_bert)
    assert any("GloVe" in what and by_hand for what, by_hand in needed("table1", "PCME").items())
    regions = needed("table1", "SGRAF")
    assert [what for what, by_hand in regions.items() if by_hand] == [
        "SCAN's region features, {train,dev,testall}_{ims.npy,caps.txt,ids.txt}"
    ]
    assert "annotations_trainval2014.zip" in regions  # the labels that PMRP compares
    assert sum(needed("table2", "PCME").values()) == 3  # captions, lists of the split, GloVe
