from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

import daa.training.loop as loop
from daa.datasets import load_dataset
from daa.datasets.base import ImageInputs
from daa.encoders.embed import embed_dataset
from daa.relevance import TfidfRelevance
from daa.training.config import Config, load_config
from daa.training.data import TrainingData
from daa.training.loop import load_run, train
from daa.training.run import load_checkpoint, read_log, save_checkpoint
from tests.training.tiny import tiny_config, tiny_data


def weights(folder: Path, which: str = "last") -> dict[str, bytes]:
    return {name: t.numpy().tobytes() for name, t in load_file(folder / f"{which}.safetensors").items()}


def test_a_seed_decides_everything_and_the_world_outside_nothing(tmp_path: Path) -> None:
    data = tiny_data()
    train(tiny_config(), tmp_path / "a", data=data, quiet=True)
    torch.manual_seed(17)
    np.random.seed(17)  # noqa: NPY002
    random.seed(17)
    states = torch.get_rng_state(), np.random.get_state()[1].tolist()  # noqa: NPY002
    train(tiny_config(), tmp_path / "b", data=data, quiet=True)
    assert torch.get_rng_state().equal(states[0]), "training leaves the global generators as they were"
    assert np.random.get_state()[1].tolist() == states[1]  # noqa: NPY002
    assert not torch.are_deterministic_algorithms_enabled()
    train(tiny_config("train.seed=1"), tmp_path / "c", data=data, quiet=True)
    assert weights(tmp_path / "a") == weights(tmp_path / "b") != weights(tmp_path / "c")
    assert read_log(tmp_path / "a") == read_log(tmp_path / "b")


def test_whoever_asks_is_told_of_every_step_and_nothing_else_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    told: list[tuple[int, int]] = []
    train(tiny_config(), tmp_path / "a", data=tiny_data(), progress=lambda *seen: told.append(seen))
    assert told == [(step, 8) for step in range(1, 9)]
    assert capsys.readouterr().err == ""


def test_an_interrupted_run_goes_on_with_all_threads(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The kill tests compute on one thread; this one on as many as there are. Also: another checkpoint rhythm."""
    data = tiny_data()
    train(tiny_config(), tmp_path / "whole", data=data, quiet=True)
    original = loop._Run._step

    def interrupt(self: loop._Run, batch: object, *arguments: object, **options: object) -> None:
        if batch.step == 5:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        original(self, batch, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_config("train.checkpoint_every=2"), tmp_path / "parts", data=data, quiet=True)
    assert json.loads((tmp_path / "parts" / "run.json").read_text())["status"] == "running"
    train(tiny_config(), tmp_path / "parts", data=data, quiet=True)
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "parts")


def interrupted(folder: Path, monkeypatch: pytest.MonkeyPatch, step: int = 6) -> dict[str, Any]:
    """A run killed in a step after its first epoch; the header of its checkpoint."""
    original = loop._Run._step

    def interrupt(self: loop._Run, batch: object, *arguments: object, **options: object) -> None:
        if batch.step == step:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        original(self, batch, *arguments, **options)  # type: ignore[arg-type]

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(tiny_config(), folder, data=tiny_data(), quiet=True)
    return load_checkpoint(folder / "last.safetensors")[1]


def test_a_checkpoint_of_the_versions_that_said_verdicts_is_resumed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    train(tiny_config(), tmp_path / "whole", data=tiny_data(), quiet=True)
    header = interrupted(tmp_path / "old", monkeypatch)
    header["state"]["verdicts"] = header["state"].pop("early_stopping")
    assert header["state"].keys() == {
        *("step", "log_bytes", "seconds", "best", "validation", "stage", "verdicts", "collapse", "stopped")
    }
    last = tmp_path / "old" / "last.safetensors"
    save_checkpoint(last, load_checkpoint(last)[0], header)
    train(tiny_config(), tmp_path / "old", data=tiny_data(), quiet=True)
    assert weights(tmp_path / "old") == weights(tmp_path / "whole")
    assert read_log(tmp_path / "old") == read_log(tmp_path / "whole")


def test_a_checkpoint_with_what_this_version_does_not_know_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    header = interrupted(tmp_path / "new", monkeypatch)
    header["state"]["momentum_of_time"] = 1
    last = tmp_path / "new" / "last.safetensors"
    save_checkpoint(last, load_checkpoint(last)[0], header)
    with pytest.raises(ValueError, match="checkpoint: its state has momentum_of_time, which this version does not"):
        train(tiny_config(), tmp_path / "new", data=tiny_data(), quiet=True)


def test_a_finished_run_is_returned_as_it_is(tmp_path: Path) -> None:
    first = train(tiny_config(), tmp_path / "a", data=tiny_data(), quiet=True)
    before = (tmp_path / "a" / "last.safetensors").stat().st_mtime_ns
    assert train(tiny_config(), tmp_path / "a", quiet=True) == first
    assert (tmp_path / "a" / "last.safetensors").stat().st_mtime_ns == before


def test_another_configuration_needs_another_folder(tmp_path: Path) -> None:
    data = tiny_data()
    train(tiny_config(), tmp_path / "a", data=data, quiet=True)
    with pytest.raises(ValueError, match=r"another configuration: loss.daa_weight \(there 1.0, now 2.0\).*--restart"):
        train(tiny_config("loss.daa_weight=2"), tmp_path / "a", data=data, quiet=True)
    record = train(tiny_config("loss.daa_weight=2"), tmp_path / "a", data=data, quiet=True, restart=True)
    assert record["config"]["loss"]["daa_weight"] == 2
    assert [line["step"] for line in read_log(tmp_path / "a", "step")] == list(range(8))


def test_nothing_is_written_when_the_configuration_does_not_work(tmp_path: Path) -> None:
    data = tiny_data()
    for override in ("loss.options.margn=1.0", "encoders.text=grue", "encoders.image_options.depth=3"):
        with pytest.raises(ValueError, match=r"did you mean|takes"):
            train(tiny_config(override), tmp_path / "a", data=data, quiet=True)
    with pytest.raises(ValueError, match="relevance: expected one of"):
        train(tiny_config("loss.relevance=ciderr"), tmp_path / "a", quiet=True)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_is_none(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ValueError, match="out: expected a folder"):
        train(tiny_config(), tmp_path / "file", data=tiny_data(), quiet=True)


def test_a_loss_that_is_no_number_stops_the_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = loop.Objective.forward

    def broken(self: loop.Objective, *arguments: object) -> dict[str, torch.Tensor]:
        parts = original(self, *arguments)  # type: ignore[arg-type]
        return parts | {"loss": parts["loss"] * float("nan")}

    monkeypatch.setattr(loop.Objective, "forward", broken)
    with pytest.raises(ValueError, match=r"the loss is nan at step 0; try a lower optim\.lr"):
        train(tiny_config(), tmp_path / "a", data=tiny_data(), quiet=True)
    assert not (tmp_path / "a" / "last.safetensors").exists()


@pytest.mark.parametrize("place", ["loss", "norm of the gradient"])
def test_what_is_no_number_never_takes_the_place_of_a_checkpoint(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing is logged between the step that goes wrong and the next checkpoint."""
    original = loop.GradCache.__call__

    def broken(self: loop.GradCache, batch: loop.Batch) -> object:
        parts, *rest = original(self, batch)
        if batch.step == 1 and place == "loss":
            parts["loss"] = parts["loss"] * float("nan")
        elif batch.step == 1:
            next(p for p in self.model.parameters() if p.grad is not None).grad.fill_(torch.nan)
        return parts, *rest

    monkeypatch.setattr(loop.GradCache, "__call__", broken)
    config = tiny_config("train.log_every=1000", "train.checkpoint_every=1")
    with pytest.raises(ValueError, match=f"the {place} is nan at step 1"):
        train(config, tmp_path / "a", data=tiny_data(), quiet=True)
    tensors, header = load_checkpoint(tmp_path / "a" / "last.safetensors")
    assert header["state"]["step"] == 1
    assert all(t.isfinite().all() for t in tensors.values())


def test_what_a_run_leaves(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    data = tiny_data()
    record = train(tiny_config(), tmp_path / "a", data=data)
    assert capsys.readouterr().err.count("a: step") == 2, "one line a validation where there is no terminal"
    assert record["status"] == "finished"
    assert record["provenance"]["seed"] == 0
    assert record["seconds"] > 0
    steps, validations = read_log(tmp_path / "a", "step"), read_log(tmp_path / "a", "validation")
    assert [line["step"] for line in steps] == list(range(8))
    assert {"loss", "contrastive", "daa", "kl", "lr", "gradient_norm"} <= steps[0].keys()
    assert [line["epoch"] for line in validations] == [1, 2]
    assert record["validation"]["rsum"] == validations[-1]["rsum"]
    assert record["best"]["rsum"] == max(line["rsum"] for line in validations)


def test_a_run_can_be_loaded_from_its_checkpoint_alone(tmp_path: Path) -> None:
    data = tiny_data()
    train(tiny_config(), tmp_path / "a", data=data, quiet=True)
    model, config = load_run(tmp_path / "a", "last")
    assert isinstance(config, Config)
    assert config == tiny_config()
    words = set(model.text_encoder.vocabulary.words)
    assert words == {
        word
        for caption in data.train.dataset.corpus.captions
        for word in caption.replace(",", "").replace(":", "").split()
    }
    images, captions = embed_dataset(model, data.val)
    again, _ = embed_dataset(load_run(tmp_path / "a", "last")[0], data.val)
    assert images.mean.equal(again.mean)
    assert len(captions) == 48
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match=r"expected a folder that daa train has written"):
        load_run(tmp_path / "empty")


def test_vocabulary_knows_no_word_of_validation(tmp_path: Path) -> None:
    data = tiny_data()
    corpus = data.val.dataset.corpus
    object.__setattr__(corpus, "captions", tuple(f"{caption} zeppelin" for caption in corpus.captions))
    train(tiny_config("train.epochs=1"), tmp_path / "a", data=data, quiet=True)
    assert "zeppelin" not in load_checkpoint(tmp_path / "a" / "last.safetensors")[1]["vocabulary"]


def test_checkpoints_that_are_none(tmp_path: Path) -> None:
    save_file({"a": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="another safetensors file"):
        load_checkpoint(tmp_path / "other.safetensors")
    (tmp_path / "text.safetensors").write_text("no")
    with pytest.raises(ValueError, match="expected a safetensors file"):
        load_checkpoint(tmp_path / "text.safetensors")


def test_bfloat16_trains(tmp_path: Path) -> None:
    record = train(tiny_config("train.precision=bf16"), tmp_path / "a", data=tiny_data(), quiet=True)
    assert record["validation"]["rsum"] > 0
    assert all(t.dtype == torch.float32 for t in load_file(tmp_path / "a" / "best.safetensors").values())
    train(tiny_config(), tmp_path / "b", data=tiny_data(), quiet=True)


@pytest.mark.parametrize("daa_weight", [0.0, 2.0])
def test_loss_falls_on_scenes(tmp_path: Path, daa_weight: float) -> None:
    options = ["data.options.n_images=64", "data.image_size=32", "train.batch_size=16"]
    options += ["train.epochs=6", "train.log_every=1", "encoders.image_options.width=8", "train.device=cpu"]
    config = load_config(overrides=[*options, f"loss.daa_weight={daa_weight}"])
    train(config, tmp_path / "a", quiet=True)
    losses = [line["loss"] for line in read_log(tmp_path / "a", "step")]
    assert np.mean(losses[-4:]) < np.mean(losses[:4])


@pytest.mark.skipif("DAA_DATA" not in os.environ, reason="DAA_DATA is not set: no real COCO images")
@pytest.mark.parametrize("image", ["conv-small", "resnet18"])
def test_five_steps_on_real_coco_images_lower_the_loss(tmp_path: Path, image: str) -> None:
    """The loss of one and the same batch, before and after."""
    splits = {"train": "train2017", "val": "val2017"}
    dataset, val = (load_dataset("coco", split=split, image_size=64) for split in splits.values())
    data = TrainingData(
        ImageInputs(dataset),
        ImageInputs(val),
        TfidfRelevance().fit(dataset.corpus),
        TfidfRelevance().fit(val.corpus).matrix(),
    )
    config = load_config(
        overrides=[
            f"encoders.image={image}",
            "data.name=coco",
            "train.epochs=5",
            "train.batch_size=50",
            "optim.warmup=0",
            "optim.schedule=constant",
            "train.log_every=1",
            "train.captions_per_image=5",
            "train.device=cpu",
            "loss.kind=infonce",
            "loss.daa_weight=1",
        ]
    )
    train(config, tmp_path / "a", data=data, quiet=True)
    losses = [line["loss"] for line in read_log(tmp_path / "a", "step")]
    assert len(losses) == 5
    assert losses[-1] < losses[0]


def test_tensorboard_shows_each_step_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    original = loop._Run._step

    def interrupt(self: loop._Run, batch: object, *arguments: object, **options: object) -> None:
        if batch.step == 5:  # type: ignore[attr-defined]
            raise KeyboardInterrupt
        original(self, batch, *arguments, **options)  # type: ignore[arg-type]

    config, data = tiny_config("train.tensorboard=true"), tiny_data()
    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(config, tmp_path / "a", data=data, quiet=True)
    train(config, tmp_path / "a", data=data, quiet=True)
    events = EventAccumulator(str(tmp_path / "a" / "tensorboard")).Reload()
    losses = [line["loss"] for line in read_log(tmp_path / "a", "step")]
    assert [event.step for event in events.Scalars("step/loss")] == list(range(8))
    assert [event.value for event in events.Scalars("step/loss")] == pytest.approx(losses)
    assert [event.step for event in events.Scalars("validation/i2t/R@1")] == [3, 7]
