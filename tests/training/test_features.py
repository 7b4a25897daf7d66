"""Features that are kept are those that the head of the frozen network sees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

import daa.cli
from daa.datasets import load_dataset
from daa.encoders.vocabulary import Vocabulary
from daa.training.config import load_config
from daa.training.data import load_split, new_model
from daa.training.features import cache_features
from daa.training.loop import load_run, train

SMALL = [
    "data.options={n_images: 12}",
    "data.image_size=64",
    "encoders.image=resnet18",
    "encoders.image_options={frozen: true}",
    "encoders.embedding_dim=8",
    "encoders.text=bag",
    "loss.kind=infonce",
    "loss.options={}",
    "loss.daa_weight=1",
    "train.epochs=1",
    "train.batch_size=6",
    "train.device=cpu",
    "optim.lr=1e-2",
]


def test_kept_features_are_those_of_the_run(tmp_path: Path) -> None:
    config = load_config(overrides=SMALL)
    kept = cache_features(config, tmp_path / "features", dtype="float32")
    assert (kept.data.name, kept.encoders.image, kept.encoders.image_options) == (
        "precomputed",
        "features",
        {"features": 512},
    )
    train(config, tmp_path / "run", quiet=True)
    encoder = load_run(tmp_path / "run", "last")[0].image_encoder  # frozen, so as the run began
    stored, dataset = load_dataset("precomputed", "val", tmp_path / "features"), load_split(config.data, "val")
    for i in (0, 11):
        with torch.no_grad():
            expected = encoder.body_features(dataset.image(i)[None])[0]
        torch.testing.assert_close(stored.image(i), expected, rtol=1e-4, atol=1e-4)
    assert stored.corpus.captions == dataset.corpus.captions


def test_weights_are_asked_for_where_the_data_sets_are(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DAA_MIRROR", "http://127.0.0.1:9")  # nobody listens there
    monkeypatch.setenv("TORCH_HOME", str(tmp_path / "torch"))
    config = load_config(overrides=[*SMALL, "encoders.image_options={weights: IMAGENET1K_V1}"])
    for start in (lambda: cache_features(config, tmp_path / "features"), lambda: new_model(config, Vocabulary(["a"]))):
        with pytest.raises(FileNotFoundError, match=r"none to be had \(http://127\.0\.0\.1:9/download\.pytorch\.org/"):
            start()


def test_an_interrupted_cache_goes_on_and_a_foreign_one_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = load_config(overrides=SMALL)
    whole = cache_features(config, tmp_path / "whole", batch_size=4)
    seen: list[tuple[str, int]] = []

    def stop(split: str, n_images: int, of: int) -> None:
        seen.append((split, n_images))
        if split == "val" and sum(n for name, n in seen if name == "val") == 8:
            raise KeyboardInterrupt

    monkeypatch.setattr("daa.datasets.feature_cache.SAVE_EVERY", 1)
    with pytest.raises(KeyboardInterrupt):
        cache_features(config, tmp_path / "cut", batch_size=4, progress=stop)
    assert not (tmp_path / "cut" / "val_ims.npy").exists()
    seen.clear()
    cache_features(config, tmp_path / "cut", batch_size=4, progress=lambda *args: seen.append(args[:2]))
    assert ("val", 8) in seen or ("val", 4) in seen[:1]
    assert not any(split == "train" and n for split, n in seen)
    for split in ("train", "val", "test"):
        one, other = (np.load(tmp_path / folder / f"{split}_ims.npy") for folder in ("whole", "cut"))
        np.testing.assert_array_equal(one, other)
    other_seed = config.with_(train={"seed": 1})
    with pytest.raises(ValueError, match="another encoder"):
        cache_features(other_seed, whole.data.root or "")


def test_what_cannot_be_kept_is_said() -> None:
    with pytest.raises(ValueError, match="expected one of torchvision's networks"):
        cache_features(load_config(overrides=[*SMALL, "encoders.image=conv-small", "encoders.image_options={}"]), "x")
    with pytest.raises(ValueError, match=r"finetune\.epochs: expected 0"):
        cache_features(load_config(overrides=[*SMALL, "finetune.epochs=1"]), "x")


def test_the_command_writes_a_configuration_that_trains(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    config = Path(__file__).parents[2] / "configs" / "coco-subset.yaml"
    data = ["data.name=scenes", "data.root=null", "encoders.image_options={}", "encoders.text_options={}", *SMALL]
    monkeypatch.setattr("sys.argv", ["daa", "data", "features", str(config), *data, "--to", str(tmp_path), "--quiet"])
    with pytest.raises(SystemExit) as end:
        daa.cli.main()
    assert not end.value.code
    record = train(load_config(tmp_path / "train.yaml"), tmp_path / "run", quiet=True)
    assert record["status"] == "finished"


def test_a_pooled_cache_keeps_one_place_the_mean_of_all(tmp_path: Path) -> None:
    maps, pooled = (
        cache_features(load_config(overrides=[*SMALL, *more]), tmp_path / name, dtype="float32")
        for name, more in (("maps", []), ("pooled", ["encoders.image_options.pool=true"]))
    )
    assert maps.encoders == pooled.encoders
    one, all_ = (load_dataset("precomputed", "val", config.data.root).image(3) for config in (pooled, maps))
    assert one.shape == (1, 512)
    torch.testing.assert_close(one[0], all_.mean(dim=0), rtol=1e-4, atol=1e-5)
