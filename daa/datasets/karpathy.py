"""MS-COCO (2014), Flickr30K and Flickr8k in the splits of Karpathy and Fei-Fei, which all papers report on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

from daa.corpus import CaptionCorpus
from daa.datasets.coco import coco_test_caption_ids, eccv_caption_truth, instance_labels
from daa.datasets.manifest import read_manifest
from daa.datasets.reading import ImageFiles, Split, check_counts, data_root, first_file, image_paths
from daa.names import check_name

SPLITS = {"train": ("train", "restval"), "val": ("val",), "test": ("test",)}
SPLIT_SIZES = {
    "coco": {"train": 113_287, "val": 5_000, "test": 5_000},
    "flickr30k": {"train": 29_000, "val": 1_014, "test": 1_000},
    "flickr8k": {"train": 6_000, "val": 1_000, "test": 1_000},
}
IMAGE_FOLDERS = {
    "coco": ("{filepath}", "images/{filepath}", "trainval35k", "images/trainval35k", "images"),
    "flickr30k": ("flickr30k-images", "images", "flickr30k_images", "flickr30k-images/flickr30k-images"),
    "flickr8k": ("Flicker8k_Dataset", "Flickr8k_Dataset", "Flickr8k_Dataset/Flicker8k_Dataset", "Images", "images"),
}


def read_karpathy(
    name: str,
    split: str = "test",
    root: str | PathLike[str] | None = None,
    n_images: int | None = None,
    captions_per_image: int | None = 5,
    labels: bool | None = None,
) -> Split:
    """The captions of a split, from `dataset_<name>.json`, and its images, which the captions do not need.

    COCO: train 113,287 images (train and restval in the file), val 5,000, test 5,000. Flickr30K: 29,000, 1,014, 1,000.
    Flickr8k, whose official layout `read_flickr8k` reads: 6,000, 1,000, 1,000.
    The images are in Karpathy's order; those of the COCO test split in the order of `coco_test_ids.npy` of the package
    `eccv_caption`, so that consecutive thousands are the literature's folds, and with its ECCV and CxC truths.
    Where `daa data` has downloaded a subset of the split, it is that subset.

    COCO's images are looked for in `train2014/` and `val2014/`, in these under `images/`, or all together in
    `trainval35k/`; Flickr30K's in `flickr30k-images/` or `images/`.

    Args:
        name: `"coco"`, `"flickr30k"` or `"flickr8k"`.
        split: `"train"`, `"val"` or `"test"`.
        root: the folder with `dataset_<name>.json`, there or in `annotations/`; by default `<name>/` under `DAA_DATA`.
        n_images: keep only the first so many; 1,000 of val is what VSE++, PVSE and PCME validate on.
        captions_per_image: the first so many of each image, 5 in the papers; None keeps all (COCO has up to 7).
        labels: read COCO's instance labels (for PMRP) from `annotations/instances_{train,val}2014.json`. By default
            where that file is there, but not for train, whose file takes 450 MB and a minute to read.

    Raises:
        FileNotFoundError: naming the file that is missing and the command that gets it.
        ValueError: if the file is not Karpathy's, or its split has not the published size.
    """
    folder = data_root(root, name, f"dataset_{name}.json and, for more than captions, the images")
    check_counts(n_images=n_images, captions_per_image=captions_per_image)
    manifest = read_manifest(folder)
    subset = manifest["subsets"].get(split) if manifest else None
    records = _records(name, split, _json_path(name, folder), subset)[:n_images]
    captions = [record.captions[:captions_per_image] for record in records]
    files, image_ids = [record.file for record in records], [record.image_id for record in records]
    seen, label_names = instance_labels([], [])
    if name == "coco" and labels is not False and (labels or split != "train"):
        parts = {file.split("/")[0] for file in files}
        seen, label_names = instance_labels(_instance_files(folder, parts, labels is True), image_ids)
    corpus = CaptionCorpus(
        captions=[text for group in captions for _, text in group],
        image_of_caption=np.repeat(np.arange(len(records)), [len(group) for group in captions]),
        image_ids=image_ids,
        caption_ids=[identifier for group in captions for identifier, _ in group],
        labels=seen,
        label_names=label_names,
        name=f"{name} {split}",
    )
    if name == "coco" and split == "test":
        truths = {"ECCV": eccv_caption_truth(corpus, "eccv"), "CxC": eccv_caption_truth(corpus, "cxc")}
        corpus = replace(corpus, truths=truths)
    return Split(corpus, lambda: ImageFiles(tuple(_find_images(name, split, folder, files))))


def karpathy_files(name: str, split: str, folder: Path) -> list[str]:
    """The image files of a whole split, in its order: `"val2014/COCO_val2014_000000391895.jpg"`, ..."""
    return [record.file for record in _records(name, split, _json_path(name, folder), None)]


@dataclass(frozen=True)
class _Record:
    """An image: its file, its identifier, and (identifier, text) of its captions."""

    file: str
    image_id: int
    captions: tuple[tuple[int, str], ...]


def _json_path(name: str, folder: Path) -> Path:
    places = [f"{place}dataset_{name}.json" for place in ("", "annotations/", "karpathy/")]
    return first_file(folder, places, f"`{_command(name)} --to {folder}` gets it (37 MB)")


def _command(name: str) -> str:
    return f"daa data {name}" + (" --captions" if name == "coco" else "")


def _records(name: str, split: str, path: Path, subset: list[str] | None) -> list[_Record]:
    """The images of a split, or of the part of it that was downloaded, in the split's order."""
    check_name("split", split, SPLITS)
    try:
        content = json.loads(path.read_bytes(), object_hook=_without_tokens)["images"]
        records = [_record(name, image) for image in content if image["split"] in SPLITS[split]]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected Karpathy's dataset_{name}.json, got {error!r}; get it again") from None
    if name == "coco" and split == "test":
        records = _in_order_of_eccv_caption(records, path, subset is None)
    files = {record.file: record for record in records}
    if subset is not None:
        unknown = [file for file in subset if file not in files]
        if unknown:
            raise ValueError(f"{path}: the manifest beside it names {unknown[0]}, which is not in split {split}")
        return [files[file] for file in subset]
    expected = SPLIT_SIZES[name][split]
    if len(records) != expected:
        raise ValueError(
            f"{path}: expected the {expected:,} images of Karpathy's {split} split"
            f"{' (train and restval together)' if split == 'train' and name == 'coco' else ''}, got {len(records):,}; "
            f"remove it, and `{_command(name)} --to {path.parent}` gets the published file"
        )
    return records


def _without_tokens(record: dict[str, Any]) -> dict[str, Any]:
    record.pop("tokens", None)  # two thirds of the memory
    return record


def _record(name: str, image: Mapping[str, Any]) -> _Record:
    captions = tuple((int(sentence["sentid"]), " ".join(sentence["raw"].split())) for sentence in image["sentences"])
    if not captions:
        raise ValueError(f"no sentence for {image['filename']}")
    file = "/".join(part for part in (image.get("filepath"), image["filename"]) if part)
    return _Record(file, int(image["cocoid" if name == "coco" else "imgid"]), captions)


def _in_order_of_eccv_caption(records: list[_Record], path: Path, whole: bool) -> list[_Record]:
    """Images, and the first five captions of each, in the order of `coco_test_ids.npy`."""
    place = {identifier: c for c, identifier in enumerate(coco_test_caption_ids().tolist())}
    ordered = []
    for record in records:
        first = record.captions[:5]
        if any(identifier not in place for identifier, _ in first):
            raise ValueError(f"{path}: image {record.image_id} is not of the COCO 5K test split of eccv_caption")
        first = tuple(sorted(first, key=lambda caption: place[caption[0]]))
        ordered.append(replace(record, captions=first + record.captions[5:]))
    if whole and sum(len(record.captions[:5]) for record in ordered) != len(place):
        raise ValueError(f"{path}: expected the {len(place):,} captions of the COCO 5K test split, got others")
    return sorted(ordered, key=lambda record: place[record.captions[0][0]])


def _instance_files(folder: Path, parts: set[str], required: bool) -> list[Path]:
    files = []
    for part in sorted(parts):
        places = [f"{place}instances_{part}.json" for place in ("annotations/", "annotations/annotations/", "")]
        try:
            mend = f"`daa data coco --annotations --to {folder}` gets it (253 MB)"
            files.append(first_file(folder, places, mend))
        except FileNotFoundError:
            if required:
                raise
            return []
    return files


def _find_images(name: str, split: str, folder: Path, files: list[str]) -> list[Path]:
    """Where each image is, every one checked to exist."""
    subset = f" --subset {len(files)} --split {split}" if name == "coco" else ""
    mend = f"`daa data {name}{subset} --to {folder}` says or does what is needed"
    paths: dict[str, Path] = {}
    for filepath in dict.fromkeys(file.rpartition("/")[0] for file in files):
        names = [file.rpartition("/")[2] for file in files if file.rpartition("/")[0] == filepath]
        places = [folder / place.format(filepath=filepath) for place in IMAGE_FOLDERS[name]]
        place = next((place for place in places if (place / names[0]).is_file()), None)
        place = place or next((place for place in places if place.is_dir()), places[0])
        paths.update({path.name: path for path in image_paths(place, names, mend)})
    return [paths[file.rpartition("/")[2]] for file in files]
