"""`daa score`: every metric of anybody's similarity matrices."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from rich.console import Console
from rich.progress import Progress

from daa.cli.console import show, takes
from daa.cli.inputs import Asked, check, read_corpus, read_systems, system_names
from daa.names import closest

if TYPE_CHECKING:
    from daa.corpus import CaptionCorpus
    from daa.evaluation import Comparison, Report
    from daa.matrix import Matrix

FORMATS = {".json": "json", ".csv": "csv", ".md": "md", ".tex": "tex", ".html": "html"}


@takes(Asked)
def score(asked: Asked) -> None:
    """Score similarity matrices: R@K, ranks, mAP@R and R-Precision against every known truth, PMRP, ASP and more.

    A file holds one number for each image and caption, in the order of the corpus. Several files are put side by side
    and each is tested against the first. Examples:

    A similarity matrix of the COCO 5K test split, judged by two relevances:

        daa score --scores similarity.npy --corpus coco-5k \\
          --relevance tfidf --relevance cider-d

    Two systems side by side, with a paired test, as one page to look at and as numbers:

        daa score --scores baseline.npy --scores ours.npy \\
          --out report.html --out report.json

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
          --caption-file captions.txt --queries 500 --out out.csv

    The same blocks in several processes, or on the machines of a Dask cluster (the extra `dask`; start it with
    `dask scheduler` and, on each machine, `dask worker tcp://host:8786`), which see the file under the same path:

        daa score --scores /shared/similarity.npy --workers 8

        daa score --scores /shared/similarity.npy --scheduler tcp://host:8786
    """
    check(asked)
    names = system_names(asked)
    outputs = outputs_of(asked)

    from daa.evaluation import compare, evaluate
    from daa.evaluation.workers import open_workers
    from daa.files import provenance
    from daa.relevance import relevance_by_name
    from daa.relevance.matrices import named_relevance

    notes = Console(stderr=True)
    chosen = [relevance_by_name(kind) for kind in asked.kinds]
    texts = read_corpus(asked)
    systems = read_systems(asked, texts, notes)
    made_by = provenance()
    reports = []
    with (
        open_workers(asked.where) as workers,
        Progress(console=notes, transient=True, disable=not notes.is_terminal) as progress,
    ):
        task = progress.add_task("relevance", total=None)
        relevance = named_relevance([one.fit(texts) for one in chosen])
        total = len(systems) * sum(min(n, asked.queries or n) for n in (texts.n_images, texts.n_captions))
        progress.update(task, description="ranking", total=total)
        settings = {
            **asked.settings(texts.n_images, texts.n_captions),
            "progress": partial(progress.advance, task),
            "workers": workers,
        }
        for name, system in zip(names, systems, strict=True):
            report = evaluate(system, texts, relevance, name=name, **settings)
            reports.append(replace(report.with_intervals() if asked.intervals else report, provenance=made_by))
    result = compare(reports) if len(reports) > 1 else reports[0]
    try:
        for output in outputs:
            output.write(result, systems, texts, relevance)
    finally:  # what took so long to compute is shown even if it cannot be written
        show(result.table.rich())


@dataclass(frozen=True)
class Output:
    """A file to be written, and the option that named it."""

    option: str
    format: str
    path: Path

    def write(
        self, result: Report | Comparison, systems: list[Matrix], texts: CaptionCorpus, relevance: dict[str, Matrix]
    ) -> None:
        from daa.files import atomic_write

        if self.format == "json":
            result.to_json(self.path)
        elif self.format == "html":
            from daa.evaluation.page import evaluation_page

            evaluation_page(result, systems, texts, relevance).write(self.path)
        else:
            if self.format == "csv":
                text = result.to_frame().to_csv(index=False)
            else:
                text = result.to_markdown() if self.format == "md" else result.to_latex()
            with atomic_write(self.path) as aside:
                aside.write_text(text, encoding="utf-8")


def outputs_of(asked: Asked) -> list[Output]:
    """The files asked for; refused before hours of work if they cannot be written, or are read or written already.

    Raises:
        ValueError: naming the option.
        OSError: likewise.
    """
    from daa.files import check_writable

    former = [("json", "json"), ("csv", "csv"), ("markdown", "md"), ("latex", "tex"), ("html", "html")]
    outputs = [Output("--out", *_format_of(one)) for one in asked.out or []]
    outputs += [Output(f"--{name}", kind, path) for name, kind in former if (path := getattr(asked, name))]
    taken = {path.resolve(): "is read" for _, path in asked.files}
    for one in outputs:
        check_writable(one.option, one.path)
        place = one.path.resolve()
        if place in taken:
            raise ValueError(f"{one.option}: expected a file of its own, but {one.path} {taken[place]}")
        if one.path.is_file() or not one.path.exists():  # a pipe or device takes several
            taken[place] = f"is written by {one.option}"
    return outputs


def _format_of(given: str) -> tuple[str, Path]:
    """Format and path of `table.tex` or `json:/dev/stdout`.

    >>> _format_of("runs/table.tex"), _format_of("json:/dev/stdout")
    (('tex', PosixPath('runs/table.tex')), ('json', PosixPath('/dev/stdout')))
    """
    before, colon, after = given.partition(":")
    if colon and before in FORMATS.values():
        return before, Path(after)
    suffix = Path(given).suffix.lower()
    if suffix not in FORMATS:
        raise ValueError(
            f"--out: expected a file ending in {', '.join(FORMATS)}, or json:FILE and so on, got {given}"
            f"{closest(suffix, FORMATS)}"
        )
    return FORMATS[suffix], Path(given)
