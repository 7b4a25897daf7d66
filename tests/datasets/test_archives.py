"""Archives that want out of their folder, and archives that were cut short."""

import io
import stat
import tarfile
import zipfile

import numpy as np
import pytest

from daa.datasets.archives import unpack
from daa.files import NoSpaceError
from tests.datasets.fakes import tarred, zipped


def link(name, target, kind=tarfile.SYMTYPE):
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        first = tarfile.TarInfo("good.txt")
        archive.addfile(first, io.BytesIO())
        info = tarfile.TarInfo(name)
        info.type, info.linkname = kind, target
        archive.addfile(info)
    return buffer.getvalue()


def zip_link():
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "/etc/passwd")
    return buffer.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        zipped({"good.txt": b"a", "../evil.txt": b"b"}),
        zipped({"good.txt": b"a", "/tmp/evil.txt": b"b"}),
        zipped({"good.txt": b"a", "x/../../evil.txt": b"b"}),
        zipped({"good.txt": b"a", "C:/evil.txt": b"b"}),
        zipped({"good.txt": b"a", "..\\evil.txt": b"b"}),
        zip_link(),
        tarred({"good.txt": b"a", "../evil.txt": b"b"}),
        tarred({"good.txt": b"a", "/evil.txt": b"b"}),
        link("way", "/etc"),
        link("way", "../.."),
        link("hard", "../../secret", tarfile.LNKTYPE),
        link("device", "", tarfile.CHRTYPE),
    ],
)
def test_what_leads_out_is_refused_before_anything_is_written(tmp_path, content):
    archive, folder = tmp_path / "deep" / "a.archive", tmp_path / "deep" / "out"
    archive.parent.mkdir()
    archive.write_bytes(content)
    with pytest.raises(ValueError, match=r"a.archive: refused: .*; nothing was unpacked"):
        unpack(archive, folder)
    assert not folder.exists()
    assert [path.name for path in tmp_path.rglob("*") if path.is_file()] == ["a.archive"]


def test_a_link_that_lies_in_the_folder_is_no_way_out(tmp_path):
    (tmp_path / "a.zip").write_bytes(zipped({"images/x.txt": b"a"}))
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "images").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="is a way out"):
        unpack(tmp_path / "a.zip", tmp_path / "out")


@pytest.mark.parametrize("make", [zipped, tarred])
def test_unpacked_once_and_continued(tmp_path, make):
    files = {f"d/{k}.txt": bytes([k]) * 5000 for k in range(5)} | {"d/skip.txt": b"x"}
    (tmp_path / "a").write_bytes(make(files))
    keep = lambda name: None if "skip" in name else name.replace("d/", "e/f/")  # noqa: E731
    seen = []

    def interrupted(members):
        yield from members[:3]
        raise KeyboardInterrupt

    def count(members):
        seen.append(len(members))
        return members

    with pytest.raises(KeyboardInterrupt):
        unpack(tmp_path / "a", tmp_path / "out", keep, interrupted)
    half = sorted(path.name for path in (tmp_path / "out").rglob("*") if path.is_file())
    assert half == ["0.txt", "1.txt", "2.txt"]
    (tmp_path / "out" / "e" / "f" / "1.txt").write_bytes(b"cut")
    unpack(tmp_path / "a", tmp_path / "out", keep, count)
    assert seen == [3]  # what is whole is left alone
    assert {path.name: path.read_bytes() for path in (tmp_path / "out").rglob("*.txt")} == {
        name[2:]: files[name] for name in files if "skip" not in name
    }


@pytest.mark.parametrize("make", [zipped, tarred])
def test_broken_archives(tmp_path, make):
    content = make({f"{k}.txt": bytes(range(256)) * 400 for k in range(3)})
    (tmp_path / "a").write_bytes(content[: len(content) // 2])
    with pytest.raises(ValueError, match=r"a: the archive is broken \(.*\); download it again"):
        unpack(tmp_path / "a", tmp_path / "out")
    spoilt = bytearray(zipped({"x.txt": b"a" * 1000}))
    spoilt[200] ^= 255
    (tmp_path / "b").write_bytes(spoilt)
    with pytest.raises(ValueError, match="Bad CRC-32"):
        unpack(tmp_path / "b", tmp_path / "out")
    spoilt[200] ^= 255
    for header, flags in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        spoilt[spoilt.find(header) + flags] |= 1
    (tmp_path / "b").write_bytes(spoilt)
    with pytest.raises(ValueError, match=r"broken .*encrypted"):
        unpack(tmp_path / "b", tmp_path / "out")
    spoilt = bytearray(tarred({"x.txt": np.random.default_rng(0).bytes(5000)}))
    spoilt[2500] ^= 1  # amid what gzip has kept as it is: the structure is sound, the content is not
    (tmp_path / "b").write_bytes(spoilt)
    with pytest.raises(ValueError, match=r"broken .*CRC check failed"):
        unpack(tmp_path / "b", tmp_path / "out")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.name not in ("0.txt", "1.txt", "2.txt")]


def test_an_archive_larger_than_the_disk(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(zipped({"x.txt": b"a" * 10_000}))
    monkeypatch.setattr("shutil.disk_usage", lambda folder: type("usage", (), {"free": 9_999}))
    with pytest.raises(NoSpaceError, match=r"what is in a needs 10.0 kB more, but 10.0 kB are free"):
        unpack(tmp_path / "a", tmp_path / "out")
