"""What the full evaluation costs as the corpus grows, to a million captions: `python benchmarks/scale.py`.

Embeddings stand for the scores, so no matrix is ever whole; the relevance is streamed. Each size is a process of its
own, so that its peak memory is its own. Small corpora are evaluated whole; of the others N random queries a direction
are ranked against all candidates, as `daa score --queries N` does, and the time of the whole is queries times the
measured time a query. The 25,000 captions are measured both ways, which shows what such an extrapolation is worth.

The captions are COCO's where DAA_DATA is set, else those of the scenes; beyond their number the first half of one is
joined to the second half of another. The embeddings are made up: the time does not depend on their values.
Writes results/scale.json. `--captions 5000 25000` measures these sizes only and prints them.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
PER_IMAGE, WIDTH, SEED = 5, 256, 0
# by number of captions: relevance, and how many queries a direction to rank, all if None
PLANS: dict[int, list[tuple[str, int | None]]] = {
    5_000: [("tfidf", None)],
    25_000: [("tfidf", None), ("tfidf", 840), ("cider-d", 840)],
    100_000: [("tfidf", 420), ("cider-d", 420)],
    1_000_000: [("tfidf", 100), ("cider-d", 100)],
}


def made_up_corpus(n_captions: int) -> Any:
    """A corpus of so many captions, five an image."""
    from daa.corpus import CaptionCorpus
    from daa.datasets import load_corpus

    texts = list((load_corpus("coco-5k") if os.environ.get("DAA_DATA") else load_corpus("scenes")).captions)
    generator = np.random.default_rng(SEED)
    halves = generator.integers(0, len(texts), size=(max(0, n_captions - len(texts)), 2))
    words = [text.split() for text in texts]
    texts += [" ".join(words[a][: len(words[a]) // 2] + words[b][len(words[b]) // 2 :]) for a, b in halves.tolist()]
    image_of_caption = np.arange(n_captions) // PER_IMAGE
    return CaptionCorpus(texts[:n_captions], image_of_caption, name=f"{n_captions:,} captions")


def made_up_embeddings(n_captions: int) -> Any:
    from daa.evaluation import EmbeddingScores

    generator = torch.Generator().manual_seed(SEED)
    images = torch.randn(n_captions // PER_IMAGE, WIDTH, generator=generator)
    captions = torch.randn(n_captions, WIDTH, generator=generator)
    for block, near in zip(captions.split(10_000), images.split(10_000 // PER_IMAGE), strict=True):
        block += near.repeat_interleave(PER_IMAGE, dim=0)
    return EmbeddingScores(images, captions, "dot")


def measure(n_captions: int, n_queries: int | None, relevance_name: str) -> dict[str, Any]:
    """Seconds of every step, and peak memory, in this process."""
    from daa.evaluation import evaluate
    from daa.relevance import matrices, relevance_by_name

    def evaluated(corpus: Any, scores: Any, relevance: Any, n: int | None) -> tuple[dict[str, float], Any]:
        matrices.HELD_AT_MOST = 0  # a small one is streamed, too, as a large one has to be
        n_i2t = min(n or corpus.n_images, corpus.n_images)
        done, moments = 0, [time.perf_counter()]

        def progress(n_done: int) -> None:
            nonlocal done
            done += n_done
            if done == n_i2t:
                moments.append(time.perf_counter())

        report = evaluate(scores, corpus, relevance, queries=n, seed=SEED, progress=progress)
        moments.append(time.perf_counter())
        return {"i2t": moments[1] - moments[0], "t2i": moments[2] - moments[1]}, report

    small = made_up_corpus(500)
    evaluated(small, made_up_embeddings(500), relevance_by_name(relevance_name).fit(small), None)  # loads the kernels
    corpus, scores = made_up_corpus(n_captions), made_up_embeddings(n_captions)
    start = time.perf_counter()
    relevance = relevance_by_name(relevance_name).fit(corpus)
    relevance.matrix(rows=slice(0, 1))  # makes its index
    fit = time.perf_counter() - start
    seconds, report = evaluated(corpus, scores, relevance, n_queries)
    n_all = {"i2t": corpus.n_images, "t2i": corpus.n_captions}
    n_done = {direction: min(n_queries or n, n) for direction, n in n_all.items()}
    milliseconds = {direction: 1000 * seconds[direction] / n_done[direction] for direction in n_all}
    asp = next(one for one in report.measurements if one[0] == "ASP" and one.direction == "i2t")
    return {
        "captions": n_captions,
        "images": corpus.n_images,
        "relevance": relevance_name,
        "queries_ranked": n_done,
        "relevance_fit_seconds": fit,
        "milliseconds_a_query": milliseconds,
        "seconds": sum(seconds.values()),
        "exact_seconds": sum(milliseconds[direction] * n / 1000 for direction, n in n_all.items()),
        "exact_is": "measured" if n_done == n_all else "extrapolated",
        "asp_i2t": {"value": asp.value, "standard_error": asp.standard_error},
        "peak_gigabytes": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9,
    }


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    from daa.files import provenance, write_json

    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--captions", type=int, nargs="*", choices=PLANS, help="only these sizes; nothing is written")
    chosen = parser.parse_args().captions
    table = Table(title=f"embeddings of width {WIDTH}, relevance streamed, every metric of `daa score`")
    columns = ("captions", "images", "relevance", "fit", "ms/query i2t", "t2i", "ranked", "took", "exact", "", "peak")
    for column in columns:
        table.add_column(column, justify="left" if column in ("relevance", "") else "right")
    rows = []
    for n_captions, relevance, n_queries in (
        (n, *run) for n, runs in PLANS.items() if chosen is None or n in chosen for run in runs
    ):
        command = [sys.executable, __file__, "measure", str(n_captions), str(n_queries or 0), relevance]
        row = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        rows.append(row)
        i2t, t2i = row["milliseconds_a_query"].values()
        exact = row["exact_seconds"]
        table.add_row(
            f"{n_captions:,}",
            f"{row['images']:,}",
            relevance,
            f"{row['relevance_fit_seconds']:.1f} s",
            f"{i2t:.1f}",
            f"{t2i:.1f}",
            "all" if n_queries is None else f"{n_queries} + {n_queries}",
            f"{row['seconds']:.0f} s",
            f"{exact:.0f} s" if exact < 3600 else f"{exact / 3600:.1f} h",
            row["exact_is"],
            f"{row['peak_gigabytes']:.1f} GB",
        )
    Console(width=120).print(table)
    if chosen is None:
        captions = "COCO 5K test" if os.environ.get("DAA_DATA") else "scenes"
        content = {"rows": rows, "width": WIDTH, "captions_of": captions, "provenance": provenance(seed=SEED)}
        write_json(ROOT / "results" / "scale.json", content)


if __name__ == "__main__":
    if sys.argv[1:2] == ["measure"]:
        print(json.dumps(measure(int(sys.argv[2]), int(sys.argv[3]) or None, sys.argv[4])))
    else:
        main()
