"""Trains in forked children, some of which it kills: `python -m tests.training.kill_server FOLDER < scenarios.json`.

One process imports everything once and never computes, since pools of threads do not survive a fork; its children
start in milliseconds. A scenario is a list of places to die, one a child, and a last child that is left alone; each has
a folder. Where a scenario asks for several processes, each child is as many, which find each other on 127.0.0.1 as
those that `accelerate launch` starts do; they die together.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import sys
import time
from pathlib import Path
from typing import Any, NoReturn

import numba
import safetensors.torch
import scipy.sparse.csgraph  # noqa: F401
import torch
import torch._dynamo  # (a step of an optimizer would import it in each child)
from torch.optim.optimizer import register_optimizer_step_pre_hook

import daa.training.loop as loop
import daa.training.run as checkpoint
from daa.encoders.image import ConvSmall, Regions
from daa.encoders.text import WordGRU
from tests.training.tiny import region_config, region_pairs, tiny_config, tiny_data


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)
    time.sleep(60)


def die_at_step(step: int) -> None:
    """In the middle of a step: gradients are there, the weights are still the old ones."""
    seen: list[int] = []

    def count(*_: Any) -> None:
        seen.append(1)
        if len(seen) == step:
            die()

    register_optimizer_step_pre_hook(count)


def die_at_write(number: int, when: str) -> None:
    """In the middle of writing a checkpoint, or right before or after its rename."""
    written: list[int] = []

    def save_file(tensors: Any, path: Any, metadata: Any = None) -> None:
        written.append(1)
        content = safetensors.torch.save(tensors, metadata)
        if len(written) == number and when == "half":
            Path(path).write_bytes(content[: len(content) // 2])
            die()
        Path(path).write_bytes(content)

    original = Path.replace

    def replace(self: Path, target: Any) -> Any:
        at = len(written) == number and str(target).endswith(".safetensors")
        if at and when == "before":
            die()
        result = original(self, target)
        if at and when == "after":
            die()
        return result

    checkpoint.save_file = save_file
    Path.replace = replace  # type: ignore[method-assign]


def die_at_log(number: int) -> None:
    """With half a line of the log written."""
    lines: list[int] = []
    original = loop._Run._write

    def write(self: Any, kind: str, **values: Any) -> None:
        lines.append(1)
        if len(lines) == number:
            self.log.write('{"kind": "st')
            self.log.flush()
            die()
        original(self, kind, **values)

    loop._Run._write = write


def die_at_end() -> None:
    """After the last checkpoint, before `run.json` says that the run is finished."""
    original = loop.RunFolder.write
    loop.RunFolder.write = lambda self, status, **results: (  # type: ignore[method-assign]
        die() if status == "finished" else original(self, status, **results)
    )


PLACES = {"step": die_at_step, "write": die_at_write, "log": die_at_log, "end": die_at_end}


def run(folder: Path, place: list[Any], overrides: list[str], processes: int = 1, model: str | None = None) -> int:
    """Train in as many processes; returns the signal that ended them, 0 if none did."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    children = []
    for rank in range(processes):
        child = os.fork()
        if child == 0:
            if processes > 1:
                ranks = {"RANK": rank, "LOCAL_RANK": rank, "WORLD_SIZE": processes, "LOCAL_WORLD_SIZE": processes}
                os.environ |= {name: str(value) for name, value in ranks.items()}
                os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
            train(folder, place, overrides, model)
        children.append(child)
    ended = [os.waitpid(child, 0)[1] for child in children]
    if any(os.WIFEXITED(status) and os.WEXITSTATUS(status) for status in ended):
        raise SystemExit(f"{folder.name}: a child failed")
    return max(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0 for status in ended)


def train(folder: Path, place: list[Any], overrides: list[str], model: str | None) -> NoReturn:
    try:
        if place and place[0] == "time":
            signal.setitimer(signal.ITIMER_REAL, place[1])
            signal.signal(signal.SIGALRM, lambda *_: die())
        elif place:
            PLACES[place[0]](*place[1:])
        ConvSmall.set_frozen = lambda self, frozen: self.body.requires_grad_(not frozen)  # type: ignore[attr-defined]
        forward = WordGRU.forward  # no longer than the longest of these captions, so that processes differ
        WordGRU.forward = lambda self, words: forward(self, words[:, : int((words > 0).sum(dim=1).max())])  # type: ignore[method-assign]
        if model:  # in double precision, since rounding is large in what normalises a batch of much the same scores
            torch.set_default_dtype(torch.float64)
            project = Regions.forward
            Regions.forward = lambda self, regions: project(self, regions.double())  # type: ignore[method-assign]
        config = region_config(model, *overrides) if model else tiny_config(*overrides)
        loop.train(config, folder, data=region_pairs(48) if model else tiny_data(), quiet=True)
        os._exit(0)
    except BaseException as error:
        print(f"{folder.name}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
        os._exit(1)


if __name__ == "__main__":
    root = Path(sys.argv[1])
    numba.njit(lambda x: x)(1)  # loads numba's tables, which each child would load anew, a second each
    ended = {
        name: [
            run(root / name, place, scenario["overrides"], scenario.get("processes", 1), scenario.get("model"))
            for place in [*scenario["places"], []]
        ]
        for name, scenario in json.load(sys.stdin).items()
    }
    print(json.dumps(ended))
