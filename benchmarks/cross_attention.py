"""SAF and SGR in blocks against a loop over captions and a loop over words: `python benchmarks/cross_attention.py`.

All in one run, interleaved, the best of several; equality with both is checked first. The loop over captions is the
form of the published code: every caption by itself, with all images. The loop over words is the one from the formulas
to which the tests hold the networks: every caption, image and word by itself. Both find what belongs to one image or
one caption only once. One thread and its processor time, so that no loop over small tensors is charged with starting
threads. Peak memory of a training step is measured in a process of its own. Prints a table and writes
results/cross-attention.json.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from daa.embeddings import LocalFeatures
from daa.similarity.cross_attention import CrossAttention
from daa.similarity.sgraf import SAF, SGR

ROOT = Path(__file__).resolve().parent.parent
sys.path.append(str(ROOT))
from tests.encoders.slow_cross_attention import slow_scores  # noqa: E402

REGIONS = 36
NETWORKS = {"SAF": SAF, "SGR": SGR}
# images, captions, embedding_dim, sim_dim, and how many captions the loops are given (their time is scaled)
SIZES = [
    (64, 128, 1024, 256, 32),
    (8, 128, 1024, 256, 64),
    (64, 128, 256, 64, 64),
    (64, 512, 32, 16, 128),
    (1000, 5000, 32, 16, 25),
]
PAIRS = 128  # for the loop over words
REPEATS = 2
TRAIN = (128, 128, 1024, 256)
FORMS = ("blocks, recomputed", "blocks, kept", "loop over captions")
COCO_5K = (5000, 25000)


def inputs(n_images: int, n_captions: int, width: int) -> tuple[LocalFeatures, LocalFeatures]:
    """Unit vectors, and captions about as long as those of COCO with their two marks (mean 12.5)."""
    generator = torch.Generator().manual_seed(0)
    lengths = (12.5 + 2.4 * torch.randn(n_captions, generator=generator)).round().clamp(9, 24)
    mask = torch.arange(int(lengths.max())) < lengths[:, None]
    regions, words = (
        F.normalize(torch.randn(n, places, width, generator=generator), dim=-1)
        for n, places in ((n_images, REGIONS), mask.shape)
    )
    return LocalFeatures(regions, torch.ones(n_images, REGIONS, dtype=torch.bool)), LocalFeatures(words, mask)


def loop_over_captions(network: CrossAttention, images: LocalFeatures, captions: LocalFeatures) -> Tensor:
    """One caption after the other, each with all images."""
    image_whole = network.image_whole(images.features, images.mask)
    columns = []
    for features, mask in zip(captions.features, captions.mask, strict=True):
        words = features[mask][None]
        caption_whole = network.caption_whole(words, mask[mask][None])
        columns.append(score_one_caption(network, images.features, image_whole, words, caption_whole))
    return torch.cat(columns, dim=1)


def score_one_caption(
    network: CrossAttention, regions: Tensor, image_whole: Tensor, words: Tensor, caption_whole: Tensor
) -> Tensor:
    words = words.repeat(len(regions), 1, 1)
    e = F.leaky_relu(regions @ words.mT, 0.1)
    weights = (network.smooth * F.normalize(e, dim=2)).mT.softmax(dim=2)
    attended = F.normalize(weights @ regions, dim=-1)
    local = F.normalize(network.compare_local((attended - words) ** 2), dim=-1)
    whole = F.normalize(network.compare_whole((image_whole - caption_whole) ** 2), dim=-1)
    nodes = torch.cat([whole[:, None], local], dim=1)
    if isinstance(network, SGR):
        for step in network.steps:
            edges = (step.query(nodes) @ step.key(nodes).mT).softmax(dim=-1)
            nodes = step.update(edges @ nodes).relu()
        vector = nodes[:, 0]
    else:
        gates = network.norm(network.gate(nodes).mT).sigmoid()
        vector = F.normalize((F.normalize(gates, p=1, dim=-1) @ nodes).squeeze(1), dim=-1)
    return network.score(vector).sigmoid()


def best_seconds(works: dict[str, Callable[[], object]], repeats: int = REPEATS) -> dict[str, float]:
    """The least processor time of each, taking turns, so that whatever else the machine does strikes all alike."""
    seconds = dict.fromkeys(works, float("inf"))
    for _ in range(repeats):
        for name, work in works.items():
            start = time.process_time()
            work()
            seconds[name] = min(seconds[name], time.process_time() - start)
    return seconds


@torch.no_grad()
def scoring(name: str, n_images: int, n_captions: int, width: int, sim_dim: int, part: int) -> dict[str, float]:
    """Seconds for all pairs, and how much faster than either loop."""
    torch.manual_seed(0)
    network = NETWORKS[name](width, sim_dim).eval()
    images, captions = inputs(n_images, n_captions, width)
    few = min(n_images, 8)
    few_captions = PAIRS // few
    few_inputs = images[:few], captions[:few_captions]
    ours = network(*few_inputs)
    error = max((ours - loop(network, *few_inputs)).abs().max().item() for loop in (loop_over_captions, slow_scores))
    if error > 1e-5:
        raise SystemExit(f"{name} differs from a loop by {error:g}")
    seconds = best_seconds(
        {
            "blocks": lambda: network(images, captions),
            "captions": lambda: loop_over_captions(network, images, captions[:part]),
            "words": lambda: slow_scores(network, *few_inputs),
        },
    )
    seconds["captions"] *= n_captions / part
    seconds["words"] *= n_captions / few_captions * n_images / few
    return {
        "network": name,
        "images": n_images,
        "captions": n_captions,
        "embedding_dim": width,
        "sim_dim": sim_dim,
        "words": captions.mask.sum(dim=1).float().mean().item(),
        "largest_difference": error,
        **{f"seconds_{work}": value for work, value in seconds.items()},
        "ratio_captions": seconds["captions"] / seconds["blocks"],
        "ratio_words": seconds["words"] / seconds["blocks"],
    }


def operations(sim_dim: int, width: int, words: float) -> dict[str, dict[str, float]]:
    """Multiply-adds of one image and one word: attention, comparison and reasoning, as a loop does them and here."""
    shared = 2 * REGIONS * width + width * sim_dim
    step = sim_dim * sim_dim * (words + 1) / words
    return {"SAF": {"loop": shared, "here": shared}, "SGR": {"loop": shared + 9 * step, "here": shared + 4 * step}}


def train_memory(name: str, form: str) -> float:
    """Peak memory of this process in gigabytes, after scores and gradients of one batch."""
    n_images, n_captions, width, sim_dim = TRAIN
    network = NETWORKS[name](width, sim_dim, recompute=form == FORMS[0]).train()
    images, captions = inputs(n_images, n_captions, width)
    scores = loop_over_captions(network, images, captions) if form == FORMS[2] else network(images, captions)
    scores.square().sum().backward()
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    from daa.files import provenance, write_json

    console = Console(width=120)
    memory = {}
    # First, while this process is small: a child's peak starts from its parent's. Large tensors go back to the system
    # at once, so that the peak is what is in use, not what malloc holds.
    environment = os.environ | {"MALLOC_MMAP_THRESHOLD_": str(1 << 20)}
    for form in FORMS:
        command = [sys.executable, __file__, "SGR", form]
        memory[form] = json.loads(subprocess.run(command, check=True, capture_output=True, env=environment).stdout)
        console.print(f"SGR, scores and gradients of {TRAIN[0]} x {TRAIN[1]}: {memory[form]:.2f} GB, {form}")
    rows = []
    table = Table(title=f"all pairs scored, one thread, {REGIONS} regions")
    for column in (
        "network",
        "images x captions",
        "dims",
        "blocks",
        "loop over captions",
        "ratio",
        "over words",
        "ratio",
    ):
        table.add_column(column, justify="left" if column == "network" else "right")
    for size in SIZES:
        for name in NETWORKS:
            row = scoring(name, *size)
            rows.append(row)
            table.add_row(
                name,
                f"{size[0]:,} x {size[1]:,}",
                f"{size[2]} / {size[3]}",
                *(
                    text
                    for work in ("blocks", "captions", "words")
                    for text in (
                        f"{row[f'seconds_{work}']:.3g} s",
                        *([] if work == "blocks" else [f"{row[f'ratio_{work}']:.1f}"]),
                    )
                ),
            )
    console.print(table)
    counted = operations(256, 1024, rows[0]["words"])
    pairs_of_coco = COCO_5K[0] * COCO_5K[1]
    coco = {
        row["network"]: row["seconds_blocks"] * pairs_of_coco / (row["images"] * row["captions"]) for row in rows[:2]
    }
    for name, seconds in coco.items():
        loop, here = counted[name]["loop"], counted[name]["here"]
        console.print(
            f"{name}: {loop:,.0f} multiply-adds an image and word in a loop, {here:,.0f} here, {loop / here:.2f} x less"
            f"; COCO 5K at this rate: {seconds / 3600:.1f} h"
        )
    content = {
        "scoring": rows,
        "multiply_adds_an_image_and_word": counted,
        "coco_5k_seconds": coco,
        "train_gigabytes": {"images": TRAIN[0], "captions": TRAIN[1], "SGR": memory},
        "threads": 1,
        "provenance": provenance(seed=0),
    }
    write_json(ROOT / "results" / "cross-attention.json", content)


if __name__ == "__main__":
    torch.set_num_threads(1)
    if len(sys.argv) == 3:
        print(json.dumps(train_memory(*sys.argv[1:])))
    else:
        main()
