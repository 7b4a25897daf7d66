"""The folder of a run: its configuration, log, checkpoints and what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from daa.files import provenance, write_json
from daa.training.config import Config

HARMLESS = ("train.checkpoint_every", "train.workers", "train.tensorboard", "data.keep_images", "data.root")
"""Keys that may differ between a run and its resumption, since no weight depends on them."""


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
