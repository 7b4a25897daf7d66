"""CUB Captions: 200 kinds of birds, ten captions an image (Reed et al. 2016), test kinds never seen in training."""

from __future__ import annotations

from os import PathLike
from pathlib import Path

import numpy as np
from scipy import sparse

from daa.corpus import CaptionCorpus
from daa.datasets.reading import ImageFiles, Split, data_root, first_file, read_lines
from daa.names import check_name

CLASS_FILES = {"train": "trainvalclasses.txt", "val": "trainvalclasses.txt", "test": "testclasses.txt"}
SEEN_FILE = "seen_test_images.txt"
SPLIT_SIZES = {"train": (150, 7_057), "val": (150, 1_764), "test": (50, 2_967)}
_MEND = "`daa data cub --help` says where to get it"


def read_cub(split: str = "test", root: str | PathLike[str] | None = None) -> Split:
    """The zero-shot split of Xian et al. (CVPR 2017), in the form that PCME uses it; its captions need no image.

    Train: 7,057 images of 150 classes. Val: 1,764 further images of the same classes. Test: 2,967 images of the 50
    other classes. Classes and images are sorted by name. What matches is every caption of the same class:
    `corpus.positives`, sparse, and `corpus.labels`, one class an image. The images are in `CUB_200_2011/images/` or
    `images/`.

    Args:
        split: `"train"`, `"val"` or `"test"`.
        root: the folder with `text_c10/<class>/<image>.txt`, one caption a line, and the lists `trainvalclasses.txt`,
            `testclasses.txt` and `seen_test_images.txt`, in that folder or in its `splits/`; by default `cub/` under
            `DAA_DATA`.

    Raises:
        FileNotFoundError: naming the file that is missing and where it can be had.
        ValueError: if a list or the number of classes or images is not that of the split.
    """
    folder = data_root(root, "cub", "text_c10/, the lists of the split and, for more than captions, CUB_200_2011/")
    texts = _caption_folder(folder)
    captions: list[str] = []
    image_of_caption: list[int] = []
    images = _images(split, folder, texts)
    for i, image in enumerate(images):
        lines = _captions(texts / f"{image}.txt")
        captions += lines
        image_of_caption += [i] * len(lines)
    names, class_of = np.unique([image.split("/")[0] for image in images], return_inverse=True)
    labels = np.eye(len(names), dtype=bool)[class_of]
    of_images = sparse.csr_array(labels)
    corpus = CaptionCorpus(
        captions=captions,
        image_of_caption=image_of_caption,
        image_ids=images,
        labels=labels,
        label_names=names.tolist(),
        positives=of_images @ of_images[np.asarray(image_of_caption)].T,
        name=f"cub {split}",
    )
    return Split(corpus, lambda: _find_images(folder, images))


def _find_images(folder: Path, images: list[str]) -> ImageFiles:
    places = [folder / "CUB_200_2011" / "images", folder / "images"]
    pictures = next((place for place in places if place.is_dir()), places[0])
    paths = [pictures / f"{image}.jpg" for image in images]
    missing = [path for path in paths if not path.is_file()]
    if missing:
        raise FileNotFoundError(
            f"{missing[0]}: no such image; {len(missing)} of the {len(paths)} are missing; "
            f"`daa data cub --to {folder}` gets CUB_200_2011.tgz (1.2 GB)"
        )
    return ImageFiles(tuple(paths))


def _caption_folder(folder: Path) -> Path:
    places = [folder / "text_c10", folder / "cvpr2016_cub" / "text_c10", folder / "CUB_200_2011" / "text_c10"]
    for place in places:
        if place.is_dir():
            return place
    raise FileNotFoundError(f"{places[0]}: no such folder of captions, <class>/<image>.txt; {_MEND}")


def _images(split: str, folder: Path, texts: Path) -> list[str]:
    """`<class>/<image>` of a split, sorted."""
    check_name("split", split, SPLIT_SIZES)
    lists = {name: first_file(folder, (name, f"splits/{name}"), _MEND) for name in (CLASS_FILES[split], SEEN_FILE)}
    classes = sorted(read_lines(lists[CLASS_FILES[split]], "a class"))
    seen = {line.removesuffix(".jpg") for line in read_lines(lists[SEEN_FILE], "an image")}
    images: list[str] = []
    for name in classes:
        if not (texts / name).is_dir():
            raise FileNotFoundError(f"{texts / name}: no such folder, but {lists[CLASS_FILES[split]].name} names it")
        images += sorted(f"{name}/{file.stem}" for file in (texts / name).iterdir() if file.suffix == ".txt")
    if split != "test":
        images = [image for image in images if (image in seen) == (split == "val")]
    n_classes, n_images = SPLIT_SIZES[split]
    if (len(set(classes)), len(images)) != (n_classes, n_images):
        raise ValueError(
            f"{folder}: expected {n_images:,} images of {n_classes} classes in the {split} split of Xian et al., got "
            f"{len(images):,} of {len(set(classes))}; the lists and text_c10/ must be those of the published split"
        )
    return images


def _captions(path: Path) -> list[str]:
    """The captions of one image; here, unlike in files that run side by side, a blank line does no harm."""
    try:
        lines = [" ".join(line.split()) for line in path.read_bytes().decode("utf-8-sig").splitlines()]
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}: expected UTF-8 text, got byte 0x{error.object[error.start]:02x}") from None
    lines = [line for line in lines if line]
    if not lines:
        raise ValueError(f"{path}: expected a caption on every line, but the file is empty")
    return lines
