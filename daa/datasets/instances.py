"""Which object categories COCO's annotators saw in an image: what plausible-match R-Precision compares."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool


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
