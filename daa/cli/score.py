"""`daa score`: every metric of anybody's similarity matrix."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import Progress


def score(
    scores: Annotated[Path, typer.Option(help="Similarity matrix: .npy, .npz, .safetensors or .pt.")],
    corpus: Annotated[str, typer.Option(help="Which images and captions: `coco-5k`, `scenes`, ...")] = "coco-5k",
    relevance: Annotated[
        list[str] | None,
        typer.Option(help="What ASP is judged by: `tfidf`, `cider-d`, ..., or `none`; may be repeated."),
    ] = None,
    split: Annotated[str | None, typer.Option(help="Which split of the corpus.")] = None,
    root: Annotated[Path | None, typer.Option(help="Where the corpus lies, if not in $DAA_DATA.")] = None,
    key: Annotated[str | None, typer.Option(help="Name of the array, in a file of several.")] = None,
    orientation: Annotated[
        str, typer.Option(help="`i2t`: rows are images; `t2i`: rows are captions; `auto`: see from the shape.")
    ] = "auto",
    folds: Annotated[
        int | None, typer.Option(help="Also average over folds of this many images; 1000 by default for 5,000 images.")
    ] = None,
    asp_ties: Annotated[str, typer.Option(help="Ties in ASP: average, competition, ordinal or expected.")] = "average",
    hit_ties: Annotated[
        str, typer.Option(help="Ties in recall and precision: expected, optimistic, pessimistic or ordinal.")
    ] = "expected",
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this JSON file.")] = None,
    name: Annotated[str | None, typer.Option(help="What to call this system; by default the file's name.")] = None,
) -> None:
    """Score a similarity matrix: R@K, rsum, mAP@R, R-Precision against every known truth, and ASP.

    The file holds one number for each image and caption, in the order of the corpus. Example:

        daa score --scores similarity.npy --corpus coco-5k --relevance tfidf --relevance cider-d
    """
    from daa.datasets import load_corpus
    from daa.evaluation import evaluate
    from daa.files import provenance
    from daa.metrics.inputs import Blocks
    from daa.relevance import relevance_by_name
    from daa.scores import orient, read_matrix

    matrix = read_matrix(scores, key)
    chosen = [relevance_by_name(kind) for kind in dict.fromkeys(relevance or ["tfidf"]) if kind != "none"]
    texts = load_corpus(corpus, split=split, root=root)
    matrix, transposed = orient(matrix, (texts.n_images, texts.n_captions), orientation)
    Blocks(matrix, "scores")  # refused now if it cannot be scored, before the relevance takes its time
    notes = Console(stderr=True)
    if transposed:
        notes.print("scores: rows are captions, columns are images; transposed")
    if folds is None and texts.n_images == 5000:
        folds = 1000
    with Progress(console=notes, transient=True, disable=not notes.is_terminal) as progress:
        task = progress.add_task("relevance", total=None)
        fitted = [one.fit(texts) for one in chosen]
        progress.update(task, description="ranking", total=texts.n_images + texts.n_captions)
        report = evaluate(
            matrix,
            texts,
            fitted,
            name=name or scores.stem,
            fold_size=folds,
            asp_ties=asp_ties,
            hit_ties=hit_ties,
            progress=lambda n_queries: progress.advance(task, n_queries),
        )
    report = replace(report, provenance=provenance())
    Console().print(report)
    if json is not None:
        report.to_json(json)
