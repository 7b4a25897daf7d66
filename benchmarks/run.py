"""Peers and this package side by side, in one run on one machine: `python benchmarks/run.py`.

Each measurement is a process of its own, so that its peak memory is its own; it runs its work once to compile and warm
up, then a few times, and reports the median. Prints a table and writes results/benchmarks.json. The COCO rows need
DAA_DATA. A peer that would take hours is measured on a part and scaled, and the table says so.
"""

from __future__ import annotations

import json
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch

ROOT = Path(__file__).resolve().parent.parent
N = 640  # a batch of 128 images with 5 samples each, as in PCME-bert + DAA
RELEASED_ROWS, CIDER_PAIRS = 250, 2000


def batch(n: int = N) -> tuple[torch.Tensor, torch.Tensor]:
    generator = torch.Generator().manual_seed(0)
    scores = torch.rand(n, n, generator=generator) - 0.5
    return scores.requires_grad_(), torch.rand(n, n, generator=generator)


def broadcast_loss(scores: torch.Tensor, relevance: torch.Tensor, temperature: float = 0.01) -> torch.Tensor:
    """The loss as a three-dimensional broadcast, the form in which the released code computes it."""
    total = scores.new_zeros(())
    for s, c in ((scores, relevance), (scores.T, relevance.T)):
        other = 1 - torch.eye(s.shape[1])
        rank_s, rank_c = (
            1 + (torch.sigmoid((x[:, None, :] - x[:, :, None]) / temperature) * other).sum(dim=2) for x in (s, c)
        )
        total = total + (torch.minimum(rank_s, rank_c) / torch.maximum(rank_s, rank_c)).mean() / 2
    return 1 - total


def daa_by_broadcast() -> Callable[[], object]:
    scores, relevance = batch()
    return lambda: broadcast_loss(scores, relevance).backward()


def daa_here() -> Callable[[], object]:
    from daa.losses import daa_loss

    scores, relevance = batch()
    return lambda: daa_loss(scores, relevance, temperature=0.01).backward()


def coco() -> tuple:
    from daa.datasets import load_corpus
    from daa.relevance import TfidfRelevance

    corpus = load_corpus("coco-5k")
    return corpus, TfidfRelevance().fit(corpus).matrix()


def asp_by_argsort() -> Callable[[], object]:
    """Ordinal ranks of scores and relevance by sorting twice, row by row, as the released evaluation does; a part."""
    _, relevance = coco()
    scores = np.random.default_rng(0).random(relevance.shape, dtype=np.float32)

    def work() -> float:
        total = 0.0
        for s, c in zip(scores[:RELEASED_ROWS], relevance[:RELEASED_ROWS], strict=True):
            first, second = ((-torch.from_numpy(x)).argsort().argsort() + 1 for x in (s, c))
            total += (torch.minimum(first, second) / torch.maximum(first, second)).mean().item()
        return total

    return work


def asp_here() -> Callable[[], object]:
    from daa.metrics import average_semantic_precision

    _, relevance = coco()
    scores = np.random.default_rng(0).random(relevance.shape, dtype=np.float32)
    return lambda: average_semantic_precision(scores, relevance)


def cider_by_pycocoevalcap() -> Callable[[], object]:
    """CIDEr-D of single candidates against five references; a part."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    corpus, _ = coco()
    generator = np.random.default_rng(0)
    pairs = zip(
        generator.integers(0, corpus.n_images, CIDER_PAIRS), generator.integers(0, 25000, CIDER_PAIRS), strict=True
    )
    chosen = [(corpus.captions[c], [corpus.captions[k] for k in corpus.captions_of_image(i)]) for i, c in pairs]

    def work() -> None:
        scorer = CiderScorer(n=4, sigma=6.0)
        for candidate, references in chosen:
            scorer += (candidate, references)
        scorer.compute_score()

    return work


def cider_here() -> Callable[[], object]:
    from daa.relevance import CiderRelevance

    corpus, _ = coco()
    return lambda: CiderRelevance().fit(corpus).matrix()


# by what is computed: ours, the peer, its name, how many times the measured part the whole is, is DAA_DATA needed
ROWS: dict[str, tuple[str, str, str, float, bool]] = {
    f"DAA, forwards and backwards, N = {N}": ("daa_here", "daa_by_broadcast", "broadcast", 1, False),
    "ASP i2t, 5,000 x 25,000": ("asp_here", "asp_by_argsort", "argsort twice a row", 5000 / RELEASED_ROWS, True),
    "CIDEr-D, 5,000 x 25,000": ("cider_here", "cider_by_pycocoevalcap", "pycocoevalcap", 125e6 / CIDER_PAIRS, True),
}


def measure(name: str, repeats: int) -> dict[str, float]:
    """Median seconds and peak memory of one piece of work, in this process."""
    work = globals()[name]()
    if repeats > 1:
        work()
    seconds = []
    for _ in range(repeats):
        start = time.perf_counter()
        work()
        seconds.append(time.perf_counter() - start)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": statistics.median(seconds), "peak_gigabytes": peak / 1e9}


def in_own_process(name: str, repeats: int) -> dict[str, float]:
    command = [sys.executable, __file__, name, str(repeats)]
    return json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)


def main() -> None:
    import os

    from rich.console import Console
    from rich.table import Table

    from daa.files import provenance, write_json

    table = Table(title="one run, this machine; peak memory is of the whole process, data included")
    for column in ("work", "here", "peak", "peer", "its time", "peak", "ratio"):
        table.add_column(column, justify="left" if column in ("work", "peer") else "right")
    results = {}
    for work, (ours, theirs, peer, scale, needs_data) in ROWS.items():
        if needs_data and not os.environ.get("DAA_DATA"):
            table.add_row(work, "skipped: DAA_DATA is not set", *[""] * 5)
            continue
        here, there = in_own_process(ours, 3), in_own_process(theirs, 1)
        there["seconds"] *= scale
        ratio = there["seconds"] / here["seconds"]
        results[work] = {"here": here, "peer": {"name": peer, "scaled_by": scale, **there}, "ratio": ratio}
        table.add_row(
            work,
            f"{here['seconds']:.2f} s",
            f"{here['peak_gigabytes']:.1f} GB",
            peer + (f" (x {scale:g} of a part)" if scale > 1 else ""),
            f"{there['seconds']:.3g} s",
            f"{there['peak_gigabytes']:.1f} GB",
            f"{ratio:,.0f}",
        )
    Console(width=120).print(table)
    write_json(ROOT / "results" / "benchmarks.json", {"rows": results, "provenance": provenance(seed=0)})


if __name__ == "__main__":
    if len(sys.argv) == 3:
        print(json.dumps(measure(sys.argv[1], int(sys.argv[2]))))
    else:
        main()
