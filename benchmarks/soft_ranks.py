"""The whole DAA loss, forwards and backwards, over N x N cosines: linear-time soft ranks, all pairs, torchsort.

    python benchmarks/soft_ranks.py                       # on the CPU; writes results/soft-ranks.json
    python benchmarks/soft_ranks.py --device cuda         # on a GPU; writes results/soft-ranks-cuda.json

Times are the best of three runs (one for all pairs beyond 2,048), in float32; the peak is what the run adds to the
process (CPU) or to the device. `torchsort` (Blondel et al., 2020) gives other soft ranks, projections onto the
permutahedron, and is put in place of ours where it is installed: `pip install torchsort`. Time on an idle machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import math
import resource
import subprocess
import sys
import time
from pathlib import Path

import torch

from daa.files import provenance, write_json
from daa.losses import daa_loss
from daa.ranks import soft

ROOT = Path(__file__).resolve().parent.parent
SIZES = (640, 1024, 2048, 4096, 8192, 16384)
FORMS = ("linear", "pairs", "torchsort")
UP_TO = {"linear": 16384, "pairs": 4096, "torchsort": 8192}
TEMPERATURE = 0.01


def cosines(n: int, device: str, dtype: torch.dtype = torch.float32) -> tuple[torch.Tensor, torch.Tensor]:
    """Scores and relevance, [n, n]."""
    generator = torch.Generator().manual_seed(n)
    points = torch.nn.functional.normalize(torch.randn(4, n, 64, generator=generator), dim=-1).to(device)
    return (points[0] @ points[1].T).to(dtype), (points[2] @ points[3].T).to(dtype)


def with_torchsort(scores: torch.Tensor, relevance: torch.Tensor) -> torch.Tensor:
    """The same loss of torchsort's soft ranks, regularised as strongly as the temperature."""
    import torchsort

    def ranks(values: torch.Tensor) -> torch.Tensor:
        return torchsort.soft_rank(-values, regularization="l2", regularization_strength=TEMPERATURE)

    ratios = []
    for s, r in ((scores, relevance), (scores.T, relevance.T)):
        by_score, by_relevance = ranks(s.contiguous()), ranks(r.contiguous())
        ratios.append((torch.minimum(by_score, by_relevance) / torch.maximum(by_score, by_relevance)).mean())
    return 1 - torch.stack(ratios).mean()


def step(
    scores: torch.Tensor, relevance: torch.Tensor, scale: float = 1.0, torchsort: bool = False
) -> tuple[float, torch.Tensor]:
    """The loss and its gradient times `scale`, which keeps a float16 gradient above what float16 can hold."""
    scores = scores.detach().requires_grad_()
    loss = with_torchsort(scores, relevance) if torchsort else daa_loss(scores, relevance, temperature=TEMPERATURE)
    (loss * scale).backward()
    assert scores.grad is not None
    return loss.item(), scores.grad


def seconds(n: int, form: str, device: str) -> dict[str, float]:
    """Of the best run, and the bytes that it adds."""
    if form == "pairs":
        soft.LONG = dict.fromkeys(soft.LONG, math.inf)
    scores, relevance = cosines(n, device)
    step(*cosines(600, device), torchsort=form == "torchsort")
    gpu = device == "cuda"
    before = torch.cuda.memory_allocated() if gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    times = []
    for _ in range(1 if form == "pairs" and n > 2048 else 3):
        start = time.perf_counter()
        step(scores, relevance, torchsort=form == "torchsort")
        if gpu:
            torch.cuda.synchronize()
        times.append(time.perf_counter() - start)
    after = torch.cuda.max_memory_allocated() if gpu else resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"seconds": min(times), "bytes": after - before}


def agreement(device: str) -> dict[str, float]:
    """Difference from all pairs in float64 on the CPU at N = 1,024: of the loss, and of the gradient by its norm."""
    result = {}
    long = soft.LONG
    for dtype in (torch.float64, torch.float32, torch.float16, torch.bfloat16):
        scores, relevance = cosines(1024, "cpu", dtype)
        soft.LONG = dict.fromkeys(long, math.inf)
        exact, exact_gradient = step(scores.double(), relevance.double())
        soft.LONG = long
        scale = 2.0**16 if dtype == torch.float16 else 1.0
        value, gradient = step(scores.to(device), relevance.to(device), scale)
        assert math.isfinite(value)
        assert gradient.isfinite().all()
        error = (gradient.double().cpu() / scale - exact_gradient).norm() / exact_gradient.norm()
        result[f"{dtype} loss".removeprefix("torch.")] = abs(value - exact)
        result[f"{dtype} gradient".removeprefix("torch.")] = error.item()
    return result


def exponent(rows: list[dict[str, float]], key: str) -> float | None:
    """How the time grows with N: the slope between 2,048 and the largest N on logarithmic axes."""
    timed = [row for row in rows if key in row and row["n"] >= 2048]
    if len(timed) < 2:
        return None
    first, last = timed[0], timed[-1]
    return math.log(last[key] / first[key]) / math.log(last["n"] / first["n"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cpu")
    parser.add_argument("--sizes", type=int, nargs="+", default=SIZES)
    parser.add_argument("--out", type=Path, help="by default in results/")
    parser.add_argument("--one", nargs=2, metavar=("N", "FORM"), help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.one:
        n, form = asked.one
        measured = seconds(int(n), form, asked.device)
        print(measured["seconds"], measured["bytes"])
        return
    rows = []
    for n in asked.sizes:
        row: dict[str, float] = {"n": n}
        for form in FORMS if importlib.util.find_spec("torchsort") else FORMS[:2]:
            if n > UP_TO[form]:
                continue
            command = [sys.executable, __file__, "--device", asked.device, "--one", str(n), form]
            done = subprocess.run(command, capture_output=True, text=True, check=True)
            row[f"{form} seconds"], row[f"{form} bytes"] = (float(one) for one in done.stdout.split())
        if "pairs seconds" in row:
            row["ratio"] = row["pairs seconds"] / row["linear seconds"]
        rows.append(row)
        print({key: round(value, 4) for key, value in row.items()}, flush=True)
    content = {
        "what": f"DAA loss forwards and backwards, N x N cosines, float32, temperature {TEMPERATURE}, {asked.device}",
        "rows": rows,
        "exponents from 2,048 on": {form: exponent(rows, f"{form} seconds") for form in FORMS},
        "difference from all pairs in float64": agreement(asked.device),
        "threads": torch.get_num_threads(),
        "provenance": provenance(),
    }
    print(content["exponents from 2,048 on"], content["difference from all pairs in float64"])
    name = "soft-ranks.json" if asked.device == "cpu" else f"soft-ranks-{asked.device}.json"
    write_json(asked.out or ROOT / "results" / name, content)


if __name__ == "__main__":
    main()
