"""Karpathy's splits: sizes, order, layouts, and files that are not what they should be."""

import json

import numpy as np
import pytest

from daa.datasets import karpathy, load_corpus, load_dataset
from daa.datasets.coco import coco_test_caption_ids, coco_test_image_ids
from tests.datasets.fakes import COCO, SIZES, TEST_IDS, coco_json, coco_name, flickr_json, instances_json, jpeg


@pytest.fixture
def sizes(monkeypatch):
    for name, of_splits in SIZES.items():
        monkeypatch.setitem(karpathy.SPLIT_SIZES, name, of_splits)
    monkeypatch.setattr(karpathy, "coco_test_caption_ids", lambda: np.array(TEST_IDS))


@pytest.fixture
def root(tmp_path):
    (tmp_path / "dataset_coco.json").write_bytes(coco_json())
    (tmp_path / "dataset_flickr30k.json").write_bytes(flickr_json())
    return tmp_path


def test_first_five_captions_and_restval(root, sizes):
    train = load_corpus("coco", split="train", root=root)
    assert train.image_ids.tolist() == [100, 101, 102, 103, 104, 105, 200, 201]
    assert train.caption_ids.tolist()[-10:] == [500, 501, 502, 503, 504, 507, 508, 509, 510, 511]
    assert train.captions[0] == "image 100 caption 0"
    assert load_corpus("coco", split="train", root=root, captions_per_image=None).n_captions == 6 * 5 + 2 * 7
    val = load_corpus("coco", split="val", root=root, n_images=2, captions_per_image=1)
    assert val.caption_ids.tolist() == [700, 705]
    assert val.labels is None
    assert load_corpus("flickr30k", split="test", root=root).image_ids.tolist() == [1, 4]
    assert load_corpus("flickr30k", root=root).caption_ids.tolist() == [*range(5, 10), *range(20, 25)]


def test_the_real_order_of_the_5k_test_split(tmp_path, monkeypatch):
    """Made-up captions with the true identifiers, in another order: 1K folds must match the literature's."""
    ids, images = coco_test_caption_ids().reshape(5000, 5), coco_test_image_ids()[::5]
    records = [
        {
            "filepath": "val2014", "filename": f"{image}.jpg", "cocoid": image, "split": "test",
            "sentences": [{"raw": "x", "sentid": int(c)} for c in own],
        }
        for image, own in sorted(zip(images, ids[:, ::-1], strict=True))
    ]  # fmt: skip
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": records}))
    corpus = load_corpus("coco", split="test", root=tmp_path)
    assert np.array_equal(corpus.caption_ids, ids.ravel())
    assert corpus.image_ids[:5].tolist() == [391895, 60623, 483108, 384213, 386164]
    assert np.count_nonzero(corpus.truths["ECCV"].n_positives("i2t")) == 1261
    assert corpus.truths["CxC"].i2t.nnz == 35585
    records[7]["sentences"][2]["sentid"] = 1
    (tmp_path / "dataset_coco.json").write_text(json.dumps({"images": records}))
    with pytest.raises(ValueError, match=rf"image {records[7]['cocoid']} is not of the COCO 5K test split"):
        load_corpus("coco", split="test", root=tmp_path)


@pytest.mark.parametrize("layout", ["{part}", "images/{part}", "trainval35k", "images/trainval35k"])
def test_layouts_of_the_official_repositories(root, sizes, layout):
    for part, _, identifier, _ in COCO:
        path = root / layout.format(part=part) / coco_name(part, identifier).split("/")[1]
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(jpeg(identifier))
    (root / "annotations" / "annotations").mkdir(parents=True)
    for part in ("train2014", "val2014"):
        (root / "annotations" / "annotations" / f"instances_{part}.json").write_bytes(instances_json(part))
    train = load_dataset("coco", split="train", root=root, image_size=24, labels=True)
    assert [path.name for path in train.load_image.paths] == [
        coco_name(*row[::2][:2]).split("/")[1] for row in COCO[:8]
    ]
    assert tuple(train.image(7).shape) == (3, 24, 24)
    assert train.corpus.labels[:3].tolist() == [[True, True], [False, False], [False, True]]
    val = load_dataset("coco", split="val", root=root, n_images=2)
    assert val.corpus.labels.tolist() == [[False, True], [True, False]]
    assert val.corpus.label_names == ["person", "dog"]
    path = train.load_image.paths[3]
    path.write_bytes(jpeg(3)[:-300])
    with pytest.raises(ValueError, match=rf"{path.name}: expected a picture, got .*; download it again"):
        train.image(3)
    path.unlink()
    with pytest.raises(
        FileNotFoundError, match=rf"{path.name}: no such image; 1 of the [68] images.*--subset 8 --split"
    ):
        load_dataset("coco", split="train", root=root)


def test_published_sizes_are_demanded(root):
    with pytest.raises(ValueError, match=r"expected the 113,287 images of Karpathy's train split \(train and restval"):
        load_corpus("coco", split="train", root=root)
    with pytest.raises(ValueError, match=r"expected the 1,014 images of Karpathy's val split, got 1; remove it, and"):
        load_corpus("flickr30k", split="val", root=root)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda content: content[:-9],
            r"dataset_coco.json: expected Karpathy's dataset_coco.json, got .*; get it again",
        ),
        (lambda content: b"[]", "expected Karpathy's dataset_coco.json"),
        (lambda content: b'{"images": [{"split": "val"}]}', "got KeyError\\('sentences'\\)"),
        (lambda content: content.replace(b'"cocoid"', b'"other"'), "got KeyError\\('cocoid'\\)"),
        (lambda content: content.replace(b'"raw"', b'"other"'), "got KeyError\\('raw'\\)"),
    ],
)
def test_other_files_in_its_place(root, sizes, change, message):
    (root / "dataset_coco.json").write_bytes(change(coco_json()))
    with pytest.raises(ValueError, match=message):
        load_corpus("coco", split="val", root=root)


def test_bad_input(root, sizes, monkeypatch):
    with pytest.raises(ValueError, match="n_images: expected None or a number from 1, got 0"):
        load_corpus("coco", split="val", root=root, n_images=0)
    with pytest.raises(ValueError, match="split: expected one of train, val, test, got 'dev'"):
        load_corpus("flickr30k", split="dev", root=root)
    with pytest.raises(ValueError, match="colour: flickr30k has no such option"):
        load_corpus("flickr30k", root=root, colour="red")
    with pytest.raises(FileNotFoundError, match=r"instances_val2014.json: no such file.*`daa data coco --annotations"):
        load_corpus("coco", split="val", root=root, labels=True)
    (root / "dataset_coco.json").unlink()
    with pytest.raises(FileNotFoundError, match=r"dataset_coco.json: no such file .*`daa data coco --captions --to"):
        load_corpus("coco", split="val", root=root)
    monkeypatch.delenv("DAA_DATA", raising=False)
    with pytest.raises(FileNotFoundError, match=r"flickr30k needs a folder flickr30k/ with dataset_flickr30k.json"):
        load_corpus("flickr30k")
