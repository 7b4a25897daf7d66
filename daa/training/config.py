"""What a training run is made of: typed sections, the range of each value beside it, read from YAML and `key=value`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, Literal

from omegaconf import OmegaConf
from pydantic import Field, field_validator, model_validator

from daa.names import AUGMENTATIONS, CONTRASTIVE_LOSSES, RELEVANCE_FORMS, check_name
from daa.training.section import Section, checked, load_section


class DataConfig(Section):
    """Which pairs."""

    name: str = "scenes"
    """A data set of `daa.datasets.load_dataset`."""
    root: str | None = None
    """Its folder, where it needs one; `${oc.env:DAA_DATA}/coco` reads an environment variable."""
    image_size: int = Field(default=64, ge=1)
    """Side of the square images, in pixels."""
    train: str = "train"
    """Name of the split that is learnt from."""
    val: str = "val"
    """Name of the split that validations see."""
    test: str = "test"
    """Name of the split that `daa evaluate` judges by."""
    train_images: int | None = Field(default=None, ge=1)
    """Use only the first so many images; null for all."""
    val_images: int | None = Field(default=None, ge=1)
    """The same for validations."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of `load_dataset`."""
    keep_images: bool = True
    """Decode images once and keep them in memory where they fit."""
    shift: int = Field(default=0, ge=0)
    """Augmentation: images move by up to so many pixels in each direction; 0 for none."""
    augment: str = "none"
    """Random views of the training images, by a name of `daa.names.AUGMENTATIONS`; each view is a function of (seed,
    step, image)."""

    @field_validator("augment")
    @classmethod
    def _known_augmentation(cls, name: str) -> str:
        check_name("data.augment", name, AUGMENTATIONS)
        return name

    @model_validator(mode="after")
    def _one_augmentation(self) -> DataConfig:
        if self.shift and self.augment != "none":
            raise ValueError(f"data.shift: expected 0 beside data.augment {self.augment}, got {self.shift}")
        return self


class EncoderConfig(Section):
    """Which encoders, see `daa.encoders.model.build_model`."""

    image: str = "conv-small"
    """Name of the image encoder."""
    text: str = "gru"
    """Name of the text encoder."""
    embedding_dim: int = Field(default=256, ge=1)
    """Size of both embeddings."""
    image_options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the image encoder, such as {width: 32}."""
    text_options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the text encoder."""
    similarity: str = "cosine"
    """How embeddings are compared."""
    similarity_options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the similarity."""
    min_word_count: int = Field(default=1, ge=1)
    """Words that occur less often in the training captions are unknown."""


class LossConfig(Section):
    """What is minimised: one contrastive loss, and weighted terms beside it; a weight of 0 leaves a term out.

    See `daa.training.objective.Objective` for the sum, and for the weights of the papers in its units.
    """

    kind: str = "soft-contrastive"
    """The contrastive loss, a name of `daa.names.CONTRASTIVE_LOSSES`; "soft-contrastive" is estimated by Monte-Carlo,
    "closed-form" is not."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of that loss, such as {margin: 0.1}."""
    samples: int = Field(default=5, ge=1)
    """Draws of each embedding for "soft-contrastive"."""
    warmup_epochs: int = Field(default=0, ge=0)
    """For "triplet" with the hardest negative: so many epochs sum over all negatives first, without which such a loss
    often collapses."""
    daa_weight: float = Field(default=0.0, ge=0)
    """Of the DAA loss."""
    daa_temperature: float = Field(default=0.01, gt=0)
    """Width of its soft step, in units of the model's scores; that of Smooth-AP beside another loss."""
    relevance: str = "tfidf"
    """What DAA ranks by, a name of `daa.relevance.relevance_by_name`; validation measures ASP by the same."""
    relevance_ranks: Literal["soft", "exact"] = "soft"
    """How DAA ranks the relevance itself."""
    relevance_form: str = "raw"
    """What of the relevance DAA ranks, a name of `daa.names.RELEVANCE_FORMS`; see `daa.losses.daa_loss`."""
    smooth_ap_weight: float = Field(default=0.0, ge=0)
    """Of Smooth-AP beside another loss."""
    kl_weight: float = Field(default=0.0, ge=0)
    """Of KL(N(mean, var) || N(0, 1)) of the embeddings."""
    kl_reduction: Literal["mean", "sum"] = "mean"
    """"mean" per image or caption and dimension, or "sum" over all of them, as in PCME's code."""
    uniformity_weight: float = Field(default=0.0, ge=0)
    """Of the uniformity of all images and captions together; 10 in PCME on CUB."""
    mmd_weight: float = Field(default=0.0, ge=0)
    """Of the discrepancy between the images' and the captions' points; 0.01 in PVSE with K = 2."""
    diversity_weight: float = Field(default=0.0, ge=0)
    """Of how alike the parts of one item are; 0.1 in PVSE with K = 2."""

    @field_validator("kind")
    @classmethod
    def _known_kind(cls, name: str) -> str:
        check_name("loss.kind", name, CONTRASTIVE_LOSSES)
        return name

    @field_validator("relevance_form")
    @classmethod
    def _known_form(cls, name: str) -> str:
        check_name("loss.relevance_form", name, RELEVANCE_FORMS)
        return name

    @model_validator(mode="after")
    def _warmup_to_the_hardest(self) -> LossConfig:
        if self.warmup_epochs and (self.kind != "triplet" or not self.options.get("hardest", True)):
            raise ValueError("loss.warmup_epochs: expected loss.kind triplet with the hardest negative, or 0")
        return self


class OptimConfig(Section):
    """How it is minimised."""

    name: Literal["adamw", "adam", "adamp", "sgd"] = "adamw"
    """The optimizer; "sgd" with momentum 0.9."""
    options: dict[str, Any] = Field(default_factory=dict)
    """Further arguments of the optimizer, such as {amsgrad: true}."""
    lr: float = Field(default=1e-3, gt=0)
    """Highest learning rate."""
    loss_lr: float | None = Field(default=None, gt=0)
    """Learning rate of the loss's own parameters (temperature, a and b); null for `lr`."""
    weight_decay: float = Field(default=0.01, ge=0)
    """Of the model's matrices and filters."""
    schedule: Literal["cosine", "constant", "step", "plateau"] = "cosine"
    """How the rate falls after the warm-up: "cosine" down to 0, by `factor` with "step" and "plateau"."""
    warmup: float = Field(default=0.1, ge=0, lt=1)
    """Share of the steps in which the rate rises from 0."""
    warmup_epochs: float = Field(default=0.0, ge=0)
    """The same in epochs; takes the place of `warmup` if it is above 0."""
    step_epochs: int = Field(default=15, ge=1)
    """For "step": the rate is multiplied by `factor` after so many epochs, and again after as many."""
    factor: float = Field(default=0.1, gt=0, lt=1)
    """For "step" and "plateau"."""
    plateau_patience: int = Field(default=10, ge=0)
    """For "plateau": validations without a better rsum that are put up with; one more, and the rate is multiplied by
    `factor`."""
    clip: float = Field(default=2.0, ge=0)
    """Largest norm of the gradient; 0 for no clipping."""


class TrainConfig(Section):
    """How long, in which portions, and what is kept."""

    epochs: int = Field(default=10, ge=1)
    """Of the first stage, the only one unless `finetune.epochs` is above 0."""
    batch_size: int = Field(default=128, ge=2)
    """Images a batch ("image" sampling) or pairs a batch ("caption" or "class"), over all processes."""
    sampling: Literal["image", "caption", "class"] = "image"
    """What an epoch is: "image" takes each image once with `captions_per_image` of its captions drawn anew, "caption"
    takes each caption once with its image, "class" takes steps of one caption a class."""
    captions_per_image: int = Field(default=1, ge=1)
    """For "image" sampling."""
    chunks: int = Field(default=1, ge=1)
    """A process embeds its share of a batch in so many parts, one after the other, to fit into memory; losses see the
    batch as a whole (gradient caching). Embedding is done twice if this is above 1."""
    seed: int = Field(default=0, ge=0)
    """Decides everything random."""
    precision: Literal["no", "bf16", "fp16"] = "no"
    """"no" (float32), "bf16" or "fp16" (GPU only)."""
    device: Literal["auto", "cpu"] = "auto"
    """"auto" (a GPU where there is one) or "cpu"."""
    checkpoint_every: int = Field(default=50, ge=1)
    """Steps between two checkpoints; what a crash can cost. Each epoch ends with one as well."""
    eval_every: int = Field(default=1, ge=1)
    """Epochs between two validations; the last epoch always has one."""
    patience: int | None = Field(default=None, ge=1)
    """A stage ends early after so many validations in a row without a better rsum; null for never."""
    log_every: int = Field(default=10, ge=1)
    """Steps between two lines of the log."""
    tensorboard: bool = False
    """Write what is logged for TensorBoard too, into `tensorboard/` of the run's folder."""
    workers: int = Field(default=0, ge=0)
    """Processes that prepare batches; 0 prepares them in the training process."""


class FinetuneConfig(Section):
    """A second stage: the first trains with the encoders' pretrained parts frozen, this one trains everything.

    It starts from the weights of the first stage with a fresh optimizer and a schedule of its own.
    """

    epochs: int = Field(default=0, ge=0)
    """0 for one stage only, in which the encoders' own options say what is frozen."""
    start: Literal["last", "best"] = "last"
    """Weights to start from, "last" (PCME) or "best" by rsum (the code released with DAA)."""
    lr_factor: float = Field(default=0.1, gt=0)
    """The learning rates are those of `optim` times this; 0.1 in PCME on COCO, 1 on CUB."""
    optim: dict[str, Any] = Field(default_factory=dict)
    """What else differs from the section `optim`, such as {schedule: constant, warmup_epochs: 1}."""


class Config(Section):
    """One run."""

    data: DataConfig = DataConfig()
    encoders: EncoderConfig = EncoderConfig()
    loss: LossConfig = LossConfig()
    optim: OptimConfig = OptimConfig()
    train: TrainConfig = TrainConfig()
    finetune: FinetuneConfig = FinetuneConfig()

    @model_validator(mode="after")
    def _finetune_is_valid(self) -> Config:
        self.finetune_optim()
        return self

    def finetune_optim(self) -> OptimConfig:
        """The section `optim` of the second stage.

        >>> Config(finetune=FinetuneConfig(optim={"warmup": 0.0})).finetune_optim().lr
        0.0001
        """
        factor, loss_lr = self.finetune.lr_factor, self.optim.loss_lr
        rates = {"lr": self.optim.lr * factor, "loss_lr": None if loss_lr is None else loss_lr * factor}
        return checked(OptimConfig, {**dict(self.optim), **rates, **self.finetune.optim}, "finetune.optim.")


def load_config(path: str | Path | None = None, overrides: Sequence[str] = ()) -> Config:
    """A configuration from a YAML file and overrides, all else as in `Config`.

    Args:
        path: the file, or the name of a shipped one such as "scenes-daa"; None for the defaults.
        overrides: such as `"loss.daa_weight=2"`; the value is read as YAML. Dictionaries are merged, and
            `"loss.options={}"` empties one.

    Raises:
        FileNotFoundError: no such file.
        ValueError: not YAML, an unknown key (the message has the closest known one), or a value of the wrong type or
            outside its range.

    >>> load_config(overrides=["loss.daa_weight=2", "optim.lr=1e-3"]).loss.daa_weight
    2.0
    >>> load_config(overrides=["loss.daa_wieght=2"])
    Traceback (most recent call last):
    ValueError: overrides: unknown key loss.daa_wieght; did you mean loss.daa_weight?
    """
    return load_section(Config, path, overrides)


def save_config(config: Config, path: str | Path) -> None:
    """Write a configuration as YAML that `load_config` reads."""
    OmegaConf.save(OmegaConf.create(config.to_dict()), path)
