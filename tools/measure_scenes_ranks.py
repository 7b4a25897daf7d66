"""Measure where trained runs rank the true matches of scenes, query by query; write results/scenes-ranks.safetensors.

python tools/measure_scenes_ranks.py RUNS    where RUNS/<loss>/<arm>/seed-<seed>/ are runs as `daa demo` leaves them

For each run and direction: `ap`, the AP@R of each query by the exhaustive truth, and `found/<truth>`, the mean share of
a query's matches that are among its first k candidates, for the k of `k/<direction>`.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from daa.corpus import CaptionCorpus
from daa.datasets import load_corpus
from daa.files import atomic_write, provenance
from daa.metrics import map_at_r
from daa.similarity import cosine_similarity
from daa.study import load_embeddings

OUT = Path(__file__).parent.parent / "results" / "scenes-ranks.safetensors"
DIRECTIONS = ("i2t", "t2i")


def depths(n: int) -> np.ndarray:
    """About sixty numbers from 1 to n, evenly spaced on a logarithmic scale."""
    return np.unique(np.geomspace(1, n, 60).round().astype(np.int64))


def found(scores: np.ndarray, positives: np.ndarray, k: np.ndarray) -> np.ndarray:
    """Mean over queries of the share of positives among the first k; rows are queries."""
    order = np.argsort(-scores, axis=1, kind="stable")
    among_first = np.take_along_axis(positives, order, axis=1).cumsum(axis=1)[:, k - 1]
    return (among_first / positives.sum(axis=1, keepdims=True)).mean(axis=0)


def measure(run: Path, corpus: CaptionCorpus) -> dict[str, np.ndarray]:
    """What one run's test embeddings say, by `<direction>/<quantity>`."""
    scores = cosine_similarity(*load_embeddings(run / "test.safetensors"))
    result = {}
    for direction in DIRECTIONS:
        by_query = scores.numpy() if direction == "i2t" else scores.numpy().T
        ap = map_at_r(scores, corpus.positives, direction=direction, reduction="none")
        result[f"{direction}/ap"] = np.asarray(ap, dtype=np.float16)
        for name, truth in corpus.all_truths().items():
            positives = truth.direction(direction).toarray()
            result[f"{direction}/found/{name}"] = found(by_query, positives, depths(by_query.shape[1])).astype("f4")
    return result


def main(runs: Path) -> None:
    corpus = load_corpus("scenes", split="test")
    arrays = {"k/i2t": depths(corpus.n_captions), "k/t2i": depths(corpus.n_images)}
    for run in sorted(path.parent for path in runs.glob("*/*/seed-*/test.safetensors")):
        loss, arm, seed = run.relative_to(runs).parts
        print(loss, arm, seed)
        for key, values in measure(run, corpus).items():
            arrays[f"{loss}/{arm}/{seed.removeprefix('seed-')}/{key}"] = values
    with atomic_write(OUT) as aside:
        save_file(arrays, aside, metadata={"provenance": json.dumps(provenance())})


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(Path(sys.argv[1]))
