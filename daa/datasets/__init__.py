"""Data sets by name: `load_corpus` for captions and what matches, `load_dataset` for images with captions."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from functools import partial
from os import PathLike
from typing import Any

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageTextDataset
from daa.datasets.coco import coco_5k_corpus, read_coco
from daa.datasets.cub import read_cub
from daa.datasets.flickr8k import read_flickr8k
from daa.datasets.karpathy import SPLITS, read_karpathy
from daa.datasets.precomputed import read_precomputed
from daa.datasets.reading import Split
from daa.datasets.scenes import scenes_corpus, scenes_dataset
from daa.names import CORPORA, check_name

DATASETS = tuple(name for name in CORPORA if name != "coco-5k")
READERS: dict[str, Callable[..., Split]] = {
    "coco": partial(read_karpathy, "coco"),  # or `read_coco`, by the split
    "flickr30k": partial(read_karpathy, "flickr30k"),
    "flickr8k": read_flickr8k,
    "cub": read_cub,
    "precomputed": read_precomputed,
}
VIEWS = ("image_size", "transform", "augment", "resize")  # options of `ImageTextDataset`


def load_corpus(
    name: str, split: str | None = None, root: str | PathLike[str] | None = None, **options: Any
) -> CaptionCorpus:
    """Captions, the images they belong to, and what is known to match.

    Args:
        name: `"scenes"` (procedural, needs no files), `"coco-5k"` (captions of the COCO 5K test split), `"coco"`,
            `"flickr30k"`, `"flickr8k"`, `"cub"` or `"precomputed"` (captions beside image features, in the layout of
            SCAN).
        split: `"train"`, `"val"` or `"test"`, which for coco and flickr30k are Karpathy's; coco also has `"train2017"`
            and `"val2017"`, coco-5k only `"test"`; precomputed has those whose files are there. By default `"test"`,
            for coco `"val2017"`.
        root: folder with the data set's files, where it needs any; by default the data set's own default.
        options: passed on to the data set, such as `seed=1, n_images=100` for scenes.

    Raises:
        ValueError: if the name, the split or an option is unknown.

    >>> load_corpus("scenes", split="val", n_images=3)
    CaptionCorpus('scenes-val', 3 images, 15 captions, truths: annotated, exhaustive)
    """
    check_name("name", name, CORPORA)
    if name == "scenes":
        return _call(scenes_corpus, name, (), split=split or "test", **options)
    if name != "coco-5k":
        return _read(name, split, root, (), options).corpus
    if split not in (None, "test"):
        raise ValueError(f'split: coco-5k is a test split, expected "test", got {split!r}')
    return _call(coco_5k_corpus, name, (), root=root, **options)


def load_dataset(
    name: str, split: str | None = None, root: str | PathLike[str] | None = None, **options: Any
) -> ImageTextDataset:
    """Images with their captions.

    Args:
        name: `"scenes"` (procedural, needs no files), `"coco"`, `"flickr30k"`, `"flickr8k"`, `"cub"`, or
            `"precomputed"`, whose images are features [regions, features].
        split: as for `load_corpus`.
        root: folder with the data set's files, where it needs any; by default the data set's own default.
        options: passed on to the data set, such as `n_images=1000`, and to `ImageTextDataset`: `image_size=64`,
            `transform`, `augment="crop-flip"`, `resize`. Features have no size: `image_size` changes nothing there.

    Raises:
        ValueError: if the name, the split or an option is unknown.

    >>> load_dataset("scenes", split="val", n_images=3, image_size=32).image(0).shape
    torch.Size([3, 32, 32])
    """
    if name == "coco-5k":
        raise ValueError('name: "coco-5k" has captions only; use load_corpus("coco-5k"), or load_dataset("coco")')
    check_name("name", name, DATASETS)
    if name == "scenes":
        return _call(scenes_dataset, name, (), split=split or "test", **options)
    views = VIEWS if name != "precomputed" else VIEWS[:1]
    part = _read(name, split, root, views, {key: options[key] for key in options if key not in views})
    view = {key: options[key] for key in options if key in views}
    if part.transform is not None:  # features, to which a size has no meaning; configurations have one for all data
        view = {"transform": part.transform}
    return ImageTextDataset(part.corpus, part.find_images(), **view)


def _read(
    name: str, split: str | None, root: str | PathLike[str] | None, others: Sequence[str], options: dict[str, Any]
) -> Split:
    read = read_coco if name == "coco" and split not in SPLITS else READERS[name]
    split = split or ("val2017" if name == "coco" else "test")
    return _call(read, name, others, split=split, root=root, **options)


def _call(read: Callable[..., Any], name: str, others: Sequence[str], **options: Any) -> Any:
    """Calls a reader; an option that neither it nor `others` has is bad input, not a programming error."""
    known = inspect.signature(read).parameters
    for option in options:
        if option not in known:
            raise ValueError(f"{option}: {name} has no such option; it has {', '.join([*known, *others])}")
    return read(**options)


__all__ = ["CORPORA", "DATASETS", "ImageTextDataset", "load_corpus", "load_dataset"]
