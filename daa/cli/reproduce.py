"""`daa reproduce`: a row of the paper's tables, planned, trained, evaluated and compared."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from daa.cli.console import show

if TYPE_CHECKING:
    from daa.reproduce.run import Job
    from daa.reproduce.tables import Row, Table


def reproduce(
    table: Annotated[str, typer.Argument(help="`table1` (MS-COCO), `table2` (CUB Captions) or `table3` (Flickr30K).")],
    overrides: Annotated[
        list[str] | None, typer.Argument(help="Changes to its configurations, such as `train.precision=bf16`.")
    ] = None,
    row: Annotated[
        str | None, typer.Option(help='Such as "PCME-bert + DAA" or pcme-bert+daa; without it the rows are listed.')
    ] = None,
    root: Annotated[Path | None, typer.Option(help="Folder of the data sets; by default DAA_DATA.")] = None,
    out: Annotated[
        Path | None, typer.Option(help="Folder of the runs; by default runs/reproduce/TABLE, with -small for --small.")
    ] = None,
    results: Annotated[
        Path | None,
        typer.Option(help="Folder of the record; by default `results`, and with --small the row's folder in --out."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what it takes.")] = False,
    small: Annotated[bool, typer.Option("--small", help="The same path in minutes on a CPU.")] = False,
    images: Annotated[int | None, typer.Option(min=1, help="Training images with --small; by default 200.")] = None,
    seed: Annotated[int, typer.Option(min=0, help="Of weights, batches and samples.")] = 0,
    device: Annotated[str, typer.Option(help="`auto` (a GPU where there is one) or `cpu`.")] = "auto",
    restart: Annotated[bool, typer.Option("--restart", help="Discard earlier runs in the folder.")] = False,
    quiet: Annotated[bool, typer.Option("--quiet", help="No progress.")] = False,
) -> None:
    """Reproduce a row of the paper's tables: says what it takes, downloads, trains, evaluates, compares.

    Interrupted, the same command goes on where it stopped. The paper's numbers, ours and their difference go to
    results/TABLE-ROW-seedN.json, each run to a folder of its own, which rows share (SGRAF is the mean of SAF's and
    SGR's scores). Example:

        daa reproduce table1 --row "PCME-bert + DAA" --dry-run

        daa reproduce table1 --row "PCME-bert + DAA" --small
    """
    from daa.files import check_writable
    from daa.reproduce.tables import find_table

    console = Console(soft_wrap=True, highlight=False, markup=False)
    chosen = find_table(table)
    which = None if row is None else chosen.row(row)

    from daa.reproduce.report import paper_table, result_table
    from daa.reproduce.run import run

    if which is None:
        if overrides:
            raise ValueError(f"--row: expected one beside the overrides {', '.join(overrides)}")
        show(paper_table(chosen))
        return
    if images is not None and not small:
        raise ValueError("--images: expected --small with it; a row as it is takes all images")
    folder = out or Path("runs/reproduce") / f"{chosen.name}{'-small' if small else ''}"
    if results is None and not small:
        results = Path("results")
    if not dry_run:
        check_writable("--out", folder, folder=True)
        if results:
            check_writable("--results", results, folder=True)
    changes = [f"train.seed={seed}", f"train.device={device}", *(overrides or [])]
    if small:
        job = _small(console, chosen, which, root, folder, changes, images, dry_run)
    else:
        job = _full(console, chosen, which, root, folder, changes, device, dry_run, quiet)
    if job is None:
        return
    job = replace(job, results=results)
    _, numbers = run(job, restart=restart, quiet=quiet)
    show(result_table(f"{chosen.title}, {which.name}", numbers, small))
    console.print(f"record: {job.record}")


def _small(
    console: Console,
    table: Table,
    row: Row,
    root: Path | None,
    out: Path,
    changes: list[str],
    images: int | None,
    dry_run: bool,
) -> Job | None:
    from daa.reproduce.small import IMAGES, small_data, small_job

    console.print(f"{table.title}, {row.name}, made small: the same path, numbers that compare with nothing.")
    if dry_run:
        for note in small_data(table.protocol, root, images or IMAGES)[1]:
            console.print(note)
        console.print(f"{images or IMAGES} training images, a network with random weights, minutes on a CPU.")
        return None
    job = small_job(table, row, root, out, changes, images or IMAGES)
    for note in job.small:
        console.print(note)
    console.print("Overrides: " + " ".join(job.overrides))
    return job


def _full(
    console: Console,
    table: Table,
    row: Row,
    root: Path | None,
    out: Path,
    changes: list[str],
    device: str,
    dry_run: bool,
    quiet: bool,
) -> Job | None:
    import os

    import torch

    from daa.reproduce.plan import make_plan
    from daa.reproduce.report import needed_lines, plan_lines
    from daa.reproduce.run import full_job, needed_of, obtain

    if not (dry_run or root or os.environ.get("DAA_DATA")):
        raise ValueError("--root: expected the folder of the data sets, or the environment variable DAA_DATA")
    data = root or Path(os.environ.get("DAA_DATA") or "data")
    job = full_job(table, row, data, out, changes)
    console.print(f"{table.title}, {row.name}")
    for line in needed_lines(needed_of(job)):
        console.print(line)
    for name, config in job.configs.items():
        with Console(stderr=True).status(f"counting the operations of {name}"):
            plan = make_plan(config, table.protocol)
        for line in plan_lines(name, plan):
            console.print(line)
    if dry_run:
        return None
    if device == "auto" and not torch.cuda.is_available():
        raise ValueError(
            "--device: no GPU is here, and the hours above are those of one; --small runs the same path on a CPU, and "
            "--device cpu insists"
        )
    by_hand = obtain(job, quiet)
    for line in by_hand:
        console.print(f"By hand, {line}")
    return job
