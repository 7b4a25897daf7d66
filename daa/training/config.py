"""What a training run is made of: typed sections with the range of each value beside it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field, fields
from typing import Any

from daa.encoders.model import closest

CHOICES_OF_LOSS = ("soft-contrastive", "closed-form", "infonce", "triplet")


def _one_of(default: str, *others: str) -> Any:
    return field(default=default, metadata={"choices": (default, *others)})


def _least(least: int, default: float | int | None) -> Any:
    """At least so much, where it is not null."""
    return field(default=default, metadata={"least": least})


def _above(bound: int, default: float | None) -> Any:
    return field(default=default, metadata={"above": bound})


def _share(default: float) -> Any:
    return field(default=default, metadata={"least": 0, "below": 1})


@dataclass
class DataConfig:
    """Which pairs.

    Args:
        name: a data set of `daa.datasets.load_dataset`.
        root: its folder, where it needs one; `${oc.env:DAA_DATA}/coco` reads an environment variable.
        image_size: side of the square images, in pixels.
        train, val, test: names of the splits.
        train_images, val_images: use only the first so many images; null for all.
        options: further arguments of `load_dataset`.
        keep_images: decode images once and keep them in memory where they fit.
        shift: augmentation; images move by up to so many pixels in each direction. 0 for none.
    """

    name: str = "scenes"
    root: str | None = None
    image_size: int = _least(1, 64)
    train: str = "train"
    val: str = "val"
    test: str = "test"
    train_images: int | None = _least(1, None)
    val_images: int | None = _least(1, None)
    options: dict[str, Any] = field(default_factory=dict)
    keep_images: bool = True
    shift: int = _least(0, 0)


@dataclass
class EncoderConfig:
    """Which encoders, see `daa.encoders.build_model`."""

    image: str = "conv-small"
    text: str = "gru"
    embedding_dim: int = _least(1, 256)
    image_options: dict[str, Any] = field(default_factory=dict)
    text_options: dict[str, Any] = field(default_factory=dict)
    similarity: str = "cosine"
    similarity_options: dict[str, Any] = field(default_factory=dict)
    min_word_count: int = _least(1, 1)


@dataclass
class LossConfig:
    """What is minimised: one contrastive loss, plus daa_weight * DAA, plus kl_weight * KL.

    Args:
        kind: "infonce", "triplet", "soft-contrastive" (Monte-Carlo) or "closed-form".
        options: further arguments of that loss, such as {margin: 0.1}.
        samples: draws of each embedding for "soft-contrastive".
        daa_weight: weight of the DAA loss; 0 leaves it out.
        daa_temperature: width of its soft step, in units of the cosine.
        relevance: what DAA ranks by, a name of `daa.relevance.relevance_by_name`; validation measures ASP by the same.
        relevance_ranks: "soft" or "exact".
        kl_weight: weight of KL(N(mean, var) || N(0, 1)), per image and caption; 0 leaves it out.
    """

    kind: str = _one_of(*CHOICES_OF_LOSS)
    options: dict[str, Any] = field(default_factory=dict)
    samples: int = _least(1, 5)
    daa_weight: float = _least(0, 0.0)
    daa_temperature: float = _above(0, 0.01)
    relevance: str = "tfidf"
    relevance_ranks: str = _one_of("soft", "exact")
    kl_weight: float = _least(0, 0.0)


@dataclass
class OptimConfig:
    """How it is minimised.

    Args:
        name: "adamw", "adam" or "sgd".
        lr: highest learning rate.
        loss_lr: learning rate of the loss's own parameters (temperature, a and b); null for `lr`.
        schedule: "cosine" down to 0, "constant", or "step".
        warmup: share of the steps in which the rate rises from 0, in [0, 1).
        step_epochs: for "step": the rate is divided by 10 after so many epochs, and again after as many.
        clip: largest norm of the gradient; 0 for no clipping.
    """

    name: str = _one_of("adamw", "adam", "sgd")
    lr: float = _above(0, 1e-3)
    loss_lr: float | None = _above(0, None)
    weight_decay: float = _least(0, 0.01)
    schedule: str = _one_of("cosine", "constant", "step")
    warmup: float = _share(0.1)
    step_epochs: int = _least(1, 15)
    clip: float = _least(0, 2.0)


@dataclass
class TrainConfig:
    """How long, in which portions, and what is kept.

    Args:
        batch_size: images a batch ("image" sampling) or pairs a batch ("caption" sampling).
        sampling: what an epoch is: "image" takes each image once with `captions_per_image` of its captions drawn
            anew, "caption" takes each caption once with its image.
        precision: "no" (float32), "bf16" or "fp16" (GPU only).
        device: "auto" (a GPU where there is one) or "cpu".
        checkpoint_every: steps between two checkpoints; what a crash can cost. Each epoch ends with one as well.
        eval_every: epochs between two validations; the last epoch always has one.
        log_every: steps between two lines of the log.
        workers: processes that prepare batches; 0 prepares them in the training process.
    """

    epochs: int = _least(1, 10)
    batch_size: int = _least(2, 128)
    sampling: str = _one_of("image", "caption")
    captions_per_image: int = _least(1, 1)
    seed: int = _least(0, 0)
    precision: str = _one_of("no", "bf16", "fp16")
    device: str = _one_of("auto", "cpu")
    checkpoint_every: int = _least(1, 50)
    eval_every: int = _least(1, 1)
    log_every: int = _least(1, 10)
    workers: int = _least(0, 0)


@dataclass
class Config:
    """One run."""

    data: DataConfig = field(default_factory=DataConfig)
    encoders: EncoderConfig = field(default_factory=EncoderConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, for JSON and YAML."""
        return dataclasses.asdict(self)


def check_config(config: Config) -> None:
    """Refuse a value outside its range or its list of choices.

    Raises:
        ValueError: naming the key, what was expected and what came.
    """
    for section in fields(config):
        for item in fields(getattr(config, section.name)):
            _check(f"{section.name}.{item.name}", getattr(getattr(config, section.name), item.name), item.metadata)


def _check(key: str, value: Any, bounds: Any) -> None:
    choices = bounds.get("choices")
    if choices and value not in choices:
        raise ValueError(f"{key}: expected one of {', '.join(choices)}, got {value!r}{closest(str(value), choices)}")
    if value is None or not bounds:
        return
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{key}: expected a finite number, got {value}")
    if "least" in bounds and not value >= bounds["least"]:
        raise ValueError(f"{key}: expected at least {bounds['least']}, got {value}")
    if "above" in bounds and not value > bounds["above"]:
        raise ValueError(f"{key}: expected a number above {bounds['above']}, got {value}")
    if "below" in bounds and not value < bounds["below"]:
        raise ValueError(f"{key}: expected a number below {bounds['below']}, got {value}")
