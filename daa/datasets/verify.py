"""Is a downloaded data set still what it was when the download ended?"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from daa.datasets.folders import MANIFEST, read_manifest
from daa.datasets.receive import file_digest

MISSING = "missing"


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
