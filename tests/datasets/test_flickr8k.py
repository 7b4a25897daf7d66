"""Flickr8k: its official layout, its judgements, and Karpathy's file; counts on the real one where it is there."""

import os
import shutil
from pathlib import Path

import numpy as np
import pytest

from daa.corpus import Truth
from daa.datasets import karpathy, load_corpus, load_dataset
from tests.datasets.fakes import FLICKR8K, flickr8k_photos, flickr8k_texts, flickr_json

pytestmark = pytest.mark.filterwarnings("ignore:.*passed over")
DATA = Path(os.environ.get("DAA_DATA", ""), "flickr8k")
needs_data = pytest.mark.skipif(
    "DAA_DATA" not in os.environ or not DATA.is_dir(), reason="DAA_DATA names no folder with flickr8k/ in it"
)


def write(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)


@pytest.fixture
def root(tmp_path, monkeypatch):
    monkeypatch.setitem(karpathy.SPLIT_SIZES, "flickr8k", FLICKR8K)
    write(tmp_path / "Flickr8k_text", flickr8k_texts())
    write(tmp_path / "Flicker8k_Dataset", flickr8k_photos())
    return tmp_path


def test_splits_have_their_lists_order_and_every_caption(root):
    for split, names in {"train": ["train3_ab.jpg", "train2_ab.jpg"], "val": ["dev1_ab.jpg", "dev0_ab.jpg"]}.items():
        corpus = load_corpus("flickr8k", split=split, root=root)
        assert (corpus.n_images, corpus.n_captions) == (FLICKR8K[split], 5 * FLICKR8K[split])
        assert corpus.image_ids[:2].tolist() == names
        assert corpus.caption_ids[5] == f"{names[1]}#0"
        assert corpus.captions[6] == f"photo {names[1]} , said 1"
        assert list(corpus.all_truths()) == ["annotated"]
    assert load_corpus("flickr8k", split="dev", root=root).image_ids.tolist() == ["dev1_ab.jpg", "dev0_ab.jpg"]
    assert load_corpus("flickr8k", split="train", root=root, n_images=2).n_captions == 10


@pytest.mark.parametrize("texts", ["", "Flickr8k_text/Flickr8k_text"])
@pytest.mark.parametrize("photos", ["Flickr8k_Dataset", "Images", "Flickr8k_Dataset/Flicker8k_Dataset"])
def test_where_the_archives_may_have_been_unpacked(root, texts, photos):
    shutil.move(root / "Flickr8k_text", root / "moved")
    (root / texts).mkdir(parents=True, exist_ok=True)
    for path in (root / "moved").iterdir():
        shutil.move(path, root / texts / path.name)
    shutil.move(root / "Flicker8k_Dataset", root / "photos")
    (root / photos).parent.mkdir(exist_ok=True)
    shutil.move(root / "photos", root / photos)
    (root / "__MACOSX").mkdir()
    dataset = load_dataset("flickr8k", split="test", root=root, image_size=20)
    assert dataset.corpus.image_ids.tolist() == ["test2_ab.jpg", "test1_ab.jpg", "test0_ab.jpg"]
    assert dataset.load_image(0).size == (32, 40)  # of any size
    assert dataset.image(0).shape == (3, 20, 20)


def test_what_people_judged(root):
    """Photos c, b, a in the list's order; a's caption #2 was refused beside a itself, b's accepted, c's undecided."""
    corpus = load_corpus("flickr8k", root=root)
    own = corpus.annotated.toarray()
    c, b, a = 0, 1, 2
    of = {name: 5 * row + 2 for name, row in {"c": c, "b": b, "a": a}.items()}
    truths = corpus.all_truths()
    assert list(truths) == ["annotated", "expert", "expert (judged)", "crowd", "crowd (judged)"]

    crowd = own.copy()
    crowd[a, of["b"]] = True
    assert np.array_equal(truths["crowd"].i2t.toarray(), crowd)
    assert truths["crowd"].judged is None
    judged = own.copy()
    judged[a, [of["b"], of["c"]]] = judged[b, of["a"]] = True
    among = truths["crowd (judged)"]
    assert np.array_equal(among.judged.toarray(), judged)
    assert among.n_positives("i2t").tolist() == [0, 5, 6]  # beside c, nothing but its own captions was judged
    asked = among.n_positives("t2i")
    assert {name: asked[caption] for name, caption in of.items()} == {"a": 1, "b": 0, "c": 1}
    assert asked.sum() == 2

    expert = own.copy()
    expert[a, of["b"]] = True  # three, three, three; not three, three, two
    assert np.array_equal(truths["expert"].t2i.toarray(), expert)


def test_broken_and_foreign_judgements_are_counted(root):
    with pytest.warns(UserWarning, match="passed over") as said:
        load_corpus("flickr8k", root=root)
    texts = sorted(str(one.message).rpartition("/")[2] for one in said)
    assert texts == [
        "CrowdFlowerAnnotations.txt: 1 lines on other photos or captions passed over",
        "CrowdFlowerAnnotations.txt: 4 broken lines passed over",
        "ExpertAnnotations.txt: 1 broken lines passed over",
    ]


def test_karpathys_file_where_the_official_ones_are_not(root):
    shutil.rmtree(root / "Flickr8k_text")
    with pytest.raises(FileNotFoundError, match=r"Flickr8k.token.txt: no such file \(nor dataset_flickr8k.json .*`daa"):
        load_corpus("flickr8k", root=root)
    splits = [split for split, n in FLICKR8K.items() for _ in range(n)]
    (root / "dataset_flickr8k.json").write_bytes(flickr_json("flickr8k", splits))
    corpus = load_corpus("flickr8k", split="val", root=root)
    assert corpus.captions[:2] == ("picture 4, text 0", "picture 4, text 1")
    assert list(load_corpus("flickr8k", root=root).all_truths()) == ["annotated"]
    for path, i in zip(sorted((root / "Flicker8k_Dataset").iterdir()), range(9), strict=True):
        path.rename(path.with_name(f"{i}.jpg"))
    assert load_dataset("flickr8k", root=root, image_size=16).image(0).shape == (3, 16, 16)


def test_what_is_missing_is_named(root):
    tokens = root / "Flickr8k_text" / "Flickr8k.token.txt"
    lines = tokens.read_text().splitlines()
    tokens.write_text("\n".join(line for line in lines if not line.startswith("test1")))
    with pytest.raises(ValueError, match=r"testImages.txt: expected the 3 photos of the test split, got 3; .*test1_ab"):
        load_corpus("flickr8k", root=root)
    tokens.write_text("photo with no number\tcaption\n")
    with pytest.raises(ValueError, match=r"token.txt, line 1: expected <photo>.jpg#<number>, a tab and a caption"):
        load_corpus("flickr8k", root=root)
    tokens.write_text("\n".join(lines))
    (root / "Flickr8k_text" / "ExpertAnnotations.txt").write_text("1\n")
    with pytest.raises(ValueError, match=r"ExpertAnnotations.txt: expected judgements of the test photos, got none"):
        load_corpus("flickr8k", root=root)
    (root / "Flickr8k_text" / "ExpertAnnotations.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"ExpertAnnotations.txt: no such file; `daa data flickr8k --to"):
        load_corpus("flickr8k", root=root)
    (root / "Flicker8k_Dataset" / "dev0_ab.jpg").unlink()
    assert load_corpus("flickr8k", split="val", root=root).n_images == 2
    with pytest.raises(FileNotFoundError, match=r"dev0_ab.jpg: no such image; 1 of the 2 .*`daa data flickr8k --to"):
        load_dataset("flickr8k", split="val", root=root)
    with pytest.raises(ValueError, match="split: expected one of train, val, test, got 'tset'"):
        load_corpus("flickr8k", split="tset", root=root)
    with pytest.raises(ValueError, match="n_images: expected None or a number from 1, got 0"):
        load_corpus("flickr8k", root=root, n_images=0)


@needs_data
def test_counts_of_the_real_one():
    corpora = {split: load_corpus("flickr8k", split=split, root=DATA) for split in ("train", "val", "test")}
    assert [corpus.n_captions for corpus in corpora.values()] == [29_995, 5_000, 5_000]
    truths = corpora["test"].all_truths()
    own = corpora["test"].annotated
    foreign = {name: truth.i2t.nnz - own.nnz for name, truth in truths.items() if truth.judged is None}
    assert foreign == {"annotated": 0, "crowd": 1_985, "expert": 465}
    assert truths["crowd (judged)"].judged.nnz == 5_000 + 47_288 - 713  # that many are judgements of own captions
    both = (truths["crowd"].i2t + truths["expert"].i2t).astype(int) - own.astype(int)
    assert int((both.sum(0) > 0).sum()) == 572  # captions that people found to fit further photos


def test_a_truth_among_judged_pairs_needs_its_positives_judged():
    with pytest.raises(ValueError, match="judged: expected all positives among the judged pairs, got others in i2t"):
        Truth([[True, False]], judged=[[False, True]])
    with pytest.raises(ValueError, match=r"judged: expected the \[images, captions\] shape of i2t, \(1, 2\)"):
        Truth([[True, False]], judged=[[True]])
    truth = Truth([[True, False], [False, True]], judged=[[True, True], [False, True]])
    part = truth.select(np.array([1]), np.array([0, 1]))
    assert part.judged.toarray().tolist() == [[False, True]]
