"""What `daa data NAME` obtains: annotations once, then just the images that are asked for; nothing is got twice."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from daa.datasets.caption_files import read_lines
from daa.datasets.coco_annotations import coco_test_caption_ids, coco_test_image_ids
from daa.datasets.flickr8k import CROWD, EXPERTS, LISTS, TOKENS, read_flickr8k
from daa.datasets.folder import require_space
from daa.datasets.karpathy import SPLIT_SIZES, SPLITS, karpathy_files, read_karpathy
from daa.datasets.sources import BY_HAND, MEAN_COCO_IMAGE, MEAN_PART_OF_DISK, SOURCES
from daa.datasets.transfer import Transfer
from daa.files import atomic_write

INSTANCES = ("instances_train2014.json", "instances_val2014.json")
_ON_DISK = MEAN_COCO_IMAGE + MEAN_PART_OF_DISK


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
        if split not in SPLITS:
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
    folder, splits = transfer.folder, tuple(splits or SPLITS)
    whole = subset is None and "train" in splits
    annotations = [f"annotations/{name}" for name in ("dataset_coco.json", *INSTANCES)]
    with transfer.alone() as before:
        needed = _missing_annotations(folder, instances or any(name in before["files"] for name in annotations[1:]))
        space = sum(transfer.space(name) for name in needed)
        space += _space_for_images(transfer, splits, subset, whole) if images else 0
        require_space(folder, space, "this download")
        for name in needed:
            transfer.source(name, _into("annotations", "dataset_coco.json", *INSTANCES))
        subsets = dict(before["subsets"])
        gone = {name for name in before["files"] if not (folder / name).is_file()}
        names = [name for name in gone if name.endswith(".jpg")]
        for split in splits if images else ():
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


def _missing_annotations(folder: Path, instances: bool) -> list[str]:
    """The archives that are needed for what is not there yet."""
    annotations = folder / "annotations"
    captions = any((place / "dataset_coco.json").is_file() for place in (annotations, folder, folder / "karpathy"))
    labels = not instances or all((annotations / name).is_file() for name in INSTANCES)
    return ["caption_datasets.zip"] * (not captions) + ["annotations_trainval2014.zip"] * (not labels)


def _space_for_images(transfer: Transfer, splits: Sequence[str], subset: int | None, whole: bool) -> int:
    """An estimate, before the annotations that would say it exactly."""
    n = sum(min(subset or size, size) for size in (SPLIT_SIZES["coco"][split] for split in splits))
    missing = max(0, n - sum(1 for _ in transfer.folder.glob("*2014/*.jpg")))
    archive = "train2014.zip"
    larger = transfer.space(archive) - SOURCES[archive].unpacked if whole and missing > n / 2 else 0
    return missing * _ON_DISK + larger


def _obtain_images(transfer: Transfer, names: Sequence[str], whole: bool) -> None:
    """By archive where most of one is missing, and else one by one."""
    folder = transfer.folder
    for part in sorted({name.split("/")[0] for name in names}) if whole else ():
        needed = [folder / name for name in names if name.startswith(f"{part}/")]
        n_missing = sum(not path.is_file() for path in needed)
        archive = folder / f"{part}.zip"
        begun = archive.exists() or archive.with_name(f"{archive.name}.part").exists()
        if n_missing and (begun or n_missing > len(needed) / 2):
            transfer.source(archive.name, partial(_of_part, part))
    todo = [name for name in names if not (folder / name).is_file()] if whole else names
    n_missing = sum(not (folder / name).is_file() for name in todo)
    require_space(folder, n_missing * _ON_DISK, f"{n_missing:,} images of about {MEAN_COCO_IMAGE // 1000} kB")
    transfer.images(todo)  # of a subset, those that are there are looked at


def obtain_flickr30k(transfer: Transfer) -> list[str]:
    """Flickr30K's captions; its images, which a form must be filled in for, are checked where they are there.

    Returns:
        what is still to be done by hand.
    """
    folder, captions = transfer.folder, "dataset_flickr30k.json"
    with transfer.alone():
        _obtain(transfer, "caption_datasets.zip", _into("", captions), captions)
        images: list[str] = []
        to_do: list[str] = []
        try:
            for split in SPLITS:
                paths = read_karpathy("flickr30k", split, folder).find_images().paths  # type: ignore[attr-defined]
                images += [path.relative_to(folder).as_posix() for path in paths]
        except FileNotFoundError:
            images, to_do = [], _by_hand("flickr30k", folder)
        transfer.check_pictures(images)
        transfer.manifest("flickr30k", {}, [captions, *images])
    return to_do


def obtain_flickr8k(transfer: Transfer) -> None:
    """Flickr8k: captions, lists and judgements in `Flickr8k_text/`, the photos in `Flicker8k_Dataset/`.

    Neither archive has a published checksum: that every photo of the three splits decodes and has its captions is
    checked.
    """
    folder, texts = transfer.folder, (TOKENS, CROWD, EXPERTS, *LISTS.values())
    with transfer.alone():
        _obtain(transfer, "Flickr8k_text.zip", _into("Flickr8k_text", *texts), *(f"Flickr8k_text/{n}" for n in texts))
        photos: list[str] = []
        try:
            photos = _flickr8k_photos(folder)
        except FileNotFoundError:
            transfer.source("Flickr8k_Dataset.zip", _flickr8k_photo)
            photos = _flickr8k_photos(folder)
        transfer.check_pictures(photos)
        transfer.manifest("flickr8k", {}, [*(f"Flickr8k_text/{name}" for name in texts), *photos])


def _flickr8k_photos(folder: Path) -> list[str]:
    splits = [read_flickr8k(split, folder).find_images() for split in LISTS]
    return [path.relative_to(folder).as_posix() for images in splits for path in images.paths]  # type: ignore[attr-defined]


def _flickr8k_photo(member: str) -> str | None:
    name = Path(member).name
    wanted = name.endswith(".jpg") and not name.startswith("._") and "__MACOSX" not in member
    return f"Flicker8k_Dataset/{name}" if wanted else None


def obtain_cub(transfer: Transfer) -> list[str]:
    """CUB-200-2011's images; the captions and the split are said where to get.

    Returns:
        what is still to be done by hand.
    """
    folder = transfer.folder
    with transfer.alone():
        _obtain(transfer, "CUB_200_2011.tgz", _cub_member, "CUB_200_2011/images.txt")
        there = [path for path in (folder / "CUB_200_2011").rglob("*.*") if path.is_file()]
        transfer.manifest("cub", {}, sorted(path.relative_to(folder).as_posix() for path in there))
    captions, split = _by_hand("cub", folder)
    lists = ("trainvalclasses.txt", "testclasses.txt", "seen_test_images.txt")
    has_captions = any((folder / place / "text_c10").is_dir() for place in ("", "cvpr2016_cub"))
    has_split = all((folder / name).is_file() or (folder / "splits" / name).is_file() for name in lists)
    return [captions] * (not has_captions) + [split] * (not has_split)


def obtain_captions(transfer: Transfer) -> None:
    """The captions of COCO and Flickr30K in Karpathy's splits: `coco/` and `flickr30k/` in the folder, 37 MB once."""
    places = {"dataset_coco.json": "coco/annotations", "dataset_flickr30k.json": "flickr30k"}
    files = [f"{place}/{name}" for name, place in places.items()]

    def keep(member: str) -> str | None:
        return _into(places.get(Path(member).name, ""), *places)(member)

    with transfer.alone():
        _obtain(transfer, "caption_datasets.zip", keep, *files)
        transfer.manifest("captions", {}, files)


def obtain_coco_5k(transfer: Transfer) -> None:
    """`coco-5k/`: the captions of the COCO 5K test split as SCAN's files have them, with their identifiers.

    No checksum is published; that these are the 25,000 captions, one a line, is checked.
    """
    folder = transfer.folder / "coco-5k"
    with transfer.alone():
        raw, captions_path = folder / "testall_caps.txt", folder / "captions.txt"
        if not captions_path.is_file():
            transfer.source("coco_annotations.tar.gz", _into("coco-5k", raw.name))
            captions, ids = read_lines(raw, "a caption"), coco_test_caption_ids()
            if len(captions) != len(ids):
                raise ValueError(f"{raw}: expected {len(ids)} captions, got {len(captions)}")
            _write_lines(folder / "image_ids.txt", coco_test_image_ids())
            _write_lines(folder / "caption_ids.txt", ids.tolist())
            raw.replace(captions_path)
        files = ("captions.txt", "caption_ids.txt", "image_ids.txt")
        transfer.manifest("coco-5k", {}, [f"coco-5k/{name}" for name in files])


def _obtain(transfer: Transfer, archive: str, keep: Callable[[str], str | None], *files: str) -> None:
    """These files from an archive, unless they are there."""
    if not all((transfer.folder / name).is_file() for name in files):
        transfer.source(archive, keep)


def _into(folder: str, *names: str) -> Callable[[str], str | None]:
    """Where a member of an archive goes: those with the names into the folder, the others nowhere."""

    def keep(member: str) -> str | None:
        name = Path(member).name
        return f"{folder}/{name}".lstrip("/") if name in names and "__MACOSX" not in member else None

    return keep


def _of_part(part: str, member: str) -> str | None:
    return member if member.startswith(f"{part}/") else None


def _cub_member(member: str) -> str | None:
    """All but the segmentations and the attributes, which are large and not needed."""
    name = member.removeprefix("./")
    parts = name.split("/")
    wanted = parts[0] == "CUB_200_2011" and (parts[1] == "images" or len(parts) == 2) and not parts[-1].startswith("._")
    return name if wanted else None


def _write_lines(path: Path, lines: list[int]) -> None:
    with atomic_write(path) as aside:
        aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _by_hand(dataset: str, folder: Path) -> list[str]:
    return [line.format(folder=folder) for line in BY_HAND[dataset]]
