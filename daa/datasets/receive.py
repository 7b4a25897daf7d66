"""One file over HTTP, in as many requests as it takes: each asks for the bytes that are not there yet."""

from __future__ import annotations

import hashlib
import json
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import requests
import urllib3

from daa.datasets.space import DownloadError, readable, require_space

CHUNK = 1 << 14  # bytes; at most so many are lost with a connection
FIRST_WAIT, MAX_WAIT = 1.0, 30.0
SLOW_RATE, SLOW_AFTER = 1_000, 60.0  # bytes a second on average over so many seconds: a slower server is given up
CODED_LIMIT = 100_000_000  # bytes that a compressed answer may unpack to if the size of the file is not known


class _Again(Exception):
    """Something that may pass: a dropped connection, a busy server."""


class _NoServer(_Again):
    """No server was reached at all, which seldom passes within seconds."""


class Job:
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


def file_digest(path: Path, name: str, stop: threading.Event | None = None) -> str:
    """The checksum of a file, in hexadecimal."""
    digest = hashlib.new(name, usedforsecurity=False)
    with open(path, "rb") as file:
        while block := file.read(1 << 22):
            if stop is not None and stop.is_set():
                raise KeyboardInterrupt
            digest.update(block)
    return digest.hexdigest()


def persist(job: Job, url: str, session: requests.Session) -> None:
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


def _receive(job: Job, url: str, session: requests.Session) -> None:
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
    except (
        requests.exceptions.InvalidURL,
        requests.exceptions.InvalidSchema,
        requests.exceptions.MissingSchema,
    ) as error:
        raise DownloadError(f"{url}: expected an address such as http://host/file ({_reason(error)})") from None
    except (requests.exceptions.RequestException, urllib3.exceptions.HTTPError) as error:
        reason = _reason(error)
        raise (_NoServer if reason in _UNREACHED.values() else _Again)(reason) from None


def _accept(job: Job, url: str, response: requests.Response, here: int) -> int | None:
    """Judge the answer; cut the part to where its bytes belong; return the bytes of the whole file, if known."""
    status = response.status_code
    if status == 416:
        stated = response.headers.get("Content-Range", "").rpartition("/")[2]
        if here and stated == str(here):
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
        if not first.isdecimal() or int(first) != here or _encoded(response):  # coded bytes are counted otherwise
            job.discard()
            raise _Again(f"the server sends bytes from {first or '?'} where {here} was asked for")
        etag, validator = response.headers.get("ETag"), job.validator(url)
        if etag and validator and validator.startswith('"') and etag != validator:
            job.discard()
            raise _Again("the server sends the rest of another version than the part is of")
        start, total = here, int(whole) if whole.isdecimal() else job.size
    if job.size is not None and total is not None and total != job.size:
        job.discard()
        raise DownloadError(f"{url}: expected {job.size:,} bytes, the server has {total:,}: not the right file")
    if start == 0:
        _begin(job, url, response)
    if total is not None:
        require_space(job.target.parent, total - start, job.target.name)
    return total


def _begin(job: Job, url: str, response: requests.Response) -> None:
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


def _append(job: Job, url: str, response: requests.Response, total: int | None) -> None:
    here = job.here()
    limit = total if total is not None else job.size
    if limit is None and _encoded(response):
        limit = CODED_LIMIT
    since, before = time.monotonic(), here
    job.progress(here, total)
    with open(job.part, "ab") as file:
        while block := response.raw.read1(CHUNK, decode_content=True):  # what is there, be it one byte
            if job.stop.is_set():
                raise KeyboardInterrupt
            here += len(block)
            if limit is not None and here > limit:
                job.discard()
                raise DownloadError(f"{url}: expected {limit:,} bytes, the server sends more: not the right file")
            file.write(block)
            job.progress(here, total)
            passed = time.monotonic() - since
            if passed >= SLOW_AFTER:
                if here - before < SLOW_RATE * passed:
                    raise DownloadError(
                        f"{url}: fewer than {SLOW_RATE:,} bytes a second for {SLOW_AFTER:g} s; {readable(here)} are "
                        f"kept and the same command goes on from there, or put the file at {job.target} yourself"
                    )
                since, before = time.monotonic(), here
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
