"""`daa data` as a user meets it: one line for whatever goes wrong, and the same command goes on."""

import os
import signal
import subprocess
import sys
import time
from functools import partial

import pytest

from daa.datasets import load_dataset, resume
from tests.command import call
from tests.datasets.fakes import publish
from tests.datasets.server import serving


@pytest.fixture
def server():
    with serving() as state:
        yield state


@pytest.fixture
def daa(monkeypatch, capsys, tmp_path, server):
    """Runs `daa data ...` in an empty folder against the server; gives exit code, stdout and stderr."""
    publish(server, monkeypatch)
    monkeypatch.setattr(resume, "FIRST_WAIT", 0.001)
    monkeypatch.setattr("daa.datasets.obtain.IMAGE_ON_DISK", 1000)
    monkeypatch.chdir(tmp_path)

    return partial(call, monkeypatch, capsys, "data")


@pytest.mark.parametrize(
    "command", [(), ("coco",), ("flickr30k",), ("flickr8k",), ("cub",), ("captions",), ("coco-5k",)]
)
def test_help_teaches(daa, command):
    code, out, _ = daa(*command, "--help")
    assert code == 0
    assert f"\n  daa data {' '.join(command)}" in out
    assert len(out.split()) > 60


def test_a_subset_from_the_command_to_the_data_set(daa, tmp_path):
    code, out, err = daa("coco", "--subset", 5, "--to", "c", "--workers", 2)
    assert code == 0, err
    assert "c: complete; `daa data coco --subset 5 --to c --verify` checks it again" in out
    assert load_dataset("coco", split="train", root=tmp_path / "c", image_size=16).corpus.n_images == 5
    assert daa("coco", "--subset", 2, "--split", "val", "--split", "test", "--to", "c", "--quiet")[0] == 0
    code, out, _ = daa("coco", "--to", "c", "--verify")
    assert code == 0
    assert "12 files" in out
    assert "5 images of train, 2 images of val, 2 images of test" in out
    next((tmp_path / "c").rglob("*.jpg")).unlink()
    code, out, err = daa("coco", "--subset", 5, "--to", "c", "--verify")
    assert (code, out) == (2, "")
    assert "1 of 12 files are not as they were" in err
    assert "`daa data coco --subset 5 --to c` gets them again" in err


def test_captions_only(daa, server, tmp_path):
    assert daa("coco", "--captions", "--to", "c", "--quiet")[0] == 0
    assert len(server.requests) == 1
    assert daa("coco", "--annotations", "--to", "c", "--quiet")[0] == 0
    assert len(server.requests) == 2
    assert sorted(path.name for path in (tmp_path / "c" / "annotations").iterdir()) == [
        "dataset_coco.json", "instances_train2014.json", "instances_val2014.json",
    ]  # fmt: skip


def test_what_must_be_done_by_hand_is_said_in_a_line(daa):
    code, out, _ = daa("flickr30k", "--to", "f")
    assert code == 0
    assert [line.split(":")[0] for line in out.splitlines()[1:]] == ["By hand, the images"]
    code, out, _ = daa("cub", "--to", "b")
    assert [line.split(":")[0] for line in out.splitlines()[1:]] == [
        "By hand, the captions",
        "By hand, the split of Xian et al.",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("coco", "--to", "c", "--mirror", "http://127.0.0.1:9"), "the connection is refused (tried 2 times)"),
        (("coco", "--to", "c", "--mirror", "nonsense"), "expected an address such as http://host/file"),
        (("coco", "--to", "c", "--subset", "0"), "subset: expected at least 1 image, got 0"),
        (
            ("coco", "--to", "c", "--subset", "2", "--split", "dev"),
            "split: expected one of train, val, test, got 'dev'",
        ),
        (("coco", "--to", "c", "--workers", "0"), "workers: expected at least 1"),
        (("coco", "--to", "c", "--verify"), "no download has ended there; `daa data coco --to c` goes on"),
        (("coco", "--to", "file"), "--to: expected a folder, but file is a file"),
    ],
)
def test_every_error_is_one_line(daa, tmp_path, arguments, message):
    (tmp_path / "file").write_text("")
    code, out, err = daa(*arguments, "--quiet")
    assert (code, out) == (2, "")
    assert err.startswith("error: ")
    assert message in err
    assert err.count("\n") == 1
    assert "Traceback" not in err


@pytest.mark.skipif(os.name == "nt", reason="POSIX signals")
def test_ctrl_c_in_a_real_process(daa, server, tmp_path):
    """SIGINT amid the images ends the command with a line; the same command then gets what is missing."""
    slow = [path for path in server.files if path.endswith(".jpg")]
    server.faults = {path: [None if k < 3 else ("slow", 30)] for k, path in enumerate(slow)}
    assert daa("coco", "--captions", "--to", "c", "--quiet")[0] == 0
    code = (  # a process of its own, in which the split has the size it has here
        "import sys; from daa.datasets import karpathy; from daa import cli; "
        "karpathy.SPLIT_SIZES['coco'] = {'train': 8, 'val': 3, 'test': 4}; "
        "sys.argv = ['daa', 'data', 'coco', '--subset', '8', '--no-labels', '--to', 'c']; cli.main()"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),  # ignored in what a shell runs behind itself
    )
    while len(list((tmp_path / "c").rglob("*.part"))) < 3:
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=10)  # the server still sends nothing
    server.hurry.set()
    assert process.returncode == 130
    assert "interrupted: nothing half-written is left; the same command goes on where it can" in err
    assert "Traceback" not in err
    assert daa("coco", "--subset", 8, "--no-labels", "--to", "c", "--quiet")[0] == 0
    assert daa("coco", "--to", "c", "--verify")[0] == 0
