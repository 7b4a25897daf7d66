"""Whether the disk can hold it, and how to say that something could not be had."""

from __future__ import annotations

import os
import shutil
from pathlib import Path


class DownloadError(OSError):
    """A file could not be had; the message says why, and what is kept for the next attempt."""


class NoSpaceError(DownloadError):
    """The disk is full, or would be."""


def require_space(folder: str | os.PathLike[str], n_bytes: int, what: str) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        DownloadError: saying how much is needed and how much is free.
    """
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if n_bytes > free:
        raise NoSpaceError(
            f"{folder}: {what} needs {readable(n_bytes)} more, but {readable(free)} are free on that disk; "
            f"make room or choose another folder"
        )


def readable(n_bytes: int | float) -> str:
    """A number of bytes for people.

    >>> readable(999), readable(13_510_573_713)
    ('999 bytes', '13.5 GB')
    """
    if n_bytes < 1000:
        return f"{int(n_bytes)} bytes"
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 1000 or unit == "GB":
            break
    return f"{n_bytes:.1f} {unit}"
