"""The `daa` command: every error a user can make is one line on stderr and exit code 2."""

from __future__ import annotations

import sys

import typer

app = typer.Typer(
    name="daa",
    help="Score image-text retrieval, and train with a differentiable approximation of its semantic ranking.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="markdown",
)


def _register() -> None:
    from daa.cli.data import data
    from daa.cli.demo import demo
    from daa.cli.relevance import relevance
    from daa.cli.reproduce import reproduce
    from daa.cli.score import score
    from daa.cli.train import evaluate, train

    for command in (demo, score, relevance, train, evaluate, reproduce):
        app.command()(command)
    app.add_typer(data)


def main() -> None:
    """Entry point of the `daa` command."""
    _register()
    try:
        app()
    except (ValueError, OSError, ModuleNotFoundError) as error:
        print(f"error: {' '.join(str(error).split())}", file=sys.stderr)
        sys.exit(2)
    except (KeyboardInterrupt, SystemExit) as stopped:
        if isinstance(stopped, SystemExit) and stopped.code != 130:  # what typer makes of Ctrl-C
            raise
        print("interrupted: nothing half-written is left; the same command goes on where it can", file=sys.stderr)
        sys.exit(130)
