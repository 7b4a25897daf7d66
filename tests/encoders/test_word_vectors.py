from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pytest

from daa.encoders.vocabulary import read_word_vectors

LINES = b"""the 1 2 3
Dog 9 9 9
. . . 7 7 7
dog 4 5 6
dogs 7 8 9
caf\xc3\xa9 0.5 -1e-3 2
at name@domain.com 1 1 1
at 0 1 0
"""
WORDS = ["dog", "dog's", "at", "café", "zeppelin"]


def check(found: dict[str, np.ndarray]) -> None:
    assert {word: vector.tolist() for word, vector in found.items()} == {
        "dog": [4, 5, 6],
        "dog's": [7, 8, 9],
        "at": [0, 1, 0],
        "café": pytest.approx([0.5, -1e-3, 2]),
    }
    assert all(vector.dtype == np.float32 for vector in found.values())


def test_text_and_zip_are_read_alike(tmp_path: Path) -> None:
    (tmp_path / "glove.txt").write_bytes(LINES)
    check(read_word_vectors(tmp_path / "glove.txt", WORDS, dim=3))
    with zipfile.ZipFile(tmp_path / "one.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("glove.840B.3d.txt", LINES)
    check(read_word_vectors(tmp_path / "one.zip", WORDS, dim=3))
    with zipfile.ZipFile(tmp_path / "several.zip", "w") as archive:
        archive.writestr("glove.6B.2d.txt", "the 1 2\n")
        archive.writestr("glove.6B.3d.txt", LINES)
    check(read_word_vectors(tmp_path / "several.zip", WORDS, dim=3))
    with pytest.raises(ValueError, match=r"several\.zip: expected one \.txt with 5 numbers a word, got glove\.6B\.2d"):
        read_word_vectors(tmp_path / "several.zip", WORDS, dim=5)


def test_a_word_s_own_spelling_comes_before_another_wherever_it_stands(tmp_path: Path) -> None:
    file = tmp_path / "glove.txt"
    for lines in (b"dogs 1 1 1\ndog's 2 2 2\n", b"dog's 2 2 2\ndogs 1 1 1\n"):
        file.write_bytes(lines)
        assert read_word_vectors(file, ["dog's"], dim=3)["dog's"].tolist() == [2, 2, 2]


def test_header_of_fasttext_is_skipped(tmp_path: Path) -> None:
    (tmp_path / "wiki.vec").write_bytes(b"2 3\nthe 1 2 3 \ndog 4 5 6 \n")
    assert read_word_vectors(tmp_path / "wiki.vec", ["dog"], dim=3)["dog"].tolist() == [4, 5, 6]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (LINES.replace(b"dogs 7 8 9", b"dogs 7 8"), r"glove\.txt, line 5: expected a word and 3 numbers, got 2"),
        (LINES.replace(b"dog 4 5 6", b"dog 4 x 6"), r"glove\.txt, line 4: expected a word and 3 numbers, got b'dog 4"),
        (LINES.replace(b"dog 4 5 6", b"dog 4 nan 6"), r"glove\.txt, line 4: expected finite numbers"),
        (b"the 1 2 3 4\n", r"line 1: expected a word and 3 numbers, got 4"),
        (b"the 1 2 3\n", "none of the 5 words is there"),
        (b"", "none of the 5 words is there"),
    ],
)
def test_broken_files_are_refused_with_the_line(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "glove.txt").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        read_word_vectors(tmp_path / "glove.txt", WORDS, dim=3)


def test_half_a_zip_and_no_file(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "whole.zip", "w") as archive:
        archive.writestr("glove.txt", LINES)
    whole = (tmp_path / "whole.zip").read_bytes()
    (tmp_path / "half.zip").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "flipped.zip").write_bytes(whole.replace(b"dog 4", b"dog 5", 1))
    for name in ("half.zip", "flipped.zip"):
        with pytest.raises(ValueError, match=rf"{name}: expected a whole \.zip"):
            read_word_vectors(tmp_path / name, WORDS, dim=3)
    with pytest.raises(FileNotFoundError, match=r"no file .*no\.txt; get https://nlp\.stanford\.edu/data/glove\.840B"):
        read_word_vectors(tmp_path / "no.txt", WORDS)
