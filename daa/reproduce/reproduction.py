"""Reproducing a row: its configurations, its runs, its scores, its table, and the record of it all."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageTextDataset
from daa.encoders.embed import score_dataset
from daa.evaluation import Report
from daa.files import atomic_write, provenance, write_json
from daa.reproduce.protocol import Cell, cells, evaluate_by, with_coco_labels
from daa.reproduce.tables import Row, Table, slug
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
        return self.results / f"{record_name(self.table, self.row)}-seed{self.seed}.json"


def record_name(table: Table, row: Row) -> str:
    """What the records of a row begin with, such as `table1-pcme-bert-daa`."""
    return f"{table.name}-{slug(row.name)}"


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
    paths = sorted(folder.glob(f"{record_name(table, row)}-seed*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


def ours_line(records: Sequence[Mapping[str, Any]]) -> str:
    """What a row's records say in one line: R@1 in the first gallery (or else its first metric), the mean over seeds.

    >>> number = {"gallery": "1K", "direction": "i2t", "metric": "R@1", "paper": 71.2, "ours": 70.0}
    >>> ours_line([{"numbers": [number, number | {"direction": "t2i"}]}]), ours_line([])
    ('1K R@1 70.0 / 70.0, 1 seed', 'not run')
    """
    if not records:
        return "not run"
    numbers = records[0]["numbers"]
    gallery = numbers[0]["gallery"]
    metric = next((one["metric"] for one in numbers if one["metric"] == "R@1"), numbers[0]["metric"])
    values: dict[str, list[float]] = {}
    for one in (number for record in records for number in record["numbers"]):
        if (one["gallery"], one["metric"]) == (gallery, metric):
            values.setdefault(one["direction"], []).append(one["ours"])
    means = " / ".join(f"{sum(of) / len(of):.1f}" for of in values.values())
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
