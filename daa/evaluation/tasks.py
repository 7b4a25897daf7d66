"""The blocks of queries of an evaluation as tasks of any `concurrent.futures.Executor`.

All compute the same blocks by the same code and join them in the same order, so their numbers are the same bits (on
machines whose matrix products round alike, where scores are products of embeddings).

A task holds all that it needs, so it may run anywhere and be run again. Matrices in a file travel as their place in
it; of those in memory each task takes along its own rows. What remains, a *job*, is pickled once. A small one goes with
every task. A large one (embeddings, a fitted relevance) is kept by each process that has seen it; one that has not says
so, and a following task brings it.
"""

from __future__ import annotations

import os
import pickle
import socket
import sys
import threading
import time
import warnings
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, BrokenExecutor, CancelledError, Executor, Future
from concurrent.futures import wait as wait_for
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from uuid import uuid4

import numba
import numpy as np
import torch

from daa.evaluation.workers import Processes
from daa.matrix import Matrix, Queries
from daa.metrics.queries import Pass, QueryBlock, Runner, Values, n_queries_of

ALLOWED_FAILURES = 5  # how often the processes may end over one block before it is blamed
SMALL_JOB = 1 << 20  # bytes
JOBS_UNDER_WAY = 2  # how many tasks at a time bring a large job along


def runner_on(executor: Executor | None) -> Runner | None:
    """What `per_query` runs its blocks by; None for this process."""
    return None if executor is None else partial(_run, executor)


def _run(executor: Executor, one: Pass, blocks: Sequence[Queries], progress: Callable[[int], None]) -> list[Values]:
    """The values of each block of queries, in order, with few tasks under way at a time since each may hold its rows.

    More are sent as more workers answer: how many an executor has, it does not say.
    """
    token = uuid4().hex
    here = {f"relevance {key}": matrix for key, matrix in one.relevance.items()} | {"scores": one.scores}
    here = {key: matrix for key, matrix in here.items() if not matrix.travels()}
    job = pickle.dumps(_with(one, {key: _Rows(matrix) for key, matrix in here.items()}), protocol=5)
    jobs_wanted = JOBS_UNDER_WAY
    waiting, done, losses = deque(range(len(blocks))), dict[int, Values](), Counter[int]()
    under_way: dict[Future, tuple[int, bool]] = {}
    answered: set[tuple] = set()
    at_first = 2 * executor.n if isinstance(executor, Processes) else 2

    def submit(i: int, bring: bool) -> Future:
        with _ONE_AT_A_TIME:
            rows = {key: matrix.rows(one.direction, blocks[i]) for key, matrix in here.items()}
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", "Sending large graph")  # by Dask; few are under way at a time
            return executor.submit(_values, token, job if bring else None, blocks[i], rows, uuid4().hex)

    try:
        while len(done) < len(blocks):
            try:
                while waiting and len(under_way) < max(at_first, 2 * len(answered)):
                    brought = sum(brings for _, brings in under_way.values())
                    bring = len(job) < SMALL_JOB or (jobs_wanted > 0 and brought < JOBS_UNDER_WAY)
                    future = submit(waiting[0], bring)
                    under_way[future] = waiting.popleft(), bring
                    jobs_wanted -= bring
                for future in wait_for(under_way, return_when=FIRST_COMPLETED).done:
                    worker, values = future.result()
                    i, _ = under_way.pop(future)
                    answered.add(worker)
                    if values is None:
                        waiting.appendleft(i)
                        jobs_wanted = max(jobs_wanted, 0) + 1
                    else:
                        done[i] = values
                        progress(n_queries_of(blocks[i]))
            except BrokenExecutor as error:
                lost = [i for i, _ in under_way.values()] or [waiting[0]]
                under_way.clear()
                losses.update(lost)
                _start_again(executor, losses, error)
                waiting = deque(sorted({*waiting, *lost}))
                jobs_wanted = JOBS_UNDER_WAY
        return [done[i] for i in range(len(blocks))]
    except Exception as error:
        raise _explained(error) from None
    finally:
        for future in under_way:
            future.cancel()
        _KEPT.pop(token, None)  # where a worker is a thread of this process


def _start_again(executor: Executor, losses: Counter[int], error: BrokenExecutor) -> None:
    """New processes for those that ended, if they were started here and no block is to blame."""
    if not isinstance(executor, Processes) or max(losses.values()) >= ALLOWED_FAILURES:
        raise ConnectionError(
            f"workers: the processes ended before their blocks of queries were done ({error}); is their memory enough? "
            'A script that starts some needs the line `if __name__ == "__main__":`'
        )
    executor.restart()


def _explained(error: Exception) -> Exception:
    """An error of a worker, as one line that says what to do where the reason lies in how it was started."""
    killed = getattr(sys.modules.get("distributed"), "KilledWorker", ())
    if isinstance(error, killed):
        return ConnectionError(f"workers: a block of queries killed them; is their memory enough? ({error})")
    if isinstance(error, CancelledError):
        return ConnectionError("workers: the connection to the scheduler was lost; does it still run?")
    if isinstance(error, ModuleNotFoundError):
        return ConnectionError(f"workers: they need the same packages as this process: {error}")
    if isinstance(error, FileNotFoundError):
        return FileNotFoundError(f"scores: the file has to be there for every worker: {error}")
    return error


class _Rows(Matrix):
    """A matrix that stays where it is; a task brings the rows that it needs, or none."""

    def __init__(self, of: Matrix, rows: np.ndarray | None = None) -> None:
        self.argument, self.shape, self._rows = of.argument, of.shape, rows

    def rows(self, direction: str, queries: Queries) -> np.ndarray:
        if self._rows is None:
            raise ValueError(f"{self.argument}: expected the rows of the queries with the task, got none")
        return self._rows if self._rows.flags.writeable else self._rows.copy()

    def select(self, images: slice, captions: np.ndarray) -> Matrix:
        raise NotImplementedError


def _with(one: Pass, matrices: Mapping[str, Matrix]) -> Pass:
    """The pass with other matrices where some are given."""
    relevance = {key: matrices.get(f"relevance {key}", matrix) for key, matrix in one.relevance.items()}
    return replace(one, scores=matrices.get("scores", one.scores), relevance=relevance)


_ONE_AT_A_TIME = threading.Lock()  # the compiled kernels of one process take turns, each on all threads of its worker
_KEPT: dict[str, Pass] = {}  # the last job, by its token


def _values(
    token: str, job: bytes | None, queries: Queries, rows: Mapping[str, np.ndarray], attempt: str
) -> tuple[tuple, Values | None]:
    """Who computed it, and the values of some queries; None if the job is not here.

    Args:
        token: of the job.
        job: the pickled pass, if this task brings it.
        queries: which queries.
        rows: theirs, of every matrix that is not in the job, by name.
        attempt: no two alike, so that Dask takes no old answer.
    """
    worker = socket.gethostname(), os.getpid(), threading.get_ident()
    with _ONE_AT_A_TIME:
        if token not in _KEPT and job is not None:
            _KEPT.clear()
            _KEPT[token] = pickle.loads(job)
        if token in _KEPT:
            one = _KEPT[token]
            named = {"scores": one.scores} | {f"relevance {key}": matrix for key, matrix in one.relevance.items()}
            these = QueryBlock(_with(one, {key: _Rows(named[key], part) for key, part in rows.items()}), queries)
            with _threads_of_the_worker():
                return worker, [these.computed(*asked) for asked in one.asked]
    time.sleep(0.05)  # until another task brings it, without asking all the time
    return worker, None


@contextmanager
def _threads_of_the_worker() -> Iterator[None]:
    """As many threads as a Dask worker was given; any other process keeps what it has."""
    distributed = sys.modules.get("distributed")
    try:
        n_threads = distributed.get_worker().state.nthreads if distributed else None
    except ValueError:  # not within a task of Dask
        n_threads = None
    if n_threads is None:
        yield
        return
    before = numba.get_num_threads(), torch.get_num_threads()
    numba.set_num_threads(min(n_threads, numba.config.NUMBA_NUM_THREADS))  # type: ignore[attr-defined]
    torch.set_num_threads(n_threads)
    try:
        yield
    finally:
        numba.set_num_threads(before[0])
        torch.set_num_threads(before[1])
