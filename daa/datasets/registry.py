"""What can be downloaded without asking anybody: addresses in their order, bytes, checksums, licences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Source:
    """One published file.

    Args:
        name: what it is called on disk.
        urls: where it is, tried in this order.
        size: bytes; None where nobody publishes them.
        sha256: checksum; None where nobody publishes one.
        md5: likewise.
        unpacked: bytes of what is kept of it, about.
        licence: under what terms.
    """

    name: str
    urls: tuple[str, ...]
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    unpacked: int = 0
    licence: str = ""

    def checksum(self) -> str:
        """How the file is known to be right."""
        known = [name for name in ("sha256", "md5") if getattr(self, name)]
        return " and ".join(known) or "no checksum is published"


COCO_IMAGES = "http://images.cocodataset.org"
MEAN_COCO_IMAGE = 163_000  # bytes; (13,510,573,713 + 6,645,013,297) / 123,287
MEAN_PART_OF_DISK = 4_096  # what a file takes beyond its own bytes, about

SOURCES = {
    source.name: source
    for source in (
        Source(
            "train2014.zip",
            (f"{COCO_IMAGES}/zips/train2014.zip",),
            13_510_573_713,
            "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
            unpacked=13_600_000_000,
            licence="each image under the Flickr licence that its record names",
        ),
        Source(
            "val2014.zip",
            (f"{COCO_IMAGES}/zips/val2014.zip",),
            6_645_013_297,
            "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
            unpacked=6_700_000_000,
            licence="each image under the Flickr licence that its record names",
        ),
        Source(
            "annotations_trainval2014.zip",
            (f"{COCO_IMAGES}/annotations/annotations_trainval2014.zip",),
            252_872_794,
            "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
            unpacked=700_000_000,
            licence="CC BY 4.0, COCO Consortium",
        ),
        Source(
            "caption_datasets.zip",
            ("https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",),
            36_745_453,
            "4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
            unpacked=180_000_000,
            licence="captions of COCO (CC BY 4.0) and Flickr30K (CC BY 3.0), split by Karpathy and Fei-Fei",
        ),
        Source(
            "coco_annotations.tar.gz",
            ("https://github.com/naver-ai/pcmepp/releases/download/v0.1.0/coco_annotations.tar.gz",),
            unpacked=2_000_000,
            licence="CC BY 4.0, COCO Consortium",
        ),
        Source(
            "CUB_200_2011.tgz",
            ("https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",),
            1_150_585_339,
            "0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
            unpacked=1_200_000_000,
            licence="non-commercial research",
        ),
    )
}

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
