from __future__ import annotations

from pathlib import Path

import pytest

from daa.training.config import Config, check_config
from daa.training.load import load_config, save_config

CONFIGS = sorted(path for path in (Path(__file__).parents[2] / "configs").rglob("*.yaml") if path.name != "tables.yaml")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_every_shipped_configuration_is_valid(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAA_DATA", "data")
    load_config(path)


def test_there_are_shipped_configurations() -> None:
    assert {"scenes-baseline", "scenes-daa"} <= {path.stem for path in CONFIGS}


def test_overrides_win_over_the_file(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("loss: {daa_weight: 3, options: {margin: 0.1}}\ntrain: {epochs: 4}\n")
    config = load_config(file, ["loss.daa_weight=5", "encoders.image_options={width: 8}"])
    assert (config.loss.daa_weight, config.train.epochs) == (5.0, 4)
    assert config.loss.options == {"margin": 0.1}
    assert config.encoders.image_options == {"width": 8}
    assert load_config(file, ["loss.options={}"]).loss.options == {}


def test_saved_and_read_again(tmp_path: Path) -> None:
    config = load_config(overrides=["optim.lr=0.1", "loss.options={margin: 0.3}"])
    save_config(config, tmp_path / "c.yaml")
    assert load_config(tmp_path / "c.yaml") == config
    assert config != Config()


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("loss.daa_wieght=2", "unknown key loss.daa_wieght; did you mean loss.daa_weight?"),
        ("los.daa_weight=2", "unknown key los; did you mean loss?"),
        ("daa_weight=2", "unknown key daa_weight; did you mean loss.daa_weight?"),
        ("train.zzz=2", "unknown key train.zzz"),
        ("loss.kind=infonc", "loss.kind: expected one of .*; did you mean infonce?"),
        ("loss.daa_weight=two", "loss.daa_weight: .*'two'"),
        ("train.epochs=2.5", "train.epochs: .*2.5"),
        ("train.epochs=0", "train.epochs: expected at least 1, got 0"),
        ("optim.lr=0", "optim.lr: expected a number above 0, got 0.0"),
        ("optim.lr=nan", "optim.lr: expected a finite number, got nan"),
        ("optim.warmup=1", "optim.warmup: expected a number below 1, got 1.0"),
        ("data.train_images=0", "data.train_images: expected at least 1, got 0"),
        ("optim.lr", "expected key=value, got 'optim.lr'"),
        ("=2", "expected key=value, got '=2'"),
        ("loss=3", r"loss: expected keys of it, such as loss\.daa_temperature, got 3"),
        ("loss.options=[1", "not readable"),
        ("data.root=${oc.env:SURELY_NOT_SET}/x", "data.root: .*SURELY_NOT_SET"),
    ],
)
def test_one_clear_line(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message) as caught:
        load_config(overrides=[override])
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("content", ["loss: [1", "- a\n- b\n", "loss:\n\t- x", "\xff"])
def test_files_that_are_no_configuration(content: str, tmp_path: Path) -> None:
    (tmp_path / "bad.yaml").write_bytes(content.encode("latin-1"))
    with pytest.raises(ValueError, match=r"bad\.yaml") as caught:
        load_config(tmp_path / "bad.yaml")
    assert "\n" not in str(caught.value)


def test_empty_file_means_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "empty.yaml").write_text("# nothing\n")
    assert load_config(tmp_path / "empty.yaml") == Config()


def test_missing_file(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match=r"no .*nowhere\.yaml"):
        load_config(tmp_path / "nowhere.yaml")


def test_defaults_are_valid() -> None:
    check_config(Config())
