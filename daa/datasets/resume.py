"""One file over HTTP in as many requests as it takes: resumed where it broke off, and never more than it may be."""

from __future__ import annotations

import itertools
import json
import os
import queue
import re
import threading
import time
from collections.abc import Callable, Generator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from requests.exceptions import InvalidSchema, InvalidURL, MissingSchema, RequestException, SSLError
from rich.filesize import decimal

from daa.files import require_space

CHUNK = 1 << 14  # bytes; at most so many are lost with a connection
FIRST_WAIT, MAX_WAIT = 1.0, 30.0  # seconds between two attempts
SLOW_AFTER, SLOW_RATE = 60.0, 1_000  # seconds, and bytes a second on average over them
LITTLE = 10_000  # bytes; a connection that breaks off after fewer counts as a failed attempt


class DownloadError(OSError):
    """A file could not be had; the message says why, and what is kept for the next attempt."""


class _Again(Exception):
    """Something that may pass: a dropped connection, a busy server."""


@dataclass
class Resuming:
    """Downloads one file in as many requests as it takes, each asking for the bytes that are not there yet.

    A downloader as pooch takes it. The rest of a file is asked for only of the version that its beginning is of
    (`If-Range` with the server's ETag or date). Bytes are taken as they are sent: a compressed answer, which was not
    asked for, is refused, and so is a body longer than `size` or `at_most`, of which no further byte is written.

    Args:
        target: where the file goes in the end; bytes go to `<target>.part`.
        sha256: its SHA-256, where published, in hexadecimal; pooch compares it, which shows if versions were joined.
        size: its bytes, where known.
        at_most: the most bytes it may have where `size` is not known.
        check: looks at the whole file and raises ValueError if its content cannot be right.
        timeout: seconds without a byte after which a connection counts as broken. A server that sends fewer than
            1,000 bytes a second on average over a minute (or over `timeout`, if that is longer) is given up.
        retries: how often to try again in a row; an attempt that brought 10 kB counts as a success.
        progress: called with the bytes that are there and the bytes in all, if known.
        stop: when set, by another thread, the download ends with KeyboardInterrupt; the part stays.
        session: whose connections are used again.

    Raises:
        ValueError: if the size or `check` does not hold.
        DownloadError: if the file cannot be had.
    """

    target: Path
    sha256: str | None = None
    size: int | None = None
    at_most: int = 10_000_000_000
    check: Callable[[Path], object] = lambda path: None
    timeout: int | float = 30.0
    retries: int = 5
    progress: Callable[[int, int | None], object] = lambda done, total: None
    stop: threading.Event = field(default_factory=threading.Event)
    session: requests.Session = field(default_factory=requests.Session)

    def __post_init__(self) -> None:
        self.part = self.target.with_name(f"{self.target.name}.part")
        self._notes = self.target.with_name(f"{self.target.name}.part.json")

    def __call__(self, url: str, output_file: str, pooch: object = None) -> None:
        Path(output_file).unlink(missing_ok=True)  # pooch's, still empty: would be left behind if this were killed
        failures = 0
        while True:
            before = self.here()
            try:
                self._request(url)
                break
            except _Again as trouble:
                failures = 1 if self.here() >= before + LITTLE else failures + 1
                if failures > min(self.retries, 1 if str(trouble) in _UNREACHED.values() else self.retries):
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
        self.check(path)

    def _what_to_do(self) -> str:
        kept = f"{decimal(here)} are kept and the same command goes on from there; " if (here := self.here()) else ""
        network = "check the network, and HTTPS_PROXY if there is a proxy"
        return f"{kept}{network}, or put the file at {self.target} yourself"

    def _request(self, url: str) -> None:
        """One request, its bytes appended to the part; returns when the part has all of them."""
        here, version = self.here(), self._version(url)
        if here and version is None and self.sha256 is None:  # nothing would show that two versions were joined
            self.discard()
            here = 0
        wanted = {"Range": f"bytes={here}-", "If-Range": version} if here else {}
        try:
            with closing(self._answer(url, {"Accept-Encoding": "identity", **wanted})) as answer:
                response = next(answer)
                if response.status_code == 416 and here and _range(response)[1] == here:
                    return
                total = self._accept(url, response, here, version)
                here, most = self.here(), self.at_most if total is None else total
                self.progress(here, total)
                with open(self.part, "ab") as file:
                    for block in answer:
                        here += len(block)
                        if here > most:
                            raise self._too_long(url, "sends more")
                        file.write(block)
                        self.progress(here, total)
                if total is not None and here < total:
                    raise _Again(f"the connection broke off after {here:,} of {total:,} bytes")
        except SSLError as error:
            raise DownloadError(f"{url}: the secure connection was refused ({_reason(error)})") from None
        except (InvalidURL, InvalidSchema, MissingSchema) as error:
            raise DownloadError(f"{url}: expected an address such as http://host/file ({_reason(error)})") from None
        except RequestException as error:
            raise _Again(_reason(error)) from None

    def _answer(self, url: str, headers: dict[str, Any]) -> Generator[Any, None, None]:
        """The response, then its body block by block; read by a thread that is left to itself if too little comes."""
        came: queue.Queue[Any] = queue.Queue(maxsize=8)
        left = threading.Event()

        def read() -> None:
            try:
                with self.session.get(url, headers=headers, stream=True, timeout=self.timeout) as response:
                    for item in itertools.chain([response], response.iter_content(CHUNK), [None]):
                        came.put(item)
                        if left.is_set():
                            return
            except BaseException as error:
                came.put(error)

        threading.Thread(target=read, daemon=True).start()
        began, n_bytes = time.monotonic(), 0
        try:
            while not self.stop.is_set():
                if (passed := time.monotonic() - began) >= max(SLOW_AFTER, self.timeout):
                    if n_bytes < SLOW_RATE * passed:
                        slow = f"fewer than {SLOW_RATE:,} bytes a second over {passed:.1f} s"
                        raise DownloadError(f"{url}: {slow}; {self._what_to_do()}")
                    began, n_bytes = time.monotonic(), 0
                with suppress(queue.Empty):
                    item = came.get(timeout=0.1)
                    if item is None:
                        return
                    if isinstance(item, BaseException):
                        raise item
                    n_bytes += len(item) if isinstance(item, bytes) else 0
                    yield item
            raise KeyboardInterrupt
        finally:
            left.set()
            with suppress(queue.Empty):
                came.get_nowait()  # room for what the thread is about to leave here

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
            fault = f"expected the file as it is, got it compressed ({coding}), which was not asked for"
            raise DownloadError(f"{url}: {fault}; put the file at {self.target} yourself")
        etag, length = headers.get("ETag", ""), headers.get("Content-Length", "")
        if status == 206:
            first, total = _range(response)
            if first != here or ((version or "").startswith('"') and etag not in ("", version)):
                self.discard()
                raise _Again(f"the server sends another version, or from byte {first} where {here} was asked for")
        else:
            here, total = 0, int(length) if length.isdecimal() else None
        if total is not None and total != self.size and (self.size is not None or total > self.at_most):
            raise self._too_long(url, f"has {total:,}")
        if here == 0:
            self.part.write_bytes(b"")
            notes = {"url": url, "validator": etag if etag.startswith('"') else headers.get("Last-Modified")}
            self._notes.write_text(json.dumps(notes), encoding="utf-8")
        if (total := self.size if total is None else total) is not None:
            require_space(self.target.parent, total - here, self.target.name)
        return total

    def _version(self, url: str) -> str | None:
        """What the server called the version that the part is of, or None if that is not known."""
        try:
            notes = json.loads(self._notes.read_text(encoding="utf-8"))
            return notes["validator"] if notes["url"] == url else None
        except (OSError, ValueError, KeyError, TypeError):
            return None

    def _too_long(self, url: str, what: str) -> DownloadError:
        self.discard()
        expected = f"at most {self.at_most:,}" if self.size is None else f"{self.size:,}"
        return DownloadError(f"{url}: expected {expected} bytes, the server {what}: not the right file")


def _range(response: requests.Response) -> tuple[int | None, int | None]:
    """The first byte of a part of a file and the bytes of the whole, where the server states them."""
    stated = re.match(r"bytes (?:(\d+)-\d+|\*)/(?:(\d+)|\*)$", response.headers.get("Content-Range", ""))
    return (None, None) if stated is None else tuple(n and int(n) for n in stated.groups())  # type: ignore[return-value]


_UNREACHED = {
    "NameResolutionError": "the name of the server is not known here",
    "ProxyError": "the proxy does not let it through",
    "Connection refused": "the connection is refused",
    "unreachable": "the network cannot be reached",
}
_BROKEN = ("IncompleteRead", "reset by peer", "RemoteDisconnected", "InvalidChunkLength")


def _reason(error: BaseException) -> str:
    """What was wrong with a connection, without the libraries' wrapping."""
    text = f"{type(error).__name__} {error}"
    reasons = _UNREACHED | dict.fromkeys(_BROKEN, "the connection broke off")
    reasons |= {"timed out": "the server does not answer in time"}
    return next((reason for sign, reason in reasons.items() if sign in text), " ".join(text.split())[:120])
