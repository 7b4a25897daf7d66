"""Features in SCAN's layout: which row is which image, and features cached by ourselves and read back."""

import pickle

import numpy as np
import pytest
import torch

from daa.corpus import CaptionCorpus, Truth
from daa.datasets import feature_cache, load_corpus, load_dataset
from daa.datasets.precomputed import write_features

FEATURES = np.random.default_rng(0).normal(size=(6, 4, 8)).astype(np.float32)


@pytest.fixture
def scan(tmp_path):
    """Writes a split in SCAN's layout; `each` captions for each of `n` images, one row an image or a caption."""

    def write(split, n=6, each=5, repeat=False, ids=None, dtype=np.float32):
        captions = "".join(f"image {i} caption {k} .\n" for i in range(n) for k in range(each))
        (tmp_path / f"{split}_caps.txt").write_text(captions)
        rows = np.repeat(FEATURES[:n], each, axis=0) if repeat else FEATURES[:n]
        np.save(tmp_path / f"{split}_ims.npy", rows.astype(dtype))
        if ids is not None:
            (tmp_path / f"{split}_ids.txt").write_text("".join(f"{i}\n" for i in ids))
        return tmp_path

    return write


@pytest.mark.parametrize("each", [1, 3, 5])
@pytest.mark.parametrize("repeat", [False, True])
@pytest.mark.parametrize("ids", ["none", "images", "captions"])
@pytest.mark.parametrize("dtype", [np.float32, np.float16])
def test_counts_say_which_row_is_which_image(scan, each, repeat, ids, dtype):
    images = np.array([50, 7, 99, 3, 12, 8])
    lines = {"none": None, "images": np.repeat(images, each if repeat else 1), "captions": np.arange(6 * each)[::-1]}[
        ids
    ]
    root = scan("dev", each=each, repeat=repeat, ids=lines, dtype=dtype)
    data = load_dataset("precomputed", split="dev", root=root, image_size=224)
    assert (data.corpus.n_images, data.corpus.n_captions) == (6, 6 * each)
    for i in range(6):
        assert torch.equal(data.image(i), torch.from_numpy(FEATURES[i].astype(dtype).astype(np.float32)))
        assert data.corpus.captions[int(data.corpus.captions_of_image(i)[0])] == f"image {i} caption 0 ."
    if ids == "images" and each > 1:
        assert data.corpus.image_ids.tolist() == images.tolist()
    if ids == "captions":
        assert data.corpus.caption_ids.tolist() == list(range(6 * each))[::-1]


def test_reading_touches_only_the_rows_asked_for(scan):
    data = load_dataset("precomputed", split="val", root=scan("dev", repeat=True), n_images=4)
    assert data.corpus.name.endswith("dev")
    assert (data.corpus.n_images, len(data)) == (4, 20)
    assert torch.equal(data.augmented(3, seed=1), data.image(3))
    assert isinstance(data.load_image(0).base, np.memmap)
    copy = pickle.loads(pickle.dumps(data.load_image))
    assert len(pickle.dumps(data.load_image)) < 2_000
    assert np.array_equal(copy(2), FEATURES[2])
    assert torch.equal(data.select([3, 1]).image(0), data.image(3))


def test_captions_alone(scan):
    root = scan("test", ids=range(6))
    (root / "test_ims.npy").unlink()
    assert load_corpus("precomputed", split="test", root=root).image_ids.tolist() == list(range(6))
    (root / "test_ids.txt").unlink()
    assert load_corpus("precomputed", split="test", root=root).n_images == 6
    assert load_corpus("precomputed", split="test", root=root, captions_per_image=3).n_images == 10
    with pytest.raises(FileNotFoundError, match=r"test_ims.npy: no such file; SCAN's features: .* `daa data features`"):
        load_dataset("precomputed", split="test", root=root)
    with pytest.raises(ValueError, match=r"augment: precomputed has no such option; it has .*, image_size$"):
        load_dataset("precomputed", split="test", root=root, augment="crop-flip")
    with pytest.raises(FileNotFoundError, match=r"train_caps.txt: no such file; splits in that folder: test;"):
        load_corpus("precomputed", split="train", root=root)


@pytest.mark.parametrize("wrong", [np.nan, np.inf])
def test_features_that_are_not_finite_are_named(scan, wrong):
    root = scan("train")
    features = FEATURES.copy()
    features[3, 1, 2] = wrong
    np.save(root / "train_ims.npy", features)
    data = load_dataset("precomputed", split="train", root=root)
    assert data.image(2).isfinite().all()
    with pytest.raises(ValueError, match=r"train_ims.npy: expected finite numbers, got others in row 3 \(from 0\)"):
        data.image(3)


def test_flat_features_are_one_place(scan):
    root = scan("train")
    np.save(root / "train_ims.npy", FEATURES[:, 0])
    assert load_dataset("precomputed", split="train", root=root).image(2).shape == (1, 8)


def test_files_that_do_not_go_together(scan):
    root = scan("dev", repeat=True)
    with open(root / "dev_caps.txt", "a") as file:
        file.write("one more .\n")
    with pytest.raises(ValueError, match=r"dev_caps.txt: expected a multiple of the 30 images beside it, got 31"):
        load_corpus("precomputed", split="dev", root=root)
    root = scan("dev", repeat=True, ids=np.repeat(np.arange(5), 6))
    with pytest.raises(ValueError, match=r"expected equal rows for the captions of image 0 \(rows 0 to 5, from 0\)"):
        load_corpus("precomputed", split="dev", root=root)
    root = scan("dev", each=4, repeat=True, ids=np.repeat(np.arange(12), 2))
    with pytest.raises(ValueError, match=r"and another row for the next image, got otherwise"):
        load_corpus("precomputed", split="dev", root=root)
    ids = np.arange(30)
    ids[17] = 3  # as in one published copy of COCO's testall_ids.txt
    root = scan("dev", repeat=True, ids=ids)
    with pytest.raises(ValueError, match=r"dev_ids.txt, line 18: .*29 of 30 differ \(3 is on line 4 too\); correct or"):
        load_corpus("precomputed", split="dev", root=root)


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda path: path.write_bytes(path.read_bytes()[:-1]), "expected a whole .npy array"),
        (lambda path: path.write_bytes(b""), "expected a whole .npy array"),
        (lambda path: path.write_bytes(pickle.dumps({"a": 1})), "expected a whole .npy array"),
        (lambda path: np.save(path, np.array([{}])), "expected a whole .npy array"),
        (lambda path: np.save(path, FEATURES.astype(int)), r"expected floating-point .*got int64 \(6, 4, 8\)"),
        (lambda path: np.save(path, FEATURES[None]), r".*got float32 \(1, 6, 4, 8\)"),
        (lambda path: np.savez(open(path, "wb"), a=FEATURES), ".*got an archive of several"),  # noqa: SIM115
    ],
)
def test_features_that_are_none(scan, spoil, message):
    root = scan("dev")
    spoil(root / "dev_ims.npy")
    with pytest.raises(ValueError, match=rf"dev_ims.npy: {message}"):
        load_dataset("precomputed", split="dev", root=root)


CORPUS = CaptionCorpus(
    captions=["b 0", "a 0", "b\n1", "c 0", "a 1", "c 1"],
    image_of_caption=[1, 0, 1, 2, 0, 2],
    image_ids=[70, 50, 60],
    caption_ids=[1, 2, 3, 4, 5, 6],
)


def blocks(start, size=1):
    for k in range(start, 3, size):
        yield torch.from_numpy(FEATURES[k : min(k + size, 3)])


@pytest.mark.parametrize("dtype", ["float16", "float32"])
def test_what_is_cached_is_read_back(tmp_path, dtype):
    path = write_features(tmp_path, "train", lambda start: blocks(start, 2), CORPUS, dtype=dtype, made_by="x")
    assert np.load(path, mmap_mode="r").dtype == dtype
    data = load_dataset("precomputed", split="train", root=tmp_path)
    corpus = data.corpus
    assert corpus.image_ids.tolist() == [70, 50, 60]
    assert corpus.captions == ("a 0", "a 1", "b 0", "b 1", "c 0", "c 1")
    assert corpus.caption_ids.tolist() == [2, 5, 1, 3, 4, 6]
    assert all(torch.equal(data.image(i), torch.from_numpy(FEATURES[i].astype(dtype)).float()) for i in range(3))
    assert (
        write_features(tmp_path, "train", lambda start: pytest.fail("read again"), CORPUS, dtype=dtype, made_by="x")
        == path
    )
    with pytest.raises(ValueError, match=r"train_ims.npy: holds features of other images or of another encoder"):
        write_features(tmp_path, "train", blocks, CORPUS, dtype=dtype, made_by="y")


def test_images_with_different_numbers_of_captions_are_read_back(tmp_path):
    corpus = CaptionCorpus(captions=["a", "b", "c", "d"], image_of_caption=[0, 1, 1, 2], image_ids=[9, 8, 7])
    write_features(tmp_path, "x", blocks, corpus)
    assert load_dataset("precomputed", split="x", root=tmp_path).corpus.image_of_caption.tolist() == [0, 1, 1, 2]


@pytest.mark.parametrize("limit", ["SAVE_EVERY", "SAVE_IMAGES"])  # of bytes, of images
def test_an_interrupted_cache_goes_on(tmp_path, monkeypatch, limit):
    monkeypatch.setattr(feature_cache, limit, 1)
    asked = []

    def stopping(start, at):
        asked.append(start)
        for k, block in enumerate(blocks(start), start=start):
            if k == at:
                raise KeyboardInterrupt
            yield block

    for at in (1, 2):
        with pytest.raises(KeyboardInterrupt):
            write_features(tmp_path, "t", lambda start, at=at: stopping(start, at), CORPUS)
        assert sorted(path.name for path in tmp_path.iterdir()) == ["t_ims.npy.part", "t_ims.npy.part.json"]
    with open(tmp_path / "t_ims.npy.part", "ab") as file:
        file.write(b"half a row")
    path = write_features(tmp_path, "t", lambda start: stopping(start, None), CORPUS)
    assert asked == [0, 1, 2]
    assert np.array_equal(np.load(path), FEATURES[:3].astype(np.float16))
    path.unlink()
    with pytest.raises(KeyboardInterrupt):
        write_features(tmp_path, "t", lambda start: stopping(start, 2), CORPUS, made_by="one")
    write_features(tmp_path, "t", lambda start: stopping(start, None), CORPUS, made_by="another")
    assert asked == [0, 1, 2, 0, 0]


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (lambda start: [FEATURES[:2]], "expected one row for each of 3 images, got 2"),
        (lambda start: [FEATURES[:4]], "expected one row for each of 3 images, got more"),
        (lambda start: [FEATURES[0]], r"expected blocks \[images, places, features\], got shape \(4, 8\)"),
        (lambda start: [FEATURES[:1], FEATURES[1:3, :2]], r"expected blocks \[images, 4, 8\], got shape \(2, 2, 8\)"),
        (lambda start: [FEATURES[:3] * 1e6], "expected finite numbers, got others in float16 from image 0 on"),
    ],
)
def test_rows_that_are_none(tmp_path, rows, message):
    with pytest.raises(ValueError, match=rf"rows: {message}"):
        write_features(tmp_path, "t", rows, CORPUS)
    assert not (tmp_path / "t_ims.npy").exists()


def test_truths_and_labels_come_back_in_the_order_of_the_files(tmp_path):
    """Captions are written image by image: what matches moves with them."""
    corpus = CaptionCorpus(
        captions=["a0", "b0", "a1", "b1"],
        image_of_caption=[0, 1, 0, 1],
        image_ids=["a", "b"],
        caption_ids=["a0", "b0", "a1", "b1"],
        labels=[[True, False, True], [False, True, True]],
        label_names=["dog", "cat", "animal"],
        positives=[[True, True, True, False], [False, True, False, True]],
        truths={
            "two": Truth(
                np.eye(2, 4), np.eye(2, 4, k=1), outside={"i2t": np.array([1, 0]), "t2i": np.array([0, 1, 2, 3])}
            ),
            "judged": Truth.among_judged(np.eye(2, 4), [[True, True, False, False], [False, True, True, True]]),
        },
    )
    write_features(tmp_path, "t", lambda first: [np.zeros((2, 1, 3))], corpus)
    read = load_corpus("precomputed", split="t", root=tmp_path)
    assert read.caption_ids.tolist() == ["a0", "a1", "b0", "b1"]
    moved = [0, 2, 1, 3]
    assert list(read.all_truths()) == list(corpus.all_truths()) == ["annotated", "exhaustive", "two", "judged"]
    for name, truth in corpus.all_truths().items():
        again = read.all_truths()[name]
        for side in ("i2t", "t2i", "judged"):
            matrix, other = getattr(truth, side), getattr(again, side)
            assert (matrix is None) == (other is None)
            assert matrix is None or np.array_equal(matrix.toarray()[:, moved], other.toarray())
    assert read.truths["two"].outside["i2t"].tolist() == [1, 0]
    assert read.truths["two"].outside["t2i"].tolist() == [0, 2, 1, 3]
    assert (read.labels.tolist(), list(read.label_names)) == (corpus.labels.tolist(), ["dog", "cat", "animal"])
    one = load_corpus("precomputed", split="t", root=tmp_path, n_images=1)
    assert one.truths["two"].i2t.shape == (1, 2)
    (tmp_path / "t_truths.npz").write_bytes(b"no archive")
    with pytest.raises(ValueError, match=r"t_truths.npz: expected the truths of"):
        load_corpus("precomputed", split="t", root=tmp_path)
