"""Getting several files: the folder, the network, the threads, and what is shown meanwhile."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import requests
from PIL import Image, UnidentifiedImageError
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from daa.datasets.archives import unpack
from daa.datasets.download import DownloadError, NoSpaceError, fetch, locked, readable
from daa.datasets.folders import MANIFEST, read_manifest, write_manifest
from daa.datasets.receive import file_digest
from daa.datasets.registry import COCO_IMAGES, SOURCES
from daa.datasets.verify import MISSING, damaged_files

TOLERATED = 5  # images that fail before the rest is not tried either


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
    def alone(self) -> Iterator[dict[str, Any] | None]:
        """The folder for this process alone, progress shown; gives the manifest of an earlier download there, if any.

        Files that are not as it says are removed, to be got again. A second process waits for the first.
        """
        self.folder.mkdir(parents=True, exist_ok=True)
        line = f"{self.folder}: another download is under way there; waiting for its end"
        with self.bars, locked(self.folder / f".{MANIFEST}.lock", self.stop, lambda: self._say(line)):
            yield self._mended()

    def _say(self, line: str) -> None:
        if not self.quiet:
            self.bars.console.print(line, highlight=False, markup=False)

    def fetch(self, url: str | Sequence[str], path: Path, **known: Any) -> Path:
        if not hasattr(self._local, "session"):
            self._local.session = requests.Session()
        options = {"timeout": self.timeout, "mirror": self.mirror, "stop": self.stop, "session": self._local.session}
        return fetch(url, path, **options, **known)

    def source(self, name: str, keep: Callable[[str], str | None], folder: Path | None = None) -> None:
        """A published archive, its files unpacked; then it is removed again."""
        source = SOURCES[name]
        task = self.bars.add_task(name, total=source.size, state="")

        def show(done: int, total: int | None) -> None:
            self.bars.update(task, completed=done, total=total, state=readable(done))

        def show_files(done: int, total: int) -> None:
            self.bars.update(task, completed=done, total=total, state=f"unpacked {done:,} of {total:,} files")

        path = self.folder / name
        known = {"size": source.size, "sha256": source.sha256, "md5": source.md5}
        self.fetch(source.urls, path, progress=show, **known)
        try:
            unpack(path, folder or self.folder, keep, show_files, self.stop)
        except ValueError:  # broken or unsafe, which no checksum has told: the same command gets it again
            path.unlink()
            raise
        path.unlink()

    def _mended(self) -> dict[str, Any] | None:
        manifest = read_manifest(self.folder)
        if manifest is not None:
            task = self.bars.add_task("what is there", total=None, state="")
            show = partial(self.bars.update, task)
            faults = damaged_files(self.folder, manifest, lambda done, n: show(completed=done, total=n))
            for name in [name for name, fault in faults.items() if fault != MISSING]:
                (self.folder / name).unlink()
        return manifest

    def images(self, names: Sequence[str]) -> None:
        """COCO's images one by one, several at a time; each must be a picture that decodes."""
        task = self.bars.add_task("images", total=len(names), state="")

        def get(name: str) -> int:
            path = self.fetch(f"{COCO_IMAGES}/{name}", self.folder / name, check=check_picture)
            return path.stat().st_size

        failed: list[str] = []
        done = 0

        def count(name: str, size: int | None, error: DownloadError | None) -> None:
            nonlocal done
            if error is None:
                done += size or 0
                self.bars.update(task, advance=1, state=readable(done))
                return
            failed.append(str(error))
            if isinstance(error, NoSpaceError) or len(failed) >= TOLERATED:
                raise type(error)(f"{error}; the images that came are kept")

        self.side_by_side(get, names, count)
        if failed:
            raise DownloadError(
                f"{len(failed)} of {len(names)} images failed, the others are kept; the same command tries again; "
                f"the first was {failed[0]}"
            )

    def side_by_side(
        self,
        work: Callable[[str], Any],
        names: Iterable[str],
        take: Callable[[str, Any, DownloadError | None], None],
    ) -> None:
        """Work on several names at a time and take each result or error; an exception here ends all threads."""
        pool = ThreadPoolExecutor(self.workers)
        try:
            futures = {pool.submit(work, name): name for name in names}
            for future in as_completed(futures):
                try:
                    result, error = future.result(), None
                except DownloadError as trouble:
                    result, error = None, trouble
                take(futures[future], result, error)
        except BaseException:
            self.stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)

    def manifest(self, dataset: str, subsets: dict[str, list[str]], names: Iterable[str]) -> None:
        """Size and checksum of every file, those an earlier manifest names among them; written last of all."""
        before = read_manifest(self.folder)
        known = before["files"] if before else {}
        names = [name for name in dict.fromkeys([*known, *names]) if (self.folder / name).is_file()]
        task = self.bars.add_task("checksums", total=len(names), state="")

        files: dict[str, dict[str, Any]] = {}

        def describe(name: str) -> dict[str, Any]:
            path = self.folder / name
            return {"bytes": path.stat().st_size, "sha256": file_digest(path, "sha256", self.stop)}

        def take(name: str, entry: dict[str, Any], error: DownloadError | None) -> None:
            files[name] = entry
            self.bars.update(task, advance=1)

        self.side_by_side(describe, names, take)
        write_manifest(self.folder, dataset, subsets, {name: files[name] for name in names})


def check_picture(path: Path) -> None:
    """Raises ValueError if a file is not a JPEG (or PNG) picture that decodes to its end."""
    try:
        with Image.open(path, formats=("JPEG", "PNG")) as image:
            image.load()
    except UnidentifiedImageError:
        raise ValueError("expected a picture, got no JPEG or PNG") from None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError) as error:
        raise ValueError(f"expected a picture, got {error}") from None
