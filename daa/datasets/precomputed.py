"""Image features in the layout of SCAN: `{split}_ims.npy`, memory-mapped, beside `{split}_caps.txt`."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from daa.corpus import CaptionCorpus
from daa.datasets.feature_cache import truths_path, with_truths, write_features
from daa.datasets.reading import Split, check_counts, data_root, read_caption_files, read_ids, read_lines

_KAGGLE = "SCAN's features: https://www.kaggle.com/datasets/kuanghueilee/scan-features"
N_COMPARED = 32


def read_precomputed(
    split: str = "test",
    root: str | PathLike[str] | None = None,
    n_images: int | None = None,
    captions_per_image: int | None = None,
) -> Split:
    """Captions with features of their images: `.image(i)` is float32 [regions, features], read from the disk.

    `{split}_ims.npy` is [rows, regions, features], float32 or float16, with one row an image (SCAN's train) or one row
    a caption, the same for all captions of an image (its dev and test); which of the two, the counts and the rows say.
    `{split}_ids.txt`, if there, has the identifier of each image or caption, and `{split}_truths.npz`, as `daa data
    features` writes it, what else matches. The captions alone need no features, which are looked at only where they
    tell which captions are of one image.

    Args:
        split: the first part of the files' names: `"train"`, `"dev"` (or `"val"`), `"test"`, `"testall"`, ...
        root: the folder with the files; by default `precomputed/` under `DAA_DATA`.
        n_images: keep only the first so many; 1,000 of dev, its first 5,000 captions, in SCAN, SGRAF and their kin.
        captions_per_image: consecutive captions of one image, where neither identifiers nor features are there.

    Raises:
        FileNotFoundError: naming the file that is missing.
        ValueError: if the counts of the files do not go together.
    """
    check_counts(n_images=n_images)
    folder = data_root(root, "precomputed", "{split}_caps.txt and {split}_ims.npy")
    if split == "val" and not (folder / "val_caps.txt").is_file():
        split = "dev"
    captions_path, ids_path = folder / f"{split}_caps.txt", folder / f"{split}_ids.txt"
    features_path = folder / f"{split}_ims.npy"
    if not captions_path.is_file():
        known = ", ".join(sorted(path.name.removesuffix("_caps.txt") for path in folder.glob("*_caps.txt"))) or "none"
        raise FileNotFoundError(f"{captions_path}: no such file; splits in that folder: {known}; {_KAGGLE}")
    n_captions = len(read_lines(captions_path, "a caption"))
    rows = open_features(features_path) if features_path.is_file() else None
    ids = read_ids(ids_path) if ids_path.is_file() else None
    each = captions_per_image or _captions_per_image(captions_path, n_captions, rows, ids)
    own_ids = folder / f"{split}_caption_ids.txt"  # an addition of ours to the layout
    of_images = ids is not None and (own_ids.is_file() or _are_of_images(ids_path, ids, n_captions))
    corpus = read_caption_files(
        captions_path,
        ids_path if of_images else None,
        own_ids if own_ids.is_file() else ids_path if ids is not None and not of_images else None,
        captions_per_image=each,
        name=f"{folder.name} {split}",
    )
    corpus = with_truths(corpus, truths_path(folder, split))
    row_of_image = np.arange(corpus.n_images)
    if rows is not None and len(rows) != corpus.n_images:
        if len(rows) != n_captions:
            raise ValueError(
                f"{features_path}: expected one row for each of {corpus.n_images} images or {n_captions} captions of "
                f"{captions_path.name}, got {len(rows)}; the two must be of one split"
            )
        row_of_image = np.unique(corpus.image_of_caption, return_index=True)[1]
        _check_repeated(features_path, rows, corpus, row_of_image)
    if n_images is not None and n_images < corpus.n_images:
        corpus, row_of_image = corpus.select(slice(n_images)), row_of_image[:n_images]
    return Split(corpus, lambda: _find_features(features_path, row_of_image), _as_tensor)


def _find_features(path: Path, row_of_image: np.ndarray) -> FeatureRows:
    if not path.is_file():
        raise FileNotFoundError(f"{path}: no such file; {_KAGGLE}, or `daa data features` makes it")
    return FeatureRows(path, row_of_image)


class FeatureRows:
    """Reads the features of image `i` from a memory-mapped file, opened anew in every process that uses it."""

    def __init__(self, path: Path, row_of_image: np.ndarray) -> None:
        self.path, self.row_of_image = path, row_of_image
        self._rows: np.ndarray | None = None

    def __call__(self, i: int) -> np.ndarray:
        if self._rows is None:
            self._rows = open_features(self.path)
        row = self._rows[self.row_of_image[i]]
        if not np.isfinite(row).all():
            raise ValueError(f"{self.path}: expected finite numbers, got others in row {self.row_of_image[i]} (from 0)")
        return row

    def __getstate__(self) -> dict[str, Any]:
        return self.__dict__ | {"_rows": None}  # a memory map would be copied whole to another process


def open_features(path: Path) -> np.ndarray:
    """A memory map [rows, regions, features] or [rows, features].

    Raises:
        ValueError: if the file is not such an array, or a part of one.
    """
    try:
        rows = np.load(path, mmap_mode="r", allow_pickle=False)
    except (ValueError, EOFError, OSError) as error:
        raise ValueError(f"{path}: expected a whole .npy array [rows, regions, features], got: {error}") from None
    if not isinstance(rows, np.ndarray) or rows.ndim not in (2, 3) or rows.dtype.kind != "f" or 0 in rows.shape:
        found = f"{rows.dtype} {rows.shape}" if isinstance(rows, np.ndarray) else "an archive of several"
        raise ValueError(f"{path}: expected floating-point [rows, regions, features], got {found}")
    return rows


def _as_tensor(row: np.ndarray) -> Float[Tensor, "regions features"]:
    return torch.from_numpy(np.atleast_2d(row).astype(np.float32))


def _are_of_images(path: Path, ids: np.ndarray, n_captions: int) -> bool:
    """Whether the identifiers are of images, one an image or one a caption, and not of captions."""
    values, counts = np.unique(ids, return_counts=True)
    if len(ids) != n_captions:
        return True
    if n_captions / 2 < len(values) < n_captions:
        again = values[counts.argmax()]
        lines = np.flatnonzero(ids == again) + 1
        raise ValueError(
            f"{path}, line {lines[1]}: expected the identifier of each caption, all different, or of its image, but "
            f"{len(values)} of {n_captions} differ ({again} is on line {lines[0]} too); correct or remove that file"
        )
    return len(values) < n_captions


def _captions_per_image(path: Path, n_captions: int, rows: np.ndarray | None, ids: np.ndarray | None) -> int | None:
    """How many consecutive captions are of one image, by the counts, or else by equal rows; None where ids say it."""
    if ids is not None and len(np.unique(ids)) < len(ids) == n_captions:
        return None  # the identifier of each caption's image
    n = len(ids) if ids is not None and len(ids) < n_captions else None if rows is None else len(rows)
    if n is None:
        return None  # the convention of read_caption_files
    if n < n_captions or rows is None:
        if n_captions % n:
            raise ValueError(
                f"{path}: expected a multiple of the {n} images beside it, got {n_captions} captions; with another "
                f"number of captions for each, {path.name.replace('_caps', '_ids')} must give each caption's image"
            )
        return n_captions // n
    first = np.asarray(rows[0])
    return next((k for k in range(1, min(n, n_captions)) if not np.array_equal(rows[k], first)), n_captions)


def _check_repeated(path: Path, rows: np.ndarray, corpus: CaptionCorpus, row_of_image: np.ndarray) -> None:
    """Some images' rows must be equal, and differ from the next image's: else images and captions are shifted."""
    images = np.unique(np.linspace(0, len(row_of_image) - 1, N_COMPARED).astype(int))
    for image in images.tolist():
        own = corpus.captions_of_image(image)
        following = row_of_image[image + 1 : image + 2]
        if any(not np.array_equal(rows[own[0]], rows[k]) for k in own[1:]) or any(
            np.array_equal(rows[own[0]], rows[k]) for k in following
        ):
            raise ValueError(
                f"{path}: expected equal rows for the captions of image {image} (rows {own[0]} to {own[-1]}, from 0), "
                f"and another row for the next image, got otherwise; the file is of another split or order"
            )


__all__ = ["FeatureRows", "open_features", "read_precomputed", "write_features"]
