"""Data sets by name: `load_corpus` for captions and what matches, `load_dataset` for images with captions."""

from __future__ import annotations

import inspect
from functools import partial
from os import PathLike
from typing import Any

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageTextDataset
from daa.names import CORPORA, check_name

DATASETS = tuple(name for name in CORPORA if name != "coco-5k")
KARPATHY_SPLITS = ("train", "val", "test")


def load_corpus(
    name: str, split: str | None = None, root: str | PathLike[str] | None = None, **options: Any
) -> CaptionCorpus:
    """Captions, the images they belong to, and what is known to match.

    Args:
        name: `"scenes"` (procedural, needs no files), `"coco-5k"` (captions of the COCO 5K test split), `"coco"`,
            `"flickr30k"`, `"cub"` or `"precomputed"` (captions beside image features, in the layout of SCAN).
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
    if name == "coco-5k":
        if split not in (None, "test"):
            raise ValueError(f'split: coco-5k is a test split, expected "test", got {split!r}')
        from daa.datasets.coco import coco_5k_corpus

        return _call(coco_5k_corpus, name, root=root, **options)
    if name in ("coco", "flickr30k") and (name == "flickr30k" or split in KARPATHY_SPLITS):
        from daa.datasets.karpathy import karpathy_corpus

        return _call(partial(karpathy_corpus, name), name, split=split or "test", root=root, **options)
    if name == "coco":
        return load_dataset(name, split, root, **options).corpus
    if name == "cub":
        from daa.datasets.cub import cub_corpus

        return _call(cub_corpus, name, split=split or "test", root=root, **options)
    if name == "precomputed":
        from daa.datasets.precomputed import precomputed_corpus

        return _call(precomputed_corpus, name, split=split or "test", root=root, **options)
    from daa.datasets.scenes import scenes_corpus

    return _call(scenes_corpus, name, split=split or "test", **options)


def load_dataset(
    name: str, split: str | None = None, root: str | PathLike[str] | None = None, **options: Any
) -> ImageTextDataset:
    """Images with their captions.

    Args:
        name: `"scenes"` (procedural, needs no files), `"coco"`, `"flickr30k"`, `"cub"`, or `"precomputed"`, whose
            images are features [regions, features].
        split: as for `load_corpus`.
        root: folder with the data set's files, where it needs any; by default the data set's own default.
        options: passed on to the data set, such as `image_size=64` or `augment="crop-flip"`.

    Raises:
        ValueError: if the name, the split or an option is unknown.

    >>> load_dataset("scenes", split="val", n_images=3, image_size=32).image(0).shape
    torch.Size([3, 32, 32])
    """
    if name == "coco-5k":
        raise ValueError('name: "coco-5k" has captions only; use load_corpus("coco-5k"), or load_dataset("coco")')
    check_name("name", name, DATASETS)
    if name in ("coco", "flickr30k") and (name == "flickr30k" or split in KARPATHY_SPLITS):
        from daa.datasets.karpathy import karpathy_dataset

        return _call(partial(karpathy_dataset, name), name, split=split or "test", root=root, **options)
    if name == "cub":
        from daa.datasets.cub import cub_dataset

        return _call(cub_dataset, name, split=split or "test", root=root, **options)
    if name == "precomputed":
        from daa.datasets.precomputed import precomputed_dataset

        return _call(precomputed_dataset, name, split=split or "test", root=root, **options)
    if name == "coco":
        from daa.datasets.coco import coco_dataset

        return _call(coco_dataset, name, root=root, split=split or "val2017", **options)
    from daa.datasets.scenes import scenes_dataset

    return _call(scenes_dataset, name, split=split or "test", **options)


def _call(load: Any, name: str, **options: Any) -> Any:
    """Calls a loader; an option it does not have is bad input, not a programming error."""
    parameters = inspect.signature(load).parameters
    for option in options:
        if option not in parameters and not any(p.kind is p.VAR_KEYWORD for p in parameters.values()):
            raise ValueError(f"{option}: {name} has no such option; it has {', '.join(parameters)}")
    return load(**options)


__all__ = ["CORPORA", "DATASETS", "ImageTextDataset", "load_corpus", "load_dataset"]
