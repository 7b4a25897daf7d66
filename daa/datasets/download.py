"""One file from the network, whole and right at its place, or one line that says why not.

pooch compares the checksum and gives the file its name; what it downloads with is `Resuming`, since a downloader of its
own would start a broken 13 GB archive again from the first byte.
"""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pooch
from rich.filesize import decimal

from daa.datasets.folder import DownloadError, NoSpaceError, file_digest, locked
from daa.datasets.resume import Resuming
from daa.datasets.sources import mirrored


def fetch(
    url: str,
    path: str | os.PathLike[str],
    *,
    sha256: str | None = None,
    mirror: str | None = None,
    **options: Any,
) -> Path:
    """Download a file, unless it is there already and right. The folder is for one process at a time.

    Args:
        url: where it is.
        path: where it goes; until it is whole and right it is called `<path>.part`.
        sha256: its SHA-256, where published, in hexadecimal.
        mirror: a base address that stands in for all servers: `https://host/a` is asked for as `<mirror>/host/a`, the
            layout that `wget -x` leaves behind. By default the environment variable `DAA_MIRROR`.
        options: of `Resuming`.

    Returns:
        `path`.

    Raises:
        DownloadError: in one line, what went wrong and what to do; the part that is sound stays for the next call.
    """
    target, url = Path(path), mirrored(url, mirror)
    download = Resuming(target, checksum=sha256 is not None, **options)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f".{target.name}.lock"), download.stop):
            if target.is_file():
                download.require_right(target)
                if sha256 is not None and (digest := file_digest(target, "sha256")) != sha256:
                    raise ValueError(f"expected sha256 {sha256}, got {digest}")
            else:
                _get(url, target, sha256, download)
    except ValueError as error:
        raise DownloadError(f"{target}: {error}; remove this file, and the same command gets it again") from None
    except DownloadError:
        raise
    except OSError as error:  # of this machine; those of the network are told apart by Resuming
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            kept = f"{decimal(download.here())} of the file are kept, make room and the same command goes on from there"
            raise NoSpaceError(f"{target}: the disk is full; {kept}") from None
        raise DownloadError(f"{target}: cannot be written ({error.strerror or error})") from None
    return target


def _get(url: str, target: Path, sha256: str | None, download: Resuming) -> None:
    """The whole file; if what came is wrong and its beginning was here before, once more from the first byte."""
    pooch.get_logger().setLevel("WARNING")  # whoever calls shows the progress
    while True:
        resumed = download.here() > 0
        try:
            if sha256 is None:
                download(url, str(target))
            else:
                pooch.retrieve(url, f"sha256:{sha256}", target.name, str(target.parent), downloader=download)
            return download.discard()
        except ValueError as error:
            download.discard()
            if not resumed:
                fault = str(error).partition(". Deleted")[0].rpartition("the known hash: ")[2]  # of pooch's four lines
                thrown = "what came was thrown away: the server's file is not the right one"
                raise DownloadError(f"{url}: {fault}; {thrown}") from None


__all__ = ["DownloadError", "fetch", "file_digest"]
