"""Measure what the chapters on scenes read of trained runs; write all results/scenes-* but the records of the runs.

daa demo --view picture --seeds 3 --loss infonce --daa-weight 1 --daa-weight 5 --daa-weight 25 \\
    --out RUNS/infonce --results results/scenes-infonce.json
daa demo --view picture --seeds 3 --loss soft-contrastive --daa-weight 0.03 \\
    --out RUNS/pcme --results results/scenes-pcme.json
daa demo --seeds 3 --daa-weight 1 --daa-weight 2 --daa-weight 5 --out ELSEWHERE --results results/scenes-facts.json
python tools/measure_scenes.py RUNS

The third is of models that see. From what the first two leave in RUNS/<loss>/<arm>/seed-<seed>/ come

scenes-ranks.safetensors: each run's AP@R of each query by the exhaustive truth (`ap`), and `found/<truth>`, the mean
    share of a query's matches among its first k candidates, for the k of `k/<direction>`
scenes-query-blind-parts.json: the ASP of each InfoNCE run by `daa.studies.query_blind_parts`
scenes-embeddings/<loss>-<arm>-seed0.safetensors: the test embeddings of each arm's first seed
scenes-embeddings/pcme-mean-log-var-all-seeds.safetensors: the mean log-variance of each image and caption
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from safetensors.numpy import load_file, save_file

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.files import atomic_write, provenance, write_json
from daa.metrics import map_at_r
from daa.names import DIRECTIONS
from daa.relevance import TfidfRelevance
from daa.similarity import cosine_similarity
from daa.studies import MODALITIES, load_embeddings, query_blind_parts

RESULTS = Path(__file__).resolve().parent.parent / "results"
LOSSES = ("infonce", "pcme")


class Run(NamedTuple):
    """One trained model on the test split."""

    loss: str
    arm: str
    seed: int
    record: dict[str, Any]
    file: Path

    @property
    def scores(self) -> np.ndarray:
        return cosine_similarity(*load_embeddings(self.file)).numpy()


def read_runs(folder: Path) -> list[Run]:
    """All runs below `folder`, in each loss by the weight of DAA."""
    runs = []
    for file in folder.glob("*/*/seed-*/test.safetensors"):
        record = json.loads((file.parent / "test.json").read_text(encoding="utf-8"))
        loss, arm, *_ = file.relative_to(folder).parts
        runs.append(Run(loss, arm, record["seed"], record, file))
    return sorted(runs, key=lambda run: (run.loss, run.record["config"]["loss"]["daa_weight"], run.seed))


def depths(n: int) -> np.ndarray:
    """About sixty numbers from 1 to n, evenly spaced on a logarithmic scale."""
    return np.unique(np.geomspace(1, n, 60).round().astype(np.int64))


def found(scores: np.ndarray, positives: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Mean over queries of the share of positives among the first k; rows are queries."""
    order = np.argsort(-scores, axis=1, kind="stable")
    among_first = np.take_along_axis(positives, order, axis=1).cumsum(axis=1)[:, k - 1]
    return (among_first / positives.sum(axis=1, keepdims=True)).mean(axis=0)


def rank_quantities(scores: np.ndarray, corpus: CaptionCorpus) -> dict[str, np.ndarray]:
    """Where one run ranks the matches, by `<direction>/<quantity>`."""
    result = {}
    for direction in DIRECTIONS:
        by_query = scores if direction == "i2t" else scores.T
        ap = map_at_r(scores, corpus.positives, direction=direction, reduction="none")
        result[f"{direction}/ap"] = np.asarray(ap, dtype=np.float16)
        for name, truth in corpus.all_truths().items():
            positives = truth.positives_of(direction).toarray()
            result[f"{direction}/found/{name}"] = found(by_query, positives, depths(by_query.shape[1])).astype("f4")
    return result


def made_by(runs: list[Run]) -> dict[str, Any]:
    """What trained the runs and what measured them."""
    trained = list(dict.fromkeys(json.dumps(run.record["provenance"] | {"seed": None}) for run in runs))
    return {"trained": [json.loads(one) for one in trained], "provenance": provenance()}


def write_arrays(name: str, arrays: dict[str, np.ndarray], metadata: dict[str, Any]) -> None:
    with atomic_write(RESULTS / name) as aside:
        save_file(arrays, aside, metadata={key: json.dumps(value) for key, value in metadata.items()})


def main(folder: Path) -> None:
    runs, corpus = read_runs(folder), load_corpus("scenes", split="test")
    if {run.loss for run in runs} != set(LOSSES):
        sys.exit(f"{folder}: expected runs in infonce/ and pcme/\n\n{__doc__}")
    relevance = TfidfRelevance().fit(corpus).matrix()
    ranks = {"k/i2t": depths(corpus.n_captions), "k/t2i": depths(corpus.n_images)}
    log_var: dict[str, np.ndarray] = {}
    parts = []
    for run in runs:
        print(run.loss, run.arm, run.seed, flush=True)
        scores = run.scores
        for key, values in rank_quantities(scores, corpus).items():
            ranks[f"{run.loss}/{run.arm}/{run.seed}/{key}"] = values
        if run.loss == "infonce":
            of_direction = {d: query_blind_parts(scores, relevance, d) for d in DIRECTIONS}
            parts.append({"arm": run.arm, "seed": run.seed, **of_direction})
        if run.loss == "pcme":
            for modality, embedding in zip(MODALITIES, load_embeddings(run.file), strict=True):
                log_var[f"{run.arm}.seed{run.seed}.{modality}"] = embedding.log_var.mean(dim=1).numpy()
        if run.seed == 0:
            name = f"scenes-embeddings/{run.loss}-{run.arm.replace(' ', '-')}-seed0.safetensors"
            write_arrays(name, load_file(run.file), {"provenance": run.record["provenance"]})
    write_arrays("scenes-ranks.safetensors", ranks, made_by(runs))
    of_loss = {loss: made_by([run for run in runs if run.loss == loss]) for loss in LOSSES}
    write_arrays("scenes-embeddings/pcme-mean-log-var-all-seeds.safetensors", log_var, of_loss["pcme"])
    what = "ASP (TF-IDF) on the scenes test split, of each InfoNCE run by daa.studies.query_blind_parts"
    write_json(RESULTS / "scenes-query-blind-parts.json", {"what": what, "runs": parts} | of_loss["infonce"])


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
