"""One file over a connection that fails in every way: in the end it is whole and right, or a line says what is kept."""

import errno
import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import namedtuple

import numpy as np
import pytest

from daa.datasets import download, resume
from daa.datasets.download import fetch
from daa.datasets.resume import DownloadError
from daa.files import NoSpaceError, require_space

BODY = np.random.default_rng(0).bytes(1_000_000)
SHA256 = hashlib.sha256(BODY).hexdigest()
SOON = {"timeout": 5.0, "retries": 2}


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(resume, "FIRST_WAIT", 0.001)
    monkeypatch.setattr(resume, "CHUNK", 10_000)
    monkeypatch.delenv("DAA_MIRROR", raising=False)


@pytest.fixture
def there(server, tmp_path):
    server.files["/a.bin"] = BODY
    return server.url + "/a.bin", tmp_path / "new" / "a.bin"


def left_over(path):
    return sorted(file.name for file in path.parent.iterdir())


def test_a_file_arrives_whole_and_alone(there, server):
    url, path = there
    seen = []
    assert fetch(url, path, size=len(BODY), sha256=SHA256, progress=lambda *step: seen.append(step), **SOON) == path
    assert path.read_bytes() == BODY
    assert left_over(path) == ["a.bin"]
    assert seen[0] == (0, len(BODY))
    assert seen[-1] == (len(BODY), len(BODY))
    fetch(url, path, size=len(BODY), sha256=SHA256, **SOON)
    assert server.asked("/a.bin") == [None]


@pytest.mark.parametrize("etags", [True, False])
def test_a_dropped_connection_costs_only_the_rest(there, server, etags):
    url, path = there
    server.etags = etags
    server.faults["/a.bin"] = [("drop", 300_000), ("drop", 200_000)]
    fetch(url, path, sha256=SHA256, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, "bytes=300000-", "bytes=500000-"]
    assert server.sent["/a.bin"] == len(BODY)


def test_a_later_run_asks_only_for_the_rest(there, server):
    url, path = there
    server.faults["/a.bin"] = [("drop", 400_000), 503]
    with pytest.raises(DownloadError, match=r"answers 503.*\(tried 2 times\); 400.0 kB are kept and the same command"):
        fetch(url, path, retries=1, timeout=5)
    assert left_over(path) == ["a.bin.part", "a.bin.part.json"]
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin")[-1] == "bytes=400000-"
    assert left_over(path) == ["a.bin"]


def test_a_part_of_an_older_version_is_not_continued(there, server):
    url, path = there
    server.faults["/a.bin"] = [("drop", 400_000)]
    with pytest.raises(DownloadError):
        fetch(url, path, retries=0, timeout=5)
    server.files["/a.bin"] = newer = BODY[::-1]
    fetch(url, path, **SOON)
    assert path.read_bytes() == newer


def test_without_any_proof_of_the_version_it_begins_anew(there, server):
    url, path = there
    server.etags = False
    server.faults["/a.bin"] = [("drop", 400_000)]
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, None]


def test_a_server_without_ranges_sends_it_all_again(there, server):
    url, path = there
    server.ranges = False
    server.faults["/a.bin"] = [("drop", 400_000)]
    fetch(url, path, sha256=SHA256, **SOON)
    assert path.read_bytes() == BODY


def test_what_comes_compressed_is_refused(there, server):
    """Nobody asked for it: its ranges count other bytes, and it may unpack to any size."""
    url, path = there
    server.files["/a.bin"], server.coded = bytes(50_000_000), True
    with pytest.raises(DownloadError, match=r"got it compressed \(gzip\), .*; put the file at .*a.bin yourself"):
        fetch(url, path, **SOON)
    assert left_over(path) == []


def test_a_spoilt_part_is_replaced_once(there, server):
    url, path = there
    path.parent.mkdir()
    (path.parent / "a.bin.part").write_bytes(b"x" * 5_000)
    fetch(url, path, sha256=SHA256, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == ["bytes=5000-", None]
    path.unlink()
    for too_much in (BODY, BODY + b"x"):  # whole, but not yet named; and longer than the file
        (path.parent / "a.bin.part").write_bytes(too_much)
        fetch(url, path, sha256=SHA256, **SOON)
        assert path.read_bytes() == BODY
        path.unlink()


def test_wrong_bytes_are_thrown_away(there, server):
    url, path = there
    server.faults["/a.bin"] = [b"y" * len(BODY), BODY + b"more"]
    with pytest.raises(DownloadError, match=rf"a.bin: .*: expected sha256:{SHA256} but got \w+; what came was thrown"):
        fetch(url, path, size=len(BODY), sha256=SHA256, **SOON)
    assert left_over(path) == []
    with pytest.raises(DownloadError, match=r"expected 1,000,000 bytes, the server has 1,000,004"):
        fetch(url, path, size=len(BODY), sha256=SHA256, **SOON)
    assert left_over(path) == []

    def refuse(file):
        raise ValueError("expected a picture")

    with pytest.raises(DownloadError, match="expected a picture; what came was thrown away"):
        fetch(url, path, check=refuse, **SOON)
    assert left_over(path) == []


def test_a_wrong_file_in_its_place_is_named_not_overwritten(there, server):
    url, path = there
    path.parent.mkdir()
    path.write_bytes(b"something of the user's")
    with pytest.raises(DownloadError, match=r"a.bin: expected sha256 .*; remove this file"):
        fetch(url, path, sha256=SHA256, **SOON)
    assert path.read_bytes() == b"something of the user's"
    assert server.requests == []


def test_missing_files_are_asked_for_once(there, server):
    _, path = there
    with pytest.raises(DownloadError, match=r"nowhere: the server answers 404 Not Found: it is not there.*daa data"):
        fetch(server.url + "/nowhere", path, **SOON)
    assert server.asked("/nowhere") == [None]


def test_a_mirror_stands_in_for_every_server(server, tmp_path, monkeypatch):
    server.files["/m/example.org/deep/a.bin"] = BODY
    fetch("https://example.org/deep/a.bin", tmp_path / "a", sha256=SHA256, mirror=server.url + "/m/", **SOON)
    monkeypatch.setenv("DAA_MIRROR", server.url + "/m")
    fetch("https://example.org/deep/a.bin", tmp_path / "b", sha256=SHA256, **SOON)
    assert (tmp_path / "b").read_bytes() == BODY


def test_a_silent_server_counts_as_broken(there, server):
    url, path = there
    server.faults["/a.bin"] = [("slow", 0.6)]
    fetch(url, path, timeout=0.2, retries=1, sha256=SHA256)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, "bytes=500000-"]


@pytest.mark.parametrize(
    ("url", "message"),
    [
        (
            "http://127.0.0.1:9/a.bin",
            r"the connection is refused \(tried 2 times\); check the network, and HTTPS_PROXY",
        ),
        ("http://no-such-host.invalid/a", r"name of the server is not known.*or put the file at .*a.bin yourself"),
        ("nonsense", "nonsense: expected an address such as http://host/file"),
    ],
)
def test_no_network_is_one_line(tmp_path, url, message, monkeypatch):
    for name in ("http_proxy", "https_proxy", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
        monkeypatch.delenv(name.upper(), raising=False)
    with pytest.raises(DownloadError, match=message) as error:
        fetch(url, tmp_path / "a.bin", timeout=2)
    assert "\n" not in str(error.value)
    assert list(tmp_path.iterdir()) == []


def test_a_proxy_that_refuses_is_one_line(tmp_path, monkeypatch):
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    monkeypatch.delenv("no_proxy", raising=False)
    with pytest.raises(DownloadError, match="the proxy does not let it through"):
        fetch("https://example.org/a.bin", tmp_path / "a.bin", timeout=2)
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:99999")
    with pytest.raises(DownloadError, match=r"http://host/file \(.*99999"):
        fetch("https://example.org/a.bin", tmp_path / "a.bin", timeout=2)


def test_no_room_is_said_before_a_byte_is_written(there, monkeypatch):
    url, path = there
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda folder: usage(10**9, 10**9, 400_000))
    with pytest.raises(NoSpaceError, match=r"a.bin needs 1.0 MB more, but 400.0 kB are free"):
        fetch(url, path, **SOON)
    assert not path.exists()
    assert (path.parent / "a.bin.part").stat().st_size == 0
    with pytest.raises(NoSpaceError, match=r"the images needs 2.0 GB more, but 400.0 kB are free.*make room"):
        require_space(path.parent / "not" / "yet", 2 * 10**9, "the images")


def test_a_disk_that_fills_up_keeps_what_it_has(there, server, monkeypatch):
    url, path = there
    seen = []

    def fill(done, total):
        seen.append(done)
        if done >= 500_000:
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(NoSpaceError, match=r"the disk is full; 500.0 kB of the file are kept, make room and the same"):
        fetch(url, path, progress=fill, **SOON)
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, "bytes=500000-"]


def test_stopped_by_another_thread_or_ctrl_c_it_can_go_on(there, server):
    url, path = there
    stop = threading.Event()
    with pytest.raises(KeyboardInterrupt):
        fetch(url, path, stop=stop, progress=lambda done, total: done >= 200_000 and stop.set(), **SOON)

    def interrupt(done, total):
        if done >= 600_000:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fetch(url, path, progress=interrupt, **SOON)
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, "bytes=200000-", "bytes=600000-"]
    assert left_over(path) == ["a.bin"]


def test_two_at_once_fetch_once(there, server):
    """As the processes of one training run do that all want the same weights."""
    url, path = there
    server.faults["/a.bin"] = [("slow", 0.3)]
    threads = [threading.Thread(target=fetch, args=(url, path), kwargs=SOON) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert server.asked("/a.bin") == [None]
    assert path.read_bytes() == BODY
    assert left_over(path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX locks")
def test_a_file_system_without_locks_is_no_hindrance(there, monkeypatch):
    def flock(file, operation):
        raise OSError(errno.ENOSYS, "Function not implemented")

    monkeypatch.setattr("fcntl.flock", flock)
    url, path = there
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert left_over(path) == ["a.bin"]


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_a_killed_process_leaves_a_part_to_go_on_from(there, server):
    url, path = there
    server.faults["/a.bin"] = [("slow", 20)]
    folder = os.path.dirname(download.__file__)
    code = (  # the modules alone: the package would import torch
        "import sys, types; package = sys.modules['daa.datasets'] = types.ModuleType('daa.datasets'); "
        f"package.__path__ = [{folder!r}]; from daa.datasets.download import fetch; "
        f"fetch({url!r}, {str(path)!r}, sha256={SHA256!r})"
    )
    process = subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL)
    part = path.with_name("a.bin.part")
    while not part.exists() or part.stat().st_size == 0:
        assert process.poll() is None
        time.sleep(0.02)
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=20)
    assert not path.exists()
    here = part.stat().st_size
    assert json.loads(path.with_name("a.bin.part.json").read_text())["url"] == url
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, f"bytes={here}-"]
    assert left_over(path) == ["a.bin"]


@pytest.mark.parametrize("known", [{"size": 200_000}, {"size": 200_000, "sha256": SHA256}, {"at_most": 200_000}])
@pytest.mark.parametrize("lengths", [True, False])
def test_a_body_longer_than_the_file_is_cut_off_and_refused(there, server, known, lengths):
    url, path = there
    server.lengths = lengths
    seen = []
    with pytest.raises(
        DownloadError, match=r"expected (at most )?200,000 bytes, the server (has 1,000,000|sends more)"
    ):
        fetch(url, path, progress=lambda done, total: seen.append(done), **known, **SOON)
    assert max(seen, default=0) <= 200_000
    assert left_over(path) == []


@pytest.mark.parametrize("drip", ["drip", "drip headers"])
def test_a_server_that_drips_is_given_up(there, server, monkeypatch, drip):
    url, path = there
    server.faults["/a.bin"] = [(drip, 0.02)]
    monkeypatch.setattr(resume, "SLOW_AFTER", 0.3)
    monkeypatch.setattr(resume, "CHUNK", 5)
    began = time.monotonic()
    with pytest.raises(
        DownloadError, match=r"fewer than 1,000 bytes a second over 0.[34] s; .*put the file at .*a.bin"
    ):
        fetch(url, path, timeout=0.2)
    assert time.monotonic() - began < 5
    assert ("a.bin.part" in left_over(path)) == (drip == "drip")
    monkeypatch.setattr(resume, "CHUNK", 10_000)
    fetch(url, path, sha256=SHA256, **SOON)
    assert path.read_bytes() == BODY


def test_a_server_that_breaks_off_again_and_again_is_given_up(there, server, monkeypatch):
    """A few bytes a connection are no progress."""
    url, path = there
    monkeypatch.setattr(resume, "CHUNK", 1_000)
    server.faults["/a.bin"] = [("drop", 5_000)] * 90
    with pytest.raises(DownloadError, match=r"broke off \(tried 3 times\); 15.0 kB are kept"):
        fetch(url, path, **SOON)


@pytest.mark.parametrize("drip", ["drip", "drip headers"])
def test_a_dripping_server_does_not_hold_up_a_stop(there, server, drip):
    url, path = there
    server.faults["/a.bin"] = [(drip, 0.05)]
    stop = threading.Event()
    threading.Timer(0.3, stop.set).start()
    began = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        fetch(url, path, stop=stop, **SOON)
    assert time.monotonic() - began < 5


def test_the_rest_of_another_version_is_not_joined(there, server):
    url, path = there
    server.faults["/a.bin"] = [("drop", 400_000)]
    server.forged_etag = '"another"'
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, "bytes=400000-", None]


def test_the_rest_from_elsewhere_is_not_joined(there, server):
    url, path = there
    server.faults["/a.bin"] = [("drop", 400_000), ("shift", 1)]
    fetch(url, path, **SOON)
    assert path.read_bytes() == BODY
    assert server.asked("/a.bin") == [None, "bytes=400000-", None]


def test_a_checksum_is_compared_while_the_part_is_there(there, monkeypatch):
    """Ctrl-C while 13 GB are being read again must not cost them."""
    url, path = there

    def interrupted(*arguments, **options):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("pooch.core.hash_matches", interrupted)
        with pytest.raises(KeyboardInterrupt):
            fetch(url, path, sha256=SHA256, **SOON)
    assert left_over(path) == ["a.bin.part", "a.bin.part.json"]
    assert (path.parent / "a.bin.part").read_bytes() == BODY


def test_a_file_system_without_links(there, monkeypatch):
    def link(source, target):
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    url, path = there
    fetch(url, path, sha256=SHA256, **SOON)
    assert path.read_bytes() == BODY
    assert left_over(path) == ["a.bin"]
