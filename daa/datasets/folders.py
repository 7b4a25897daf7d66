"""Where the files of a data set lie: its folder, its pictures, and what `daa data` has put there."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path, PurePosixPath
from typing import Any

from PIL import Image

from daa.files import write_json

MANIFEST = "daa-data.json"


def data_root(root: str | PathLike[str] | None, name: str, contents: str, inside: bool = True) -> Path:
    """The folder given, or else `<name>/` under the environment variable DAA_DATA (without `inside`, that itself).

    Raises:
        FileNotFoundError: if neither is known, or there is no such folder, saying what belongs there.
    """
    if root is not None:
        return Path(root)
    data = os.environ.get("DAA_DATA")
    if not data:
        raise FileNotFoundError(
            f"root: {name} needs a folder {name}/ with {contents}; "
            f"give root, or set the environment variable DAA_DATA to the folder that holds {name}/"
        )
    return Path(data, name) if inside else Path(data)


def first_file(folder: Path, places: Iterable[str], mend: str) -> Path:
    """The first of some places (relative to the folder) that is a file.

    Raises:
        FileNotFoundError: naming the places and what mends it.
    """
    places = list(places)
    for place in places:
        if (folder / place).is_file():
            return folder / place
    others = f" (nor {', '.join(places[1:])} in that folder)" if places[1:] else ""
    raise FileNotFoundError(f"{folder / places[0]}: no such file{others}; {mend}")


@dataclass(frozen=True)
class ImageFiles:
    """Opens the i-th of some image files as an RGB picture."""

    paths: tuple[Path, ...]

    def __call__(self, i: int) -> Image.Image:
        try:
            with Image.open(self.paths[i]) as image:
                return image.convert("RGB")
        except FileNotFoundError:
            raise
        except (OSError, SyntaxError, Image.DecompressionBombError) as error:
            raise ValueError(f"{self.paths[i]}: expected a picture, got {error}; download it again") from None


def image_paths(folder: Path, names: Sequence[str], mend: str | None = None) -> list[Path]:
    """The image files, all of them checked to exist by one listing of their folder.

    Raises:
        FileNotFoundError: naming the first that is missing, how many are, and what mends it.
    """
    mend = mend or "put them there, or use annotations of the images you have"
    if not folder.is_dir():
        raise FileNotFoundError(
            f"{folder}: no such folder; expected the {len(names)} images that the annotations name: {mend}"
        )
    present = set(os.listdir(folder))
    missing = [name for name in names if name not in present]
    if missing:
        raise FileNotFoundError(
            f"{folder / missing[0]}: no such image; {len(missing)} of the {len(names)} images that the annotations "
            f"name are missing: {mend}"
        )
    return [folder / name for name in names]


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
