"""Running a row: its data, its runs, its scores, its table, and the record of it all."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
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
from daa.reproduce.facts import WEIGHTS, Needed, needed_data
from daa.reproduce.protocol import Result, evaluate_by, results, with_coco_labels
from daa.reproduce.tables import Row, Table
from daa.similarity import ensemble
from daa.training.config import Config, load_config
from daa.training.data import load_split
from daa.training.loop import load_run, train

FORMAT = "daa reproduce 1"
GLOVE = "glove.840B.300d.zip"
REGION_FOLDERS = {"coco": "coco_precomp", "flickr30k": "f30k_precomp"}


@dataclass(frozen=True)
class Job:
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
    def record(self) -> Path:
        """Where the result goes."""
        if self.results is None:
            return self.out / slug(self.row.name) / "reproduce.json"
        seed = next(iter(self.configs.values())).train.seed
        return self.results / f"{record_name(self.table, self.row)}-seed{seed}.json"


def record_name(table: Table, row: Row) -> str:
    """What the records of a row begin with, such as `table1-pcme-bert-daa`."""
    return f"{table.name}-{slug(row.name)}"


def slug(name: str) -> str:
    """A name for a folder.

    >>> slug("PCME-bert + DAA"), slug("PVSE K=2"), slug("VSE++")
    ('pcme-bert-daa', 'pvse-k2', 'vsepp')
    """
    return re.sub(r"[^a-z0-9]+", "-", name.lower().replace("++", "pp").replace("=", "")).strip("-")


def data_folder(protocol: str, config: Config) -> str:
    """The folder of a configuration's data set under the root.

    >>> data_folder("flickr30k", load_config(overrides=["data.name=precomputed"]))
    'f30k_precomp'
    """
    return REGION_FOLDERS[protocol] if config.data.name == "precomputed" else protocol


def full_job(table: Table, row: Row, root: Path, out: Path, overrides: Sequence[str] = ()) -> Job:
    """The row as the paper has it."""
    configs = {}
    for path in row.configs:
        config = load_config(path)
        places = [f"data.root={root / data_folder(table.protocol, config)}"]
        if config.encoders.text_options.get("vectors"):
            places.append(f"encoders.text_options.vectors={root / GLOVE}")
        configs[path.stem] = load_config(path, [*places, *overrides])
    return Job(table, row, configs, out, root, tuple(overrides))


def needed_of(job: Job) -> list[Needed]:
    """What the row needs from elsewhere, each thing once."""
    found: dict[str, Needed] = {}
    for config in job.configs.values():
        regions, encoders = config.data.name == "precomputed", config.encoders
        needed = needed_data(job.table.protocol, regions, f"{config.data.root}")
        if encoders.image in WEIGHTS and encoders.image_options.get("weights"):
            needed.append(WEIGHTS[encoders.image])
        if vectors := encoders.text_options.get("vectors"):
            needed.append(WEIGHTS["glove"]._replace(where=f"{WEIGHTS['glove'].where} to {vectors}"))
        if encoders.text == "bert":
            needed.append(WEIGHTS["bert"])
        found |= {one.what: one for one in needed}
    if job.table.protocol == "coco" and all(config.data.name == "precomputed" for config in job.configs.values()):
        annotations = needed_data("coco", False, str(job.root / "coco"))[2:]  # the labels that PMRP compares
        found |= {one.what: one for one in annotations}
    return list(found.values())


def obtain(job: Job, quiet: bool = False) -> list[str]:
    """Download what the row needs and is not there; what has to be fetched by hand is returned, a line each."""
    from daa.datasets.obtain import obtain_coco, obtain_cub, obtain_flickr30k
    from daa.datasets.transfer import Transfer

    names = {config.data.name for config in job.configs.values()}
    if names <= {"scenes"}:
        return []
    transfer = Transfer(job.root / job.table.protocol, quiet=quiet)
    if job.table.protocol == "coco":
        obtain_coco(transfer, images="coco" in names)  # with region features, only the labels for PMRP
        return []
    if names == {"precomputed"}:
        return []
    get = {"flickr30k": obtain_flickr30k, "cub": obtain_cub}[job.table.protocol]
    return list(get(transfer) or [])


def run(job: Job, restart: bool = False, quiet: bool = False) -> tuple[Report, list[Result]]:
    """Train what is not trained, score the test split, evaluate, and write the record.

    Interrupted, the same call goes on: with the training where it stopped, and with scores that are there.
    """
    runs, corpus = {}, job.corpus
    scores: list[np.ndarray] = []
    for name, config in job.configs.items():
        record = train(config, job.out / name, restart=restart, quiet=quiet)
        runs[name] = {key: record[key] for key in ("best", "seconds", "parameters", "config", "provenance")}
        test = load_split(config.data, config.data.test, job.test_images)
        corpus = corpus or test.corpus
        scores.append(_scores(job.out / name, test))
    assert corpus is not None
    if job.table.protocol == "coco" and not job.small:
        corpus = with_coco_labels(corpus, job.root) if corpus.labels is None else corpus
    report = evaluate_by(job.table.protocol, _mean(scores), corpus)
    numbers = results(job.table.protocol, report, dict(job.row.paper))
    write_json(job.record, _content(job, runs, report, numbers))
    return report, numbers


def read_records(table: Table, row: Row, folder: Path) -> list[dict[str, Any]]:
    """The records of a row in a folder of results, one a seed; none if it was not run."""
    paths = sorted(folder.glob(f"{record_name(table, row)}-seed*.json"))
    return [json.loads(path.read_text(encoding="utf-8")) for path in paths]


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


def _mean(scores: list[np.ndarray]) -> np.ndarray:
    return scores[0] if len(scores) == 1 else ensemble(*scores)


def _content(job: Job, runs: dict[str, Any], report: Report, numbers: list[Result]) -> dict[str, Any]:
    seeds = [one["config"]["train"]["seed"] for one in runs.values()]
    return {
        "format": FORMAT,
        "table": job.table.name,
        "row": job.row.name,
        "small": list(job.small),
        "overrides": list(job.overrides),
        "numbers": [{**one._asdict(), "difference": None if job.small else one.difference} for one in numbers],
        "runs": runs,
        "report": report.to_dict(),
        "provenance": provenance(seed=seeds[0]),
    }
