"""One file over HTTP in as many requests as it takes: resumed where it broke off, and never more than it may be."""

from __future__ import annotations

import json
import os
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException, SSLError
from rich.filesize import decimal

from daa.datasets.folder import DownloadError, require_space

CHUNK = 1 << 14  # bytes; at most so many are lost with a connection
FIRST_WAIT, MAX_WAIT = 1.0, 30.0  # seconds between two attempts
SLOW_AFTER, SLOW_RATE = 60.0, 1_000  # seconds, and bytes a second on average over them
LITTLE = 10_000  # bytes; a connection that breaks off after fewer counts as a failed attempt


class _Again(Exception):
    """Something that may pass: a dropped connection, a busy server."""


class _NoServer(_Again):
    """No server was reached at all, which seldom passes within seconds."""


@dataclass
class Resuming:
    """Downloads one file in as many requests as it takes, each asking for the bytes that are not there yet.

    A downloader as pooch takes it, and by itself good for a file without a published checksum. The rest of a file is
    asked for only of the version that its beginning is of (`If-Range` with the server's ETag or date). Bytes are taken
    as they are sent: a compressed answer, which was not asked for, is refused, and so is a body longer than `size` or
    `at_most`, of which no further byte is written.

    Args:
        target: where the file goes in the end; bytes go to `<target>.part`.
        size: its bytes, where known.
        at_most: the most bytes it may have where `size` is not known.
        check: looks at the whole file and raises ValueError if its content cannot be right.
        checksum: whether one is compared afterwards, which would show if two versions were joined.
        timeout: seconds without a byte after which a connection counts as broken. A server that sends fewer than
            1,000 bytes a second on average over a minute (or over `timeout`, if that is longer) is given up.
        retries: how often to try again in a row; an attempt that brought 10 kB counts as a success.
        progress: called with the bytes that are there and the bytes in all, if known.
        stop: when set, by another thread, the download ends with KeyboardInterrupt; the part stays.
        session: a connection to use again.

    Raises:
        ValueError: if the size or `check` does not hold.
        DownloadError: if the file cannot be had.
    """

    target: Path
    size: int | None = None
    at_most: int = 10_000_000_000
    check: Callable[[Path], None] | None = None
    checksum: bool = False
    timeout: int | float = 30.0
    retries: int = 5
    progress: Callable[[int, int | None], object] = lambda done, total: None
    stop: threading.Event = field(default_factory=threading.Event)
    session: requests.Session | None = None

    def __post_init__(self) -> None:
        self.part = self.target.with_name(f"{self.target.name}.part")
        self._notes = self.target.with_name(f"{self.target.name}.part.json")

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        Path(output_file).unlink(missing_ok=True)  # pooch's, still empty: would be left behind if this were killed
        failures = 0
        while True:
            before = self.here()
            try:
                self._attempt(url)
                break
            except _Again as trouble:
                failures = 1 if self.here() >= before + LITTLE else failures + 1
                if failures > (min(1, self.retries) if isinstance(trouble, _NoServer) else self.retries):
                    raise DownloadError(f"{url}: {trouble} (tried {failures} times); {self._what_to_do()}") from None
            if self.stop.wait(min(MAX_WAIT, FIRST_WAIT * 2 ** (failures - 1))):
                raise KeyboardInterrupt
        self.require_right(self.part)
        with open(self.part, "rb+") as file:
            os.fsync(file.fileno())
        try:
            os.link(self.part, output_file)  # the part stays until the checksum has been compared
        except OSError:  # a file system without links
            self.part.replace(output_file)

    def here(self) -> int:
        """The bytes that are there."""
        return self.part.stat().st_size if self.part.exists() else 0

    def discard(self) -> None:
        """Remove the part, and what is noted of it."""
        self.part.unlink(missing_ok=True)
        self._notes.unlink(missing_ok=True)

    def require_right(self, path: Path) -> None:
        """Raises ValueError if a whole file has another size, or its content cannot be right."""
        if self.size not in (None, got := path.stat().st_size):
            raise ValueError(f"expected {self.size:,} bytes, got {got:,}")
        if self.check is not None:
            self.check(path)

    def _what_to_do(self) -> str:
        here = self.here()
        kept = f"{decimal(here)} are kept and the same command goes on from there; " if here else ""
        network = "check the network, and HTTPS_PROXY if there is a proxy"
        return f"{kept}{network}, or put the file at {self.target} yourself"

    def _attempt(self, url: str) -> None:
        """One request in a thread of its own, which is left to itself when `stop` is set or too little comes."""
        errors: list[BaseException] = []
        given_up = threading.Event()

        def work() -> None:
            try:
                self._receive(url, given_up)
            except BaseException as error:
                errors.append(error)

        thread = threading.Thread(target=work, daemon=True)
        thread.start()
        began, before = time.monotonic(), self.here()
        try:
            while thread.is_alive() and not self.stop.is_set():
                thread.join(0.1)
                if (passed := time.monotonic() - began) >= max(SLOW_AFTER, self.timeout):
                    if self.here() - before < SLOW_RATE * passed and thread.is_alive():
                        slow = f"fewer than {SLOW_RATE:,} bytes a second over {passed:.1f} s"
                        raise DownloadError(f"{url}: {slow}; {self._what_to_do()}")
                    began, before = time.monotonic(), self.here()
            if self.stop.is_set():
                raise KeyboardInterrupt
        except BaseException:
            given_up.set()
            raise
        if errors:
            raise errors[0]

    def _receive(self, url: str, given_up: threading.Event) -> None:
        """One request, its bytes appended to the part; returns when the part has all of them."""
        here, version = self.here(), self._version(url)
        if here and version is None and not self.checksum:  # nothing would show that two versions were joined
            self.discard()
            here = 0
        headers = {"Accept-Encoding": "identity"}
        if here:
            headers["Range"] = f"bytes={here}-"
            if version:
                headers["If-Range"] = version
        try:
            get = requests.get if self.session is None else self.session.get
            with get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                if given_up.is_set() or (response.status_code == 416 and here and _whole(response) == here):
                    return
                total = self._accept(url, response, here, version)
                self._append(url, response, total, given_up)
        except SSLError as error:
            raise DownloadError(f"{url}: the secure connection was refused ({_reason(error)})") from None
        except (InvalidURL, InvalidSchema, MissingSchema) as error:
            raise DownloadError(f"{url}: expected an address such as http://host/file ({_reason(error)})") from None
        except RequestException as error:
            reason = _reason(error)
            raise (_NoServer if reason in _UNREACHED.values() else _Again)(reason) from None

    def _accept(self, url: str, response: requests.Response, here: int, version: str | None) -> int | None:
        """Judge the answer; empty the part if it begins anew; return the bytes of the whole file, if known."""
        status, headers = response.status_code, response.headers
        if status == 416:
            self.discard()
            raise _Again("the server has another file than the part is of")
        if status in (408, 425, 429) or status >= 500:
            raise _Again(f"the server answers {status} {response.reason}")
        if status not in (200, 206):
            hint = "a proxy or a login stands between" if status in (401, 403, 407) else "it is not there (any more)"
            raise DownloadError(f"{url}: the server answers {status} {response.reason}: {hint}; see `daa data --help`")
        if (coding := headers.get("Content-Encoding", "identity")) != "identity":
            raise DownloadError(
                f"{url}: expected the file as it is, got it compressed ({coding}), which was not asked for; "
                f"put the file at {self.target} yourself"
            )
        length = headers.get("Content-Length", "")
        start, total = 0, int(length) if length.isdecimal() else self.size
        if status == 206:
            first = headers.get("Content-Range", "").removeprefix("bytes ").partition("-")[0]
            if first != str(here) or (_is_strong(version) and headers.get("ETag", version) != version):
                self.discard()
                raise _Again(
                    f"the server sends another version, or from byte {first or '?'} where {here} was asked for"
                )
            start, total = here, _whole(response) or self.size
        if total is not None and (total > self._limit() or self.size not in (None, total)):
            self.discard()
            raise self._too_long(url, f"has {total:,}")
        if start == 0:
            self._begin(url, headers)
        if total is not None:
            require_space(self.target.parent, total - start, self.target.name)
        return total

    def _begin(self, url: str, headers: Any) -> None:
        """An empty part, and what the server calls this version of the file."""
        etag = headers.get("ETag")
        version = etag if _is_strong(etag) else headers.get("Last-Modified")
        self.part.write_bytes(b"")
        self._notes.write_text(json.dumps({"url": url, "validator": version}), encoding="utf-8")

    def _version(self, url: str) -> str | None:
        """What the server called the version that the part is of, or None if that is not known."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            return notes["validator"] if notes["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _append(self, url: str, response: requests.Response, total: int | None, given_up: threading.Event) -> None:
        here, limit = self.here(), self._limit() if total is None else total
        self.progress(here, total)
        with open(self.part, "ab") as file:
            for block in response.iter_content(CHUNK):
                if given_up.is_set() or self.stop.is_set():
                    return
                here += len(block)
                if here > limit:
                    self.discard()
                    raise self._too_long(url, "sends more")
                file.write(block)
                self.progress(here, total)
        if total is not None and here < total:
            raise _Again(f"the connection broke off after {here:,} of {total:,} bytes")

    def _limit(self) -> int:
        return self.at_most if self.size is None else self.size

    def _too_long(self, url: str, what: str) -> DownloadError:
        expected = f"{'at most ' if self.size is None else ''}{self._limit():,}"
        return DownloadError(f"{url}: expected {expected} bytes, the server {what}: not the right file")


def _is_strong(etag: str | None) -> bool:
    return etag is not None and etag.startswith('"')


def _whole(response: requests.Response) -> int | None:
    """The bytes of the whole file, as an answer with a part of it states them."""
    stated = response.headers.get("Content-Range", "").rpartition("/")[2]
    return int(stated) if stated.isdecimal() else None


_UNREACHED = {
    "NameResolutionError": "the name of the server is not known here",
    "ProxyError": "the proxy does not let it through",
    "Connection refused": "the connection is refused",
    "unreachable": "the network cannot be reached",
}
_BROKEN = dict.fromkeys(
    ("IncompleteRead", "reset by peer", "RemoteDisconnected", "InvalidChunkLength"), "the connection broke off"
) | {"timed out": "the server does not answer in time"}


def _reason(error: BaseException) -> str:
    """What was wrong with a connection, without the libraries' wrapping."""
    text = f"{type(error).__name__} {error}"
    known = (reason for sign, reason in (_UNREACHED | _BROKEN).items() if sign in text)
    return next(known, " ".join(text.split())[:120])
