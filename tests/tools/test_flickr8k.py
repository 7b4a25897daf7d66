"""What results/flickr8k-infonce.json says: floors recomputed where the data are there, means held to the runs."""

import importlib.util
import json
import os
from pathlib import Path

import numpy as np
import pytest

from daa.datasets import load_corpus

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("DAA_DATA", ""), "flickr8k")
RESULT = json.loads((ROOT / "results" / "flickr8k-infonce.json").read_text(encoding="utf-8"))
tool = importlib.util.module_from_spec(
    spec := importlib.util.spec_from_file_location("measure_flickr8k", ROOT / "tools" / "measure_flickr8k.py")
)
spec.loader.exec_module(tool)


@pytest.mark.skipif("DAA_DATA" not in os.environ or not DATA.is_dir(), reason="DAA_DATA names no folder with flickr8k/")
def test_floors_are_those_of_the_corpus():
    again, kept = tool.random_ranking(load_corpus("flickr8k", root=DATA)), RESULT["random"]
    assert again["by_people"] == pytest.approx(kept["by_people"])
    values = [[one.pop("value") for one in numbers] for numbers in (again["measurements"], kept["measurements"])]
    assert again["measurements"] == kept["measurements"]
    assert values[0] == pytest.approx(values[1])


def test_means_are_those_of_the_runs():
    assert len({run["seed"] for run in RESULT["runs"]}) == len(RESULT["runs"]) >= 2
    by_key = {(one["metric"], one["truth"], one["direction"]): one for one in RESULT["over_seeds"]}
    for key, one in by_key.items():
        values = [
            number["value"]
            for run in RESULT["runs"]
            for number in run["measurements"]
            if (number["metric"], number["truth"], number["direction"]) == key
        ] or [run["by_people"][key[0]] for run in RESULT["runs"]]
        assert one["mean"] == pytest.approx(np.mean(values))
        assert one["low"] <= one["mean"] <= one["high"]
