"""Where the blocks of queries of an evaluation are computed: in this process, or as tasks of a Dask cluster.

Both compute the same blocks by the same code and join them in the same order, so their numbers are the same bits (on
machines whose matrix products round alike, where scores are products of embeddings).
"""

from __future__ import annotations

import logging
import os
import socket
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import contextmanager
from itertools import islice
from typing import Any

import numpy as np

from daa.distribution import install
from daa.evaluation.sending import Job, pieces_of, taken
from daa.metrics.inputs import Queries
from daa.metrics.stream import Pass, Runner, n_queries_of, one_after_another

ENGINES = ("local", "dask")
SECONDS_TO_ANSWER = 5.0  # of a scheduler
SECONDS_TO_RETURN = 120.0  # of a worker after all of them were lost
ALLOWED_FAILURES = 5  # how many workers a block may lose before it is blamed


class DaskEngine:
    """Runs blocks of queries on a Dask cluster; close it, or use it in a `with` statement.

    Memory-mapped matrices are opened by each worker under their path, so the file has to be there for all of them.
    Embeddings and fitted relevances are sent to every worker once. Of a matrix in memory each task gets its own rows or
    columns. If workers die, others compute their blocks again.

    Args:
        scheduler: address of a running scheduler, such as `"tcp://host:8786"`; by default a cluster of processes is
            started on this machine, for as long as the engine is open. (A script that does so needs the line
            `if __name__ == "__main__":`, as for every use of processes in Python.)
        n_workers: how many processes that cluster has; by default one a core.

    Raises:
        ModuleNotFoundError: if Dask is not installed.
        ConnectionError: if there is no such scheduler, or it has no workers.
    """

    def __init__(self, scheduler: str | None = None, n_workers: int | None = None) -> None:
        self._cluster: Any = None
        self.scheduler, self.n_workers = scheduler, n_workers or os.cpu_count() or 1
        if scheduler is not None:
            _check_that_it_answers(scheduler)
        self._open()

    def _open(self) -> None:
        try:
            import dask
            import distributed
        except ModuleNotFoundError:
            raise ModuleNotFoundError(f'engine: "dask" needs the package dask; {install("dask")}') from None
        if self.scheduler is None:
            with dask.config.set({"distributed.scheduler.allowed-failures": ALLOWED_FAILURES}):
                self._cluster = distributed.LocalCluster(
                    n_workers=self.n_workers,
                    threads_per_worker=1,
                    host="127.0.0.1",
                    dashboard_address="127.0.0.1:0",
                    memory_limit=0,
                    silence_logs=logging.CRITICAL,
                )
        place = self._cluster or self.scheduler
        self.client = distributed.Client(place, timeout=SECONDS_TO_ANSWER, set_as_default=False)
        try:
            self._wait_for_a_worker(SECONDS_TO_ANSWER)
        except BaseException:
            self.close()
            raise

    def _recover(self) -> None:
        """Have workers again: those of a cluster elsewhere return by themselves, one started here is started anew."""
        if self._cluster is None:
            self._wait_for_a_worker(SECONDS_TO_RETURN)
        else:
            self.close()
            self._open()

    def __call__(
        self, one_pass: Pass, blocks: Sequence[Queries], progress: Callable[[int], None]
    ) -> list[dict[Any, np.ndarray]]:
        """The values of each block of queries, in order; a `Runner`."""
        from distributed.comm import CommClosedError

        done: dict[int, dict[Any, np.ndarray]] = {}
        for _ in range(ALLOWED_FAILURES):
            try:
                self._run(one_pass, blocks, done, progress)
                return [done[i] for i in range(len(blocks))]
            except (CancelledError, CommClosedError, TimeoutError):  # what was sent went with a worker: send it again
                self._recover()
        raise ConnectionError(f"dask: all workers were lost {ALLOWED_FAILURES} times; is their memory enough?")

    def _run(
        self,
        one_pass: Pass,
        blocks: Sequence[Queries],
        done: dict[int, dict[Any, np.ndarray]],
        progress: Callable[[int], None],
    ) -> None:
        """Add to `done` what is missing, with few tasks under way at a time since each may hold its rows."""
        from distributed import KilledWorker, as_completed, fire_and_forget

        client = self.client
        job = self._sent(Job(one_pass))
        # Every worker takes a copy as it takes what any task needs. `broadcast=True` waits for ever for one that dies.
        for worker in client.nthreads():
            where = {"workers": [worker], "allow_other_workers": True}
            fire_and_forget(client.submit(taken, job, pure=False, priority=1, **where))
        missing = iter([i for i in range(len(blocks)) if i not in done])
        under_way: dict[Any, int] = {}

        def submit(i: int) -> Any:
            pieces = pieces_of(one_pass, blocks[i])
            sent = self._sent(pieces) if pieces else None
            future = client.submit(Job.values, job, blocks[i], sent, pure=False)
            under_way[future.key] = i
            return future

        try:
            first = [submit(i) for i in islice(missing, 2 * len(client.nthreads()))]
            running = as_completed(first, loop=client.loop)
            for future in running:
                i = under_way.pop(future.key)
                done[i] = future.result()
                progress(n_queries_of(blocks[i]))
                for following in islice(missing, 1):
                    running.add(submit(following))
        except KilledWorker as error:
            raise ConnectionError(
                f"dask: a block of queries killed its workers; is their memory enough? ({error})"
            ) from None
        except ModuleNotFoundError as error:
            raise ConnectionError(f"dask: the workers need the same packages as this process: {error}") from None
        except FileNotFoundError as error:
            raise FileNotFoundError(f"scores: the file has to be there for every worker: {error}") from None

    def _sent(self, value: Any) -> Any:
        """The value, on some worker; a worker that dies meanwhile is as if it had died with it."""
        from distributed.comm import CommClosedError

        try:
            [future] = self.client.scatter([value], hash=False)
        except OSError as error:
            raise CommClosedError(str(error)) from error
        return future

    def _wait_for_a_worker(self, seconds: float) -> None:
        try:
            self.client.wait_for_workers(1, timeout=seconds)
        except TimeoutError:
            address = self.client.scheduler_info()["address"]
            raise ConnectionError(
                f"scheduler: {address} has no worker; start some with `dask worker {address}`"
            ) from None

    def close(self) -> None:
        """Disconnect, and stop the cluster if it was started here."""
        with _quiet("distributed"):
            self.client.close()
            if self._cluster is not None:
                self._cluster.close()

    def __enter__(self) -> DaskEngine:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def open_engine(engine: str | Runner, scheduler: str | None = None) -> Iterator[Runner]:
    """What runs the blocks of queries: `"local"`, `"dask"` (closed afterwards), or a runner, which stays open.

    Raises:
        ValueError: for another name, or a scheduler where none is used.
    """
    if isinstance(engine, str) and engine not in ENGINES:
        raise ValueError(f"engine: expected one of {', '.join(ENGINES)}, got {engine!r}")
    if scheduler is not None and engine != "dask":
        raise ValueError('scheduler: expected one with engine "dask" only')
    if not isinstance(engine, str):
        yield engine
    elif engine == "local":
        yield one_after_another
    else:
        with DaskEngine(scheduler) as opened:
            yield opened


def _check_that_it_answers(scheduler: str) -> None:
    """Refuse an address where nobody listens at once and in one line, which Dask's own client does not."""
    protocol, separator, place = scheduler.partition("://")
    host, _, port = place.rstrip("/").rpartition(":")
    try:
        if protocol == "inproc":  # a cluster within this process
            return
        if not separator or not host or not port.isdecimal():
            raise ValueError("that is no address")
        socket.create_connection((host.strip("[]"), int(port)), timeout=SECONDS_TO_ANSWER).close()
    except (OSError, OverflowError, ValueError) as error:
        raise ConnectionError(
            f"scheduler: no Dask scheduler answers at {scheduler} ({error}); start one with `dask scheduler`, and give "
            f"its address as tcp://host:port"
        ) from None


@contextmanager
def _quiet(logger: str) -> Iterator[None]:
    """Without a library's own lines on the way to an error that is raised anyway."""
    log = logging.getLogger(logger)
    before = log.level
    log.setLevel(logging.CRITICAL)
    try:
        yield
    finally:
        log.setLevel(before)
