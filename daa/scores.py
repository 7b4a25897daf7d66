"""Reading somebody's similarity matrix from a file, without executing anything in it."""

from __future__ import annotations

import pickle
import warnings
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np

SUFFIXES = (".npy", ".npz", ".safetensors", ".pt", ".pth")
ORIENTATIONS = ("auto", "i2t", "t2i")


def read_matrix(path: str | PathLike, key: str | None = None, argument: str = "scores") -> Any:
    """A numpy array or torch tensor from a file; `.npy` stays on disk and is read as needed.

    Args:
        path: `.npy`, `.npz`, `.safetensors`, `.pt` or `.pth`. Pickled objects other than tensors are refused.
        key: which array, in a file of several.
        argument: what error messages call it.

    Raises:
        ValueError: if the file is not what its name says, or is cut short, or holds several arrays and no `key` is
            given.
        FileNotFoundError: if there is no such file.
    """
    file = check_matrix_file(path, argument)
    readers = {
        ".npz": _read_npz,
        ".safetensors": _read_safetensors,
        ".pt": _read_pt,
        ".pth": _read_pt,
    }
    try:
        if file.suffix.lower() == ".npy":
            return np.load(file, mmap_mode="r", allow_pickle=False)
        return readers[file.suffix.lower()](file, key)
    except _NoSuchArray as error:
        raise ValueError(f"{argument}: {file} {error}") from None
    except pickle.UnpicklingError:
        reason = "only tensors are read"
    except Exception as error:  # a hostile file can make its parser raise anything
        reason = str(error).strip().split("\n")[0][:200] or type(error).__name__
    raise ValueError(
        f"{argument}: {file} is not a readable {file.suffix} file of plain numbers, it may be cut short or hold "
        f"Python objects ({reason}); save it again, for example with numpy.save"
    )


def check_matrix_file(path: str | PathLike, argument: str = "scores") -> Path:
    """The file, if there is one that `read_matrix` may read; nothing is loaded to see that.

    Raises:
        ValueError: for a folder, or a file of another suffix.
        FileNotFoundError: if there is no such file.
    """
    file = Path(path)
    if file.is_dir():
        raise ValueError(f"{argument}: expected a file, but {file} is a folder")
    if not file.is_file():
        raise FileNotFoundError(f"{argument}: there is no file {file}")
    if file.suffix.lower() not in SUFFIXES:
        raise ValueError(f"{argument}: expected a file ending in {', '.join(SUFFIXES)}, got {file}")
    return file


class _NoSuchArray(Exception):
    """The file is sound, but which of its arrays is meant is not clear."""


def _pick(names: list[str], key: str | None) -> str:
    if key is None and len(names) == 1:
        return names[0]
    if not names:
        raise _NoSuchArray("holds no array; expected one of numbers, [images, captions]")
    if key is None or key not in names:
        wanted = "which array is not said" if key is None else f"no array {key!r}"
        raise _NoSuchArray(f"holds {', '.join(names)}, and {wanted}; name one with the key option")
    return key


def _read_npz(file: Path, key: str | None) -> np.ndarray:
    with np.load(file, allow_pickle=False) as arrays:
        return arrays[_pick(arrays.files, key)]


def _read_safetensors(file: Path, key: str | None) -> Any:
    from safetensors import safe_open  # which, like torch, is loaded only once a file is there to be read

    with safe_open(file, framework="pt") as tensors:
        return tensors.get_tensor(_pick(list(tensors.keys()), key))


def _read_pt(file: Path, key: str | None) -> Any:
    import torch

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # about the pickle protocol of a file that is then refused
        content = torch.load(file, map_location="cpu", weights_only=True)
    if isinstance(content, dict):
        tensors = {str(name): value for name, value in content.items() if isinstance(value, torch.Tensor)}
        content = tensors[_pick(list(tensors), key)]
    if not isinstance(content, torch.Tensor):
        raise TypeError(f"it holds a {type(content).__name__}, not a tensor")
    if content.layout != torch.strided or content.is_quantized or content.is_meta:
        raise TypeError("its tensor is sparse, quantized or without data, not dense")
    return content


def is_transposed(
    came: tuple[int, ...], shape: tuple[int, int], orientation: str = "auto", argument: str = "scores", like: str = ""
) -> bool:
    """Whether a matrix has to be transposed to be [images, captions].

    Args:
        came: the shape of what `read_matrix` gave.
        shape: images and captions of the corpus.
        orientation: `"i2t"` says that rows are images, `"t2i"` that rows are captions; `"auto"` looks at the shape and
            takes a square matrix as `"i2t"`.
        argument: what error messages call it.
        like: whose images and captions are expected, for error messages.

    Raises:
        ValueError: if the shape does not fit in the orientation asked for.

    >>> is_transposed((6, 2), (2, 6))
    True
    """
    if orientation not in ORIENTATIONS:
        raise ValueError(f"orientation: expected one of {', '.join(ORIENTATIONS)}, got {orientation!r}")
    came = tuple(int(side) for side in came)
    transposed = orientation == "t2i" or (orientation == "auto" and came != shape and came == shape[::-1])
    expected = shape[::-1] if transposed else shape
    if came != expected:
        hint = "; it looks transposed, orientation auto would take it" if came == expected[::-1] else ""
        rows, columns = ("captions", "images") if transposed else ("images", "captions")
        raise ValueError(
            f"{argument}: expected [{expected[0]} {rows}, {expected[1]} {columns}]{like and f' like {like}'}, "
            f"got shape {came}{hint}"
        )
    return transposed
