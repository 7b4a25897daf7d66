"""A run that was killed and taken up again is the run that was not, bit for bit."""

from __future__ import annotations

import json
import signal
from pathlib import Path
from typing import Any

import pytest
from safetensors.torch import load_file

from daa.training.run import read_log
from tests.training.killed import serve

ROOT = Path(__file__).parents[2]
# Two epochs of 4 steps; checkpoints after steps 3, 4, 6 and 8, and the best weights before the one after 4. Each child
# goes on where the one before was killed, and counts steps, writes and lines of the log from its own start.
SCENARIOS: dict[str, list[list[Any]]] = {
    "uninterrupted": [],
    "in the middle of steps": [["step", 1], ["step", 4], ["step", 3], ["step", 4]],
    "while checkpoints are written": [
        ["write", 1, "half"],
        ["write", 2, "half"],  # the best weights
        ["write", 2, "half"],  # the best weights are there, the checkpoint that knows of them is not
        ["write", 2, "after"],
        ["write", 1, "before"],
        ["write", 1, "after"],
    ],
    "in a line of the log, and when all was done": [["log", 4], ["end"]],
    "some time": [["time", 0.3]],
    # one epoch each; the second stage starts with a checkpoint, the fourth write, from the best weights, the second
    "between two stages": [
        ["write", 3, "after"],
        ["write", 1, "half"],
        ["write", 1, "after"],
        ["step", 1],
        ["step", 4],
    ],
}
STAGES = ["train.epochs=1", "finetune.epochs=1", "finetune.start=best", "train.chunks=2", "optim.name=adamp"]
STAGES += ["optim.schedule=plateau", "finetune.optim={name: adam, options: {amsgrad: true}}"]


@pytest.fixture(scope="module")
def ended(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, list[int]]]:
    folder = tmp_path_factory.mktemp("killed")
    scenarios: dict[str, Any] = {
        name: {"places": places, "overrides": STAGES if name == "between two stages" else []}
        for name, places in SCENARIOS.items()
    }
    scenarios["uninterrupted, two stages"] = {"places": [], "overrides": STAGES}
    scenarios["all pairs"] = {
        "places": [],
        "overrides": ["train.sampling=caption", "loss.kind=infonce", "loss.options={}"],
    }
    return folder, serve(folder, scenarios)


def test_children_were_killed_where_they_should(ended: tuple[Path, dict[str, list[int]]]) -> None:
    for name, signals in ended[1].items():
        if name != "some time":
            assert signals == [signal.SIGKILL] * (len(signals) - 1) + [0], name


@pytest.mark.parametrize("name", [name for name in SCENARIOS if name != "uninterrupted"])
def test_resumed_run_is_the_same(name: str, ended: tuple[Path, dict[str, list[int]]]) -> None:
    whole = ended[0] / ("uninterrupted, two stages" if name == "between two stages" else "uninterrupted")
    resumed = ended[0] / name
    for which in ("last", "best"):
        expected, found = (load_file(path / f"{which}.safetensors") for path in (whole, resumed))
        assert expected.keys() == found.keys()
        for key in expected:
            assert expected[key].numpy().tobytes() == found[key].numpy().tobytes(), (which, key)
    assert read_log(resumed) == read_log(whole)
    record = json.loads((resumed / "run.json").read_text())
    assert record["status"] == "finished"
    assert record["best"] == json.loads((whole / "run.json").read_text())["best"]
    left = sorted(path.name for path in resumed.iterdir())
    assert left == ["best.safetensors", "last.safetensors", "log.jsonl", "run.json"]


def test_the_comparison_can_fail(ended: tuple[Path, dict[str, list[int]]]) -> None:
    """Another run has other weights, so equality above says something."""
    whole, other = (load_file(ended[0] / name / "last.safetensors") for name in ("uninterrupted", "all pairs"))
    assert not whole["model.image_encoder.body.0.weight"].equal(other["model.image_encoder.body.0.weight"])
