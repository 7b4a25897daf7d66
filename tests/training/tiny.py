"""A data set of coloured squares and a configuration that trains in a second: for tests of the loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageTextDataset
from daa.encoders.inputs import ImageInputs
from daa.relevance import TfidfRelevance
from daa.training.config import Config
from daa.training.data import TrainingData
from daa.training.load import load_config

COLOURS = {"red": (220, 30, 30), "green": (30, 200, 60), "blue": (40, 60, 220), "yellow": (230, 220, 40)}
PLACES = {"left": (1, 5), "right": (9, 5), "top": (5, 1), "bottom": (5, 9)}
SQUARES = [(colour, place) for colour in COLOURS for place in PLACES]


def squares(n: int, seed: int) -> ImageTextDataset:
    """n images of one square each, with two captions."""
    generator = np.random.default_rng(seed)
    chosen = [SQUARES[k] for k in generator.integers(0, len(SQUARES), n)]
    captions = [text for colour, place in chosen for text in (f"a {colour} square, {place}", f"{place}: {colour}")]
    corpus = CaptionCorpus(captions=captions, image_of_caption=np.repeat(np.arange(n), 2), name="squares")

    def load_image(i: int) -> Image.Image:
        colour, (x, y) = COLOURS[chosen[i][0]], PLACES[chosen[i][1]]
        image = Image.new("RGB", (16, 16), (128, 128, 128))
        image.paste(colour, (x, y, x + 6, y + 6))
        return image

    return ImageTextDataset(corpus, load_image, image_size=16)


def tiny_data() -> TrainingData:
    train, val = squares(48, seed=0), squares(24, seed=1)
    relevance, val_relevance = TfidfRelevance().fit(train.corpus), TfidfRelevance().fit(val.corpus).matrix()
    return TrainingData(ImageInputs(train), ImageInputs(val), relevance, val_relevance)


def tiny_config(*overrides: str) -> Config:
    """2 epochs of 4 steps, with dropout, augmentation, Monte-Carlo samples and every term of the loss."""
    return load_config(Path(__file__).parent / "tiny.yaml", overrides)
