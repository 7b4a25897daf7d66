"""The five models of the paper's tables take steps on Flickr8k's photos, from the places of a frozen network."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest

from daa.encoders.embed import score_dataset
from daa.evaluation import evaluate
from daa.training.config import Config, load_config
from daa.training.data import load_split
from daa.training.features import cache_features
from daa.training.loop import load_run, train

DATA = Path(os.environ.get("DAA_DATA", ""), "flickr8k")
pytestmark = pytest.mark.skipif(
    "DAA_DATA" not in os.environ or not DATA.is_dir(), reason="DAA_DATA names no folder with flickr8k/ in it"
)
FEW = ["data.train_images=16", "data.val_images=8", "data.test=val"]
ALIKE = [
    *("data.options={}", "data.augment=none", "data.val=val", "data.test=val", "data.val_images=null"),
    *("train.epochs=1", "train.batch_size=8", "train.workers=0", "train.precision='no'", "train.device=cpu"),
    *("finetune.epochs=0", "encoders.image_options={}", "encoders.image_options.features=1280"),
]
PLACES = ["encoders.min_word_count=1", "encoders.similarity_options.regions=49", "encoders.embedding_dim=256"]
HEAD = [
    *("encoders.image=features", "encoders.image_options.head=pcme", "encoders.text_options.vectors=null"),
    "encoders.embedding_dim=128",
]
MODELS = {
    "PCME": ("table1/pcme", HEAD),
    "PCME + DAA": ("table1/pcme", [*HEAD, "loss.daa_weight=2000"]),
    "SAF": ("table3/saf", PLACES),
    "SGR": ("table3/sgr", PLACES),
    "SAF + DAA": ("table3/saf-daa", PLACES),
    "SGR + DAA": ("table3/sgr-daa", PLACES),
}


@pytest.fixture(scope="module")
def places(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """7 x 7 places of 1,280 numbers, of a few photos."""
    pytest.importorskip("efficientnet_lite_pytorch")
    folder = tmp_path_factory.mktemp("places")
    config = load_config("flickr8k-infonce", [f"data.root={DATA}", "encoders.image_options.pool=false", *FEW])
    cache_features(config, folder, batch_size=8)
    return folder


def configured(model: str, places: Path) -> Config:
    name, changes = MODELS[model]
    return load_config(name, ["data.name=precomputed", f"data.root={places}", *ALIKE, *changes])


@pytest.mark.parametrize("models", [["PCME"], ["PCME + DAA"], ["SAF", "SGR"], ["SAF + DAA", "SGR + DAA"]])
def test_each_model_of_the_tables_trains_on_photographs(models: list[str], places: Path, tmp_path: Path) -> None:
    scores = []
    for model in models:
        config = configured(model, places)
        record = train(config, tmp_path / model, quiet=True)
        assert record["status"] == "finished"
        scores.append(score_dataset(load_run(tmp_path / model, "last")[0], load_split(config.data, "val")))
    corpus = load_split(config.data, "val").corpus
    report = evaluate(np.mean(scores, axis=0), corpus)  # of two, SGRAF
    assert (corpus.n_images, corpus.n_captions) == (8, 40)
    assert 0 <= report.value("R@1", "annotated", "t2i") <= 1
