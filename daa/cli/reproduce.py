"""`daa reproduce`: a row of the paper's tables, planned, trained, evaluated and compared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as RichTable

if TYPE_CHECKING:
    from daa.reproduce.protocol import Cell
    from daa.reproduce.tables import Table
    from daa.training.config import Config


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
    from daa.cli.console import show
    from daa.files import check_writable
    from daa.reproduce.tables import find_table

    say = Console(soft_wrap=True, highlight=False, markup=False).print
    chosen = find_table(table)
    if row is None:
        if overrides:
            raise ValueError(f"--row: expected one beside the overrides {', '.join(overrides)}")
        show(_paper_table(chosen))
        return
    which = chosen.row(row)
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
        from daa.reproduce.small import IMAGES, small_data, small_size

        images = images or IMAGES
        say(f"{chosen.title}, {which.name}, made small: the same path, numbers that compare with nothing.")
        if dry_run:
            say(small_data(chosen.protocol, root, images)[1])
            say(f"{images} training images, a network with random weights, minutes on a CPU.")
            return
        prepared = small_size(chosen, which, root, folder, changes, images)
        for note in (*prepared.small, f"Overrides: {' '.join(prepared.overrides)}"):
            say(note)
    else:
        import os

        import torch

        from daa.reproduce.needs import needed_by, needed_lines, obtain
        from daa.reproduce.reproduction import full_size

        place = root or os.environ.get("DAA_DATA")
        if not (dry_run or place):
            raise ValueError("--root: expected the folder of the data sets, or the environment variable DAA_DATA")
        prepared = full_size(chosen, which, Path(place or "data"), folder, changes)
        say(f"{chosen.title}, {which.name}")
        for line in needed_lines(needed_by(prepared)):
            say(line)
        for name, config in prepared.configs.items():
            for line in _cost_lines(name, config, chosen.protocol):
                say(line)
        if dry_run:
            return
        if device == "auto" and not torch.cuda.is_available():
            raise ValueError(
                "--device: no GPU is here, and the hours above are those of one; --small runs the same path on a CPU, "
                "and --device cpu insists"
            )
        for line in obtain(prepared, quiet):
            say(f"By hand, {line}")

    from daa.reproduce.reproduction import reproduce as run

    prepared = replace(prepared, results=results)
    _, numbers = run(prepared, restart=restart, quiet=quiet)
    show(_result_table(f"{chosen.title}, {which.name}", numbers, small))
    say(f"record: {prepared.record}")


def _cost_lines(name: str, config: Config, protocol: str) -> list[str]:
    """What one run takes, and why, a sentence a line."""
    from daa.datasets.download import readable
    from daa.reproduce.cost import GPUS, make_plan

    with Console(stderr=True).status(f"counting the operations of {name}"):
        plan = make_plan(config, protocol)
    lines = [f"{name}: {plan.parameters / 1e6:,.1f} million parameters"]
    for stage in plan.stages:
        lines.append(
            f"  {stage.epochs} epochs = {stage.steps:,} steps of {plan.batch}; {stage.trained / 1e6:,.1f} million "
            f"parameters trained; {stage.flops / 1e12:.2f} TFLOP a step, forward and backward; "
            f"{readable(stage.state)} of weights, gradients and moments; {readable(stage.kept)} kept a step in float32"
        )
    half = "" if plan.precision == "no" else f", half of what is kept since it is {plan.precision}"
    lines.append(f"  memory: about {readable(plan.memory)} on the device{half}")
    if plan.relevance:
        lines.append(f"  relevance of the training captions: about {readable(plan.relevance)} of main memory, sparse")
    for gpu in GPUS:
        fits = "" if plan.memory < gpu.memory else f"; does not fit its {readable(gpu.memory)}, set train.chunks"
        lines.append(
            f"  {gpu.name}: {plan.hours(gpu):,.1f} hours = {plan.flops / 1e18:.2f} EFLOP at an assumed "
            f"{plan.rate(gpu) / 1e12:g} TFLOP/s ({gpu.why}){fits}"
        )
    if plan.scoring_flops > 1e15:
        lines.append(f"  scoring the test split: {plan.scoring_flops / 1e15:.1f} PFLOP more")
    return lines


def _paper_table(table: Table) -> RichTable:
    """The paper's numbers; a dash where the paper has none or where they were not at hand."""
    frame = table.printed()
    notes = dict.fromkeys(row.note for row in table.rows.values() if row.note)
    shown = RichTable(title=f"{table.title}: {table.source}", caption="; ".join(["Percent", *notes]) + ".")
    shown.add_column("row", no_wrap=True)
    for column in frame.columns:
        shown.add_column("\n".join(column), justify="right")
    for name, values in frame.iterrows():
        shown.add_row(str(name), *("-" if value != value else f"{value:.1f}" for value in values))
    return shown


def _result_table(title: str, numbers: Sequence[Cell], small: bool) -> RichTable:
    """The paper's number, ours and the difference, one row a number."""
    caption = (
        "Percent. A small run shows that the path works; its numbers compare with nothing, so no difference is taken."
        if small
        else "Percent; difference in points, ours less the paper's."
    )
    shown = RichTable(title=title, caption=caption)
    for column in ("gallery", "direction", "metric"):
        shown.add_column(column)
    for column in ("paper", "ours") if small else ("paper", "ours", "difference"):
        shown.add_column(column, justify="right")
    above = ""
    for one in numbers:
        cells = [_percent(one.paper), _percent(one.ours)]
        if not small:
            cells.append("-" if one.difference is None else f"{one.difference:+.1f}")
        shown.add_row(one.gallery if one.gallery != above else "", one.direction, one.metric, *cells)
        above = one.gallery
    return shown


def _percent(value: float | None) -> str:
    return "-" if value is None else f"{value:.1f}"
