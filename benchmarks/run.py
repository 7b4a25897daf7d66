"""Peers and this package side by side, in one run on one machine: `python benchmarks/run.py [WORD]`.

Prints a table and writes results/benchmarks.json. The COCO rows need DAA_DATA. A peer that would take hours is measured
on a part and scaled, and the table says so. With a WORD only the rows that contain it are measured; results are written
only when all rows were.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from peers import Work, answer, in_own_process, rest_of

ROOT = Path(__file__).resolve().parent.parent
N = 640  # a batch of 128 images with 5 samples each, as in PCME-bert + DAA
ASP_SHARE, CIDER_PAIRS = 1 / 20, 2000


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


def daa_by_broadcast() -> Work:
    scores, relevance = batch()
    return lambda: broadcast_loss(scores, relevance).backward()


def daa_here() -> Work:
    from daa.losses import daa_loss

    scores, relevance = batch()
    return lambda: daa_loss(scores, relevance, temperature=0.01).backward()


def scores_file() -> Path:
    """Somebody's similarities of COCO 5K, memory-mapped from a file: TF-IDF relevance under as much noise."""
    path = Path(tempfile.gettempdir()) / "daa-benchmark-scores.npy"
    if not path.exists():
        from daa.datasets import load_corpus
        from daa.files import atomic_write
        from daa.relevance import TfidfRelevance

        relevance = TfidfRelevance().fit(load_corpus("coco-5k")).matrix()
        noise = np.random.default_rng(0).normal(scale=relevance.std(), size=relevance.shape)
        with atomic_write(path) as aside:
            np.save(aside, (relevance + noise).astype(np.float32))
    return path


def coco() -> tuple:
    from daa.datasets import load_corpus
    from daa.relevance import TfidfRelevance

    corpus = load_corpus("coco-5k")
    return corpus, TfidfRelevance().fit(corpus).matrix()


def asp_by_argsort() -> Work:
    """Ordinal ranks of scores and relevance by sorting twice, row by row, as the released evaluation does; a part."""
    _, relevance = coco()
    return lambda: _released_asp(np.load(scores_file()), relevance)


def _released_asp(scores: np.ndarray, relevance: np.ndarray) -> float:
    start = time.perf_counter()
    for s, c in ((scores, relevance), (scores.T, relevance.T)):
        for row in range(round(len(s) * ASP_SHARE)):
            first, second = ((-torch.tensor(x[row])).argsort().argsort() + 1 for x in (s, c))
            (torch.minimum(first, second) / torch.maximum(first, second)).mean().item()
    return rest_of(time.perf_counter() - start, ASP_SHARE)


def asp_here() -> Work:
    from daa.metrics import average_semantic_precision

    _, relevance = coco()
    scores = np.load(scores_file(), mmap_mode="r")

    def work() -> None:
        for direction in ("i2t", "t2i"):
            average_semantic_precision(scores, relevance, direction=direction)

    return work


def report_by_peers() -> Work:
    """Rankings, dictionaries and eccv_caption, then the released ASP loop (a part)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it recommends ujson
        from eccv_caption import Metrics

    corpus, relevance = coco()
    targets = ("coco_1k_recalls", "coco_5k_recalls", "cxc_recalls", "eccv_r1", "eccv_map_at_r", "eccv_rprecision")

    def work() -> float:
        scores = np.load(scores_file())
        retrieved = [
            dict(zip(queries.tolist(), candidates[(-s).argsort(axis=1)].tolist(), strict=True))
            for s, queries, candidates in (
                (scores, corpus.image_ids, corpus.caption_ids),
                (scores.T, corpus.caption_ids, corpus.image_ids),
            )
        ]
        Metrics().compute_all_metrics(*retrieved, target_metrics=targets, Ks=(1, 5, 10))
        del retrieved
        return _released_asp(scores, relevance)

    return work


def report_here() -> Work:
    from daa.datasets import load_corpus
    from daa.evaluation import evaluate
    from daa.relevance import TfidfRelevance

    corpus = load_corpus("coco-5k")

    def work() -> None:
        relevance = TfidfRelevance().fit(corpus)
        evaluate(np.load(scores_file(), mmap_mode="r"), corpus, relevance, fold_size=1000, graded=False)

    return work


def cider_by_pycocoevalcap() -> Work:
    """CIDEr-D of single candidates against five references; a part."""
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    from daa.datasets import load_corpus

    corpus = load_corpus("coco-5k")
    generator = np.random.default_rng(0)
    pairs = zip(
        generator.integers(0, corpus.n_images, CIDER_PAIRS), generator.integers(0, 25000, CIDER_PAIRS), strict=True
    )
    chosen = [(corpus.captions[c], [corpus.captions[k] for k in corpus.captions_of_image(i)]) for i, c in pairs]

    def work() -> float:
        start = time.perf_counter()
        scorer = CiderScorer(n=4, sigma=6.0)
        for candidate, references in chosen:
            scorer += (candidate, references)
        scorer.compute_score()
        return rest_of(time.perf_counter() - start, CIDER_PAIRS / (corpus.n_images * corpus.n_captions))

    return work


def cider_here() -> Work:
    from daa.datasets import load_corpus
    from daa.relevance import CiderRelevance

    corpus = load_corpus("coco-5k")

    def work() -> None:
        CiderRelevance().fit(corpus).matrix()

    return work


# by what is computed: ours, the peer, what the peer is, whether DAA_DATA is needed
ROWS: dict[str, tuple[Callable[[], Work], Callable[[], Work], str, bool]] = {
    f"DAA, forwards and backwards, N = {N}": (daa_here, daa_by_broadcast, "broadcast over N x N x N", False),
    "ASP, both directions, 5,000 x 25,000": (asp_here, asp_by_argsort, "argsort twice a row, 1/20 of it x 20", True),
    "CIDEr-D, 5,000 x 25,000": (
        cider_here,
        cider_by_pycocoevalcap,
        f"pycocoevalcap, {CIDER_PAIRS:,} pairs scaled to 125 million",
        True,
    ),
    "COCO report: R@K 1K and 5K, CxC, ECCV, ASP": (
        report_here,
        report_by_peers,
        "eccv_caption + argsort twice a row (1/20 x 20)",
        True,
    ),
}


def main(word: str = "") -> None:
    from rich.console import Console
    from rich.table import Table

    from daa.files import provenance, write_json

    table = Table(title="one run, this machine; peak memory is of the whole process, data included")
    for column in ("work", "here", "peak", "peer", "its time", "peak", "ratio"):
        table.add_column(column, justify="left" if column in ("work", "peer") else "right")
    results = {}
    for work, (ours, theirs, peer, needs_data) in ROWS.items():
        if word not in work:
            continue
        if needs_data and not os.environ.get("DAA_DATA"):
            table.add_row(work, "skipped: DAA_DATA is not set", *[""] * 5)
            continue
        if needs_data:
            scores_file()
        here, there = (in_own_process(__file__, one.__name__, n) for one, n in ((ours, 3), (theirs, 1)))
        ratio = there["seconds"] / here["seconds"]
        results[work] = {"here": here, "peer": {"name": peer, **there}, "ratio": ratio}
        table.add_row(
            work,
            f"{here['seconds']:.2f} s",
            f"{here['peak_gigabytes']:.1f} GB",
            peer,
            f"{there['seconds']:,.3g} s",
            f"{there['peak_gigabytes']:.1f} GB",
            f"{ratio:,.0f}",
        )
    Console(width=140).print(table)
    if len(results) == len(ROWS):
        write_json(ROOT / "results" / "benchmarks.json", {"rows": results, "provenance": provenance(seed=0)})


if __name__ == "__main__":
    if not answer({one.__name__: one for row in ROWS.values() for one in row[:2]}):
        main(*sys.argv[1:2])
