import errno
import json
import os
import threading

import pytest

from daa.files import atomic_write, check_writable, provenance, write_json


def test_an_error_leaves_the_old_file_and_nothing_else(tmp_path):
    path = tmp_path / "a.json"
    write_json(path, {"old": 1})
    with pytest.raises(FileNotFoundError), atomic_write(path) as aside:
        aside.write_text("half").bit_length() and (tmp_path / "missing").stat()
    with pytest.raises(ValueError, match="not JSON compliant"):
        write_json(path, {"new": float("nan")})
    assert json.loads(path.read_text()) == {"old": 1}
    assert os.listdir(tmp_path) == ["a.json"]


def test_folders_are_made_and_the_umask_holds(tmp_path):
    path = tmp_path / "b" / "c.txt"
    before = os.umask(0o027)
    try:
        with atomic_write(path) as aside:
            aside.write_text("x")
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_link_stays_a_link_and_a_pipe_a_pipe(tmp_path):
    link, pipe = tmp_path / "latest.json", tmp_path / "pipe"
    link.symlink_to("run.json")
    write_json(link, 1)
    assert link.is_symlink()
    assert (tmp_path / "run.json").read_text() == "1\n"
    os.mkfifo(pipe)
    came = []
    reader = threading.Thread(target=lambda: came.append(pipe.read_text()))
    reader.start()
    write_json(pipe, 2)
    reader.join(timeout=20)
    assert came == ["2\n"]
    assert pipe.is_fifo()


def test_what_cannot_be_written_is_named(tmp_path):
    with pytest.raises(OSError, match="No space") as raised, atomic_write(tmp_path / "a.txt"):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert raised.value.filename == str(tmp_path / "a.txt")
    with pytest.raises(IsADirectoryError, match=str(tmp_path)), atomic_write(tmp_path):
        pass
    assert not list(tmp_path.iterdir())


def test_places_to_write_are_checked_before_the_work(tmp_path, monkeypatch):
    file, folder = tmp_path / "file", tmp_path / "folder"
    file.touch()
    folder.mkdir()
    for good in (file, folder / "new" / "a.json"):
        check_writable("--json", good)
    for good in (folder, folder / "new"):
        check_writable("--out", good, folder=True)
    assert not list(folder.iterdir())
    for path, is_folder, message in (
        (folder, False, "--json: expected a file to write, but .*folder is a folder"),
        (file, True, "--json: expected a folder, but .*file is a file"),
        (file / "a.json", False, "a.json, but .*file is a file, not a folder"),
        (file / "b" / "run", True, "run, but .*file is a file, not a folder"),
    ):
        with pytest.raises(ValueError, match=message):
            check_writable("--json", path, folder=is_folder)
    monkeypatch.setattr(os, "access", lambda path, mode: path != folder)
    with pytest.raises(ValueError, match=r"a\.json, but .*folder may not be written to"):
        check_writable("--json", folder / "a.json")


def test_provenance_says_what_ran_and_no_path(tmp_path):
    record = provenance(seed=3)
    assert record["seed"] == 3
    assert record["versions"].keys() == {"python", "torch", "numpy"}
    assert "/" not in json.dumps(record)
