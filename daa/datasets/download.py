"""One file from the network: resumed where it broke off, checked before it takes its name.

pooch, which the rest of the field uses, starts a broken 13 GB archive again from its first byte; so the transfer is
done here, with requests (which knows proxies and certificates), and nothing but `fetch` touches the network.
"""

from __future__ import annotations

import errno
import os
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

import requests

from daa.datasets.receive import Job, file_digest, persist
from daa.datasets.space import DownloadError, NoSpaceError, readable, require_space

MIRROR_VARIABLE = "DAA_MIRROR"


def fetch(
    url: str | Sequence[str],
    path: str | os.PathLike[str],
    *,
    size: int | None = None,
    sha256: str | None = None,
    md5: str | None = None,
    check: Callable[[Path], None] | None = None,
    timeout: int | float = 30.0,
    retries: int = 5,
    mirror: str | None = None,
    progress: Callable[[int, int | None], None] | None = None,
    stop: threading.Event | None = None,
    session: requests.Session | None = None,
) -> Path:
    """Download a file, unless it is there already and right.

    Bytes go to `<path>.part`; a later call asks only for the rest, if the server still has the same file (`If-Range`
    with its ETag or date). The file takes its name after its size, checksum and `check` have held, and not before.

    Args:
        url: where it is; several are tried in their order.
        path: where it goes.
        size: its bytes, where known.
        sha256: its SHA-256, where published, in hexadecimal.
        md5: its MD5, likewise.
        check: looks at the finished file and raises ValueError if its content cannot be right.
        timeout: seconds without a byte after which a connection counts as broken; a server that sends fewer than
            1,000 bytes a second over a minute is given up.
        retries: how often to try again in a row without getting a byte.
        mirror: a base address that stands in for all servers: `https://host/a` is asked for as `<mirror>/host/a`, the
            layout that `wget -x` leaves behind. By default the environment variable `DAA_MIRROR`.
        progress: called with the bytes that are there and the bytes in all, if known.
        stop: when set, by another thread, the download ends with KeyboardInterrupt; the part stays.
        session: a connection to use again.

    Returns:
        `path`.

    Raises:
        DownloadError: in one line, what went wrong and what to do; the part that is sound stays for the next call.
    """
    target = Path(path)
    job = Job(target, size, sha256, md5, check, timeout, retries, progress, stop)
    if _is_there(job):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(job.part.with_name(f".{job.part.name}.lock"), job.stop):
            if not _is_there(job):  # another process may have got it meanwhile
                with nullcontext(session) if session else requests.Session() as connection:
                    _first_that_has_it(job, [url] if isinstance(url, str) else list(url), mirror, connection)
    except DownloadError:
        raise
    except OSError as error:  # of this machine; those of the network are told apart in _receive
        raise _local_trouble(job, error) from None
    return target


def mirrored(url: str, mirror: str | None = None) -> str:
    """The address that is asked in place of `url`.

    >>> mirrored("http://images.cocodataset.org/zips/val2014.zip", "http://localhost:8000/")
    'http://localhost:8000/images.cocodataset.org/zips/val2014.zip'
    """
    base = mirror or os.environ.get(MIRROR_VARIABLE)
    if not base:
        return url
    return f"{base.rstrip('/')}/{url.split('://', 1)[-1]}"


def _is_there(job: Job) -> bool:
    if not job.target.is_file():
        return False
    fault = job.fault(job.target)
    if fault is not None:
        raise DownloadError(f"{job.target}: {fault}; remove this file, and the same command gets it again")
    return True


def _first_that_has_it(job: Job, urls: list[str], mirror: str | None, session: requests.Session) -> None:
    faults = []
    for url in urls:
        try:
            return persist(job, mirrored(url, mirror), session)
        except DownloadError as error:
            faults.append(str(error))
    raise DownloadError(" / ".join(faults))


def _local_trouble(job: Job, error: OSError) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(
            f"{job.target}: the disk is full; {readable(job.here())} of the file are kept, "
            f"make room and the same command goes on from there"
        )
    return DownloadError(f"{job.target}: cannot be written ({error.strerror or error})")


@contextmanager
def locked(path: Path, stop: threading.Event, waiting: Callable[[], object] = lambda: None) -> Iterator[None]:
    """What the lock `path` stands for, for this process alone: a second one waits until the first is done.

    Args:
        path: a file of its own, removed again.
        stop: when set, by another thread, ends the waiting with KeyboardInterrupt.
        waiting: called once if there is another process to wait for.
    """
    try:
        import fcntl
    except ImportError:  # not on this system: checksums must do
        yield
        return
    told = False
    while True:
        with open(path, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if stop.is_set():
                    raise KeyboardInterrupt from None
                if not told:
                    waiting()
                    told = True
                time.sleep(0.1)
                continue
            except OSError:  # a file system without locks, as those of clusters may be: checksums must do
                pass
            if not _is_open_as(lock, path):  # removed while this process waited for it
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def _is_open_as(file: IO[bytes], path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


__all__ = ["DownloadError", "NoSpaceError", "fetch", "file_digest", "locked", "mirrored", "readable", "require_space"]
