"""One file from the network: resumed where it broke off, checked before it takes its name.

pooch, which the rest of the field uses, starts a broken 13 GB archive again from its first byte; so the transfer is
done here, with requests (which knows proxies and certificates), and nothing but `fetch` touches the network.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import shutil
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import IO

import requests

CHUNK = 1 << 14  # bytes; at most so many are lost with a connection
FIRST_WAIT, MAX_WAIT = 1.0, 30.0
MIRROR_VARIABLE = "DAA_MIRROR"


class DownloadError(OSError):
    """A file could not be had; the message says why, and what is kept for the next attempt."""


class NoSpaceError(DownloadError):
    """The disk is full, or would be."""


class _Again(Exception):
    """Something that may pass: a dropped connection, a busy server."""


class _NoServer(_Again):
    """No server was reached at all, which seldom passes within seconds."""


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
        timeout: seconds without a byte after which a connection counts as broken.
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
    job = _Job(target, size, sha256, md5, check, timeout, retries, progress, stop)
    if _is_there(job):
        return target
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with _locked(job.part, job.stop):
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


def require_space(folder: str | os.PathLike[str], n_bytes: int, what: str) -> None:
    """Refuse to begin what the disk cannot hold.

    Raises:
        DownloadError: saying how much is needed and how much is free.
    """
    existing = Path(folder).absolute()
    while not existing.exists():
        existing = existing.parent
    free = shutil.disk_usage(existing).free
    if n_bytes > free:
        raise NoSpaceError(
            f"{folder}: {what} needs {readable(n_bytes)} more, but {readable(free)} are free on that disk; "
            f"make room or choose another folder"
        )


def readable(n_bytes: int | float) -> str:
    """A number of bytes for people.

    >>> readable(999), readable(13_510_573_713)
    ('999 bytes', '13.5 GB')
    """
    if n_bytes < 1000:
        return f"{int(n_bytes)} bytes"
    for unit in ("kB", "MB", "GB"):
        n_bytes /= 1000
        if n_bytes < 1000 or unit == "GB":
            break
    return f"{n_bytes:.1f} {unit}"


class _Job:
    """What is known of one file to be fetched, and its part on disk."""

    def __init__(
        self,
        target: Path,
        size: int | None,
        sha256: str | None,
        md5: str | None,
        check: Callable[[Path], None] | None,
        timeout: int | float,
        retries: int,
        progress: Callable[[int, int | None], None] | None,
        stop: threading.Event | None,
    ) -> None:
        self.target, self.size, self.check = target, size, check
        self.checksums = {name: value for name, value in (("sha256", sha256), ("md5", md5)) if value}
        self.timeout, self.retries = timeout, retries
        self.progress = progress or (lambda done, total: None)
        self.stop = stop or threading.Event()
        self.part = target.with_name(target.name + ".part")
        self.notes = target.with_name(target.name + ".part.json")

    def here(self) -> int:
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        self.part.unlink(missing_ok=True)
        self.notes.unlink(missing_ok=True)

    def validator(self, url: str) -> str | None:
        """What the server called the version that the part is of, or None if that is not known."""
        try:
            notes = json.loads(self.notes.read_text(encoding="utf-8"))
            return notes["validator"] if notes["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def fault(self, path: Path) -> str | None:
        """What is wrong with a finished file, or None."""
        got = path.stat().st_size
        if self.size is not None and got != self.size:
            return f"expected {self.size:,} bytes, got {got:,}"
        for name, expected in self.checksums.items():
            digest = file_digest(path, name, self.stop)
            if digest != expected.lower():
                return f"expected {name} {expected.lower()}, got {digest}"
        if self.check is not None:
            try:
                self.check(path)
            except ValueError as error:
                return str(error)
        return None


def _is_there(job: _Job) -> bool:
    if not job.target.is_file():
        return False
    fault = job.fault(job.target)
    if fault is not None:
        raise DownloadError(f"{job.target}: {fault}; remove this file, and the same command gets it again")
    return True


def file_digest(path: Path, name: str, stop: threading.Event | None = None) -> str:
    """The checksum of a file, in hexadecimal."""
    digest = hashlib.new(name, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt
            digest.update(block)
    return digest.hexdigest()


def _first_that_has_it(job: _Job, urls: list[str], mirror: str | None, session: requests.Session) -> None:
    faults = []
    for url in urls:
        try:
            return _persist(job, mirrored(url, mirror), session)
        except DownloadError as error:
            faults.append(str(error))
    raise DownloadError(" / ".join(faults))


def _persist(job: _Job, url: str, session: requests.Session) -> None:
    """Try one address until the file is whole and right, or there is no hope."""
    failures, restarted = 0, False
    while True:
        if job.stop.is_set():
            raise KeyboardInterrupt
        before = job.here()
        try:
            _receive(job, url, session)
        except _Again as trouble:
            failures = 1 if job.here() > before else failures + 1
            if failures > (min(1, job.retries) if isinstance(trouble, _NoServer) else job.retries):
                kept = (
                    readable(job.here()) + " are kept and the same command goes on from there; " if job.here() else ""
                )
                raise DownloadError(
                    f"{url}: {trouble} (tried {failures} times); {kept}check the network, and HTTPS_PROXY if "
                    f"there is a proxy, or put the file at {job.target} yourself"
                ) from None
            if job.stop.wait(min(MAX_WAIT, FIRST_WAIT * 2 ** (failures - 1))):
                raise KeyboardInterrupt from None
            continue
        fault = job.fault(job.part)
        if fault is None:
            break
        job.discard()
        if before == 0 or restarted:
            raise DownloadError(f"{url}: {fault}; what came was thrown away: the server's file is not the right one")
        restarted = True  # the part may have been of another version: once more, from the first byte
    with open(job.part, "rb+") as file:
        os.fsync(file.fileno())
    job.part.replace(job.target)
    job.notes.unlink(missing_ok=True)


def _receive(job: _Job, url: str, session: requests.Session) -> None:
    """One request, its bytes appended to the part; returns when the part has all of them."""
    here, validator = job.here(), job.validator(url)
    if here and validator is None and not job.checksums:  # nothing would show that two versions were joined
        job.discard()
        here = 0
    headers = {"Accept-Encoding": "identity"}
    if here:
        headers["Range"] = f"bytes={here}-"
        if validator:
            headers["If-Range"] = validator
    try:
        with session.get(url, headers=headers, stream=True, timeout=job.timeout) as response:
            total = _accept(job, url, response, here)
            if total is not None and response.status_code == 416:
                return
            _append(job, url, response, total)
    except requests.exceptions.SSLError as error:
        raise DownloadError(f"{url}: the secure connection was refused ({_reason(error)})") from None
    except (requests.exceptions.InvalidURL, requests.exceptions.InvalidSchema, requests.exceptions.MissingSchema):
        raise DownloadError(f"{url}: expected an address such as http://host/file") from None
    except requests.exceptions.RequestException as error:
        reason = _reason(error)
        raise (_NoServer if reason in _UNREACHED.values() else _Again)(reason) from None


def _accept(job: _Job, url: str, response: requests.Response, here: int) -> int | None:
    """Judge the answer; cut the part to where its bytes belong; return the bytes of the whole file, if known."""
    status = response.status_code
    if status == 416:
        stated = response.headers.get("Content-Range", "").rpartition("/")[2]
        if stated.isdecimal() and int(stated) == here:
            return here
        job.discard()
        raise _Again("the server has another file than the part is of")
    if status in (408, 425, 429) or status >= 500:
        raise _Again(f"the server answers {status} {response.reason}")
    if status not in (200, 206):
        hint = "a proxy or a login stands between" if status in (401, 403, 407) else "it is not there (any more)"
        raise DownloadError(f"{url}: the server answers {status} {response.reason}: {hint}; see `daa data --help`")
    length = "" if _encoded(response) else response.headers.get("Content-Length", "")
    start, total = 0, int(length) if length.isdecimal() else None
    if status == 206:
        span, _, whole = response.headers.get("Content-Range", "").removeprefix("bytes ").partition("/")
        first = span.partition("-")[0]
        if not first.isdecimal() or int(first) != here:
            job.discard()
            raise _Again(f"the server sends bytes from {first or '?'} where {here} was asked for")
        start, total = here, int(whole) if whole.isdecimal() else job.size
    if job.size is not None and total is not None and total != job.size:
        job.discard()
        raise DownloadError(f"{url}: expected {job.size:,} bytes, the server has {total:,}: not the right file")
    if start == 0:
        _begin(job, url, response)
    if total is not None:
        require_space(job.target.parent, total - start, job.target.name)
    return total


def _begin(job: _Job, url: str, response: requests.Response) -> None:
    """An empty part, and what the server calls this version of the file."""
    etag = response.headers.get("ETag", "")
    validator = etag if etag and not etag.startswith("W/") else response.headers.get("Last-Modified")
    if _encoded(response):
        validator = None  # what is here cannot be counted in the server's bytes
    with open(job.part, "r+b" if job.part.exists() else "wb") as file:
        file.truncate(0)
    job.notes.write_text(json.dumps({"url": url, "validator": validator}), encoding="utf-8")


def _encoded(response: requests.Response) -> bool:
    return response.headers.get("Content-Encoding", "identity") != "identity"


def _append(job: _Job, url: str, response: requests.Response, total: int | None) -> None:
    here = job.here()
    job.progress(here, total)
    with open(job.part, "ab") as file:
        for block in response.iter_content(CHUNK):
            if job.stop.is_set():
                raise KeyboardInterrupt
            file.write(block)
            here += len(block)
            job.progress(here, total)
    if total is not None and here != total:  # the header may also promise less than comes
        if here > total:
            job.discard()
        raise _Again(f"the connection broke off after {here:,} of {total:,} bytes")


def _reason(error: BaseException) -> str:
    """What was wrong with a connection, without the libraries' wrapping."""
    text = f"{type(error).__name__} {error}"
    for sign, reason in (_UNREACHED | _BROKEN).items():
        if sign in text:
            return reason
    return " ".join(text.split())[:120]


_UNREACHED = {
    "NameResolutionError": "the name of the server is not known here",
    "Name or service not known": "the name of the server is not known here",
    "getaddrinfo failed": "the name of the server is not known here",
    "ProxyError": "the proxy does not let it through",
    "Connection refused": "the connection is refused",
    "unreachable": "the network cannot be reached",
}
_BROKEN = {
    "timed out": "the server does not answer in time",
    "IncompleteRead": "the connection broke off",
    "reset by peer": "the connection broke off",
    "RemoteDisconnected": "the connection broke off",
    "InvalidChunkLength": "the connection broke off",
}


def _local_trouble(job: _Job, error: OSError) -> DownloadError:
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return NoSpaceError(
            f"{job.target}: the disk is full; {readable(job.here())} of the file are kept, "
            f"make room and the same command goes on from there"
        )
    return DownloadError(f"{job.target}: cannot be written ({error.strerror or error})")


@contextmanager
def _locked(part: Path, stop: threading.Event) -> Iterator[None]:
    """The part for this process alone: a second one waits until the first is done."""
    try:
        import fcntl
    except ImportError:  # not on this system: checksums must do
        yield
        return
    path = part.with_name(f".{part.name}.lock")
    while True:
        with open(path, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if stop.is_set():
                    raise KeyboardInterrupt from None
                time.sleep(0.1)
                continue
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
