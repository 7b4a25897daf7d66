"""Training configurations ("arms") over several seeds on one data set, each judged on its test split."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from daa.corpus import CaptionCorpus
from daa.datasets.base import ImageTextDataset
from daa.embeddings import Gaussian
from daa.encoders.embed import embed_dataset
from daa.evaluation import evaluate
from daa.files import atomic_write, write_json
from daa.relevance import Relevance, relevance_by_name
from daa.studies.analysis import MODALITIES, uncertainty
from daa.studies.progress import StudyProgress
from daa.training.config import Config
from daa.training.data import load_data, load_split
from daa.training.loop import load_run, train
from daa.training.run import read_log

FLOORS = ("random", "mean_prior", "best_blind")


def run_arms(
    arms: Mapping[str, Config], seeds: Sequence[int], out: str | Path, quiet: bool = False
) -> list[dict[str, Any]]:
    """Train every arm with every seed, evaluate each on the test split, and return a record for each run.

    Finished runs in `out` are read, unfinished ones resumed, so an interrupted study goes on where it stopped. All arms
    are trained with one seed before the next seed. The test split is touched once a run, after training; nothing is
    chosen on it.

    Args:
        arms: a configuration by the name that tables and figures give it; all on the same data.
        seeds: each overrides `train.seed`.
        out: folder; run `seed` of `arm` goes to `out/arm/seed-<seed>`.
        quiet: no progress on stderr (see `StudyProgress`).

    Returns:
        Records as `run_record` makes them, seeds innermost.

    Raises:
        ValueError: if there is no arm or no seed, or the arms read different data.
    """
    if not arms or not seeds:
        raise ValueError(f"arms, seeds: expected at least one of each, got {len(arms)} and {len(seeds)}")
    first = next(iter(arms.values()))
    for name, config in arms.items():
        if (config.data, config.loss.relevance) != (first.data, first.loss.relevance):
            raise ValueError(f"arms: expected all on the same data and relevance, but {name} differs")
    runs = {(name, seed): arm.with_(train={"seed": seed}) for name, arm in arms.items() for seed in seeds}
    folders = {run: Path(out) / run[0] / f"seed-{run[1]}" for run in runs}
    missing = [(name, seed) for seed in seeds for name in arms]
    missing = [run for run in missing if not _is_recorded(folders[run], runs[run])]
    with StudyProgress(missing, len(runs) - len(missing), quiet) as progress:
        data = load_data(first) if missing else None
        test, relevance = judges(first) if missing else (None, None)
        for run in missing:
            progress.begin(*run)
            train(runs[run], folders[run], data=data, quiet=quiet, progress=progress.step)
            write_json(folders[run] / "test.json", run_record(run[0], runs[run], folders[run], test, relevance))
    return [json.loads((folders[run] / "test.json").read_text(encoding="utf-8")) | {"arm": run[0]} for run in runs]


def judges(config: Config) -> tuple[ImageTextDataset, Relevance]:
    """The test split that a study is judged by, and its relevance."""
    test = load_split(config.data, config.data.test)
    return test, relevance_by_name(config.loss.relevance).fit(test.corpus)


def blind_floors(corpus: CaptionCorpus, relevance: Any) -> pd.DataFrame:
    """What rankings that ignore the query score in every number of a record, see `daa.evaluation.floors`.

    Args:
        corpus: of the split that judges.
        relevance: as for `evaluate`.

    Returns:
        One row a number: metric, truth, direction, random, mean_prior, best_blind, and floor, the best of these.
    """
    nothing = np.zeros((corpus.n_images, corpus.n_captions), dtype=np.float32)
    frame = evaluate(nothing, corpus, relevance, floors=True).to_frame()
    return frame[["metric", "truth", "direction", *FLOORS, "floor"]]


def _is_recorded(folder: Path, config: Config) -> bool:
    """Whether this very run was trained and evaluated before."""
    record = folder / "test.json"
    return record.exists() and json.loads(record.read_text(encoding="utf-8"))["config"] == config.to_dict()


def run_record(name: str, config: Config, folder: Path, test: Any, relevance: Any) -> dict[str, Any]:
    """What the test split says of one trained run; its embeddings go to `test.safetensors` in its folder."""
    model, _ = load_run(folder)
    images, captions = embed_dataset(model, test)
    save_embeddings(folder / "test.safetensors", images, captions)
    report = evaluate(model.similarity(images, captions), test.corpus, relevance, name=name)
    run = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    return {
        "arm": name,
        "seed": config.train.seed,
        "measurements": [one._asdict() for one in report.measurements],
        "uncertainty": uncertainty(images, captions, test.corpus),
        "validation": read_log(folder, "validation"),
        "seconds": run["seconds"],
        "parameters": run["parameters"],
        "config": config.to_dict(),
        "provenance": run["provenance"],
    }


def save_embeddings(path: str | Path, images: Gaussian, captions: Gaussian) -> None:
    """Both modalities' Gaussians as float16 in one safetensors file, whole or not at all."""
    tensors = {}
    for modality, embedding in zip(MODALITIES, (images, captions), strict=True):
        tensors[f"{modality}.mean"] = embedding.mean.half().contiguous()
        tensors[f"{modality}.log_var"] = embedding.log_var.half().contiguous()
    with atomic_write(path) as aside:
        save_file(tensors, aside)


def load_embeddings(path: str | Path) -> tuple[Gaussian, Gaussian]:
    """Images and captions of a file that `save_embeddings` wrote, as float32."""
    tensors = {name: tensor.to(torch.float32) for name, tensor in load_file(path).items()}
    images, captions = (Gaussian(tensors[f"{one}.mean"], tensors[f"{one}.log_var"]) for one in MODALITIES)
    return images, captions


def measurements_frame(records: Sequence[Mapping[str, Any]]) -> pd.DataFrame:
    """Tidy: one row a number, the columns of `Report.to_frame` after `arm` and `seed`."""
    return pd.DataFrame(
        [{"arm": run["arm"], "seed": run["seed"], **one} for run in records for one in run["measurements"]]
    )


def summary(frame: pd.DataFrame, rows: Sequence[tuple[str, str]], floors: pd.DataFrame | None = None) -> pd.DataFrame:
    """Mean and standard deviation over seeds, in percent, as text such as `53.1 ± 0.8`.

    Args:
        frame: of `measurements_frame`.
        rows: which (metric, truth), in this order; those that the frame has nothing of are left out.
        floors: of `blind_floors`.

    Returns:
        One row a metric and direction, one column an arm; with floors three more, for rankings that ignore the query:
        "random", "mean" (candidates by their mean relevance) and "blind" (in the best order that is known).
    """
    arms = list(dict.fromkeys(frame["arm"]))
    table = {}
    for metric, truth in rows:
        chosen = frame[(frame["metric"] == metric) & (frame["truth"] == truth) & (frame["gallery"] == "all")]
        for direction in dict.fromkeys(chosen["direction"]):
            values = chosen[chosen["direction"] == direction].groupby("arm")["value"]
            mean, spread = 100 * values.mean(), 100 * values.std(ddof=1)
            table[metric, truth, direction] = [
                f"{mean[arm]:.1f}" if np.isnan(spread[arm]) else f"{mean[arm]:.1f} ± {spread[arm]:.1f}" for arm in arms
            ]
    index = pd.MultiIndex.from_tuples(table, names=["metric", "judged by", "direction"])
    shown = pd.DataFrame(list(table.values()), index=index, columns=arms)
    if floors is not None:
        known = floors.set_index(["metric", "truth", "direction"])
        for column, floor in zip(("random", "mean", "blind"), FLOORS, strict=True):
            values = [100 * known[floor].get(row, np.nan) for row in table]
            shown[column] = ["" if np.isnan(value) else f"{value:.1f}" for value in values]
    return shown


def gains(frame: pd.DataFrame, rows: Sequence[tuple[str, str]], arm: str, over: str) -> pd.DataFrame:
    """By how much an arm is above another one, seed by seed, in points (percent): both saw the same batches.

    Args:
        frame: of `measurements_frame`.
        rows: which (metric, truth), in this order.
        arm: the one.
        over: the other.

    Returns:
        One row a metric and direction, one column a seed.
    """
    chosen = frame[(frame["gallery"] == "all") & frame["arm"].isin([arm, over])]
    values = chosen.pivot_table("value", ["metric", "truth", "direction"], ["arm", "seed"], sort=False)
    order = [key for row in rows for key in values.index if key[:2] == row]
    return pd.DataFrame(100 * (values[arm] - values[over])).loc[order]
