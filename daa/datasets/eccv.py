"""The package `eccv_caption`: the order of the COCO 5K test split, and what people verified to match in it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

import numpy as np
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
