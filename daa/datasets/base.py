"""The one form in which every data set hands over its image-caption pairs, and where its files lie."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
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
        load_image: opens image `i` (an index into the corpus) as an RGB picture, or as what `transform` takes.
        transform: from a picture to a float tensor [3, H, W]; by default resized so that the shorter side is
            `resize`, centre-cropped to a square and scaled to [0, 1].
        image_size: side of the square, in pixels, of the default transform and of the augmentation.
        augment: the random view that `augmented` gives, by its name in `daa.datasets.transforms`; `"none"` for none.
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


@dataclass(frozen=True)
class Split:
    """What a reader gives: the captions of a split, and its images when they are asked for.

    Args:
        corpus: the captions and what is known to match.
        find_images: gives `load_image` of `ImageTextDataset`; raises FileNotFoundError if images are missing.
        transform: of `ImageTextDataset`, for what is no picture.
    """

    corpus: CaptionCorpus
    find_images: Callable[[], Callable[[int], Any]]
    transform: Callable[[Any], Tensor] | None = None


@dataclass(frozen=True, eq=False)
class Chosen:
    """Counts only some of the images that something opens."""

    load_image: Callable[[int], Any]
    images: np.ndarray

    def __call__(self, i: int) -> Any:
        return self.load_image(int(self.images[i]))


def data_root(root: str | PathLike[str] | None, name: str, contents: str, inside: bool = True) -> Path:
    """The folder given, or else `<name>/` under the environment variable DAA_DATA (without `inside`, that itself).

    Raises:
        FileNotFoundError: if neither is known, or there is no such folder, saying what belongs there.
    """
    if root is not None:
        return Path(root)
    data = os.environ.get("DAA_DATA")
    if not data:
        raise FileNotFoundError(
            f"root: {name} needs a folder {name}/ with {contents}; "
            f"give root, or set the environment variable DAA_DATA to the folder that holds {name}/"
        )
    return Path(data, name) if inside else Path(data)


def check_counts(**options: int | None) -> None:
    """Raises ValueError for an option, by its name, that is neither None nor a number from 1."""
    for option, value in options.items():
        if value is not None and value < 1:
            raise ValueError(f"{option}: expected None or a number from 1, got {value}")


def first_file(folder: Path, places: Iterable[str], mend: str) -> Path:
    """The first of some places (relative to the folder) that is a file.

    Raises:
        FileNotFoundError: naming the places and what mends it.
    """
    places = list(places)
    for place in places:
        if (folder / place).is_file():
            return folder / place
    others = f" (nor {', '.join(places[1:])} in that folder)" if places[1:] else ""
    raise FileNotFoundError(f"{folder / places[0]}: no such file{others}; {mend}")


@dataclass(frozen=True)
class ImageFiles:
    """Opens the i-th of some image files as an RGB picture."""

    paths: tuple[Path, ...]

    def __call__(self, i: int) -> Image.Image:
        try:
            with Image.open(self.paths[i]) as image:
                return image.convert("RGB")
        except FileNotFoundError:
            raise
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"{self.paths[i]}: expected a picture, got {error}; download it again") from None


def image_paths(folder: Path, names: Sequence[str], mend: str | None = None) -> list[Path]:
    """The image files, all of them checked to exist by one listing of their folder.

    Raises:
        FileNotFoundError: naming the first that is missing, how many are, and what mends it.
    """
    mend = mend or "put them there, or use annotations of the images you have"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; expected the {len(names)} images that the annotations name: {mend}"
        )
    present = set(os.listdir(folder))
    missing = [name for name in names if name not in present]
    if missing:
        raise FileNotFoundError(
            f"{folder / missing[0]}: no such image; {len(missing)} of the {len(names)} images that the annotations "
            f"name are missing: {mend}"
        )
    return [folder / name for name in names]
