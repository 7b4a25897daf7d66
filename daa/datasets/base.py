"""The one form in which every data set hands over its image-caption pairs: pictures as tensors, beside a corpus."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from daa.corpus import CaptionCorpus
from daa.names import AUGMENTATIONS

IMAGENET_MEAN = (0.485, 0.456, 0.406)


class ImageTextDataset(Dataset):
    """Images with their captions: one item is one annotated pair.

    Item `c` is the pair of caption `c` and its own image, as `(image [3, H, W] in [0, 1] or normalised, c)`. The texts
    stay in `corpus`, since each text encoder has a tokenizer of its own.

    Args:
        corpus: the captions and what is known to match.
        load_image: opens image `i` (an index into the corpus) as an RGB picture, or as what `transform` takes.
        transform: from a picture to a float tensor [3, H, W]; by default resized so that the shorter side is
            `resize`, centre-cropped to a square and scaled to [0, 1].
        image_size: side of the square, in pixels, of the default transform and of the augmentation.
        augment: the random view that `augmented` gives, by its name, see `training_transform`; `"none"` for none.
        resize: the shorter side before the crop, in pixels; by default `image_size`. The papers take 256 for 224.
    """

    def __init__(
        self,
        corpus: CaptionCorpus,
        load_image: Callable[[int], Any],
        transform: Callable[[Any], Tensor] | None = None,
        image_size: int = 224,
        augment: str = "none",
        resize: int | None = None,
    ) -> None:
        self.corpus = corpus
        self.load_image = load_image
        self.transform: Callable[[Any], Tensor] = transform or evaluation_transform(image_size, resize)
        self._random_view = training_transform(augment, image_size, resize)

    def __len__(self) -> int:
        return self.corpus.n_captions

    def image(self, i: int) -> Float[Tensor, ...]:
        """Image `i` as the model sees it: [3, height, width], or [regions, features] where a data set has those."""
        return self.transform(self.load_image(i))

    def augmented(self, i: int, seed: int) -> Float[Tensor, ...]:
        """A random view of image `i` to train on, a function of `(i, seed)` alone; the image itself without `augment`.

        >>> corpus = CaptionCorpus(captions=["grey"], image_of_caption=[0])
        >>> picture = Image.linear_gradient("L").convert("RGB")
        >>> dataset = ImageTextDataset(corpus, lambda i: picture, image_size=8, augment="crop-flip")
        >>> first, again, other = (dataset.augmented(0, seed) for seed in (1, 1, 2))
        >>> bool((first == again).all()), bool((first == other).all())
        (True, False)
        """
        if self._random_view is None:
            return self.image(i)
        return seeded(self._random_view, self.load_image(i), i, seed)

    def select(self, images: Sequence[int] | np.ndarray | slice) -> ImageTextDataset:
        """Some of the images, with their captions, as `corpus.select` takes them."""
        part = object.__new__(ImageTextDataset)
        part.corpus = self.corpus.select(images)
        part.load_image = Chosen(self.load_image, np.arange(self.corpus.n_images)[images])
        part.transform, part._random_view = self.transform, self._random_view
        return part

    def __getitem__(self, c: int) -> tuple[Tensor, int]:
        return self.image(int(self.corpus.image_of_caption[c])), c


class ImageInputs:
    """Images of a data set by index, in batches.

    Small sets are decoded once and kept, as bytes when every value is a multiple of 1/255 (any transform that only
    resizes and crops), else as floats; so an epoch costs no decoding. Larger sets, and transforms that draw at random,
    are read anew for each batch.

    Args:
        dataset: where the images come from.
        keep: decode once and keep. Use False with a random transform.
        limit: the most memory to keep, in bytes; sets above it are read anew.

    >>> corpus = CaptionCorpus(captions=["black", "white"], image_of_caption=[0, 1])
    >>> dataset = ImageTextDataset(corpus, lambda i: Image.new("RGB", (8, 8), (255 * i,) * 3), image_size=8)
    >>> ImageInputs(dataset).batch([1, 0]).mean(dim=(1, 2, 3)).tolist()
    [1.0, 0.0]
    """

    def __init__(self, dataset: ImageTextDataset, keep: bool = True, limit: int = 2 * 1024**3) -> None:
        self.dataset = dataset
        self._kept: Tensor | None = None
        if keep:
            first = dataset.image(0)
            as_bytes = _is_bytes(first)
            if first.numel() * dataset.corpus.n_images * (1 if as_bytes else 4) <= limit:
                self._kept = self._decode(first, as_bytes)

    def _decode(self, first: Tensor, as_bytes: bool) -> Tensor:
        n = self.dataset.corpus.n_images
        kept = torch.empty((n, *first.shape), dtype=torch.uint8 if as_bytes else torch.float32)

        def fill(i: int) -> bool:
            image = self.dataset.image(i)
            if image.shape != first.shape:
                raise ValueError(
                    f"dataset: expected images of one shape, but image 0 is {tuple(first.shape)} and image {i} "
                    f"{tuple(image.shape)}; use a transform that crops"
                )
            kept[i] = (image * 255).round() if as_bytes else image
            return not as_bytes or _is_bytes(image)

        with ThreadPoolExecutor(max_workers=min(8, os.cpu_count() or 1)) as pool:
            if all(pool.map(fill, range(n))):
                return kept
        return self._decode(first, as_bytes=False)

    def __len__(self) -> int:
        return self.dataset.corpus.n_images

    def batch(self, images: Sequence[int] | np.ndarray) -> Float[Tensor, "batch ..."]:
        """The images with these indices, in this order."""
        if self._kept is None:
            return torch.stack([self.dataset.image(int(i)) for i in images]).float()
        chosen = self._kept[torch.as_tensor(np.asarray(images))]
        return chosen.float() / 255 if chosen.dtype == torch.uint8 else chosen


def _is_bytes(image: Tensor) -> bool:
    scaled = image * 255
    return bool(((scaled - scaled.round()).abs() < 1e-3).all() and (image >= 0).all() and (image <= 1).all())


@dataclass(frozen=True, eq=False)
class Chosen:
    """Counts only some of the images that something opens."""

    load_image: Callable[[int], Any]
    images: np.ndarray

    def __call__(self, i: int) -> Any:
        return self.load_image(int(self.images[i]))


def evaluation_transform(image_size: int = 224, resize: int | None = None) -> Callable[[Image.Image], Tensor]:
    """Resize the shorter side, cut a square from the middle, scale to [0, 1].

    Args:
        image_size: side of the square, in pixels.
        resize: length of the shorter side before the cut, at least `image_size`, its default. VSE++, PVSE and PCME
            resize to 256 for a square of 224.

    Returns:
        From an RGB picture to a float tensor [3, image_size, image_size]. Encoders normalise.

    >>> evaluation_transform(32)(Image.new("RGB", (60, 40), "white")).shape
    torch.Size([3, 32, 32])
    """
    resize = image_size if resize is None else resize
    if image_size < 1 or resize < image_size:
        raise ValueError(f"resize: expected at least image_size, {image_size} pixels, got {resize}")
    return v2.Compose([v2.ToImage(), v2.Resize(resize), v2.CenterCrop(image_size), *_to_float()])


def training_transform(
    name: str, image_size: int = 224, resize: int | None = None
) -> Callable[[Image.Image], Tensor] | None:
    """A random view of a picture, by name; it draws from torch's global generator.

    `"crop-flip"`: a random part of 8 % to all of the picture, stretched to the square, mirrored with probability 1/2
    (VSE++, PVSE). `"crop-flip-erase"`: then, with probability 0.2, a random rectangle of 2 % to 33 % of it painted in
    ImageNet's mean colour, which encoders normalise to 0 (PCME on COCO). `"erase"`: only that, on the evaluation's view
    (PCME on CUB).

    Args:
        name: one of `AUGMENTATIONS`; `"none"` has no transform, and None is returned.
        image_size: side of the square, in pixels.
        resize: as for `evaluation_transform`, where it is the view that is erased from.

    >>> training_transform("crop-flip", 16)(Image.new("RGB", (60, 40), "white")).shape
    torch.Size([3, 16, 16])
    """
    if name not in AUGMENTATIONS:
        raise ValueError(f"augment: expected one of {', '.join(AUGMENTATIONS)}, got {name!r}")
    if name == "none":
        return None
    view: list[Any] = [evaluation_transform(image_size, resize)]
    if name != "erase":
        crop = v2.RandomResizedCrop(image_size, antialias=True)
        view = [v2.ToImage(), crop, v2.RandomHorizontalFlip(), *_to_float()]
    if name != "crop-flip":
        view.append(v2.RandomErasing(p=0.2, scale=(0.02, 1 / 3), ratio=(0.3, 10 / 3), value=list(IMAGENET_MEAN)))
    return v2.Compose(view)


def seeded(
    transform: Callable[[Image.Image], Tensor], picture: Image.Image, i: int, seed: int
) -> Float[Tensor, "3 height width"]:
    """A random transform's view of picture `i`: a function of `(i, seed)` alone, whatever was drawn before.

    The global generator is as it was afterwards. Not for threads of one process, which share that generator.
    """
    words = np.random.SeedSequence([seed, i]).generate_state(2, np.uint64)
    with torch.random.fork_rng(devices=[]):
        torch.default_generator.manual_seed(int(words[0] >> np.uint64(1)))
        return transform(picture)


def _to_float() -> list[Any]:
    return [v2.ToDtype(torch.float32, scale=True), v2.ToPureTensor()]
