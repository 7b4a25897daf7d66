"""What is seen of a run while it trains: its progress, TensorBoard, and the signs of a collapse.

A model has collapsed when its similarities have all become one, or its variances have gone.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import torch
from jaxtyping import Bool, Float
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from torch import Tensor, nn

from daa.distribution import install
from daa.embeddings import Embedding, Gaussian
from daa.losses import InfoNCELoss, TripletLoss

LOG_LINES = 5
"""So many logged steps in a row make a collapse; a model often passes through such a state at its start."""
LEAST_SPREAD, MOST_AT_MARGIN, LEAST_LOG_VAR = 1e-3, 0.9, -20.0


@torch.no_grad()
def vital_signs(
    contrastive: nn.Module,
    scores: Float[Tensor, "images captions"],
    positives: Bool[Tensor, "images captions"],
    images: Embedding,
    captions: Embedding,
) -> dict[str, float]:
    """What shows a collapse early.

    Args:
        contrastive: the loss, for its margin and what it has learned.
        scores: of a batch.
        positives: which of them match.
        images: embeddings of its images.
        captions: embeddings of its captions.

    Returns:
        "spread", the standard deviation of the scores; for a triplet loss "at_margin", the share of hinges against the
        hardest negative that equal the margin within 1 %, so that positives score like negatives; for Gaussians
        "log_var_images" and "log_var_captions", the mean log-variances; and the loss's "scale", "shift" and
        "temperature" where it has learned them.
    """
    signs = {"spread": scores.float().std(correction=0).item()}
    if isinstance(contrastive, TripletLoss) and contrastive.margin > 0:
        signs["at_margin"] = share_at_margin(scores.float(), positives, contrastive.margin)
    for name, embedding in (("images", images), ("captions", captions)):
        if isinstance(embedding, Gaussian):
            signs[f"log_var_{name}"] = embedding.log_var.float().mean().item()
    learned: dict[str, Any] = dict(contrastive.named_parameters())
    if isinstance(contrastive, InfoNCELoss) and contrastive.log_excess is not None:
        learned = {"temperature": contrastive.temperature}
    return signs | {name: float(value) for name, value in learned.items()}


def share_at_margin(
    scores: Float[Tensor, "images captions"], positives: Bool[Tensor, "images captions"], margin: float
) -> float:
    """The share of positives whose hardest negative scores as they do, to 1 % of the margin; both directions.

    >>> [share_at_margin(scores, torch.eye(3).bool(), 0.2) for scores in (torch.zeros(3, 3), torch.eye(3))]
    [1.0, 0.0]
    """
    differences = []
    for s, matches in ((scores, positives), (scores.T, positives.T)):
        queries, items = matches.nonzero(as_tuple=True)
        differences.append(s.masked_fill(matches, -torch.inf).amax(1)[queries] - s[queries, items])
    return (torch.cat(differences).abs() <= 0.01 * margin).float().mean().item()


class CollapseWatch:
    """Counts how long a run has shown each sign of a collapse, and says once what to try.

    Args:
        state: what it has seen so far; a dictionary for JSON, kept with the run, changed in place.

    >>> watch = CollapseWatch({})
    >>> said = [watch({"spread": 1e-5}) for _ in range(6)]
    >>> [bool(one) for one in said]
    [False, False, False, False, True, False]
    """

    def __init__(self, state: dict[str, int]) -> None:
        self.state = state

    def __call__(self, signs: dict[str, float]) -> list[str]:
        """Warnings that are due after a logged step with these signs; each comes once a run."""
        log_var = min((value for name, value in signs.items() if name.startswith("log_var")), default=0.0)
        shown = {
            "scores": signs["spread"] < LEAST_SPREAD or signs.get("at_margin", 0.0) > MOST_AT_MARGIN,
            "variances": log_var < LEAST_LOG_VAR,
        }
        at_margin = f", {100 * signs['at_margin']:.0f} % of the hinges at the margin" if "at_margin" in signs else ""
        texts = {
            "scores": f"the similarities are all alike (standard deviation {signs['spread']:.1e}{at_margin}): "
            + (
                "try loss.warmup_epochs=1 or 2 (all negatives before the hardest), a lower optim.lr or a longer warm-up"
                if "at_margin" in signs
                else "try a lower optim.lr, a longer optim.warmup, or another loss.options init_scale and init_shift"
            ),
            "variances": f"the variances have gone (mean log-variance {log_var:.1f}): "
            "try a larger loss.kl_weight, or a lower optim.lr",
        }
        due = []
        for sign, now in shown.items():
            if self.state.get(sign, 0) < LOG_LINES:
                self.state[sign] = self.state.get(sign, 0) + 1 if now else 0
                if self.state[sign] == LOG_LINES:
                    due.append(texts[sign])
        return due


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

    def validation(self, result: dict[str, Any]) -> None:
        """Show what a validation found."""
        recall, asp = (
            " / ".join(f"{100 * result[direction][metric]:.1f}" for direction in ("i2t", "t2i"))
            for metric in ("R@1", "ASP")
        )
        text = f"epoch {result['epoch']}: rsum {100 * result['rsum']:.1f}, R@1 {recall}, ASP {asp}"
        if self.bar:
            self.bar.update(self.task, completed=result["step"], note=text)
        elif not self.quiet:
            print(f"{self.name}: step {result['step']}/{self.steps}, {text}", file=sys.stderr, flush=True)


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
