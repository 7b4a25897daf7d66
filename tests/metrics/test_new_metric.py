"""What CONTRIBUTING says of a new metric, followed to the letter in a copy of the package."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from daa.metrics.metric import Metric, metric_of, standard, standard_metrics

ROOT = Path(__file__).resolve().parents[2]


def test_one_file_more_and_the_metric_is_in_the_table(tmp_path):
    section = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").split("### A new metric, for example")[1]
    example = re.search(r"```python\n(.*?)```", section, re.DOTALL)[1]
    shutil.copytree(ROOT / "daa", tmp_path / "daa", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "daa" / "metrics" / "mine.py").write_text(example, encoding="utf-8")
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    generator = np.random.default_rng(0)
    scores = np.round(generator.normal(size=(4, 8)), 0).astype(np.float32)  # with ties
    np.save(tmp_path / "scores.npy", scores)
    words = ("dog", "cat", "bird", "tree", "car", "boat", "hill", "road")
    captions = [f"a {word} and a {words[i // 2]}" for i, word in enumerate(words)]
    (tmp_path / "captions.txt").write_text("\n".join(captions) + "\n", encoding="utf-8")
    asked = ["--scores", "scores.npy", "--caption-file", "captions.txt", "--captions-per-image", "2"]
    ran = subprocess.run(
        [sys.executable, "-m", "daa", "score", *asked, "--folds", "2", "--intervals", "--out", "out.json"],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path), "PATH": "", "HOME": str(tmp_path), "COLUMNS": "200"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode == 0, ran.stderr
    assert len([line for line in ran.stdout.splitlines() if "relevance@1" in line]) == 2  # of all, and over folds

    from daa.corpus import CaptionCorpus
    from daa.relevance import TfidfRelevance

    corpus = CaptionCorpus(captions=captions, image_of_caption=np.repeat(np.arange(4), 2))
    relevance = np.asarray(TfidfRelevance().fit(corpus).matrix())
    for direction, s, r in (("i2t", scores, relevance), ("t2i", scores.T, relevance.T)):
        expected = np.mean([row_r[row_s == row_s.max()].mean() for row_s, row_r in zip(s, r, strict=True)])
        (found,) = (
            one
            for one in json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))["measurements"]
            if (one["metric"], one["direction"], one["gallery"]) == ("relevance@1", direction, "all")
        )
        assert found["value"] == pytest.approx(expected)
        assert found["low"] <= found["value"] <= found["high"]


def test_names_of_metrics_are_taken_once():
    before = standard_metrics()
    for taken in ("R@5", "rsum"):
        with pytest.raises(ValueError, match=f"names: expected names that no other metric has, got '{taken}' again"):
            standard(Metric((taken,), lambda queries, by, ties: None, "positives"))
    assert standard_metrics() == before


def test_what_a_metric_says_is_one_of_what_is_known():
    with pytest.raises(ValueError, match="judged_by: expected one of positives, labels, relevance, got 'truth'"):
        Metric(("mine",), lambda queries, by, ties: None, "truth")


def test_a_number_of_another_version_is_read_as_a_mean_of_fractions():
    unknown = metric_of("hits of tomorrow")
    assert unknown.unit.text(0.25) == "25.0"
    assert unknown.summary(np.array([1.0, np.nan, 0.0])) == 0.5
    assert unknown.chance is None
