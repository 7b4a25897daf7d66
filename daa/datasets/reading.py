"""What readers of data sets stand on: what they give, where files lie, lines of text, captions, pictures."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from torch import Tensor

from daa.corpus import CaptionCorpus


@dataclass(frozen=True)
class Split:
    """What a reader gives: the captions of a split, and its images when they are asked for.

    Args:
        corpus: the captions and what is known to match.
        find_images: gives `load_image` of `ImageTextDataset`; raises FileNotFoundError if images are missing.
        transform: of `ImageTextDataset`, for what is no picture.
    """

    corpus: CaptionCorpus
    find_images: Callable[[], Callable[[int], Any]]
    transform: Callable[[Any], Tensor] | None = None


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


def check_counts(**options: int | None) -> None:
    """Raises ValueError for an option, by its name, that is neither None nor a number from 1."""
    for option, value in options.items():
        if value is not None and value < 1:
            raise ValueError(f"{option}: expected None or a number from 1, got {value}")


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


def read_caption_files(
    captions_path: str | PathLike[str],
    image_ids_path: str | PathLike[str] | None = None,
    caption_ids_path: str | PathLike[str] | None = None,
    *,
    captions_per_image: int | None = None,
    name: str | None = None,
) -> CaptionCorpus:
    """Read a corpus from text files with one caption a line, and nothing else on it.

    Images come in the order in which the captions first mention them.

    Args:
        captions_path: UTF-8 text, one caption a line; a blank line is refused, since it would shift the other files.
        image_ids_path: the identifier of each caption's image, one a line. With `captions_per_image` given it may also
            hold one line an image, as SCAN's training files do.
        caption_ids_path: the identifier of each caption, one a line; by default 0, 1, ...
        captions_per_image: how many consecutive lines belong to one image; 5, SCAN's convention, where no identifiers
            are given.
        name: what reports call the corpus; by default the name of the file.

    Raises:
        FileNotFoundError: naming the file that is missing.
        ValueError: naming the file and its line, what was expected there and what to do.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "two_caps.txt")
    ...     _ = path.write_text("a dog .\\na hound .\\na cat .\\nan animal .\\n")
    ...     read_caption_files(path, captions_per_image=2)
    CaptionCorpus('two_caps', 2 images, 4 captions, truths: annotated)
    """
    captions = read_lines(captions_path, "a caption")
    images = _images_of_captions(captions_path, len(captions), image_ids_path, captions_per_image)
    _, first, inverse = np.unique(images, return_index=True, return_inverse=True)
    order = np.argsort(first)
    caption_ids = None
    if caption_ids_path is not None:
        caption_ids = read_ids(caption_ids_path)
        _check_count(caption_ids_path, len(caption_ids), captions_path, len(captions))
        _check_distinct(caption_ids_path, caption_ids, "caption")
    return CaptionCorpus(
        captions=captions,
        image_of_caption=np.argsort(order)[inverse],
        image_ids=images[first[order]],
        caption_ids=caption_ids,
        name=name or Path(captions_path).stem,
    )


def read_lines(path: str | PathLike[str], expected: str) -> list[str]:
    """The lines of a UTF-8 text file, stripped of surrounding blanks; a blank line or a foreign byte is an error."""
    path = Path(path)
    if not path.is_file():
        what = "a folder" if path.is_dir() else "no such file"
        raise FileNotFoundError(f"{path}: {what}; expected text with {expected} on every line")
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise ValueError(
            f"{path}, line {line}: expected UTF-8 text, got byte 0x{data[error.start]:02x}; "
            f"convert the file to UTF-8 (for instance `iconv -f latin1 -t utf-8`)"
        ) from None
    lines = [line.strip() for line in text.split("\n")]
    if lines[-1] == "":
        lines.pop()
    if not lines:
        raise ValueError(f"{path}: expected {expected} on every line, but the file is empty")
    if "" in lines:
        raise ValueError(
            f"{path}, line {lines.index('') + 1}: expected {expected}, got a blank line; "
            f"write it in or remove this line here and in the files beside it"
        )
    return lines


def read_ids(path: str | PathLike[str]) -> np.ndarray:
    """Identifiers, one a line: integers if every line is one, otherwise text."""
    lines = read_lines(path, "an identifier")
    if all(line.isdecimal() and line.isascii() and len(line) < 19 for line in lines):
        return np.array(lines, dtype=np.int64)
    return np.array(lines)


def _images_of_captions(
    captions_path: str | PathLike[str],
    n_captions: int,
    image_ids_path: str | PathLike[str] | None,
    captions_per_image: int | None,
) -> np.ndarray:
    """The identifier of each caption's image."""
    if captions_per_image is not None and captions_per_image < 1:
        raise ValueError(f"captions_per_image: expected a number from 1, got {captions_per_image}")
    if image_ids_path is None:
        each = captions_per_image or 5
        if n_captions % each:
            raise ValueError(
                f"{captions_path}: expected {each} lines an image, but {n_captions} lines are no multiple of {each}; "
                f"set captions_per_image, or give a file with the image identifier of every caption"
            )
        return np.arange(n_captions) // each
    images = read_ids(image_ids_path)
    if captions_per_image is not None and len(images) * captions_per_image == n_captions:
        _check_distinct(image_ids_path, images, "image")
        return np.repeat(images, captions_per_image)
    _check_count(image_ids_path, len(images), captions_path, n_captions)
    return images


def _check_count(path: str | PathLike[str], n: int, captions_path: str | PathLike[str], n_captions: int) -> None:
    if n != n_captions:
        raise ValueError(
            f"{path}, line {min(n, n_captions) + 1}: expected as many lines as {captions_path} has captions, "
            f"{n_captions}, got {n}; the two files must come from the same split"
        )


def _check_distinct(path: str | PathLike[str], ids: np.ndarray, kind: str) -> None:
    seen: dict = {}
    for line, identifier in enumerate(ids.tolist(), start=1):
        if identifier in seen:
            raise ValueError(
                f"{path}, line {line}: expected every {kind} identifier once, "
                f"but {identifier} is already on line {seen[identifier]}; correct one of the two"
            )
        seen[identifier] = line
