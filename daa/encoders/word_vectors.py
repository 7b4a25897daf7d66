"""Word vectors made elsewhere (GloVe, or fastText as text): a word and its numbers a line; the wanted ones are kept."""

from __future__ import annotations

import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np

GLOVE = "https://nlp.stanford.edu/data/glove.840B.300d.zip"


def read_word_vectors(path: str | PathLike[str], words: Iterable[str], dim: int = 300) -> dict[str, np.ndarray]:
    """The vectors of those of the words that a file has.

    A word that is not in the file is looked for without its apostrophes, hyphens and full stops, as PVSE and PCME do.

    Args:
        path: a text file such as `glove.840B.300d.txt`, or the `.zip` that holds it, which need not be unpacked.
        words: the wanted ones.
        dim: numbers a line.

    Returns:
        float32 [dim] by word; words that are not in the file are left out.

    Raises:
        FileNotFoundError: no such file; the message says where to get it.
        ValueError: a line that is no word and `dim` finite numbers, with its number; or none of the words is there.

    >>> import tempfile
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     _ = Path(folder, "tiny.txt").write_text("dog 1 2\\ndogs 3 4\\n")
    ...     read_word_vectors(Path(folder, "tiny.txt"), ["dog", "dog's", "zeppelin"], dim=2)
    {'dog': array([1., 2.], dtype=float32), "dog's": array([3., 4.], dtype=float32)}
    """
    file = Path(path).expanduser()
    if not file.is_file():
        raise FileNotFoundError(
            f"vectors: no file {file}; get {GLOVE} (2.03 GB; the .zip is read as it is) and give its path, or null "
            f"for random vectors"
        )
    wanted: dict[bytes, list[str]] = {}
    exact = {word: word.encode() for word in words}
    for word, spelled in exact.items():
        for spelling in {spelled, spelled.translate(None, b"'-.")} - {b""}:
            wanted.setdefault(spelling, []).append(word)
    found: dict[str, np.ndarray] = {}
    sure: set[str] = set()
    with _lines(file, dim) as lines:
        for number, line in enumerate(lines, start=1):
            line = line.rstrip()
            spaces = line.count(b" ")
            if number == 1 and spaces == 1 != dim:
                continue  # the header of fastText: how many words, how many numbers
            if spaces < dim or (spaces > dim and number <= 2):
                raise ValueError(f"{file}, line {number}: expected a word and {dim} numbers, got {spaces} numbers")
            spelling = line[: line.index(b" ")]
            if spaces > dim or spelling not in wanted:
                continue  # a few entries of GloVe have spaces in the word
            vector = _numbers(line, dim, f"{file}, line {number}")
            for word in wanted[spelling]:
                if spelling == exact[word] and word not in sure:
                    sure.add(word)
                    found[word] = vector
                found.setdefault(word, vector)
    if wanted and not found:
        raise ValueError(f"{file}: expected vectors of words, but none of the {len(exact)} words is there")
    return found


def _numbers(line: bytes, dim: int, where: str) -> np.ndarray:
    try:
        vector = np.array(line.split(b" ")[-dim:], dtype=np.float32)
    except ValueError:
        raise ValueError(f"{where}: expected a word and {dim} numbers, got {line[:60]!r}...") from None
    if not np.isfinite(vector).all():
        raise ValueError(f"{where}: expected finite numbers, got {line[:60]!r}...")
    return vector


@contextmanager
def _lines(file: Path, dim: int) -> Iterator[Iterator[bytes]]:
    """The lines of a text file, or of the one in a .zip."""
    if file.suffix != ".zip":
        with open(file, "rb") as text:
            yield iter(text)
        return
    try:
        with zipfile.ZipFile(file) as archive, archive.open(_member(archive, file, dim)) as text:
            yield iter(text)
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        raise ValueError(f"{file}: expected a whole .zip, got: {error}; get it again") from None


def _member(archive: zipfile.ZipFile, file: Path, dim: int) -> str:
    names = [name for name in archive.namelist() if name.endswith(".txt")]
    chosen = names if len(names) == 1 else [name for name in names if name.endswith(f".{dim}d.txt")]
    if len(chosen) != 1:
        raise ValueError(f"{file}: expected one .txt with {dim} numbers a word, got {', '.join(names) or 'no .txt'}")
    return chosen[0]
