"""Progress on a terminal, plain lines elsewhere, TensorBoard or nothing where that was asked for."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from daa.distribution import install


class TrainingProgress:
    """A bar over the steps of a run on a terminal; elsewhere one line a validation on stderr.

    Args:
        steps: of the whole run.
        done: steps that lie behind already.
        name: what the lines call the run.
        quiet: show nothing.
    """

    def __init__(self, steps: int, done: int, name: str, quiet: bool = False) -> None:
        self.steps, self.name, self.quiet = steps, name, quiet
        self.bar: Progress | None = None
        if not quiet and sys.stderr.isatty():
            from rich.console import Console

            columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
            self.bar = Progress(*columns, TextColumn("{task.fields[note]}"), console=Console(stderr=True))
            self.task = self.bar.add_task(name, total=steps, completed=done, note="")

    def __enter__(self) -> TrainingProgress:
        if self.bar:
            self.bar.start()
        return self

    def __exit__(self, *exc: object) -> None:
        if self.bar:
            self.bar.stop()

    def step(self, step: int) -> None:
        """`step` steps are done."""
        if self.bar:
            self.bar.update(self.task, completed=step)

    def validation(self, step: int, epoch: int, result: dict[str, Any]) -> None:
        """Show what a validation found."""
        i2t, t2i = result["i2t"], result["t2i"]
        text = (
            f"epoch {epoch}: rsum {100 * result['rsum']:.1f}, R@1 {100 * i2t['R@1']:.1f} / {100 * t2i['R@1']:.1f}, "
            f"ASP {100 * i2t['ASP']:.1f} / {100 * t2i['ASP']:.1f}"
        )
        if self.bar:
            self.bar.update(self.task, completed=step, note=text)
        elif not self.quiet:
            print(f"{self.name}: step {step}/{self.steps}, {text}", file=sys.stderr, flush=True)


def require_tensorboard() -> Any:
    """TensorBoard's writer.

    Raises:
        ModuleNotFoundError: TensorBoard is not installed.
    """
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"train.tensorboard: TensorBoard is not installed; {install('tensorboard')}"
        ) from None
    return SummaryWriter


class Board:
    """The log of a run for TensorBoard.

    Args:
        folder: where the event files go.
        first: step from which the run goes on; what a killed run wrote from there on is dropped by TensorBoard.
    """

    def __init__(self, folder: Path, first: int) -> None:
        self.writer = require_tensorboard()(str(folder), purge_step=first)

    def __enter__(self) -> Board:
        return self

    def __exit__(self, *exc: object) -> None:
        self.writer.close()

    def write(self, kind: str, values: dict[str, Any]) -> None:
        """Note a line of the log: its numbers under `kind/name`, or `kind/direction/name`; its text as text."""
        step = values["step"] - (kind == "validation")  # that counts the steps done; the last of them stays at a resume
        for name, value in values.items():
            nested = value if isinstance(value, dict) else {"": value}
            for inner, number in nested.items():
                tag = "/".join(filter(None, (kind, name, inner)))
                if isinstance(number, str):
                    self.writer.add_text(tag, number, step)
                elif name != "step":
                    self.writer.add_scalar(tag, number, step)
        self.writer.flush()
