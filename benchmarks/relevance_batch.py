"""Memory and time of the relevance of a COCO-sized training set: `DAA_DATA=... python benchmarks/relevance_batch.py`.

566,435 captions of 113,287 images are made up from the real captions of COCO's 5K test split: the first half of one and
the second half of another, rare words spelt in a few ways so that the vocabulary grows to the size of a training set's.
Each relevance is fitted in a process of its own. Prints a table and writes results/relevance-batch.json. Linux only: it
reads /proc.
"""

from __future__ import annotations

import ctypes
import gc
import json
import subprocess
import sys
import time
from collections import Counter
from pathlib import Path

import numpy as np

from daa.corpus import CaptionCorpus
from daa.relevance import Relevance, relevance_by_name

ROOT = Path(__file__).resolve().parent.parent
N_IMAGES, N_CAPTIONS = 113_287, 566_435  # Karpathy's training split with "restval"
RARE, SPELLINGS = 20, ("", "", "", "", "ol", "um")  # so often at most; endings, most often none
BATCHES = {"128 x 128": 1, "128 x 640": 5}  # captions per image
REPEATS = 300
MOST_MEGABYTES, MOST_MILLISECONDS = 300, 2
NAMES = ("tfidf", "cider-d")


def made_up_corpus(real: list[str], seed: int = 0) -> CaptionCorpus:
    """A corpus of the size of COCO's training set, every caption from halves of two real ones."""
    rng = np.random.default_rng(seed)
    words = [caption.split() for caption in real]
    frequency = Counter(word for caption in words for word in caption)
    rare = {word for word, count in frequency.items() if count <= RARE and word.isalpha()}
    first, second = rng.integers(0, len(words), (2, N_CAPTIONS)).tolist()
    ending = [SPELLINGS[k] for k in rng.integers(0, len(SPELLINGS), N_CAPTIONS)]
    captions = []
    for a, b, end in zip(first, second, ending, strict=True):
        chosen = words[a][: len(words[a]) // 2] + words[b][len(words[b]) // 2 :]
        captions.append(" ".join(word + end if word in rare else word for word in chosen))
    image_of_caption = np.arange(N_CAPTIONS) % N_IMAGES
    return CaptionCorpus(captions, np.sort(image_of_caption), name="made up from coco-5k")


def resident(field: str = "VmRSS") -> float:
    """Megabytes of this process: resident now, or at their highest (`VmHWM`)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024 / 1e6
    raise ValueError(f"field: expected one of /proc/self/status, got {field!r}")


def settle() -> None:
    """Give freed memory back and start the highest mark anew."""
    gc.collect()
    ctypes.CDLL("libc.so.6").malloc_trim(0)
    Path("/proc/self/clear_refs").write_text("5")


def median_milliseconds(relevance: Relevance, corpus: CaptionCorpus, per_image: int) -> float:
    rng = np.random.default_rng(1)
    starts = np.searchsorted(corpus.image_of_caption, np.arange(corpus.n_images))
    seconds = []
    for _ in range(REPEATS):
        images = rng.choice(corpus.n_images, 128, replace=False)
        captions = (starts[images][:, None] + np.arange(per_image)).ravel()
        start = time.perf_counter()
        relevance.batch(images, captions)
        seconds.append(time.perf_counter() - start)
    return 1000 * float(np.median(seconds))


def measure(name: str) -> dict[str, float]:
    """One relevance, in this process."""
    from daa.datasets import load_corpus

    real = load_corpus("coco-5k")
    relevance_by_name(name).fit(real).batch([0], [0])  # compiled, and nothing kept of it
    corpus = made_up_corpus(list(real.captions))
    settle()
    before = resident()
    start = time.perf_counter()
    relevance = relevance_by_name(name).fit(corpus)
    seconds = time.perf_counter() - start
    peak = resident("VmHWM")
    settle()
    n_words = len({word for caption in corpus.captions for word in caption.split()})
    return {
        "words": n_words,
        "dense_gigabytes": N_CAPTIONS * n_words * 8 / 1e9,
        "fit_seconds": seconds,
        "fit_peak_megabytes": peak - before,
        "stays_megabytes": resident() - before,
        **{f"{shape} milliseconds": median_milliseconds(relevance, corpus, k) for shape, k in BATCHES.items()},
    }


def main() -> None:
    from rich.console import Console
    from rich.table import Table

    from daa.files import provenance, write_json

    table = Table(title=f"{N_CAPTIONS:,} captions of {N_IMAGES:,} images, one run, this machine")
    for column in ("relevance", "words", "fit", "fit's peak", "stays", *(f"batch {shape}" for shape in BATCHES)):
        table.add_column(column, justify="left" if column == "relevance" else "right")
    rows = {}
    for name in NAMES:
        command = [sys.executable, __file__, name]
        row = rows[name] = json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)
        table.add_row(
            name,
            f"{row['words']:,}",
            f"{row['fit_seconds']:.1f} s",
            f"{row['fit_peak_megabytes']:.0f} MB",
            f"{row['stays_megabytes']:.0f} MB",
            *(f"{row[f'{shape} milliseconds']:.2f} ms" for shape in BATCHES),
        )
    console = Console(width=120)
    console.print(table)
    dense = rows[NAMES[0]]["dense_gigabytes"]
    console.print(
        f"targets: under {MOST_MEGABYTES} MB and {MOST_MILLISECONDS} ms a batch of 128; "
        f"the dense matrix of the released code, 8 bytes x captions x words, would be {dense:.0f} GB"
    )
    write_json(
        ROOT / "results" / "relevance-batch.json",
        {
            "what": "memory and median time of a batch of the relevance of a made-up corpus of COCO's training size",
            "corpus": {"images": N_IMAGES, "captions": N_CAPTIONS},
            "rows": {name: {key: round(value, 3) for key, value in row.items()} for name, row in rows.items()},
            "provenance": provenance(seed=0),
        },
    )


if __name__ == "__main__":
    if len(sys.argv) == 2:
        print(json.dumps(measure(sys.argv[1])))
    else:
        main()
