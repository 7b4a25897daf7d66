"""Whole data sets over a bad network: complete and verified, or a clear error and a state to go on from."""

import concurrent.futures
import errno
import hashlib
import io
import json
import os
import shutil
import threading
import time
from collections import namedtuple
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from daa.datasets import download, load_corpus, load_dataset, resume
from daa.datasets.download import Transfer
from daa.datasets.manifest import verify
from daa.datasets.obtain import (
    obtain_captions,
    obtain_coco,
    obtain_coco_5k,
    obtain_cub,
    obtain_flickr8k,
    obtain_flickr30k,
)
from daa.datasets.reading import ImageFiles
from daa.datasets.resume import DownloadError
from daa.files import NoSpaceError
from daa.reproduce import find_table
from daa.reproduce.reproduction import full_size, obtain
from daa.training.data import load_split
from tests.datasets.fakes import (
    COCO,
    TEST_IDS,
    coco_name,
    cub_texts,
    flickr8k_photos,
    flickr8k_texts,
    jpeg,
    publish,
    tarred,
)

IMAGES = "/images.cocodataset.org/"
TRAIN = [coco_name(part, identifier) for part, split, identifier, _ in COCO if split in ("train", "restval")]


@pytest.fixture(autouse=True)
def published(server, monkeypatch):
    publish(server, monkeypatch)
    monkeypatch.setattr(resume, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(resume, "CHUNK", 100)
    monkeypatch.setattr("daa.datasets.obtain.IMAGE_ON_DISK", 1000)


@pytest.fixture
def to(tmp_path):
    """Transfers to a folder, as one run of the command after the other makes them."""
    return lambda name="coco", **options: Transfer(tmp_path / name, **{"workers": 3, "quiet": True} | options)


def images_asked_for(server):
    return sorted(path.removeprefix(IMAGES) for path, _ in server.requests if path.endswith(".jpg"))


def test_all_of_coco_from_its_archives(server, to, tmp_path):
    obtain_coco(to())
    assert images_asked_for(server) == []
    assert sorted(path.name for path in (tmp_path / "coco").iterdir()) == [
        "annotations", "daa-data.json", "train2014", "val2014",
    ]  # fmt: skip
    test = load_dataset("coco", split="test", root=tmp_path / "coco", image_size=32)
    assert test.corpus.image_ids.tolist() == [402, 400, 403, 401]
    assert test.corpus.caption_ids.tolist() == TEST_IDS
    assert test.corpus.captions[0] == "image 402 caption 916"
    assert list(test.corpus.all_truths()) == ["annotated", "ECCV", "CxC"]
    assert test.corpus.label_names == ["person", "dog"]
    assert tuple(test.image(3).shape) == (3, 32, 32)
    train = load_corpus("coco", split="train", root=tmp_path / "coco")
    assert (train.n_images, train.n_captions, train.labels) == (8, 40, None)
    seen = load_corpus("coco", split="train", root=tmp_path / "coco", labels=True).labels
    assert seen.tolist() == [[i % 3 == 0, i % 2 == 0] for i in range(8)]
    requests = len(server.requests)
    obtain_coco(to())
    assert len(server.requests) == requests


def test_a_subset_is_just_its_images_and_loads_by_the_same_name(server, to, tmp_path):
    obtain_coco(to(), ["train"], subset=4)
    asked = images_asked_for(server)
    assert len(asked) == 4
    assert set(asked) < set(TRAIN)
    data = load_dataset("coco", split="train", root=tmp_path / "coco", image_size=16)
    assert (data.corpus.n_images, data.corpus.n_captions) == (4, 20)
    assert data.corpus.image_ids.tolist() == sorted(data.corpus.image_ids.tolist())
    assert load_corpus("coco", split="train", root=tmp_path / "coco").captions == data.corpus.captions
    assert load_corpus("coco", split="test", root=tmp_path / "coco").n_images == 4
    with pytest.raises(FileNotFoundError, match=r"3 of the 3 images.*--subset 3 --split val --to"):
        load_dataset("coco", split="val", root=tmp_path / "coco")

    obtain_coco(to(), ["train"], subset=6)
    obtain_coco(to(), ["val", "test"], subset=2)
    assert set(asked) < set(images_asked_for(server))
    assert len(images_asked_for(server)) == 6 + 4
    sizes = {
        split: load_dataset("coco", split=split, root=tmp_path / "coco").corpus.n_images
        for split in ("train", "val", "test")
    }
    assert sizes == {"train": 6, "val": 2, "test": 2}
    assert load_corpus("coco", split="test", root=tmp_path / "coco").image_ids.tolist() == [402, 400]
    assert "6 images of train, 2 images of val, 2 images of test" in verify(tmp_path / "coco", "again")

    obtain_coco(to())
    assert load_dataset("coco", split="train", root=tmp_path / "coco").corpus.n_images == 8
    obtain_coco(to(), ["train"], subset=2)  # the whole split stays whole
    assert load_dataset("coco", split="train", root=tmp_path / "coco").corpus.n_images == 8


def test_a_bad_line_costs_nothing_but_time(server, to, tmp_path):
    """Every image fails once, each in another way; an archive breaks off in its middle."""
    archive = server.files["/cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"]
    server.faults["/cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"] = [("drop", 700)]
    for k, name in enumerate(TRAIN):
        server.faults[IMAGES + name] = [[("drop", 100), 503, ("drop", 0)][k % 3]]
    obtain_coco(to(), ["train"], subset=8, instances=False)
    verify(tmp_path / "coco", "again")
    assert server.asked("/cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip") == [None, "bytes=700-"]
    assert server.sent["/cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"] == len(archive)
    assert not [path for path in (tmp_path / "coco").rglob("*") if ".part" in path.name]
    assert load_dataset("coco", split="train", root=tmp_path / "coco").corpus.n_images == 8


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_several_at_once_in_one_folder(server, to, tmp_path, capfd):
    """Each waits for those before it and says so, and no one's subset is lost."""
    server.faults = {path: [("slow", 0.2)] for path in server.files if path.endswith(".jpg")}
    asked = {"train": 4, "val": 2}
    threads = [threading.Thread(target=obtain_coco, args=(to(quiet=False), [split], n)) for split, n in asked.items()]
    said = ""
    with to().alone():
        for thread in threads:
            thread.start()
        for _ in range(1000):
            said += capfd.readouterr().err.replace("\n", "")
            if said.count("coco: another download is under way there; waiting for its end") == len(threads):
                break
            time.sleep(0.01)
        else:
            pytest.fail(f"nobody waits: {said}")
    for thread in threads:
        thread.join()
    line = verify(tmp_path / "coco", "again")
    assert all(f"{n} images of {split}" in line for split, n in asked.items())
    assert not list((tmp_path / "coco").glob(".*"))


def picture(kind):
    buffer = io.BytesIO()
    Image.new("CMYK" if kind == "JPEG" else "RGB", (40, 30)).save(buffer, kind)
    return buffer.getvalue()


def test_what_is_a_picture(tmp_path, monkeypatch):
    path = tmp_path / "x.jpg"
    for kind, reason in (("JPEG", None), ("PNG", None), ("EPS", "no JPEG or PNG"), ("GIF", "no JPEG or PNG")):
        path.write_bytes(picture(kind))
        if reason is None:
            download.check_picture(path)
            assert np.asarray(ImageFiles((path,))(0)).shape == (30, 40, 3)
            continue
        with pytest.raises(ValueError, match=f"expected a picture, got {reason}"):
            download.check_picture(path)
    path.write_bytes(picture("JPEG"))
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 10)
    with pytest.raises(ValueError, match=r"expected a picture, got .*bomb"):
        download.check_picture(path)
    with pytest.raises(ValueError, match=r"x.jpg: expected a picture, got .*bomb"):
        ImageFiles((path,))(0)


def test_missing_and_spoilt_images(server, to, tmp_path):
    gone = server.files.pop(IMAGES + TRAIN[0])
    server.faults[IMAGES + TRAIN[1]] = [jpeg(1)[:-200]]  # whole by its length, but half a picture
    with pytest.raises(DownloadError, match=r"2 of 8 images failed, the others are kept; the same command tries again"):
        obtain_coco(to(), ["train"], subset=8, instances=False)
    with pytest.raises(FileNotFoundError, match="no download has ended there; `again` goes on"):
        verify(tmp_path / "coco", "again")
    server.files[IMAGES + TRAIN[0]] = gone
    before = len(server.requests)
    obtain_coco(to(), ["train"], subset=8, instances=False)
    assert sorted(path for path, _ in server.requests[before:]) == sorted(IMAGES + name for name in TRAIN[:2])
    verify(tmp_path / "coco", "again")


def test_it_gives_up_when_nothing_comes(server, to):
    for name in TRAIN:
        server.files.pop(IMAGES + name)
    with pytest.raises(DownloadError, match=r"answers 404 Not Found.*the images that came are kept"):
        obtain_coco(to(workers=1), ["train"], subset=8, instances=False)
    assert len(images_asked_for(server)) < len(TRAIN)


def test_verify_names_what_changed_and_the_same_command_mends_it(server, to, tmp_path):
    obtain_coco(to(), ["train"], subset=8)
    folder = tmp_path / "coco"
    (folder / TRAIN[2]).unlink()
    content = (folder / TRAIN[4]).read_bytes()
    (folder / TRAIN[4]).write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    (folder / "annotations" / "instances_val2014.json").write_text("{}")
    with pytest.raises(
        ValueError, match=r"3 of 11 files are not as they were, the first is .*; `daa data x` gets them"
    ):
        verify(folder, "daa data x")
    before = len(server.requests)
    obtain_coco(to(), ["val"], subset=1, instances=False)
    asked = [path for path, _ in server.requests[before:] if path.endswith(".jpg")]
    assert sorted(asked) == sorted(IMAGES + name for name in [TRAIN[2], TRAIN[4], coco_name("val2014", 300)])
    verify(folder, "again")


def test_wrong_archives_are_refused(server, to, tmp_path):
    path = "/cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
    right = server.files[path]
    server.files[path] = right[:-10] + b"0123456789"
    with pytest.raises(DownloadError, match=r"caption_datasets.zip: .*: expected sha256:.*thrown away"):
        obtain_captions(to("all"))
    assert list((tmp_path / "all").iterdir()) == []
    server.files[path] = right
    obtain_captions(to("all"))
    assert load_corpus("coco", split="val", root=tmp_path / "all" / "coco").n_images == 3
    assert (
        load_corpus("flickr30k", split="test", root=tmp_path / "all" / "flickr30k").captions[0] == "picture 1, text 0"
    )


@pytest.mark.parametrize("free", [500, 8_000])
def test_space_is_checked_before_anything_is_asked_for(server, to, monkeypatch, free):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9 - free, free))
    with pytest.raises(NoSpaceError, match=r"this download needs .* more, but .* are free"):
        obtain_coco(to(), ["train"], subset=8)
    assert server.requests == []


def test_a_disk_that_fills_up_among_the_images(server, to, tmp_path, monkeypatch):
    """Writing fails for a while, as on a full disk; afterwards the same command ends well."""
    full = threading.Event()
    real = resume.Resuming._accept

    def accept(one, *arguments):
        if full.is_set() and one.target.suffix == ".jpg":
            raise OSError(errno.ENOSPC, "No space left on device")
        return real(one, *arguments)

    monkeypatch.setattr(resume.Resuming, "_accept", accept)
    full.set()
    with pytest.raises(NoSpaceError, match=r"the disk is full.*make room and the same command"):
        obtain_coco(to(), ["train"], subset=8, instances=False)
    assert not (tmp_path / "coco" / "daa-data.json").exists()
    full.clear()
    obtain_coco(to(), ["train"], subset=8, instances=False)
    verify(tmp_path / "coco", "again")


@pytest.mark.parametrize("after", [1, 3, 6])
def test_ctrl_c_ends_all_threads_and_loses_nothing(server, to, tmp_path, monkeypatch, after):
    """The interrupt reaches the main thread while it takes the k-th result, as Ctrl-C does."""

    def as_completed(futures):
        for k, future in enumerate(concurrent.futures.as_completed(futures)):
            if k == after:
                raise KeyboardInterrupt
            yield future

    with monkeypatch.context() as patch:
        patch.setattr(download, "as_completed", as_completed)
        interrupted = to()
        with pytest.raises(KeyboardInterrupt):
            obtain_coco(interrupted, ["train"], subset=8, instances=False)
    assert interrupted.stop.is_set()
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("ThreadPool")]
    assert not (tmp_path / "coco" / "daa-data.json").exists()
    came = {path.relative_to(tmp_path / "coco").as_posix() for path in (tmp_path / "coco").rglob("*.jpg")}
    assert len(came) >= after
    before = len(server.requests)
    obtain_coco(to(), ["train"], subset=8, instances=False)
    verify(tmp_path / "coco", "again")
    assert not came & {path.removeprefix(IMAGES) for path, _ in server.requests[before:]}


def test_flickr30k_says_where_the_images_are_and_takes_them_in(to, tmp_path):
    (line,) = obtain_flickr30k(to("flickr30k"))
    assert "form at https://shannon.cs.illinois.edu" in line
    root = tmp_path / "flickr30k"
    assert f"{root}/flickr30k-images/" in line
    assert load_corpus("flickr30k", split="train", root=root).image_ids.tolist() == [0, 2, 5]
    with pytest.raises(FileNotFoundError, match=r"flickr30k-images: no such folder.*`daa data flickr30k --to"):
        load_dataset("flickr30k", split="train", root=root)
    (root / "flickr30k-images").mkdir()
    for i in range(6):
        (root / "flickr30k-images" / f"{i}.jpg").write_bytes(jpeg(i))
    assert obtain_flickr30k(to("flickr30k")) == []
    assert "7 files" in verify(root, "again")
    (root / "flickr30k-images" / "3.jpg").write_bytes(jpeg(3)[:-300])
    (root / "daa-data.json").unlink()
    with pytest.raises(ValueError, match=r"3.jpg: expected a picture, got .*; unpack it again"):
        obtain_flickr30k(to("flickr30k"))


@pytest.mark.filterwarnings("ignore:.*passed over")
def test_flickr8k_from_its_two_archives(server, to, tmp_path):
    with pytest.warns(UserWarning, match="broken lines passed over"):
        obtain_flickr8k(to("flickr8k"))
    folder = tmp_path / "flickr8k"
    assert sorted(path.name for path in folder.iterdir()) == ["Flicker8k_Dataset", "Flickr8k_text", "daa-data.json"]
    assert {path.name: path.read_bytes() for path in (folder / "Flickr8k_text").iterdir()} == flickr8k_texts()
    assert {path.name: path.read_bytes() for path in (folder / "Flicker8k_Dataset").iterdir()} == flickr8k_photos()
    assert load_dataset("flickr8k", split="train", root=folder, image_size=16).image(2).shape == (3, 16, 16)
    assert len(server.requests) == 2
    (folder / "Flicker8k_Dataset" / "dev1_ab.jpg").write_bytes(b"no picture")
    with pytest.warns(UserWarning, match="passed over"):
        obtain_flickr8k(to("flickr8k"))
    assert [path.rpartition("/")[2] for path, _ in server.requests[2:]] == ["Flickr8k_Dataset.zip"]
    assert "15 files" in verify(folder, "daa data flickr8k")


@pytest.mark.filterwarnings("ignore:.*passed over")
def test_a_photo_of_flickr8k_that_does_not_decode_is_named(to, tmp_path):
    obtain_flickr8k(to("flickr8k"))
    (tmp_path / "flickr8k" / "daa-data.json").unlink()
    (tmp_path / "flickr8k" / "Flicker8k_Dataset" / "dev1_ab.jpg").write_bytes(jpeg(1)[:-300])
    with pytest.raises(ValueError, match=r"dev1_ab.jpg: expected a picture, got .*; unpack it again"):
        obtain_flickr8k(to("flickr8k"))


def test_cub_says_what_is_missing_and_loads(to, tmp_path):
    captions, split = obtain_cub(to("cub"))
    assert "text_c10" in captions
    assert "trainvalclasses.txt" in split
    cub_texts(tmp_path / "cub")
    assert obtain_cub(to("cub")) == []
    files = {path.name for path in (tmp_path / "cub").rglob("*.txt")}
    assert "images.txt" in files
    assert "large.txt" not in files
    data = load_dataset("cub", split="train", root=tmp_path / "cub", image_size=16)
    assert data.corpus.image_ids.tolist() == [
        "001.Bird_1/Bird_1_0000", "001.Bird_1/Bird_1_0002", "003.Bird_3/Bird_3_0001", "003.Bird_3/Bird_3_0002",
    ]  # fmt: skip
    assert data.corpus.n_captions == 40
    same = np.repeat([[True, False], [True, False], [False, True], [False, True]], 20, axis=1)
    assert np.array_equal(data.corpus.positives.toarray(), same)
    assert data.corpus.label_names == ["001.Bird_1", "003.Bird_3"]
    assert data.corpus.labels.tolist() == [[True, False]] * 2 + [[False, True]] * 2
    assert tuple(data.image(3).shape) == (3, 16, 16)


def test_coco_5k_files_are_checked(server, to, tmp_path):
    path = "/github.com/naver-ai/pcmepp/releases/download/v0.1.0/coco_annotations.tar.gz"
    right = tarred({"precomp/testall_caps.txt": b"a dog .\n" * 25_000})
    for wrong in (b"<html>please log in</html>", b"", right[: len(right) // 2]):
        server.files[path] = wrong
        with pytest.raises(ValueError, match=r"coco_annotations.tar.gz: the archive is broken .* download it again"):
            obtain_coco_5k(to("data"))
    server.files[path] = tarred({"precomp/testall_caps.txt": b"a dog .\n" * 24_999, "precomp/dev_caps.txt": b"x\n"})
    with pytest.raises(ValueError, match=r"testall_caps.txt: expected 25000 captions, got 24999"):
        obtain_coco_5k(to("data"))
    server.files[path] = right
    obtain_coco_5k(to("data"))
    assert load_corpus("coco-5k", root=tmp_path / "data").image_ids[:2].tolist() == [391895, 60623]
    verify(tmp_path / "data", "again")


def test_a_manifest_that_is_none(to, tmp_path):
    obtain_captions(to("all"))
    outside = {"../../precious": {"bytes": 1, "sha256": "0"}}
    wrong = [{"files": []}, {"files": {"a": 1}, "subsets": {}}, {"files": outside, "subsets": {}}]
    for content in ("{", "[]", *map(json.dumps, wrong)):
        Path(tmp_path, "all", "daa-data.json").write_text(content)
        with pytest.raises(ValueError, match=r"daa-data.json: expected what `daa data` wrote; remove it"):
            verify(tmp_path / "all", "again")


def test_what_earlier_versions_left_is_read(server, to, tmp_path):
    """A manifest, and a part with the note beside it, as they were written from the first version on."""
    folder = tmp_path / "coco"
    content = jpeg(100)
    (folder / "train2014").mkdir(parents=True)
    (folder / TRAIN[0]).write_bytes(content)
    entry = {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
    manifest = {"dataset": "coco", "subsets": {"train": TRAIN[:1]}, "files": {TRAIN[0]: entry}}
    (folder / "daa-data.json").write_text(json.dumps(manifest, indent=1))
    assert "coco: 1 files, 0.0 MB, all as downloaded, 1 images of train" in verify(folder, "again")
    path = "/cs.stanford.edu/people/karpathy/deepimagesent/caption_datasets.zip"
    archive = server.files[path]
    note = {"url": server.url + path, "validator": f'"{hashlib.md5(archive).hexdigest()}"'}
    (folder / "caption_datasets.zip.part").write_bytes(archive[:500])
    (folder / "caption_datasets.zip.part.json").write_text(json.dumps(note))
    obtain_coco(to(), ["train"], subset=8, instances=False)
    assert server.asked(path) == ["bytes=500-"]
    assert IMAGES + TRAIN[0] not in [asked for asked, _ in server.requests]
    assert load_dataset("coco", split="train", root=folder).corpus.n_images == 8


@pytest.mark.parametrize(
    ("options", "message"),
    [({"workers": 0}, "workers: expected at least 1, got 0"), ({"timeout": 0}, "timeout: expected seconds above 0")],
)
def test_bad_options(to, options, message):
    with pytest.raises(ValueError, match=message):
        to(**options)
    with pytest.raises(ValueError, match="subset: expected at least 1 image, got 0"):
        obtain_coco(to(), ["train"], subset=0)
    with pytest.raises(ValueError, match="split: expected one of train, val, test, got 'dev'"):
        obtain_coco(to(), ["dev"])
    assert download.TOLERATED > 1


@pytest.mark.parametrize("row", ["VSE++", "SAF + DAA"])
def test_a_row_of_a_table_downloads_what_it_reads(server, tmp_path, monkeypatch, row):
    monkeypatch.setenv("DAA_DATA", str(tmp_path / "elsewhere"))
    table = find_table("1")
    full = full_size(table, table.row(row), tmp_path, tmp_path / "runs")
    assert obtain(full, quiet=True) == []
    (config,) = full.configs.values()
    labels = load_corpus("coco", split="test", root=tmp_path / "coco").labels
    assert labels.any()  # what PMRP compares
    if config.data.name == "precomputed":  # region features come by hand, so no picture is asked for
        assert not any("train2014.zip" in path for path, _ in server.requests)
        return
    for split, n_images in (("train", 8), ("val", 3), ("test", 4)):
        dataset = load_split(config.data.with_(image_size=32, options={}), getattr(config.data, split))
        assert dataset.corpus.n_images == n_images
        assert dataset.image(0).shape == (3, 32, 32)
