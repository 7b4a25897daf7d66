"""Tables on a terminal of any width, or in a file or pipe, which has none: a number is never broken over lines."""

from __future__ import annotations

from typing import Any

from rich import box
from rich.console import Console
from rich.table import Table

PROSE = 72  # columns that title and caption may take beside a narrow table


def show(result: Any) -> None:
    """Print a table, or what is one by `__rich__`: with fewer lines around it if the terminal is narrow."""
    table: Table = result if isinstance(result, Table) else result.__rich__()
    console = Console()
    title, caption = table.title, table.caption
    table.title = table.caption = None
    if console.is_terminal and _width(table) > console.width:
        table.box, table.padding, table.pad_edge = box.SIMPLE_HEAD, (0, 1, 0, 0), False
    width = _width(table)
    prose = min(max(width, PROSE), console.width) if console.is_terminal else max(width, PROSE)
    if title:
        console.print(title, style="bold", width=prose)
    Console(width=max(width, console.width)).print(table)
    if caption:
        console.print(caption, style="dim", width=prose)


def _width(table: Table) -> int:
    """The columns that the table takes if nothing in it is broken."""
    return Console(width=10_000).measure(table).maximum
