"""The training loop. Killed at any step and started again, it ends with the same weights, bit for bit (on one CPU)."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from datetime import timedelta
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from accelerate.utils import InitProcessGroupKwargs, broadcast_object_list
from torch.utils.data import DataLoader

from daa.encoders.model import Model
from daa.encoders.pretrained import without_pretrained
from daa.encoders.vocabulary import Vocabulary
from daa.training.batches import Batch, Batches
from daa.training.config import Config
from daa.training.data import TrainingData, first_embeddings, load_data, new_model
from daa.training.gradients import GradCache
from daa.training.objective import Objective
from daa.training.run import (
    RunFolder,
    RunState,
    load_checkpoint,
    module_tensors,
    optimizer_tensors,
    part,
    read_record,
    restore_optimizer,
    save_checkpoint,
    with_prefix,
)
from daa.training.section import checked
from daa.training.seeds import reproducible, seed_everything
from daa.training.stages import EarlyStopping, Stage, build_optimizer, rate, set_rate, stages
from daa.training.validate import validate
from daa.training.watch import Board, CollapseWatch, TrainingProgress, require_tensorboard, vital_signs


def train(
    config: Config,
    out: str | Path,
    *,
    data: TrainingData | None = None,
    restart: bool = False,
    quiet: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> dict[str, Any]:
    """Train one run into a folder; goes on where an earlier, unfinished call with the same configuration stopped.

    Everything random is drawn from generators seeded with (seed, purpose, step), so no step depends on how the run
    came to it. Two runs are equal bit for bit on the same machine with the same number of threads; other thread counts
    or another torch sum in another order.

    Args:
        config: see `daa.training.config.load_config`.
        out: folder of the run.
        data: the splits, if they are at hand already.
        restart: discard an earlier run in the folder.
        quiet: no progress on stderr.
        progress: called after each step with the number of steps done and of the whole run, in place of progress on
            stderr; warnings still go there.

    Returns:
        The content of the run's `run.json`: status, best and last validation, seconds, configuration, provenance.

    Raises:
        ValueError: the folder holds a run of another configuration, or the loss is no longer finite.
    """
    threads = torch.get_num_threads()
    folder = RunFolder(out, config, restart)
    if folder.finished:
        return read_record(folder.path)
    with reproducible():
        return _Run(config, folder, data or load_data(config), quiet, threads, progress).go()


class _Run:
    def __init__(
        self,
        config: Config,
        folder: RunFolder,
        data: TrainingData,
        quiet: bool,
        threads: int,
        told: Callable[[int, int], None] | None,
    ) -> None:
        self.told = told
        self.config, self.folder, self.data, self.state = config, folder, data, RunState()
        AcceleratorState._reset_state(True)  # an earlier run of this process may have had another precision
        patient = InitProcessGroupKwargs(timeout=timedelta(hours=6))  # the others wait for a validation
        self.accelerator = Accelerator(
            mixed_precision=config.train.precision, cpu=config.train.device == "cpu", kwargs_handlers=[patient]
        )
        self.main, processes = self.accelerator.is_main_process, self.accelerator.num_processes
        self.quiet = quiet or not self.main
        if config.train.batch_size < processes:
            raise ValueError(f"train.batch_size: expected at least one for each of {processes} processes")
        captions = data.train.dataset.corpus.captions
        vocabulary = Vocabulary.build(captions, config.encoders.min_word_count)
        self.header: dict[str, Any] = {"config": config.to_dict(), "vocabulary": list(vocabulary.words)}
        self.header |= {"threads": threads, "processes": processes}
        seed_everything(config.train.seed, "weights")
        self.model = new_model(config, vocabulary).to(self.accelerator.device)
        self.objective = Objective(config.loss).to(self.accelerator.device)
        if config.train.tensorboard:
            require_tensorboard()
        self.objective.check(*first_embeddings(self.model, data.train))
        self.gradients = GradCache(self.model, self.objective, self.accelerator, config.train.seed, config.train.chunks)
        relevance = data.relevance if config.loss.daa_weight else None
        share = (self.accelerator.process_index, processes)
        self.batches = Batches(data.train, self.model.tokenize(captions), config, relevance, share)
        self.stages = stages(config, self.batches.sampler.steps_per_epoch)
        self.last_seen: tuple[int, torch.Tensor, torch.Tensor] | None = None
        if folder.restart or not folder.last.exists():
            self._prepare(self.stages[0])
        else:
            self._restore(*load_checkpoint(folder.last))
        if self.main:
            folder.begin()
            folder.truncate_log(self.state.log_bytes)
        steps = self.accelerator.gather(torch.tensor([self.state.step], device=self.accelerator.device)).tolist()
        if len(set(steps)) > 1:
            raise ValueError(f"out: expected a folder that all processes see, but they go on from the steps {steps}")
        self.began = time.monotonic() - self.state.seconds

    def _prepare(self, stage: Stage) -> None:
        """An optimizer for a stage."""
        self.state.stage = stage.number
        stage.prepare(self.model)
        self.optimizer = self.accelerator.prepare(build_optimizer(self.model, self.objective, stage.optim))

    def go(self) -> dict[str, Any]:
        first = self.state.step
        progress = TrainingProgress(
            len(self.batches), first, self.folder.path.name, self.quiet or self.told is not None
        )
        log = self.folder.log if self.main else os.devnull
        with progress, open(log, "a", encoding="utf-8") as self.log, self._board(first) as self.board:
            for stage in self.stages:
                if stage.number > self.state.stage:
                    self._begin(stage)
                if stage.number == self.state.stage:
                    self._train(stage, progress)
        if self.main:
            results = {key: getattr(self.state, key) for key in ("best", "validation", "stopped", "seconds")}
            parameters = sum(p.numel() for p in self.model.parameters())
            self.folder.write("finished", parameters=parameters, processes=self.accelerator.num_processes, **results)
        self.accelerator.wait_for_everyone()
        return read_record(self.folder.path)

    def _begin(self, stage: Stage) -> None:
        """Start a later stage from the weights of the one before. Its checkpoint comes before any of its steps."""
        if self.config.finetune.start == "best":
            self.accelerator.wait_for_everyone()
            self._load_weights(load_checkpoint(self.folder.best)[0])
        self.state.early_stopping = EarlyStopping()
        self.accelerator.free_memory()  # it would go on to unscale the gradients of the earlier optimizer
        self._prepare(stage)
        self._write("stage", step=stage.first, stage=stage.number, start=self.config.finetune.start)
        self._save()

    def _train(self, stage: Stage, progress: TrainingProgress) -> None:
        train, per_epoch = self.config.train, self.batches.sampler.steps_per_epoch
        for batch in self._upcoming(self.state.step, stage.end):
            last_of_epoch = (batch.step + 1) % per_epoch == 0
            self._step(batch, stage, per_epoch, log=batch.step % train.log_every == 0 or last_of_epoch)
            done = self.state.step = batch.step + 1
            progress.step(done)
            if self.told:
                self.told(done, len(self.batches))
            if last_of_epoch and ((done // per_epoch) % train.eval_every == 0 or done == stage.end):
                progress.validation(self._validate(stage, done // per_epoch))
                if self.state.early_stopping.enough(train.patience) and done < stage.end:
                    self.state.stopped.append({"stage": stage.number, "epoch": done // per_epoch})
                    self.state.step = stage.end
            if last_of_epoch or done % train.checkpoint_every == 0:
                self._save()
            if self.state.step == stage.end:
                return

    def _upcoming(self, first: int, end: int) -> Iterator[Batch]:
        steps = range(first, end)
        loader = DataLoader(self.batches, batch_size=None, sampler=steps, num_workers=self.config.train.workers)
        for batch in loader:
            yield batch.to(self.accelerator.device)

    def _step(self, batch: Batch, stage: Stage, per_epoch: int, log: bool) -> None:
        share = rate(stage.optim, batch.step - stage.first, stage.end - stage.first, per_epoch)
        share *= self.state.early_stopping.factor
        set_rate(self.optimizer, share)
        self.model.train()
        self.objective.begin_epoch(batch.step // per_epoch)
        parts, scores, images, captions = self.gradients(batch)
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = self.accelerator.clip_grad_norm_(parameters, stage.optim.clip or float("inf"))
        self.last_seen = (batch.step, parts["loss"].detach(), norm)
        if log:
            self._require_finite()
            values = {name: value.item() for name, value in parts.items()}
            signs = vital_signs(self.objective.contrastive, scores, batch.positives, images, captions)
            lr = share * stage.optim.lr
            self._write("step", step=batch.step, lr=lr, gradient_norm=float(norm), **values, **signs)
            for text in CollapseWatch(self.state.collapse)(signs):
                self._write("warning", step=batch.step, text=text)
                if not self.quiet:
                    print(f"{self.folder.path.name}: step {batch.step}: {text}", file=sys.stderr, flush=True)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _require_finite(self) -> None:
        """Asked before a step is logged and before a checkpoint takes the place of the last, not at every step, since
        the answer has to come from the GPU. Half precision has gradients that overflow, whose steps are left out."""
        if self.last_seen is None:
            return
        step, loss, norm = self.last_seen
        for name, value in (("loss", loss), ("norm of the gradient", norm)):
            if not (torch.isfinite(value) or (value is norm and self.accelerator.scaler)):
                raise ValueError(f"train: the {name} is {value.item()} at step {step}; try a lower optim.lr")

    def _validate(self, stage: Stage, epoch: int) -> dict[str, Any]:
        """By the first process; the others wait and hear the result, on which the learning rate may depend."""
        results = [validate(self.model, self.data.val, self.data.val_relevance) if self.main else None]
        result = {"step": self.state.step, "epoch": epoch, **broadcast_object_list(results)[0]}
        self._write("validation", **result)
        self.state.early_stopping.note(result["rsum"], stage.optim)
        self.state.validation = result
        if self.state.best is None or result["rsum"] > self.state.best["rsum"]:
            self.state.best = result
            if self.main:
                self._write_checkpoint(self.folder.best, module_tensors(self.model, self.objective))
        return result

    def _save(self) -> None:
        if not self.main:
            return
        self._require_finite()
        self.log.flush()
        self.state.log_bytes, self.state.seconds = self.log.tell(), time.monotonic() - self.began
        tensors = module_tensors(self.model, self.objective)
        self._write_checkpoint(self.folder.last, tensors | with_prefix(optimizer_tensors(self.optimizer), "optimizer"))

    def _write_checkpoint(self, file: Path, tensors: dict[str, torch.Tensor]) -> None:
        scaler = self.accelerator.scaler.state_dict() if self.accelerator.scaler else None
        save_checkpoint(file, tensors, {**self.header, "state": self.state.to_dict(), "scaler": scaler})

    def _restore(self, tensors: dict[str, torch.Tensor], header: dict[str, Any]) -> None:
        """Everything that the last checkpoint knows."""
        self.state = RunState.from_dict(header["state"])
        self._load_weights(tensors)
        self._prepare(self.stages[self.state.stage])
        for name in ("threads", "processes"):
            before, now = header.get(name, 1), self.header[name]
            if before != now and not self.quiet:
                print(
                    f"{self.folder.path.name}: was trained on {before} {name} and goes on with {now}; "
                    "its weights will differ in the last bits",
                    file=sys.stderr,
                )
        restore_optimizer(self.optimizer, part(tensors, "optimizer"))
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(header["scaler"])

    def _load_weights(self, tensors: dict[str, torch.Tensor]) -> None:
        self.model.load_state_dict(part(tensors, "model"))
        self.objective.load_state_dict(part(tensors, "objective"))

    def _board(self, first: int) -> Any:
        return Board(self.folder.board, first) if self.main and self.config.train.tensorboard else nullcontext()

    def _write(self, kind: str, **values: Any) -> None:
        self.log.write(json.dumps({"kind": kind, **values}, allow_nan=False) + "\n")
        self.log.flush()
        if self.board:
            self.board.write(kind, values)


def load_run(out: str | Path, which: str = "best") -> tuple[Model, Config]:
    """The trained model of a run, in evaluation mode, and its configuration.

    Args:
        out: folder of the run.
        which: "best" (highest rsum on the validation split) or "last".
    """
    read_record(out)
    tensors, header = load_checkpoint(Path(out) / f"{which}.safetensors")
    config = checked(Config, header["config"])
    with without_pretrained():  # all weights are in the checkpoint
        model = new_model(config, Vocabulary(header["vocabulary"]))
    model.load_state_dict(part(tensors, "model"))
    return model.eval(), config
