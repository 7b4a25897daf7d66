"""What a training run is made of: typed sections with the range of each value beside it."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field, fields
from typing import Any

from daa.names import AUGMENTATIONS, RELEVANCE_FORMS, closest

CHOICES_OF_LOSS = ("soft-contrastive", "closed-form", "infonce", "triplet", "smooth-ap")


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
        augment: random views of the training images, by a name of `daa.names.AUGMENTATIONS`; each view is
            a function of (seed, step, image).
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
    augment: str = _one_of(*AUGMENTATIONS)


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
    """What is minimised: one contrastive loss, and weighted terms beside it; a weight of 0 leaves a term out.

    See `daa.training.objective.Objective` for the sum, and for the weights of the papers in its units.

    Args:
        kind: "soft-contrastive" (Monte-Carlo), "closed-form", "infonce", "triplet" or "smooth-ap".
        options: further arguments of that loss, such as {margin: 0.1}.
        samples: draws of each embedding for "soft-contrastive".
        warmup_epochs: for "triplet" with the hardest negative: so many epochs sum over all negatives first, without
            which such a loss often collapses.
        daa_weight: of the DAA loss.
        daa_temperature: width of its soft step, in units of the model's scores; that of Smooth-AP beside another loss.
        relevance: what DAA ranks by, a name of `daa.relevance.relevance_by_name`; validation measures ASP by the same.
        relevance_ranks: "soft" or "exact".
        relevance_form: what of it is ranked: "raw", "centred" or "doubly_ranked", see `daa.losses.daa_loss`.
        smooth_ap_weight: of Smooth-AP beside another loss.
        kl_weight: of KL(N(mean, var) || N(0, 1)) of the embeddings.
        kl_reduction: "mean" per image or caption and dimension, or "sum" over all of them, as in PCME's code.
        uniformity_weight: of the uniformity of all images and captions together; 10 in PCME on CUB.
        mmd_weight: of the discrepancy between the images' and the captions' points; 0.01 in PVSE with K = 2.
        diversity_weight: of how alike the parts of one item are; 0.1 in PVSE with K = 2.
    """

    kind: str = _one_of(*CHOICES_OF_LOSS)
    options: dict[str, Any] = field(default_factory=dict)
    samples: int = _least(1, 5)
    warmup_epochs: int = _least(0, 0)
    daa_weight: float = _least(0, 0.0)
    daa_temperature: float = _above(0, 0.01)
    relevance: str = "tfidf"
    relevance_ranks: str = _one_of("soft", "exact")
    relevance_form: str = _one_of(*RELEVANCE_FORMS)
    smooth_ap_weight: float = _least(0, 0.0)
    kl_weight: float = _least(0, 0.0)
    kl_reduction: str = _one_of("mean", "sum")
    uniformity_weight: float = _least(0, 0.0)
    mmd_weight: float = _least(0, 0.0)
    diversity_weight: float = _least(0, 0.0)


@dataclass
class OptimConfig:
    """How it is minimised.

    Args:
        name: "adamw", "adam", "adamp" or "sgd" (momentum 0.9).
        options: further arguments of the optimizer, such as {amsgrad: true}.
        lr: highest learning rate.
        loss_lr: learning rate of the loss's own parameters (temperature, a and b); null for `lr`.
        schedule: "cosine" down to 0, "constant", "step", or "plateau".
        warmup: share of the steps in which the rate rises from 0, in [0, 1).
        warmup_epochs: the same in epochs; takes the place of `warmup` if it is above 0.
        step_epochs: for "step": the rate is multiplied by `factor` after so many epochs, and again after as many.
        factor: for "step" and "plateau".
        plateau_patience: for "plateau": validations without a better rsum that are put up with; one more, and the rate
            is multiplied by `factor`.
        clip: largest norm of the gradient; 0 for no clipping.
    """

    name: str = _one_of("adamw", "adam", "adamp", "sgd")
    options: dict[str, Any] = field(default_factory=dict)
    lr: float = _above(0, 1e-3)
    loss_lr: float | None = _above(0, None)
    weight_decay: float = _least(0, 0.01)
    schedule: str = _one_of("cosine", "constant", "step", "plateau")
    warmup: float = _share(0.1)
    warmup_epochs: float = _least(0, 0.0)
    step_epochs: int = _least(1, 15)
    factor: float = field(default=0.1, metadata={"above": 0, "below": 1})
    plateau_patience: int = _least(0, 10)
    clip: float = _least(0, 2.0)


@dataclass
class TrainConfig:
    """How long, in which portions, and what is kept.

    Args:
        epochs: of the first stage, the only one unless `finetune.epochs` is above 0.
        batch_size: images a batch ("image" sampling) or pairs a batch ("caption" or "class"), over all processes.
        sampling: what an epoch is: "image" takes each image once with `captions_per_image` of its captions drawn
            anew, "caption" takes each caption once with its image, "class" takes steps of one caption a class.
        chunks: a process embeds its share of a batch in so many parts, one after the other, to fit into memory; losses
            see the batch as a whole (gradient caching). Embedding is done twice if this is above 1.
        precision: "no" (float32), "bf16" or "fp16" (GPU only).
        device: "auto" (a GPU where there is one) or "cpu".
        checkpoint_every: steps between two checkpoints; what a crash can cost. Each epoch ends with one as well.
        eval_every: epochs between two validations; the last epoch always has one.
        patience: a stage ends early after so many validations in a row without a better rsum; null for never.
        log_every: steps between two lines of the log.
        tensorboard: write what is logged for TensorBoard too, into `tensorboard/` of the run's folder.
        workers: processes that prepare batches; 0 prepares them in the training process.
    """

    epochs: int = _least(1, 10)
    batch_size: int = _least(2, 128)
    sampling: str = _one_of("image", "caption", "class")
    captions_per_image: int = _least(1, 1)
    chunks: int = _least(1, 1)
    seed: int = _least(0, 0)
    precision: str = _one_of("no", "bf16", "fp16")
    device: str = _one_of("auto", "cpu")
    checkpoint_every: int = _least(1, 50)
    eval_every: int = _least(1, 1)
    patience: int | None = _least(1, None)
    log_every: int = _least(1, 10)
    tensorboard: bool = False
    workers: int = _least(0, 0)


@dataclass
class FinetuneConfig:
    """A second stage: the first trains with the encoders' pretrained parts frozen, this one trains everything.

    It starts from the weights of the first stage with a fresh optimizer and a schedule of its own.

    Args:
        epochs: 0 for one stage only, in which the encoders' own options say what is frozen.
        start: weights to start from, "last" (PCME) or "best" by rsum (the code released with DAA).
        lr_factor: the learning rates are those of `optim` times this; 0.1 in PCME on COCO, 1 on CUB.
        optim: what else differs from the section `optim`, such as {schedule: constant, warmup_epochs: 1}.
    """

    epochs: int = _least(0, 0)
    start: str = _one_of("last", "best")
    lr_factor: float = _above(0, 0.1)
    optim: dict[str, Any] = field(default_factory=dict)


@dataclass
class Config:
    """One run."""

    data: DataConfig = field(default_factory=DataConfig)
    encoders: EncoderConfig = field(default_factory=EncoderConfig)
    loss: LossConfig = field(default_factory=LossConfig)
    optim: OptimConfig = field(default_factory=OptimConfig)
    train: TrainConfig = field(default_factory=TrainConfig)
    finetune: FinetuneConfig = field(default_factory=FinetuneConfig)

    def to_dict(self) -> dict[str, Any]:
        """Plain dictionaries, for JSON and YAML."""
        return dataclasses.asdict(self)


def check_config(config: Config) -> None:
    """Refuse a value outside its range or its list of choices.

    Raises:
        ValueError: naming the key, what was expected and what came.
    """
    for section in fields(config):
        _check_section(section.name, getattr(config, section.name))
    loss = config.loss
    if loss.warmup_epochs and (loss.kind != "triplet" or not loss.options.get("hardest", True)):
        raise ValueError("loss.warmup_epochs: expected loss.kind triplet with the hardest negative, or 0")
    if config.data.shift and config.data.augment != "none":
        raise ValueError(f"data.shift: expected 0 beside data.augment {config.data.augment}, got {config.data.shift}")
    finetune_optim(config)


def finetune_optim(config: Config) -> OptimConfig:
    """The section `optim` of the second stage.

    >>> finetune_optim(Config(finetune=FinetuneConfig(optim={"warmup": 0.0}))).lr
    0.0001

    Raises:
        ValueError: an unknown key in `finetune.optim`, or a value out of its range.
    """
    optim, finetune = config.optim, config.finetune
    known = [item.name for item in fields(optim)]
    for name in finetune.optim:
        if name not in known:
            raise ValueError(f"finetune.optim: expected keys of optim, got {name!r}{closest(name, known)}")
    loss_lr = None if optim.loss_lr is None else optim.loss_lr * finetune.lr_factor
    rates = {"lr": optim.lr * finetune.lr_factor, "loss_lr": loss_lr}
    values: dict[str, Any] = {**rates, **finetune.optim}
    for item in fields(optim):
        if item.name in values:
            _check(f"finetune.optim.{item.name}", values[item.name], item.metadata)
            if isinstance(values[item.name], int) and str(item.type).startswith("float"):
                values[item.name] = float(values[item.name])
    return dataclasses.replace(optim, **values)


def _check_section(name: str, section: Any) -> None:
    for item in fields(section):
        _check(f"{name}.{item.name}", getattr(section, item.name), item.metadata)


def _check(key: str, value: Any, bounds: Any) -> None:
    choices = bounds.get("choices")
    if choices and value not in choices:
        raise ValueError(f"{key}: expected one of {', '.join(choices)}, got {value!r}{closest(str(value), choices)}")
    if value is None or choices or not bounds:
        return
    if not isinstance(value, int | float):
        raise ValueError(f"{key}: expected a number, got {value!r}")
    if not math.isfinite(value):
        raise ValueError(f"{key}: expected a finite number, got {value}")
    if "least" in bounds and not value >= bounds["least"]:
        raise ValueError(f"{key}: expected at least {bounds['least']}, got {value}")
    if "above" in bounds and not value > bounds["above"]:
        raise ValueError(f"{key}: expected a number above {bounds['above']}, got {value}")
    if "below" in bounds and not value < bounds["below"]:
        raise ValueError(f"{key}: expected a number below {bounds['below']}, got {value}")
