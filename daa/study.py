"""Comparing training configurations ("arms") over several seeds on one data set's test split."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from jaxtyping import Float
from safetensors.torch import load_file, save_file
from scipy.stats import spearmanr

from daa.corpus import CaptionCorpus
from daa.encoders.gaussian import Gaussian
from daa.evaluation import evaluate
from daa.files import atomic_write, write_json
from daa.metrics import average_semantic_precision
from daa.training.config import Config
from daa.training.data import load_data, load_split
from daa.training.loop import load_run, train
from daa.training.run import read_log

MODALITIES = ("images", "captions")


def compare(
    arms: Mapping[str, Config], seeds: Sequence[int], out: str | Path, quiet: bool = False
) -> list[dict[str, Any]]:
    """Train every arm with every seed, evaluate each on the test split, and return a record for each run.

    Finished runs in `out` are read, unfinished ones resumed, so an interrupted comparison goes on where it stopped.
    The test split is touched once a run, after training; nothing is chosen on it.

    Args:
        arms: a configuration by the name that tables and figures give it; all on the same data.
        seeds: each overrides `train.seed`.
        out: folder; run `seed` of `arm` goes to `out/arm/seed-<seed>`.
        quiet: no progress on stderr.

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
    data = test = relevance = None
    records = []
    for name, arm in arms.items():
        for seed in seeds:
            config = replace(arm, train=replace(arm.train, seed=seed))
            folder = Path(out) / name / f"seed-{seed}"
            if not _is_recorded(folder, config):
                if data is None:
                    data = load_data(config)
                    test = load_split(config.data, config.data.test)
                    relevance = type(data.relevance)().fit(test.corpus)
                train(config, folder, data=data, quiet=quiet)
                write_json(folder / "test.json", run_record(name, config, folder, test, relevance))
            records.append(json.loads((folder / "test.json").read_text(encoding="utf-8")) | {"arm": name})
    return records


def _is_recorded(folder: Path, config: Config) -> bool:
    """Whether this very run was trained and evaluated before."""
    record = folder / "test.json"
    return record.exists() and json.loads(record.read_text(encoding="utf-8"))["config"] == config.to_dict()


def run_record(name: str, config: Config, folder: Path, test: Any, relevance: Any) -> dict[str, Any]:
    """What the test split says of one trained run; its embeddings go to `test.safetensors` in its folder."""
    from daa.encoders.embed import embed_dataset

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


def uncertainty(images: Gaussian, captions: Gaussian, corpus: CaptionCorpus) -> dict[str, Any]:
    """Mean log-variance of each modality, and its Spearman correlation with the true ambiguity.

    The ambiguity of a caption is the number of images it truly fits, that of an image the number of captions that
    truly fit it. Without an exhaustive truth, or with a variance that is the same everywhere, the correlation is None.
    """
    result: dict[str, Any] = {}
    for modality, embedding in zip(MODALITIES, (images, captions), strict=True):
        log_var = embedding.log_var.double().mean(dim=1).numpy()
        rho = None
        if corpus.positives is not None and np.ptp(log_var) > 0:
            rho = float(spearmanr(log_var, ambiguity(corpus)[modality]).statistic)
        result[modality] = {"mean_log_var": float(log_var.mean()), "spearman_ambiguity": rho}
    return result


def ambiguity(corpus: CaptionCorpus) -> dict[str, np.ndarray]:
    """How many captions truly fit each image and how many images each caption truly fits.

    Raises:
        ValueError: if the corpus knows no exhaustive truth.
    """
    if corpus.positives is None:
        raise ValueError(f"corpus: expected an exhaustive truth (positives), but {corpus.name} has none")
    return {
        "images": np.asarray(corpus.positives.sum(axis=1)).ravel(),
        "captions": np.asarray(corpus.positives.sum(axis=0)).ravel(),
    }


def query_blind_parts(
    scores: Float[np.ndarray, "images captions"], relevance: Float[np.ndarray, "images captions"], direction: str
) -> dict[str, float]:
    r"""Where an ASP comes from: an order of the candidates that all queries share, or what is said of each query.

    $$s_{ic} = \bar s_{\cdot c} + (s_{ic} - \bar s_{\cdot c})$$

    for image to text, and with the mean over the captions for text to image.

    Args:
        scores: similarity, any range.
        relevance: semantic relevance, any range.
        direction: `"i2t"` or `"t2i"`.

    Returns:
        ASP of the scores (`all`), of their mean over the queries (`query-blind part`) and of what is left without it
        (`rest`); and the scores' `specific ASP`, that under relevance minus its mean over the queries, where one
        ranking for all queries is worth no more than chance.

    Raises:
        ValueError: for empty, non-finite or ill-shaped input.

    >>> scores = np.array([[2.0, 1.0], [4.0, 1.5]])  # the first caption first for both, by more for the second image
    >>> query_blind_parts(scores, np.eye(2), "i2t")
    {'all': 0.75, 'query-blind part': 0.75, 'rest': 0.5, 'specific ASP': 0.75}

    Source: ours, not the paper's; chapter *Baseline against DAA on scenes*.
    """
    axis = 0 if direction == "i2t" else 1
    shared = np.broadcast_to(scores.mean(axis, keepdims=True, dtype=np.float64), scores.shape)
    specific = relevance - relevance.mean(axis, keepdims=True, dtype=np.float64)
    judged = {
        "all": (scores, relevance),
        "query-blind part": (shared, relevance),
        "rest": (scores - shared, relevance),
        "specific ASP": (scores, specific),
    }
    return {name: float(average_semantic_precision(*pair, direction=direction)) for name, pair in judged.items()}


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


def summary(frame: pd.DataFrame, rows: Sequence[tuple[str, str]]) -> pd.DataFrame:
    """Mean and standard deviation over seeds, in percent, as text such as `53.1 ± 0.8`.

    Args:
        frame: of `measurements_frame`.
        rows: which (metric, truth), in this order.

    Returns:
        one row a metric and direction, one column an arm.
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
    return pd.DataFrame(list(table.values()), index=index, columns=arms)
