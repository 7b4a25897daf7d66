"""The one form in which every data set hands over its image-caption pairs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset

from daa.corpus import CaptionCorpus
from daa.datasets.transforms import evaluation_transform, seeded, training_transform


class ImageTextDataset(Dataset):
    """Images with their captions: one item is one annotated pair.

    Item `c` is the pair of caption `c` and its own image, as `(image [3, H, W] in [0, 1] or normalised, c)`. The texts
    stay in `corpus`, since each text encoder has a tokenizer of its own.

    Args:
        corpus: the captions and what is known to match.
        load_image: opens image `i` (an index into the corpus) as an RGB picture.
        transform: from a picture to a float tensor [3, H, W]; by default resized so that the shorter side is
            `resize`, centre-cropped to a square and scaled to [0, 1].
        image_size: side of the square, in pixels, of the default transform and of the augmentation.
        augment: the random view that `augmented` gives, by its name in `daa.datasets.transforms`; `"none"` for none.
        resize: the shorter side before the crop, in pixels; by default `image_size`. The papers take 256 for 224.
    """

    def __init__(
        self,
        corpus: CaptionCorpus,
        load_image: Callable[[int], Image.Image],
        transform: Callable[[Image.Image], Tensor] | None = None,
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


@dataclass(frozen=True, eq=False)
class Chosen:
    """Counts only some of the images that something opens."""

    load_image: Callable[[int], Any]
    images: np.ndarray

    def __call__(self, i: int) -> Any:
        return self.load_image(int(self.images[i]))
