"""The images of a data set as batches: opened once and kept as bytes where they fit, opened anew where they do not."""

from __future__ import annotations

import os
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from daa.datasets.base import ImageTextDataset


class ImageInputs:
    """Images of a data set by index, in batches.

    Small sets are decoded once and kept, as bytes when every value is a multiple of 1/255 (any transform that only
    resizes and crops), else as floats; so an epoch costs no decoding. Larger sets, and transforms that draw at random,
    are read anew for each batch.

    Args:
        dataset: where the images come from.
        keep: decode once and keep. Use False with a random transform.
        limit: the most memory to keep, in bytes; sets above it are read anew.

    >>> from PIL import Image
    >>> from daa.corpus import CaptionCorpus
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
