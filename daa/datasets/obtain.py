"""What `daa data NAME` obtains, and from where: annotations once, then just what is asked for; nothing is got twice."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from fnmatch import fnmatchcase
from functools import partial
from pathlib import Path, PurePosixPath

import numpy as np

from daa.datasets.coco import coco_test_caption_ids, coco_test_image_ids
from daa.datasets.download import SOURCES, Transfer
from daa.datasets.flickr8k import CROWD, EXPERTS, LISTS, TOKENS, read_flickr8k
from daa.datasets.karpathy import SPLIT_SIZES, SPLITS, karpathy_files, read_karpathy
from daa.datasets.reading import Split, read_lines
from daa.files import atomic_write, require_space
from daa.names import check_name

COCO_IMAGES = "http://images.cocodataset.org"
IMAGE_ON_DISK = 163_000 + 4_096  # bytes, the mean of COCO, (13,510,573,713 + 6,645,013,297) / 123,287, and its block


BY_HAND = {
    "flickr30k": (
        "the images: fill in the form at https://shannon.cs.illinois.edu/DenotationGraph/ and unpack "
        "flickr30k-images.tar.gz to {folder}/flickr30k-images/",
    ),
    "cub": (
        "the captions: from the link `birds` in the README of https://github.com/reedscot/cvpr2016, unpacked so that "
        "there is {folder}/text_c10/001.Black_footed_Albatross/",
        "the split of Xian et al.: trainvalclasses.txt, testclasses.txt and seen_test_images.txt, from "
        "https://github.com/naver-ai/pcme (datasets/annotations/cub/), to {folder}/splits/",
    ),
}

_INSTANCES = ("instances_train2014.json", "instances_val2014.json")
_ANNOTATIONS = dict.fromkeys(("dataset_coco.json", *_INSTANCES), "annotations")


def obtain_coco(
    transfer: Transfer,
    splits: Sequence[str] = (),
    subset: int | None = None,
    instances: bool = True,
    images: bool = True,
) -> None:
    """COCO in Karpathy's splits: captions, instance labels, and the images of some or all splits.

    Args:
        transfer: where to and how.
        splits: `"train"`, `"val"`, `"test"`; none for all of them.
        subset: only so many images of each of these splits. Of train they are drawn at random, the same in every run
            and a larger subset containing the smaller ones; of val and test they are the first.
        instances: with the instance labels that PMRP needs.
        images: with images.
    """
    if subset is not None and subset < 1:
        raise ValueError(f"subset: expected at least 1 image, got {subset}")
    for split in splits:
        check_name("split", split, SPLITS)
    folder, splits = transfer.folder, tuple(splits or SPLITS) if images else ()
    whole = subset is None and "train" in splits
    annotations = [f"annotations/{name}" for name in _ANNOTATIONS]
    with transfer.alone() as before:
        places = (folder / "annotations", folder, folder / "karpathy")
        needed = [] if any((place / "dataset_coco.json").is_file() for place in places) else ["caption_datasets.zip"]
        if instances or any(name in before["files"] for name in annotations[1:]):
            labels = all((folder / "annotations" / name).is_file() for name in _INSTANCES)
            needed += [] if labels else ["annotations_trainval2014.zip"]
        space = sum(map(transfer.space, needed)) + _space_for_images(transfer, splits, subset, whole)
        require_space(folder, space, "this download")
        for name in needed:
            transfer.unpacked(name, _into(_ANNOTATIONS))
        subsets = dict(before["subsets"])
        gone = {name for name in before["files"] if not (folder / name).is_file()}
        names = [name for name in gone if name.endswith(".jpg")]
        for split in splits:
            files = karpathy_files("coco", split, folder)
            chosen = files if subset is None else choose(files, subset, split)
            if len(chosen) == len(files):
                subsets.pop(split, None)
            elif split in subsets or not set(files) <= set(before["files"]):  # and not a whole split made smaller
                subsets[split] = chosen
            names += chosen
        new = [name for name in dict.fromkeys(names) if name in gone or name not in before["files"]]
        _obtain_images(transfer, new, whole)
        transfer.manifest("coco", subsets, [*annotations, *names])


def choose(files: Sequence[str], n: int, split: str) -> list[str]:
    """A subset of a split, in the split's order: of train at random, nested; of val and test the first.

    >>> few, more = choose("abcdefgh", 2, "train"), choose("abcdefgh", 5, "train")
    >>> set(few) < set(more), more == sorted(more), choose("abcdefgh", 2, "test")
    (True, True, ['a', 'b'])
    """
    if split != "train":
        return list(files[:n])
    return [files[i] for i in sorted(np.random.default_rng(0).permutation(len(files))[:n])]


def _space_for_images(transfer: Transfer, splits: Sequence[str], subset: int | None, whole: bool) -> int:
    """An estimate, before the annotations that would say it exactly."""
    n = sum(min(subset or size, size) for size in (SPLIT_SIZES["coco"][split] for split in splits))
    missing = max(0, n - sum(1 for _ in transfer.folder.glob("*2014/*.jpg")))
    archive = "train2014.zip"
    larger = transfer.space(archive) - SOURCES[archive].unpacked if whole and missing > n / 2 else 0
    return missing * IMAGE_ON_DISK + larger


def _obtain_images(transfer: Transfer, names: Sequence[str], whole: bool) -> None:
    """By archive where most of one is missing, and else one by one."""
    folder = transfer.folder
    for part in sorted({name.split("/")[0] for name in names}) if whole else ():
        needed = [folder / name for name in names if name.startswith(f"{part}/")]
        n_missing = sum(not path.is_file() for path in needed)
        begun = (folder / f"{part}.zip").exists() or (folder / f"{part}.zip.part").exists()
        if n_missing and (begun or n_missing > len(needed) / 2):
            transfer.unpacked(f"{part}.zip", _into({"*.jpg": part}))
    todo = [name for name in names if not (folder / name).is_file()] if whole else names
    transfer.pictures(COCO_IMAGES, todo)  # of a subset, those that are there are looked at


def obtain_flickr30k(transfer: Transfer) -> list[str]:
    """Flickr30K's captions; its images, which a form must be filled in for, are checked where they are there.

    Returns:
        what is still to be done by hand.
    """
    with transfer.alone():
        files = _obtain(transfer, "caption_datasets.zip", {"dataset_flickr30k.json": ""})
        try:
            images, to_do = _pictures(transfer, partial(read_karpathy, "flickr30k")), []
        except FileNotFoundError:
            images, to_do = [], _by_hand("flickr30k", transfer.folder)
        transfer.check_pictures(images)
        transfer.manifest("flickr30k", {}, [*files, *images])
    return to_do


def obtain_flickr8k(transfer: Transfer) -> None:
    """Flickr8k: captions, lists and judgements in `Flickr8k_text/`, the photos in `Flicker8k_Dataset/`.

    Neither archive has a published checksum: that every photo of the three splits decodes and has its captions is
    checked.
    """
    texts = dict.fromkeys((TOKENS, CROWD, EXPERTS, *LISTS.values()), "Flickr8k_text")
    with transfer.alone():
        files = _obtain(transfer, "Flickr8k_text.zip", texts)
        try:
            photos = _pictures(transfer, read_flickr8k)
        except FileNotFoundError:
            transfer.unpacked("Flickr8k_Dataset.zip", _into({"*.jpg": "Flicker8k_Dataset"}))
            photos = _pictures(transfer, read_flickr8k)
        transfer.check_pictures(photos)
        transfer.manifest("flickr8k", {}, [*files, *photos])


def obtain_cub(transfer: Transfer) -> list[str]:
    """CUB-200-2011's images; the captions and the split are said where to get.

    Returns:
        what is still to be done by hand.
    """
    folder = transfer.folder
    with transfer.alone():
        if not (folder / "CUB_200_2011" / "images.txt").is_file():
            transfer.unpacked("CUB_200_2011.tgz", _of_cub)
        there = [path for path in (folder / "CUB_200_2011").rglob("*.*") if path.is_file()]
        transfer.manifest("cub", {}, sorted(path.relative_to(folder).as_posix() for path in there))
    captions, split = _by_hand("cub", folder)
    lists = ("trainvalclasses.txt", "testclasses.txt", "seen_test_images.txt")
    has_captions = any((folder / place / "text_c10").is_dir() for place in ("", "cvpr2016_cub"))
    has_split = all((folder / name).is_file() or (folder / "splits" / name).is_file() for name in lists)
    return [captions] * (not has_captions) + [split] * (not has_split)


def _of_cub(member: str) -> str | None:
    """All but the segmentations and the attributes, which are large and not needed."""
    found = re.fullmatch(r"(?:\./)?(CUB_200_2011/(?:images/(?:.*/)?)?(?!\._)[^/]+)", member)
    return found[1] if found else None


def obtain_captions(transfer: Transfer) -> None:
    """The captions of COCO and Flickr30K in Karpathy's splits: `coco/` and `flickr30k/` in the folder, 37 MB once."""
    places = {"dataset_coco.json": "coco/annotations", "dataset_flickr30k.json": "flickr30k"}
    with transfer.alone():
        transfer.manifest("captions", {}, _obtain(transfer, "caption_datasets.zip", places))


def obtain_coco_5k(transfer: Transfer) -> None:
    """`coco-5k/`: the captions of the COCO 5K test split as SCAN's files have them, with their identifiers.

    No checksum is published; that these are the 25,000 captions, one a line, is checked.
    """
    folder = transfer.folder / "coco-5k"
    with transfer.alone():
        raw = folder / "testall_caps.txt"
        if not (folder / "captions.txt").is_file():
            transfer.unpacked("coco_annotations.tar.gz", _into({raw.name: "coco-5k"}))
            captions, ids = read_lines(raw, "a caption"), coco_test_caption_ids()
            if len(captions) != len(ids):
                raise ValueError(f"{raw}: expected {len(ids)} captions, got {len(captions)}")
            for name, lines in (("image_ids.txt", coco_test_image_ids()), ("caption_ids.txt", ids.tolist())):
                with atomic_write(folder / name) as aside:
                    aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            raw.replace(folder / "captions.txt")
        files = ("captions.txt", "caption_ids.txt", "image_ids.txt")
        transfer.manifest("coco-5k", {}, [f"coco-5k/{name}" for name in files])


def _obtain(transfer: Transfer, archive: str, places: Mapping[str, str]) -> list[str]:
    """Files of an archive, each into its folder, unless all are there."""
    files = [PurePosixPath(folder, name).as_posix() for name, folder in places.items()]
    if not all((transfer.folder / name).is_file() for name in files):
        transfer.unpacked(archive, _into(places))
    return files


def _into(places: Mapping[str, str]) -> Callable[[str], str | None]:
    """Where members of an archive go: from their names, or patterns of names, to folders; all others nowhere."""

    def keep(member: str) -> str | None:
        name = PurePosixPath(member).name
        folder = next((folder for pattern, folder in places.items() if fnmatchcase(name, pattern)), None)
        of_macos = name.startswith("._") or "__MACOSX" in member
        return None if folder is None or of_macos else PurePosixPath(folder, name).as_posix()

    return keep


def _pictures(transfer: Transfer, read: Callable[[str, Path], Split]) -> list[str]:
    """The images of all splits; FileNotFoundError if one is missing."""
    splits = [read(split, transfer.folder).find_images() for split in SPLITS]
    return [path.relative_to(transfer.folder).as_posix() for images in splits for path in images.paths]  # type: ignore[attr-defined]


def _by_hand(dataset: str, folder: Path) -> list[str]:
    return [line.format(folder=folder) for line in BY_HAND[dataset]]
