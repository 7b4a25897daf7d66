"""What an evaluation sends to the workers of a cluster: a pass without the matrices in memory, and pieces of those."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import dataclass
from mmap import mmap
from typing import Any

import numba
import numpy as np
import torch

from daa.evaluation.sources import EnsembleScores
from daa.metrics.inputs import Blocks, Queries
from daa.metrics.stream import Pass

_ONE_AT_A_TIME = threading.Lock()  # the compiled kernels of one process take turns, each on all threads of its worker


@dataclass
class Job:
    """A pass as it is sent to workers: matrices in memory left out, since each task brings its own part."""

    one_pass: Pass

    def __init__(self, one_pass: Pass) -> None:
        relevance = {key: _sendable(blocks) for key, blocks in one_pass.relevance.items()}
        self.one_pass = one_pass._replace(scores=_sendable(one_pass.scores), relevance=relevance)

    def values(self, queries: Queries, pieces: Mapping[str, Any] | None) -> dict[Any, np.ndarray]:
        from distributed import get_worker

        with _ONE_AT_A_TIME:
            n_threads = get_worker().state.nthreads
            numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
            torch.set_num_threads(n_threads)
            ready = self.one_pass
            if pieces:
                ready = ready._replace(
                    scores=_filled(ready.scores, pieces.get("scores")),
                    relevance={
                        key: _filled(one, pieces.get(f"relevance {key}")) for key, one in ready.relevance.items()
                    },
                )
            return ready.values(queries)


def taken(job: Job) -> None:
    """A task that only needs the job to be where it runs."""


def _filled(blocks: Blocks, part: Any) -> Blocks:
    return blocks if part is None else _Piece(blocks.argument, blocks.shape, part)


def pieces_of(one_pass: Pass, queries: Queries) -> dict[str, Any]:
    """Those queries of every matrix that is in memory."""
    named = {"scores": one_pass.scores} | {f"relevance {key}": one for key, one in one_pass.relevance.items()}
    parts = {
        key: blocks._part(one_pass.direction, queries)
        for key, blocks in named.items()
        if isinstance(_sendable(blocks), _Piece)
    }
    return {
        key: np.ascontiguousarray(part) if isinstance(part, np.ndarray) else part.contiguous()
        for key, part in parts.items()
    }


def _sendable(blocks: Blocks) -> Blocks:
    if isinstance(blocks, EnsembleScores):
        systems = [_sendable(one) for one in blocks.systems]
        held = any(isinstance(one, _Piece) for one in systems)
        return _Piece(blocks.argument, blocks.shape) if held else EnsembleScores(systems)
    if type(blocks) is not Blocks:
        return blocks
    mapped = _Mapped.of(blocks)
    return mapped if mapped is not None else _Piece(blocks.argument, blocks.shape)


class _Piece(Blocks):
    """One block of queries of a matrix that is elsewhere."""

    def __init__(self, argument: str, shape: tuple[int, int], part: Any = None) -> None:
        self.argument, self.shape, self.part = argument, shape, part

    def _part(self, direction: str, queries: Queries) -> Any:
        return self.part


class _Mapped(Blocks):
    """A memory-mapped matrix, or a view of one, that travels as the place of its entries in the file."""

    def __init__(self, argument: str, path: str, dtype: np.dtype, shape: tuple, strides: tuple, offset: int) -> None:
        self.argument, self.path, self.dtype = argument, path, dtype
        self.shape, self.strides, self.offset = shape, strides, offset

    @classmethod
    def of(cls, blocks: Blocks) -> _Mapped | None:
        """None for a matrix that is not in a file, or not as it is there."""
        matrix = root = blocks.matrix
        while isinstance(root, np.ndarray) and isinstance(root.base, np.ndarray):
            root = root.base
        if (
            not (isinstance(root, np.memmap) and isinstance(root.base, mmap) and root.mode == "r")
            or root.filename is None
        ):
            return None
        offset = root.offset + matrix.__array_interface__["data"][0] - root.__array_interface__["data"][0]
        path = os.path.abspath(root.filename)
        return cls(blocks.argument, path, matrix.dtype, blocks.shape, matrix.strides, offset)

    @property
    def matrix(self) -> np.ndarray:  # type: ignore[override]
        if "_matrix" not in self.__dict__:
            whole = np.memmap(self.path, np.uint8, mode="r")
            self._matrix = np.ndarray(self.shape, self.dtype, whole, self.offset, self.strides)
        return self._matrix

    def __getstate__(self) -> dict[str, Any]:
        return {key: value for key, value in self.__dict__.items() if key != "_matrix"}
