"""A data set of coloured squares and a configuration that trains in a second: for tests of the loop."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from PIL import Image

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageInputs, ImageTextDataset
from daa.encoders.vocabulary import Vocabulary
from daa.relevance import TfidfRelevance
from daa.training.batches import Batch, Batches
from daa.training.config import Config, load_config
from daa.training.data import TrainingData, new_model
from daa.training.gradients import GradCache
from daa.training.objective import Objective

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


def region_pairs(n: int, regions: int = 5, features: int = 8) -> TrainingData:
    """n images of random region features, with one caption of three to six random words each; validated on the same."""
    generator = np.random.default_rng(0)
    seen = torch.from_numpy(generator.normal(size=(n, regions, features)).astype(np.float32))
    captions = [" ".join(f"w{k}" for k in generator.integers(0, 40, generator.integers(3, 7))) for _ in range(n)]
    corpus = CaptionCorpus(captions=captions, image_of_caption=np.arange(n), name="regions")
    inputs = ImageInputs(ImageTextDataset(corpus, lambda i: seen[i], transform=lambda picture: picture))
    relevance = TfidfRelevance().fit(corpus)
    return TrainingData(inputs, inputs, relevance, relevance.matrix())


def region_config(model: str, *overrides: str) -> Config:
    """A model of the tables at the size of a toy, by its name in `MODELS`, on `region_pairs`."""
    lines = "encoders.embedding_dim=16 optim.warmup=0 optim.schedule=constant train.device=cpu " + MODELS[model]
    return load_config(overrides=[*lines.split(), *overrides])


def prepared(config: Config, data: TrainingData, chunks: int = 1) -> tuple[GradCache, Batch]:
    """What fills the gradients of a model with the weights of one seed, in this process, and its first batch."""
    AcceleratorState._reset_state(True)
    captions = data.train.dataset.corpus.captions
    torch.manual_seed(0)
    model = new_model(config, Vocabulary.build(captions)).train()
    batches = Batches(data.train, model.tokenize(captions), config, data.relevance)
    return GradCache(model, Objective(config.loss), Accelerator(cpu=True), seed=3, chunks=chunks), batches[0]


def _options(section: str, **options: object) -> str:
    return " ".join(f"{section}_options.{name}={value}" for name, value in options.items())


def _heads(**options: object) -> str:
    image = _options("encoders.image", features=8, **options)
    text = _options("encoders.text", word_dim=16, **options)
    return f"encoders.image=features {image} encoders.text=sentence-gru {text}"


def _cross(similarity: str) -> str:
    return (
        f"encoders.image=regions {_options('encoders.image', features=8)} encoders.text=words loss.kind=triplet "
        f"{_options('encoders.text', word_dim=16, dropout=0.0)} encoders.similarity={similarity} "
        f"{_options('encoders.similarity', sim_dim=16, regions=5, dropout=0.0)}"
    )


MODELS = {
    "vse++": f"{_heads(head='point')} encoders.similarity=max-cosine loss.kind=triplet",
    "pvse": f"{_heads(head='points', k=2)} encoders.similarity=max-cosine loss.kind=triplet loss.mmd_weight=0.01 "
    "loss.diversity_weight=0.1",
    "pcme": f"{_heads(head='pcme', log_var_init=-6.0)} loss.options.init_scale=10.0 loss.options.init_shift=10.0 "
    "loss.samples=2 loss.kl_weight=1.0e-5 loss.kl_reduction=sum",
    "saf": _cross("saf"),
    "sgr": _cross("sgr"),
}
