"""Which images and captions a step sees: a function of (seed, step) alone, so that a run can be taken up anywhere."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor
from torch.utils.data import Dataset

from daa.corpus import CaptionsByImage
from daa.datasets.base import ImageInputs
from daa.training.config import Config
from daa.training.seeds import derived_seed, numpy_generator


@dataclass
class Batch:
    """What one step sees; row p of `positives` is image p of the batch, column q its caption q.

    Where several processes share a batch, each holds the inputs of its share only, and all else of the whole batch.

    Args:
        step: number of the step in the run, from 0.
        images: inputs of the image encoder, each image of the batch (or of the share of it) once.
        tokens: inputs of the text encoder, one row a caption of the batch (or of the share of it).
        image_index: which images of the corpus.
        caption_index: which captions of the corpus.
        positives: caption q was collected for image p; captions of one image are all its positives.
        relevance: how alike caption q is to image p's captions; None if no loss asks for it.
    """

    step: int
    images: Float[Tensor, "share ..."]
    tokens: dict[str, Tensor]
    image_index: Int[Tensor, " images"]
    caption_index: Int[Tensor, " captions"]
    positives: Bool[Tensor, "images captions"]
    relevance: Float[Tensor, "images captions"] | None = None

    def to(self, device: torch.device) -> Batch:
        """The same batch on another device."""
        return Batch(
            self.step,
            self.images.to(device),
            {name: rows.to(device) for name, rows in self.tokens.items()},
            self.image_index,
            self.caption_index,
            self.positives.to(device),
            None if self.relevance is None else self.relevance.to(device),
        )


class Sampler:
    """Which captions and images make up step `step`.

    "image" sampling: an epoch takes each image once, with `captions_per_image` of its captions drawn anew (all of them
    if it has fewer). "caption" sampling: an epoch takes each caption once, with its image; an image that comes twice
    in a batch is one row with two positives. The last, smaller batch of an epoch is left out unless it is the only one.
    "class" sampling: a step takes one caption of each of `batch_size` classes, drawn anew, with its image, and an epoch
    has as many steps as with "caption"; so PCME draws on CUB, where all images of a class match all its captions.

    Args:
        image_of_caption: for each caption the index of its image.
        batch_size: images ("image" sampling), captions ("caption") or classes ("class") in a batch.
        sampling: "image", "caption" or "class".
        captions_per_image: see above.
        seed: seed of the run.
        labels: classes of each image, for "class" sampling.

    Raises:
        ValueError: "class" sampling without labels, or with fewer classes than `batch_size`.

    >>> sampler = Sampler(np.array([0, 0, 1, 1]), batch_size=2, captions_per_image=2)
    >>> images, captions = sampler.step(7)
    >>> sorted(images.tolist()), sorted(captions.tolist())
    ([0, 1], [0, 1, 2, 3])
    """

    def __init__(
        self,
        image_of_caption: np.ndarray,
        batch_size: int,
        sampling: str = "image",
        captions_per_image: int = 1,
        seed: int = 0,
        labels: Bool[np.ndarray, "images classes"] | None = None,
    ) -> None:
        self.image_of_caption = np.asarray(image_of_caption)
        self.batch_size = batch_size
        self.sampling = sampling
        self.captions_per_image = captions_per_image
        self.seed = seed
        self._by_image = CaptionsByImage.group(self.image_of_caption)
        self._items = len(self._by_image.counts if sampling == "image" else self.image_of_caption)
        self.steps_per_epoch = max(1, self._items // batch_size)
        self._epoch: tuple[int, np.ndarray] = (-1, np.array([]))
        self._of_class: list[np.ndarray] = []
        if sampling == "class":
            of_captions = np.zeros((0, 0), bool) if labels is None else labels[self.image_of_caption]
            self._of_class = [np.flatnonzero(column) for column in of_captions.T if column.any()]
            if len(self._of_class) < batch_size:
                raise ValueError(
                    f"train.sampling: class takes a caption of each of {batch_size} classes (train.batch_size), but "
                    f"the training images have labels of {len(self._of_class)}"
                )

    def step(self, step: int) -> tuple[np.ndarray, np.ndarray]:
        """(images, captions) of a step: distinct indices into the corpus; every caption's image is among the images."""
        if self.sampling == "class":
            draw = numpy_generator(self.seed, "captions", step)
            classes = draw.permutation(len(self._of_class))[: self.batch_size]
            captions = np.unique([draw.choice(self._of_class[k]) for k in classes])  # an image may be of several
            return np.unique(self.image_of_caption[captions]), captions
        epoch, within = divmod(step, self.steps_per_epoch)
        if self._epoch[0] != epoch:
            self._epoch = (epoch, numpy_generator(self.seed, "order", epoch).permutation(self._items))
        chosen = self._epoch[1][within * self.batch_size : (within + 1) * self.batch_size]
        if self.sampling == "caption":
            return np.unique(self.image_of_caption[chosen]), chosen
        generator = numpy_generator(self.seed, "captions", step)
        of_images = [generator.permutation(self._by_image.of(i))[: self.captions_per_image] for i in chosen]
        return chosen, np.concatenate(of_images)


class Batches(Dataset):
    """The batches of a run by step: item `step` is a whole `Batch`, so any loader can prepare them in any order.

    Args:
        inputs: images of the training split.
        tokens: all its captions as the text encoder reads them.
        config: of the run.
        relevance: fitted on the split, if a loss asks for it.
        share: (k, n) for the k-th of n processes, from 0: only its inputs are read.
    """

    def __init__(
        self,
        inputs: ImageInputs,
        tokens: Mapping[str, Tensor],
        config: Config,
        relevance: Any = None,
        share: tuple[int, int] = (0, 1),
    ) -> None:
        self.inputs = inputs
        self.tokens = dict(tokens)
        self.relevance = relevance
        self.image_of_caption = inputs.dataset.corpus.image_of_caption
        self.shift = config.data.shift
        self.augment = config.data.augment != "none"
        self.share = share
        self.seed = config.train.seed
        train = config.train
        labels = inputs.dataset.corpus.labels
        self.sampler = Sampler(
            self.image_of_caption, train.batch_size, train.sampling, train.captions_per_image, train.seed, labels
        )
        self.steps = (train.epochs + config.finetune.epochs) * self.sampler.steps_per_epoch

    def __len__(self) -> int:
        return self.steps

    def __getitem__(self, step: int) -> Batch:
        images, captions = self.sampler.step(step)
        own_captions = torch.from_numpy(captions[split(len(captions), *self.share)])
        return Batch(
            step,
            self._pixels(step, images, split(len(images), *self.share)),
            {name: rows[own_captions] for name, rows in self.tokens.items()},
            torch.from_numpy(images),
            torch.from_numpy(captions),
            torch.from_numpy(images[:, None] == self.image_of_caption[captions][None]),
            None if self.relevance is None else self.relevance.batch(images, captions),
        )

    def _pixels(self, step: int, images: np.ndarray, own: slice) -> Float[Tensor, "images ..."]:
        if self.augment:
            seed = derived_seed(self.seed, "view", step)
            return torch.stack([self.inputs.dataset.augmented(int(i), seed) for i in images[own]]).float()
        pixels = self.inputs.batch(images[own])
        if self.shift:
            offsets = numpy_generator(self.seed, "augmentation", step).integers(
                0, 2 * self.shift + 1, size=(len(images), 2)
            )
            pixels = _shifted(pixels, self.shift, offsets[own])
        return pixels


def split(n: int, part: int, parts: int) -> slice:
    """Part number `part` of n rows in so many parts of nearly one size.

    >>> [list(range(7))[split(7, part, 3)] for part in range(3)]
    [[0, 1], [2, 3], [4, 5, 6]]
    """
    return slice(part * n // parts, (part + 1) * n // parts)


def _shifted(
    images: Float[Tensor, "batch c height width"], pixels: int, offsets: np.ndarray
) -> Float[Tensor, "batch c height width"]:
    """Each image moved by its offset, which is in [0, 2 pixels] both ways, `pixels` for none; its border repeated."""
    height, width = images.shape[-2:]
    padded = torch.nn.functional.pad(images, [pixels] * 4, mode="replicate")
    return torch.stack([row[:, y : y + height, x : x + width] for row, (y, x) in zip(padded, offsets, strict=True)])
