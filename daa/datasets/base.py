"""The one form in which every data set hands over its image-caption pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from jaxtyping import Float
from PIL import Image
from torch import Tensor
from torch.utils.data import Dataset
from torchvision.transforms import v2

from daa.corpus import CaptionCorpus


class ImageTextDataset(Dataset):
    """Images with their captions: one item is one annotated pair.

    Item `c` is the pair of caption `c` and its own image, as `(image [3, H, W] in [0, 1] or normalised, c)`. The texts
    stay in `corpus`, since each text encoder has a tokenizer of its own.

    Args:
        corpus: the captions and what is known to match.
        load_image: opens image `i` (an index into the corpus) as an RGB picture.
        transform: from a picture to a float tensor [3, H, W]; by default resized so that the shorter side is
            `image_size`, centre-cropped to a square and scaled to [0, 1].
        image_size: side of the square, in pixels, of the default transform.
    """

    def __init__(
        self,
        corpus: CaptionCorpus,
        load_image: Callable[[int], Image.Image],
        transform: Callable[[Image.Image], Tensor] | None = None,
        image_size: int = 224,
    ) -> None:
        self.corpus = corpus
        self.load_image = load_image
        self.transform: Callable[[Any], Tensor] = transform or v2.Compose(
            [v2.ToImage(), v2.Resize(image_size), v2.CenterCrop(image_size), v2.ToDtype(torch.float32, scale=True)]
        )

    def __len__(self) -> int:
        return self.corpus.n_captions

    def image(self, i: int) -> Float[Tensor, "3 height width"]:
        """Image `i` as the model sees it."""
        return self.transform(self.load_image(i))

    def __getitem__(self, c: int) -> tuple[Tensor, int]:
        return self.image(int(self.corpus.image_of_caption[c])), c
