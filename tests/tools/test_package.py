"""What is installed elsewhere, on Colab for instance, must be the whole package."""

import subprocess
import sys
from pathlib import Path

DAA = Path(__file__).resolve().parents[2] / "daa"


def test_every_folder_with_modules_is_a_package():
    without = {path.parent.relative_to(DAA).as_posix() for path in DAA.rglob("*.py")} - {
        path.parent.relative_to(DAA).as_posix() for path in DAA.rglob("__init__.py")
    }
    assert not without


def test_it_imports_and_works_where_no_compiled_code_can_be_kept():
    nowhere = (
        "import numba.core.caching as caching\n"
        "for kind in vars(caching).values():\n"
        "    if isinstance(kind, type) and hasattr(kind, '_locator_classes'): kind._locator_classes = []\n"
        "import numpy, daa.metrics, daa.relevance, daa.losses\n"
        "from daa.ranks import ranks\n"
        "print(ranks(numpy.array([0.5, 0.7])).tolist())\n"
    )
    done = subprocess.run([sys.executable, "-c", nowhere], capture_output=True, text=True, cwd=DAA.parent)
    assert (done.returncode, done.stdout) == (0, "[2.0, 1.0]\n"), done.stderr
