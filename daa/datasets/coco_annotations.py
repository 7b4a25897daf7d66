"""What people said of COCO's images: the test split's order, what they verified to match in it, and what they saw."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool
from scipy import sparse

from daa.corpus import CaptionCorpus, Truth


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
