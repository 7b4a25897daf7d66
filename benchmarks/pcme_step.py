"""One step of PCME + DAA, here and as released: `python benchmarks/pcme_step.py`.

Memory and time of the loss, forwards and backwards, at batch 128 with 5 samples of 1,024 dimensions; embeddings are
given, encoders are not part of it. The released formulation is written anew from what its code computes: every pair of
the batch as two copies of its samples, whose difference [n^2, k, k, d] gives the distances, once for each direction;
and DAA on the [n k, n k] products of all samples, each rank from a [n k, n k, n k] broadcast. Neither fits into a few
GB, so each is measured on a part, and its time and memory are scaled: the distances by pairs (a share of the images
against all captions), the cubes by their volume (a smaller batch). Prints a table and writes results/pcme-step.json.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import torch
from peers import Work, answer, in_own_process
from torch import Tensor

ROOT = Path(__file__).resolve().parent.parent
BATCH, SAMPLES, DIM = 128, 5, 1024
TEMPERATURE = 0.01
PAIRS_SHARE, CUBE_BATCH = 1 / 8, 64
CUBE_SHARE = (CUBE_BATCH / BATCH) ** 3


def embeddings(n: int = BATCH) -> tuple[tuple[Tensor, Tensor], ...]:
    """Means of length 1 and log-variances of n images and n captions."""
    generator = torch.Generator().manual_seed(0)
    both = []
    for _ in range(2):
        mean = torch.nn.functional.normalize(torch.randn(n, DIM, generator=generator), dim=1)
        both.append((mean.requires_grad_(), torch.full((n, DIM), -8.0).requires_grad_()))
    return tuple(both)


def relevance(n: int = BATCH) -> Tensor:
    return torch.rand(n, n, generator=torch.Generator().manual_seed(1))


def samples(mean: Tensor, log_var: Tensor) -> Tensor:
    return mean[:, None] + torch.randn(len(mean), SAMPLES, DIM) * (log_var / 2).exp()[:, None]


def here(daa: str | None) -> Work:
    """PCME's loss, and DAA on the cosines of the means, as this package has it, or on all samples, as released."""
    from daa.embeddings import Gaussian
    from daa.losses import SoftContrastiveLoss, daa_loss
    from daa.similarity import cosine_similarity

    images, captions = (Gaussian(*one) for one in embeddings())
    contrastive, positives, wanted = SoftContrastiveLoss(SAMPLES, reduction="sum"), torch.eye(BATCH).bool(), relevance()

    def work() -> None:
        loss = contrastive(images, captions, positives)
        if daa == "means":
            loss = loss + 2000 * daa_loss(cosine_similarity(images, captions), wanted, temperature=TEMPERATURE)
        if daa == "samples":
            x, y = (one.sample(SAMPLES).flatten(0, 1) for one in (images, captions))
            every = wanted.repeat_interleave(SAMPLES, 0).repeat_interleave(SAMPLES, 1)
            loss = loss + 2000 * daa_loss(x @ y.T, every, temperature=TEMPERATURE)
        loss.backward()

    return work


def released_pairs() -> Work:
    """PCME's loss over every pair by differences of repeated samples; a share of the images."""
    images, captions = embeddings()
    rows = round(BATCH * PAIRS_SHARE)

    def work() -> None:
        x, y = samples(*images), samples(*captions)
        total = x.new_zeros(())
        for first, second in ((x, y), (y, x)):
            pairs = torch.cartesian_prod(torch.arange(rows), torch.arange(BATCH))
            one, other = first[pairs[:, 0]], second[pairs[:, 1]]
            distance = ((one[:, None] - other[:, :, None]).square().sum(-1) + 1e-6).sqrt().flatten(1)
            logit = 15 - 15 * distance
            sign = torch.where(pairs[:, 0] == pairs[:, 1], 1.0, -1.0)[:, None]
            normal = torch.stack((logit, -logit), dim=2).logsumexp(dim=2)
            total = total - (logit * sign - normal).logsumexp(dim=1).sum()
        total.backward()

    return work


def released_cube() -> Work:
    """DAA on the products of all samples, ranks from a broadcast of three dimensions; a smaller batch."""
    images, captions = embeddings(CUBE_BATCH)
    wanted = relevance(CUBE_BATCH).repeat_interleave(SAMPLES, 0).repeat_interleave(SAMPLES, 1)
    other = 1 - torch.eye(CUBE_BATCH * SAMPLES)[:, None]

    def ranks(x: Tensor) -> Tensor:
        difference = ((x.unsqueeze(-1) - x[None]) / TEMPERATURE).clamp(-50, 50)
        return 1 + (torch.sigmoid(difference) * other).sum(dim=0)

    def work() -> None:
        x, y = (samples(*one).flatten(0, 1) for one in (images, captions))
        total = x.new_zeros(())
        for s, c in ((x @ y.T, wanted), (y @ x.T, wanted.T)):
            first, second = ranks(s), ranks(c)
            total = total + (torch.minimum(first, second) / torch.maximum(first, second)).mean()
        (1000 * (2 - total)).backward()

    return work


def nothing() -> Work:
    """Everything imported, embeddings made: the memory that is not the loss's."""
    import daa.losses

    kept = embeddings(), relevance(), daa.losses

    def work() -> None:
        assert kept

    return work


WORKS: dict[str, Callable[[], Work]] = {
    "nothing": nothing,
    "PCME": lambda: here(daa=None),
    "PCME + DAA": lambda: here(daa="means"),
    "PCME + DAA on all samples": lambda: here(daa="samples"),
    "released pairs": released_pairs,
    "released cube": released_cube,
}


def scaled(measured: dict[str, float], share: float, base: float) -> dict[str, float]:
    """Time and memory above the base as the whole would take them."""
    return {"seconds": measured["seconds"] / share, "gigabytes": (measured["peak_gigabytes"] - base) / share}


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    from daa.files import provenance, write_json

    measured = {name: in_own_process(__file__, name, 1 if name.startswith("released") else 5) for name in WORKS}
    base = measured["nothing"]["peak_gigabytes"]
    pairs = scaled(measured["released pairs"], PAIRS_SHARE, base)
    cube = scaled(measured["released cube"], CUBE_SHARE, base)
    released = {"PCME": pairs, "PCME + DAA": {key: pairs[key] + cube[key] for key in pairs}}
    released["PCME + DAA on all samples"] = released["PCME + DAA"]
    rows = {name: {"here": scaled(measured[name], 1, base), "released": other} for name, other in released.items()}
    table = Table(title=f"loss forwards and backwards, batch {BATCH}, {SAMPLES} samples of {DIM}; memory above imports")
    for column in ("loss", "here", "memory", "released", "memory", "time", "memory"):
        table.add_column(column, justify="left" if column == "loss" else "right")
    for name, row in rows.items():
        one, other = row["here"], row["released"]
        row["ratio"] = {key: other[key] / one[key] for key in one}
        table.add_row(
            name,
            f"{1000 * one['seconds']:.0f} ms",
            f"{1000 * one['gigabytes']:.0f} MB",
            f"{other['seconds']:.1f} s",
            f"{other['gigabytes']:.1f} GB",
            *(f"{row['ratio'][key]:,.0f} x" for key in ("seconds", "gigabytes")),
        )
    console = Console(width=120)
    console.print(table)
    console.print(
        f"released: distances measured on {PAIRS_SHARE:g} of the pairs, DAA at a batch of {CUBE_BATCH}, which is "
        f"{CUBE_SHARE:g} of the cube; both scaled"
    )
    content = {
        "what": "time and memory above the imports of PCME's loss and DAA, forwards and backwards, embeddings given",
        "shape": {"batch": BATCH, "samples": SAMPLES, "dimensions": DIM},
        "measured": measured,
        "shares": {"released pairs": PAIRS_SHARE, "released cube": CUBE_SHARE},
        "rows": rows,
        "provenance": provenance(seed=0),
    }
    write_json(ROOT / "results" / "pcme-step.json", content)


if __name__ == "__main__":
    if not answer(WORKS):
        if len(sys.argv) > 1:
            raise SystemExit("expected no arguments")
        main()
