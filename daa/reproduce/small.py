"""A row made small: the same path in minutes on a CPU, with small networks, few images and what stands in for data."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import torch

from daa.corpus import CaptionCorpus
from daa.datasets.feature_cache import write_features
from daa.encoders.image import ConvSmall
from daa.reproduce import FOLDS, Row, Table
from daa.reproduce.reproduction import Reproduction
from daa.training.config import Config, DataConfig, load_config
from daa.training.data import load_split
from daa.training.features import FeatureBlocks

IMAGES = 200
"""Training images by default; a quarter as many to validate on, and as many again to test."""
EVERYWHERE = (
    "data.image_size=64",
    "data.options={}",
    "encoders.embedding_dim=32",
    "encoders.min_word_count=1",
    "train.epochs=2",
    "train.batch_size=16",
    "train.precision='no'",
    "train.workers=0",
    "train.checkpoint_every=50",
    "train.log_every=10",
)
TINY_BERT = "{hidden_size: 32, num_hidden_layers: 2, num_attention_heads: 2, intermediate_size: 64}"
SCENES = {
    "coco": "Data: drawn scenes in the place of COCO, which is not there.",
    "flickr30k": "Data: drawn scenes in the place of Flickr30K.",
    "cub": "Data: drawn scenes in the place of CUB, all true captions of a picture in that of all of its class.",
}
PIXELS, WIDTH, PLACES = 96, 8, 36
"""Pictures of so many pixels give a network of this width a last map of 6 x 6 places."""
FEATURES = (
    f"Features: {PLACES} places of the last map of a small network with random weights, written in the layout of "
    "SCAN's region features and read from there."
)


def small_size(
    table: Table, row: Row, root: Path | None, out: Path, overrides: Sequence[str] = (), images: int = IMAGES
) -> Reproduction:
    """The row with the overrides that make it small, its data found or made.

    Args:
        table, row: what is reproduced.
        root: folder of data sets; by default the environment variable DAA_DATA. Without COCO there, scenes stand in.
        out: folder of the runs, and of the features that are made for them.
        overrides: further ones, which win.
        images: training images.

    Raises:
        ValueError: fewer images than the protocol's folds need.
    """
    if images < 4 * FOLDS:
        raise ValueError(f"--images: expected at least {4 * FOLDS}, got {images}")
    data, note = small_data(table.protocol, root, images)
    counts = [f"data.train_images={images}", f"data.val_images={images // 4}"]
    notes, configs, used, corpus = [note], {}, [], None
    for path in row.configs:
        full = load_config(path)
        changes, said = smaller(full)
        changes += counts
        if full.data.name == "precomputed":
            source = load_config(overrides=[*counts, *data, f"data.image_size={PIXELS}"]).data
            corpus = _write_features(source, full.data, out / "features")
            said.append(FEATURES)
            changes += [f"data.root={out / 'features'}", f"encoders.image_options.features={4 * WIDTH}"]
        else:
            changes += data
        used = [*changes, *overrides]
        configs[path.stem] = load_config(path, used)
        notes = list(dict.fromkeys([*notes, *said]))
    first = next(iter(configs.values())).data
    n_test = min(images // 4, load_split(first, first.test).corpus.n_images) // FOLDS * FOLDS
    corpus = corpus and corpus.select(slice(n_test))
    return Reproduction(table, row, configs, out, root or Path(), tuple(used), tuple(notes), n_test, corpus)


def small_data(protocol: str, root: Path | None, images: int) -> tuple[list[str], str]:
    """Overrides of the section `data`, and a sentence that says what is read: COCO if it is there, or else scenes."""
    folder = root or os.environ.get("DAA_DATA")
    coco = Path(folder, "coco") if folder and protocol != "cub" else None
    stand_in = " in the place of Flickr30K" if protocol == "flickr30k" else ""
    splits = ("train", "val", "test")
    if coco and any((coco / place / "dataset_coco.json").is_file() for place in ("", "annotations", "karpathy")):
        changes, note = [], f"Data: the first images of COCO in Karpathy's splits{stand_in}."
    elif coco and (coco / "annotations" / "captions_val2017.json").is_file():
        splits, changes = ("train2017", "val2017", "val2017"), ["data.options={captions_per_image: 5}"]
        note = f"Data: COCO's train2017, and the same images of val2017 to validate and to test{stand_in}."
    else:
        coco, changes = (
            None,
            [f"data.options={{n_images: {images}}}", "data.augment=none"],
        )  # captions tell left from right
        note = SCENES[protocol]
    named = [f"data.{part}={split}" for part, split in zip(("train", "val", "test"), splits, strict=True)]
    return [f"data.name={'coco' if coco else 'scenes'}", f"data.root={coco or 'null'}", *named, *changes], note


def smaller(full: Config) -> tuple[list[str], list[str]]:
    """Overrides that leave a configuration its kind of encoders and loss, and a sentence for each change of kind."""
    changes, notes = list(EVERYWHERE), []
    if full.finetune.epochs:
        changes.append("finetune.epochs=1")
    if full.encoders.image.startswith("resnet"):
        changes += ["encoders.image=resnet18", "encoders.image_options.weights=null"]
        notes.append("Images: ResNet-18 with random weights.")
    if full.encoders.text == "bert":
        changes += ["encoders.text_options.weights=null", f"encoders.text_options.config={TINY_BERT}"]
        notes.append("Captions: a BERT of two layers, random weights, and word pieces of the training captions.")
    else:
        changes.append("encoders.text_options.word_dim=32")
    if full.encoders.text_options.get("vectors"):
        changes.append("encoders.text_options.vectors=null")
        notes.append("Captions: random word vectors in the place of GloVe.")
    if full.data.name == "precomputed":
        changes.append("encoders.similarity_options.sim_dim=16")
    return changes, notes


def _write_features(source: DataConfig, target: DataConfig, folder: Path) -> CaptionCorpus:
    """The features of all splits in SCAN's layout, from a frozen network with random weights; the captions of the last.

    These, unlike what is read back, have labels.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = ConvSmall(width=WIDTH).body.eval()
    made_by = f"conv-small of width {WIDTH}, random weights of seed 0, {PIXELS} px"
    for part, n_images in (("train", source.train_images), ("val", source.val_images), ("test", source.val_images)):
        dataset = load_split(source, getattr(source, part), n_images)
        blocks = FeatureBlocks(dataset, lambda images: network((images - 0.5) * 4).flatten(2).transpose(1, 2))
        write_features(folder, getattr(target, part), blocks, dataset.corpus, made_by=made_by)
    return dataset.corpus
