"""Two processes on 127.0.0.1 that share each batch are one: loss, gradients, weights."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from daa.training.run import read_log
from tests.training.killed import serve

ROOT = Path(__file__).parents[2]
# 5 steps of 9 images, 4 for one process and 5 for the other. SGD: its momentum is the sum of the gradients.
FIVE = ["train.epochs=1", "train.batch_size=9", "train.captions_per_image=2", "optim.name=sgd", "optim.lr=0.05"]
TRIPLET = [*FIVE, "encoders.text_options.dropout=0.0", "loss.kind=triplet", "loss.options={}", "loss.kl_weight=0"]
SOFT = [*FIVE, "encoders.text_options.dropout=0.0"]
# Local features: the processes' captions differ in length, and the similarity has weights of its own.
# All negatives, since which of them is the hardest hangs on the last digits as long as all score alike.
CROSS = [*FIVE, "loss.options.hardest=false", "loss.daa_weight=1", "loss.daa_temperature=0.05"]
PAIRS = {"triplet": TRIPLET, "soft-contrastive": SOFT, "saf": CROSS}


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("processes")
    scenarios: dict[str, Any] = {}
    for name, overrides in PAIRS.items():
        scenario = {"places": [], "overrides": overrides, "model": "saf" if name == "saf" else None}
        scenarios |= {f"{name}, one": scenario, f"{name}, two": {**scenario, "processes": 2}}
    chunks = [*TRIPLET, "train.chunks=2"]
    scenarios["triplet, two, in parts"] = {"places": [], "overrides": chunks, "processes": 2}
    scenarios["triplet, two, killed"] = {"places": [["step", 4]], "overrides": TRIPLET, "processes": 2}
    serve(folder, scenarios)
    return folder


@pytest.mark.parametrize("kind", [*(f"{name}, two" for name in PAIRS), "triplet, two, in parts"])
def test_two_processes_equal_one(kind: str, folder: Path) -> None:
    one, two = folder / f"{kind.split(',')[0]}, one", folder / kind
    for expected, found in zip(read_log(one, "step"), read_log(two, "step"), strict=True):
        assert found == pytest.approx(expected, rel=1e-6, abs=1e-9)
    expected, found = (load_file(run / "last.safetensors") for run in (one, two))
    assert expected.keys() == found.keys()
    assert any(name.endswith("momentum_buffer") for name in expected)
    for name in expected:
        difference = (expected[name].double() - found[name].double()).abs().max()
        assert difference <= 1e-6, (name, difference)
    assert json.loads((two / "run.json").read_text())["processes"] == 2


def test_two_killed_processes_go_on_where_they_were(folder: Path) -> None:
    whole, resumed = folder / "triplet, two", folder / "triplet, two, killed"
    expected, found = (load_file(run / "last.safetensors") for run in (whole, resumed))
    assert {name: t.numpy().tobytes() for name, t in found.items()} == {
        name: t.numpy().tobytes() for name, t in expected.items()
    }
    assert read_log(resumed) == read_log(whole)
