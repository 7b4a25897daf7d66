"""Getting what can be had of Flickr30K, CUB and the captions alone, and saying what must be asked for."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from daa.datasets.eccv import coco_test_caption_ids, coco_test_image_ids
from daa.datasets.obtain import into, obtain_coco
from daa.datasets.registry import BY_HAND, SOURCES
from daa.datasets.space import require_space
from daa.datasets.transfer import Transfer, check_picture
from daa.files import atomic_write


def obtain_flickr30k(transfer: Transfer) -> list[str]:
    """Flickr30K's captions; its images, which a form must be filled in for, are checked where they are there.

    Returns:
        what is still to be done by hand.
    """
    from daa.datasets.karpathy import SPLITS, karpathy_dataset

    folder = transfer.folder
    with transfer.alone():
        if not (folder / "dataset_flickr30k.json").is_file():
            _get(transfer, "caption_datasets.zip", partial(into, "", ("dataset_flickr30k.json",)))
        names = ["dataset_flickr30k.json"]
        try:
            for split in SPLITS:
                paths = karpathy_dataset("flickr30k", split, folder).load_image.paths  # type: ignore[attr-defined]
                names += [path.relative_to(folder).as_posix() for path in paths]
            to_do = []
        except FileNotFoundError:
            names, to_do = names[:1], _by_hand("flickr30k", folder)
        _check_pictures(transfer, names[1:])
        transfer.manifest("flickr30k", {}, names)
    return to_do


def obtain_cub(transfer: Transfer) -> list[str]:
    """CUB-200-2011's images; the captions and the split are said where to get.

    Returns:
        what is still to be done by hand.
    """
    folder = transfer.folder
    with transfer.alone():
        if not (folder / "CUB_200_2011" / "images.txt").is_file():
            _get(transfer, "CUB_200_2011.tgz", _cub_member)
        names = sorted(
            path.relative_to(folder).as_posix() for path in (folder / "CUB_200_2011").rglob("*.*") if path.is_file()
        )
        transfer.manifest("cub", {}, names)
    captions, split = _by_hand("cub", folder)
    to_do = [captions] if not any((folder / place / "text_c10").is_dir() for place in ("", "cvpr2016_cub")) else []
    lists = ("trainvalclasses.txt", "testclasses.txt", "seen_test_images.txt")
    there = all((folder / name).is_file() or (folder / "splits" / name).is_file() for name in lists)
    return to_do + ([] if there else [split])


def obtain_captions(transfer: Transfer) -> None:
    """The captions of COCO and Flickr30K in Karpathy's splits: `coco/` and `flickr30k/` in the folder, 37 MB once."""
    folder = transfer.folder
    wanted = {"dataset_coco.json": "coco/annotations", "dataset_flickr30k.json": "flickr30k"}
    with transfer.alone():
        if not all((folder / place / name).is_file() for name, place in wanted.items()):
            _get(
                transfer,
                "caption_datasets.zip",
                lambda member: into(wanted.get(member.rsplit("/", 1)[-1], ""), tuple(wanted), member),
            )
        transfer.manifest("captions", {}, [f"{place}/{name}" for name, place in wanted.items()])


def obtain_coco_5k(transfer: Transfer) -> None:
    """`coco-5k/`: the captions of the COCO 5K test split as SCAN's files have them, with their identifiers.

    No checksum is published; that these are the 25,000 captions, one a line, is checked.
    """
    from daa.datasets.caption_files import read_lines

    folder = transfer.folder / "coco-5k"
    with transfer.alone():
        raw = folder / "testall_caps.txt"
        if not (folder / "captions.txt").is_file():
            _get(transfer, "coco_annotations.tar.gz", partial(into, "coco-5k", (raw.name,)))
            captions, ids = read_lines(raw, "a caption"), coco_test_caption_ids()
            if len(captions) != len(ids):
                raise ValueError(f"{raw}: expected {len(ids)} captions, got {len(captions)}")
            _write_lines(folder / "image_ids.txt", coco_test_image_ids())
            _write_lines(folder / "caption_ids.txt", ids.tolist())
            raw.replace(folder / "captions.txt")
        files = ("captions.txt", "caption_ids.txt", "image_ids.txt")
        transfer.manifest("coco-5k", {}, [f"coco-5k/{name}" for name in files])


def _write_lines(path: Path, lines: list[int]) -> None:
    with atomic_write(path) as aside:
        aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _get(transfer: Transfer, name: str, keep) -> None:
    source = SOURCES[name]
    require_space(transfer.folder, (source.size or 0) + source.unpacked, name)
    transfer.source(name, keep)


def _cub_member(member: str) -> str | None:
    """All but the segmentations and the attributes, which are large and not needed."""
    name = member.removeprefix("./")
    parts = name.split("/")
    wanted = parts[0] == "CUB_200_2011" and (parts[1] == "images" or len(parts) == 2) and not parts[-1].startswith("._")
    return name if wanted else None


def _check_pictures(transfer: Transfer, names: list[str]) -> None:
    task = transfer.bars.add_task("images", total=len(names), state="")

    def check(name: str) -> None:
        try:
            check_picture(transfer.folder / name)
        except ValueError as error:
            raise ValueError(f"{transfer.folder / name}: {error}; unpack it again") from None

    transfer.side_by_side(check, names, lambda name, result, error: transfer.bars.update(task, advance=1))


def _by_hand(dataset: str, folder: Path) -> list[str]:
    return [line.format(folder=folder) for line in BY_HAND[dataset]]


__all__ = ["obtain_captions", "obtain_coco", "obtain_coco_5k", "obtain_cub", "obtain_flickr30k"]
