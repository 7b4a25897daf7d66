"""Writing results so that nothing half-written is ever seen, and saying what made them."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any


@contextmanager
def atomic_write(path: str | os.PathLike) -> Iterator[Path]:
    """Yield a temporary path beside `path`; it takes the place of `path` only if the block ends without an error.

    The file reaches the disk before the rename, so after a crash there is the old file or the new one, never a part.

    >>> with tempfile.TemporaryDirectory() as folder:
    ...     with atomic_write(Path(folder, "a.txt")) as aside:
    ...         _ = aside.write_text("whole")
    ...     Path(folder, "a.txt").read_text()
    'whole'
    """
    target = Path(path)
    target.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.", suffix=target.suffix)
    os.close(handle)
    aside = Path(name)
    try:
        yield aside
        with open(aside, "rb+") as file:
            os.fsync(file.fileno())
        mask = os.umask(0)
        os.umask(mask)
        aside.chmod(0o666 & ~mask)
        aside.replace(target)
    finally:
        aside.unlink(missing_ok=True)


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
