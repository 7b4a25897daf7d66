"""What the commands share: options said once, errors that name the option that was typed, and tables.

A table fits a terminal of any width, or a file or pipe, which has none: a number is never broken over lines.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, fields
from functools import wraps
from inspect import Parameter, Signature
from typing import Any, TypeVar, get_type_hints

from rich import box
from rich.console import Console
from rich.table import Table
from typer.core import TyperCommand

PROSE = 72  # columns that title and caption may take beside a narrow table
OptionsT = TypeVar("OptionsT")

CALLED = {"fold_size": "folds", "loss.kind": "loss", "overrides": "override", "model": "relevance"}
"""Arguments of functions that a command calls otherwise."""


class Command(TyperCommand):
    """A command whose errors name its option where the function that refuses names its argument."""

    def invoke(self, ctx: Any) -> Any:
        try:
            return super().invoke(ctx)
        except (ValueError, OSError, ModuleNotFoundError) as error:
            if len(error.args) == 1:
                error.args = (in_options(str(error.args[0]), self._options()),)
            raise

    def _options(self) -> dict[str, str]:
        """The option of each parameter that has one, such as `{"daa_weight": "--daa-weight"}`."""
        return {one.name: one.opts[0] for one in self.params if one.name and one.opts[0].startswith("--")}


def in_options(message: str, options: dict[str, str]) -> str:
    """The message with the option in place of the argument that it starts with.

    >>> in_options("scores a.npy: expected finite numbers", {"scores": "--scores"})
    '--scores a.npy: expected finite numbers'
    >>> in_options("fold_size: expected a divisor", {"folds": "--folds"})
    '--folds: expected a divisor'
    >>> in_options("run: expected a folder", {"split": "--split"})
    'run: expected a folder'
    """
    for text in (message.removeprefix("overrides: "), message):  # an override of what has an option of its own
        found = re.match(r"([\w.]+)(?=(?: [^ :]+)?: )", text)
        option = found and (options.get(found[1]) or options.get(CALLED.get(found[1], "")))
        if found and option:
            return f"{option}{text[found.end() :]}"
    return message


def takes(options: type[OptionsT]) -> Callable[[Callable[[OptionsT], None]], Callable[..., None]]:
    """Make a command of a function of one dataclass; each field is an option, as a parameter would be for typer."""
    hints = get_type_hints(options, include_extras=True)
    parameters = [
        Parameter(
            one.name,
            Parameter.KEYWORD_ONLY,
            default=Parameter.empty if one.default is MISSING else one.default,
            annotation=hints[one.name],
        )
        for one in fields(options)  # type: ignore[arg-type]
    ]

    def decorate(function: Callable[[OptionsT], None]) -> Callable[..., None]:
        @wraps(function)
        def command(**given: Any) -> None:
            function(options(**given))

        command.__signature__ = Signature(parameters)  # type: ignore[attr-defined]
        command.__annotations__ = {one.name: one.annotation for one in parameters}
        return command

    return decorate


def show(table: Table) -> None:
    """Print a table, with fewer lines around it if the terminal is narrow."""
    console = Console()
    title, caption = table.title, table.caption
    table.title = table.caption = None
    unbroken = Console(width=10_000)  # in which nothing of a table is broken
    if console.is_terminal and unbroken.measure(table).maximum > console.width:
        table.box, table.padding, table.pad_edge = box.SIMPLE_HEAD, (0, 1, 0, 0), False
    width = unbroken.measure(table).maximum
    prose = min(max(width, PROSE), console.width) if console.is_terminal else max(width, PROSE)
    if title:
        console.print(title, style="bold", width=prose)
    Console(width=max(width, console.width)).print(table)
    if caption:
        console.print(caption, style="dim", width=prose)
