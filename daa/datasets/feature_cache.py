"""Features of a frozen encoder, written once in SCAN's layout, to be trained on from the disk afterwards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np

from daa.corpus import CaptionCorpus
from daa.datasets.folder import require_space
from daa.files import atomic_write, write_json

SAVE_EVERY = 64_000_000  # bytes; what an interruption can cost


def write_features(
    folder: str | PathLike[str],
    split: str,
    rows: Callable[[int], Iterable[Any]],
    corpus: CaptionCorpus,
    *,
    dtype: str = "float16",
    made_by: str = "",
) -> Path:
    """Write `{split}_ims.npy`, one row an image of the corpus, with its captions and identifiers beside it.

    `load_dataset("precomputed", split=split, root=folder)` reads them back. Interrupted, the same call goes on where it
    stopped: the rows lie in `{split}_ims.npy.part`, their number in `{split}_ims.npy.part.json`.

    Args:
        folder: where to.
        split: the first part of the files' names.
        rows: called once with the index of the first image that is wanted; gives blocks [images, places, features] of
            images in the corpus's order from there on.
        corpus: the captions; in the files those of one image follow one another, and images keep their order.
        dtype: `"float16"` or `"float32"`.
        made_by: what made the features, such as the encoder, its weights and the picture's size. Rows of anything else
            are not continued.

    Returns:
        the path of `{split}_ims.npy`, which takes its name last.

    Raises:
        ValueError: if the blocks are not one row an image, not finite in `dtype`, or other features lie there already.
    """
    if dtype not in ("float16", "float32"):
        raise ValueError(f'dtype: expected "float16" or "float32", got {dtype!r}')
    target = Path(folder) / f"{split}_ims.npy"
    made_of = {"made_by": made_by, "dtype": dtype, "images": corpus.n_images, "captions": _digest(corpus)}
    record = target.with_name(f"{split}_ims.json")
    if target.is_file():
        if _read(record) == made_of:
            return target
        raise ValueError(
            f"{target}: holds features of other images or of another encoder; remove it or write elsewhere"
        )
    target.parent.mkdir(parents=True, exist_ok=True)
    part, notes = target.with_name(target.name + ".part"), target.with_name(target.name + ".part.json")
    n_done = _write_rows(part, notes, rows, made_of)
    if n_done != corpus.n_images:
        raise ValueError(f"rows: expected one row for each of {corpus.n_images} images, got {n_done}")
    _write_captions(target.parent, split, corpus)
    write_json(record, made_of)
    part.replace(target)
    notes.unlink(missing_ok=True)
    return target


def _write_rows(part: Path, notes: Path, rows: Callable[[int], Iterable[Any]], made_of: dict[str, Any]) -> int:
    """Append to what an earlier call has left; the number of rows that are there in the end."""
    dtype, n = np.dtype(made_of["dtype"]), made_of["images"]
    state = _read(notes)
    if not part.is_file() or {key: state.get(key) for key in made_of} != made_of:
        state = {**made_of, "done": 0}
    with open(part, "r+b" if part.is_file() else "w+b") as file:
        done, unsaved = state["done"], 0
        file.truncate(state["bytes"] if done else 0)
        file.seek(0, os.SEEK_END)
        for block in rows(done) if done < n else ():
            with np.errstate(over="ignore"):  # it is refused below
                values = np.asarray(block, dtype=np.float32).astype(dtype)
            row = state.get("row") or (list(values.shape[1:]) if values.ndim == 3 else ["places", "features"])
            if list(values.shape[1:]) != row:
                expected = ", ".join(map(str, row))
                raise ValueError(f"rows: expected blocks [images, {expected}], got shape {values.shape}")
            state["row"] = row
            if done + len(values) > n:
                raise ValueError(f"rows: expected one row for each of {n} images, got more")
            if not np.isfinite(values).all():
                raise ValueError(f"rows: expected finite numbers, got others in {dtype} from image {done} on")
            if done == 0:
                require_space(part.parent, n * values[0].nbytes, part.name.removesuffix(".part"))
                header = {"descr": dtype.str, "fortran_order": False, "shape": (n, *values.shape[1:])}
                np.lib.format.write_array_header_1_0(file, header)
            file.write(np.ascontiguousarray(values).tobytes())
            done, unsaved = done + len(values), unsaved + values.nbytes
            if unsaved >= SAVE_EVERY or done == n:
                unsaved = 0
                _save(file, notes, state, done)
    return done


def _save(file: BinaryIO, notes: Path, state: dict[str, Any], done: int) -> None:
    """The rows first, and on the disk; then their number."""
    file.flush()
    os.fsync(file.fileno())
    state.update(done=done, bytes=file.tell())
    write_json(notes, state)


def _write_captions(folder: Path, split: str, corpus: CaptionCorpus) -> None:
    order = corpus.captions_by_image.captions
    columns = {
        f"{split}_caps.txt": [" ".join(corpus.captions[c].split()) for c in order],
        f"{split}_ids.txt": corpus.image_ids[corpus.image_of_caption[order]].tolist(),
        f"{split}_caption_ids.txt": corpus.caption_ids[order].tolist(),
    }
    for name, lines in columns.items():
        with atomic_write(folder / name) as aside:
            aside.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")


def _read(path: Path) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return content if isinstance(content, dict) else {}


def _digest(corpus: CaptionCorpus) -> str:
    """Of all that the files say besides the features."""
    parts = (corpus.image_ids.tolist(), corpus.image_of_caption.tolist(), corpus.caption_ids.tolist(), corpus.captions)
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:16]
