"""The `daa` command: every error a user can make is one line on stderr and exit code 2."""

from __future__ import annotations

import os
import sys
from functools import cache
from typing import Annotated, Any

import typer

HELP = """Score image-text retrieval, and train with a differentiable approximation of its semantic ranking.

To see what it is about, and to score a similarity matrix of your own:

    daa demo

    daa score --scores similarity.npy --corpus coco-5k

Every command says more, with examples: `daa score --help`.
"""

app = typer.Typer(
    name="daa", help=HELP, no_args_is_help=True, pretty_exceptions_enable=False, rich_markup_mode="markdown"
)
UsageError: Any = typer.BadParameter.__base__  # of click, or of the copy of it inside typer
INTERRUPTED = 130


def _say_version(wanted: bool) -> bool:
    if wanted:
        from daa.distribution import NAME, version

        print(f"{NAME} {version()}")
        raise typer.Exit
    return wanted


@app.callback()
def _options(
    version: Annotated[
        bool, typer.Option("--version", callback=_say_version, is_eager=True, help="Say the version, and no more.")
    ] = False,
) -> None:
    pass


@cache
def _register() -> None:
    from daa.cli.console import Command
    from daa.cli.data import data
    from daa.cli.demo import demo
    from daa.cli.relevance import relevance
    from daa.cli.reproduce import reproduce
    from daa.cli.score import score
    from daa.cli.train import evaluate, train

    for command in (demo, score, relevance, train, evaluate, reproduce):
        app.command(cls=Command)(command)
    app.add_typer(data)


def main() -> None:
    """Entry point of the `daa` command."""
    _register()
    sys.exit(_run())


def _run() -> int:
    """The exit code of what the command line asks for."""
    try:
        code = app(prog_name="daa", standalone_mode=False)
        if sys.stdout is not None:  # closed, as by `>&-`
            sys.stdout.flush()
    except UsageError as error:
        if type(error).__name__ == "NoArgsIsHelpError":  # the help, where a command is missing
            print(error.format_message(), end="", file=sys.stderr)
            return 2
        return _refuse(_usage(error))
    except BrokenPipeError:  # nobody reads any more, as after `| head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except (ValueError, OSError, ModuleNotFoundError) as error:
        return _refuse(_message(error))
    except MemoryError as error:
        return _refuse(f"not enough memory. {error}")
    except (KeyboardInterrupt, typer.Abort):
        code = INTERRUPTED
    except RuntimeError as error:
        if type(error).__name__ != "OutOfMemoryError":  # torch's, which is not imported for this
            raise
        return _refuse(f"not enough memory on the device; try a smaller batch, or train.chunks. {error}")
    if code == INTERRUPTED:  # what typer, too, makes of Ctrl-C
        print("interrupted: nothing half-written is left; the same command goes on where it can", file=sys.stderr)
    return code if isinstance(code, int) else 0


def _refuse(message: str) -> int:
    print(f"error: {' '.join(message.split())}", file=sys.stderr)
    return 2


def _usage(error: Any) -> str:
    """What is wrong with the command line, and where its help is."""
    command = error.ctx.command_path if error.ctx else "daa"
    message = error.format_message()
    return f"{message}{'' if message.endswith(('.', '?')) else '.'} See `{command} --help`"


def _message(error: Exception) -> str:
    """The system's own errors without their number, the file first."""
    if isinstance(error, OSError) and error.errno and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return str(error) or type(error).__name__
