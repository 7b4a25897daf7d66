"""`daa score`: every metric of anybody's similarity matrices."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress

from daa.cli.inputs import check_typed, oriented, read_corpus, read_systems, system_names

if TYPE_CHECKING:
    from daa.corpus import CaptionCorpus
    from daa.evaluation import Comparison, Report
    from daa.matrix import Matrix

PathList = list[Path] | None
NameList = list[str] | None


def score(
    scores: Annotated[
        PathList, typer.Option(help="Similarity matrix: .npy, .npz, .safetensors or .pt; repeat it to compare systems.")
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Which images and captions: `coco-5k` (the default), `scenes`, ...")
    ] = None,
    caption_file: Annotated[
        Path | None, typer.Option(help="Your own captions, instead of --corpus: UTF-8 text, one caption a line.")
    ] = None,
    image_ids: Annotated[
        Path | None, typer.Option(help="The image identifier of each line of --caption-file, one a line.")
    ] = None,
    captions_per_image: Annotated[
        int | None, typer.Option(help="How many lines of --caption-file in a row belong to one image; 5 by default.")
    ] = None,
    relevance: Annotated[
        NameList, typer.Option(help="What ASP is judged by: `tfidf`, `cider-d`, ..., or `none`; may be repeated.")
    ] = None,
    images: Annotated[Path | None, typer.Option(help="Image embeddings, instead of --scores.")] = None,
    captions: Annotated[Path | None, typer.Option(help="Caption embeddings, instead of --scores.")] = None,
    similarity: Annotated[str, typer.Option(help="How embeddings are compared: `cosine` or `dot`.")] = "cosine",
    split: Annotated[str | None, typer.Option(help="Which split of the corpus.")] = None,
    root: Annotated[Path | None, typer.Option(help="Where the corpus lies, if not in $DAA_DATA.")] = None,
    ensemble: Annotated[
        bool, typer.Option("--ensemble", help="Also score the mean of the matrices, as one more system.")
    ] = False,
    key: Annotated[str | None, typer.Option(help="Name of the array, in a file of several.")] = None,
    orientation: Annotated[
        str, typer.Option(help="`i2t`: rows are images; `t2i`: rows are captions; `auto`: see from the shape.")
    ] = "auto",
    folds: Annotated[
        int | None, typer.Option(help="Also average over folds of this many images; 1000 by default for 5,000 images.")
    ] = None,
    graded: Annotated[bool, typer.Option(help="Also NCS, NDCG, tau and further forms of ASP.")] = True,
    intervals: Annotated[bool, typer.Option(help="Confidence intervals, by a bootstrap over images.")] = False,
    queries: Annotated[
        int | None,
        typer.Option(
            help="Estimate from this many random images (i2t) and this many random captions (t2i), each ranked against "
            "all candidates; every number gets its standard error."
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of the random queries.")] = 0,
    engine: Annotated[
        str,
        typer.Option(
            help="Where blocks of queries are ranked: `local`, or `dask` for several processes; same numbers."
        ),
    ] = "local",
    scheduler: Annotated[
        str | None,
        typer.Option(
            help="Address of a running Dask scheduler, tcp://host:port; else processes on this machine, one a core."
        ),
    ] = None,
    asp_ties: Annotated[str, typer.Option(help="Ties in ASP: average, competition, ordinal or expected.")] = "average",
    hit_ties: Annotated[
        str, typer.Option(help="Ties in recall and precision: expected, optimistic, pessimistic or ordinal.")
    ] = "expected",
    name: Annotated[
        NameList,
        typer.Option(help="What to call each system, the ensemble last; by default its file's name."),
    ] = None,
    json: Annotated[Path | None, typer.Option(help="Write the numbers to this JSON file.")] = None,
    csv: Annotated[Path | None, typer.Option(help="Write them as tidy CSV.")] = None,
    markdown: Annotated[Path | None, typer.Option(help="Write the table as Markdown.")] = None,
    latex: Annotated[Path | None, typer.Option(help="Write the table as LaTeX.")] = None,
    html: Annotated[Path | None, typer.Option(help="Write one self-contained page with plots and examples.")] = None,
) -> None:
    """Score similarity matrices: R@K, ranks, mAP@R and R-Precision against every known truth, PMRP, ASP and more.

    A file holds one number for each image and caption, in the order of the corpus. Several files are put side by side
    and each is tested against the first. Examples:

    A similarity matrix of the COCO 5K test split, judged by two relevances:

        daa score --scores similarity.npy --corpus coco-5k \\
          --relevance tfidf --relevance cider-d

    Two systems side by side, with a paired test, as one page to look at:

        daa score --scores baseline.npy --scores ours.npy --html report.html

    SGRAF, the mean of the scores of SAF and SGR, beside the two:

        daa score --scores saf.npy --scores sgr.npy --ensemble \\
          --name SAF --name SGR --name SGRAF

    Embeddings instead of a matrix, which is then never whole:

        daa score --images images.npy --captions captions.npy --similarity cosine

    Your own captions, three lines an image; or in any order, with the image of each line in a second file:

        daa score --scores s.npy --caption-file captions.txt --captions-per-image 3

        daa score --scores s.npy --caption-file captions.txt \\
          --image-ids image_ids.txt

    A corpus too large to rank whole: estimates from 500 random queries a direction, with standard errors:

        daa score --images images.npy --captions captions.npy \\
          --caption-file captions.txt --queries 500 --csv out.csv

    The same blocks on every core as separate processes, or on the machines of a Dask cluster (the extra
    `dask`; start it with `dask scheduler` and, on each machine, `dask worker tcp://host:8786`), which see the
    file under the same path:

        daa score --scores /shared/similarity.npy --engine dask

        daa score --scores /shared/similarity.npy --engine dask \\
          --scheduler tcp://host:8786
    """
    files = scores or []
    kinds = [kind for kind in dict.fromkeys(relevance or ["tfidf"]) if kind != "none"]
    check_typed(files, images, captions, caption_file, image_ids, corpus, kinds, similarity, engine)
    if scheduler is not None and engine != "dask":
        raise ValueError('scheduler: expected one with engine "dask" only')
    workers = (scheduler or os.cpu_count()) if engine == "dask" else None
    outputs = {"--json": json, "--csv": csv, "--markdown": markdown, "--latex": latex, "--html": html}
    inputs = [*files, *(one for one in (images, captions, caption_file, image_ids) if one)]
    _check_outputs({option: path for option, path in outputs.items() if path is not None}, inputs)

    from daa.cli.console import show
    from daa.evaluation import EnsembleScores, compare, evaluate
    from daa.evaluation.matrices import named_relevance
    from daa.evaluation.workers import open_workers
    from daa.files import provenance
    from daa.relevance import relevance_by_name

    notes = Console(stderr=True)
    opened = read_systems(files, images, captions, similarity, key)
    if ensemble and len(opened) < 2:
        raise ValueError(f"--ensemble: expected two or more --scores, whose mean it is, got {len(opened)}")
    names = system_names(name, files or [Path("embeddings")], ensemble)
    chosen = [relevance_by_name(kind) for kind in kinds]
    if queries is not None and intervals:
        raise ValueError("--queries: expected no --intervals with it; each number has its standard error instead")
    if queries is not None and folds is not None:
        raise ValueError("--queries: expected no --folds with it, since a fold needs all queries of its own")
    texts = read_corpus(corpus, split, root, caption_file, image_ids, captions_per_image)
    systems = [oriented(one, texts, orientation, notes) for one in opened]
    systems += [EnsembleScores(systems)] if ensemble else []
    if folds is None and queries is None and texts.n_images == 5000:
        folds = 1000
    made_by = provenance()
    reports = []
    with (
        open_workers(workers) as executor,
        Progress(console=notes, transient=True, disable=not notes.is_terminal) as progress,
    ):
        task = progress.add_task("relevance", total=None)
        by_name = named_relevance([one.fit(texts) for one in chosen])
        total = len(systems) * sum(min(n, queries or n) for n in (texts.n_images, texts.n_captions))
        progress.update(task, description="ranking", total=total)
        for system_name, system in zip(names, systems, strict=True):
            report = evaluate(
                system,
                texts,
                by_name,
                name=system_name,
                fold_size=folds,
                graded=graded,
                asp_ties=asp_ties,
                hit_ties=hit_ties,
                progress=lambda n_queries: progress.advance(task, n_queries),
                queries=queries,
                seed=seed,
                workers=executor,
            )
            report = report.with_intervals() if intervals else report
            reports.append(replace(report, provenance=made_by))
    result = compare(reports) if len(reports) > 1 else reports[0]
    writers: list[tuple[Path | None, Callable[[Path], Any]]] = [
        (json, result.to_json),
        (csv, lambda path: _write(path, result.to_frame().to_csv(index=False))),
        (markdown, lambda path: _write(path, result.to_markdown())),
        (latex, lambda path: _write(path, result.to_latex())),
        (html, lambda path: _write_page(path, result, systems, texts, by_name)),
    ]
    try:
        for path, write in writers:
            if path is not None:
                write(path)
    finally:  # what took so long to compute is shown even if it cannot be written
        show(result)


def _check_outputs(outputs: dict[str, Path], inputs: list[Path]) -> None:
    """Refuse files that cannot be written, before hours of work, and those that are read or written already."""
    from daa.files import check_writable

    taken = {path.resolve(): "is read" for path in inputs}
    for option, path in outputs.items():
        check_writable(option, path)
        if path.resolve() in taken:
            raise ValueError(f"{option}: expected a file of its own, but {path} {taken[path.resolve()]}")
        if path.is_file() or not path.exists():  # a pipe or device takes several
            taken[path.resolve()] = f"is written by {option}"


def _write(path: Path, text: str) -> None:
    from daa.files import atomic_write

    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def _write_page(
    path: Path, result: Report | Comparison, systems: list[Matrix], texts: CaptionCorpus, relevance: dict[str, Matrix]
) -> None:
    from daa.evaluation.page import evaluation_page

    evaluation_page(result, systems, texts, relevance).write(path)
