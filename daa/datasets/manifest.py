"""What `daa data` says is in a folder: each file with its size and checksum, and the subsets that were asked for."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path, PurePosixPath
from typing import Any

MANIFEST = "daa-data.json"
MISSING = "missing"
Track = Callable[[Sequence[Any]], Iterable[Any]]
"""Gives things one by one as it was given them, and shows how many are done: a progress bar."""


def read_manifest(folder: Path) -> dict[str, Any] | None:
    """What `daa data` says is in a folder, or None where it has not finished there.

    `files` maps each file (relative, with `/`) to its `bytes` and `sha256`; `subsets` maps a split of which only some
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


def describe_file(path: Path) -> dict[str, Any]:
    """The entry of a file in a manifest."""
    with open(path, "rb") as file:
        return {"bytes": path.stat().st_size, "sha256": hashlib.file_digest(file, "sha256").hexdigest()}


def damaged_files(folder: Path, manifest: dict[str, Any], track: Track = iter) -> dict[str, str]:
    """What is wrong, by file: `"missing"`, `"expected 5 bytes, got 4"` or `"another checksum"`."""
    faults: dict[str, str] = {}
    for name, entry in track(list(manifest["files"].items())):
        path = folder / name
        if not path.is_file():
            faults[name] = MISSING
        elif path.stat().st_size != entry["bytes"]:
            faults[name] = f"expected {entry['bytes']:,} bytes, got {path.stat().st_size:,}"
        elif describe_file(path)["sha256"] != entry["sha256"]:
            faults[name] = "another checksum"
    return faults


def verify(folder: Path, command: str, track: Track = iter) -> str:
    """Compare every file with the manifest.

    Args:
        folder: the data set.
        command: what gets or mends it.
        track: shows how far it is.

    Returns:
        one line that says what is there.

    Raises:
        FileNotFoundError: if there is no manifest: the download has not ended.
        ValueError: if files are missing or changed, naming the first, and what mends it.
    """
    manifest = read_manifest(folder)
    if manifest is None:
        raise FileNotFoundError(f"{folder / MANIFEST}: no such file: no download has ended there; `{command}` goes on")
    files, faults = manifest["files"], damaged_files(folder, manifest, track)
    for name, fault in faults.items():
        are = f"{len(faults)} of {len(files)} files are not as they were, the first is {name} ({fault})"
        raise ValueError(f"{folder}: {are}; `{command}` gets them again")
    subsets = "".join(f", {len(names):,} images of {split}" for split, names in manifest["subsets"].items())
    n_bytes = sum(entry["bytes"] for entry in files.values())
    return f"{folder}: {len(files):,} files, {n_bytes / 1e6:,.1f} MB, all as downloaded{subsets}"
