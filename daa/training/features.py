"""What the head of a frozen image encoder sees, kept on the disk once, so that training opens no picture any more."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from os import PathLike

import numpy as np
import torch
from jaxtyping import Float32
from torch import Tensor

from daa.datasets.base import ImageInputs, ImageTextDataset
from daa.datasets.download import fetch
from daa.datasets.feature_cache import write_features
from daa.encoders.model import build_image_encoder
from daa.encoders.pretrained import fetching_by
from daa.training.config import Config
from daa.training.data import load_split
from daa.training.seeds import reproducible, seed_everything

OF_THE_BODY = ("backbone", "weights", "frozen", "batch_norm", "pool")
"""Options of an image encoder that have no meaning once its features are there."""


class FeatureBlocks:
    """Features of a data set's images by blocks, from any image on, as `write_features` asks for them.

    Args:
        dataset: where the images come from.
        features: from a batch of images to their features.
        batch_size: images at a time.
        progress: called with the number of images just done.
    """

    def __init__(
        self,
        dataset: ImageTextDataset,
        features: Callable[[Tensor], Tensor],
        batch_size: int = 32,
        progress: Callable[[int], None] = lambda n_images: None,
    ) -> None:
        self.inputs, self.features = ImageInputs(dataset, keep=False), features
        self.batch_size, self.progress = batch_size, progress

    def __call__(self, first: int) -> Iterator[Float32[np.ndarray, "images places features"]]:
        self.progress(first)
        for start in range(first, len(self.inputs), self.batch_size):
            images = self.inputs.batch(np.arange(start, min(start + self.batch_size, len(self.inputs))))
            with torch.no_grad():
                features = self.features(images).float().cpu().numpy()
            yield features
            self.progress(len(images))


def cache_features(
    config: Config,
    folder: str | PathLike[str],
    *,
    dtype: str = "float16",
    batch_size: int = 32,
    progress: Callable[[str, int, int], None] = lambda split, n_images, of: None,
) -> Config:
    """Write the features of all three splits of a configuration in SCAN's layout; returns one that trains on them.

    The pictures are those of the evaluation: what is kept has no random views, and the encoder below the head stays as
    it is. Interrupted, the same call goes on where it stopped; what is there already is not made again.

    Args:
        config: its image encoder must have features to keep, as torchvision's networks do.
        folder: where to.
        dtype: `"float16"` halves the size, at a relative error of 5e-4; `"float32"` is exact.
        batch_size: images at a time.
        progress: called with the split, the number of images just done, and of how many.

    Raises:
        ValueError: an encoder without such features, a configuration that fine-tunes it, or a folder that holds
            features of other images or of another encoder.
    """
    name = config.encoders.image
    if config.finetune.epochs:
        raise ValueError("finetune.epochs: expected 0, since an encoder whose features are kept cannot be fine-tuned")
    with reproducible(), fetching_by(fetch):
        seed_everything(config.train.seed, "weights")
        encoder = build_image_encoder(name, config.encoders.embedding_dim, config.encoders.image_options)
    if not hasattr(encoder, "body_features"):
        raise ValueError(f"encoders.image: expected one of torchvision's networks or efficientnet-lite0, got {name!r}")
    device = "cuda" if torch.cuda.is_available() and config.train.device == "auto" else "cpu"
    encoder.eval().to(device)
    data, options = config.data, config.encoders.image_options
    seed = "" if options.get("weights") else f", seed {config.train.seed}"
    body = {key: options[key] for key in OF_THE_BODY if key in options}
    wanted = {data.train: data.train_images, data.val: data.val_images}
    for split in dict.fromkeys((data.train, data.val, data.test)):
        dataset = load_split(data, split, wanted.get(split))
        of = dataset.corpus.n_images
        blocks = FeatureBlocks(
            dataset,
            lambda images: encoder.body_features(images.to(device)),  # type: ignore[operator]
            batch_size,
            lambda n, split=split, of=of: progress(split, n, of),  # type: ignore[misc]
        )
        made_by = f"{name} {body}, {data.image_size} px{seed}"
        written = write_features(folder, split, blocks, dataset.corpus, dtype=dtype, made_by=made_by)
    n_features = np.load(written, mmap_mode="r").shape[-1]
    of_the_head = {key: value for key, value in options.items() if key not in OF_THE_BODY}
    return config.with_(
        data={"name": "precomputed", "root": str(folder), "options": {}, "augment": "none"}
        | {"train_images": None, "val_images": None},
        encoders={"image": "features", "image_options": of_the_head | {"features": n_features}},
    )
