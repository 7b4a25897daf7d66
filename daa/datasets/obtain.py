"""Getting COCO: annotations once, then just the images that are asked for; what is there is not got again."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np

from daa.datasets.registry import MEAN_COCO_IMAGE, MEAN_PART_OF_DISK, SOURCES
from daa.datasets.space import require_space
from daa.datasets.transfer import Transfer

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
    from daa.datasets.karpathy import SPLITS, karpathy_files

    if subset is not None and subset < 1:
        raise ValueError(f"subset: expected at least 1 image, got {subset}")
    for split in splits:
        if split not in SPLITS:
            raise ValueError(f"split: expected one of {', '.join(SPLITS)}, got {split!r}")
    folder = transfer.folder
    whole = subset is None and "train" in (splits or SPLITS)
    with transfer.alone() as manifest:
        before = manifest or {"subsets": {}, "files": {}}
        needed = _missing_annotations(
            folder, instances or any(_annotation(name) in before["files"] for name in INSTANCES)
        )
        space = sum((SOURCES[name].size or 0) + SOURCES[name].unpacked for name in needed)
        space += _space_for_images(folder, tuple(splits or SPLITS), subset, whole) if images else 0
        require_space(folder, space, "this download")
        for name in needed:
            transfer.source(name, partial(into, "annotations", ("dataset_coco.json", *INSTANCES)))
        subsets = dict(before["subsets"])
        gone = {name for name in before["files"] if not (folder / name).is_file()}
        names = [name for name in gone if name.endswith(".jpg")]
        for split in (splits or SPLITS) if images else ():
            files = karpathy_files("coco", split, folder)
            chosen = files if subset is None else choose(files, subset, split)
            if len(chosen) == len(files):
                subsets.pop(split, None)
            elif split in subsets or not set(files) <= set(before["files"]):  # and not a whole split made smaller
                subsets[split] = chosen
            names += chosen
        _obtain_images(
            transfer, [name for name in dict.fromkeys(names) if name in gone or name not in before["files"]], whole
        )
        transfer.manifest("coco", subsets, [*map(_annotation, ("dataset_coco.json", *INSTANCES)), *names])


def _annotation(name: str) -> str:
    return f"annotations/{name}"


def choose(files: Sequence[str], n: int, split: str) -> list[str]:
    """A subset of a split, in the split's order: of train at random, nested; of val and test the first.

    >>> few, more = choose("abcdefgh", 2, "train"), choose("abcdefgh", 5, "train")
    >>> set(few) < set(more), more == sorted(more), choose("abcdefgh", 2, "test")
    (True, True, ['a', 'b'])
    """
    if split != "train":
        return list(files[:n])
    return [files[i] for i in sorted(np.random.default_rng(0).permutation(len(files))[:n])]


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


def _of_part(part: str, member: str) -> str | None:
    return member if member.startswith(f"{part}/") else None


def _missing_annotations(folder: Path, instances: bool) -> list[str]:
    """The archives that are needed for what is not there yet."""
    annotations = folder / "annotations"
    captions = any((place / "dataset_coco.json").is_file() for place in (annotations, folder, folder / "karpathy"))
    labels = not instances or all((annotations / name).is_file() for name in INSTANCES)
    return ["caption_datasets.zip"] * (not captions) + ["annotations_trainval2014.zip"] * (not labels)


def _space_for_images(folder: Path, splits: Sequence[str], subset: int | None, whole: bool) -> int:
    """An estimate, before the annotations that would say it exactly."""
    from daa.datasets.karpathy import SPLIT_SIZES

    n = sum(min(subset or size, size) for size in (SPLIT_SIZES["coco"][split] for split in splits))
    missing = max(0, n - sum(1 for _ in folder.glob("*2014/*.jpg")))
    archive = (SOURCES["train2014.zip"].size or 0) if whole and missing > n / 2 else 0
    return missing * _ON_DISK + archive


def into(folder: str, names: Sequence[str], member: str) -> str | None:
    """Where a member of an archive goes: those with the names into the folder, the others nowhere."""
    name = member.rsplit("/", 1)[-1]
    return f"{folder}/{name}".lstrip("/") if name in names and "__MACOSX" not in member else None
