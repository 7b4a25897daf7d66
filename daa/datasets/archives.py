"""Archives unpacked with suspicion: nothing leaves the folder, nothing is half there, nothing is done twice."""

from __future__ import annotations

import gzip
import os
import shutil
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO, Any, NamedTuple

from daa.files import require_space

BROKEN = (zipfile.BadZipFile, tarfile.TarError, gzip.BadGzipFile, EOFError, zlib.error, RuntimeError)


class _Member(NamedTuple):
    name: str
    size: int
    open: Callable[[], IO[bytes] | None]


def unpack(
    archive: str | os.PathLike[str],
    folder: str | os.PathLike[str],
    keep: Callable[[str], str | None] = lambda name: name,
    track: Callable[[Sequence[Any]], Iterable[Any]] = lambda members: members,
) -> None:
    """Unpack the files of a .zip or .tar(.gz), each aside and then renamed; one that is there whole is left alone.

    All names are looked at before anything is written. An absolute path, one with `..`, a link, a device, or more bytes
    than the disk has room for is refused, and no file becomes larger than the archive says.

    Args:
        archive: the file.
        folder: where to.
        keep: from a member's name to the path it gets in the folder, or None to leave it out.
        track: gives what is to be unpacked one by one, as it was given; a progress bar.

    Raises:
        ValueError: if the archive is broken or unsafe.
        NoSpaceError: if the disk has no room for it.
    """
    archive, folder = Path(archive), Path(folder)
    try:
        with _opened(archive) as members:
            wanted = [(_safe(archive, folder, path), member) for member in members if (path := keep(member.name))]
            missing = [(path, one) for path, one in wanted if not path.is_file() or path.stat().st_size != one.size]
            require_space(folder, sum(member.size for _, member in missing), f"what is in {archive.name}")
            for path, member in track(missing):
                path.parent.mkdir(parents=True, exist_ok=True)
                aside = path.with_name(f"{path.name}.part")
                try:
                    with member.open() as source, open(aside, "wb") as target:
                        shutil.copyfileobj(source, target, 1 << 20)
                    aside.replace(path)
                finally:
                    aside.unlink(missing_ok=True)
    except BROKEN as error:
        reason = str(error).partition(":\n")[0]
        raise ValueError(f"{archive}: the archive is broken ({reason}); download it again") from None


def _safe(archive: Path, folder: Path, name: str) -> Path:
    """Where a member goes, which must be inside the folder."""
    pure = PurePosixPath(name)
    if pure.is_absolute() or ".." in pure.parts or "\\" in name or ":" in name.split("/")[0] or "\0" in name:
        raise ValueError(f"{archive}: refused: {name!r} in it is outside of the folder; nothing was unpacked")
    path = folder.joinpath(*pure.parts)
    if not path.resolve().is_relative_to(folder.resolve()):  # through a link that lies there
        raise ValueError(f"{archive}: refused: {path} is a way out of {folder}; nothing was unpacked")
    return path


@contextmanager
def _opened(archive: Path) -> Iterator[list[_Member]]:
    """The regular files of an archive; what is neither file nor folder is refused."""
    special = "{}: refused: {!r} in it is a device or a link to outside; nothing was unpacked".format
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            for info in zipped.infolist():
                _safe(archive, archive.parent, info.filename)
                if stat.S_IFMT(info.external_attr >> 16) not in (0, stat.S_IFREG, stat.S_IFDIR):
                    raise ValueError(special(archive, info.filename))
            files = [info for info in zipped.infolist() if not info.is_dir()]
            yield [_Member(info.filename, info.file_size, partial(zipped.open, info)) for info in files]
        return
    with tarfile.open(archive) as tarred:
        for item in tarred:
            _safe(archive, archive.parent, item.name)
            try:
                tarfile.data_filter(item, str(archive.parent))
            except tarfile.FilterError:
                raise ValueError(special(archive, item.name)) from None
        while tarred.fileobj.read(1 << 20):  # type: ignore[union-attr]  # to gzip's checksum, behind the last member
            pass
        regular = [item for item in tarred.getmembers() if item.isreg()]  # links that stay inside are left out
        yield [_Member(item.name, item.size, partial(tarred.extractfile, item)) for item in regular]
