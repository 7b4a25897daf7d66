"""Who computes the blocks of queries of an evaluation: this process, several of this machine, or a cluster."""

from __future__ import annotations

import logging
import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future, ProcessPoolExecutor
from contextlib import contextmanager
from multiprocessing import get_context, parent_process
from typing import Any

import numba
import torch
from threadpoolctl import threadpool_limits

from daa.distribution import install

SECONDS_TO_ANSWER = 5.0  # of a scheduler
Workers = int | str | Executor | None


@contextmanager
def open_workers(workers: Workers) -> Iterator[Executor | None]:
    """What computes blocks of queries: None for this process, or an executor.

    Args:
        workers: None; how many processes to start on this machine, of one thread each, until this is closed; the
            address of a running Dask scheduler, such as `"tcp://host:8786"`; or an executor, which stays open. (A
            script that starts processes needs the line `if __name__ == "__main__":`, as always in Python.)

    Raises:
        ValueError: for anything else.
        ModuleNotFoundError: for an address, if Dask is not installed.
        ConnectionError: if there is no such scheduler, or it has no workers.
    """
    if workers is None or isinstance(workers, Executor):
        yield workers
    elif isinstance(workers, str):
        with _cluster(workers) as executor:
            yield executor
    elif isinstance(workers, int) and not isinstance(workers, bool) and workers >= 1:
        with Processes(workers) as executor:
            yield executor
    else:
        raise ValueError(
            "workers: expected a number of processes from 1, the address of a Dask scheduler or a "
            f"concurrent.futures.Executor, got {workers!r}"
        )


class Processes(Executor):
    """Processes of one thread each on this machine, which can be started again where one was killed.

    They listen nowhere: tasks reach them through pipes of this process.
    """

    def __init__(self, n: int) -> None:
        self.n = n
        self._start()

    def _start(self) -> None:
        self._pool = ProcessPoolExecutor(self.n, mp_context=get_context("spawn"), initializer=_begin)

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future:
        return self._pool.submit(fn, *args, **kwargs)

    def restart(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._start()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        self._pool.shutdown(wait=wait, cancel_futures=cancel_futures)


def _begin() -> None:
    """One thread; Ctrl-C is for the process that started this one, and this one ends with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threadpool_limits(1)
    torch.set_num_threads(1)
    numba.set_num_threads(1)
    threading.Thread(target=_end_with_parent, daemon=True).start()


def _end_with_parent() -> None:
    parent = parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)


@contextmanager
def _cluster(address: str) -> Iterator[Executor]:
    """The Dask cluster whose scheduler listens at this address."""
    _check_that_it_answers(address)
    try:
        from distributed import Client
    except ModuleNotFoundError:
        raise ModuleNotFoundError(
            f"workers: a Dask scheduler's address needs the package dask; {install('dask')}"
        ) from None
    client = Client(address, timeout=SECONDS_TO_ANSWER, set_as_default=False)
    try:
        try:
            client.wait_for_workers(1, timeout=SECONDS_TO_ANSWER)
        except TimeoutError:
            raise ConnectionError(
                f"scheduler: {address} has no worker; start some with `dask worker {address}`"
            ) from None
        yield client.get_executor(pure=False)
    finally:
        log = logging.getLogger("distributed")  # whose lines on the way to an error say it once more
        before = log.level
        log.setLevel(logging.CRITICAL)
        client.close()
        log.setLevel(before)


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
