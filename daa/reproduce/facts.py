"""What is known of the data sets and of GPUs before anything is downloaded or run."""

from __future__ import annotations

from typing import NamedTuple

from daa.datasets.sources import BY_HAND, SOURCES


class Facts(NamedTuple):
    """The training split of a data set.

    Args:
        images: in it.
        captions: in it.
        words: of its vocabulary, as far as a model learns words.
        words_per_caption: their mean number.
        classes: kinds that define what matches; 0 where annotated pairs do.
        test_images, test_captions: of the test split.
    """

    images: int
    captions: int
    words: int
    words_per_caption: int
    classes: int
    test_images: int
    test_captions: int


FACTS = {
    # words: vocab/coco_precomp_vocab.json of SCAN, its four marks left out; the mean length is that of COCO's captions
    "coco": Facts(113_287, 566_435, 11_349, 11, 0, 5_000, 25_000),
    # words: vocab/f30k_precomp_vocab.json of SCAN
    "flickr30k": Facts(29_000, 145_000, 8_477, 12, 0, 1_000, 5_000),
    # words: no vocabulary is published; 5,000 is a guess. Reed et al. asked for at least ten words.
    "cub": Facts(7_057, 70_570, 5_000, 15, 150, 2_967, 29_670),
}
"""By the protocol of a table."""


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


def needed_data(protocol: str, regions: bool, folder: str) -> list[Needed]:
    """The data of a row.

    Args:
        protocol: of its table.
        regions: SCAN's region features instead of images.
        folder: where they go.
    """
    if regions:
        # one row of 36 x 2,048 float32 an image of train, one a caption of dev and test; derived from the numbers
        rows = {"coco": 113_287 + 25_000 + 25_000, "flickr30k": 29_000 + 5_070 + 5_000}[protocol]
        get = "from https://www.kaggle.com/datasets/kuanghueilee/scan-features"
        test = "testall" if protocol == "coco" else "test"
        files = f"{{train,dev,{test}}}_{{ims.npy,caps.txt,ids.txt}}"
        return [Needed(f"SCAN's region features, {files}", rows * 36 * 2048 * 4, f"{get} to {folder}/", True)]
    names = {
        "coco": ("train2014.zip", "val2014.zip", "annotations_trainval2014.zip", "caption_datasets.zip"),
        "flickr30k": ("caption_datasets.zip",),
        "cub": ("CUB_200_2011.tgz",),
    }[protocol]
    found = [Needed(name, SOURCES[name].size or 0, f"downloaded to {folder}/", False) for name in names]
    return found + [Needed(text.format(folder=folder), 0, "", True) for text in BY_HAND.get(protocol, ())]


WEIGHTS = {
    "resnet152": Needed("torchvision's ResNet-152 (IMAGENET1K_V1)", 241_530_880, "torch.hub's cache", False),
    "resnet50": Needed("torchvision's ResNet-50 (IMAGENET1K_V1)", 102_500_000, "torch.hub's cache", False),
    "glove": Needed(
        "GloVe 840B, 300 dimensions",
        2_176_768_927,
        "https://nlp.stanford.edu/data/glove.840B.300d.zip",
        True,
    ),
    "bert": Needed("BERT, bert-base-uncased", 440_000_000, "the Hugging Face cache", False),
}


class Gpu(NamedTuple):
    """A GPU and what it is assumed to sustain in training, in operations a second."""

    name: str
    memory: float
    full: float
    half: float
    why: str


GPUS = (
    Gpu("T4", 16e9, 3.2e12, 16e12, "40 % of its 8.1 TFLOP/s in float32, a quarter of its 65 in float16"),
    Gpu("A100", 40e9, 40e12, 90e12, "a quarter of its 156 TFLOP/s in TF32, 30 % of its 312 in half precision"),
)
"""The shares are assumptions of this package, not measurements: nothing here has run on a GPU."""
