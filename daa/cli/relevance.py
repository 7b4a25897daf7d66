"""`daa relevance`: the semantic relevance of every caption to every image, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from daa.files import atomic_write

ROWS = 250


def relevance(
    out: Annotated[Path, typer.Option(help="The .npy file to write: float32 [images, captions].")],
    corpus: Annotated[str, typer.Option(help="Which captions: `coco-5k`, `scenes`, ...")] = "coco-5k",
    kind: Annotated[str, typer.Option(help="Which relevance: `tfidf`, `cider-d`, ...")] = "tfidf",
    split: Annotated[str, typer.Option(help="Which split of the corpus.")] = "test",
    root: Annotated[Path | None, typer.Option(help="Where the corpus lies, if not in $DAA_DATA.")] = None,
) -> None:
    """Compute how relevant each caption is to each image and save the matrix.

    The matrix is images x captions, in the order of the corpus, and `numpy.load(FILE, mmap_mode="r")` reads it without
    taking it into memory. Example:

        daa relevance --corpus coco-5k --kind cider-d --out cider-d.npy
    """
    from daa.datasets import load_corpus
    from daa.relevance import relevance_by_name

    if out.suffix != ".npy":
        raise ValueError(f"--out: expected a file ending in .npy, got {out}")
    chosen = relevance_by_name(kind)
    texts = load_corpus(corpus, split=split, root=root)
    fitted = chosen.fit(texts)
    with atomic_write(out) as aside:
        matrix = np.lib.format.open_memmap(aside, mode="w+", dtype=np.float32, shape=(texts.n_images, texts.n_captions))
        for start in track(range(0, texts.n_images, ROWS), description=f"{kind} of {corpus}", transient=True):
            matrix[start : start + ROWS] = fitted.matrix(rows=slice(start, start + ROWS))
        matrix.flush()
        del matrix
    Console().print(f"{out}: {texts.n_images} images x {texts.n_captions} captions. {fitted.describe()}")
