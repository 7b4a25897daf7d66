"""Score files: what is read, and what is refused."""

import pickle
import re

import numpy as np
import pytest
import torch
from safetensors.numpy import save_file

from daa.scores import is_transposed, read_matrix

MATRIX = np.arange(6, dtype=np.float32).reshape(2, 3)


@pytest.mark.parametrize("dtype", [np.float16, np.float32, np.float64])
def test_every_format_gives_the_same_numbers(tmp_path, dtype):
    matrix = MATRIX.astype(dtype)
    np.save(tmp_path / "a.npy", matrix)
    np.savez(tmp_path / "a.npz", scores=matrix)
    save_file({"scores": matrix}, tmp_path / "a.safetensors")
    torch.save(torch.from_numpy(matrix), tmp_path / "a.pt")
    torch.save({"scores": torch.from_numpy(matrix), "epoch": 3}, tmp_path / "b.pt")
    torch.save({0: torch.from_numpy(matrix)}, tmp_path / "c.pt")
    np.save(tmp_path / "d.npy", matrix)
    (tmp_path / "d.npy").rename(tmp_path / "D.NPY")
    for name in ("a.npy", "a.npz", "a.safetensors", "a.pt", "b.pt", "c.pt", "D.NPY"):
        read = read_matrix(tmp_path / name)
        assert str(read.dtype).endswith(np.dtype(dtype).name)
        np.testing.assert_array_equal(np.asarray(read), matrix)
    assert isinstance(read_matrix(tmp_path / "a.npy"), np.memmap)


def test_one_of_several_arrays_is_named(tmp_path):
    np.savez(tmp_path / "a.npz", one=MATRIX, two=MATRIX + 1)
    np.testing.assert_array_equal(read_matrix(tmp_path / "a.npz", key="two"), MATRIX + 1)
    with pytest.raises(ValueError, match="holds one, two, and which array is not said"):
        read_matrix(tmp_path / "a.npz")
    np.savez(tmp_path / "none.npz")
    torch.save({"model": {"w": torch.zeros(2, 3)}}, tmp_path / "none.pt")
    for name in ("none.npz", "none.pt"):
        with pytest.raises(ValueError, match=f"{name} holds no array"):
            read_matrix(tmp_path / name)
    with pytest.raises(ValueError, match="no array 'three'"):
        read_matrix(tmp_path / "a.npz", key="three")


class Hostile:
    def __reduce__(self):
        return (pytest.fail, ("the file was executed",))


def test_hostile_and_broken_files_are_refused_unexecuted(tmp_path):
    np.save(tmp_path / "objects.npy", np.array([[Hostile()]], dtype=object), allow_pickle=True)
    (tmp_path / "pickle.npy").write_bytes(pickle.dumps(Hostile()))
    (tmp_path / "pickle.pt").write_bytes(pickle.dumps(Hostile()))
    torch.save({"x": Hostile()}, tmp_path / "hostile.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(torch.eye(3).to_sparse(), tmp_path / "sparse.pt")
    np.save(tmp_path / "whole.npy", np.zeros((100, 100)))
    (tmp_path / "cut.npy").write_bytes((tmp_path / "whole.npy").read_bytes()[:5000])
    for name in ("empty.npy", "empty.npz", "empty.safetensors", "empty.pt"):
        (tmp_path / name).write_bytes(b"")
    (tmp_path / "text.npz").write_text("not an archive")
    names = [file.name for file in tmp_path.iterdir() if file.name != "whole.npy"]
    assert len(names) == 12
    for name in names:
        with pytest.raises(ValueError, match=r"^scores: .*is not a readable .* file of plain numbers") as raised:
            read_matrix(tmp_path / name)
        assert "\n" not in str(raised.value)
    with pytest.raises(FileNotFoundError, match="there is no file"):
        read_matrix(tmp_path / "missing.npy")
    (tmp_path / "folder.npy").mkdir()
    with pytest.raises(ValueError, match=r"expected a file, but .*folder\.npy is a folder"):
        read_matrix(tmp_path / "folder.npy")
    (tmp_path / "scores.csv").write_text("1,2")
    with pytest.raises(ValueError, match=r"expected a file ending in \.npy"):
        read_matrix(tmp_path / "scores.csv")


def test_orientation_is_detected_or_asked_for():
    shape = MATRIX.shape
    assert is_transposed(shape, (2, 3)) is False
    assert is_transposed(torch.from_numpy(MATRIX).shape, (3, 2)) is True
    assert is_transposed(shape, (3, 2), "t2i") is True
    assert is_transposed((2, 2), (2, 2)) is False
    assert is_transposed((2, 2), (2, 2), "t2i") is True
    with pytest.raises(ValueError, match=r"expected \[3 images, 2 captions\], got shape \(2, 3\); it looks transposed"):
        is_transposed(shape, (3, 2), "i2t")
    with pytest.raises(ValueError, match=r"expected \[3 captions, 2 images\], got shape \(2, 3\)"):
        is_transposed(shape, (2, 3), "t2i")
    for wrong in ((2, 3), (2, 3, 1), (6,)):
        with pytest.raises(ValueError, match=rf"got shape {re.escape(str(wrong))}$"):
            is_transposed(wrong, (4, 5))
    with pytest.raises(ValueError, match="orientation: expected one of"):
        is_transposed(shape, (2, 3), "rows")
