"""What can be downloaded without asking anybody: addresses, bytes, checksums, licences; and what must be asked for."""

from __future__ import annotations

import os
from typing import NamedTuple

MIRROR_VARIABLE = "DAA_MIRROR"
COCO_IMAGES = "http://images.cocodataset.org"
MEAN_COCO_IMAGE = 163_000  # bytes; (13,510,573,713 + 6,645,013,297) / 123,287
MEAN_PART_OF_DISK = 4_096  # what a file takes beyond its own bytes, about


class Source(NamedTuple):
    """One published file.

    Args:
        url: where it is.
        unpacked: bytes of what is kept of it, about.
        licence: under what terms.
        size: bytes; None where nobody publishes them.
        sha256: checksum; None where nobody publishes one.
    """

    url: str
    unpacked: int
    licence: str
    size: int | None = None
    sha256: str | None = None


_EACH_IMAGE = "each image under the Flickr licence that its record names"
SOURCES = {
    "train2014.zip": Source(
        f"{COCO_IMAGES}/zips/train2014.zip",
        13_600_000_000,
        _EACH_IMAGE,
        13_510_573_713,
        "ede4087e640bddba550e090eae701092534b554b42b05ac33f0300b984b31775",
    ),
    "val2014.zip": Source(
        f"{COCO_IMAGES}/zips/val2014.zip",
        6_700_000_000,
        _EACH_IMAGE,
        6_645_013_297,
        "fe9be816052049c34717e077d9e34aa60814a55679f804cd043e3cbee3b9fde0",
    ),
    "annotations_trainval2014.zip": Source(
        f"{COCO_IMAGES}/annotations/annotations_trainval2014.zip",
        700_000_000,
        "CC BY 4.0, COCO Consortium",
        252_872_794,
        "031296bbc80c45a1d1f76bf9a90ead27e94e99ec629208449507a4917a3bf009",
    ),
    "caption_datasets.zip": Source(
        "https://cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip",
        180_000_000,
        "captions of COCO (CC BY 4.0) and Flickr30K (CC BY 3.0), split by Karpathy and Fei-Fei",
        36_745_453,
        "4cfd70132527b80933105e5829dc9034eaab9573482e2e680abbab6130244817",
    ),
    "coco_annotations.tar.gz": Source(
        "https://github.com/naver-ai/pcmepp/releases/download/v0.1.0/coco_annotations.tar.gz",
        2_000_000,
        "CC BY 4.0, COCO Consortium",
    ),
    "Flickr8k_Dataset.zip": Source(  # `unpacked` has room for the archive as well, whose size is not known
        "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/Flickr8k_Dataset.zip",
        2_300_000_000,
        "each photo belongs to its Flickr owner; research only; Hodosh, Young and Hockenmaier, JAIR 47 (2013)",
    ),
    "Flickr8k_text.zip": Source(
        "https://github.com/jbrownlee/Datasets/releases/download/Flickr8k/Flickr8k_text.zip",
        20_000_000,
        "research only; Hodosh, Young and Hockenmaier, JAIR 47 (2013)",
    ),
    "CUB_200_2011.tgz": Source(
        "https://data.caltech.edu/records/65de6-vp158/files/CUB_200_2011.tgz",
        1_200_000_000,
        "non-commercial research",
        1_150_585_339,
        "0c685df5597a8b24909f6a7c9db6d11e008733779a671760afef78feb49bf081",
    ),
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


def mirrored(url: str, mirror: str | None = None) -> str:
    """The address that is asked in place of `url`.

    >>> mirrored("http://images.cocodataset.org/zips/val2014.zip", "http://localhost:8000/")
    'http://localhost:8000/images.cocodataset.org/zips/val2014.zip'
    """
    base = mirror or os.environ.get(MIRROR_VARIABLE)
    return f"{base.rstrip('/')}/{url.split('://', 1)[-1]}" if base else url
