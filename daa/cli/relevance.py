"""`daa relevance`: the semantic relevance of every caption to every image, as a file."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import numpy as np
import typer
from rich.console import Console
from rich.progress import track

from daa.files import atomic_write, check_writable
from daa.names import CORPORA, check_name, check_relevance

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
    if out.suffix != ".npy":
        raise ValueError(f"--out: expected a file ending in .npy, got {out}")
    check_writable("--out", out)
    check_relevance(kind, "--kind")
    check_name("--corpus", corpus, CORPORA)

    from daa.datasets import load_corpus
    from daa.relevance import relevance_by_name

    chosen = relevance_by_name(kind)
    texts = load_corpus(corpus, split=split, root=root)
    fitted = chosen.fit(texts)
    header = {"descr": "<f4", "fortran_order": False, "shape": (texts.n_images, texts.n_captions)}
    starts = range(0, texts.n_images, ROWS)
    notes = Console(stderr=True)
    with atomic_write(out) as aside, open(aside, "wb") as file:  # a memory map would crash on a full disk
        np.lib.format.write_array_header_1_0(file, header)
        for start in track(starts, f"{kind} of {corpus}", console=notes, transient=True, disable=not notes.is_terminal):
            file.write(np.ascontiguousarray(fitted.matrix(rows=slice(start, start + ROWS)), "<f4").data)
    Console(soft_wrap=True).print(
        f"{out}: {texts.n_images} images x {texts.n_captions} captions. {fitted.describe()}",
        highlight=False,
        markup=False,
    )
