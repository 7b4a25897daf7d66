"""`daa reproduce`: a row of the paper's tables, planned, trained, evaluated and compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from typer import Option

from daa.cli.console import show, takes

if TYPE_CHECKING:
    from daa.reproduce.run import Job
    from daa.reproduce.tables import Row, Table


@dataclass(frozen=True, kw_only=True)
class Asked:
    """The arguments and options of `daa reproduce`."""

    table: Annotated[str, typer.Argument(help="`table1` (MS-COCO), `table2` (CUB Captions) or `table3` (Flickr30K).")]
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to its configurations, such as `train.precision=bf16`.")
    ] = None
    row: Annotated[
        str | None, Option(help='Such as "PCME-bert + DAA" or pcme-bert+daa; without it the rows are listed.')
    ] = None
    root: Annotated[Path | None, Option(help="Folder of the data sets; by default DAA_DATA.")] = None
    out: Annotated[
        Path | None, Option(help="Folder of the runs; by default runs/reproduce/TABLE, with -small for --small.")
    ] = None
    results: Annotated[
        Path | None,
        Option(help="Folder of the record; by default `results`, and with --small the row's folder in --out."),
    ] = None
    dry_run: Annotated[bool, Option("--dry-run", help="Only say what it takes.")] = False
    small: Annotated[bool, Option("--small", help="The same path in minutes on a CPU.")] = False
    images: Annotated[int | None, Option(min=1, help="Training images with --small; by default 200.")] = None
    seed: Annotated[int, Option(min=0, help="Of weights, batches and samples.")] = 0
    device: Annotated[str, Option(help="`auto` (a GPU where there is one) or `cpu`.")] = "auto"
    restart: Annotated[bool, Option("--restart", help="Discard earlier runs in the folder.")] = False
    quiet: Annotated[bool, Option("--quiet", help="No progress.")] = False

    @property
    def changes(self) -> list[str]:
        """All that its configurations are changed by."""
        return [f"train.seed={self.seed}", f"train.device={self.device}", *(self.overrides or [])]


@takes(Asked)
def reproduce(asked: Asked) -> None:
    """Reproduce a row of the paper's tables: says what it takes, downloads, trains, evaluates, compares.

    Interrupted, the same command goes on where it stopped. The paper's numbers, ours and their difference go to
    results/TABLE-ROW-seedN.json, each run to a folder of its own, which rows share (SGRAF is the mean of SAF's and
    SGR's scores). Example:

        daa reproduce table1 --row "PCME-bert + DAA" --dry-run

        daa reproduce table1 --row "PCME-bert + DAA" --small
    """
    from daa.files import check_writable
    from daa.reproduce.tables import find_table

    table = find_table(asked.table)
    row = None if asked.row is None else table.row(asked.row)

    from daa.reproduce.report import paper_table, result_table
    from daa.reproduce.run import run

    if row is None:
        if asked.overrides:
            raise ValueError(f"--row: expected one beside the overrides {', '.join(asked.overrides)}")
        show(paper_table(table))
        return
    if asked.images is not None and not asked.small:
        raise ValueError("--images: expected --small with it; a row as it is takes all images")
    out = asked.out or Path("runs/reproduce") / f"{table.name}{'-small' if asked.small else ''}"
    results = asked.results or (None if asked.small else Path("results"))
    if not asked.dry_run:
        check_writable("--out", out, folder=True)
        if results:
            check_writable("--results", results, folder=True)
    console = Console(soft_wrap=True, highlight=False, markup=False)
    job = (_small if asked.small else _full)(asked, console, table, row, out)
    if job is None:
        return
    job = replace(job, results=results)
    _, numbers = run(job, restart=asked.restart, quiet=asked.quiet)
    show(result_table(f"{table.title}, {row.name}", numbers, asked.small))
    console.print(f"record: {job.record}")


def _small(asked: Asked, console: Console, table: Table, row: Row, out: Path) -> Job | None:
    """The job made small; none in a dry run."""
    from daa.reproduce.small import IMAGES, small_data, small_job

    images = asked.images or IMAGES
    console.print(f"{table.title}, {row.name}, made small: the same path, numbers that compare with nothing.")
    if asked.dry_run:
        for note in small_data(table.protocol, asked.root, images)[1]:
            console.print(note)
        console.print(f"{images} training images, a network with random weights, minutes on a CPU.")
        return None
    job = small_job(table, row, asked.root, out, asked.changes, images)
    for note in job.small:
        console.print(note)
    console.print("Overrides: " + " ".join(job.overrides))
    return job


def _full(asked: Asked, console: Console, table: Table, row: Row, out: Path) -> Job | None:
    """The job as the paper's, after what it takes was said; none in a dry run."""
    import os

    import torch

    from daa.reproduce.plan import make_plan
    from daa.reproduce.report import needed_lines, plan_lines
    from daa.reproduce.run import full_job, needed_of, obtain

    if not (asked.dry_run or asked.root or os.environ.get("DAA_DATA")):
        raise ValueError("--root: expected the folder of the data sets, or the environment variable DAA_DATA")
    data = asked.root or Path(os.environ.get("DAA_DATA") or "data")
    job = full_job(table, row, data, out, asked.changes)
    console.print(f"{table.title}, {row.name}")
    for line in needed_lines(needed_of(job)):
        console.print(line)
    for name, config in job.configs.items():
        with Console(stderr=True).status(f"counting the operations of {name}"):
            plan = make_plan(config, table.protocol)
        for line in plan_lines(name, plan):
            console.print(line)
    if asked.dry_run:
        return None
    if asked.device == "auto" and not torch.cuda.is_available():
        raise ValueError(
            "--device: no GPU is here, and the hours above are those of one; --small runs the same path on a CPU, and "
            "--device cpu insists"
        )
    for line in obtain(job, asked.quiet):
        console.print(f"By hand, {line}")
    return job
