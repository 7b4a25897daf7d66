"""What a row needs from elsewhere: what the command downloads, and what a person has to fetch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from rich.filesize import decimal

from daa.datasets.download import SOURCES, Transfer
from daa.datasets.obtain import BY_HAND, obtain_coco, obtain_cub, obtain_flickr30k
from daa.reproduce.reproduction import Reproduction


class Needed(NamedTuple):
    """One thing a row needs from elsewhere.

    Args:
        what: a file, or several.
        n_bytes: of the download; 0 where nobody says.
        where: what gets it, and where to put it.
        by_hand: whether a person has to fetch it.
    """

    what: str
    n_bytes: int
    where: str
    by_hand: bool


LABELS = ("annotations_trainval2014.zip", "caption_datasets.zip")
ARCHIVES = {
    "coco": ("train2014.zip", "val2014.zip", *LABELS),
    "flickr30k": ("caption_datasets.zip",),
    "cub": ("CUB_200_2011.tgz",),
}
"""Of the pictures and captions of a protocol; those of `LABELS` have what PMRP compares."""

REGIONS = {
    protocol: Needed(
        f"SCAN's region features, {{train,dev,{test}}}_{{ims.npy,caps.txt,ids.txt}}",
        rows * 36 * 2048 * 4,  # float32; one row an image of train, one a caption of dev and test
        "from https://www.kaggle.com/datasets/kuanghueilee/scan-features",
        True,
    )
    for protocol, test, rows in (
        ("coco", "testall", 113_287 + 25_000 + 25_000),
        ("flickr30k", "test", 29_000 + 5_070 + 5_000),
    )
}
GLOVE = Needed("GloVe 840B, 300 dimensions", 2_176_768_927, "https://nlp.stanford.edu/data/glove.840B.300d.zip", True)
BERT = Needed("BERT, bert-base-uncased", 440_000_000, "the Hugging Face cache", False)
NETWORKS = {
    "resnet152": Needed("torchvision's ResNet-152 (IMAGENET1K_V1)", 241_530_880, "torch.hub's cache", False),
    "resnet50": Needed("torchvision's ResNet-50 (IMAGENET1K_V1)", 102_500_000, "torch.hub's cache", False),
}


def needed_by(reproduction: Reproduction) -> list[Needed]:
    """What the row needs from elsewhere, each thing once."""
    protocol, found = reproduction.table.protocol, []
    for config in reproduction.configs.values():
        folder, encoders = config.data.root, config.encoders
        if config.data.name == "precomputed":
            found.append(_into(REGIONS[protocol], f"{folder}/"))
        else:
            found += _archives(ARCHIVES[protocol], str(folder))
            found += [Needed(text.format(folder=folder), 0, "", True) for text in BY_HAND.get(protocol, ())]
        if encoders.image in NETWORKS and encoders.image_options.get("weights"):
            found.append(NETWORKS[encoders.image])
        if vectors := encoders.text_options.get("vectors"):
            found.append(_into(GLOVE, vectors))
        if encoders.text == "bert":
            found.append(BERT)
    if protocol == "coco" and all(config.data.name == "precomputed" for config in reproduction.configs.values()):
        found += _archives(LABELS, str(reproduction.root / "coco"))
    return list({one.what: one for one in found}.values())


def needed_lines(needed: Sequence[Needed]) -> list[str]:
    """What is downloaded and what has to be fetched by hand, for people."""
    total = sum(one.n_bytes for one in needed)
    by_hand = sum(one.by_hand for one in needed)
    files = "1 download" if len(needed) == 1 else f"{len(needed)} downloads"
    lines = [f"Needs {files}, {decimal(total)} as far as sizes are published:"]
    for one in needed:
        size = f" ({decimal(one.n_bytes)})" if one.n_bytes else ""
        where = f": {one.where}" if one.where else ""
        lines.append(f"  {'by hand: ' if one.by_hand else ''}{one.what}{size}{where}")
    if by_hand:
        lines.append(f"  {by_hand} of them by hand: only a person can fetch {'it' if by_hand == 1 else 'them'}.")
    return lines


def obtain(reproduction: Reproduction, quiet: bool = False) -> list[str]:
    """Download what the row needs and is not there; what has to be fetched by hand is returned, a line each."""
    protocol, names = reproduction.table.protocol, {config.data.name for config in reproduction.configs.values()}
    if names <= {"scenes"} or (names == {"precomputed"} and protocol != "coco"):
        return []
    transfer = Transfer(reproduction.root / protocol, quiet=quiet)
    if protocol == "coco":
        obtain_coco(transfer, images="coco" in names)  # with region features, only the labels for PMRP
        return []
    return {"flickr30k": obtain_flickr30k, "cub": obtain_cub}[protocol](transfer)


def _archives(names: Sequence[str], folder: str) -> list[Needed]:
    return [Needed(name, SOURCES[name].size or 0, f"downloaded to {folder}/", False) for name in names]


def _into(needed: Needed, place: str) -> Needed:
    return needed._replace(where=f"{needed.where} to {place}")
