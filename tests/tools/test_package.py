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


def test_every_public_part_can_be_imported_first():
    """No circle of imports: each in a process of its own, forked from one that has loaded what they all need."""
    parts = sorted(path.stem for path in DAA.glob("[a-z]*") if path.suffix in ("", ".py"))
    names = [f"daa.{part}" for part in [*parts, "training.loop", "similarity.sgraf", "reproduce.run"]]
    script = (
        "import os, sys\n"
        "import accelerate, jaxtyping, matplotlib.pyplot, numba, pandas, scipy.sparse, sklearn, torch, torchvision\n"
        "for name in sys.argv[1:]:\n"
        "    child = os.fork()\n"
        "    if not child:\n"
        "        try:\n"
        "            __import__(name)\n"
        "        except BaseException as error:\n"
        "            print(name, repr(error), flush=True)\n"
        "        os._exit(0)\n"
        "    os.waitpid(child, 0)\n"
    )
    done = subprocess.run([sys.executable, "-c", script, *names], capture_output=True, text=True, cwd=DAA.parent)
    assert (done.returncode, done.stdout) == (0, ""), done.stderr
