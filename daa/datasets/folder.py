"""The folder of a data set: room for what comes, one process at a time, and a manifest of what is in it."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any

from rich.filesize import decimal

from daa.files import write_json

MANIFEST = "daa-data.json"
MISSING = "missing"


class DownloadError(OSError):
    """A file could not be had; the message says why, and what is kept for the next attempt."""


class NoSpaceError(DownloadError):
    """The disk is full, or would be."""


@contextmanager
def locked(path: Path, stop: threading.Event, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """What the lock `path` stands for, for this process alone: a second one waits until the first is done.

    Args:
        path: a file of its own, removed again.
        stop: when set, by another thread, ends the waiting with KeyboardInterrupt.
        waiting: called once if there is another process to wait for.
    """
    try:
        import fcntl
    except ImportError:  # not on this system: checksums must do
        yield
        return
    told = False
    while True:
        with open(path, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if stop.is_set():
                    raise KeyboardInterrupt from None
                if not told:
                    waiting()
                    told = True
                time.sleep(0.1)
                continue
            except OSError:  # a file system without locks, as those of clusters may be: checksums must do
                pass
            try:
                if not os.path.samestat(os.fstat(lock.fileno()), os.stat(path)):
                    continue
            except FileNotFoundError:  # removed while this process waited for it
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def file_digest(path: Path, name: str) -> str:
    """The checksum of a file, in hexadecimal."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, name).hexdigest()


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
            f"{folder}: {what} needs {decimal(n_bytes)} more, but {decimal(free)} are free on that disk; "
            f"make room or choose another folder"
        )


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What `daa data` says is in a folder, or None where it has not finished there.

    `files` maps each file (relative, with `/`) to its bytes and SHA-256; `subsets` maps a split of which only some
    images were asked for to their files, in the order of the split.
    """
    path = folder / MANIFEST
    if not path.is_file():
        return None
    try:
        manifest = json.loads(path.read_bytes())
        for name, entry in manifest["files"].items():  # some are removed when they have changed: none outside
            if PurePosixPath(name).is_absolute() or ".." in PurePosixPath(name).parts:
                raise ValueError
            if not (isinstance(entry["bytes"], int) and isinstance(entry["sha256"], str)):
                raise ValueError
        if not all(isinstance(names, list) for names in manifest["subsets"].values()):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise ValueError(f"{path}: expected what `daa data` wrote; remove it and run that command again") from None
    return manifest


def write_manifest(folder: Path, dataset: str, subsets: dict[str, list[str]], files: dict[str, dict]) -> None:
    """Say that a folder holds these files; the last thing that `daa data` does."""
    write_json(folder / MANIFEST, {"dataset": dataset, "subsets": subsets, "files": files})


def damaged_files(
    folder: Path, manifest: dict[str, Any], progress: Callable[[int, int], None] | None = None
) -> dict[str, str]:
    """What is wrong, by file: `"missing"`, `"expected 5 bytes, got 4"` or `"another checksum"`."""
    faults: dict[str, str] = {}
    for done, (name, entry) in enumerate(manifest["files"].items(), start=1):
        path = folder / name
        if not path.is_file():
            faults[name] = MISSING
        elif path.stat().st_size != entry["bytes"]:
            faults[name] = f"expected {entry['bytes']:,} bytes, got {path.stat().st_size:,}"
        elif file_digest(path, "sha256") != entry["sha256"]:
            faults[name] = "another checksum"
        if progress is not None:
            progress(done, len(manifest["files"]))
    return faults


def verify(folder: Path, command: str, progress: Callable[[int, int], None] | None = None) -> str:
    """Compare every file with the manifest.

    Args:
        folder: the data set.
        command: what gets or mends it.
        progress: called with the files that are done and the files in all.

    Returns:
        one line that says what is there.

    Raises:
        FileNotFoundError: if there is no manifest: the download has not ended.
        ValueError: if files are missing or changed, naming the first, and what mends it.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise FileNotFoundError(f"{folder / MANIFEST}: no such file: no download has ended there; `{command}` goes on")
    faults = damaged_files(folder, manifest, progress)
    if faults:
        name, fault = next(iter(faults.items()))
        raise ValueError(
            f"{folder}: {len(faults)} of {len(manifest['files'])} files are not as they were, the first is {name} "
            f"({fault}); `{command}` gets them again"
        )
    subsets = "".join(f", {len(names):,} images of {split}" for split, names in manifest["subsets"].items())
    n_bytes = sum(entry["bytes"] for entry in manifest["files"].values())
    return f"{folder}: {len(manifest['files']):,} files, {n_bytes / 1e6:,.1f} MB, all as downloaded{subsets}"
