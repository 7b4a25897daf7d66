"""Features of a frozen encoder, written once in SCAN's layout, to be trained on from the disk afterwards."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import replace
from os import PathLike
from pathlib import Path
from typing import Any, BinaryIO
from zipfile import BadZipFile

import numpy as np
from scipy import sparse

from daa.corpus import CaptionCorpus, Truth
from daa.files import atomic_write, require_space, write_json

SAVE_EVERY, SAVE_IMAGES = 64_000_000, 256  # bytes and images, whichever come first: what an interruption can cost
_SIDES = ("i2t", "t2i", "judged")


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

    What else the corpus knows, its further truths and its labels, goes to `{split}_truths.npz`.
    `load_dataset("precomputed", split=split, root=folder)` reads it all back. Interrupted, the same call goes on where
    it stopped: the rows lie in `{split}_ims.npy.part`, their number in `{split}_ims.npy.part.json`.

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
    write_truths(truths_path(target.parent, split), corpus)
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
        done = saved = state["done"]
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
            done += len(values)
            if done - saved >= min(SAVE_IMAGES, SAVE_EVERY / values[0].nbytes) or done == n:
                saved = done
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


def truths_path(folder: Path, split: str) -> Path:
    """Where the truths of a split lie beside its captions, an addition of ours to SCAN's layout."""
    return folder / f"{split}_truths.npz"


def write_truths(path: Path, corpus: CaptionCorpus) -> None:
    """Write truths and labels of a corpus whose captions are written image by image; nothing if it has none."""
    order = corpus.captions_by_image.captions
    truths = dict(corpus.truths) if corpus.positives is None else {"": Truth(corpus.positives), **corpus.truths}
    if not truths and corpus.labels is None:
        return
    arrays: dict[str, np.ndarray] = {"names": np.array(list(truths), dtype=str)}
    for t, truth in enumerate(truths.values()):
        for side in _SIDES:
            if (matrix := getattr(truth, side)) is not None and not (side == "t2i" and matrix is truth.i2t):
                moved = sparse.csr_array(matrix)[:, order]
                arrays |= {f"{t}.{side}.indptr": moved.indptr, f"{t}.{side}.indices": moved.indices}
        for direction, counts in truth.outside.items():
            arrays[f"{t}.outside.{direction}"] = np.asarray(counts)[order if direction == "t2i" else slice(None)]
    if corpus.labels is not None:
        arrays |= {"labels": corpus.labels, "label_names": np.array(corpus.label_names, dtype=str)}
    with atomic_write(path) as aside, open(aside, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]  # allow_pickle is none of them


def with_truths(corpus: CaptionCorpus, path: Path) -> CaptionCorpus:
    """A corpus with the truths and labels that `write_truths` left, if it left any.

    Raises:
        ValueError: if they are not of this corpus.
    """
    if not path.is_file():
        return corpus
    shape = corpus.n_images, corpus.n_captions
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = dict(file)
        truths: dict[str, Truth] = {}
        for t, name in enumerate(arrays["names"].tolist()):
            sides = {
                side: sparse.csr_array(
                    (
                        np.ones(len(indices := arrays[f"{t}.{side}.indices"]), bool),
                        indices,
                        arrays[f"{t}.{side}.indptr"],
                    ),
                    shape=shape,
                )
                for side in _SIDES
                if f"{t}.{side}.indices" in arrays
            }
            outside = {d: arrays[f"{t}.outside.{d}"] for d in ("i2t", "t2i") if f"{t}.outside.{d}" in arrays}
            truths[name] = Truth(**sides, outside=outside)
        positives = truths.pop("").i2t if "" in truths else None
        labels = {key: arrays[key] for key in ("labels",) if key in arrays}
        names = arrays["label_names"].tolist() if labels else ()
        return replace(corpus, truths=truths, positives=positives, label_names=names, **labels)
    except (ValueError, KeyError, OSError, EOFError, IndexError, BadZipFile) as error:
        raise ValueError(
            f"{path}: expected the truths of {corpus.name}, got {error}; make the features again"
        ) from None


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
