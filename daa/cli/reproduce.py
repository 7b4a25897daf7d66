"""`daa reproduce`: a row of the paper's tables, planned, trained, evaluated and compared."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.table import Table as RichTable
from typer import Option

from daa.cli.console import show, takes

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from daa.reproduce import Cell, Row, Table
    from daa.reproduce.reproduction import Reproduction


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
    from daa.reproduce import find_table

    table = find_table(asked.table)
    if asked.row is None:
        if asked.overrides:
            raise ValueError(f"--row: expected one beside the overrides {', '.join(asked.overrides)}")
        show(_paper_table(table))
        return
    row = table.row(asked.row)
    if asked.images is not None and not asked.small:
        raise ValueError("--images: expected --small with it; a row as it is takes all images")
    out = asked.out or Path("runs/reproduce") / f"{table.name}{'-small' if asked.small else ''}"
    results = asked.results or (None if asked.small else Path("results"))
    if not asked.dry_run:
        check_writable("--out", out, folder=True)
        if results:
            check_writable("--results", results, folder=True)
    say = Console(soft_wrap=True, highlight=False, markup=False).print
    reproduction = (_small if asked.small else _full)(asked, say, table, row, out)
    if reproduction is None:
        return

    from daa.reproduce.reproduction import reproduce as run

    reproduction = replace(reproduction, results=results)
    _, numbers = run(reproduction, restart=asked.restart, quiet=asked.quiet)
    show(_result_table(f"{table.title}, {row.name}", numbers, asked.small))
    say(f"record: {reproduction.record}")


def _small(asked: Asked, say: Callable[[str], None], table: Table, row: Row, out: Path) -> Reproduction | None:
    """The row made small; none in a dry run."""
    from daa.reproduce.small import IMAGES, small_data, small_size

    images = asked.images or IMAGES
    say(f"{table.title}, {row.name}, made small: the same path, numbers that compare with nothing.")
    if asked.dry_run:
        say(small_data(table.protocol, asked.root, images)[1])
        say(f"{images} training images, a network with random weights, minutes on a CPU.")
        return None
    small = small_size(table, row, asked.root, out, asked.changes, images)
    for note in (*small.small, f"Overrides: {' '.join(small.overrides)}"):
        say(note)
    return small


def _full(asked: Asked, say: Callable[[str], None], table: Table, row: Row, out: Path) -> Reproduction | None:
    """The row as the paper's, after what it takes was said; none in a dry run."""
    import os

    import torch

    from daa.reproduce.cost import make_plan
    from daa.reproduce.reproduction import full_size, needed_by, needed_lines, obtain

    root = asked.root or os.environ.get("DAA_DATA")
    if not (asked.dry_run or root):
        raise ValueError("--root: expected the folder of the data sets, or the environment variable DAA_DATA")
    full = full_size(table, row, Path(root or "data"), out, asked.changes)
    say("\n".join([f"{table.title}, {row.name}", *needed_lines(needed_by(full))]))
    for name, config in full.configs.items():
        with Console(stderr=True).status(f"counting the operations of {name}"):
            plan = make_plan(config, table.protocol)
        say("\n".join([f"{name}: {plan.parameters / 1e6:,.1f} million parameters", *plan.lines()]))
    if asked.dry_run:
        return None
    if asked.device == "auto" and not torch.cuda.is_available():
        raise ValueError(
            "--device: no GPU is here, and the hours above are those of one; --small runs the same path on a CPU, and "
            "--device cpu insists"
        )
    for line in obtain(full, asked.quiet):
        say(f"By hand, {line}")
    return full


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
