"""Words and their numbers, from training captions only; their vectors, made elsewhere; captions made harder."""

from __future__ import annotations

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Int
from torch import Tensor
from torch.nn import functional as F

PADDING, UNKNOWN = 0, 1
_WORD = re.compile(r"[^\W_]+(?:'[^\W_]+)*")


def split_words(caption: str) -> list[str]:
    """The lower-cased words of a caption, without punctuation.

    >>> split_words("A dog's ball, red.")
    ['a', "dog's", 'ball', 'red']
    """
    return _WORD.findall(caption.lower())


class Vocabulary:
    """The known words; 0 is padding, 1 stands for every word that is not known, word k has the number k + 2.

    Args:
        words: distinct words, in the order of their numbers.

    >>> vocabulary = Vocabulary.build(["a dog", "a red dog"])
    >>> vocabulary.encode(["a blue dog", "dog"]).tolist()
    [[2, 1, 3], [3, 0, 0]]
    """

    def __init__(self, words: Sequence[str]) -> None:
        self.words = tuple(words)
        self._number = {word: number for number, word in enumerate(self.words, start=2)}
        if len(self._number) != len(self.words):
            raise ValueError("words: expected distinct words, but some come twice")

    @classmethod
    def build(cls, captions: Iterable[str], min_count: int = 1) -> Vocabulary:
        """The words that come at least `min_count` times in the captions, frequent ones first.

        Give it the captions of the training split only: a vocabulary that has seen the test captions is a leak.
        """
        counts = Counter(word for caption in captions for word in split_words(caption))
        kept = [word for word, count in counts.items() if count >= min_count]
        return cls(sorted(kept, key=lambda word: (-counts[word], word)))

    def __len__(self) -> int:
        return len(self.words) + 2

    def __contains__(self, word: str) -> bool:
        return word in self._number

    def encode(self, captions: Sequence[str], max_words: int = 40) -> Int[Tensor, "captions words"]:
        """Numbers of the words of each caption, cut at `max_words` and padded with 0 to the longest of them.

        A caption without a single word (only punctuation) becomes one unknown word, so that no row is empty.
        """
        rows = [
            [self._number.get(word, UNKNOWN) for word in split_words(caption)[:max_words]] or [UNKNOWN]
            for caption in captions
        ]
        numbers = torch.full((len(rows), max((len(row) for row in rows), default=1)), PADDING)
        for row, line in zip(numbers, rows, strict=True):
            row[: len(line)] = torch.tensor(line)
        return numbers

    def marked(self, words: Int[Tensor, "captions words"]) -> Int[Tensor, "captions marked"]:
        """The rows with a mark before the first word and one behind the last, whose numbers follow those of the words.

        >>> Vocabulary(["dog"]).marked(torch.tensor([[1, 2], [2, 0]])).tolist()
        [[3, 1, 2, 4], [3, 2, 4, 0]]
        """
        marked = F.pad(words, (1, 1), value=PADDING)
        marked[:, 0] = len(self)
        ends = (marked != PADDING).sum(dim=1, keepdim=True)
        return marked.scatter(1, ends, len(self) + 1)


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


def drop_words(words: Int[Tensor, "batch words"], share: float) -> Int[Tensor, "batch words"]:
    """Each word becomes unknown with probability `share`; then floor(share * n) of a caption's n words are taken out.

    Args:
        words: numbers of words, `PADDING` behind the last.
        share: in [0, 1).

    >>> drop_words(torch.tensor([[5, 6, 7, 8], [9, 0, 0, 0]]), 0.0).tolist()
    [[5, 6, 7, 8], [9, 0, 0, 0]]

    Source: PCME (Chun et al., CVPR 2021), released code, share 0.1.
    """
    real = words != PADDING
    unknown = (torch.rand(words.shape, device=words.device) < share) & real
    order = torch.rand(words.shape, device=words.device).masked_fill(~real, 2).argsort(dim=1).argsort(dim=1)
    lost = order < (share * real.sum(dim=1, keepdim=True)).floor()
    return without(words.masked_fill(unknown, UNKNOWN), lost, PADDING)


def corrupt_pieces(
    pieces: Int[Tensor, "batch pieces"],
    share: float,
    continues: Bool[Tensor, " vocabulary"],
    ordinary: Int[Tensor, " ordinary"],
    mask_token: int,
    padding: int,
) -> Int[Tensor, "batch pieces"]:
    """Each word is chosen with probability `share`; of those 50 % are masked, 10 % replaced and 40 % taken out.

    Whole words: all pieces of one share its fate. The first piece of a caption and its last, the marks, stay.

    Args:
        pieces: numbers of word pieces, `padding` behind the last.
        share: in [0, 1).
        continues: for each number whether that piece goes on with the word before it.
        ordinary: the numbers that a replacement is drawn from.
        mask_token: stands for a masked piece.
        padding: stands behind the last.

    Source: PCME-bert of the paper's released code, share 0.2.
    """
    real = pieces != padding
    last = real.sum(dim=1, keepdim=True) - 1
    places = torch.arange(pieces.shape[1], device=pieces.device)
    inner = (places > 0) & (places < last)
    word = (~continues[pieces]).cumsum(dim=1) - 1  # which word of the caption a piece belongs to
    draw = torch.rand(pieces.shape, device=pieces.device).gather(1, word.clamp_min(0)) / max(share, 1e-12)
    other = ordinary[torch.randint(len(ordinary), pieces.shape, device=pieces.device)]
    changed = pieces.masked_fill(inner & (draw < 0.5), mask_token)
    changed = torch.where(inner & (draw >= 0.5) & (draw < 0.6), other, changed)
    return without(changed, inner & (draw >= 0.6) & (draw < 1), padding)


def without(
    numbers: Int[Tensor, "batch places"], lost: Bool[Tensor, "batch places"], padding: int
) -> Int[Tensor, "batch places"]:
    """The rows without what is lost, moved together, padded behind.

    >>> without(torch.tensor([[1, 2, 3]]), torch.tensor([[False, True, False]]), 0).tolist()
    [[1, 3, 0]]
    """
    order = lost.to(torch.uint8).argsort(dim=1, stable=True)
    return numbers.masked_fill(lost, padding).gather(1, order)
