"""Two stages, early ends, and schedules that hang on validations."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

import daa.training.loop as loop
from daa.encoders.image import ConvSmall
from daa.training.config import OptimConfig, load_config
from daa.training.loop import train
from daa.training.run import read_log
from daa.training.stages import EarlyStopping
from tests.training.tiny import tiny_config, tiny_data

CONVOLUTION = "model.image_encoder.body.0.weight"


def freeze(self: ConvSmall, frozen: bool) -> None:
    self.body.requires_grad_(not frozen)


def promise_validations(monkeypatch: pytest.MonkeyPatch, *rsums: float) -> None:
    """Validations find these, by epoch."""

    def validate(model: Any, inputs: Any, relevance: Any) -> dict[str, Any]:
        epoch = len(read_log(loop_folder[0], "validation"))
        sides = {"R@1": 0.0, "ASP": 0.5}
        return {"rsum": rsums[epoch], "i2t": sides, "t2i": sides}

    loop_folder: list[Path] = []
    original = loop._Run.__init__

    def remember(self: Any, config: Any, folder: Any, *rest: Any) -> None:
        loop_folder[:] = [folder.path]
        original(self, config, folder, *rest)

    monkeypatch.setattr(loop, "validate", validate)
    monkeypatch.setattr(loop._Run, "__init__", remember)


def interrupted_at(step: int, monkeypatch: pytest.MonkeyPatch, *arguments: Any, **options: Any) -> None:
    original = loop._Run._step

    def interrupt(self: Any, batch: Any, *rest: Any, **more: Any) -> None:
        if batch.step == step:
            raise KeyboardInterrupt
        original(self, batch, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(loop._Run, "_step", interrupt)
        with pytest.raises(KeyboardInterrupt):
            train(*arguments, **options)


def weights(folder: Path) -> dict[str, bytes]:
    return {name: t.numpy().tobytes() for name, t in load_file(folder / "last.safetensors").items()}


def test_the_first_stage_leaves_pretrained_parts_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ConvSmall, "set_frozen", freeze, raising=False)
    promise_validations(monkeypatch, 2.0, 1.0, 3.0)
    config = tiny_config("finetune.epochs=1", "finetune.start=best", "finetune.optim={warmup: 0.0}", "train.epochs=2")
    seen: dict[str, dict[str, torch.Tensor]] = {}
    original = loop.save_checkpoint

    def save(path: Path, tensors: Any, state: Any) -> None:
        seen[f"{path.name} {state['state']['step']} {state['state']['stage']}"] = {
            name: t.detach().clone() for name, t in tensors.items()
        }
        original(path, tensors, state)

    monkeypatch.setattr(loop, "save_checkpoint", save)
    record = train(config, tmp_path / "a", data=tiny_data(), quiet=True)
    after_one, best = seen["last.safetensors 8 0"], seen["best.safetensors 4 0"]
    start, end = seen["last.safetensors 8 1"], seen["last.safetensors 12 1"]
    assert best[CONVOLUTION].equal(after_one[CONVOLUTION]), "frozen in the first stage"
    assert not end[CONVOLUTION].equal(start[CONVOLUTION]), "free in the second"
    head = next(name for name in best if name.startswith("model.image_encoder.head") and best[name].dim() > 1)
    assert start[head].equal(best[head]), "which starts from the best weights"
    assert not start[head].equal(after_one[head])
    assert not [name for name in start if name.startswith("optimizer")], "and remembers nothing"
    rates = {line["step"]: line["lr"] for line in read_log(tmp_path / "a", "step")}
    assert rates[8] == pytest.approx(5e-4 * (1 + math.cos(math.pi / 8)) / 2), "the cosine starts from a tenth of 5e-3"
    assert record["best"]["epoch"] == 3


def test_a_run_of_two_stages_goes_on_where_it_stopped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data, options = tiny_data(), ["train.epochs=1", "finetune.epochs=1", "train.checkpoint_every=50"]
    monkeypatch.setattr(ConvSmall, "set_frozen", freeze, raising=False)
    train(tiny_config(*options), tmp_path / "whole", data=data, quiet=True)
    interrupted_at(4, monkeypatch, tiny_config(*options), tmp_path / "parts", data=data, quiet=True)
    interrupted_at(6, monkeypatch, tiny_config(*options), tmp_path / "parts", data=data, quiet=True)
    train(tiny_config(*options), tmp_path / "parts", data=data, quiet=True)
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "parts")


def test_plateaus_and_patience_end_a_stage_early_and_survive_an_interruption(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    promise_validations(monkeypatch, 1.0, 0.9, 0.8, 0.7, 1.1, 1.2)
    options = ["train.epochs=9", "train.patience=3", "finetune.epochs=2", "optim.name=adamp", "optim.warmup=0"]
    options += ["optim.schedule=plateau", "optim.factor=0.5", "optim.plateau_patience=1", "train.log_every=50"]
    data = tiny_data()
    whole = train(tiny_config(*options), tmp_path / "whole", data=data, quiet=True)
    assert whole["stopped"] == [{"stage": 0, "epoch": 4}]
    rates = [line["lr"] for line in read_log(tmp_path / "whole", "step") if (line["step"] + 1) % 4 == 0]
    assert rates == pytest.approx([5e-3, 5e-3, 5e-3, 2.5e-3, 5e-4, 5e-4])
    assert whole["best"]["rsum"] == 1.2
    interrupted_at(14, monkeypatch, tiny_config(*options), tmp_path / "parts", data=data, quiet=True)
    train(tiny_config(*options), tmp_path / "parts", data=data, quiet=True)
    assert weights(tmp_path / "whole") == weights(tmp_path / "parts")
    assert read_log(tmp_path / "whole") == read_log(tmp_path / "parts")
    assert json.loads((tmp_path / "parts" / "run.json").read_text())["stopped"] == whole["stopped"]


def test_a_plateau_is_what_torch_takes_for_one() -> None:
    rsums = [1.0, 1.2, 1.1, 1.2, 1.0, 1.3, 1.2, 1.1, 1.0, 0.9, 0.8, 0.7, 1.4]
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.ReduceLROnPlateau(optimizer, "max", factor=0.5, patience=2, threshold=0)
    ours, optim = EarlyStopping(), OptimConfig(schedule="plateau", factor=0.5, plateau_patience=2)
    for rsum in rsums:
        theirs.step(rsum)
        ours.note(rsum, optim)
        assert ours.factor == optimizer.param_groups[0]["lr"]
    assert ours.factor == 0.125


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("finetune.optim={lrr: 1}", "unknown key finetune.optim.lrr; did you mean finetune.optim.lr?"),
        ("finetune.optim={lr: fast}", "finetune.optim.lr: expected a number, got 'fast'"),
        ("finetune.optim={schedule: cosin}", "finetune.optim.schedule: expected one of .*; did you mean cosine?"),
        ("finetune.start=first", "finetune.start: expected one of last, best"),
        ("loss.warmup_epochs=1", "loss.warmup_epochs: expected loss.kind triplet"),
        ("data.augment=flip", "data.augment: expected one of none, crop-flip"),
        ("data.shift=1 data.augment=erase", "data.shift: expected 0 beside data.augment erase, got 1"),
        ("optim.factor=1", "optim.factor: expected a number below 1"),
    ],
)
def test_one_clear_line(override: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load_config(overrides=override.split() if override.startswith("data.shift") else [override])


def test_unknown_options_of_an_optimizer(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"optim.options: adam takes .*, not 'amsgrd'; did you mean amsgrad?"):
        train(tiny_config("optim.name=adam", "optim.options={amsgrd: true}"), tmp_path / "a", data=tiny_data())
    assert not (tmp_path / "a").exists()
