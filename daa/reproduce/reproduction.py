"""Reproducing a row: its configurations, what it needs from elsewhere, its runs, its numbers, and their record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from rich.filesize import decimal

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.datasets.base import ImageTextDataset
from daa.datasets.download import SOURCES, Transfer
from daa.datasets.obtain import BY_HAND, obtain_coco, obtain_cub, obtain_flickr30k
from daa.encoders.embed import score_dataset
from daa.encoders.vocabulary import split_words
from daa.evaluation import Report, evaluate
from daa.files import atomic_write, provenance, write_json
from daa.relevance import TfidfRelevance
from daa.reproduce import FOLDS, Cell, Row, Table, cells, slug
from daa.similarity import ensemble
from daa.training.config import Config, load_config
from daa.training.data import load_split
from daa.training.loop import load_run, train

FORMAT = "daa reproduce 1"
GLOVE = "glove.840B.300d.zip"
REGION_FOLDERS = {"coco": "coco_precomp", "flickr30k": "f30k_precomp"}


@dataclass(frozen=True)
class Reproduction:
    """A row and how it is run.

    Args:
        table, row: what is reproduced.
        configs: one a run, by the name of its folder.
        out: the runs go to `out/NAME`.
        root: folder of the data sets.
        overrides: what was changed in the configurations of the table.
        small: how the data and the model were made small, a sentence each; empty for the row as it is.
        test_images: only the first so many of the test split; None for all.
        corpus: the captions that were evaluated, with labels, where what is read for them has none.
        results: folder of the record, which is named after table, row and seed; None for `out/ROW/reproduce.json`.
    """

    table: Table
    row: Row
    configs: dict[str, Config]
    out: Path
    root: Path
    overrides: tuple[str, ...] = ()
    small: tuple[str, ...] = ()
    test_images: int | None = None
    corpus: CaptionCorpus | None = None
    results: Path | None = None

    @property
    def seed(self) -> int:
        """Of its first run; they are alike unless somebody changed one."""
        return next(iter(self.configs.values())).train.seed

    @property
    def record(self) -> Path:
        """Where the result goes."""
        if self.results is None:
            return self.out / slug(self.row.name) / "reproduce.json"
        return self.results / f"{self.table.name}-{slug(self.row.name)}-seed{self.seed}.json"


def full_size(table: Table, row: Row, root: Path, out: Path, overrides: Sequence[str] = ()) -> Reproduction:
    """The row as the paper has it; its arguments are those of `Reproduction`."""
    configs = {}
    for path in row.configs:
        config = load_config(path)
        data = REGION_FOLDERS[table.protocol] if config.data.name == "precomputed" else table.protocol
        places = [f"data.root={root / data}"]
        if config.encoders.text_options.get("vectors"):
            places.append(f"encoders.text_options.vectors={root / GLOVE}")
        configs[path.stem] = load_config(path, [*places, *overrides])
    return Reproduction(table, row, configs, out, root, tuple(overrides))


class Needed(NamedTuple):
    """What a row needs from elsewhere: files, bytes of the download (0 where nobody says), and where to put them."""

    what: str
    n_bytes: int
    where: str
    by_hand: bool


LABELS = ("annotations_trainval2014.zip", "caption_datasets.zip")  # what PMRP compares
ARCHIVES = {
    "coco": ("train2014.zip", "val2014.zip", *LABELS),
    "flickr30k": ("caption_datasets.zip",),
    "cub": ("CUB_200_2011.tgz",),
}
"""Of the pictures and captions of a protocol."""
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
WORD_VECTORS = Needed(
    "GloVe 840B, 300 dimensions", 2_176_768_927, "https://nlp.stanford.edu/data/glove.840B.300d.zip", True
)
BERT = Needed("BERT, bert-base-uncased", 440_000_000, "the Hugging Face cache", False)
NETWORKS = {
    "resnet152": Needed("torchvision's ResNet-152 (IMAGENET1K_V1)", 241_530_880, "torch.hub's cache", False),
    "resnet50": Needed("torchvision's ResNet-50 (IMAGENET1K_V1)", 102_500_000, "torch.hub's cache", False),
}


def needed_by(reproduction: Reproduction) -> list[Needed]:
    """What the row needs from elsewhere, each thing once."""
    protocol, found = reproduction.table.protocol, []

    def archives(folder: Path | str | None, *names: str) -> list[Needed]:
        return [Needed(name, SOURCES[name].size or 0, f"downloaded to {folder}/", False) for name in names]

    def into(needed: Needed, place: str) -> Needed:
        return needed._replace(where=f"{needed.where} to {place}")

    for config in reproduction.configs.values():
        folder, encoders = config.data.root, config.encoders
        if config.data.name == "precomputed":
            found.append(into(REGIONS[protocol], f"{folder}/"))
        else:
            found += archives(folder, *ARCHIVES[protocol])
            found += [Needed(text.format(folder=folder), 0, "", True) for text in BY_HAND.get(protocol, ())]
        if encoders.image in NETWORKS and encoders.image_options.get("weights"):
            found.append(NETWORKS[encoders.image])
        if vectors := encoders.text_options.get("vectors"):
            found.append(into(WORD_VECTORS, vectors))
        if encoders.text == "bert":
            found.append(BERT)
    if protocol == "coco" and all(config.data.name == "precomputed" for config in reproduction.configs.values()):
        found += archives(reproduction.root / "coco", *LABELS)
    return list({one.what: one for one in found}.values())


def needed_lines(needed: Sequence[Needed]) -> list[str]:
    """What is downloaded and what has to be fetched by hand, for people."""
    by_hand = sum(one.by_hand for one in needed)
    files = "1 download" if len(needed) == 1 else f"{len(needed)} downloads"
    lines = [f"Needs {files}, {decimal(sum(one.n_bytes for one in needed))} as far as sizes are published:"]
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


def reproduce(reproduction: Reproduction, restart: bool = False, quiet: bool = False) -> tuple[Report, list[Cell]]:
    """Train what is not trained, score the test split, evaluate, and write the record.

    Interrupted, the same call goes on: with the training where it stopped, and with scores that are there.
    """
    runs, scores, corpora = {}, [], []
    for name, config in reproduction.configs.items():
        folder = reproduction.out / name
        record = train(config, folder, restart=restart, quiet=quiet)
        runs[name] = {key: record[key] for key in ("best", "seconds", "parameters", "config", "provenance")}
        test = load_split(config.data, config.data.test, reproduction.test_images)
        scores.append(_scores(folder, test))
        corpora.append(test.corpus)
    corpus, protocol = reproduction.corpus or corpora[0], reproduction.table.protocol
    if protocol == "coco" and not reproduction.small and corpus.labels is None:
        corpus = with_coco_labels(corpus, reproduction.root)
    report = evaluate_by(protocol, scores[0] if len(scores) == 1 else ensemble(*scores), corpus)
    numbers = cells(protocol, report, reproduction.row.paper)
    content = {
        "format": FORMAT,
        "table": reproduction.table.name,
        "row": reproduction.row.name,
        "small": list(reproduction.small),
        "overrides": list(reproduction.overrides),
        "numbers": [{**one._asdict(), "difference": None if reproduction.small else one.difference} for one in numbers],
        "runs": runs,
        "report": report.to_dict(),
        "provenance": provenance(seed=reproduction.seed),
    }
    write_json(reproduction.record, content)
    return report, numbers


def read_records(table: Table, row: Row, folder: Path) -> list[dict[str, Any]]:
    """The records of a row in a folder of results, one a seed; none if it was not run."""
    paths = folder.glob(f"{table.name}-{slug(row.name)}-seed*.json")
    return [json.loads(path.read_text(encoding="utf-8")) for path in sorted(paths)]


def ours_line(records: Sequence[Mapping[str, Any]]) -> str:
    """What a row's records say in one line: R@1 in the first gallery (or else its first metric), the mean over seeds.

    >>> number = {"gallery": "1K", "direction": "i2t", "metric": "R@1", "paper": 71.2, "ours": 70.0}
    >>> ours_line([{"numbers": [number, number | {"direction": "t2i"}]}]), ours_line([])
    ('1K R@1 70.0 / 70.0, 1 seed', 'not run')
    """
    if not records:
        return "not run"
    numbers = pd.DataFrame([number for record in records for number in record["numbers"]])
    gallery = numbers["gallery"][0]
    metric = "R@1" if "R@1" in set(numbers["metric"]) else numbers["metric"][0]
    chosen = numbers[(numbers["gallery"] == gallery) & (numbers["metric"] == metric)]
    means = " / ".join(f"{mean:.1f}" for mean in chosen.groupby("direction", sort=False)["ours"].mean())
    return f"{gallery} {metric} {means}, {len(records)} seed{'s' * (len(records) > 1)}"


def _scores(folder: Path, test: ImageTextDataset) -> np.ndarray:
    """The scores of a run's best weights on the test split, kept beside them."""
    path, best = folder / "scores.npy", folder / "best.safetensors"
    shape = (test.corpus.n_images, test.corpus.n_captions)
    if path.is_file() and path.stat().st_mtime_ns >= best.stat().st_mtime_ns:
        kept = np.load(path, mmap_mode="c", allow_pickle=False)
        if kept.shape == shape:
            return kept
    model, config = load_run(folder)
    if config.train.device == "auto" and torch.cuda.is_available():
        model = model.to("cuda")
    scores = score_dataset(model, test)
    with atomic_write(path) as aside:
        np.save(aside, scores)
    return scores


def evaluate_by(protocol: str, scores: Float[np.ndarray, "images captions"], corpus: CaptionCorpus) -> Report:
    """The report of a score matrix by the protocol of a table.

    Relevance is TF-IDF's, fitted on the captions of the evaluated split as the released code does. `"coco"` also takes
    means over five folds of consecutive images, the literature's 1K of 5K; with fewer images the folds are smaller.

    Args:
        protocol: of `daa.reproduce.METRICS`.
        scores: of every image with every caption.
        corpus: the captions.

    Raises:
        ValueError: "coco" without a multiple of five images.
    """
    if protocol == "coco" and corpus.n_images % FOLDS:
        raise ValueError(f"corpus: expected a multiple of {FOLDS} images for the folds, got {corpus.n_images}")
    fold_size = corpus.n_images // FOLDS if protocol == "coco" else None
    relevance = TfidfRelevance().fit(corpus)
    return evaluate(scores, corpus, relevance, fold_size=fold_size, graded=False)


def with_coco_labels(corpus: CaptionCorpus, root: str | PathLike[str]) -> CaptionCorpus:
    """SCAN's COCO test captions with the instance labels of their images, which PMRP asks for.

    The labels come from `coco/` in the folder, if it has the annotations; the captions there must be these in this
    order, but for tokenisation.

    Raises:
        ValueError: captions of another order.
    """
    try:
        annotated = load_corpus("coco", split="test", root=Path(root, "coco"))
    except FileNotFoundError:
        return corpus
    if annotated.labels is None or annotated.n_captions != corpus.n_captions:
        return corpus
    pairs = zip(corpus.captions, annotated.captions, strict=True)
    same = np.mean([split_words(one)[:3] == split_words(other)[:3] for one, other in pairs])
    if same < 0.9 or (corpus.image_of_caption != annotated.image_of_caption).any():
        raise ValueError(
            f"corpus: expected the captions of the COCO test split in testall order, but only {100 * same:.0f} % of "
            f"{corpus.name} begin as those in {Path(root, 'coco')}"
        )
    return replace(corpus, labels=annotated.labels, label_names=annotated.label_names)
