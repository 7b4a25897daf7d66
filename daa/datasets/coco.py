"""MS-COCO: its 5K test split, what was verified to match in it, and images and labels in the official 2017 layout."""

from __future__ import annotations

import contextlib
import io
import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from scipy import sparse

from daa.corpus import CaptionCorpus, Truth
from daa.datasets.reading import ImageFiles, Split, check_counts, data_root, first_file, image_paths, read_caption_files


def coco_5k_corpus(root: str | PathLike[str] | None = None) -> CaptionCorpus:
    """The 25,000 captions of the COCO 5K test split, in the order of Karpathy and Fei-Fei, with ECCV and CxC positives.

    Read from `<root>/coco-5k/captions.txt`, `caption_ids.txt` and `image_ids.txt`, one line a caption. The further
    truths come with the package `eccv_caption`: `corpus.truths["ECCV"]` (Chun et al., ECCV 2022; 1,261 image queries
    and 1,332 caption queries) and `corpus.truths["CxC"]` (Parekh et al., EACL 2021).

    Args:
        root: the folder that holds `coco-5k/`; by default the environment variable `DAA_DATA`.

    Raises:
        FileNotFoundError: saying which files to put where.
        ValueError: if the files are not this split in this order.
    """
    files = ("captions.txt", "image_ids.txt", "caption_ids.txt")
    contents, command = ", ".join(files), "daa data coco-5k --to"
    folder = data_root(root, "coco-5k", f"{contents} (`{command} FOLDER` gets them)", inside=False) / "coco-5k"
    for name in files:
        lines = f"coco-5k needs {contents} in that folder, one line a caption of Karpathy's 5K test split"
        first_file(folder, (name,), f"{lines}; `{command} {folder.parent}` gets them")
    corpus = read_caption_files(*(folder / name for name in files), name="coco-5k")
    _check_coco_test_ids(corpus, folder / "caption_ids.txt")
    return CaptionCorpus(
        captions=corpus.captions,
        image_of_caption=corpus.image_of_caption,
        image_ids=corpus.image_ids,
        caption_ids=corpus.caption_ids,
        truths={"ECCV": eccv_caption_truth(corpus, "eccv"), "CxC": eccv_caption_truth(corpus, "cxc")},
        name="coco-5k",
    )


def coco_5k_truths() -> dict[str, Truth]:
    """What is known to match on the COCO 5K test split: `coco_5k_corpus().all_truths()`, for which no file is needed.

    The identifiers, too, come with the package `eccv_caption`; the captions do not.

    >>> {name: truth.i2t.nnz for name, truth in coco_5k_truths().items()}
    {'annotated': 25000, 'ECCV': 22548, 'CxC': 35585}
    """
    caption_ids, images = coco_test_caption_ids(), coco_test_image_ids()
    row = {image: i for i, image in enumerate(dict.fromkeys(images))}
    corpus = CaptionCorpus(
        captions=caption_ids.astype(str).tolist(),
        image_of_caption=[row[image] for image in images],
        image_ids=list(row),
        caption_ids=caption_ids,
    )
    return {
        "annotated": Truth(corpus.annotated),
        "ECCV": eccv_caption_truth(corpus, "eccv"),
        "CxC": eccv_caption_truth(corpus, "cxc"),
    }


def _check_coco_test_ids(corpus: CaptionCorpus, path: Path) -> None:
    expected = coco_test_caption_ids()
    got = corpus.caption_ids
    if got.shape != expected.shape:
        raise ValueError(f"{path}: expected the {len(expected)} caption ids of the COCO 5K test split, got {len(got)}")
    if got.dtype.kind != "i" or (got != expected).any():
        line = int(np.argmax(got.astype(str) != expected.astype(str)))
        raise ValueError(
            f"{path}, line {line + 1}: expected caption id {expected[line]}, got {got[line]}; the lines must follow "
            f"Karpathy's order of the 5K test split (coco_test_ids.npy of the package eccv_caption)"
        )


def read_coco(
    split: str = "val2017", root: str | PathLike[str] | None = None, captions_per_image: int | None = None
) -> Split:
    """COCO images with captions and instance labels, from the official layout.

    Reads `<root>/annotations/captions_<split>.json`, `instances_<split>.json` and the images in `<root>/<split>/`.
    Images are in ascending order of their id, the captions of an image in ascending order of theirs. Images that no
    caption mentions are left out. `corpus.labels` says which of the 80 object categories an image's instances (crowds
    included) belong to; a few images have none, and keep a row of zeros.

    Args:
        split: `"val2017"` or `"train2017"` (or any other pair of files of that layout).
        root: the folder with `annotations/` and the image folders; by default `coco/` under `DAA_DATA`.
        captions_per_image: keep only the first so many of each image; COCO has 5, sometimes 6 or 7. None keeps all.

    Raises:
        FileNotFoundError: naming the annotation file or the first image that is missing.
        ValueError: if an annotation file is not one.
    """
    check_counts(captions_per_image=captions_per_image)
    folder = data_root(root, "coco", "annotations/ and the image folders")
    captions = _read_captions(_annotations(folder, f"captions_{split}.json"))
    instances = _annotations(folder, f"instances_{split}.json")
    texts: list[str] = []
    caption_ids: list[int] = []
    image_of_caption: list[int] = []
    image_ids = sorted(image for image, annotations in captions.imgToAnns.items() if annotations)
    for i, image in enumerate(image_ids):
        annotations = sorted(captions.imgToAnns[image], key=lambda annotation: annotation["id"])
        for annotation in annotations[:captions_per_image]:
            texts.append(" ".join(annotation["caption"].split()))
            caption_ids.append(annotation["id"])
            image_of_caption.append(i)
    labels, label_names = instance_labels([instances], image_ids)
    corpus = CaptionCorpus(
        captions=texts,
        image_of_caption=image_of_caption,
        image_ids=image_ids,
        caption_ids=caption_ids,
        labels=labels,
        label_names=label_names,
        name=f"coco {split}",
    )
    names = [captions.imgs[image]["file_name"] for image in image_ids]
    return Split(corpus, lambda: ImageFiles(tuple(image_paths(folder / split, names))))


def _annotations(folder: Path, name: str) -> Path:
    mend = "put it there from the archive of annotations at https://cocodataset.org/#download"
    return first_file(folder / "annotations", (name,), mend)


def _read_captions(path: Path) -> Any:
    """An annotation file through pycocotools, without the lines it prints."""
    from pycocotools.coco import COCO

    try:
        with contextlib.redirect_stdout(io.StringIO()):
            coco = COCO()
            coco.dataset = json.loads(path.read_bytes())
            coco.dataset.pop("categories", None)  # captions have no category to be indexed by
            coco.createIndex()
        for annotation in coco.anns.values():  # all that is read later is there
            annotation["caption"].split(), coco.imgs[annotation["image_id"]]["file_name"]
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"{path}: expected COCO's captions JSON, got {error!r}; download the file again") from None
    if not coco.anns:
        raise ValueError(f"{path}: expected COCO's captions JSON with annotations, got none; download the file again")
    return coco


def coco_test_caption_ids() -> np.ndarray:
    """The 25,000 caption identifiers of the COCO 5K test split, in the order that every paper's folds are cut from."""
    return np.load(_eccv_caption_file("coco_test_ids.npy"))


def coco_test_image_ids() -> list[int]:
    """The image of each of these captions.

    >>> coco_test_image_ids()[0], coco_test_image_ids()[5]
    (391895, 60623)
    """
    image_of = _eccv_caption_json("original_caption_to_image.json")
    return [image_of[str(caption)][0] for caption in coco_test_caption_ids().tolist()]


def eccv_caption_truth(corpus: CaptionCorpus, truth: str) -> Truth:
    """The positives that the package `eccv_caption` ships, on the images and captions of a corpus with COCO's ids.

    Positives outside the corpus cannot be retrieved, but count among a query's R as they do in `eccv_caption`
    (two image queries of ECCV Caption have one each): they are in `Truth.outside`.

    Args:
        truth: `"eccv"`, `"cxc"` or `"original"`.
    """
    row = {identifier: i for i, identifier in enumerate(corpus.image_ids.tolist())}
    column = {identifier: c for c, identifier in enumerate(corpus.caption_ids.tolist())}
    by_image = _eccv_caption_json(f"{truth}_image_to_caption.json")
    by_caption = _eccv_caption_json(f"{truth}_caption_to_image.json")
    i2t, outside_i2t = _positives(by_image, row, column)
    t2i, outside_t2i = _positives(by_caption, column, row)
    return Truth(i2t, sparse.csr_array(t2i.T), outside={"i2t": outside_i2t, "t2i": outside_t2i})


def _positives(
    positives: Mapping[str, list[int]], queries: Mapping[int, int], candidates: Mapping[int, int]
) -> tuple[sparse.csr_array, np.ndarray]:
    """Boolean [queries, candidates] and, per query, the number of positives that are not among the candidates."""
    rows, columns = [], []
    outside = np.zeros(len(queries), dtype=np.int64)
    for identifier, matches in positives.items():
        query = queries.get(int(identifier))
        if query is None:
            continue
        found = [candidates[match] for match in {int(m) for m in matches} if match in candidates]
        outside[query] = len(set(matches)) - len(found)
        rows += [query] * len(found)
        columns += found
    shape = (len(queries), len(candidates))
    return sparse.csr_array((np.ones(len(rows), dtype=bool), (rows, columns)), shape=shape), outside


def _eccv_caption_json(name: str) -> dict[str, list[int]]:
    return json.loads(_eccv_caption_file(name).read_text())


def _eccv_caption_file(name: str) -> Path:
    spec = find_spec("eccv_caption")  # found without importing it, which warns where ujson is missing
    if spec is None or not spec.submodule_search_locations:
        raise FileNotFoundError("eccv_caption: this package ships the ECCV and CxC truths; pip install eccv-caption")
    return Path(spec.submodule_search_locations[0]) / "data" / name


def instance_labels(
    paths: Sequence[Path], image_ids: Sequence[int]
) -> tuple[Bool[np.ndarray, "images categories"] | None, list[str]]:
    """The categories of each image's instances (crowds included), from COCO's instance files.

    Images without instances keep a row of zeros.

    Args:
        paths: `instances_*.json`, all of one set of categories; none gives None.
        image_ids: COCO's identifiers, in the order of the rows.

    Returns:
        the labels, and the names of the categories in ascending order of their ids (80 in COCO).

    Raises:
        ValueError: naming the file that is not one.
    """
    if not paths:
        return None, []
    row = {image: i for i, image in enumerate(image_ids)}
    names: dict[int, str] = {}
    seen: list[tuple[int, int]] = []
    for path in paths:
        try:
            content = json.loads(path.read_bytes(), object_hook=_without_outlines)
            names |= {category["id"]: category["name"] for category in content["categories"]}
            for annotation in content["annotations"]:
                if annotation["image_id"] in row:
                    seen.append((row[annotation["image_id"]], annotation["category_id"]))
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path}: expected COCO's instance JSON, got {error!r}; download the file again") from None
    column = {category: k for k, category in enumerate(sorted(names))}
    unknown = {category for _, category in seen} - set(column)
    if unknown:
        raise ValueError(f"{paths[0]}: expected categories {sorted(column)}, got {sorted(unknown)[0]}")
    labels = np.zeros((len(row), len(column)), dtype=bool)
    labels[[i for i, _ in seen], [column[category] for _, category in seen]] = True
    return labels, [names[category] for category in sorted(names)]


def _without_outlines(record: dict[str, Any]) -> dict[str, Any]:
    record.pop("segmentation", None)  # nine tenths of the memory
    record.pop("bbox", None)
    return record
