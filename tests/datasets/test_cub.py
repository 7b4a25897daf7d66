"""CUB Captions in the zero-shot split: what matches, which order, what is missing."""

import numpy as np
import pytest

from daa.datasets import cub, load_corpus, load_dataset
from tests.datasets.fakes import cub_texts


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setattr(cub, "SPLIT_SIZES", {"train": (2, 4), "val": (2, 2), "test": (1, 3)})
    cub_texts(tmp_path)
    return tmp_path


def test_splits_are_disjoint_and_test_kinds_unseen(root):
    splits = {split: load_corpus("cub", split=split, root=root) for split in ("train", "val", "test")}
    images = [image for corpus in splits.values() for image in corpus.image_ids.tolist()]
    assert len(images) == len(set(images)) == 9
    assert splits["val"].image_ids.tolist() == ["001.Bird_1/Bird_1_0001", "003.Bird_3/Bird_3_0000"]
    assert splits["test"].label_names == ["002.Bird_2"]
    assert splits["train"].label_names == splits["val"].label_names == ["001.Bird_1", "003.Bird_3"]
    for corpus in splits.values():
        assert corpus.image_ids.tolist() == sorted(corpus.image_ids.tolist())
        kind = np.array([image.split("/")[0] for image in corpus.image_ids])
        same = kind[:, None] == kind[corpus.image_of_caption][None, :]
        assert np.array_equal(corpus.positives.toarray(), same)
        assert list(corpus.all_truths()) == ["annotated", "exhaustive"]


def test_captions_of_any_number_and_blank_lines(root):
    path = root / "text_c10" / "002.Bird_2" / "Bird_2_0001.txt"
    path.write_bytes(b"\xef\xbb\xbfone\r\n\r\n  two  words \r\n")
    corpus = load_corpus("cub", root=root)
    assert [corpus.captions[c] for c in corpus.captions_of_image(1)] == ["one", "two words"]
    path.write_bytes(b"caf\xe9\n")
    with pytest.raises(ValueError, match=r"Bird_2_0001.txt: expected UTF-8 text, got byte 0xe9"):
        load_corpus("cub", root=root)
    path.write_text("\n")
    with pytest.raises(ValueError, match=r"Bird_2_0001.txt: expected a caption on every line"):
        load_corpus("cub", root=root)


def test_other_sizes_and_missing_files(root):
    (root / "text_c10" / "002.Bird_2" / "Bird_2_0001.txt").unlink()
    with pytest.raises(
        ValueError, match=r"expected 3 images of 1 classes in the test split of Xian et al., got 2 of 1"
    ):
        load_corpus("cub", root=root)
    with pytest.raises(
        FileNotFoundError, match=r"Bird_1_0000.jpg: no such image; 4 of the 4 are missing; `daa data cub"
    ):
        load_dataset("cub", split="train", root=root)
    with pytest.raises(ValueError, match="split: expected one of train, val, test, got 'dev'"):
        load_corpus("cub", split="dev", root=root)
    (root / "splits" / "trainvalclasses.txt").unlink()
    with pytest.raises(
        FileNotFoundError, match=r"trainvalclasses.txt: no such file \(nor splits/.*`daa data cub --help`"
    ):
        load_corpus("cub", split="train", root=root)
    with pytest.raises(FileNotFoundError, match="text_c10: no such folder of captions"):
        load_corpus("cub", root=root / "splits")
