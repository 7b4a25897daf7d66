from __future__ import annotations

import json
from pathlib import Path

import pytest

from daa.training.run import read_record
from tests.command import call

TINY = """
data: {image_size: 32, train_images: 24, options: {n_images: 30}}
encoders: {embedding_dim: 16, image_options: {width: 8}, text: bag}
loss: {kind: infonce, daa_weight: 1, daa_temperature: 0.05}
train: {epochs: 2, batch_size: 8, device: cpu}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    file = tmp_path / "tiny.yaml"
    file.write_text(TINY)
    return file


def test_train_then_evaluate(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    code, out, err = call(monkeypatch, capsys, "train", config, "optim.lr=0.002", "--out", run)
    assert (code, err.count("\n")) == (0, 2), err
    assert "rsum" in out
    assert read_record(run)["config"]["optim"]["lr"] == 0.002
    code, out, _ = call(monkeypatch, capsys, "evaluate", run, "--split", "val", "--which", "last")
    assert code == 0
    assert "R@1" in out
    report = json.loads((run / "evaluation-val.json").read_text())
    assert report["corpus"]["images"] == 30
    metrics = {(one["metric"], one["truth"], one["direction"]): one["value"] for one in report["measurements"]}
    assert metrics["mAP@R", "exhaustive", "i2t"] >= 0
    assert metrics["ASP", "tfidf", "t2i"] > 0.4


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["train", "CONFIG", "loss.daa_wieght=2"], "unknown key loss.daa_wieght; did you mean loss.daa_weight?"),
        (["train", "CONFIG", "encoders.text=gruu"], "did you mean gru?"),
        (["train", "CONFIG", "data.name=scenez"], "did you mean"),
        (["train", "CONFIG", "loss.options.margin=0.1"], "loss.options: infonce takes"),
        (["train", "nowhere.yaml"], "there is no nowhere.yaml"),
        (["evaluate", "nowhere"], "expected a folder that daa train has written"),
    ],
)
def test_bad_input_is_one_line_and_writes_nothing(
    arguments: list[str],
    message: str,
    config: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = call(monkeypatch, capsys, *[str(config) if one == "CONFIG" else one for one in arguments])
    assert code == 2
    assert message in err
    assert err.startswith("error: ")
    assert err.count("\n") == 1
    assert out == ""
    assert list(tmp_path.iterdir()) == [config]


def test_another_configuration_in_the_same_folder(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = tmp_path / "run"
    assert call(monkeypatch, capsys, "train", config, "--out", run, "--quiet")[0] == 0
    before = (run / "run.json").read_bytes()
    code, _, err = call(monkeypatch, capsys, "train", config, "optim.lr=0.5", "--out", run)
    assert code == 2
    assert "optim.lr (there 0.001, now 0.5)" in err
    assert (run / "run.json").read_bytes() == before
    assert call(monkeypatch, capsys, "train", config, "optim.lr=0.5", "--out", run, "--restart", "--quiet")[0] == 0
