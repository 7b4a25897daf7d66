import json
import os

import pytest

from daa.files import atomic_write, provenance, write_json


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


def test_provenance_says_what_ran_and_no_path(tmp_path):
    record = provenance(seed=3)
    assert record["seed"] == 3
    assert record["versions"].keys() == {"python", "torch", "numpy"}
    assert "/" not in json.dumps(record)
