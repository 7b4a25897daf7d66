"""The training loop. Killed at any step and started again, it ends with the same weights, bit for bit (on one CPU)."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch.utils.data import DataLoader

from daa.encoders.model import Model, build_model
from daa.encoders.vocabulary import Vocabulary
from daa.training.batches import Batch, Batches
from daa.training.checkpoint import (
    load_checkpoint,
    module_tensors,
    optimizer_tensors,
    part,
    restore_optimizer,
    save_checkpoint,
    with_prefix,
)
from daa.training.config import Config
from daa.training.data import TrainingData, load_data
from daa.training.objective import Objective
from daa.training.optim import build_optimizer, rate, set_rate
from daa.training.progress import TrainingProgress
from daa.training.run import RunFolder, read_record
from daa.training.seeds import reproducible, seed_everything, torch_generator
from daa.training.validate import validate


def train(
    config: Config, out: str | Path, *, data: TrainingData | None = None, restart: bool = False, quiet: bool = False
) -> dict[str, Any]:
    """Train one run into a folder; goes on where an earlier, unfinished call with the same configuration stopped.

    Everything random is drawn from generators seeded with (seed, purpose, step), so no step depends on how the run
    came to it. Two runs are equal bit for bit on the same machine with the same number of threads; other thread counts
    or another torch sum in another order.

    Args:
        config: see `daa.training.load.load_config`.
        out: folder of the run.
        data: the splits, if they are at hand already.
        restart: discard an earlier run in the folder.
        quiet: no progress on stderr.

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
        return _Run(config, folder, data or load_data(config), quiet, threads).go()


class _Run:
    def __init__(self, config: Config, folder: RunFolder, data: TrainingData, quiet: bool, threads: int) -> None:
        self.config, self.folder, self.data, self.quiet, self.threads = config, folder, data, quiet, threads
        AcceleratorState._reset_state(True)  # an earlier run of this process may have had another precision
        self.accelerator = Accelerator(mixed_precision=config.train.precision, cpu=config.train.device == "cpu")
        if self.accelerator.num_processes > 1:
            raise ValueError("train: expected one process, since batches are not yet gathered across processes")
        captions = data.train.dataset.corpus.captions
        self.vocabulary = Vocabulary.build(captions, config.encoders.min_word_count)
        seed_everything(config.train.seed, "weights")
        self.model = new_model(config, self.vocabulary)
        self.objective = Objective(config.loss).to(self.accelerator.device)
        relevance = data.relevance if config.loss.daa_weight else None
        self.batches = Batches(data.train, self.model.tokenize(captions), config, relevance)
        optimizer = build_optimizer(self.model, self.objective, config.optim)
        self.wrapped, self.optimizer = self.accelerator.prepare(self.model, optimizer)
        folder.begin()
        self.state: dict[str, Any] = {"step": 0, "log_bytes": 0, "seconds": 0.0, "best": None, "validation": None}
        if folder.last.exists():
            self._restore()
        folder.truncate_log(self.state["log_bytes"])
        self.began = time.monotonic() - self.state["seconds"]

    def go(self) -> dict[str, Any]:
        train, steps = self.config.train, len(self.batches)
        per_epoch = self.batches.sampler.steps_per_epoch
        first = self.state["step"]
        progress = TrainingProgress(steps, first, self.folder.path.name, self.quiet)
        with progress, open(self.folder.log, "a", encoding="utf-8") as self.log:
            for batch in self._upcoming(first):
                last_of_epoch = (batch.step + 1) % per_epoch == 0
                self._step(batch, steps, per_epoch, log=batch.step % train.log_every == 0 or last_of_epoch)
                done = self.state["step"] = batch.step + 1
                progress.step(done)
                if last_of_epoch and ((done // per_epoch) % train.eval_every == 0 or done == steps):
                    self._validate(done, done // per_epoch)
                    progress.validation(done, done // per_epoch, self.state["validation"])
                if last_of_epoch or done % train.checkpoint_every == 0:
                    self._save()
        results = {key: self.state[key] for key in ("best", "validation", "seconds")}
        return self.folder.write("finished", parameters=sum(p.numel() for p in self.model.parameters()), **results)

    def _upcoming(self, first: int) -> Iterator[Batch]:
        steps = range(first, len(self.batches))
        loader = DataLoader(self.batches, batch_size=None, sampler=steps, num_workers=self.config.train.workers)
        for batch in loader:
            yield batch.to(self.accelerator.device)

    def _step(self, batch: Batch, steps: int, per_epoch: int, log: bool) -> None:
        config = self.config
        torch.set_num_threads(self.threads)  # compiled kernels of numba set it to the number of cores when they run
        seed_everything(config.train.seed, "step", batch.step)
        generator = torch_generator(config.train.seed, "samples", batch.step, self.accelerator.device)
        set_rate(self.optimizer, share := rate(config.optim, batch.step, steps, per_epoch))
        self.wrapped.train()
        images, captions = self.wrapped(batch.images, batch.tokens)
        scores = self.model.similarity(images, captions)
        parts = self.objective(images, captions, scores, batch.positives, batch.relevance, generator)
        self.accelerator.backward(parts["loss"])
        parameters = [p for group in self.optimizer.param_groups for p in group["params"]]
        norm = self.accelerator.clip_grad_norm_(parameters, config.optim.clip or float("inf"))
        if log:
            values = {name: value.item() for name, value in parts.items()}
            if not torch.isfinite(parts["loss"]):
                raise ValueError(f"train: the loss is {values['loss']} at step {batch.step}; try a lower optim.lr")
            self._write("step", step=batch.step, lr=share * config.optim.lr, gradient_norm=float(norm), **values)
        self.optimizer.step()
        self.optimizer.zero_grad()

    def _validate(self, step: int, epoch: int) -> None:
        result = {"step": step, "epoch": epoch, **validate(self.model, self.data.val, self.data.val_relevance)}
        self._write("validation", **result)
        self.state["validation"] = result
        best = self.state["best"]
        if best is None or result["rsum"] > best["rsum"]:
            self.state["best"] = result
            save_checkpoint(self.folder.best, module_tensors(self.model, self.objective), self._header())

    def _save(self) -> None:
        self.log.flush()
        self.state |= {"log_bytes": self.log.tell(), "seconds": time.monotonic() - self.began}
        tensors = module_tensors(self.model, self.objective)
        tensors |= with_prefix(optimizer_tensors(self.optimizer), "optimizer")
        save_checkpoint(self.folder.last, tensors, self._header())

    def _header(self) -> dict[str, Any]:
        scaler = self.accelerator.scaler.state_dict() if self.accelerator.scaler else None
        words = list(self.vocabulary.words)
        run = {"config": self.config.to_dict(), "vocabulary": words, "threads": self.threads}
        return run | {"state": self.state, "scaler": scaler}

    def _restore(self) -> None:
        tensors, header = load_checkpoint(self.folder.last)
        if header["threads"] != self.threads and not self.quiet:
            print(
                f"{self.folder.path.name}: was trained on {header['threads']} threads and goes on with "
                f"{self.threads}; its weights will differ in the last bits",
                file=sys.stderr,
            )
        self.model.load_state_dict(part(tensors, "model"))
        self.objective.load_state_dict(part(tensors, "objective"))
        restore_optimizer(self.optimizer, part(tensors, "optimizer"))
        if self.accelerator.scaler:
            self.accelerator.scaler.load_state_dict(header["scaler"])
        self.state = header["state"]

    def _write(self, kind: str, **values: Any) -> None:
        self.log.write(json.dumps({"kind": kind, **values}, allow_nan=False) + "\n")
        self.log.flush()


def new_model(config: Config, vocabulary: Vocabulary) -> Model:
    """The untrained model of a configuration."""
    encoders = config.encoders
    return build_model(
        encoders.image,
        encoders.text,
        vocabulary,
        encoders.embedding_dim,
        encoders.image_options,
        encoders.text_options,
        encoders.similarity,
        encoders.similarity_options,
    )


def load_run(out: str | Path, which: str = "best") -> tuple[Model, Config]:
    """The trained model of a run, in evaluation mode, and its configuration.

    Args:
        out: folder of the run.
        which: "best" (highest rsum on the validation split) or "last".
    """
    from omegaconf import OmegaConf

    read_record(out)
    tensors, header = load_checkpoint(Path(out) / f"{which}.safetensors")
    config = OmegaConf.to_object(OmegaConf.merge(OmegaConf.structured(Config), header["config"]))
    assert isinstance(config, Config)
    model = new_model(config, Vocabulary(header["vocabulary"]))
    model.load_state_dict(part(tensors, "model"))
    return model.eval(), config
