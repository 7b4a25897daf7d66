"""The folder of a run: its configuration, log and checkpoints, where it stands, and what became of it.

A checkpoint is one file: tensors, and all else as JSON in its header; the old one or the new one, never a part.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor, nn

from daa.files import atomic_write, provenance, write_json
from daa.training.config import Config
from daa.training.stages import EarlyStopping

HARMLESS = ("train.checkpoint_every", "train.workers", "train.tensorboard", "data.keep_images", "data.root")
"""Keys that may differ between a run and its resumption, since no weight depends on them."""
HEADER = "daa"


@dataclass
class RunState:
    """Where a run stands, as its checkpoints keep it.

    Args:
        step: steps done.
        stage: number of the stage.
        seconds: spent so far, over all calls.
        log_bytes: size of the log when the checkpoint was written.
        best: the validation with the highest rsum.
        validation: the last one.
        early_stopping: what this stage's validations decide.
        collapse: logged steps in a row that showed each sign of a collapse.
        stopped: {"stage", "epoch"} of each stage that ended early.
    """

    step: int = 0
    stage: int = 0
    seconds: float = 0.0
    log_bytes: int = 0
    best: dict[str, Any] | None = None
    validation: dict[str, Any] | None = None
    early_stopping: EarlyStopping = field(default_factory=EarlyStopping)
    collapse: dict[str, int] = field(default_factory=dict)
    stopped: list[dict[str, int]] = field(default_factory=list)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, kept: Mapping[str, Any]) -> RunState:
        """From what a checkpoint has kept; `early_stopping` was called `verdicts` once.

        Raises:
            ValueError: it has something that this version does not know.
        """
        values = dict(kept)
        values["early_stopping"] = EarlyStopping(**values.pop("verdicts", values.get("early_stopping", {})))
        if unknown := values.keys() - {one.name for one in fields(cls)}:
            raise ValueError(
                f"checkpoint: its state has {', '.join(sorted(unknown))}, which this version does not know"
            )
        return cls(**values)


class RunFolder:
    """A folder that holds one run and no other.

    `config` in `run.json` says what the run is, `log.jsonl` has one line a logged step or validation,
    `last.safetensors` is where it goes on, `best.safetensors` the weights with the highest rsum in a validation, and
    `tensorboard/` the log once more, if that was asked for.

    Args:
        path: the folder. Nothing is written before `begin`.
        config: of the run; must be that of the run already in the folder, if there is one.
        restart: discard what is there.

    Raises:
        ValueError: the folder holds a run of another configuration, or files that are no run.
    """

    def __init__(self, path: str | Path, config: Config, restart: bool = False) -> None:
        self.path = Path(path)
        self.config = config
        self.restart = restart
        if self.path.exists() and not self.path.is_dir():
            raise ValueError(f"out: expected a folder, but {self.path} is a file")
        if restart:
            return
        if self.record.exists():
            self._check_same(read_record(self.path)["config"])
        elif any(file.exists() for file in (self.log, self.last, self.best)):
            raise ValueError(f"out: {self.path} has checkpoints but no run.json; take another folder or --restart")

    @property
    def finished(self) -> bool:
        """Whether the run in the folder is complete."""
        return not self.restart and self.record.exists() and read_record(self.path)["status"] == "finished"

    def begin(self) -> None:
        """Make the folder, or clear it for a restart, and note what the run is."""
        self.path.mkdir(parents=True, exist_ok=True)
        if self.restart:
            for file in (self.record, self.log, self.last, self.best):
                file.unlink(missing_ok=True)
            for events in self.board.glob("events.out.tfevents.*"):
                events.unlink()
        for aside in self.path.glob(".*.safetensors"):
            aside.unlink()  # what a killed run was writing
        if not self.record.exists():
            self.write("running")

    record = property(lambda self: self.path / "run.json")
    log = property(lambda self: self.path / "log.jsonl")
    last = property(lambda self: self.path / "last.safetensors")
    best = property(lambda self: self.path / "best.safetensors")
    board = property(lambda self: self.path / "tensorboard")

    def _check_same(self, before: dict[str, Any]) -> None:
        now, then = _flat(self.config.to_dict()), _flat(Config().to_dict()) | _flat(before)
        different = [
            f"{key} (there {then.get(key)!r}, now {now.get(key)!r})"
            for key in sorted(now.keys() | then.keys())
            if key not in HARMLESS and now.get(key) != then.get(key)
        ]
        if different:
            raise ValueError(
                f"out: {self.path} holds a run of another configuration: {', '.join(different)}; "
                "take another folder, or --restart to discard that run"
            )

    def write(self, status: str, **results: Any) -> dict[str, Any]:
        """Write `run.json` and return its content."""
        record = {
            "status": status,
            **results,
            "config": self.config.to_dict(),
            "provenance": provenance(seed=self.config.train.seed),
        }
        write_json(self.record, record)
        return record

    def truncate_log(self, size: int) -> None:
        """Cut the log at what the last checkpoint knew of, so that no step is in it twice."""
        if self.log.exists() and self.log.stat().st_size > size:
            os.truncate(self.log, size)


def read_record(path: str | Path) -> dict[str, Any]:
    """The content of a run's `run.json`.

    Raises:
        FileNotFoundError: the folder holds no run.
        ValueError: the file is not JSON.
    """
    file = Path(path) / "run.json"
    if not file.is_file():
        raise FileNotFoundError(f"run: expected a folder that daa train has written, but there is no {file}")
    try:
        record = json.loads(file.read_text(encoding="utf-8"))
        return record if isinstance(record["config"], dict) else {}
    except (json.JSONDecodeError, UnicodeDecodeError, KeyError, TypeError) as error:
        raise ValueError(
            f"{file}: expected the JSON that daa train writes, got {type(error).__name__}: {error}"
        ) from None


def read_log(path: str | Path, kind: str | None = None) -> list[dict[str, Any]]:
    """The lines of a run's log, all of them or those of one kind ("step", "validation", "stage", "warning")."""
    return [line for line in _lines(Path(path) / "log.jsonl") if kind in (None, line["kind"])]


def _lines(file: Path) -> Iterator[dict[str, Any]]:
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            if line.endswith("\n"):  # a run that is still going on may be in the middle of its last line
                yield json.loads(line)


def _flat(tree: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in tree.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat


def save_checkpoint(path: str | Path, tensors: Mapping[str, Tensor], state: Mapping[str, Any]) -> None:
    """Write tensors and JSON state to one safetensors file, aside, then put it in place by one rename."""
    held = {name: tensor.detach().cpu().contiguous() for name, tensor in tensors.items()}
    with atomic_write(path) as aside:
        save_file(held, aside, metadata={HEADER: json.dumps(state)})


def load_checkpoint(path: str | Path) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """Tensors and state of a checkpoint.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not a checkpoint of this package.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f"checkpoint: expected a file, but there is no {path}")
    try:
        with safe_open(path, framework="pt") as file:
            header = (file.metadata() or {}).get(HEADER)
            tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (not a mapping)
    except SafetensorError as error:
        raise ValueError(f"{path}: expected a safetensors file, got {error}") from None
    if header is None:
        raise ValueError(f"{path}: expected a checkpoint written by daa train, got another safetensors file")
    return tensors, json.loads(header)


def part(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The tensors whose names start with `prefix.`, without it."""
    return {name.removeprefix(f"{prefix}."): t for name, t in tensors.items() if name.startswith(f"{prefix}.")}


def with_prefix(tensors: Mapping[str, Tensor], prefix: str) -> dict[str, Tensor]:
    """The same tensors, named `prefix.name`."""
    return {f"{prefix}.{name}": tensor for name, tensor in tensors.items()}


def optimizer_tensors(optimizer: torch.optim.Optimizer) -> dict[str, Tensor]:
    """What an optimizer remembers, by `number of the parameter.name`; all else follows from the configuration."""
    return {
        f"{number}.{name}": torch.as_tensor(value)
        for number, remembered in optimizer.state_dict()["state"].items()
        for name, value in remembered.items()
        if value is not None
    }


def restore_optimizer(optimizer: torch.optim.Optimizer, tensors: Mapping[str, Tensor]) -> None:
    """Give an optimizer its memory back, each tensor in the memory layout of its parameter.

    The layout matters: the same numbers in another order of storage can round differently in a fused kernel.
    """
    parameters = [p for group in optimizer.param_groups for p in group["params"]]
    remembered: dict[int, dict[str, Any]] = {}
    for key, tensor in tensors.items():
        number, name = key.split(".", 1)
        like = parameters[int(number)]
        value: Any = tensor
        if tensor.dim() == 0 and not tensor.is_floating_point():
            value = tensor.item()  # AdamP counts in an int; powers of a tensor would be rounded to float32
        elif name != "step" and tensor.shape == like.shape:
            value = torch.empty_like(like, dtype=tensor.dtype, requires_grad=False).copy_(tensor)
        remembered.setdefault(int(number), {})[name] = value
    state = optimizer.state_dict()
    optimizer.load_state_dict({"state": remembered, "param_groups": state["param_groups"]})


def module_tensors(model: nn.Module, objective: nn.Module) -> dict[str, Tensor]:
    """Weights and buffers of the encoders and of the loss."""
    return with_prefix(model.state_dict(), "model") | with_prefix(objective.state_dict(), "objective")
