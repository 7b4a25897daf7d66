"""What is installed elsewhere, on Colab for instance, must be the whole package."""

from pathlib import Path

DAA = Path(__file__).resolve().parents[2] / "daa"


def test_every_folder_with_modules_is_a_package():
    without = {path.parent.relative_to(DAA).as_posix() for path in DAA.rglob("*.py")} - {
        path.parent.relative_to(DAA).as_posix() for path in DAA.rglob("__init__.py")
    }
    assert not without
