"""The COCO readers: the real 5K split against eccv_caption, made-up files for everything that can be wrong with one."""

import json
import os
import shutil
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daa.datasets import DATASETS, READERS, load_corpus, load_dataset
from daa.datasets.coco import coco_5k_corpus, coco_5k_truths
from daa.datasets.reading import read_caption_files

needs_data = pytest.mark.skipif(not os.environ.get("DAA_DATA"), reason="DAA_DATA is not set (folder with coco-5k/)")
ECCV_DATA = Path(find_spec("eccv_caption").submodule_search_locations[0]) / "data"


@pytest.fixture(scope="session")
def made_up_5k(tmp_path_factory):
    """A folder like coco-5k: the true identifiers, made-up captions."""
    folder = tmp_path_factory.mktemp("data") / "coco-5k"
    folder.mkdir()
    ids = np.load(ECCV_DATA / "coco_test_ids.npy")
    image_of = json.loads((ECCV_DATA / "original_caption_to_image.json").read_text())
    (folder / "captions.txt").write_text("".join(f"caption number {c}\n" for c in ids))
    (folder / "caption_ids.txt").write_text("".join(f"{c}\n" for c in ids))
    (folder / "image_ids.txt").write_text("".join(f"{image_of[str(c)][0]}\n" for c in ids))
    return folder


def copy_of(folder, tmp_path):
    shutil.copytree(folder, tmp_path / "coco-5k")
    return tmp_path / "coco-5k"


def test_coco_5k_truths_are_those_of_eccv_caption(made_up_5k):
    corpus = coco_5k_corpus(made_up_5k.parent)
    assert (corpus.n_images, corpus.n_captions) == (5000, 25000)
    assert corpus.image_ids[:5].tolist() == [391895, 60623, 483108, 384213, 386164]
    assert list(corpus.all_truths()) == ["annotated", "ECCV", "CxC"]
    for name, key in [("ECCV", "eccv"), ("CxC", "cxc"), ("annotated", "original")]:
        truth = corpus.all_truths()[name]
        for direction, file, queries, candidates in [
            ("i2t", "image_to_caption", corpus.image_ids, corpus.caption_ids),
            ("t2i", "caption_to_image", corpus.caption_ids, corpus.image_ids),
        ]:
            matrix = truth.positives_of(direction)
            got = {
                int(queries[q]): {int(candidates[c]) for c in matrix.indices[matrix.indptr[q] : matrix.indptr[q + 1]]}
                for q in np.flatnonzero(np.diff(matrix.indptr))
            }
            known = set(candidates.tolist())
            expected = {int(k): set(v) for k, v in json.loads((ECCV_DATA / f"{key}_{file}.json").read_text()).items()}
            assert got == {k: v & known for k, v in expected.items()}
            n = truth.n_positives(direction)
            assert {int(queries[q]): int(n[q]) for q in np.flatnonzero(n)} == {k: len(v) for k, v in expected.items()}
    eccv, cxc = corpus.truths["ECCV"], corpus.truths["CxC"]
    assert (np.count_nonzero(eccv.n_positives("i2t")), np.count_nonzero(eccv.n_positives("t2i"))) == (1261, 1332)
    assert (eccv.n_positives("i2t").sum(), eccv.n_positives("t2i").sum()) == (22550, 11279)
    assert eccv.outside["i2t"].sum() == 2
    assert eccv.outside["t2i"].sum() == 0
    assert (np.count_nonzero(cxc.n_positives("i2t")), np.count_nonzero(cxc.n_positives("t2i"))) == (5000, 24972)


def test_coco_5k_truths_need_no_captions(made_up_5k):
    expected, got = coco_5k_corpus(made_up_5k.parent).all_truths(), coco_5k_truths()
    assert list(got) == list(expected)
    for name, truth in expected.items():
        for direction in ("i2t", "t2i"):
            assert (got[name].positives_of(direction) != truth.positives_of(direction)).nnz == 0
            np.testing.assert_array_equal(got[name].n_positives(direction), truth.n_positives(direction))


def test_coco_1k_folds_are_consecutive(made_up_5k):
    folds = list(coco_5k_corpus(made_up_5k.parent).folds(1000))
    assert [fold.n_captions for fold in folds] == [5000] * 5
    ids = np.load(ECCV_DATA / "coco_test_ids.npy")
    assert np.array_equal(np.concatenate([fold.caption_ids for fold in folds]), ids)


@needs_data
def test_real_captions():
    corpus = coco_5k_corpus()
    assert corpus.captions[0] == "A man with a red helmet on a small moped on a dirt road ."
    assert np.array_equal(corpus.image_of_caption, np.repeat(np.arange(5000), 5))
    assert len(set(corpus.captions)) > 24000


def test_unset_root_says_what_to_put_where(monkeypatch):
    monkeypatch.delenv("DAA_DATA", raising=False)
    with pytest.raises(
        FileNotFoundError, match=r"coco-5k/ with captions.txt, image_ids.txt, caption_ids.txt.*DAA_DATA"
    ):
        coco_5k_corpus()
    with pytest.raises(FileNotFoundError, match=r"coco/ with annotations/.*DAA_DATA"):
        load_dataset("coco")


def test_other_captions_in_the_place_of_the_split(made_up_5k, tmp_path):
    folder = copy_of(made_up_5k, tmp_path)
    lines = (folder / "caption_ids.txt").read_text().split("\n")
    lines[6], lines[7] = lines[7], lines[6]
    (folder / "caption_ids.txt").write_text("\n".join(lines))
    with pytest.raises(ValueError, match=r"caption_ids.txt, line 7: expected caption id \d+, got \d+"):
        coco_5k_corpus(tmp_path)
    (folder / "image_ids.txt").unlink()
    with pytest.raises(FileNotFoundError, match=r"image_ids.txt: no such file; coco-5k needs captions.txt"):
        coco_5k_corpus(tmp_path)


@pytest.fixture
def files(tmp_path):
    """Writes the three files from texts or bytes and returns their paths."""

    def write(captions, image_ids="7\n7\n3\n", caption_ids=None):
        paths = []
        for name, content in [("caps.txt", captions), ("images.txt", image_ids), ("ids.txt", caption_ids)]:
            if content is None:
                paths.append(None)
                continue
            path = tmp_path / name
            path.write_bytes(content if isinstance(content, bytes) else content.encode())
            paths.append(path)
        return paths

    return write


def test_caption_files(files):
    corpus = read_caption_files(*files("\ufeffa dog\r\nein Hünd\r\nthe cat\u2028sat\r\n", caption_ids="5\n4\n9\n"))
    assert corpus.captions == ("a dog", "ein Hünd", "the cat\u2028sat")
    assert corpus.image_of_caption.tolist() == [0, 0, 1]
    assert corpus.image_ids.tolist() == [7, 3]
    assert corpus.caption_ids.tolist() == [5, 4, 9]
    interleaved = read_caption_files(*files("a\nb\nc\n", "z\na\nz"))
    assert interleaved.image_ids.tolist() == ["z", "a"]
    assert interleaved.image_of_caption.tolist() == [0, 1, 0]
    assert read_caption_files(files("a\n" * 10)[0]).n_images == 2
    per_image = read_caption_files(*files("a\nb\nc\nd\n", "8\n2\n"), captions_per_image=2)
    assert per_image.image_of_caption.tolist() == [0, 0, 1, 1]


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (("a dog\n\nthe cat\n",), r"caps.txt, line 2: expected a caption, got a blank line"),
        (("a dog\n  \t\nthe cat\n",), r"caps.txt, line 2: expected a caption, got a blank line"),
        (("a dog\na hound\nthe cat\n\n",), r"caps.txt, line 4: .* blank line"),
        (("",), r"caps.txt: expected a caption on every line, but the file is empty"),
        ((b"a dog\na caf\xe9\nthe cat\n",), r"caps.txt, line 2: expected UTF-8 text, got byte 0xe9; convert"),
        (("a dog\na hound\n",), r"images.txt, line 3: expected as many lines as .*caps.txt has captions, 2, got 3"),
        (("a\nb\nc\nd\n",), r"images.txt, line 4: expected as many lines .* 4, got 3"),
        (("a\nb\nc\n", "1\n1\n2\n", "4\n5\n"), r"ids.txt, line 3: expected as many lines"),
        (("a\nb\nc\n", "1\n1\n2\n", "4\n5\n4\n"), r"ids.txt, line 3: expected every caption identifier once, but 4 is"),
        (("a\nb\nc\n", None), r"caps.txt: expected 5 lines an image, but 3 lines are no multiple of 5; set captions"),
    ],
)
def test_bad_caption_files(files, contents, message):
    with pytest.raises(ValueError, match=message) as error:
        read_caption_files(*files(*contents))
    assert "\n" not in str(error.value)


def test_missing_caption_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nowhere.txt: no such file; expected text with a caption"):
        read_caption_files(tmp_path / "nowhere.txt")


@pytest.fixture
def made_up_coco(tmp_path):
    """Three images, the second without instances, the third without captions, in the official layout."""
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    (root / "val2017").mkdir()
    images = [{"id": i, "file_name": f"{i:012d}.jpg", "width": 60, "height": 40} for i in (30, 10, 20)]
    for image in images:
        Image.new("L", (60, 40), 200).save(root / "val2017" / image["file_name"])
    captions = [(5, 30, "a dog \n"), (2, 10, "a  cat"), (1, 30, "the hound"), (9, 30, "it")]
    (root / "annotations" / "captions_val2017.json").write_text(
        json.dumps(
            {"images": images, "annotations": [{"id": a, "image_id": i, "caption": text} for a, i, text in captions]}
        )
    )
    instances = [(1, 30, 18), (2, 30, 1), (3, 30, 18), (4, 20, 1)]
    (root / "annotations" / "instances_val2017.json").write_text(
        json.dumps(
            {
                "images": images,
                "annotations": [{"id": a, "image_id": i, "category_id": c, "iscrowd": 0} for a, i, c in instances],
                "categories": [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}, {"id": 17, "name": "cat"}],
            }
        )
    )
    return root


def test_coco_dataset(made_up_coco, capfd):
    dataset = load_dataset("coco", root=made_up_coco, image_size=32)
    assert capfd.readouterr() == ("", "")
    corpus = dataset.corpus
    assert corpus.captions == ("a cat", "the hound", "a dog", "it")
    assert corpus.image_ids.tolist() == [10, 30]
    assert corpus.caption_ids.tolist() == [2, 1, 5, 9]
    assert corpus.image_of_caption.tolist() == [0, 1, 1, 1]
    assert list(corpus.label_names) == ["person", "cat", "dog"]
    assert corpus.labels.tolist() == [[False, False, False], [True, False, True]]
    image, caption = dataset[3]
    assert (tuple(image.shape), caption) == ((3, 32, 32), 3)
    assert load_corpus("coco", root=made_up_coco, captions_per_image=2).captions == ("a cat", "the hound", "a dog")


def test_coco_dataset_bad_input(made_up_coco):
    with pytest.raises(ValueError, match="captions_per_image: expected"):
        load_dataset("coco", root=made_up_coco, captions_per_image=0)
    with pytest.raises(
        ValueError, match=r"n_images: coco has no such option; it has split, .*, image_size, transform, aug"
    ):
        load_dataset("coco", root=made_up_coco, n_images=1)
    with pytest.raises(
        ValueError, match=r"image_size: coco has no such option; it has split, root, captions_per_image$"
    ):
        load_corpus("coco", root=made_up_coco, image_size=32)
    with pytest.raises(FileNotFoundError, match=r"captions_val2014.json: no such file; put"):
        load_dataset("coco", root=made_up_coco, split="val2014")
    (made_up_coco / "val2017" / f"{10:012d}.jpg").unlink()
    with pytest.raises(FileNotFoundError, match=r"000000000010.jpg: no such image; 1 of the 2 images"):
        load_dataset("coco", root=made_up_coco)
    assert load_corpus("coco", root=made_up_coco).n_captions == 4
    annotations = made_up_coco / "annotations" / "captions_val2017.json"
    one = {"images": [{"id": 1, "file_name": "1.jpg"}], "annotations": [{"id": 5, "image_id": 1, "caption": "a"}]}
    others = [{"images": []}, {"annotations": [{"id": 5, "image_id": 1, "category_id": 1}]}]
    others += [{"annotations": [{"id": 5, "image_id": 1, "caption": None}]}]
    for broken in ['{"images": [', "[]", "{}", '{"images": [], "annotations": []}', *others]:
        annotations.write_text(broken if isinstance(broken, str) else json.dumps(one | broken))
        with pytest.raises(ValueError, match=r"captions_val2017.json: expected COCO's captions JSON"):
            load_dataset("coco", root=made_up_coco)
    (made_up_coco / "annotations" / "instances_val2017.json").unlink()
    annotations.write_text(json.dumps(one))
    with pytest.raises(FileNotFoundError, match=r"instances_val2017.json: no such file; put it there"):
        load_dataset("coco", root=made_up_coco)


@needs_data
@pytest.mark.parametrize("split", ["train2017", "val2017"])
def test_real_coco_images(split):
    dataset = load_dataset("coco", split=split)
    corpus = dataset.corpus
    assert (corpus.n_images, corpus.n_captions, len(corpus.label_names)) == (50, 250, 80)
    assert (~corpus.labels.any(axis=1)).sum() == {"train2017": 1, "val2017": 2}[split]
    image, _ = dataset[17]
    assert tuple(image.shape) == (3, 224, 224)
    assert 0 <= image.min() < image.max() <= 1


def test_every_name_has_its_reader():
    assert set(READERS) == set(DATASETS) - {"scenes"}
