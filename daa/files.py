"""Writing results so that nothing half-written is ever seen, and saying what made them."""

from __future__ import annotations

import errno
import json
import os
import platform
import shutil
import subprocess
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.filesize import decimal


class NoSpaceError(OSError):
    """The disk is full, or would be."""


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` only if the block ends without an error.

    The file reaches the disk before the rename, so after a crash there is the old file or the new one, never a part.
    A link stays one: what it points at is replaced. A pipe or a device, such as /dev/stdout, is written to, once the
    block has ended.

    Raises:
        OSError: naming `path`, whatever could not be written.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder, "a.txt")) as aside:
    ...         _ = aside.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    is_stream = os.path.exists(path) and not os.path.isfile(path) and not os.path.isdir(path)
    target = Path(path) if is_stream else Path(os.path.realpath(path))
    aside = None
    try:
        if target.is_dir():
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR))
        if not is_stream:
            target.parent.mkdir(parents=True, exist_ok=True)
        folder = None if is_stream else target.parent
        handle, name = tempfile.mkstemp(dir=folder, prefix=f".{target.name}.", suffix=target.suffix)
        os.close(handle)
        aside = Path(name)
        yield aside
        if is_stream:
            with open(aside, "rb") as whole, open(target, "wb") as stream:
                shutil.copyfileobj(whole, stream)
            return
        with open(aside, "rb+") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o666 & ~mask)
        aside.replace(target)
    except OSError as error:
        about_it = aside is None or error.filename is None or Path(error.filename) in (aside, target)
        if error.errno is None or not about_it:
            raise
        raise OSError(error.errno, error.strerror, str(path)) from None
    finally:
        if aside is not None:
            aside.unlink(missing_ok=True)


def check_writable(argument: str, path: str | os.PathLike, folder: bool = False) -> None:
    """Refuse a file (or folder) that could not be written, before the work whose result goes there; nothing is made.

    Args:
        argument: what error messages call it.
        path: the file, which may exist.
        folder: whether it is to be a folder instead.

    Raises:
        ValueError: if it is of the other kind, lies below a file, or may not be written to.

    >>> check_writable("--json", "/")
    Traceback (most recent call last):
    ValueError: --json: expected a file to write, but / is a folder
    """
    target = Path(path)
    if folder and target.exists() and not target.is_dir():
        raise ValueError(f"{argument}: expected a folder, but {target} is a file")
    if not folder and target.is_dir():
        raise ValueError(f"{argument}: expected a file to write, but {target} is a folder")
    there = next(one for one in (target, *target.absolute().parents) if one.exists())
    if there is not target and not there.is_dir():
        raise ValueError(f"{argument}: expected a place to write {target}, but {there} is a file, not a folder")
    if not os.access(there.parent if there.is_file() else there, os.W_OK):
        raise ValueError(f"{argument}: expected a place to write {target}, but {there} may not be written to")


def require_space(folder: str | os.PathLike[str], n_bytes: int, what: str) -> None:
    """Refuse to begin what the disk cannot hold; the folder need not exist yet.

    Raises:
        NoSpaceError: saying how much is needed and how much is free.
    """
    there = next(one for one in (Path(folder), *Path(folder).absolute().parents) if one.exists())
    free = shutil.disk_usage(there).free
    if n_bytes > free:
        raise NoSpaceError(
            f"{folder}: {what} needs {decimal(n_bytes)} more, but {decimal(free)} are free on that disk; "
            f"make room or choose another folder"
        )


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
    except ImportError:  # not on this system
        yield
        return
    told = False
    while True:
        with open(path, "ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                if not told:
                    waiting()
                    told = True
                if stop.wait(0.1):
                    raise KeyboardInterrupt from None
                continue
            except OSError:  # a file system without locks, as those of clusters may be
                pass
            try:
                if not os.path.samestat(os.fstat(lock.fileno()), path.stat()):
                    continue
            except FileNotFoundError:  # removed while this process waited for it
                continue
            try:
                yield
            finally:
                path.unlink(missing_ok=True)
            return


def write_json(path: str | os.PathLike, content: Any) -> None:
    """Write `content` as indented JSON, whole or not at all; NaN and infinity are refused."""
    text = json.dumps(content, indent=1, allow_nan=False) + "\n"
    with atomic_write(path) as aside:
        aside.write_text(text, encoding="utf-8")


def provenance(seed: int | list[int] | None = None) -> dict[str, Any]:
    """What made a result: commit (with `+` if files outside of results/ had changes), versions, hardware, seed."""
    import numpy
    import torch

    gpu = torch.cuda.get_device_name() if torch.cuda.is_available() else None
    return {  # no names, no paths
        "commit": _commit(),
        "versions": {"python": platform.python_version(), "torch": torch.__version__, "numpy": numpy.__version__},
        "hardware": {"machine": platform.machine(), "cores": os.cpu_count(), "gpu": gpu},
        "seed": seed,
    }


def _commit() -> str | None:
    def git(*arguments: str) -> str:
        here = Path(__file__).parent
        return subprocess.run(["git", *arguments], cwd=here, capture_output=True, text=True, check=True).stdout.strip()

    try:
        return git("rev-parse", "--short=12", "HEAD") + (
            "+" if git("status", "--porcelain", "-uno", "--", ":(top)", ":(top,exclude)results") else ""
        )
    except (OSError, subprocess.CalledProcessError):
        return None  # installed from a wheel, or no git
