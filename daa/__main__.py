"""`python -m daa` is the `daa` command."""

from daa.cli import main

main()
