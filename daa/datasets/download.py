"""Files from the network, one or many into one folder: whole and right at their place, or one line that says why not.

pooch names a file and compares its checksum; what it downloads with is `Resuming`, since a downloader of its own would
start a broken 13 GB archive again from the first byte.
"""

from __future__ import annotations

import errno
import os
import threading
import tomllib
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

import pooch
import requests
from PIL import Image, UnidentifiedImageError
from requests.adapters import HTTPAdapter
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from daa.datasets.archives import unpack
from daa.datasets.manifest import MANIFEST, MISSING, Track, damaged_files, describe_file, read_manifest
from daa.datasets.resume import DownloadError, Resuming
from daa.files import NoSpaceError, locked, require_space, write_json

TOLERATED = 5  # images that fail before the rest is not tried either
LARGEST_IMAGE = 50_000_000  # bytes; COCO's have 0.8 MB at most

pooch.get_logger().setLevel("WARNING")  # whoever calls shows the progress


class Source(NamedTuple):
    """A published archive: where it is, about how many bytes of it are kept, and its bytes and checksum, if known."""

    url: str
    unpacked: int
    size: int | None = None
    sha256: str | None = None


_REGISTRY = tomllib.loads(Path(__file__).with_name("sources.toml").read_text(encoding="utf-8"))
SOURCES = {name: Source(**fields) for name, fields in _REGISTRY.items()}


def fetch(url: str, path: str | os.PathLike[str], *, mirror: str | None = None, **options: Any) -> Path:
    """Download a file, unless it is there already and right, and give its path; a second process waits for the first.

    Args:
        url: where it is.
        path: where it goes; until it is whole and right it is called `<path>.part`.
        mirror: a base address that stands in for all servers: `https://host/a` is asked for as `<mirror>/host/a`, the
            layout that `wget -x` leaves behind. By default the environment variable `DAA_MIRROR`.
        options: of `Resuming`, such as `sha256`.

    Raises:
        DownloadError: in one line, what went wrong and what to do; the part that is sound stays for the next call.
        NoSpaceError: likewise, if the disk is full or would be.
    """
    if base := mirror or os.environ.get("DAA_MIRROR"):
        url = f"{base.rstrip('/')}/{url.split('://', 1)[-1]}"
    target = Path(path)
    download = Resuming(target, **options)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        with locked(target.with_name(f".{target.name}.lock"), download.stop):
            if target.is_file():
                download.require_right(target)
                if download.sha256 not in (None, digest := pooch.file_hash(str(target))):
                    raise ValueError(f"expected sha256 {download.sha256}, got {digest}")
            else:
                _get(url, download)
    except ValueError as error:
        raise DownloadError(f"{target}: {error}; remove this file, and the same command gets it again") from None
    except (DownloadError, NoSpaceError):
        raise
    except OSError as error:  # of this machine; those of the network are told apart by Resuming
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            kept = f"{decimal(download.here())} of the file are kept, make room and the same command goes on from there"
            raise NoSpaceError(f"{target}: the disk is full; {kept}") from None
        raise DownloadError(f"{target}: cannot be written ({error.strerror or error})") from None
    return target


def _get(url: str, download: Resuming) -> None:
    """The whole file; if what came is wrong and its beginning was here before, once more from the first byte."""
    name, known = download.target.name, download.sha256 and f"sha256:{download.sha256}"
    registry = pooch.create(download.target.parent, base_url="", registry={name: known}, urls={name: url})
    while True:
        resumed = download.here() > 0
        try:
            registry.fetch(name, downloader=download)
            return download.discard()
        except ValueError as error:
            download.discard()
            if not resumed:
                fault = str(error).partition(". Deleted")[0]  # the first sentence, where it is pooch's
                thrown = "what came was thrown away: the server's file is not the right one"
                raise DownloadError(f"{url}: {fault}; {thrown}") from None


@dataclass
class Transfer:
    """How files are got: the folder, the network, and what is shown meanwhile."""

    folder: Path
    workers: int = 8
    timeout: int | float = 30
    mirror: str | None = None
    quiet: bool = False
    stop: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        if self.workers < 1:
            raise ValueError(f"workers: expected at least 1, got {self.workers}")
        if not self.timeout > 0:
            raise ValueError(f"timeout: expected seconds above 0, got {self.timeout}")
        session = requests.Session()  # one for all threads: nothing in it is changed, and no cookie decides what comes
        for scheme in ("http://", "https://"):
            session.mount(scheme, HTTPAdapter(pool_maxsize=self.workers))
        self.fetch = partial(fetch, timeout=self.timeout, mirror=self.mirror, stop=self.stop, session=session)
        console = Console(stderr=True)
        text, bar = TextColumn("{task.description}"), (BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        self.bars = Progress(text, *bar, console=console, disable=self.quiet or not console.is_terminal)

    def track(self, description: str) -> Track:
        """A new bar that counts what is done."""

        def counted(things: Sequence[Any]) -> Iterator[Any]:
            task = self.bars.add_task(description, total=len(things))
            for thing in things:
                yield thing
                self.bars.advance(task)

        return counted

    @contextmanager
    def alone(self) -> Iterator[dict[str, Any]]:
        """The folder for this process alone, progress shown; gives the manifest of an earlier download there, if any.

        Files that are not as it says are removed, to be got again. A second process waits for the first.
        """
        self.folder.mkdir(parents=True, exist_ok=True)

        def waiting() -> None:
            if not self.quiet:
                line = f"{self.folder}: another download is under way there; waiting for its end"
                self.bars.console.print(line, highlight=False, markup=False, soft_wrap=True)

        with self.bars, locked(self.folder / f".{MANIFEST}.lock", self.stop, waiting):
            manifest = read_manifest(self.folder) or {"subsets": {}, "files": {}}
            for name, fault in damaged_files(self.folder, manifest, self.track("what is there")).items():
                if fault != MISSING:
                    (self.folder / name).unlink()
            yield manifest

    def unpacked(self, name: str, keep: Callable[[str], str | None]) -> None:
        """The files of an archive of `SOURCES`, which is removed again.

        Args:
            name: of the archive.
            keep: from a member's name to the path it gets in the folder, or None to leave it out.
        """
        source, path, task = SOURCES[name], self.folder / name, self.bars.add_task(name)

        def show(done: int, total: int | None) -> None:
            self.bars.update(task, completed=done, total=total, description=f"{name}, {decimal(done)}")

        require_space(self.folder, self.space(name), name)
        self.fetch(source.url, path, size=source.size, sha256=source.sha256, progress=show)
        try:
            unpack(path, self.folder, keep, self.track(f"unpacking {name}"))
        except ValueError:  # broken or unsafe, which no checksum has told: the same command gets it again
            path.unlink()
            raise
        path.unlink()

    def space(self, name: str) -> int:
        """Bytes that an archive still needs, with what is kept of it."""
        path = self.folder / name
        here = sum(place.stat().st_size for place in (path, path.with_name(f"{name}.part")) if place.is_file())
        return max(0, (SOURCES[name].size or 0) - here) + SOURCES[name].unpacked

    def pictures(self, base: str, names: Sequence[str]) -> None:
        """Images one by one, several at a time; each must be a picture that decodes."""

        def get(name: str) -> Path:
            return self.fetch(f"{base}/{name}", self.folder / name, at_most=LARGEST_IMAGE, check=check_picture)

        self._each("images", get, names)

    def check_pictures(self, names: Sequence[str]) -> None:
        """Raises ValueError for one that is no picture."""

        def check(name: str) -> None:
            try:
                check_picture(self.folder / name)
            except ValueError as error:
                raise ValueError(f"{self.folder / name}: {error}; unpack it again") from None

        self._each("images", check, names)

    def manifest(self, dataset: str, subsets: dict[str, list[str]], names: Iterable[str]) -> None:
        """Size and checksum of every file, those an earlier manifest names among them; written last of all."""
        before = read_manifest(self.folder) or {"files": {}}
        names = [name for name in dict.fromkeys([*before["files"], *names]) if (self.folder / name).is_file()]
        files = self._each("checksums", lambda name: describe_file(self.folder / name), names)
        files = {name: files[name] for name in names}
        write_json(self.folder / MANIFEST, {"dataset": dataset, "subsets": subsets, "files": files})

    def _each(self, what: str, work: Callable[[str], Any], names: Sequence[str]) -> dict[str, Any]:
        """The results of work on several names at a time; what is raised, but for a few DownloadErrors, ends all."""
        results: dict[str, Any] = {}
        failed: list[DownloadError] = []
        pool, task = ThreadPoolExecutor(self.workers), self.bars.add_task(what, total=len(names))
        try:
            futures = {pool.submit(work, name): name for name in names}
            for future in as_completed(futures):
                self.bars.advance(task)
                try:
                    results[futures[future]] = future.result()
                except DownloadError as error:
                    failed.append(error)
                    if len(failed) >= TOLERATED:
                        raise DownloadError(f"{error}; the {what} that came are kept") from None
                except NoSpaceError as error:
                    raise NoSpaceError(f"{error}; the {what} that came are kept") from None
        except BaseException:
            self.stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        if failed:
            raise DownloadError(
                f"{len(failed)} of {len(names)} {what} failed, the others are kept; the same command tries again; "
                f"the first was {failed[0]}"
            )
        return results


def check_picture(path: Path) -> None:
    """Raises ValueError if a file is not a JPEG (or PNG) picture that decodes to its end."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image.load()
    except UnidentifiedImageError:
        raise ValueError("expected a picture, got no JPEG or PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected a picture, got {error}") from None
