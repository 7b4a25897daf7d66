"""Getting many files into one folder: the network, the threads, and what is shown meanwhile."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import requests
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.filesize import decimal
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from daa.datasets.archives import unpack
from daa.datasets.download import fetch
from daa.datasets.folder import (
    MANIFEST,
    MISSING,
    DownloadError,
    NoSpaceError,
    damaged_files,
    file_digest,
    locked,
    read_manifest,
    require_space,
    write_manifest,
)
from daa.datasets.sources import COCO_IMAGES, SOURCES

TOLERATED = 5  # images that fail before the rest is not tried either
LARGEST_IMAGE = 50_000_000  # bytes; COCO's have 0.8 MB at most


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
        self._local = threading.local()
        console = Console(stderr=True)
        self.bars = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("{task.fields[state]}"),
            TimeRemainingColumn(),
            console=console,
            disable=self.quiet or not console.is_terminal,
        )

    @contextmanager
    def alone(self) -> Iterator[dict[str, Any]]:
        """The folder for this process alone, progress shown; gives the manifest of an earlier download there, if any.

        Files that are not as it says are removed, to be got again. A second process waits for the first.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        line = f"{self.folder}: another download is under way there; waiting for its end"
        with self.bars, locked(self.folder / f".{MANIFEST}.lock", self.stop, lambda: self._say(line)):
            manifest = read_manifest(self.folder)
            faults = damaged_files(self.folder, manifest, self.bar("what is there")) if manifest else {}
            for name in [name for name, fault in faults.items() if fault != MISSING]:
                (self.folder / name).unlink()
            yield manifest or {"subsets": {}, "files": {}}

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.bars.console.print(line, highlight=False, markup=False)

    def bar(self, description: str) -> Callable[..., None]:
        """A new bar: called with what is done, what is to be done, and what is said beside it."""
        task = self.bars.add_task(description, total=None, state="")
        return lambda done, total, state="": self.bars.update(task, completed=done, total=total, state=state)

    def source(self, name: str, keep: Callable[[str], str | None]) -> None:
        """A published archive, its files unpacked; then it is removed again.

        Args:
            name: in `SOURCES`.
            keep: from a member's name to the path it gets in the folder, or None to leave it out.
        """
        source, path, show = SOURCES[name], self.folder / name, self.bar(name)
        require_space(self.folder, self.space(name), name)
        self._fetch(
            source.url,
            path,
            size=source.size,
            sha256=source.sha256,
            progress=lambda done, total: show(done, total, decimal(done)),
        )
        try:
            unpack(
                path, self.folder, keep, lambda done, total: show(done, total, f"unpacked {done:,} of {total:,} files")
            )
        except ValueError:  # broken or unsafe, which no checksum has told: the same command gets it again
            path.unlink()
            raise
        path.unlink()

    def space(self, name: str) -> int:
        """Bytes that a published archive still needs, with what is kept of it."""
        path = self.folder / name
        here = sum(place.stat().st_size for place in (path, path.with_name(f"{name}.part")) if place.is_file())
        return max(0, (SOURCES[name].size or 0) - here) + SOURCES[name].unpacked

    def _fetch(self, url: str, path: Path, **known: Any) -> Path:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        session = self._local.session
        return fetch(url, path, timeout=self.timeout, mirror=self.mirror, stop=self.stop, session=session, **known)

    def images(self, names: Sequence[str]) -> None:
        """COCO's images one by one, several at a time; each must be a picture that decodes."""
        show, n_came, n_bytes = self.bar("images"), 0, 0
        failed: list[str] = []

        def get(name: str) -> int:
            path = self.folder / name
            self._fetch(f"{COCO_IMAGES}/{name}", path, at_most=LARGEST_IMAGE, check=check_picture)
            return path.stat().st_size

        def count(name: str, came: int | DownloadError) -> None:
            nonlocal n_came, n_bytes
            if isinstance(came, int):
                n_came, n_bytes = n_came + 1, n_bytes + came
                return show(n_came, len(names), decimal(n_bytes))
            failed.append(str(came))
            if isinstance(came, NoSpaceError) or len(failed) >= TOLERATED:
                raise type(came)(f"{came}; the images that came are kept")

        self.side_by_side(get, names, count)
        if failed:
            raise DownloadError(
                f"{len(failed)} of {len(names)} images failed, the others are kept; the same command tries again; "
                f"the first was {failed[0]}"
            )

    def check_pictures(self, names: Sequence[str]) -> None:
        """Raises ValueError for one that is no picture."""

        def check(name: str) -> None:
            try:
                check_picture(self.folder / name)
            except ValueError as error:
                raise ValueError(f"{self.folder / name}: {error}; unpack it again") from None

        show = self.bar("images")
        checked = itertools.count(1)
        self.side_by_side(check, names, lambda name, result: show(next(checked), len(names)))

    def manifest(self, dataset: str, subsets: dict[str, list[str]], names: Iterable[str]) -> None:
        """Size and checksum of every file, those an earlier manifest names among them; written last of all."""
        before = read_manifest(self.folder) or {"files": {}}
        names = [name for name in dict.fromkeys([*before["files"], *names]) if (self.folder / name).is_file()]
        files: dict[str, dict[str, Any]] = {}
        show = self.bar("checksums")

        def describe(name: str) -> dict[str, Any]:
            path = self.folder / name
            return {"bytes": path.stat().st_size, "sha256": file_digest(path, "sha256")}

        def take(name: str, entry: dict[str, Any]) -> None:
            files[name] = entry
            show(len(files), len(names))

        self.side_by_side(describe, names, take)
        write_manifest(self.folder, dataset, subsets, {name: files[name] for name in names})

    def side_by_side(
        self, work: Callable[[str], Any], names: Iterable[str], take: Callable[[str, Any], object]
    ) -> None:
        """Work on several names at a time and take each result or DownloadError; another exception ends all threads."""
        pool = ThreadPoolExecutor(self.workers)
        try:
            futures = {pool.submit(work, name): name for name in names}
            for future in as_completed(futures):
                try:
                    result = future.result()
                except DownloadError as error:
                    result = error
                take(futures[future], result)
        except BaseException:
            self.stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)


def check_picture(path: Path) -> None:
    """Raises ValueError if a file is not a JPEG (or PNG) picture that decodes to its end."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image.load()
    except UnidentifiedImageError:
        raise ValueError("expected a picture, got no JPEG or PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected a picture, got {error}") from None
