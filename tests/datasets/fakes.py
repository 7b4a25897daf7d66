"""Tiny data sets in the official formats, on a server and in the registry in the place of the real ones."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
import zipfile

import numpy as np
from PIL import Image

from daa.datasets import cub, karpathy
from daa.datasets.download import SOURCES

# One image of each kind below: (part of the archive, split, COCO's id, its caption ids)
COCO = [
    *[("train2014", "train", 100 + i, [5 * i + k for k in range(5)]) for i in range(6)],
    *[("val2014", "restval", 200 + i, [500 + 7 * i + k for k in range(7)]) for i in range(2)],
    *[("val2014", "val", 300 + i, [700 + 5 * i + k for k in range(5)]) for i in range(3)],
    *[("val2014", "test", 400 + i, [900 + 6 * i + k for k in range(6)]) for i in range(4)],
]
# The order of the test split that the literature uses: other images first, captions of an image the other way round.
TEST_IDS = [900 + 6 * i + k for i in (2, 0, 3, 1) for k in (4, 3, 2, 1, 0)]
FLICKR8K = {"train": 4, "val": 2, "test": 3}
SIZES = {
    "flickr8k": FLICKR8K,
    "coco": {"train": 8, "val": 3, "test": 4},
    "flickr30k": {"train": 3, "val": 1, "test": 2},
}


def jpeg(seed: int, size: tuple[int, int] = (40, 30)) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (size[1], size[0], 3), dtype=np.uint8)
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "JPEG")
    return buffer.getvalue()


def coco_name(part: str, identifier: int) -> str:
    return f"{part}/COCO_{part}_{identifier:012d}.jpg"


def coco_json() -> bytes:
    images = []
    for part, split, identifier, captions in COCO:
        sentences = [{"raw": f"image {identifier}\n caption {c} ", "tokens": ["image"], "sentid": c} for c in captions]
        record = {"filepath": part, "filename": coco_name(part, identifier).split("/")[1], "split": split}
        images.append(
            {**record, "imgid": len(images), "cocoid": identifier, "sentids": captions, "sentences": sentences}
        )
    return json.dumps({"images": images, "dataset": "coco"}).encode()


def flickr_json(dataset: str = "flickr30k", splits=("train", "test", "train", "val", "test", "train")) -> bytes:
    images = []
    for i, split in enumerate(splits):
        sentences = [{"raw": f"picture {i}, text {k}", "tokens": [], "sentid": 5 * i + k} for k in range(5)]
        images.append({"filename": f"{i}.jpg", "split": split, "imgid": i, "sentids": [], "sentences": sentences})
    return json.dumps({"images": images, "dataset": dataset}).encode()


def instances_json(part: str) -> bytes:
    """Every second image shows a dog, every third a person; the others nothing."""
    annotations = []
    for i, (of, _, identifier, _) in enumerate(COCO):
        for step, category in ((2, 18), (3, 1)):
            if of == part and i % step == 0:
                outline = {"segmentation": [[0.0] * 8], "bbox": [0, 0, 1, 1]}
                annotations.append({"image_id": identifier, "category_id": category, **outline})
    categories = [{"id": 18, "name": "dog"}, {"id": 1, "name": "person"}]
    return json.dumps({"annotations": annotations, "categories": categories}).encode()


def zipped(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def tarred(files: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return buffer.getvalue()


BIRDS = {f"{k:03d}.Bird_{k}": [f"Bird_{k}_{i:04d}" for i in range(3)] for k in (3, 1, 2)}


def cub_texts(folder) -> None:
    """Captions and the lists of the split: birds 1 and 3 to train with, bird 2 to test on."""
    for kind, birds in BIRDS.items():
        (folder / "text_c10" / kind).mkdir(parents=True)
        for bird in birds:
            lines = "".join(f"this is {bird}, said {k} times\n" for k in range(10))
            (folder / "text_c10" / kind / f"{bird}.txt").write_text(lines)
    (folder / "splits").mkdir()
    (folder / "splits" / "trainvalclasses.txt").write_text("003.Bird_3\n001.Bird_1\n")
    (folder / "splits" / "testclasses.txt").write_text("002.Bird_2\n")
    (folder / "splits" / "seen_test_images.txt").write_text("001.Bird_1/Bird_1_0001.jpg\n003.Bird_3/Bird_3_0000.jpg\n")


_PHOTOS = {
    split: [f"{split}{i}_ab.jpg" for i in range(n)]
    for split, n in zip(("train", "dev", "test"), FLICKR8K.values(), strict=True)
}


def flickr8k_texts() -> dict[str, bytes]:
    """Lists, captions and judgements; the first photo of the test split is listed last."""
    photos = [photo for split in ("test", "dev", "train") for photo in _PHOTOS[split]]
    captions = [f"{photo}#{k}\tphoto {photo} ,  said {k}" for photo in (*photos, "train9_ab.jpg.1") for k in range(5)]
    a, b, c = _PHOTOS["test"]
    crowd = [
        *(f"{a}\t{a}#2\t0\t0\t3", f"{a}\t{b}#2\t0.666666666666667\t2\t1", f"{a}\t{c}#2\t0.5\t2\t2"),
        *(f"{b}\t{a}#2\t0.333333333333333\t1\t2", "garbage", f"{b}\t{c}#2\t1\t3", f"{b}\t{c}#2\tyes\t3\t0"),
        *(f"{b}\tdev0_ab.jpg#2\t0\t0\t3", f"{b}\t{c}#2\t0.9\t1\t2"),
    ]
    experts = [f"{a}\t{b}#2\t3\t3\t3", f"{a}\t{c}#2\t3\t3\t2", f"{c}\t{c}#2\t1\t1\t1", f"{c}\t{b}#2\t4\t5\t4"]
    files = {"Flickr8k.token.txt": captions, "CrowdFlowerAnnotations.txt": crowd, "ExpertAnnotations.txt": experts}
    files |= {f"Flickr_8k.{split}Images.txt": names[::-1] for split, names in _PHOTOS.items()}
    return {name: "".join(f"{line}\n" for line in lines).encode() for name, lines in files.items()}


def flickr8k_photos() -> dict[str, bytes]:
    return {photo: jpeg(i, (30 + i, 40)) for names in _PHOTOS.values() for i, photo in enumerate(names)}


def publish(server, monkeypatch) -> None:
    """All archives and images on the server, which stands in for all hosts; the registry has their checksums."""
    pictures = {coco_name(part, identifier): jpeg(identifier) for part, _, identifier, _ in COCO}
    birds = {f"CUB_200_2011/images/{kind}/{bird}.jpg": jpeg(k) for k, kind in enumerate(BIRDS) for bird in BIRDS[kind]}
    extra = {
        "CUB_200_2011/images.txt": b"1 a\n",
        "CUB_200_2011/attributes/large.txt": b"x" * 99,
        "attributes.txt": b"x",
    }
    captions = {
        "dataset_coco.json": coco_json(),
        "dataset_flickr30k.json": flickr_json(),
        "__MACOSX/dataset_coco.json": b"",
    }
    annotations = {f"annotations/instances_{part}.json": instances_json(part) for part in ("train2014", "val2014")}
    archives = {
        "caption_datasets.zip": zipped(captions),
        "annotations_trainval2014.zip": zipped(annotations | {"annotations/captions_val2014.json": b"{}"}),
        "CUB_200_2011.tgz": tarred(birds | extra),
        "Flickr8k_text.zip": zipped(flickr8k_texts() | {"__MACOSX/._Flickr8k.token.txt": b"x", "readme.txt": b"x"}),
        "Flickr8k_Dataset.zip": zipped(
            {f"Flicker8k_Dataset/{name}": content for name, content in flickr8k_photos().items()}
            | {"__MACOSX/Flicker8k_Dataset/._test0_ab.jpg": b"x"}
        ),
        **{
            f"{part}.zip": zipped({n: c for n, c in pictures.items() if part in n}) for part in ("train2014", "val2014")
        },
    }
    for name, content in archives.items():
        known = {"size": len(content), "sha256": hashlib.sha256(content).hexdigest(), "unpacked": 1000}
        if SOURCES[name].sha256 is None:  # as it is for those
            known = {"unpacked": 1000}
        monkeypatch.setitem(SOURCES, name, SOURCES[name]._replace(**known))
        server.files["/" + SOURCES[name].url.split("://")[1]] = content
    server.files |= {f"/images.cocodataset.org/{name}": content for name, content in pictures.items()}
    for name, sizes in SIZES.items():
        monkeypatch.setitem(karpathy.SPLIT_SIZES, name, sizes)
    monkeypatch.setattr(karpathy, "coco_test_caption_ids", lambda: np.array(TEST_IDS))
    monkeypatch.setattr(cub, "SPLIT_SIZES", {"train": (2, 4), "val": (2, 2), "test": (1, 3)})
    monkeypatch.setenv("DAA_MIRROR", server.url)
