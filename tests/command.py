"""The `daa` command as a test calls it."""

from __future__ import annotations

import pytest

import daa.cli


def call(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> tuple[int, str, str]:
    """Exit code, stdout and stderr of `daa` with these arguments."""
    monkeypatch.setattr("sys.argv", ["daa", *map(str, arguments)])
    code = 0
    try:
        daa.cli.main()
    except SystemExit as end:
        code = int(end.code or 0)
    out, err = capsys.readouterr()
    return code, out, err
