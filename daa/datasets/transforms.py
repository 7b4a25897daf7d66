"""From pictures to tensors: one fixed view for evaluation, and the random views that the papers train on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torchvision.transforms import v2

from daa.names import AUGMENTATIONS

IMAGENET_MEAN = (0.485, 0.456, 0.406)


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
